package plan

import (
	"regexp/syntax"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// call binds a call of a canonical function.
func (b *Binder) call(e *uri.Call) (Expr, error) {
	name := strings.ToLower(e.Func)
	switch name {
	case "case":
		return b.caseOf(e)
	case "cast", "isof":
		return b.cast(e, name)
	case "now":
		if len(e.Args) == 0 && !b.Now.IsZero() {
			return &Const{typed{e.At, edm.DateTimeOffset}, b.Now, b.Lifts.clock()}, nil
		}
	}
	if len(overloads[name]) == 0 && collectionFunctions[name] == nil {
		if unserved[name] {
			return nil, b.notServed(e.Pos(), "the function "+e.Func)
		}
		return nil, b.errorf(e.Pos(), "there is no function %q", e.Func)
	}
	c := &struct { // with room for the arguments of most functions
		Call
		two [2]Expr
	}{Call: Call{typed: typed{At: e.At}}}
	args := c.two[:0]
	for _, arg := range e.Args {
		x, err := b.bind(arg)
		if err != nil {
			return nil, err
		}
		args = append(args, x)
	}
	if name == "matchespattern" && len(args) == 2 {
		if err := b.pattern(args[1]); err != nil {
			return nil, err
		}
	}
	c.Args = args
	if f, err := b.takesCollections(name, e.At, args); f != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return b.overCollections(e, &c.Call, f)
	}
	return b.resolved(name, &c.Call)
}

// pattern checks the pattern of matchesPattern. The engine matches in time linear
// in the text, so there are no back references.
func (b *Binder) pattern(x Expr) error {
	c, ok := x.(*Const)
	if !ok {
		return b.notServed(x.Pos(), "matchesPattern with a pattern that is not a constant")
	}
	if text, ok := c.Value().(string); ok {
		if _, err := syntax.Parse(text, syntax.Perl); err != nil {
			return b.errorf(x.Pos(), "the pattern cannot be read: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		}
	}
	return nil
}

// apply calls the overload of name, a function's or an operator's, that fits args.
func (b *Binder) apply(name string, at uri.At, args ...Expr) (Expr, error) {
	return b.resolved(name, &Call{typed{At: at}, nil, args})
}

// resolved gives c the overload of name that fits its arguments.
func (b *Binder) resolved(name string, c *Call) (Expr, error) {
	if f := resolve(name, c.Args); f != nil {
		c.Func, c.T = f, f.Result
		return c, nil
	}
	types := make([]string, len(c.Args))
	for i, arg := range c.Args {
		types[i] = arg.Type().String()
	}
	given := strings.Join(types, ", ")
	if given == "" {
		given = "nothing"
	}
	what := name
	switch {
	case name == "-":
		what = "the negation -"
	case !operatorNames[name]:
		what = "the function " + name
	}
	return nil, b.errorf(c.Pos(), "%s does not apply to %s", what, given)
}

// caseOf binds case(condition:value,…). Its type is that of the first value that
// is not null, which the others must convert to.
func (b *Binder) caseOf(e *uri.Call) (Expr, error) {
	if len(e.Args) == 0 || len(e.Args)%2 != 0 {
		return nil, b.errorf(e.Pos(), "case needs pairs of a condition and a value: case(condition:value,…)")
	}
	c := &Case{typed{e.At, edm.Null}, make([]Arm, 0, len(e.Args)/2)}
	for i := 0; i < len(e.Args); i += 2 {
		when, err := b.bind(e.Args[i])
		if err == nil {
			when, err = b.as(when, edm.Boolean)
		}
		if err != nil {
			return nil, err
		}
		then, err := b.bind(e.Args[i+1])
		if err != nil {
			return nil, err
		}
		if then.Type() == edm.Untyped {
			then = convert(then, edm.String)
		}
		c.Arms = append(c.Arms, Arm{when, then})
		switch t := then.Type(); {
		case c.T == edm.Null, numeric(c.T) && numeric(t) && t.(edm.Primitive) > c.T.(edm.Primitive):
			c.T = t
		}
	}
	for i := range c.Arms {
		then, err := b.as(c.Arms[i].Then, c.T)
		if err != nil {
			return nil, err
		}
		c.Arms[i].Then = then
	}
	return c, nil
}

// cast binds cast(x,T) and isof(x,T) to primitive and enumeration types. What cannot be cast is
// null (URL Conventions 4.01, section 5.1.1.10).
func (b *Binder) cast(e *uri.Call, name string) (Expr, error) {
	if len(e.Args) == 1 {
		return nil, b.notServed(e.Pos(), name+" of the entity itself")
	}
	if len(e.Args) != 2 {
		return nil, b.errorf(e.Pos(), "%s takes a value and a type", name)
	}
	typeName, ok := e.Args[1].(*uri.Name)
	if !ok {
		return nil, b.errorf(e.Args[1].Pos(), "expected the name of a type")
	}
	to, ok := edm.PrimitiveNamed(typeName.Name)
	enum := b.enumNamed(typeName.Name)
	if !ok && enum == nil {
		return nil, b.notServed(typeName.Pos(), name+" to "+typeName.Name)
	}
	x, err := b.bind(e.Args[0])
	if err != nil {
		return nil, err
	}
	switch {
	case name == "isof" && enum != nil:
		return b.isof(x, enum, e.At)
	case name == "isof":
		return b.isof(x, to, e.At)
	case enum != nil:
		return b.castToEnum(x, enum, e.At)
	}
	if from, ok := x.Type().(*edm.Enum); ok {
		return b.castFromEnum(x, from, to, e.At)
	}
	switch {
	case x.Type() == edm.Untyped:
		if y := convert(x, to); y != nil {
			return y, nil
		}
		return nil, b.notServed(e.Pos(), "cast of a dynamic property to "+to.String())
	case x.Type() == edm.Null:
		return newConst(e.At, to, nil), nil
	case x.Type() == to:
		return x, nil
	}
	if to.IsInteger() {
		to = edm.Int64
	}
	args := []Expr{x}
	if f := resolve("cast to "+to.String(), args); f != nil {
		return &Call{typed{e.At, to}, f, args}, nil
	}
	if y := convert(x, to); y != nil {
		if to == edm.Double || to == edm.Single {
			return double(y), nil
		}
		return y, nil
	}
	return newConst(e.At, to, nil), nil
}

// isof says whether x is a value of the type, which null is not.
func (b *Binder) isof(x Expr, t edm.Type, at uri.At) (Expr, error) {
	if y := convert(x, t); x.Type() == edm.Untyped && y != nil {
		x = y
	}
	if x.Type() != t {
		return newConst(at, edm.Boolean, false), nil
	}
	return &Compare{boolean{at}, uri.Ne, x, newConst(at, edm.Null, nil)}, nil
}
