package sqlgen

import (
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

// per writes the dialect's text.
func (g *generator) per(lite, postgres string) {
	if g.dialect == Postgres {
		g.w(postgres)
		return
	}
	g.w(lite)
}

// as names a column of a derived table.
func (g *generator) as(p *edm.Property) { g.w(" AS ", quoteName(p.Column)) }

func (g *generator) rows(r *plan.Rows) {
	g.w("SELECT ", g.name(r.Of.Var), ".*")
	for _, c := range r.Columns {
		g.w(", ")
		g.held(c.Prop, c.X)
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

// held writes x as the column p of a derived table holds it: a dynamic property
// as the JSON it is, and what is held in minor units in those.
func (g *generator) held(p *edm.Property, x plan.Expr) {
	switch x := x.(type) {
	case *plan.Prop:
		if p.Minor {
			g.column(x.Var, x.Prop)
			return
		}
	case *plan.Dyn:
		if x.T != edm.Untyped {
			break
		}
		g.w("nullif(")
		if g.dialect == Postgres {
			g.w("(")
		}
		g.json(x, "->")
		if g.dialect == Postgres {
			g.w(")::text")
		}
		g.w(", 'null')")
		return
	case *plan.Present:
		g.w("CASE WHEN ")
		g.column(x.Var, x.Var.Struct.Key[0])
		g.per(" IS NOT NULL THEN 1 END", " IS NOT NULL THEN true END")
		return
	case *plan.Const:
		if g.dialect == Postgres && x.Null() {
			g.w("NULL::text")
			return
		}
	}
	g.value(x)
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
				g.held(p, x)
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
	case p.Minor:
		g.w("NULL", casts[edm.Int64])
	case primitive:
		g.w("NULL", casts[t])
	case isEnum(p):
		g.w("NULL", casts[p.Type.(*edm.Enum).Storage()])
	default:
		g.w("NULL")
	}
}
