package plan

import (
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// place is where a member path leads: an entity (or an element of a collection
// of complex values), one of its properties, or a value inside JSON.
type place struct {
	root bool // the service itself
	all  *Var // every entity of a set
	v    *Var
	name string        // what is meant of v; "" for v itself
	prop *edm.Property // the declared property of that name; nil: it is none
	dyn  *Dyn          // a value inside JSON
}

// walk resolves a member path.
func (b *Binder) walk(e uri.Expr) (place, error) {
	switch e := e.(type) {
	case *uri.Name:
		switch e.Name {
		case "$it":
			return place{v: b.it}, nil
		case "$this":
			return place{v: b.root}, nil
		case "$root":
			return place{root: true}, nil
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
	case *uri.Entity:
		return b.entity(e)
	case *uri.Call:
		return place{}, b.notServed(e.Pos(), "a path after "+e.Func+"(…)")
	}
	return place{}, b.errorf(e.Pos(), "%s has no members", e)
}

// step goes from p over name: into the entity a single-valued navigation
// property leads to, onto a property, or further into JSON.
func (b *Binder) step(p place, name string, at uri.At) (place, error) {
	switch {
	case p.root:
		return b.wholeSet(name, at)
	case p.all != nil:
		return place{}, b.errorf(int(at), "%s is a collection: use any, all or $count, or name one by its key", p.all.Struct.Name)
	}
	if same, err := b.casts(p, name, at); same || err != nil {
		return p, err
	}
	if p.name != "" {
		if nav := p.v.Struct.Nav(p.name); nav != nil {
			return place{}, b.errorf(int(at), "%s is a collection: use any, all or $count", p.name)
		}
		x, err := b.property(p, at)
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
	if prop := p.v.Property(name); prop != nil {
		return place{v: p.v, name: name, prop: prop}, nil
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
	if n, ok := e.(*uri.Name); ok && len(b.lambdas) == 0 && b.root.Struct != nil { // the way of most, made short
		if p := b.root.Property(n.Name); p != nil {
			x, err := b.property(place{v: b.root, name: n.Name, prop: p}, n.At)
			return b.alone(x), err
		}
	}
	x, err := b.memberOf(e)
	if err != nil {
		return nil, err
	}
	return b.alone(x), nil
}

// property binds the property p.
func (b *Binder) property(p place, at uri.At) (Expr, error) {
	v, name := p.v, p.name
	switch {
	case p.prop != nil && v.Values != nil:
		return &Dyn{typed{at, p.prop.Type}, v, nil, []string{name}}, nil
	case p.prop != nil && p.prop.JSON && p.prop.Type == edm.Untyped:
		return &Dyn{typed{at, edm.Untyped}, v, p.prop, nil}, nil // as what its use says
	case p.prop != nil:
		return b.work.prop(at, v, p.prop), nil
	}
	for _, c := range v.computed {
		if c.Name == name {
			return c.X, nil
		}
	}
	if v.Struct.Nav(name) != nil {
		return nil, b.errorf(int(at), "%s is a collection: use any, all or $count", name)
	}
	if v.Struct.TakesDynamic(name) && !strings.HasPrefix(name, "$") {
		d := &struct { // made at once
			Dyn
			path [1]string
		}{Dyn{typed{at, edm.Untyped}, v, v.Struct.Dynamic, nil}, [1]string{name}}
		d.Path = d.path[:]
		return &d.Dyn, nil
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
	if p.all != nil {
		return p.all, nil
	}
	if p.name != "" && p.v.Struct.Nav(p.name) != nil {
		if err := b.spendStep(); err != nil {
			return nil, err
		}
		return b.over(p.v, p.v.Struct.Nav(p.name))
	}
	x, err := b.memberOf(e)
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
