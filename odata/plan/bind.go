package plan

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// memberOf binds a member path as a value of the range variable it leads to.
func (b *Binder) memberOf(e uri.Expr) (Expr, error) {
	at := uri.At(e.Pos())
	p, err := b.walk(e)
	switch {
	case err != nil:
		return nil, err
	case p.v == nil && p.dyn == nil:
		return nil, b.errorf(e.Pos(), "%s has no value", e)
	case p.dyn != nil:
		return p.dyn, nil
	case p.name != "":
		return b.property(p, at)
	case p.v.Values != nil:
		return &Dyn{typed{at, p.v.Values.T.(edm.Collection).Of}, p.v, nil, nil}, nil
	}
	// An entity stands for its key, so that nav eq null asks whether there is one.
	if len(p.v.Struct.Key) == 0 {
		return nil, b.errorf(e.Pos(), "%s has no value", e)
	}
	return b.work.prop(at, p.v, p.v.Struct.Key[0]), nil
}

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
	// there, neither shown nor to be named in an expression. Where one of them makes
	// the ETag, the entities have none for that caller.
	Hide []string
	// Languages are those in which the caller wants texts, best first: tags of
	// letters, digits and hyphens. What has no text in any of them has its own.
	Languages []string
	// ReadOnly says that the caller may change none of the rows. A change of many is
	// then refused before they are looked for, which might take the writer's time.
	ReadOnly bool
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
	Style  Style     // of what is read
	Lifts  *Lifts    // what a plan depends on; nil: no account is kept

	work    *work             // nil before the first Bind
	aliases map[string]string // parameter aliases of the request
	args    map[string]any    // parameters of a Predicate
	argsOf  int               // the place of its set in Lifts
	what    string            // what is bound, for messages
	root    *Var              // what unqualified names belong to
	it      *Var              // what the request is about
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
	scope := b.scope(root, what, aliases)
	b.work.expect(e)
	x, err := scope.bind(e)
	if err != nil {
		return nil, err
	}
	if want == nil {
		return x, nil
	}
	return scope.as(x, want)
}

// scope returns a Binder for a text called what, over root.
func (b *Binder) scope(root *Var, what string, aliases map[string]string) Binder {
	if b.work == nil {
		b.Limits, b.work = b.Limits.OrDefault(), &work{}
	}
	scope := *b
	scope.what, scope.root, scope.aliases = what, root, aliases
	if scope.it == nil {
		scope.it = root
	}
	return scope
}

// predicate binds a row access predicate. Its own navigation is not checked
// for access again.
func (b *Binder) predicate(p Predicate, of int, v *Var) (Expr, error) {
	if p.Expr == "" {
		return nil, nil
	}
	e, err := uri.ParseExpr(p.Expr, "access predicate", uri.Limits{})
	if err != nil {
		return nil, errors.New(err.Error())
	}
	scope := Binder{Model: b.Model, Now: b.Now, Lifts: b.Lifts, work: &work{unlimited: true}, args: p.Args, argsOf: of, what: "access predicate", root: v, it: v}
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
	for _, k := range v.Struct.Key {
		if slices.Contains(p.Hide, k.Name) {
			return fmt.Errorf("access predicate of %s: the key cannot be hidden", set.Name)
		}
	}
	v.Access, err = b.predicate(p, b.Lifts.reach(set, &p), v)
	v.hidden = p.Hide // not from the predicate itself
	v.Languages = p.Languages
	return err
}

func (b *Binder) errorf(at int, format string, args ...any) error {
	return uri.Errorf(b.what, uri.At(at), format, args...)
}

func (b *Binder) notServed(at int, what string) error {
	return fault.Newf(fault.NotImplemented, "%s, position %d: %s is not served", b.what, at, what).At(b.what)
}

func (b *Binder) bind(e uri.Expr) (Expr, error) {
	if err := b.spendNode(); err != nil {
		return nil, err
	}
	switch e := e.(type) {
	case *uri.Literal:
		switch e.Kind {
		case uri.GeoLiteral: // no property has such a type
			return nil, b.notServed(e.Pos(), "geography and geometry")
		case uri.EnumLiteral:
			return b.enumLiteral(e)
		}
		c, ok := b.literal(e)
		if !ok {
			return nil, b.errorf(e.Pos(), "%s is not a value", e)
		}
		return c, nil
	case *uri.Name, *uri.Member, *uri.Entity:
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
	case *uri.List:
		return b.listOf(e)
	case *uri.Object:
		return b.objectOf(e)
	}
	return nil, b.errorf(e.Pos(), "%s has no value", e)
}

func (b *Binder) unary(e *uri.Unary) (Expr, error) {
	x, err := b.bind(e.X)
	if err != nil {
		return nil, err
	}
	if e.Op == uri.Neg {
		return b.apply("-", e.At, x)
	}
	x, err = b.as(x, edm.Boolean)
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
		return b.work.logic(e.At, e.Op, l, r), err
	case uri.Eq, uri.Ne, uri.Gt, uri.Ge, uri.Lt, uri.Le:
		return b.comparison(e, l, r)
	}
	if e.Op == uri.Has {
		return b.has(e, l, r)
	}
	return b.apply(e.Op.String(), e.At, l, r)
}

// comparison binds the comparison e of l with r.
func (b *Binder) comparison(e *uri.Binary, l, r Expr) (Expr, error) {
	if isStructured(l) || isStructured(r) {
		return b.same(e, l, r)
	}
	l, r, err := b.comparable(e, l, r)
	if err != nil {
		return nil, err
	}
	if isNaN(l) || isNaN(r) { // equal to nothing, not even null or itself
		return b.work.constant(e.At, edm.Boolean, e.Op == uri.Ne), nil
	}
	return b.work.compare(e.At, e.Op, l, r), nil
}

func (b *Binder) lambda(e *uri.Lambda) (Expr, error) {
	v, err := b.collection(e.X, "any and all")
	if err != nil {
		return nil, err
	}
	l := &Lambda{boolean{e.At}, v, e.All, nil}
	if e.Body == nil {
		return b.alone(l), nil
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
	return b.alone(l), err
}

func (b *Binder) countOf(e *uri.Count) (Expr, error) {
	v, err := b.collection(e.X, "$count")
	if err != nil {
		return nil, err
	}
	c := &Count{e.At, v, nil}
	if e.Filter != nil {
		scope := *b
		scope.root = v
		x, err := scope.bind(e.Filter)
		if err == nil {
			c.Filter, err = scope.as(x, edm.Boolean)
		}
		if err != nil {
			return nil, err
		}
	}
	if e.Search != nil {
		found, err := b.Search(v, e.Search, b.what)
		if err != nil {
			return nil, err
		}
		c.Filter = And(c.Filter, found)
	}
	return b.alone(c), nil
}
