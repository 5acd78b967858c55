package eval

import (
	"bytes"
	"cmp"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

type closure = func(*Record) any

// compile turns a bound expression into a closure.
func compile(e plan.Expr) closure {
	switch e := e.(type) {
	case *plan.Const:
		v := e.Value
		return func(*Record) any { return v }
	case *plan.Prop:
		i := e.Prop.Index
		return func(r *Record) any { return r.values[i] }
	case *plan.Dyn:
		return dynamic(e)
	case *plan.Compare:
		return comparison(e)
	case *plan.Logic:
		return logic(e)
	case *plan.Not:
		x := compile(e.X)
		return func(r *Record) any {
			if v, ok := x(r).(bool); ok {
				return !v
			}
			return nil
		}
	case *plan.In:
		return membership(e)
	case *plan.Call:
		return call(e)
	}
	// An Env has no navigation properties, so the binder lets nothing else through.
	panic("eval: unexpected expression")
}

func dynamic(e *plan.Dyn) closure {
	name := e.Name
	as := dynamicAs(e.T.(edm.Primitive))
	return func(r *Record) any {
		if v := r.dynamic[name]; v != nil {
			return as(v)
		}
		return nil
	}
}

// dynamicAs returns how a dynamic value is taken as one of type t.
func dynamicAs(t edm.Primitive) func(any) any {
	switch {
	case t == edm.Untyped:
		return func(v any) any { return v }
	case t == edm.Double:
		return func(v any) any { return toDouble(Number(v), nil) }
	case t.IsNumeric():
		return Number
	case t == edm.Boolean:
		return func(v any) any {
			switch v {
			case true, "true":
				return true
			case false, "false":
				return false
			}
			return nil
		}
	case t == edm.String:
		return func(v any) any {
			switch v.(type) {
			case map[string]any, []any:
				return nil
			}
			return Text(v)
		}
	case t == edm.Date:
		return func(v any) any {
			if s, ok := v.(string); ok && dateShape.MatchString(s) {
				return s
			}
			return nil
		}
	}
	return func(v any) any {
		if s, ok := v.(string); ok {
			if x, ok := plan.Parse(t, s); ok {
				return x
			}
		}
		return nil
	}
}

// dateShape is the form of dates, which compare as the text they are.
var dateShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

func toDouble(a, _ any) any {
	if n, ok := a.(int64); ok {
		return float64(n)
	}
	return a
}

// logic is three-valued: null where neither side decides.
func logic(e *plan.Logic) closure {
	l, r := compile(e.L), compile(e.R)
	decides := e.Op == uri.Or
	return func(rec *Record) any {
		a := l(rec)
		if a == decides {
			return decides
		}
		b := r(rec)
		switch {
		case b == decides:
			return decides
		case a == nil || b == nil:
			return nil
		}
		return !decides
	}
}

func comparison(e *plan.Compare) closure {
	l, r, op := compile(e.L), compile(e.R), e.Op
	return func(rec *Record) any {
		a, b := l(rec), r(rec)
		if a == nil || b == nil {
			return op == uri.Eq && a == nil && b == nil || op == uri.Ne && (a != nil || b != nil)
		}
		c, ok := compare(a, b)
		switch op {
		case uri.Eq:
			return ok && c == 0
		case uri.Ne:
			return !ok || c != 0
		case uri.Gt:
			return ok && c > 0
		case uri.Ge:
			return ok && c >= 0
		case uri.Lt:
			return ok && c < 0
		default:
			return ok && c <= 0
		}
	}
}

// compare orders two values of one type; ok is false where they have no order,
// as with NaN.
func compare(a, b any) (order int, ok bool) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	case int64:
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), true
		}
		y, ok := b.(float64)
		order, ok2 := compareIntFloat(x, y)
		return order, ok && ok2
	case float64:
		if y, ok := b.(int64); ok {
			order, ok := compareIntFloat(y, x)
			return -order, ok
		}
		y, ok := b.(float64)
		return cmp.Compare(x, y), ok && !math.IsNaN(x) && !math.IsNaN(y)
	case bool:
		y, ok := b.(bool)
		if x == y {
			return 0, ok
		}
		return 1, ok
	case time.Time:
		y, ok := b.(time.Time)
		return x.Compare(y), ok
	case uuid.UUID:
		y, ok := b.(uuid.UUID)
		return bytes.Compare(x[:], y[:]), ok
	}
	return 0, false
}

// compareIntFloat compares without rounding the integer to a float.
func compareIntFloat(i int64, f float64) (order int, ok bool) {
	switch {
	case math.IsNaN(f):
		return 0, false
	case f >= math.MaxInt64:
		return -1, true
	case f < math.MinInt64:
		return 1, true
	}
	whole := math.Trunc(f)
	if order = cmp.Compare(i, int64(whole)); order != 0 {
		return order, true
	}
	return cmp.Compare(whole, f), true
}

func membership(e *plan.In) closure {
	x := compile(e.X)
	null := false
	var list []any
	for _, c := range e.List {
		if c.Value == nil {
			null = true
		} else {
			list = append(list, c.Value)
		}
	}
	return func(r *Record) any {
		v := x(r)
		if v == nil {
			return null
		}
		for _, item := range list {
			if order, ok := compare(v, item); ok && order == 0 {
				return true
			}
		}
		return false
	}
}

// call calls a canonical function; a null argument makes it null.
func call(e *plan.Call) closure {
	f := functions[e.Func.Name]
	args := make([]closure, len(e.Args))
	for i, arg := range e.Args {
		args[i] = compile(arg)
	}
	switch len(args) {
	case 0:
		return func(r *Record) any { return r.now }
	case 1:
		x := args[0]
		return func(r *Record) any {
			if v := x(r); v != nil {
				return f(v, nil)
			}
			return nil
		}
	case 2:
		x, y := args[0], args[1]
		return func(r *Record) any {
			a, b := x(r), y(r)
			if a == nil || b == nil {
				return nil
			}
			return f(a, b)
		}
	}
	panic("eval: unexpected number of arguments")
}

// functions are the canonical functions of package plan over values that are
// not null; of one argument, the second is nil.
var functions = map[string]func(a, b any) any{
	"contains":   func(a, b any) any { return strings.Contains(a.(string), b.(string)) },
	"startswith": func(a, b any) any { return strings.HasPrefix(a.(string), b.(string)) },
	"endswith":   func(a, b any) any { return strings.HasSuffix(a.(string), b.(string)) },
	"concat":     func(a, b any) any { return a.(string) + b.(string) },
	"length":     func(a, _ any) any { return int64(len([]rune(a.(string)))) },
	"tolower":    func(a, _ any) any { return Lower(a.(string)) },
	"toupper":    func(a, _ any) any { return Upper(a.(string)) },
	"trim":       func(a, _ any) any { return strings.Trim(a.(string), "\t\n\v\f\r ") },
	"year":       func(a, _ any) any { return int64(a.(time.Time).Year()) },
	"month":      func(a, _ any) any { return int64(a.(time.Time).Month()) },
	"day":        func(a, _ any) any { return int64(a.(time.Time).Day()) },
	"hour":       func(a, _ any) any { return int64(a.(time.Time).Hour()) },
	"minute":     func(a, _ any) any { return int64(a.(time.Time).Minute()) },
	"$double":    toDouble,
	"date":       func(a, _ any) any { return a.(time.Time).Format(time.DateOnly) },
}
