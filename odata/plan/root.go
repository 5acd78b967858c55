package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// wholeSet is $root/name: every entity of a set that the caller may see (URL
// Conventions 4.01, section 5.1.1.14.3).
func (b *Binder) wholeSet(name string, at uri.At) (place, error) {
	v, err := b.reached(name, at)
	return place{all: v}, err
}

// entity is $root/Set(key), the one entity that the caller may see by that key.
func (b *Binder) entity(e *uri.Entity) (place, error) {
	v, err := b.reached(e.Set, e.At)
	if err != nil {
		return place{}, err
	}
	if len(e.Key) != len(v.Struct.Key) {
		return place{}, b.errorf(e.Pos(), "the key of %s has %d properties", e.Set, len(v.Struct.Key))
	}
	var given []*edm.Property
	for _, arg := range e.Key {
		p := v.Struct.Key[0]
		if arg.Name != "" {
			p = v.Struct.Property(arg.Name)
		}
		if p == nil || !p.Key || slices.Contains(given, p) || arg.Name == "" && len(e.Key) > 1 {
			return place{}, b.errorf(e.Pos(), "%s is no key of %s", e, e.Set)
		}
		given = append(given, p)
		x, err := b.bind(arg.Value)
		if err == nil {
			x, err = b.as(x, p.Type)
		}
		if err != nil {
			return place{}, err
		}
		c, ok := x.(*Const)
		if !ok {
			return place{}, b.notServed(arg.Value.Pos(), "a key that is not a constant")
		}
		v.Where = And(v.Where, Equal(v, p, c))
	}
	return place{v: v}, nil
}

// reached is a range variable over a set of the service.
func (b *Binder) reached(name string, at uri.At) (*Var, error) {
	if b.Model == nil || b.Model.Set(name) == nil {
		return nil, b.errorf(int(at), "there is no entity set %q", name)
	}
	if err := b.spendStep(); err != nil {
		return nil, err
	}
	v := &Var{Struct: b.Model.Set(name).Type, unguarded: b.Access == nil}
	return v, b.guard(v)
}

// alone returns x as a value by itself, if it is about an entity that stands by
// itself and the whole expression, as an access predicate, is not.
func (b *Binder) alone(x Expr) Expr {
	var v *Var
	switch x := x.(type) {
	case *Prop:
		v = x.Var
	case *Dyn:
		v = x.Var
	case *Lambda:
		v = x.Var.Of
	case *Count:
		v = x.Var.Of
	}
	if v == nil {
		return x
	}
	for ; v.Of != nil; v = v.Of {
		if v.Values != nil || v.Nav != nil && v.Nav.Many {
			return x // in the body of a lambda over what belongs to the entity
		}
	}
	if v.Where == nil || v == b.root.first() {
		return x
	}
	return &Single{typed{uri.At(x.Pos()), x.Type()}, v, x}
}

// first is the range variable that v is reached from.
func (v *Var) first() *Var {
	for v.Of != nil {
		v = v.Of
	}
	return v
}
