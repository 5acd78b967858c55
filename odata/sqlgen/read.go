package sqlgen

import (
	"strconv"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// Select returns the statement that reads the page r asks for.
func Select(d Dialect, r *plan.Read) Statement {
	g := newGenerator(d)
	g.style = r.Style
	g.w("SELECT ")
	g.entity(r)
	if r.Tag {
		g.w(", ")
		g.etag(r.Var)
	}
	if r.Count {
		g.w(", (")
		g.count(r)
		g.w(")")
	}
	if r.More && g.ending == 0 {
		for _, o := range r.Order {
			g.w(", ")
			g.text(o.X)
		}
	}
	g.page(r)
	st := g.statement()
	if st.omits = g.style.OmitNulls; st.omits {
		st.keep = r.Show.Kept()
	}
	return st
}

// Count returns the statement that counts what r reads, whatever its page.
func Count(d Dialect, r *plan.Read) Statement {
	g := newGenerator(d)
	g.count(r)
	return g.statement()
}

// Exists returns the statement that gives a row if r reads any entity.
func Exists(d Dialect, r *plan.Read) Statement {
	g := newGenerator(d)
	g.w("SELECT 1")
	g.from(r.Var)
	g.where(r, false)
	g.w(" LIMIT 1")
	return g.statement()
}

// Tag returns the statement that reads nothing but the ETag of the entity of r,
// null where it has none.
func Tag(d Dialect, r *plan.Read) Statement {
	g := newGenerator(d)
	g.w("SELECT ")
	g.etag(r.Var)
	g.from(r.Var)
	g.where(r, false)
	g.w(" LIMIT 1")
	return g.statement()
}

// count counts the entities of r, as it may stand inside the statement that
// reads them.
func (g *generator) count(r *plan.Read) {
	g.aside(r.Var, func() {
		if f, rest := g.searched(r); f != nil {
			g.foundCount(r, f, rest)
			return
		}
		g.w("SELECT count(*)")
		g.from(r.Var)
		g.where(r, false)
	})
}

// aside writes something with a name of its own for v, which may have one
// outside.
func (g *generator) aside(v *plan.Var, write func()) {
	outer := g.names
	g.names = make(map[*plan.Var]string, len(outer))
	for o, n := range outer {
		if o != v {
			g.names[o] = n
		}
	}
	if _, named := outer[v]; named {
		g.names[v] = "c" + outer[v]
	}
	write()
	for o, n := range g.names {
		if _, named := outer[o]; !named { // it may be joined outside
			outer[o] = n
		}
	}
	g.names = outer
}

// page writes everything after the columns.
func (g *generator) page(r *plan.Read) {
	if g.sortsFirst(r) {
		// SQLite computes the columns of every row before it sorts them. So the
		// page is found first, by its keys, and only its rows become JSON.
		key := r.Var.Struct.Key[0]
		outer := g.name(r.Var)
		g.from(r.Var)
		g.w(" WHERE ")
		g.column(r.Var, key)
		g.w(" IN (SELECT ")
		g.names[r.Var] = outer + "p"
		g.column(r.Var, key)
		g.from(r.Var)
		g.where(r, true)
		g.orderBy(r)
		g.limit(r)
		g.w(")")
		g.names[r.Var] = outer
		g.orderBy(r)
		return
	}
	if f, rest := g.searched(r); f != nil && r.Limit >= 0 && len(r.Order) > 0 {
		g.foundPage(r, f, rest)
		return
	}
	g.from(r.Var)
	g.where(r, true)
	g.orderBy(r)
	g.limit(r)
}

// sortsFirst reports whether the page is better found before its JSON is made.
func (g *generator) sortsFirst(r *plan.Read) bool {
	if g.dialect != SQLite || r.Limit < 0 || r.Var.From != nil || len(r.Var.Struct.Key) != 1 || len(r.Order) == 0 {
		return false
	}
	p, ok := r.Order[0].X.(*plan.Prop)
	return !ok || !p.Prop.Key
}

// from writes the table of v and those joined to it.
func (g *generator) from(v *plan.Var) {
	g.w(" FROM ")
	g.table(v)
	g.w(" ", g.name(v))
	g.joins(v)
}

func (g *generator) joins(v *plan.Var) {
	for _, j := range v.Joins {
		g.w(" LEFT JOIN ", quoteName(j.Struct.Table), " ", g.name(j), " ON ")
		g.column(j, j.Nav.Remote)
		g.w(" = ")
		g.column(v, j.Nav.Local)
		if j.Access != nil {
			g.w(" AND ")
			g.cond(j.Access)
		}
		g.joins(j)
	}
}

// where writes the conditions of r; paged says whether those of its page too.
// It reports whether there are any.
func (g *generator) where(r *plan.Read, paged bool) bool {
	sep := " WHERE "
	and := func() {
		g.w(sep)
		sep = " AND "
	}
	if v := r.Var; v.Nav != nil && v.Of != nil {
		and()
		g.column(v, v.Nav.Remote)
		g.w(" = ")
		g.column(v.Of, v.Nav.Local)
	}
	if r.Link != nil {
		and()
		g.link(r)
	}
	for _, c := range []plan.Expr{r.Var.Access, r.Where} {
		if c != nil {
			and()
			g.cond(c)
		}
	}
	if paged && r.After != nil {
		and()
		g.after(r)
	}
	return sep != " WHERE "
}

// link writes that the entities are those related to r.Link.Parent's.
func (g *generator) link(r *plan.Read) {
	parent := r.Link.Parent
	g.column(r.Var, r.Link.Nav.Remote)
	g.w(" IN (SELECT ")
	g.column(parent.Var, r.Link.Nav.Local)
	g.from(parent.Var)
	g.where(parent, false)
	g.w(")")
}

func (g *generator) orderBy(r *plan.Read) {
	for i, o := range r.Order {
		if i == 0 {
			g.w(" ORDER BY ")
		} else {
			g.w(", ")
		}
		g.ordered(o.X)
		if o.Desc {
			g.w(" DESC")
		}
		// Null is the lowest value (URL Conventions 4.01, section 5.1.4), as on
		// SQLite by itself.
		if g.dialect == Postgres && plan.Nullable(o.X) {
			if o.Desc {
				g.w(" NULLS LAST")
			} else {
				g.w(" NULLS FIRST")
			}
		}
	}
}

// limit writes how many rows the page has. The number stands in the text: SQLite
// compiles a statement anew each time a bound LIMIT is, and PostgreSQL would plan
// it anew, as without the number it expects a tenth of all rows.
func (g *generator) limit(r *plan.Read) {
	n := r.Limit
	if r.More {
		n++
	}
	switch {
	case n >= 0:
		g.w(" LIMIT ", strconv.Itoa(n))
	case r.Offset > 0 && g.dialect == SQLite:
		g.w(" LIMIT -1") // SQLite takes no OFFSET without a LIMIT
	}
	if r.Offset > 0 {
		g.w(" OFFSET ")
		g.bind(edm.Int64, int64(r.Offset))
	}
}

// after writes the condition that a row comes after r.After in r.Order. The
// range of the first term stands by itself, so that an index finds its start.
func (g *generator) after(r *plan.Read) {
	if len(r.Order) == 0 { // there is but one row
		g.w("1 = 0")
		return
	}
	if g.asRow(r) {
		g.afterRow(r)
		return
	}
	first, v := r.Order[0], r.After[0]
	if v.Value != nil && !(first.Desc && plan.Nullable(first.X)) {
		op := uri.Ge
		if first.Desc {
			op = uri.Le
		}
		g.than(first.X, op, v)
		g.w(" AND ")
	}
	g.w("(")
	for i := range r.Order {
		if i > 0 {
			g.w(" OR ")
		}
		g.w("(")
		for k := range i {
			g.than(r.Order[k].X, uri.Eq, r.After[k])
			g.w(" AND ")
		}
		g.beyond(r.Order[i], r.After[i])
		g.w(")")
	}
	g.w(")")
}

// asRow reports whether a row's place in r.Order compares as a row value does: that is
// one range of an index, and to PostgreSQL one of a size that it guesses well.
func (g *generator) asRow(r *plan.Read) bool {
	for i, o := range r.Order {
		t, _ := o.X.Type().(edm.Primitive)
		if r.After[i].Value == nil || t == edm.Decimal || o.Desc != r.Order[0].Desc || o.Desc && plan.Nullable(o.X) {
			return false
		}
	}
	return true
}

// afterRow writes that a row comes after r.After by one comparison.
func (g *generator) afterRow(r *plan.Read) {
	g.w("(")
	comma := g.sep()
	for _, o := range r.Order {
		comma()
		g.ordered(o.X)
	}
	op := uri.Gt
	if r.Order[0].Desc {
		op = uri.Lt
	}
	g.w(") ", operators[op], " (")
	comma = g.sep()
	for i, o := range r.Order {
		comma()
		g.bindFrom(o.X.Type().(edm.Primitive), r.After[i].Value, r.After[i].From)
	}
	g.w(")")
}

// than writes the comparison of an order term with a value of an earlier row.
func (g *generator) than(x plan.Expr, op uri.Op, at plan.Place) {
	v := at.Value
	if p := minor(x); p != nil && v != nil {
		g.minorThan(p, op, v.(edm.DecimalValue))
		return
	}
	g.ordered(x)
	if v == nil {
		g.w(" IS NULL")
		return
	}
	g.w(" ", operators[op], " ")
	if d, ok := v.(edm.DecimalValue); ok && g.calculated(x) {
		g.bind(edm.String, d.String())
		return
	}
	g.bindFrom(x.Type().(edm.Primitive), v, at.From)
}

// beyond writes that an order term lies past v: null lies before all else.
func (g *generator) beyond(o plan.Order, v plan.Place) {
	switch {
	case v.Value == nil && o.Desc:
		g.w("1 = 0")
	case v.Value == nil:
		g.ordered(o.X)
		g.w(" IS NOT NULL")
	case o.Desc && plan.Nullable(o.X):
		g.w("(")
		g.than(o.X, uri.Lt, v)
		g.w(" OR ")
		g.ordered(o.X)
		g.w(" IS NULL)")
	case o.Desc:
		g.than(o.X, uri.Lt, v)
	default:
		g.than(o.X, uri.Gt, v)
	}
}
