package plan

import (
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Limits bound what one request may ask for. A zero field takes the default.
type Limits struct {
	Expr           uri.Limits
	PageSize       int // entities of one answer; further ones are behind a next link
	ExpandPageSize int // entities of one expanded collection, likewise
	ExpandDepth    int // levels of $expand
	Expands        int // expanded navigation properties in all
	Steps          int // over navigation properties in expressions, in all
	OrderBy        int // terms of one $orderby
	Reads          int // times that the transformations of one $apply read a set
}

// DefaultLimits suit a public service.
var DefaultLimits = Limits{
	Expr: uri.DefaultLimits, PageSize: 1000, ExpandPageSize: 100, ExpandDepth: 6, Expands: 30, Steps: 30, OrderBy: 16, Reads: 64,
}

// OrDefault returns l with the defaults in place of zero fields.
func (l Limits) OrDefault() Limits {
	d := DefaultLimits
	for _, f := range []struct{ to, from *int }{
		{&d.PageSize, &l.PageSize},
		{&d.ExpandPageSize, &l.ExpandPageSize},
		{&d.ExpandDepth, &l.ExpandDepth},
		{&d.Expands, &l.Expands},
		{&d.Steps, &l.Steps},
		{&d.OrderBy, &l.OrderBy},
		{&d.Reads, &l.Reads},
	} {
		if *f.from > 0 {
			*f.to = *f.from
		}
	}
	d.Expr = l.Expr.OrDefault()
	return d
}

// spent counts what a Binder's expressions have cost so far. The parser bounds
// each text by itself; parameter aliases and several options add up here.
type spent struct{ nodes, listed, steps int }

// spend adds to one of b.spent's counts, which must not pass most, the limit of
// that name. Access predicates are not limited.
func (b *Binder) spend(count func(*spent) *int, most int, limit, what string) error {
	if b.spent == nil {
		return nil
	}
	n := count(b.spent)
	if *n++; *n > most {
		return fault.Newf(fault.Invalid, "%s: the request has more than %d %s (limit %s)", b.what, most, what, limit).At(b.what)
	}
	return nil
}

func (b *Binder) spendNode() error {
	return b.spend(func(s *spent) *int { return &s.nodes }, b.Limits.Expr.Nodes, "Nodes", "operators and operands")
}

func (b *Binder) spendListed() error {
	return b.spend(func(s *spent) *int { return &s.listed }, b.Limits.Expr.List, "List", "elements of lists")
}

func (b *Binder) spendStep() error {
	return b.spend(func(s *spent) *int { return &s.steps }, b.Limits.Steps, "Steps", "steps over navigation properties")
}
