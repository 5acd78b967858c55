package eval

import (
	"fmt"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// Part is a part of a Boolean expression that decided what came of the whole:
// the smallest, with the values it depends on; or several such, in Parts. Had
// they come out as wanted, so would have the whole.
type Part struct {
	// Text is the part as it prints, and Position where it begins in the
	// expression, in characters from 1.
	Text     string
	Position int
	// Value is what came of the part, true, false or nil for null, and Wanted what
	// would have changed the whole.
	Value  any
	Wanted bool
	// Operands are the properties that the part speaks of.
	Operands []Operand
	// Parts are those that the part comes down to, none where it is the smallest.
	// Either says that one of them, coming out as wanted, would have been enough;
	// else all would have had to.
	Parts  []Part
	Either bool
	// Element is set in Parts of any and all: the index, from 0, of the element of
	// the collection that the part is about. Left is how many elements more
	// there are than Parts shows.
	Element *int
	Left    int
}

// Operand is a property, or $count of a collection, as it is named in the
// expression, and what it holds. Unfit says that this is not what the expression
// can take it for, such as text that is no number, and so counted as null.
type Operand struct {
	Name  string
	Value any
	Unfit bool
}

// maxElements is how many elements of a collection an explanation speaks of.
const maxElements = 5

// Explain says why a program of type Boolean gives what it gives for r: what
// keeps it from being true or, where it is true, from being false. Operands of
// "and" and "or" that made no difference are not in it.
func (p *Program) Explain(r *Record) Part {
	syntax, err := uri.ParseExpr(p.text, "", uri.Limits{})
	if err != nil { // not a text that Compile took
		syntax = &uri.Name{At: 1, Name: p.text}
	}
	x := &explainer{compiler: compiler{elements: map[*plan.Var]int{}}, frame: &frame{record: r}}
	// What is not true is false to Bool, so that is all it takes not to be true.
	return x.keeps(syntax, p.bound, goal{value: true, not: p.value(x.frame) == true})
}

// goal is what is wanted of an expression: that it is value, or that it is not.
// The two differ where it is null.
type goal struct{ value, not bool }

func (g goal) met(v any) bool { return (v == g.value) != g.not }

// up says whether the goal is met by true, and not by false; else it is the other
// way round.
func (g goal) up() bool { return g.value != g.not }

// ofNegated is what is wanted of x for "not x" to meet the goal.
func (g goal) ofNegated() goal { return goal{!g.value, g.not} }

// ofElement is what is wanted of elements for "any" or "all" to meet the goal: to
// them null is false.
func (g goal) ofElement() goal { return goal{value: true, not: !g.up()} }

// explainer is one explanation under way. It walks syntax and bound expression
// side by side: the one has the texts, the other the types.
type explainer struct {
	compiler
	frame *frame
}

func (x *explainer) run(e plan.Expr) any { return x.compile(e)(x.frame) }

// keeps says what keeps e, which does not meet the goal, from doing so.
func (x *explainer) keeps(s uri.Expr, e plan.Expr, g goal) Part {
	switch e := e.(type) {
	case *plan.Logic:
		if b, ok := s.(*uri.Binary); ok && b.Op == e.Op {
			return x.logic(b, e, g)
		}
	case *plan.Not:
		if u, ok := s.(*uri.Unary); ok && u.Op == uri.Not {
			return x.keeps(u.X, e.X, g.ofNegated())
		}
	case *plan.Lambda:
		if l, ok := s.(*uri.Lambda); ok && e.Body != nil {
			return x.overElements(l, e, g)
		}
	}
	p := x.part(s, e, g)
	p.Operands = x.operands(s, e)
	return p
}

func (x *explainer) part(s uri.Expr, e plan.Expr, g goal) Part {
	return Part{Text: s.String(), Position: start(s), Value: x.run(e), Wanted: g.up()}
}

// logic are the operands that do not meet the goal of the whole: an "and" is true
// if all of them are and false if one of them is, an "or" the other way round.
func (x *explainer) logic(s *uri.Binary, e *plan.Logic, g goal) Part {
	p := x.part(s, e, g)
	p.Either = (e.Op == uri.Or) == g.up()
	for _, o := range chain(nil, s, e, e.Op) {
		if g.met(x.run(o.e)) {
			continue
		}
		one := x.keeps(o.s, o.e, g)
		if len(one.Parts) > 0 && one.Either == p.Either && one.Parts[0].Element == nil {
			p.Parts = append(p.Parts, one.Parts...)
		} else {
			p.Parts = append(p.Parts, one)
		}
	}
	if len(p.Parts) == 1 {
		return p.Parts[0]
	}
	return p
}

// start is where the text of s begins: paths have the position of their last
// segment.
func start(s uri.Expr) int {
	switch s := s.(type) {
	case *uri.Binary:
		return start(s.L)
	case *uri.Member:
		return start(s.X)
	case *uri.Lambda:
		return start(s.X)
	case *uri.Count:
		return start(s.X)
	}
	return s.Pos()
}

// twin is one expression as syntax and bound.
type twin struct {
	s uri.Expr
	e plan.Expr
}

// chain adds to list the operands that op joins in e, however deep.
func chain(list []twin, s uri.Expr, e plan.Expr, op uri.Op) []twin {
	b, ok := s.(*uri.Binary)
	l, ok2 := e.(*plan.Logic)
	if !ok || !ok2 || b.Op != op || l.Op != op {
		return append(list, twin{s, e})
	}
	return chain(chain(list, b.L, l.L, op), b.R, l.R, op)
}

// overElements explains any and all, which are "or" and "and" over the elements,
// but take null for false.
func (x *explainer) overElements(s *uri.Lambda, e *plan.Lambda, g goal) Part {
	p := x.part(s, e, g)
	p.Either = e.All != g.up()
	p.Operands = x.operands(s, e)
	g = g.ofElement()
	loop := x.loop(e.Var)
	body := x.compile(e.Body)
	i := 0
	loop(x.frame, func() bool {
		if !g.met(body(x.frame)) {
			if len(p.Parts) < maxElements {
				one, n := x.keeps(s.Body, e.Body, g), i
				one.Element = &n
				p.Parts = append(p.Parts, one)
			} else {
				p.Left++
			}
		}
		i++
		return true
	})
	x.leave(e.Var)
	return p
}

// operands are the properties that e speaks of, each once, in order.
func (x *explainer) operands(s uri.Expr, e plan.Expr) []Operand {
	names := map[int]string{}
	nameOperands(s, names)
	var found []Operand
	add := func(at int, name string, value any, unfit bool) {
		if written := names[at]; written != "" {
			name = written
		}
		for _, o := range found {
			if o.Name == name {
				return
			}
		}
		found = append(found, Operand{name, value, unfit})
	}
	x.visit(e, add)
	return found
}

// visit calls add for each operand in e. What is in the condition of a lambda or
// count is about its elements, not about e.
func (x *explainer) visit(e plan.Expr, add func(at int, name string, value any, unfit bool)) {
	switch e := e.(type) {
	case *plan.Prop:
		add(e.Pos(), e.Prop.Name, x.run(e), false)
	case *plan.Dyn:
		held := x.find(e)(x.frame)
		t, primitive := e.T.(edm.Primitive)
		add(e.Pos(), strings.Join(e.Path, "/"), held, primitive && held != nil && dynamicAs(t)(held) == nil)
	case *plan.Count:
		add(e.Pos(), "$count", x.run(e), false)
	case *plan.Lambda:
		x.visit(e.Var.Values, add)
	case *plan.Compare:
		x.visit(e.L, add)
		x.visit(e.R, add)
	case *plan.Logic:
		x.visit(e.L, add)
		x.visit(e.R, add)
	case *plan.Not:
		x.visit(e.X, add)
	case *plan.In:
		x.visit(e.X, add)
	case *plan.Case:
		for _, arm := range e.Arms {
			x.visit(arm.When, add)
			x.visit(arm.Then, add)
		}
	case *plan.Call:
		if e.Func.ID == "now" {
			add(e.Pos(), "now()", x.run(e), false)
		}
		for _, arg := range e.Args {
			x.visit(arg, add)
		}
	}
}

// nameOperands notes by their position how the operands in s are written.
func nameOperands(s uri.Expr, names map[int]string) {
	switch s := s.(type) {
	case *uri.Name, *uri.Member, *uri.Count:
		names[s.Pos()] = s.String()
	case *uri.Call:
		for _, arg := range s.Args {
			nameOperands(arg, names)
		}
	case *uri.Unary:
		nameOperands(s.X, names)
	case *uri.Binary:
		nameOperands(s.L, names)
		nameOperands(s.R, names)
	case *uri.Lambda:
		nameOperands(s.X, names)
	}
}

// String says the part in words: what came of it, and of what values.
func (p Part) String() string {
	if len(p.Parts) > 0 {
		said := make([]string, len(p.Parts))
		for i, one := range p.Parts {
			said[i] = one.String()
			if one.Element != nil {
				said[i] = fmt.Sprintf("%s of element %d", said[i], *one.Element)
			}
		}
		text := strings.Join(said, " and ")
		if p.Left > 0 {
			text += fmt.Sprintf(" and %d more elements", p.Left)
		}
		return text
	}
	value := "null"
	if p.Value != nil {
		value = Text(p.Value)
	}
	values := make([]string, len(p.Operands))
	for i, o := range p.Operands {
		values[i] = o.Name + " is " + o.text()
	}
	if len(values) == 0 {
		return p.Text + " is " + value
	}
	return p.Text + " is " + value + " (" + strings.Join(values, ", ") + ")"
}

// text is the operand's value as it is written in an expression.
func (o Operand) text() string {
	var text string
	switch v := o.Value.(type) {
	case nil:
		text = "null"
	case string:
		text = uri.Quote(v)
	default:
		text = Text(v)
	}
	if o.Unfit {
		text += ", which does not fit"
	}
	return text
}
