package sqlgen

import (
	"strconv"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// group writes a grouped select over the feeds, one after the other: a feed
// gives the keys, the inputs of the aggregates over it, and null for those of
// others, which no aggregate counts.
func (g *generator) group(r *plan.Group) {
	feed := g.name(r.Of.Var) + "f"
	column := func(p *edm.Property) { g.w(feed, ".", quoteName(p.Column)) }
	comma := g.sep()
	g.w("SELECT ")
	for _, k := range r.Keys {
		comma()
		if always(k) {
			g.per("1", "true")
		} else {
			column(k.Prop)
		}
		g.as(k.Prop)
	}
	for _, o := range r.Objects {
		comma()
		g.gather(o, column)
		g.as(o.Prop)
	}
	for _, x := range r.Aggregates {
		comma()
		if x.Method == plan.CountAll && x.X == nil && x.If == nil && len(r.Feeds) == 1 {
			g.w("count(*)") // each row looked at for null costs a little
		} else {
			g.aggregate(x, func() { column(x.Input) })
		}
		g.as(x.Prop)
	}
	g.w(" FROM (")
	for i, f := range r.Feeds {
		if i > 0 {
			g.w(" UNION ALL ")
		}
		g.feed(r, f)
	}
	g.w(") ", feed)
	g.groupBy(r, column)
}

// groupBy writes what r groups by. Whether an entity is there comes last, as it
// is rarely what two rows differ in: SQLite sorts by these, one after the other.
func (g *generator) groupBy(r *plan.Group, column func(*edm.Property)) {
	if len(r.Keys) == 0 {
		return
	}
	g.w(" GROUP BY ")
	comma := g.sep()
	for _, last := range []bool{false, true} {
		for _, k := range r.Keys {
			if _, present := k.X.(*plan.Present); present == last && !always(k) {
				comma()
				column(k.Prop)
			}
		}
	}
}

// always reports whether k says that there is an entity where there always is one.
// To group by it would cost, as every row is compared with others in all it is grouped
// by.
func always(k plan.Column) bool {
	p, ok := k.X.(*plan.Present)
	return ok && !plan.Nullable(&plan.Prop{Var: p.Var, Prop: p.Var.Struct.Key[0]})
}

// gather writes the JSON object of the dynamic properties grouped by.
func (g *generator) gather(o plan.Object, column func(*edm.Property)) {
	g.per("json_object(", "jsonb_build_object(")
	comma := g.sep()
	for i, k := range o.Keys {
		comma()
		g.w(quoteText(o.Names[i]), ", ")
		g.per("json(", "(")
		column(k)
		g.per(")", ")::jsonb")
	}
	g.w(")")
}

// aggregate writes an aggregate of input. PostgreSQL has neither an order of
// guids by itself nor sums of integers that are integers.
func (g *generator) aggregate(x *plan.Aggregate, input func()) {
	t := x.Prop.Type.(edm.Primitive)
	if x.Method != plan.CountAll && x.Method != plan.CountDistinct {
		if p := minor(x.X); p != nil {
			g.aggregateMinor(x.Method, p.Prop, input)
			return
		}
		if x.X.Type() == edm.Decimal && (g.dialect == Postgres && x.Method == plan.Average || g.calculated(x.X)) {
			g.aggregateExactly(x.Method, input)
			return
		}
	}
	cast := ""
	if g.dialect == Postgres && t != edm.Decimal {
		cast = casts[t]
	}
	switch x.Method {
	case plan.CountAll:
		g.w("count(")
		input()
		g.w(")")
		return
	case plan.CountDistinct:
		g.w("count(DISTINCT ")
		input()
		g.w(")")
		return
	case plan.Average:
		g.w("avg(")
	default:
		g.w(string(x.Method), "(")
	}
	input()
	if g.dialect == Postgres {
		switch {
		case x.Method == plan.Average:
			g.w("::float8")
		case t == edm.Guid:
			g.w("::text")
		case t == edm.String:
			g.w(` COLLATE "C"`)
		}
	}
	g.w(")", cast)
}

// feed writes the rows of a feed. Where its way may lead to an entity more than
// once, entities are told apart by their key.
func (g *generator) feed(r *plan.Group, f *plan.Feed) {
	distinct := f.Repeats && f.Target != nil
	comma := g.sep()
	if distinct {
		g.w("SELECT ")
		for _, k := range r.Keys {
			if always(k) {
				continue
			}
			comma()
			g.w(quoteName(k.Prop.Column))
		}
		for _, x := range r.Aggregates {
			comma()
			g.w(quoteName(x.Input.Column))
		}
		g.w(" FROM (SELECT DISTINCT ")
		comma = g.sep()
		for i, k := range f.Target.Struct.Key {
			comma()
			g.column(f.Target, k)
			g.w(" AS ", quoteName("@key"+strconv.Itoa(i)))
		}
	} else {
		g.w("SELECT ")
	}
	for _, k := range r.Keys {
		if always(k) {
			continue
		}
		comma()
		g.held(k.Prop, k.X)
		g.as(k.Prop)
	}
	for _, x := range r.Aggregates {
		comma()
		g.input(x, f)
		g.as(x.Input)
	}
	if len(r.Keys)+len(r.Aggregates) == 0 {
		comma()
		g.w("1")
	}
	g.reached(r, f)
	if distinct {
		g.w(") d")
	}
}

// reached writes where the entities of a feed come from.
func (g *generator) reached(r *plan.Group, f *plan.Feed) {
	g.from(r.Of.Var)
	for _, v := range f.Path {
		g.w(" JOIN ")
		g.table(v)
		g.w(" ", g.name(v), " ON ")
		g.column(v, v.Nav.Remote)
		g.w(" = ")
		g.column(v.Of, v.Nav.Local)
		g.joins(v)
	}
	sep := " WHERE "
	if g.where(r.Of, false) {
		sep = " AND "
	}
	for _, v := range f.Path {
		if v.Access != nil {
			g.w(sep)
			g.cond(v.Access)
			sep = " AND "
		}
	}
	if f.Target != nil {
		g.w(sep)
		g.column(f.Target, f.Target.Struct.Key[0])
		g.w(" IS NOT NULL")
	}
}

// input writes what x aggregates, in the feed f.
func (g *generator) input(x *plan.Aggregate, f *plan.Feed) {
	if x.Over != f {
		g.null(x)
		return
	}
	if x.If != nil {
		g.w("CASE WHEN ")
		g.cond(x.If)
		g.w(" THEN ")
		defer g.w(" END")
	}
	if x.X == nil {
		g.w("1")
		return
	}
	if p := minor(x.X); p != nil {
		g.column(p.Var, p.Prop)
		return
	}
	g.held(x.Input, x.X)
}

// null writes null in the place of what x aggregates.
func (g *generator) null(x *plan.Aggregate) {
	g.w("NULL")
	if g.dialect != Postgres {
		return
	}
	switch {
	case x.X == nil:
		g.w("::int")
	case x.X.Type() == edm.Untyped:
		g.w("::text")
	default:
		g.w(casts[x.X.Type().(edm.Primitive)])
	}
}
