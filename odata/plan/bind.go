package plan

import (
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Predicate is a row access predicate: a Boolean expression over the entity
// type it guards, whose parameter aliases take their values from Args. The
// empty Predicate lets every row through.
type Predicate struct {
	Expr string
	Args map[string]any // bool, int64, string, time.Time or uuid.UUID
	// Was tells from what a change log kept of an entity's past whether the
	// caller was allowed to see it then: an expression over the kept properties.
	// It is to be given where Expr follows navigation properties; "" takes Expr.
	Was string
	// Hide names properties that the caller must not see: for them they are not
	// there, neither shown nor to be named in an expression.
	Hide []string
}

// Access says which rows of a set the caller may read. It returns a Forbidden
// fault where the caller may read none by right.
type Access func(set *edm.EntitySet) (Predicate, error)

// Binder binds expressions over one model on behalf of one caller.
type Binder struct {
	Model  *edm.Model // nil: there is nothing to navigate to
	Access Access     // nil: every row is visible
	Limits Limits
	Now    time.Time // what now() gives; zero: the back end's own time

	aliases map[string]string // parameter aliases of the request
	args    map[string]any    // parameters of a Predicate
	what    string            // what is bound, for messages
	root    *Var
	lambdas []lambdaVar
	open    []string // aliases being bound, against cycles
}

type lambdaVar struct {
	name string
	v    *Var
}

// Root returns a range variable for the entities of s, without access checks.
func Root(s *edm.Struct) *Var { return &Var{Struct: s} }

// Bind binds e, an expression over root called what ("$filter") in messages.
// Aliases are the request's parameter aliases. If want is not nil the result
// must be of that type.
func (b *Binder) Bind(e uri.Expr, root *Var, what string, aliases map[string]string, want edm.Type) (Expr, error) {
	scope := *b
	scope.what, scope.root, scope.aliases = what, root, aliases
	x, err := scope.bind(e)
	if err != nil {
		return nil, err
	}
	if want == nil {
		return x, nil
	}
	return scope.as(x, want)
}

// predicate binds a row access predicate. Its own navigation is not checked
// for access again.
func (b *Binder) predicate(p Predicate, v *Var) (Expr, error) {
	if p.Expr == "" {
		return nil, nil
	}
	e, err := uri.ParseExpr(p.Expr, "access predicate", uri.Limits{})
	if err != nil {
		return nil, errors.New(err.Error())
	}
	scope := Binder{Model: b.Model, Now: b.Now, args: p.Args, what: "access predicate", root: v}
	x, err := scope.bind(e)
	if err == nil {
		x, err = scope.as(x, edm.Boolean)
	}
	if err != nil {
		return nil, errors.New(err.Error())
	}
	return x, nil
}

// over returns a range variable over what nav, from of, leads to, with the
// access predicate of the set reached.
func (b *Binder) over(of *Var, nav *edm.Navigation) (*Var, error) {
	v := &Var{Struct: nav.Target, Of: of, Nav: nav, unguarded: b.Access == nil}
	return v, b.guard(v)
}

// guard weaves the access predicate of v's set into v.
func (b *Binder) guard(v *Var) error {
	if b.Access == nil {
		return nil
	}
	set := b.Model.SetOf(v.Struct)
	if set == nil {
		return fault.Newf(fault.Forbidden, "%s cannot be read", v.Struct.Name)
	}
	p, err := b.Access(set)
	if err != nil {
		return err
	}
	v.Access, err = b.predicate(p, v)
	v.hidden = p.Hide // not from the predicate itself
	return err
}

func (b *Binder) errorf(at int, format string, args ...any) error {
	return uri.Errorf(b.what, uri.At(at), format, args...)
}

func (b *Binder) notServed(at int, what string) error {
	return fault.Newf(fault.NotImplemented, "%s, position %d: %s is not served", b.what, at, what).At(b.what)
}

func (b *Binder) bind(e uri.Expr) (Expr, error) {
	switch e := e.(type) {
	case *uri.Literal:
		if e.Kind == uri.GeoLiteral {
			return nil, b.notServed(e.Pos(), "geography and geometry")
		}
		c, ok := constant(e)
		if !ok {
			return nil, b.errorf(e.Pos(), "%s is not a value", e)
		}
		return c, nil
	case *uri.Name, *uri.Member:
		return b.value(e)
	case *uri.Alias:
		return b.alias(e)
	case *uri.Call:
		return b.call(e)
	case *uri.Unary:
		return b.unary(e)
	case *uri.Binary:
		return b.binary(e)
	case *uri.Lambda:
		return b.lambda(e)
	case *uri.Count:
		return b.countOf(e)
	}
	return nil, b.errorf(e.Pos(), "a list can only stand after in")
}

// walk resolves a member path to a range variable and the property it ends in;
// the property is "" where the path ends in an entity.
func (b *Binder) walk(e uri.Expr) (v *Var, property string, err error) {
	switch e := e.(type) {
	case *uri.Name:
		switch e.Name {
		case "$it":
			return b.root, "", nil
		case "$this", "$root":
			return nil, "", b.notServed(e.Pos(), e.Name)
		}
		for _, l := range b.lambdas {
			if l.name == e.Name {
				return l.v, "", nil
			}
		}
		return b.step(b.root, e.Name)
	case *uri.Member:
		v, property, err = b.walk(e.X)
		if err != nil {
			return nil, "", err
		}
		if property != "" {
			nav := v.Struct.Nav(property)
			if nav == nil {
				return nil, "", b.notServed(e.Pos(), "a path into the property "+property)
			}
			if nav.Many {
				return nil, "", b.errorf(e.Pos(), "%s is a collection: use any, all or $count", property)
			}
		}
		return b.step(v, e.Name)
	}
	return nil, "", b.errorf(e.Pos(), "%s has no members", e)
}

// step goes from v over name: into the entity a single-valued navigation
// property leads to, or onto a property, which it leaves to the caller.
func (b *Binder) step(v *Var, name string) (*Var, string, error) {
	nav := v.Struct.Nav(name)
	if nav == nil || nav.Many {
		return v, name, nil
	}
	for _, j := range v.Joins {
		// What an access predicate reached without checks is not for others.
		if j.Nav == nav && j.unguarded == (b.Access == nil) {
			return j, "", nil
		}
	}
	j, err := b.over(v, nav)
	if err == nil {
		v.Joins = append(v.Joins, j)
	}
	return j, "", err
}

// value binds a member path that ends in a property's value.
func (b *Binder) value(e uri.Expr) (Expr, error) {
	at := uri.At(e.Pos())
	v, name, err := b.walk(e)
	if err != nil {
		return nil, err
	}
	if name == "" {
		// An entity stands for its key, so that nav eq null asks whether there is one.
		return &Prop{at, v, v.Struct.Key[0]}, nil
	}
	if p := v.Property(name); p != nil {
		return &Prop{at, v, p}, nil
	}
	if v.Struct.Nav(name) != nil {
		return nil, b.errorf(e.Pos(), "%s is a collection: use any, all or $count", name)
	}
	if v.Struct.Open && !v.Struct.Declares(name) && !strings.HasPrefix(name, "$") {
		return &Dyn{typed{at, edm.Untyped}, v, name}, nil
	}
	return nil, b.errorf(e.Pos(), "%s has no property %q", v.Struct.Name, name)
}

func (b *Binder) alias(e *uri.Alias) (Expr, error) {
	if v, ok := b.args[e.Name]; ok {
		return &Const{typed{e.At, goType(v)}, v}, nil
	}
	text, ok := b.aliases[e.Name]
	if !ok {
		// An alias without a value is null (URL Conventions 4.01, section 5.3).
		return &Const{typed{e.At, edm.Null}, nil}, nil
	}
	for _, name := range b.open {
		if name == e.Name {
			return nil, b.errorf(e.Pos(), "the parameter alias @%s refers to itself", e.Name)
		}
	}
	if len(b.open) > 8 {
		return nil, b.errorf(e.Pos(), "parameter aliases refer to each other more than 8 deep")
	}
	x, err := uri.ParseExpr(text, "@"+e.Name, b.Limits.Expr)
	if err != nil {
		return nil, err
	}
	scope := *b
	scope.what, scope.open = "@"+e.Name, append(b.open[:len(b.open):len(b.open)], e.Name)
	return scope.bind(x)
}

func goType(v any) edm.Type {
	switch v.(type) {
	case bool:
		return edm.Boolean
	case int64:
		return edm.Int64
	case time.Time:
		return edm.DateTimeOffset
	case uuid.UUID:
		return edm.Guid
	}
	return edm.String
}

func (b *Binder) call(e *uri.Call) (Expr, error) {
	name := strings.ToLower(e.Func)
	f := functions[name]
	if f == nil {
		if known[name] {
			return nil, b.notServed(e.Pos(), "the function "+e.Func)
		}
		return nil, b.errorf(e.Pos(), "there is no function %q", e.Func)
	}
	if len(e.Args) != len(f.Params) {
		return nil, b.errorf(e.Pos(), "%s takes %d arguments, not %d", f.Name, len(f.Params), len(e.Args))
	}
	if f.Name == "now" && !b.Now.IsZero() {
		return &Const{typed{e.At, edm.DateTimeOffset}, b.Now}, nil
	}
	c := &Call{typed{e.At, f.Result}, f, make([]Expr, len(e.Args))}
	for i, arg := range e.Args {
		x, err := b.bind(arg)
		if err == nil {
			c.Args[i], err = b.as(x, f.Params[i])
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (b *Binder) unary(e *uri.Unary) (Expr, error) {
	if e.Op == uri.Neg {
		return nil, b.notServed(e.Pos(), "the negation -")
	}
	x, err := b.bind(e.X)
	if err == nil {
		x, err = b.as(x, edm.Boolean)
	}
	return &Not{boolean{e.At}, x}, err
}

func (b *Binder) binary(e *uri.Binary) (Expr, error) {
	l, err := b.bind(e.L)
	if err != nil {
		return nil, err
	}
	if e.Op == uri.In {
		return b.in(e, l)
	}
	r, err := b.bind(e.R)
	if err != nil {
		return nil, err
	}
	switch e.Op {
	case uri.And, uri.Or:
		if l, err = b.as(l, edm.Boolean); err == nil {
			r, err = b.as(r, edm.Boolean)
		}
		return &Logic{boolean{e.At}, e.Op, l, r}, err
	case uri.Eq, uri.Ne, uri.Gt, uri.Ge, uri.Lt, uri.Le:
		l, r, err = b.comparable(e, l, r)
		return &Compare{boolean{e.At}, e.Op, l, r}, err
	}
	return nil, b.notServed(e.Pos(), "the operator "+e.Op.String())
}

// collection binds a member path that ends in a collection-valued navigation
// property to a range variable over it.
func (b *Binder) collection(e uri.Expr, use string) (*Var, error) {
	v, name, err := b.walk(e)
	if err != nil {
		return nil, err
	}
	nav := v.Struct.Nav(name)
	if nav == nil {
		if p := v.Property(name); p != nil {
			if _, many := p.Type.(edm.Collection); many {
				return nil, b.notServed(e.Pos(), use+" over a collection of values")
			}
		}
		return nil, b.errorf(e.Pos(), "%s needs a collection, and %s is none", use, e)
	}
	return b.over(v, nav)
}

func (b *Binder) lambda(e *uri.Lambda) (Expr, error) {
	v, err := b.collection(e.X, "any and all")
	if err != nil {
		return nil, err
	}
	l := &Lambda{boolean{e.At}, v, e.All, nil}
	if e.Body == nil {
		return l, nil
	}
	for _, outer := range b.lambdas {
		if outer.name == e.Var {
			return nil, b.errorf(e.Pos(), "the range variable %s is used twice", e.Var)
		}
	}
	b.lambdas = append(b.lambdas, lambdaVar{e.Var, v})
	body, err := b.bind(e.Body)
	b.lambdas = b.lambdas[:len(b.lambdas)-1]
	if err == nil {
		l.Body, err = b.as(body, edm.Boolean)
	}
	return l, err
}

func (b *Binder) countOf(e *uri.Count) (Expr, error) {
	v, err := b.collection(e.X, "$count")
	if err != nil {
		return nil, err
	}
	c := &Count{e.At, v, nil}
	if e.Filter == nil {
		return c, nil
	}
	scope := *b
	scope.root = v
	x, err := scope.bind(e.Filter)
	if err == nil {
		c.Filter, err = scope.as(x, edm.Boolean)
	}
	return c, err
}
