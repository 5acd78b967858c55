package plan

import (
	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// as makes x a value of type want: a dynamic property is taken as one, a
// literal is converted, numbers are promoted. Anything else is a fault.
func (b *Binder) as(x Expr, want edm.Type) (Expr, error) {
	if y := convert(x, want); y != nil {
		return y, nil
	}
	return nil, b.errorf(x.Pos(), "expected %s, found %s", want, x.Type())
}

// convert returns x as a value of type want, or nil.
func convert(x Expr, want edm.Type) Expr {
	have := x.Type()
	if have == want || have == edm.Null {
		return x
	}
	if e, ok := want.(*edm.Enum); ok {
		return member(x, e)
	}
	to, primitive := want.(edm.Primitive)
	if !primitive {
		return nil
	}
	switch x := x.(type) {
	case *Dyn:
		if have == edm.Untyped {
			return &Dyn{typed{x.At, want}, x.Var, x.Column, x.Path}
		}
	case *Const:
		// A string is cast to what the other side needs (Protocol 4.01, section
		// 13.2.1 item 9a), a date to the instant it begins with in UTC.
		if text, ok := x.Value.(string); ok && to != edm.String {
			if have == edm.Date && to == edm.DateTimeOffset {
				text += "T00:00:00Z"
			} else if have != edm.String {
				break
			}
			if v, ok := Parse(to, text); ok {
				return &Const{typed{x.At, to}, v}
			}
			return nil
		}
	}
	// Numbers are promoted: integers to decimals to doubles.
	from, ok := have.(edm.Primitive)
	if ok && from.IsNumeric() && to.IsNumeric() && (from <= to || from.IsInteger() && to.IsInteger()) {
		return x
	}
	return nil
}

// alike returns x as a value that compares with one of type t, or nil. A dynamic
// property that is compared with an integer may hold any number.
func alike(x Expr, t edm.Type) Expr {
	if x.Type() == edm.Untyped && numeric(t) {
		t = edm.Decimal
	}
	return convert(x, t)
}

func numeric(t edm.Type) bool {
	p, ok := t.(edm.Primitive)
	return ok && p.IsNumeric()
}

// member returns the text x as a member of the enumeration type e, or nil.
func member(x Expr, e *edm.Enum) Expr {
	c, ok := x.(*Const)
	if !ok || c.T != edm.String {
		return nil
	}
	v, ok := e.Parse(c.Value.(string))
	if !ok {
		return nil
	}
	return &Const{typed{c.At, e}, v}
}

// comparable converts the sides of a comparison to types that compare.
func (b *Binder) comparable(e *uri.Binary, l, r Expr) (Expr, Expr, error) {
	ordered := e.Op != uri.Eq && e.Op != uri.Ne
	for _, x := range []Expr{l, r} {
		p, primitive := x.Type().(edm.Primitive)
		if _, enum := x.Type().(*edm.Enum); enum && !ordered {
			continue
		}
		if !primitive || ordered && (p == edm.Boolean || p == edm.Binary) {
			return nil, nil, b.errorf(e.Pos(), "%s does not apply to %s", e.Op, x.Type())
		}
	}
	lt, rt := l.Type(), r.Type()
	switch {
	case lt == edm.Untyped && (rt == edm.Untyped || rt == edm.Null):
		// Two dynamic properties compare as text; against null any value will do.
		l = convert(l, edm.String)
		if rt == edm.Untyped {
			r = convert(r, edm.String)
		}
		return l, r, nil
	case lt == edm.Null && rt == edm.Untyped:
		return l, convert(r, edm.String), nil
	}
	if y := alike(l, rt); y != nil && rt != edm.Null {
		return y, r, nil
	}
	if y := alike(r, lt); y != nil {
		return l, y, nil
	}
	if rt == edm.Null {
		return l, r, nil
	}
	return nil, nil, b.errorf(e.Pos(), "%s cannot be compared with %s", lt, rt)
}

// in binds "l in (list)", where the list may be a parameter alias.
func (b *Binder) in(e *uri.Binary, l Expr) (Expr, error) {
	items, scope, err := b.list(e.R)
	if err != nil {
		return nil, err
	}
	in := &In{boolean{e.At}, l, make([]*Const, 0, len(items))}
	for _, item := range items {
		x, err := scope.bind(item)
		if err != nil {
			return nil, err
		}
		// A dynamic property takes the type of the first value of the list.
		if in.X.Type() == edm.Untyped && x.Type() != edm.Null {
			in.X = alike(in.X, x.Type())
		}
		c, ok := x.(*Const)
		if !ok {
			return nil, b.notServed(item.Pos(), "in over anything but constants")
		}
		if t := in.X.Type(); t != edm.Untyped && !(numeric(t) && numeric(c.T)) {
			if x, err = scope.as(c, t); err != nil {
				return nil, err
			}
		}
		in.List = append(in.List, x.(*Const))
	}
	if in.X.Type() == edm.Untyped {
		in.X = convert(in.X, edm.String)
	}
	return in, nil
}

// list gives the items on the right of an "in", and the Binder to bind them by.
func (b *Binder) list(e uri.Expr) ([]uri.Expr, *Binder, error) {
	switch e := e.(type) {
	case *uri.List:
		return e.Items, b, nil
	case *uri.Alias:
		x, scope, err := b.resolveAlias(e)
		if err != nil || x == nil {
			return nil, b, err
		}
		return scope.list(x)
	}
	return nil, nil, b.notServed(e.Pos(), "in over anything but a list of values")
}
