package plan

import (
	"math"
	"slices"
	"strconv"

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
	case *Single:
		if y := convert(x.X, want); y != nil && have == edm.Untyped {
			return &Single{typed{x.At, want}, x.Var, y}
		}
	case *Dyn:
		if to == edm.Duration || to == edm.TimeOfDay || to == edm.Binary {
			return nil // what JSON holds is taken for none of these
		}
		if have == edm.Untyped {
			return &Dyn{typed{x.At, want}, x.Var, x.Column, x.Path}
		}
	case *Const:
		// A string is cast to what the other side needs (Protocol 4.01, section
		// 13.2.1 item 9a), a date to the instant it begins with in UTC.
		date := have == edm.Date && to == edm.DateTimeOffset
		if x.isText() && to != edm.String && (date || have == edm.String) {
			return x.read(to, date)
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
	switch {
	case t == edm.Untyped:
		return nil
	case x.Type() == edm.Untyped && numeric(t):
		t = edm.Decimal
	}
	return convert(x, t)
}

// promote makes both numbers of a comparison Doubles where one is (URL Conventions
// 4.01, section 5.1.1.16.1).
func promote(l, r Expr) (Expr, Expr) {
	switch {
	case !numeric(l.Type()) || !numeric(r.Type()) || isDouble(l) == isDouble(r):
		return l, r
	case isDouble(l):
		if l = exact(l); isDouble(l) {
			r = double(r)
		}
	default:
		if r = exact(r); isDouble(r) {
			l = double(l)
		}
	}
	return l, r
}

func isDouble(x Expr) bool { return x.Type() == edm.Double || x.Type() == edm.Single }

// exact makes a Decimal of a Double constant so small that comparing with it is
// the same for a whole number and for the Double nearest to that: so that an
// index on whole numbers serves.
func exact(x Expr) Expr {
	c, ok := x.(*Const)
	if !ok {
		return x
	}
	if f, ok := c.float(); ok && math.Abs(f) < 1<<53 {
		if d, ok := edm.ParseDecimal(strconv.FormatFloat(f, 'g', -1, 64)); ok {
			return newConst(c.At, edm.Decimal, d)
		}
	}
	return x
}

// double takes a number as a Double.
func double(x Expr) Expr {
	at := uri.At(x.Pos())
	switch x := x.(type) {
	case *Dyn:
		return &Dyn{typed{at, edm.Double}, x.Var, x.Column, x.Path}
	case *Const:
		switch v := x.Value().(type) {
		case int64:
			return newConst(at, edm.Double, float64(v))
		case edm.DecimalValue:
			return newConst(at, edm.Double, v.Float64())
		}
		return x // null
	}
	return &Call{typed{at, edm.Double}, toDouble, []Expr{x}}
}

// isNaN reports whether x is the literal NaN, which is equal to nothing.
func isNaN(x Expr) bool {
	c, ok := x.(*Const)
	if !ok {
		return false
	}
	f, ok := c.float()
	return ok && math.IsNaN(f)
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
	v, ok := e.Parse(c.Value().(string))
	if !ok {
		return nil
	}
	return newConst(c.At, e, v)
}

// comparable converts the sides of a comparison to types that compare.
func (b *Binder) comparable(e *uri.Binary, l, r Expr) (Expr, Expr, error) {
	ordered := e.Op != uri.Eq && e.Op != uri.Ne
	for _, x := range []Expr{l, r} {
		p, primitive := x.Type().(edm.Primitive)
		if _, enum := x.Type().(*edm.Enum); enum {
			continue
		}
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
	case lt == rt:
		return inOrder(l, r, ordered)
	}
	if y := alike(l, rt); y != nil && rt != edm.Null {
		l, r = promote(y, r)
		return inOrder(l, r, ordered)
	}
	if y := alike(r, lt); y != nil {
		l, r = promote(l, y)
		return inOrder(l, r, ordered)
	}
	if rt == edm.Null {
		return l, r, nil
	}
	return nil, nil, b.errorf(e.Pos(), "%s cannot be compared with %s", lt, rt)
}

// in binds "l in (list)", where the list may be a parameter alias.
func (b *Binder) in(e *uri.Binary, l Expr) (Expr, error) {
	switch e.R.(type) {
	case *uri.Name, *uri.Member:
		return b.inCollection(e, l)
	}
	items, scope, err := b.list(e.R)
	if err != nil {
		return nil, err
	}
	if _, collection := l.Type().(edm.Collection); collection {
		return nil, b.errorf(e.Pos(), "in does not apply to %s", l.Type())
	}
	in := &In{boolean{e.At}, l, make([]*Const, 0, len(items))}
	anyDouble := false
	var others Expr // that l is one of those that are no constants
	for _, item := range items {
		x, err := scope.element(item)
		if err != nil {
			return nil, err
		}
		c, ok := x.(*Const)
		if !ok {
			same, err := b.comparison(&uri.Binary{At: e.At, Op: uri.Eq, L: e.L, R: item}, l, x)
			if err != nil {
				return nil, err
			}
			others = or(others, same)
			continue
		}
		// A dynamic property takes the type of the first value of the list.
		if in.X.Type() == edm.Untyped && x.Type() != edm.Null {
			in.X = alike(in.X, x.Type())
		}
		if isNaN(c) {
			continue
		}
		if t := in.X.Type(); t != edm.Untyped && t != edm.Null && !(numeric(t) && numeric(c.T)) {
			if x, err = scope.as(c, t); err != nil {
				return nil, err
			}
		}
		if numeric(in.X.Type()) && !isDouble(in.X) {
			x = exact(x)
		}
		anyDouble = anyDouble || isDouble(x)
		in.List = append(in.List, x.(*Const))
	}
	if numeric(in.X.Type()) && (anyDouble || isDouble(in.X)) {
		if !isDouble(in.X) {
			in.X = double(in.X)
		}
		for i, c := range in.List {
			in.List[i] = double(c).(*Const)
		}
	}
	if isNaN(l) {
		return b.work.constant(e.At, edm.Boolean, false), nil
	}
	if l.Type() == edm.Null {
		null := slices.ContainsFunc(in.List, func(c *Const) bool { return c.Null() })
		return or(others, b.work.constant(e.At, edm.Boolean, null)), nil
	}
	if others != nil && len(in.List) == 0 {
		return others, nil
	}
	return or(others, in), nil
}

// or joins two conditions, of which l may be nil.
func or(l, r Expr) Expr {
	if l == nil {
		return r
	}
	return &Logic{boolean{uri.At(r.Pos())}, uri.Or, l, r}
}

// inCollection binds "l in path", where the path leads to a collection of values:
// some of them is l.
func (b *Binder) inCollection(e *uri.Binary, l Expr) (Expr, error) {
	v, err := b.collection(e.R, "in")
	if err != nil {
		return nil, err
	}
	if v.Values == nil || v.Struct != nil {
		return nil, b.notServed(e.Pos(), "in over entities or complex values")
	}
	at := uri.At(e.R.Pos())
	item := &Dyn{typed{at, v.Values.T.(edm.Collection).Of}, v, nil, nil}
	r, l, err := b.comparable(&uri.Binary{At: e.At, Op: uri.Eq}, item, l)
	if err != nil {
		return nil, err
	}
	return b.alone(&Lambda{boolean{e.At}, v, false, &Compare{boolean{e.At}, uri.Eq, r, l}}), nil
}

// element binds an element of a list; a constant counts as such and not as a node.
func (b *Binder) element(item uri.Expr) (Expr, error) {
	if err := b.spendListed(); err != nil {
		return nil, err
	}
	nodes := b.work.nodes
	x, err := b.bind(item)
	if _, constant := x.(*Const); constant {
		b.work.nodes = nodes
	}
	return x, err
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
