package plan

import (
	"errors"
	"fmt"
	"slices"
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
	// there, neither shown nor to be named in an expression. With the property that
	// an ETag is made of they do not see the ETag, and no precondition can name it.
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

	expanding bool // the options of an expanded collection
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
			if b.it != b.root && b.expanding {
				return place{}, b.notServed(e.Pos(), "$it inside $expand")
			}
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
	x, err := b.memberOf(e)
	if err != nil {
		return nil, err
	}
	return b.alone(x), nil
}

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

// property binds the property p.
func (b *Binder) property(p place, at uri.At) (Expr, error) {
	v, name := p.v, p.name
	switch {
	case p.prop != nil && v.Values != nil:
		return &Dyn{typed{at, p.prop.Type}, v, nil, []string{name}}, nil
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

func (b *Binder) alias(e *uri.Alias) (Expr, error) {
	if v, ok := b.args[e.Name]; ok {
		t, ok := goType(v)
		if !ok {
			return nil, b.errorf(e.Pos(), "a %T cannot be the argument @%s", v, e.Name)
		}
		c := b.work.constant(e.At, t, v)
		c.from = b.Lifts.argument(b.argsOf, e.Name, v)
		return c, nil
	}
	x, scope, err := b.resolveAlias(e)
	if err != nil {
		return nil, err
	}
	if x == nil {
		// An alias without a value is null (URL Conventions 4.01, section 5.3).
		return b.work.constant(e.At, edm.Null, nil), nil
	}
	return scope.bind(x)
}

// resolveAlias parses the value of a parameter alias and returns it with the
// Binder to bind it by; nil if the alias has no value.
func (b *Binder) resolveAlias(e *uri.Alias) (uri.Expr, *Binder, error) {
	text, ok := b.aliases[e.Name]
	if !ok {
		return nil, b, nil
	}
	if slices.Contains(b.open, e.Name) {
		return nil, nil, b.errorf(e.Pos(), "the parameter alias @%s refers to itself", e.Name)
	}
	if len(b.open) > maxAliasDepth {
		return nil, nil, b.errorf(e.Pos(), "parameter aliases refer to each other more than %d deep", maxAliasDepth)
	}
	x, err := uri.ParseExpr(text, "@"+e.Name, b.Limits.Expr)
	if err != nil {
		return nil, nil, err
	}
	scope := *b
	scope.what, scope.open = "@"+e.Name, append(b.open[:len(b.open):len(b.open)], e.Name)
	return x, &scope, nil
}

// maxAliasDepth is how deep parameter aliases may refer to each other: their
// expressions' depths add up.
const maxAliasDepth = 2

// goType is the type of a predicate's argument.
func goType(v any) (t edm.Type, ok bool) {
	switch v.(type) {
	case nil:
		return edm.Null, true
	case bool:
		return edm.Boolean, true
	case int64:
		return edm.Int64, true
	case string:
		return edm.String, true
	case time.Time:
		return edm.DateTimeOffset, true
	case uuid.UUID:
		return edm.Guid, true
	}
	return nil, false
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
		if isStructured(l) || isStructured(r) {
			return b.same(e, l, r)
		}
		if l, r, err = b.comparable(e, l, r); err != nil {
			return nil, err
		}
		if isNaN(l) || isNaN(r) { // equal to nothing, not even null or itself
			return b.work.constant(e.At, edm.Boolean, e.Op == uri.Ne), nil
		}
		return b.work.compare(e.At, e.Op, l, r), nil
	}
	if e.Op == uri.Has {
		return b.has(e, l, r)
	}
	return b.apply(e.Op.String(), e.At, l, r)
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
