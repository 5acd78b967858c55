package eval

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// frame is one run of a Program: the Record, and the elements that range
// variables of lambdas stand for at the moment.
type frame struct {
	record   *Record
	elements [maxLambdas]any
}

type closure = func(*frame) any

// maxLambdas is how deep lambdas nest: far above what the parser's depth allows.
const maxLambdas = 64

// compiler turns a bound expression into a closure.
type compiler struct {
	elements map[*plan.Var]int // where a range variable's element is in the frame
}

func (c *compiler) compile(e plan.Expr) closure {
	switch e := e.(type) {
	case *plan.Const:
		v := e.Value()
		return func(*frame) any { return v }
	case *plan.Prop:
		i := e.Prop.Index
		return func(f *frame) any { return f.record.values[i] }
	case *plan.Dyn:
		return c.dynamic(e)
	case *plan.Compare:
		return c.comparison(e)
	case *plan.Logic:
		return c.logic(e)
	case *plan.Not:
		x := c.compile(e.X)
		return func(f *frame) any {
			if v, ok := x(f).(bool); ok {
				return !v
			}
			return nil
		}
	case *plan.In:
		return c.membership(e)
	case *plan.Case:
		return c.caseOf(e)
	case *plan.Call:
		return c.call(e)
	case *plan.Lambda:
		return c.lambda(e)
	case *plan.Count:
		return c.count(e)
	}
	panic(fmt.Sprintf("eval: unexpected %T", e))
}

// dynamic finds a value inside JSON and takes it as the type wanted.
func (c *compiler) dynamic(e *plan.Dyn) closure {
	find := c.find(e)
	p, primitive := e.T.(edm.Primitive)
	if !primitive {
		return find
	}
	as := dynamicAs(p)
	return func(f *frame) any {
		if v := find(f); v != nil {
			return as(v)
		}
		return nil
	}
}

func (c *compiler) find(e *plan.Dyn) closure {
	path := e.Path
	switch {
	case e.Column == nil:
		i := c.elements[e.Var]
		return func(f *frame) any { return walk(f.elements[i], path) }
	case e.Column == e.Var.Struct.Dynamic:
		return func(f *frame) any { return walk(f.record.dynamic[path[0]], path[1:]) }
	}
	i := e.Column.Index
	return func(f *frame) any { return walk(f.record.values[i], path) }
}

// walk follows a path into maps and structs; nil where it leads nowhere.
func walk(v any, path []string) any {
	for _, name := range path {
		x := reflect.ValueOf(v)
		for x.Kind() == reflect.Pointer {
			x = x.Elem()
		}
		switch x.Kind() {
		case reflect.Map:
			x = x.MapIndex(reflect.ValueOf(name))
		case reflect.Struct:
			x = x.FieldByName(name)
		default:
			return nil
		}
		if !x.IsValid() {
			return nil
		}
		v = x.Interface()
	}
	if v == nil {
		return nil
	}
	if x := reflect.ValueOf(v); x.Kind() == reflect.Pointer {
		if x.IsNil() {
			return nil
		}
		v = x.Elem().Interface()
	}
	return plain(v)
}

// loop runs body for each element of the collection that v runs over, until it
// returns false.
func (c *compiler) loop(v *plan.Var) func(f *frame, body func() bool) {
	list := c.find(v.Values)
	i := len(c.elements)
	c.elements[v] = i
	return func(f *frame, body func() bool) {
		x := reflect.ValueOf(list(f))
		if x.Kind() != reflect.Slice {
			return
		}
		for n := range x.Len() {
			f.elements[i] = x.Index(n).Interface()
			if !body() {
				return
			}
		}
	}
}

// condition compiles the condition of a lambda or count; nil is true.
func (c *compiler) condition(e plan.Expr) closure {
	if e == nil {
		return func(*frame) any { return true }
	}
	return c.compile(e)
}

func (c *compiler) lambda(e *plan.Lambda) closure {
	loop, all := c.loop(e.Var), e.All
	body := c.condition(e.Body)
	// any ends at the first that satisfies, all at the first that does not.
	return func(f *frame) any {
		result := all
		loop(f, func() bool {
			result = body(f) == true
			return result == all
		})
		return result
	}
}

func (c *compiler) count(e *plan.Count) closure {
	loop := c.loop(e.Var)
	filter := c.condition(e.Filter)
	return func(f *frame) any {
		n := int64(0)
		loop(f, func() bool {
			if filter(f) == true {
				n++
			}
			return true
		})
		return n
	}
}

