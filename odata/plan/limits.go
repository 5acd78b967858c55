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
	d := &DefaultLimits
	return Limits{
		Expr: l.Expr.OrDefault(), PageSize: uri.LimitOr(l.PageSize, d.PageSize), ExpandPageSize: uri.LimitOr(l.ExpandPageSize, d.ExpandPageSize),
		ExpandDepth: uri.LimitOr(l.ExpandDepth, d.ExpandDepth), Expands: uri.LimitOr(l.Expands, d.Expands),
		Steps: uri.LimitOr(l.Steps, d.Steps), OrderBy: uri.LimitOr(l.OrderBy, d.OrderBy), Reads: uri.LimitOr(l.Reads, d.Reads),
	}
}

// spend adds to a count of b.work's, which must not pass most, the limit of that
// name. Access predicates are not limited.
func (b *Binder) spend(count *int, most int, limit, what string) error {
	if *count++; *count <= most || b.work.unlimited {
		return nil
	}
	return fault.Newf(fault.Invalid, "%s: the request has more than %d %s (limit %s)", b.what, most, what, limit).At(b.what)
}

func (b *Binder) spendNode() error {
	return b.spend(&b.work.nodes, b.Limits.Expr.Nodes, "Nodes", "operators and operands")
}

func (b *Binder) spendListed() error {
	return b.spend(&b.work.listed, b.Limits.Expr.List, "List", "elements of lists")
}

func (b *Binder) spendStep() error {
	return b.spend(&b.work.steps, b.Limits.Steps, "Steps", "steps over navigation properties")
}
