package plan

import (
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// place is where a member path leads: an entity (or an element of a collection
// of complex values), one of its properties, or a value inside JSON.
type place struct {
	v    *Var
	name string // a property of v, not looked up yet; "" for v itself
	dyn  *Dyn   // a value inside JSON
}

// walk resolves a member path.
func (b *Binder) walk(e uri.Expr) (place, error) {
	switch e := e.(type) {
	case *uri.Name:
		switch e.Name {
		case "$it":
			if b.it != b.root && b.expanding {
				return place{}, b.notServed(e.Pos(), "$it inside $expand")
			}
			return place{v: b.it}, nil
		case "$this":
			return place{v: b.root}, nil
		case "$root":
			return place{}, b.notServed(e.Pos(), "$root")
		}
		for _, l := range b.lambdas {
			if l.name == e.Name {
				return place{v: l.v}, nil
			}
		}
		return b.step(place{v: b.root}, e.Name, e.At)
	case *uri.Member:
		p, err := b.walk(e.X)
		if err != nil {
			return place{}, err
		}
		return b.step(p, e.Name, e.At)
	}
	return place{}, b.errorf(e.Pos(), "%s has no members", e)
}

// step goes from p over name: into the entity a single-valued navigation
// property leads to, onto a property, or further into JSON.
func (b *Binder) step(p place, name string, at uri.At) (place, error) {
	if p.name != "" {
		if nav := p.v.Struct.Nav(p.name); nav != nil {
			return place{}, b.errorf(int(at), "%s is a collection: use any, all or $count", p.name)
		}
		x, err := b.property(p.v, p.name, at)
		if err != nil {
			return place{}, err
		}
		switch x := x.(type) {
		case *Dyn:
			p.dyn = x
		case *Prop:
			if !x.Prop.JSON {
				return place{}, b.errorf(int(at), "%s has no members", p.name)
			}
			p.dyn = &Dyn{typed{at, x.Prop.Type}, p.v, x.Prop, nil}
		default:
			return place{}, b.errorf(int(at), "%s has no members", p.name)
		}
	}
	if p.dyn != nil {
		return b.into(p.dyn, name, at)
	}
	if p.v.Struct == nil {
		return place{}, b.errorf(int(at), "a primitive value has no members")
	}
	nav := p.v.Struct.Nav(name)
	if nav == nil || nav.Many {
		return place{v: p.v, name: name}, nil
	}
	if nav.Inline() {
		return place{v: &Var{Struct: nav.Target, Of: p.v, Nav: nav, Row: p.v}}, nil
	}
	for _, j := range p.v.Joins {
		// What an access predicate reached without checks is not for others.
		if j.Nav == nav && j.unguarded == (b.Access == nil) {
			return place{v: j}, nil
		}
	}
	if err := b.spendStep(); err != nil {
		return place{}, err
	}
	j, err := b.over(p.v, nav)
	if err == nil {
		p.v.Joins = append(p.v.Joins, j)
	}
	return place{v: j}, err
}

// into goes from the complex value d to one of its properties.
func (b *Binder) into(d *Dyn, name string, at uri.At) (place, error) {
	t := edm.Type(edm.Untyped)
	switch s := d.T.(type) {
	case *edm.Struct:
		if p := s.Property(name); p != nil {
			t = p.Type
		} else if !s.Open {
			return place{}, b.errorf(int(at), "%s has no property %q", s.Name, name)
		}
	case edm.Collection:
		return place{}, b.errorf(int(at), "that is a collection: use any, all or $count")
	default:
		if d.T != edm.Untyped {
			return place{}, b.errorf(int(at), "%s has no members", d.T)
		}
	}
	path := append(d.Path[:len(d.Path):len(d.Path)], name)
	return place{v: d.Var, dyn: &Dyn{typed{at, t}, d.Var, d.Column, path}}, nil
}

// value binds a member path as a value.
func (b *Binder) value(e uri.Expr) (Expr, error) {
	at := uri.At(e.Pos())
	p, err := b.walk(e)
	switch {
	case err != nil:
		return nil, err
	case p.dyn != nil:
		return p.dyn, nil
	case p.name != "":
		return b.property(p.v, p.name, at)
	case p.v.Values != nil:
		return &Dyn{typed{at, p.v.Values.T.(edm.Collection).Of}, p.v, nil, nil}, nil
	}
	// An entity stands for its key, so that nav eq null asks whether there is one.
	if len(p.v.Struct.Key) == 0 {
		return nil, b.errorf(e.Pos(), "%s has no value", e)
	}
	return &Prop{at, p.v, p.v.Struct.Key[0]}, nil
}

// property binds a property of v.
func (b *Binder) property(v *Var, name string, at uri.At) (Expr, error) {
	for _, c := range v.computed {
		if c.Name == name {
			return c.X, nil
		}
	}
	if p := v.Property(name); p != nil {
		if v.Values != nil {
			return &Dyn{typed{at, p.Type}, v, nil, []string{name}}, nil
		}
		return &Prop{at, v, p}, nil
	}
	if v.Struct.Nav(name) != nil {
		return nil, b.errorf(int(at), "%s is a collection: use any, all or $count", name)
	}
	if v.Struct.TakesDynamic(name) && !strings.HasPrefix(name, "$") {
		return &Dyn{typed{at, edm.Untyped}, v, v.Struct.Dynamic, []string{name}}, nil
	}
	return nil, b.errorf(int(at), "%s has no property %q", v.Struct.Name, name)
}

// collection binds a member path that ends in a collection to a range variable
// over it.
func (b *Binder) collection(e uri.Expr, use string) (*Var, error) {
	p, err := b.walk(e)
	if err != nil {
		return nil, err
	}
	if p.name != "" && p.v.Struct.Nav(p.name) != nil {
		if err := b.spendStep(); err != nil {
			return nil, err
		}
		return b.over(p.v, p.v.Struct.Nav(p.name))
	}
	x, err := b.value(e)
	if err != nil {
		return nil, err
	}
	d, _ := x.(*Dyn)
	if prop, ok := x.(*Prop); ok {
		d = &Dyn{typed{prop.At, prop.Prop.Type}, prop.Var, prop.Prop, nil}
	}
	c, many := x.Type().(edm.Collection)
	if !many {
		return nil, b.errorf(e.Pos(), "%s needs a collection, and %s is none", use, e)
	}
	v := &Var{Of: d.Var, Values: d}
	v.Struct, _ = c.Of.(*edm.Struct)
	return v, nil
}
