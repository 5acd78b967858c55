package plan

import (
	"slices"
	"time"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// A plan is made for one request. It is that of another request too where all that
// it was made by is the same. Lifts keep account of what that is: of each value
// that is to be bound to the statement, where it comes from, and of each value
// that something was decided by, that it was. A Const is the only way to such a
// value, and only Bound gives it without a note that it was looked at.

// Lifts are the values that a plan was made for, and which of them it depends on.
// A nil *Lifts keeps no account.
type Lifts struct {
	literals []uri.Slot
	sets     []access
	looked   map[Source]any  // values that something depends on
	read     map[Source]bool // texts that could be read as what they were wanted as
	once     bool            // it holds for this one request alone
}

// Conditions are what must hold of a request for the plan of another one of the
// same shape to be its own: it may see the same, what the plan depends on is the
// same, and the texts of its literals can be read as what they are wanted as.
type Conditions struct {
	sets   []access
	looked []looked
	read   []Source
}

type looked struct {
	at    Source
	value any
}

// access is what a caller may see of a set, but for the values of arguments.
type access struct {
	set       *edm.EntitySet
	expr, was string
	hide      []string
	languages []string
	types     map[string]edm.Type
}

// NewLifts returns Lifts for a request of the shape s.
func NewLifts(s *uri.Shape) *Lifts {
	return &Lifts{literals: s.Literals, looked: map[Source]any{}, read: map[Source]bool{}}
}

// Conditions returns what the plan depends on; false where it holds for this one
// request alone. What is bound to the statement has to be read anyway.
func (l *Lifts) Conditions(bound func(Source) bool) (*Conditions, bool) {
	c := &Conditions{sets: slices.Clone(l.sets)}
	for at, value := range l.looked {
		c.looked = append(c.looked, looked{at, value})
	}
	for at := range l.read {
		if !bound(at) {
			c.read = append(c.read, at)
		}
	}
	return c, !l.once
}

// Source is where a value comes from.
type Source struct {
	from sourceKind
	n    int    // of a literal or a term of the order, from 0; of the set whose predicate has the argument
	name string // of the argument
	// as is what the text of a literal or an argument is read as.
	as       edm.Primitive
	reads    bool
	midnight bool // a date that is read as an instant
}

type sourceKind uint8

const (
	fromLiteral sourceKind = iota + 1
	fromArgument
	fromClock
	fromRoot
	fromToken
)

// ServiceRoot is the source of the URL of the service root.
var ServiceRoot = Source{from: fromRoot}

// Values are those of one request.
type Values struct {
	Literals []uri.Slot
	Access   Access
	Now      time.Time
	Root     string
	Token    *SkipToken // nil: there is none

	args []map[string]any // by the places of the sets in Conditions
}

// Fit reports whether the conditions hold for v. If so v can be asked.
func (c *Conditions) Fit(v *Values) bool {
	v.args = v.args[:0]
	for i := range c.sets {
		p, err := v.Access(c.sets[i].set)
		if err != nil || !c.sets[i].same(&p) {
			return false
		}
		v.args = append(v.args, p.Args)
	}
	for _, x := range c.looked {
		if value, _ := v.Of(x.at); value != x.value {
			return false
		}
	}
	for _, at := range c.read {
		if _, ok := v.Of(at); !ok {
			return false
		}
	}
	return true
}

// Size is how many bytes c takes, about.
func (c *Conditions) Size() int {
	n := len(c.read) * 80
	for _, x := range c.looked {
		text, _ := x.value.(string)
		n += len(text) + 96
	}
	for i := range c.sets {
		n += len(c.sets[i].expr) + len(c.sets[i].was) + 256
	}
	return n
}

// same reports whether p is a alike, but for the values of arguments.
func (a *access) same(p *Predicate) bool {
	if p.Expr != a.expr || p.Was != a.was || len(p.Args) != len(a.types) || !slices.Equal(p.Hide, a.hide) || !slices.Equal(p.Languages, a.languages) {
		return false
	}
	for name, value := range p.Args {
		t, known := a.types[name]
		if have, ok := goType(value); !known || !ok || have != t {
			return false
		}
	}
	return true
}

// Of returns the value of the source s; false where a text cannot be read as it
// has to be.
func (v *Values) Of(s Source) (value any, ok bool) {
	switch s.from {
	case fromLiteral:
		value = v.Literals[s.n].Text
	case fromArgument:
		value = v.args[s.n][s.name]
	case fromClock:
		return v.Now, true
	case fromRoot:
		return v.Root, true
	case fromToken:
		if v.Token == nil || s.n >= len(v.Token.after) || v.Token.after[s.n] == nil {
			return nil, false
		}
		value = *v.Token.after[s.n]
	}
	if !s.reads {
		return value, true
	}
	text, ok := value.(string)
	if !ok {
		return nil, false
	}
	if s.midnight {
		text += midnight
	}
	return Parse(s.as, text)
}

// midnight makes the instant of a date that it begins with.
const midnight = "T00:00:00Z"

// reach notes that the caller may see this of a set, and returns its place.
func (l *Lifts) reach(set *edm.EntitySet, p *Predicate) int {
	if l == nil {
		return 0
	}
	for i := range l.sets {
		if l.sets[i].set == set && l.sets[i].same(p) {
			return i
		}
	}
	a := access{set: set, expr: p.Expr, was: p.Was, hide: slices.Clone(p.Hide), languages: slices.Clone(p.Languages), types: make(map[string]edm.Type, len(p.Args))}
	for name, value := range p.Args {
		t, ok := goType(value)
		l.once = l.once || !ok
		a.types[name] = t
	}
	l.sets = append(l.sets, a)
	return len(l.sets) - 1
}

// lifted is what a Const has whose value is that of one request.
type lifted struct {
	Source
	lifts *Lifts
}

// look notes that something depends on the value.
func (f *lifted) look(value any) {
	switch f.from {
	case fromLiteral: // by its text: values of some types do not compare
		f.lifts.looked[Source{from: fromLiteral, n: f.n}] = f.lifts.literals[f.n].Text
	case fromArgument:
		f.lifts.looked[Source{from: fromArgument, n: f.n, name: f.name}] = value
	default:
		f.lifts.once = true
	}
}

// literal is where the literal with that number comes from; nil where it is not
// lifted.
func (l *Lifts) literal(n int32, t edm.Type) *lifted {
	if l == nil || n == 0 || !l.literals[n-1].Lifted {
		return nil
	}
	f := &lifted{Source{from: fromLiteral, n: int(n - 1)}, l}
	return f.reading(t.(edm.Primitive), false)
}

// argument is where an argument of the predicate of a set comes from.
func (l *Lifts) argument(set int, name string, value any) *lifted {
	if l == nil || value == nil { // null is told by its type
		return nil
	}
	return &lifted{Source{from: fromArgument, n: set, name: name}, l}
}

// clock is where the time of the request comes from.
func (l *Lifts) clock() *lifted {
	if l == nil {
		return nil
	}
	return &lifted{Source{from: fromClock}, l}
}

// refuse notes that the plan holds for this one request alone.
func (l *Lifts) refuse() {
	if l != nil {
		l.once = true
	}
}

// reading is f with its text read as a value of type t; date says that it is a
// date, which is read as an instant.
func (f *lifted) reading(t edm.Primitive, date bool) *lifted {
	if f == nil {
		return nil
	}
	to := &lifted{f.Source, f.lifts}
	to.as, to.reads, to.midnight = t, true, date
	f.lifts.read[to.Source] = true
	return to
}
