package plan

import (
	"math"
	"slices"

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
	to, primitive := want.(edm.Primitive)
	if !primitive || to == edm.Untyped || to == edm.Null {
		return nil
	}
	switch x := x.(type) {
	case *Dyn:
		if have == edm.Untyped {
			return &Dyn{typed{x.At, want}, x.Var, x.Name}
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
	if isNumeric(have) && to.IsNumeric() {
		return x
	}
	return nil
}

func isNumeric(t edm.Type) bool {
	p, ok := t.(edm.Primitive)
	return ok && p.IsNumeric()
}

// comparable converts the sides of a comparison to types that compare.
func (b *Binder) comparable(e *uri.Binary, l, r Expr) (Expr, Expr, error) {
	ordered := e.Op != uri.Eq && e.Op != uri.Ne
	for _, x := range []Expr{l, r} {
		p, primitive := x.Type().(edm.Primitive)
		if !primitive || ordered && (p == edm.Boolean || p == edm.Binary) {
			return nil, nil, b.errorf(e.Pos(), "%s does not apply to %s", e.Op, x.Type())
		}
	}
	lt, rt := l.Type(), r.Type()
	switch {
	case lt == edm.Null || rt == edm.Null:
		return l, r, nil
	case lt == edm.Untyped && rt == edm.Untyped:
		// Two dynamic properties compare as text.
		return convert(l, edm.String), convert(r, edm.String), nil
	}
	if y := convert(l, rt); y != nil {
		l = y
	} else if y := convert(r, lt); y != nil {
		r = y
	} else {
		return nil, nil, b.errorf(e.Pos(), "%s cannot be compared with %s", lt, rt)
	}
	l, r = numbers(l, r)
	return l, r, nil
}

// numbers promotes the numbers of a comparison: where just one is a Double, the
// other becomes one (URL Conventions 4.01, section 5.1.1.16.1).
func numbers(l, r Expr) (Expr, Expr) {
	switch {
	case !isNumeric(l.Type()) || (l.Type() == edm.Double) == (r.Type() == edm.Double):
		return l, r
	case l.Type() == edm.Double:
		l = exact(l)
		if l.Type() == edm.Double {
			r = double(r)
		}
	default:
		r = exact(r)
		if r.Type() == edm.Double {
			l = double(l)
		}
	}
	return l, r
}

// exact makes a Decimal of a Double constant so small that comparing with it is
// the same for a whole number and for the Double nearest to that: so that an
// index on whole numbers serves.
func exact(x Expr) Expr {
	c, ok := x.(*Const)
	if !ok {
		return x
	}
	if f, ok := c.Value.(float64); ok && math.Abs(f) < 1<<53 {
		return &Const{typed{c.At, edm.Decimal}, f}
	}
	return x
}

// double takes a number as a Double.
func double(x Expr) Expr {
	at := uri.At(x.Pos())
	switch x := x.(type) {
	case *Dyn:
		return &Dyn{typed{at, edm.Double}, x.Var, x.Name}
	case *Const:
		f, ok := x.Value.(float64)
		if n, whole := x.Value.(int64); whole {
			f, ok = float64(n), true
		}
		if !ok {
			return x // null
		}
		return &Const{typed{at, edm.Double}, f}
	}
	if x.Type() == edm.Double {
		return x
	}
	return &Call{typed{at, edm.Double}, toDouble, []Expr{x}}
}

// isNaN reports whether x is the literal NaN.
func isNaN(x Expr) bool {
	c, ok := x.(*Const)
	if !ok {
		return false
	}
	f, ok := c.Value.(float64)
	return ok && math.IsNaN(f)
}

// in binds "l in (list)".
func (b *Binder) in(e *uri.Binary, l Expr) (Expr, error) {
	list, ok := e.R.(*uri.List)
	if !ok {
		return nil, b.notServed(e.R.Pos(), "in over anything but a list of values in parentheses")
	}
	if _, primitive := l.Type().(edm.Primitive); !primitive {
		return nil, b.errorf(e.Pos(), "in does not apply to %s", l.Type())
	}
	in := &In{boolean{e.At}, l, make([]*Const, 0, len(list.Items))}
	anyDouble := false
	for _, item := range list.Items {
		c, err := b.element(item)
		if err != nil {
			return nil, err
		}
		// A dynamic property takes the type of the first value of the list.
		if in.X.Type() == edm.Untyped && c.T != edm.Null {
			in.X = convert(in.X, c.T)
		}
		if t := in.X.Type(); t != edm.Untyped && t != edm.Null {
			x, err := b.as(c, t)
			if err != nil {
				return nil, err
			}
			c = x.(*Const)
		}
		if isNaN(c) {
			continue
		}
		if isNumeric(in.X.Type()) && in.X.Type() != edm.Double {
			c = exact(c).(*Const)
		}
		anyDouble = anyDouble || c.T == edm.Double
		in.List = append(in.List, c)
	}
	if l.Type() == edm.Null {
		null := slices.ContainsFunc(in.List, func(c *Const) bool { return c.Value == nil })
		return &Const{typed{e.At, edm.Boolean}, null}, nil
	}
	if isNumeric(in.X.Type()) && (anyDouble || in.X.Type() == edm.Double) {
		in.X = double(in.X)
		for i, c := range in.List {
			in.List[i] = double(c).(*Const)
		}
	}
	return in, nil
}

// element binds an element of a list, which counts as such and not as a node.
func (b *Binder) element(item uri.Expr) (*Const, error) {
	if err := b.spendListed(); err != nil {
		return nil, err
	}
	if b.spent != nil {
		defer func(nodes int) { b.spent.nodes = nodes }(b.spent.nodes)
	}
	x, err := b.bind(item)
	if err != nil {
		return nil, err
	}
	c, ok := x.(*Const)
	if !ok {
		return nil, b.notServed(item.Pos(), "in over anything but constants")
	}
	return c, nil
}
