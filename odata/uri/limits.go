package uri

// Limits bound what a text may hold; what exceeds them is refused while it is
// read, before it costs memory or depth. A zero field takes the default.
type Limits struct {
	Length int // bytes of one expression
	Depth  int // nesting of parentheses, calls, lambdas and right operands
	Nodes  int // operators, names, calls and literals outside lists
	List   int // elements of the lists of "in", together
	Items  int // of $select, $expand or $orderby; segments of a path
	// Transformations bounds those of one $apply, at every depth.
	Transformations int
}

// DefaultLimits suit a public service: a thousand values fit in an "in" list,
// and no expression nests deeper than the databases' own limits.
var DefaultLimits = Limits{Length: 128 << 10, Depth: 100, Nodes: 2000, List: 5000, Items: 200, Transformations: 25}

// OrDefault returns l with the defaults in place of zero fields.
func (l Limits) OrDefault() Limits {
	d := &DefaultLimits
	return Limits{
		Length: LimitOr(l.Length, d.Length), Depth: LimitOr(l.Depth, d.Depth), Nodes: LimitOr(l.Nodes, d.Nodes),
		List: LimitOr(l.List, d.List), Items: LimitOr(l.Items, d.Items), Transformations: LimitOr(l.Transformations, d.Transformations),
	}
}

// LimitOr returns the limit if there is one, else what it is by default.
func LimitOr(limit, byDefault int) int {
	if limit > 0 {
		return limit
	}
	return byDefault
}
