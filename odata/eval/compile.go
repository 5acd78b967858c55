package eval

import (
	"fmt"
	"reflect"

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

// loop runs body for each element of the collection that v runs over, until it
// returns false. The element's place in the frame is free for others after
// leave.
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

// leave ends the scope of v.
func (c *compiler) leave(v *plan.Var) { delete(c.elements, v) }

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
	c.leave(e.Var)
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
	c.leave(e.Var)
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
	run := functionOf(e.Func.ID)
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
