package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// Property returns the statement that reads one property of the entity of r:
// path leads to it from the entity, and dynamic, if not "", on to a dynamic one.
// Its columns are the JSON of the answer, null for a complex value that is null;
// the entity's ETag, or null; and the entity's canonical path, if it has one.
func Property(d Dialect, r *plan.Read, path []*edm.Property, dynamic string) Statement {
	g := newGenerator(d)
	g.style = r.Style
	t, value := g.propertyValue(r.Var, path, dynamic)
	_, structured := t.(*edm.Struct)
	g.w("SELECT ")
	switch {
	case structured && d == Postgres:
		g.w("(")
		value()
		g.w(")::text")
	case structured:
		value()
	case d == Postgres:
		g.w(`(SELECT row_to_json(r)::text FROM (SELECT `)
		value()
		g.w(` AS "value") r)`)
	default:
		g.w("json_object('value', ")
		value()
		g.w(")")
	}
	g.w(", ")
	g.etag(r.Var)
	g.w(", ")
	if links := g.style.Of(r.Var.Struct); links.Set != "" {
		g.style.Metadata = plan.Minimal // relative
		g.address(r.Var, links, "")
	} else {
		g.w("NULL")
	}
	g.from(r.Var)
	g.where(r, false)
	g.w(" LIMIT 1")
	return g.statement()
}

// propertyValue is the type of a property of v, and what writes it as JSON shows
// it.
func (g *generator) propertyValue(v *plan.Var, path []*edm.Property, dynamic string) (edm.Type, func()) {
	d := &plan.Dyn{Var: v, Column: v.Struct.Dynamic}
	var t edm.Type = edm.Untyped
	if len(path) > 0 {
		d.Column, t = path[0], path[len(path)-1].Type
		for _, p := range path[1:] {
			d.Path = append(d.Path, p.Name)
		}
	}
	if dynamic != "" {
		d.Path, t = append(d.Path, dynamic), edm.Untyped
	}
	if len(d.Path) == 0 {
		return t, func() { g.shown(v, path[0]) }
	}
	return t, func() { g.rendered(t, plan.MaxNesting, func() { g.json(d, "->") }) }
}

// Value returns the statement that reads the value of x for the entity of r.
func Value(d Dialect, r *plan.Read, x plan.Expr) Statement {
	g := newGenerator(d)
	g.w("SELECT ")
	g.value(x)
	g.from(r.Var)
	g.where(r, false)
	g.w(" LIMIT 1")
	return g.statement()
}
