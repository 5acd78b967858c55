package uri

// Limits bound what a text may hold; what exceeds them is refused while it is
// read, before it costs memory or depth. A zero field takes the default.
type Limits struct {
	Length int // bytes of one expression
	Depth  int // nesting of parentheses, calls, lambdas and right operands
	Nodes  int // operators, names, calls and literals outside lists
	List   int // elements of the lists of "in", together
	Items  int // of $select, $expand or $orderby; segments of a path
}

// DefaultLimits suit a public service: a thousand values fit in an "in" list,
// and no expression nests deeper than the databases' own limits.
var DefaultLimits = Limits{Length: 128 << 10, Depth: 100, Nodes: 2000, List: 5000, Items: 200}

// OrDefault returns l with the defaults in place of zero fields.
func (l Limits) OrDefault() Limits {
	d := DefaultLimits
	for _, f := range []struct{ to, from *int }{
		{&d.Length, &l.Length}, {&d.Depth, &l.Depth}, {&d.Nodes, &l.Nodes}, {&d.List, &l.List},
		{&d.Items, &l.Items},
	} {
		if *f.from > 0 {
			*f.to = *f.from
		}
	}
	return d
}
