package plan

import (
	"fmt"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// Values of enumeration types are what their columns hold: a member's name or a
// number. Where an expression needs what the column has not, their order or
// their names, it is written out, member by member, as a Case.

// hasFlags says whether all bits of the second number are set in the first;
// underlying takes a value held as a number for that number, or the other way.
// Expressions cannot name them.
var (
	hasFlags   = &Function{"has flags", "has", []edm.Type{edm.Int64, edm.Int64}, edm.Boolean}
	underlying = &Function{"underlying value", "underlying", []edm.Type{edm.Int64}, edm.Int64}
)

// enumLiteral binds Namespace.Type'member'.
func (b *Binder) enumLiteral(l *uri.Literal) (Expr, error) {
	name, value := l.Enum()
	e := b.enumNamed(name)
	if e == nil {
		return nil, b.errorf(l.Pos(), "there is no enumeration type %q", name)
	}
	v, ok := e.Parse(value)
	if !ok {
		return nil, b.errorf(l.Pos(), "%s has no member %q", e, value)
	}
	return newConst(l.At, e, v), nil
}

func (b *Binder) enumNamed(name string) *edm.Enum {
	if b.Model == nil {
		return nil
	}
	return b.Model.Enum(name)
}

// number takes a value of an enumeration type as its underlying value, and
// anything else as it is.
func number(x Expr) Expr {
	e, ok := x.Type().(*edm.Enum)
	if !ok {
		return x
	}
	at := uri.At(x.Pos())
	if c, ok := x.(*Const); ok {
		n, _ := e.Number(c.Value()) // a constant is one of the members, or a number
		return newConst(at, edm.Int64, n)
	}
	if !e.Text {
		return &Call{typed{at, edm.Int64}, underlying, []Expr{x}}
	}
	return byMember(x, e, edm.Int64, func(m edm.Member) any { return m.Value })
}

// byMember gives a value of type t for each member that x, of the type e, may be;
// it is null for what is none.
func byMember(x Expr, e *edm.Enum, t edm.Type, value func(edm.Member) any) Expr {
	at := uri.At(x.Pos())
	c := &Case{typed{at, t}, make([]Arm, len(e.Members))}
	for i, m := range e.Members {
		is := &Compare{boolean{at}, uri.Eq, x, newConst(at, e, e.Value(m))}
		c.Arms[i] = Arm{is, newConst(at, t, value(m))}
	}
	return c
}

// inOrder takes the sides of a comparison for what has an order, if they are to be
// ordered.
func inOrder(l, r Expr, ordered bool) (Expr, Expr, error) {
	if ordered {
		l, r = number(l), number(r)
	}
	return l, r, nil
}

// has binds "l has r" (URL Conventions 4.01, section 5.1.1.1.9). A value of a
// type without flags has one member, which it is.
func (b *Binder) has(e *uri.Binary, l, r Expr) (Expr, error) {
	t, ok := l.Type().(*edm.Enum)
	if !ok {
		return nil, b.errorf(e.Pos(), "has does not apply to %s", l.Type())
	}
	r, err := b.as(r, t)
	switch {
	case err != nil:
		return nil, err
	case r.Type() == edm.Null:
		return newConst(e.At, edm.Boolean, nil), nil
	case t.Flags:
		return &Call{typed{e.At, edm.Boolean}, hasFlags, []Expr{l, r}}, nil
	}
	same := &Compare{boolean{e.At}, uri.Eq, l, r}
	known := &Compare{boolean{e.At}, uri.Ne, l, newConst(e.At, edm.Null, nil)}
	return &Case{typed{e.At, edm.Boolean}, []Arm{{known, same}}}, nil
}

// castToEnum binds cast(x,e): of a value of e, of a member's name, or of the
// underlying value. What is none of these is null.
func (b *Binder) castToEnum(x Expr, e *edm.Enum, at uri.At) (Expr, error) {
	null := newConst(at, e, nil)
	if c, ok := x.(*Const); ok {
		if c.Null() || c.T == e {
			return newConst(at, e, c.Value()), nil
		}
		if v, ok := e.Parse(fmt.Sprint(c.Value())); ok {
			return newConst(at, e, v), nil
		}
		return null, nil
	}
	have := x.Type()
	if have == edm.Untyped {
		x = convert(x, edm.String)
		have = edm.String
	}
	p, primitive := have.(edm.Primitive)
	var is func(edm.Member) any
	switch {
	case have == e:
		return x, nil
	case primitive && p.IsInteger() && !e.Text:
		return &Call{typed{at, e}, underlying, []Expr{x}}, nil
	case primitive && p.IsInteger():
		is = func(m edm.Member) any { return m.Value }
	case p == edm.String && e.Flags:
		return nil, b.notServed(int(at), "cast of text that is not a constant to flags")
	case p == edm.String:
		is = func(m edm.Member) any { return m.Name }
	default:
		return null, nil
	}
	c := &Case{typed{at, e}, make([]Arm, len(e.Members))}
	for i, m := range e.Members {
		when := &Compare{boolean{at}, uri.Eq, x, newConst(at, have, is(m))}
		c.Arms[i] = Arm{when, newConst(at, e, e.Value(m))}
	}
	return c, nil
}

// castFromEnum takes a value of an enumeration type as one of type to: its
// members' names, or its underlying value.
func (b *Binder) castFromEnum(x Expr, e *edm.Enum, to edm.Primitive, at uri.At) (Expr, error) {
	c, constant := x.(*Const)
	switch {
	case constant && to == edm.String && !c.Null():
		return newConst(at, to, e.Format(c.Value())), nil
	case to == edm.String && !e.Flags:
		return byMember(x, e, edm.String, func(m edm.Member) any { return m.Name }), nil
	case to == edm.String:
		return nil, b.notServed(int(at), "cast of flags to Edm.String")
	case to.IsNumeric():
		return number(x), nil
	}
	return newConst(at, to, nil), nil
}
