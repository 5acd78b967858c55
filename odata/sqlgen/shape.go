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

// typed reports whether the type t of a computed property has to be said, as its
// value does not show it (JSON Format 4.01, section 4.6.3).
func typed(show *plan.Projection, t edm.Type) bool {
	p, ok := t.(edm.Primitive)
	return show.Types && ok && !slices.Contains([]edm.Primitive{edm.Untyped, edm.Null, edm.Boolean, edm.String, edm.Double}, p)
}

// typeOf is the member that says the type of the property called name.
func (g *generator) typeOf(show *plan.Projection, name string, t edm.Type, value func()) []member {
	if !typed(show, t) {
		return nil
	}
	return []member{g.tagOf(name, t, value)}
}
