// Package plan binds syntax to a model: names become properties, types are
// checked, row access predicates are woven in and limits are applied. What it
// gives (typed expressions, and the Read of a collection) is all a back end
// needs; package sqlgen turns it into SQL, package eval into Go closures.
package plan

import (
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// Expr is a typed expression: a sealed set of structs, told apart by type
// switch.
type Expr interface {
	Pos() int
	Type() edm.Type
	expr()
}

// typed is the position and type of a node, embedded in nodes that store both.
type typed struct {
	uri.At
	T edm.Type
}

func (t typed) Type() edm.Type { return t.T }

// boolean is embedded in nodes that give true or false.
type boolean struct{ uri.At }

func (boolean) Type() edm.Type { return edm.Boolean }

// Var is a range variable: the entities an expression speaks of. The root
// stands for the entity at hand, others are reached from it over single-valued
// navigation properties, or run over a collection in a lambda or an expand.
type Var struct {
	Struct *edm.Struct     // nil where Values are primitive
	Of     *Var            // where Nav or Values start; nil for a root
	Nav    *edm.Navigation // nil for a root, and where Values is set
	Values *Dyn            // runs over the elements of this collection of values, in Of
	Access Expr            // rows the caller may see; nil: all
	Joins  []*Var          // reached from here over single-valued navigation properties

	From   Relation         // what the rows are those of; nil: Struct's table
	Row    *Var             // not nil: a part of that one's row
	Order  []Order          // the order of the rows, where there is one
	Shapes *Shapes          // not nil: rows of different structure
	Expand []uri.ExpandItem // what is expanded where nothing is asked for

	// Languages are those in which texts are read; see Predicate.
	Languages []string

	computed  []Computed
	Where     Expr     // by itself, this one entity: see Single
	hidden    []string // properties the caller must not see
	unguarded bool     // reached without access checks, by an access predicate
	shape     int      // which of the shapes of a row; see Shapes
	reads     int      // sets read to get the rows, where From is not nil
	repeats   bool     // an entity may be there more than once
}

// Property returns the declared property of that name that the caller may see,
// or nil.
func (v *Var) Property(name string) *edm.Property {
	p := v.Struct.Property(name)
	if p == nil || p.WriteOnly || slices.Contains(v.hidden, name) {
		return nil
	}
	return p
}

// ETag returns the property that the ETag is made of; nil where there is none, or
// none for the caller, from whom that property is hidden.
func (v *Var) ETag() *edm.Property {
	if s := v.Struct; s.ETag != nil && !slices.Contains(v.hidden, s.ETag.Name) {
		return s.ETag
	}
	return nil
}

type (
	// Prop is a declared property of what Var stands for.
	Prop struct {
		uri.At
		Var  *Var
		Prop *edm.Property
	}

	// Dyn is a value inside JSON, taken as one of type T; what is none is null.
	// It is found by Path in a column of what Var stands for, or, where Column is
	// nil, in the element Var runs over. A dynamic property of an open type is
	// Untyped until its use says what it is taken for: text that reads as a number
	// is one where a number is wanted.
	Dyn struct {
		typed
		Var    *Var
		Column *edm.Property
		Path   []string
	}

	// Compare is L Op R for Eq, Ne, Gt, Ge, Lt, Le. It is never null:
	// null eq null is true, and any other comparison with null but ne is false.
	Compare struct {
		boolean
		Op   uri.Op
		L, R Expr
	}

	// Logic is L and R, L or R.
	Logic struct {
		boolean
		Op   uri.Op
		L, R Expr
	}

	// Not is the negation; of null it is null.
	Not struct {
		boolean
		X Expr
	}

	// In is membership of X in a list of constants.
	In struct {
		boolean
		X    Expr
		List []*Const
	}

	// Case is the value of the first arm whose condition is true, else null.
	Case struct {
		typed
		Arms []Arm
	}

	// Call calls a canonical function or an arithmetic operator. A null argument
	// makes it null.
	Call struct {
		typed
		Func *Function
		Args []Expr
	}

	// Lambda says whether some (or all) of the related entities that the caller
	// may see satisfy Body. A nil Body asks whether there is one.
	Lambda struct {
		boolean
		Var  *Var // its Of and Nav say what is run over
		All  bool
		Body Expr
	}

	// Found says whether the entity that Var stands for matches a search.
	Found struct {
		boolean
		Var   *Var
		Query uri.Search
	}

	// Single is X over the one entity Var, which Var.Where singles out whatever
	// else the expression speaks of: null where there is none that the caller may
	// see.
	Single struct {
		typed
		Var *Var
		X   Expr
	}

	// Count is the number of related entities the caller may see that satisfy
	// Filter.
	Count struct {
		uri.At
		Var    *Var
		Filter Expr
	}
)

// Const is a literal or a parameter's value, or a list of such ([]any): nil, bool,
// int64, float64 (Double), edm.DecimalValue, string, time.Time (DateTimeOffset),
// uuid.UUID, time.Duration, []byte; Date and TimeOfDay hold their text, of fixed
// width.
type Const struct {
	typed
	value any
	from  *lifted // nil: the value is the plan's own
}

// Arm is one condition and value of a Case.
type Arm struct{ When, Then Expr }

// Type is the property's type.
func (p *Prop) Type() edm.Type { return p.Prop.Type }

// Type is Int64.
func (c *Count) Type() edm.Type { return edm.Int64 }

func (*Const) expr()   {}
func (*Prop) expr()    {}
func (*Dyn) expr()     {}
func (*Compare) expr() {}
func (*Logic) expr()   {}
func (*Not) expr()     {}
func (*In) expr()      {}
func (*Case) expr()    {}
func (*Call) expr()    {}
func (*Lambda) expr()  {}
func (*Count) expr()   {}
func (*Found) expr()   {}

func (*Single) expr() {}

// Nullable reports whether e may be null.
func Nullable(e Expr) bool {
	switch e := e.(type) {
	case *Const:
		return e.Null()
	case *Prop:
		for v := e.Var; v.Nav != nil && !v.Nav.Many; v = v.Of {
			if v.Nav.Nullable() || v.Access != nil {
				return true
			}
		}
		return e.Prop.Nullable
	case *Compare, *In, *Lambda, *Count, *Found:
		return false
	case *Logic:
		return Nullable(e.L) || Nullable(e.R)
	case *Not:
		return Nullable(e.X)
	case *Call:
		if len(e.Args) == 0 {
			return false
		}
		for _, arg := range e.Args {
			if Nullable(arg) {
				return true
			}
		}
		return e.Type() != edm.Boolean && e.Type() != edm.String
	}
	return true
}

// Equal is the condition that the property p of v is c.
func Equal(v *Var, p *edm.Property, c *Const) Expr {
	return &Compare{Op: uri.Eq, L: &Prop{Var: v, Prop: p}, R: c}
}

// And joins conditions; nil ones are left out, and no condition gives nil.
func And(conditions ...Expr) Expr {
	var all Expr
	for _, c := range conditions {
		switch {
		case c == nil:
		case all == nil:
			all = c
		default:
			all = &Logic{Op: uri.And, L: all, R: c}
		}
	}
	return all
}

// Walk calls f for e and every expression inside it, access predicates of range
// variables excepted. A nil e has none.
func Walk(e Expr, f func(Expr)) {
	if e == nil {
		return
	}
	f(e)
	switch e := e.(type) {
	case *Compare:
		Walk(e.L, f)
		Walk(e.R, f)
	case *Logic:
		Walk(e.L, f)
		Walk(e.R, f)
	case *Not:
		Walk(e.X, f)
	case *In:
		Walk(e.X, f)
	case *Case:
		for _, arm := range e.Arms {
			Walk(arm.When, f)
			Walk(arm.Then, f)
		}
	case *Call:
		for _, arg := range e.Args {
			Walk(arg, f)
		}
	case *Lambda:
		Walk(e.Body, f)
	case *Count:
		Walk(e.Filter, f)
	case *Single:
		Walk(e.X, f)
	}
}
