package plan

import (
	"strconv"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// applier plans the transformations of one $apply. The state between two of
// them is a Read: transformations that only narrow or sort change it, others
// make a Relation of it and go on with a range variable over that.
type applier struct {
	*Binder
	aliases map[string]string
	input   *edm.Struct // the type of the first input
	base    *Read       // the first input
	columns int
	shapes  int
	where   Expr // inside groupby: the instances left of each group, see grouped
}

// transformed plans what the transformations list make of the entities of input.
// In what it returns only Var and Where matter; first is the read of the set
// itself, or nil where that is what it returns.
func (b *Binder) transformed(input *Read, list []uri.Transformation, aliases map[string]string) (r, first *Read, err error) {
	v := input.Var
	a := &applier{Binder: b, aliases: aliases, input: v.Struct, base: input}
	v.reads = 1
	r, err = a.sequence(a.base, list)
	if err != nil {
		return nil, nil, err
	}
	r = a.open(r)
	r.Var.Order = r.Order
	if r != a.base {
		r.Var.Nav, first = v.Nav, a.base
	}
	return r, first, nil
}

func (a *applier) sequence(r *Read, list []uri.Transformation) (*Read, error) {
	var err error
	for _, t := range list {
		if r, err = a.transform(r, t); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (a *applier) transform(r *Read, t uri.Transformation) (*Read, error) {
	switch t := t.(type) {
	case *uri.ApplyIdentity:
		return r, nil
	case *uri.ApplyFilter:
		r = a.open(r)
		x, err := a.Bind(t.X, r.Var, "$apply", a.aliases, edm.Boolean)
		r.Where = And(r.Where, x)
		return r, err
	case *uri.ApplySearch:
		r = a.open(r)
		x, err := a.searchFor(r.Var, t)
		r.Where = And(r.Where, x)
		return r, err
	case *uri.ApplyCompute:
		return a.compute(r, t.Items)
	case *uri.ApplyOrderBy:
		r = a.open(r)
		terms, err := a.terms(r.Var, t.Items, "$apply", a.aliases)
		r.Order = append(terms, r.Order...)
		return r, err
	case *uri.ApplyTop:
		if t.Skip {
			r.skip(t.N)
		} else if r.Limit < 0 || t.N < r.Limit {
			r.Limit = t.N
		}
		return r, nil
	case *uri.ApplyTopCount:
		r, err := a.topCount(r, t)
		if err == nil {
			r.Limit = t.N
			r = a.derive(r)
			r.Order = nil
		}
		return r, err
	case *uri.ApplyAggregate:
		return a.group(r, t, nil, t.Items)
	case *uri.ApplyGroupBy:
		return a.groupBy(r, t)
	case *uri.ApplyConcat:
		return a.concat(r, t)
	}
	return nil, fault.Newf(fault.NotImplemented, "$apply, position %d: %s is not served", t.Pos(), t).At("$apply")
}

// searchFor binds search(…) to a condition.
func (a *applier) searchFor(v *Var, t *uri.ApplySearch) (Expr, error) {
	s, err := uri.ParseSearch(t.Text, "$apply", a.Limits.Expr)
	if err != nil {
		return nil, err
	}
	return a.Search(v, s, "$apply")
}

// skip leaves out the first n rows of r.
func (r *Read) skip(n int) {
	r.Offset += n
	if r.Limit >= 0 {
		r.Limit = max(0, r.Limit-n)
	}
}

// topCount sorts r for topcount and bottomcount.
func (a *applier) topCount(r *Read, t *uri.ApplyTopCount) (*Read, error) {
	r = a.open(r)
	terms, err := a.terms(r.Var, []uri.OrderItem{{X: t.X, Desc: !t.Bottom}}, "$apply", a.aliases)
	r.Order = terms
	return r, err
}

// open returns r as one that can be narrowed: what is cut to a number of rows
// becomes a relation.
func (a *applier) open(r *Read) *Read {
	if r.Limit < 0 && r.Offset == 0 {
		return r
	}
	return a.derive(r)
}

// property returns a property with a column of its own. Columns of the same
// $apply differ in their names, which no text of the request gets into.
func (a *applier) property(name string, t edm.Type) *edm.Property {
	a.columns++
	return &edm.Property{Name: name, Type: t, Nullable: true, Column: "@" + strconv.Itoa(a.columns)}
}

// hold makes p's column hold x: a property as its own column holds it.
func hold(p *edm.Property, x Expr) *edm.Property {
	p.Type = x.Type()
	if of, ok := x.(*Prop); ok {
		p.Minor, p.Scale = of.Prop.Minor, of.Prop.Scale
	}
	return p
}

// derive returns a read of the relation that r is, with more columns. It keeps
// the type, to which visible columns are to be added, and the order.
func (a *applier) derive(r *Read, columns ...Column) *Read {
	rows := &Rows{Of: r, Columns: columns}
	v := &Var{
		Struct: r.Var.Struct, From: rows, Expand: r.Var.Expand,
		hidden: r.Var.hidden, unguarded: r.Var.unguarded, repeats: r.Var.repeats, reads: r.Var.reads,
	}
	v.Shapes = r.Var.Shapes.over(v, func(s *edm.Struct) *edm.Struct { return s })
	next := &Read{Var: v, Limit: -1}
	for _, o := range r.Order {
		p, ok := o.X.(*Prop)
		if !ok || p.Var.row() != r.Var {
			c := Column{hold(a.property("", nil), o.X), o.X}
			rows.Columns = append(rows.Columns, c)
			p = &Prop{Prop: c.Prop}
		}
		next.Order = append(next.Order, Order{&Prop{Var: v, Prop: p.Prop}, o.Desc})
	}
	r.Order = append(r.Order, r.Var.key()...)
	return next
}

// row is the range variable whose row v's is.
func (v *Var) row() *Var {
	for v.Row != nil {
		v = v.Row
	}
	return v
}

// key is the order by v's key.
func (v *Var) key() []Order {
	terms := make([]Order, len(v.Struct.Key))
	for i, k := range v.Struct.Key {
		terms[i].X = &Prop{Var: v, Prop: k}
	}
	return terms
}

func (a *applier) compute(r *Read, items []uri.Aliased) (*Read, error) {
	r = a.open(r)
	var columns []Column
	var added []*edm.Property
	for _, item := range items {
		p, err := a.alias(r.Var, item, false, added)
		if err != nil {
			return nil, err
		}
		x, err := a.Bind(item.X, r.Var, "$apply", a.aliases, nil)
		if err != nil {
			return nil, err
		}
		if x.Type() == edm.Untyped {
			x = convert(x, edm.String)
		}
		t, ok := x.Type().(edm.Primitive)
		if prop, is := x.(*Prop); !ok || is && prop.Prop.JSON {
			return nil, a.notServed(item, "computing "+x.Type().String())
		}
		hold(p, x)
		if t == edm.Null {
			p.Type = edm.String
		}
		columns, added = append(columns, Column{p, x}), append(added, p)
	}
	r = a.derive(r, columns...)
	add := func(s *edm.Struct) *edm.Struct {
		return s.Derive(s.Key, append(s.Properties[:len(s.Properties):len(s.Properties)], added...), s.Navigation)
	}
	r.Var.Struct = add(r.Var.Struct)
	r.Var.Shapes = r.Var.Shapes.over(r.Var, add)
	return r, nil
}

// alias returns the property that an item adds. Its name must not be taken
// (section 3.1.1), but by the property that is aggregated: SAP's UI5 calls a sum
// as what it adds up.
func (a *applier) alias(v *Var, item uri.Aliased, aggregated bool, added []*edm.Property) (*edm.Property, error) {
	name, _ := item.X.(*uri.Name)
	own := aggregated && name != nil && name.Name == item.Alias
	taken := false
	for _, s := range []*edm.Struct{a.input, v.Struct} {
		taken = taken || s.Property(item.Alias) != nil && !own || s.Nav(item.Alias) != nil
	}
	for _, p := range added {
		taken = taken || p.Name == item.Alias
	}
	if taken {
		return nil, uri.Errorf("$apply", item.At, "the alias %s is already the name of a property", item.Alias)
	}
	p := a.property(item.Alias, nil)
	p.Dynamic = true
	return p, nil
}

// bounded checks how often sets are read to get the rows of v: whoever may read
// its input twice may do that again and again. (SQLite has a limit of its own.)
func (a *applier) bounded(v *Var, at interface{ Pos() int }) error {
	if v.reads > a.Limits.Reads {
		return a.errorf(at, "the transformations up to here read sets more than %d times (limit Reads)", a.Limits.Reads)
	}
	return nil
}

// follow goes from v to the entity that a single-valued navigation property
// leads to.
func (a *applier) follow(v *Var, name *uri.Name) (*Var, error) {
	scope := a.scope(v, "$apply", a.aliases)
	to, err := scope.step(place{v: v}, name.Name, name.At)
	return to.v, err
}

func (a *applier) errorf(at interface{ Pos() int }, format string, args ...any) error {
	return uri.Errorf("$apply", uri.At(at.Pos()), format, args...)
}

func (a *applier) notServed(at interface{ Pos() int }, what string) error {
	return fault.Newf(fault.NotImplemented, "$apply, position %d: %s is not served", at.Pos(), what).At("$apply")
}
