package uri

import (
	"strconv"
	"strings"
)

// Transformation is one step of $apply (OData Extension for Data Aggregation
// 4.0, section 3): a sealed set of structs, told apart by type switch. Each
// knows its position in the option's text, and its String gives text that
// parses to an equal node.
type Transformation interface {
	Pos() int
	String() string
	transformation()
}

type (
	// ApplyFilter keeps the instances for which X is true.
	ApplyFilter struct {
		At
		X Expr
	}

	// ApplySearch keeps the instances that match a search expression, whose
	// text it holds.
	ApplySearch struct {
		At
		Text string
	}

	// ApplyCompute adds a property per item to every instance.
	ApplyCompute struct {
		At
		Items []Aliased
	}

	// ApplyAggregate makes one instance of all.
	ApplyAggregate struct {
		At
		Items []AggregateItem
	}

	// ApplyGroupBy applies Sequence to each set of instances that agree in
	// Paths, which are Names and Members. An empty Sequence gives one instance a
	// set.
	ApplyGroupBy struct {
		At
		Paths    []Expr
		Sequence []Transformation
	}

	// ApplyConcat concatenates what each of the Sequences makes of the input.
	ApplyConcat struct {
		At
		Sequences [][]Transformation
	}

	// ApplyTopCount is topcount, or bottomcount: the N instances with the
	// highest, or lowest, X.
	ApplyTopCount struct {
		At
		Bottom bool
		N      int
		X      Expr
	}

	// ApplyOrderBy sorts, keeping the order of what it does not tell apart.
	ApplyOrderBy struct {
		At
		Items []OrderItem
	}

	// ApplyTop is top, or skip: the first N instances, or those after them.
	ApplyTop struct {
		At
		Skip bool
		N    int
	}

	// ApplyIdentity changes nothing.
	ApplyIdentity struct{ At }
)

// Aliased is "X as Alias".
type Aliased struct {
	At
	X     Expr
	Alias string
}

// AggregateItem is "X with Method as Alias", or "X/$count as Alias": then X is a
// Count, or the Name $count, and Method is "".
type AggregateItem struct {
	Aliased
	Method string
}

func (*ApplyFilter) transformation()    {}
func (*ApplySearch) transformation()    {}
func (*ApplyCompute) transformation()   {}
func (*ApplyAggregate) transformation() {}
func (*ApplyGroupBy) transformation()   {}
func (*ApplyConcat) transformation()    {}
func (*ApplyTopCount) transformation()  {}
func (*ApplyOrderBy) transformation()   {}
func (*ApplyTop) transformation()       {}
func (*ApplyIdentity) transformation()  {}

func (t *ApplyFilter) String() string   { return "filter(" + t.X.String() + ")" }
func (t *ApplySearch) String() string   { return "search(" + t.Text + ")" }
func (t *ApplyIdentity) String() string { return "identity" }
func (t *ApplyCompute) String() string  { return "compute(" + list(t.Items, Aliased.String) + ")" }
func (t *ApplyAggregate) String() string {
	return "aggregate(" + list(t.Items, AggregateItem.String) + ")"
}
func (t *ApplyConcat) String() string  { return "concat(" + list(t.Sequences, sequence) + ")" }
func (t *ApplyOrderBy) String() string { return "orderby(" + list(t.Items, OrderItem.String) + ")" }

func (t *ApplyGroupBy) String() string {
	s := "groupby((" + join(t.Paths) + ")"
	if len(t.Sequence) > 0 {
		s += "," + sequence(t.Sequence)
	}
	return s + ")"
}

func (t *ApplyTopCount) String() string {
	name := "topcount("
	if t.Bottom {
		name = "bottomcount("
	}
	return name + strconv.Itoa(t.N) + "," + t.X.String() + ")"
}

func (t *ApplyTop) String() string {
	if t.Skip {
		return "skip(" + strconv.Itoa(t.N) + ")"
	}
	return "top(" + strconv.Itoa(t.N) + ")"
}

func (a Aliased) String() string { return a.X.String() + " as " + a.Alias }

func (i AggregateItem) String() string {
	if i.Method == "" {
		return i.Aliased.String()
	}
	return i.X.String() + " with " + i.Method + " as " + i.Alias
}

func (o OrderItem) String() string {
	if o.Desc {
		return o.X.String() + " desc"
	}
	return o.X.String()
}

func sequence(s []Transformation) string {
	parts := make([]string, len(s))
	for i, t := range s {
		parts[i] = t.String()
	}
	return strings.Join(parts, "/")
}

func list[T any](items []T, text func(T) string) string {
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = text(item)
	}
	return strings.Join(parts, ",")
}
