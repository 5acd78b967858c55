package eval

import (
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// Term is a comparison with literals that a program of type Boolean cannot be
// true without: one of those that its outermost "and" joins. Many programs can
// be told apart by their terms without running them.
type Term struct {
	// Name is that of the left side. Terms of one Name have the same left side in
	// all programs of one Env.
	Name string
	// Operand computes the left side.
	Operand *Program
	// Keys are the Key of each literal, of "eq" and "in": the operand's Key is one
	// of them where the term holds. nil for a range.
	Keys []any
	// Low and High bound the operand where there are no Keys: the term holds for
	// none but numbers from Low to High.
	Low, High float64
}

// Key gives a value that serves as the key of a map: equal values have the same
// one. Different values seldom do; numbers that differ by less than a float64
// shows may.
func Key(v any) any {
	switch v := v.(type) {
	case nil, bool, string, float64, uuid.UUID, time.Duration:
		return v
	case int64:
		return float64(v)
	case edm.DecimalValue:
		return v.Float64()
	case time.Time:
		return atMicro(v.UnixMicro())
	}
	return other{}
}

type (
	atMicro int64    // sets instants apart from numbers
	other   struct{} // the Key of all values that have none of their own
)

// Terms are those of p, in the order they are written in.
func (p *Program) Terms() []Term {
	var terms []Term
	var collect func(e plan.Expr)
	collect = func(e plan.Expr) {
		switch e := e.(type) {
		case *plan.Logic:
			if e.Op == uri.And {
				collect(e.L)
				collect(e.R)
			}
		case *plan.Compare:
			if t, ok := comparisonTerm(e); ok {
				terms = append(terms, t)
			}
		case *plan.In:
			if t, ok := operandTerm(e.X); ok {
				for _, c := range e.List {
					t.Keys = append(t.Keys, Key(c.Value()))
				}
				terms = append(terms, t)
			}
		}
	}
	collect(p.bound)
	return terms
}

// comparisonTerm makes a term of a comparison with a literal on either side.
func comparisonTerm(e *plan.Compare) (Term, bool) {
	left, op := e.L, e.Op
	c, ok := e.R.(*plan.Const)
	if !ok {
		if c, ok = e.L.(*plan.Const); !ok {
			return Term{}, false
		}
		left, op = e.R, mirrored[op]
	}
	t, ok := operandTerm(left)
	if !ok {
		return Term{}, false
	}
	if op == uri.Eq {
		t.Keys = []any{Key(c.Value())}
		return t, true
	}
	bound, ok := Key(c.Value()).(float64)
	if !ok || math.IsNaN(bound) {
		return Term{}, false
	}
	t.Low, t.High = math.Inf(-1), math.Inf(1)
	switch op {
	case uri.Gt, uri.Ge:
		t.Low = bound
	case uri.Lt, uri.Le:
		t.High = bound
	default:
		return Term{}, false
	}
	return t, true
}

// mirrored are the operators of a comparison whose sides change places.
var mirrored = map[uri.Op]uri.Op{uri.Eq: uri.Eq, uri.Gt: uri.Lt, uri.Ge: uri.Le, uri.Lt: uri.Gt, uri.Le: uri.Ge}

// operandTerm is a term without literals, of a left side that can be named.
func operandTerm(e plan.Expr) (Term, bool) {
	name, ok := operandName(e)
	if !ok {
		return Term{}, false
	}
	return Term{Name: name, Operand: &Program{text: name, bound: e, value: (&compiler{elements: map[*plan.Var]int{}}).compile(e)}}, true
}

// operandName names properties and functions of them.
func operandName(e plan.Expr) (string, bool) {
	switch e := e.(type) {
	case *plan.Prop:
		return e.Prop.Name, e.Var.Nav == nil
	case *plan.Dyn:
		if e.Column == nil || e.Var.Nav != nil {
			return "", false
		}
		return e.Column.Name + "/" + strings.Join(e.Path, "/") + " as " + e.T.String(), true
	case *plan.Call:
		if len(e.Args) != 1 {
			return "", false
		}
		arg, ok := operandName(e.Args[0])
		return e.Func.ID + "(" + arg + ")", ok
	}
	return "", false
}
