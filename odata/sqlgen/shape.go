package sqlgen

import (
	"slices"
	"strconv"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

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
