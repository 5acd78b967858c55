package sqlgen

import (
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// table writes what the rows of v are those of.
func (g *generator) table(v *plan.Var) {
	switch r := v.From.(type) {
	case nil:
		g.w(quoteName(v.Struct.Table))
	case *plan.Shared:
		g.w(quoteName(r.Name))
	default:
		g.w("(")
		g.relation(r)
		g.w(")")
	}
}

// relation writes the statement that gives a derived table.
func (g *generator) relation(r plan.Relation) {
	switch r := r.(type) {
	case *plan.Rows:
		g.rows(r)
	case *plan.Group:
		g.with(r.With)
		g.group(r)
	case *plan.Concat:
		g.with(r.With)
		g.concat(r)
	default:
		panic(unsupported(r))
	}
}

// with names a relation that is read several times.
func (g *generator) with(s *plan.Shared) {
	if s == nil {
		return
	}
	g.w("WITH ", quoteName(s.Name), " AS (")
	g.relation(s.Of)
	g.w(") ")
}

// sep returns a function that writes a comma but the first time.
func (g *generator) sep() func() {
	first := true
	return func() {
		if !first {
			g.w(", ")
		}
		first = false
	}
}

func (g *generator) as(p *edm.Property) { g.w(" AS ", quoteName(p.Column)) }

func (g *generator) rows(r *plan.Rows) {
	g.w("SELECT ", g.name(r.Of.Var), ".*")
	for _, c := range r.Columns {
		g.w(", ")
		g.held(c.X)
		g.as(c.Prop)
	}
	if r.Rank != nil {
		g.w(", row_number() OVER (PARTITION BY ")
		comma := g.sep()
		for _, x := range r.By {
			comma()
			g.value(x)
		}
		g.orderBy(r.Of)
		g.w(")")
		g.as(r.Rank)
	}
	g.from(r.Of.Var)
	g.where(r.Of, false)
	if r.Of.Limit >= 0 || r.Of.Offset > 0 {
		g.orderBy(r.Of)
		g.limit(r.Of)
	}
}

// held writes a value as a column of a derived table holds it: a dynamic
// property as the JSON it is.
func (g *generator) held(x plan.Expr) {
	switch x := x.(type) {
	case *plan.Dyn:
		if x.T != edm.Untyped {
			break
		}
		g.w("nullif(")
		if g.dialect == Postgres {
			g.w("(")
		}
		g.dynamicJSON(x.Var, x.Name)
		if g.dialect == Postgres {
			g.w(")::text")
		}
		g.w(", 'null')")
		return
	case *plan.Present:
		g.w("CASE WHEN ")
		g.column(x.Var, x.Var.Struct.Key[0])
		g.either(" IS NOT NULL THEN 1 END", " IS NOT NULL THEN true END", nil)
		return
	case *plan.Const:
		if g.dialect == Postgres && x.Value == nil {
			g.w("NULL::text")
			return
		}
	}
	g.value(x)
}

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
		column(k.Prop)
		g.as(k.Prop)
	}
	for _, o := range r.Objects {
		comma()
		g.gather(o, column)
		g.as(o.Prop)
	}
	for _, x := range r.Aggregates {
		comma()
		g.aggregate(x, func() { column(x.Input) })
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
	for i, k := range r.Keys {
		if i == 0 {
			g.w(" GROUP BY ")
		} else {
			g.w(", ")
		}
		column(k.Prop)
	}
}

// gather writes the JSON object of the dynamic properties grouped by.
func (g *generator) gather(o plan.Object, column func(*edm.Property)) {
	g.either("json_object(", "jsonb_build_object(", nil)
	comma := g.sep()
	for i, k := range o.Keys {
		comma()
		g.w(quoteText(o.Names[i]), ", ")
		g.either("json(", "(", nil)
		column(k)
		g.either(")", ")::jsonb", nil)
	}
	g.w(")")
}

// aggregate writes an aggregate of input. PostgreSQL has neither an order of
// guids by itself nor sums of integers that are integers.
func (g *generator) aggregate(x *plan.Aggregate, input func()) {
	t := x.Prop.Type.(edm.Primitive)
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
		comma()
		g.held(k.X)
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
	switch {
	case x.X == nil:
		g.w("1")
	default:
		g.held(x.X)
	}
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

// concat writes the parts one after the other.
func (g *generator) concat(r *plan.Concat) {
	for i, part := range r.Parts {
		if i > 0 {
			g.w(" UNION ALL ")
		}
		g.w("SELECT ")
		comma := g.sep()
		for k, p := range r.Columns {
			comma()
			if x := r.Sources[i][k]; x != nil {
				g.held(x)
			} else {
				g.absent(r.Struct, p)
			}
			g.as(p)
		}
		g.from(part.Var)
		g.where(part, false)
	}
}

// absent writes the null of a part that has no column p. PostgreSQL wants its
// type: that of a column of the set is looked up in the set.
func (g *generator) absent(s *edm.Struct, p *edm.Property) {
	t, primitive := p.Type.(edm.Primitive)
	switch {
	case g.dialect != Postgres:
		g.w("NULL")
	case !strings.HasPrefix(p.Column, "@"):
		g.w("(SELECT ", quoteName(p.Column), " FROM ", quoteName(s.Table), " LIMIT 0)")
	case p.JSON:
		g.w("NULL::jsonb")
	case primitive:
		g.w("NULL", casts[t])
	default:
		g.w("NULL")
	}
}

// shapes writes the JSON text of a row that has one of several structures.
func (g *generator) shapes(v *plan.Var, shapes []plan.Nested) {
	g.w("CASE ")
	g.column(v, v.Shapes.Prop)
	for _, s := range shapes {
		g.w(" WHEN ", strconv.Itoa(s.Var.Number()), " THEN ")
		g.object(s.Var, &s.Show)
	}
	g.w(" END")
}

// inline writes an entity held in the row: an object, or null where there is
// none.
func (g *generator) inline(n *plan.Nested) {
	if g.dialect == SQLite {
		g.w("json(")
		defer g.w(")")
	}
	g.w("CASE WHEN ")
	g.column(n.Var, n.Var.Struct.Key[0])
	g.w(" IS NOT NULL THEN ")
	g.object(n.Var, &n.Show)
	g.w(" END")
	if g.dialect == Postgres {
		g.w("::json")
	}
}

// typed reports whether the type of p has to be said: it is a computed property
// whose value does not show it (JSON Format 4.01, section 4.6.3).
func typed(show *plan.Projection, p *edm.Property) bool {
	t, ok := p.Type.(edm.Primitive)
	return show.Types && p.Dynamic && ok && !slices.Contains([]edm.Primitive{edm.Untyped, edm.Boolean, edm.String, edm.Double}, t)
}