// dynamicAs returns how a value inside JSON is taken as one of type t.
func dynamicAs(t edm.Primitive) func(any) any {
	switch {
	case t == edm.Untyped:
		return func(v any) any { return v }
	case t.IsInteger():
		return func(v any) any {
			n, _ := Number(v).(int64)
			if n == 0 && Number(v) != int64(0) {
				return nil
			}
			return n
		}
	case t == edm.Double || t == edm.Single:
		return func(v any) any {
			if n := Number(v); n != nil {
				return double(n)
			}
			return nil
		}
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
	case t == edm.Date:
		return func(v any) any {
			if s, ok := v.(string); ok && dateShape.MatchString(s) {
				return s
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
	}
	return func(v any) any {
		switch v := v.(type) {
		case string:
			if x, ok := plan.Parse(t, v); ok {
				return x
			}
		case time.Time, uuid.UUID:
			return v
		}
		return nil
	}
}

// dateShape is the form of dates, which compare as the text they are.
var dateShape = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

// logic is three-valued: null where neither side decides.
func (c *compiler) logic(e *plan.Logic) closure {
	l, r := c.compile(e.L), c.compile(e.R)
	decides := e.Op == uri.Or
	return func(f *frame) any {
		a := l(f)
		if a == decides {
			return decides
		}
		b := r(f)
		switch {
		case b == decides:
			return decides
		case a == nil || b == nil:
			return nil
		}
		return !decides
	}
}

func (c *compiler) comparison(e *plan.Compare) closure {
	l, r, op := c.compile(e.L), c.compile(e.R), e.Op
	return func(f *frame) any {
		a, b := l(f), r(f)
		if a == nil || b == nil {
			return op == uri.Eq && a == nil && b == nil || op == uri.Ne && (a != nil || b != nil)
		}
		order, ok := compare(a, b)
		switch op {
		case uri.Eq:
			return ok && order == 0
		case uri.Ne:
			return !ok || order != 0
		case uri.Gt:
			return ok && order > 0
		case uri.Ge:
			return ok && order >= 0
		case uri.Lt:
			return ok && order < 0
		default:
			return ok && order <= 0
		}
	}
}

// compare orders two values of one type; ok is false where they have no order,
// as with NaN.
func compare(a, b any) (order int, ok bool) {
	if _, ok := b.(edm.DecimalValue); ok {
		a = exact(a)
	}
	switch x := a.(type) {
	case edm.DecimalValue:
		y, ok := exact(b).(edm.DecimalValue)
		if !ok {
			return 0, false
		}
		return x.Cmp(y), true
	case time.Duration:
		y, ok := b.(time.Duration)
		return cmp.Compare(x, y), ok
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
	case []byte:
		y, ok := b.([]byte)
		return bytes.Compare(x, y), ok
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

// exact gives a number that is compared with a decimal as a decimal; infinities
// and NaN, which are none, stay.
func exact(v any) any {
	switch v := v.(type) {
	case int64:
		return edm.DecimalOf(v)
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return Decimal(v)
		}
	}
	return v
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

func (c *compiler) membership(e *plan.In) closure {
	x := c.compile(e.X)
	null := false
	var list []any
	for _, item := range e.List {
		if item.Null() {
			null = true
		} else {
			list = append(list, item.Value())
		}
	}
	return func(f *frame) any {
		v := x(f)
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

func (c *compiler) caseOf(e *plan.Case) closure {
	type arm struct{ when, then closure }
	arms := make([]arm, len(e.Arms))
	for i, a := range e.Arms {
		arms[i] = arm{c.compile(a.When), c.compile(a.Then)}
	}
	return func(f *frame) any {
		for _, a := range arms {
			if a.when(f) == true {
				return a.then(f)
			}
		}
		return nil
	}
}

// call calls a canonical function; a null argument makes it null.
func (c *compiler) call(e *plan.Call) closure {
	if e.Func.ID == "now" {
		return func(f *frame) any { return f.record.now }
	}
	if e.Func.ID == "same" {
		l, r := c.compile(e.Args[0]), c.compile(e.Args[1])
		return func(f *frame) any { return same(l(f), r(f)) }
	}
	run := functions[e.Func.ID]
	args := make([]closure, len(e.Args))
	for i, arg := range e.Args {
		args[i] = c.compile(arg)
	}
	return func(f *frame) any {
		values := make([]any, len(args))
		for i, arg := range args {
			if values[i] = arg(f); values[i] == nil {
				return nil
			}
		}
		return run(values)
	}
}
