package sqlgen

import (
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// computed writes what an expression gives as JSON shows it.
func (g *generator) computed(x plan.Expr) {
	if p, ok := x.(*plan.Prop); ok {
		g.shown(p.Var, p.Prop)
		return
	}
	value := func() { g.value(x) }
	t, primitive := x.Type().(edm.Primitive)
	constant, _ := x.(*plan.Const)
	switch {
	case !primitive || t == edm.Untyped:
		g.jsonShown(x.(*plan.Dyn))
	case constant != nil && constant.Null():
		g.w("NULL")
	case g.style.Quotes(t) && t == edm.Decimal:
		g.decimalText(x, constant != nil)
	case g.style.Quotes(t):
		g.text(x)
	case t == edm.Boolean && g.dialect == SQLite:
		g.w("CASE WHEN ")
		value()
		g.w(" THEN json('true') WHEN NOT ")
		value()
		g.w(" THEN json('false') END")
	case t == edm.Decimal && g.dialect == SQLite && (constant != nil || g.calculated(x)):
		g.w("json(")
		g.argument(x)
		g.w(")")
	case t == edm.Decimal && g.dialect == Postgres:
		g.w("trim_scale((")
		value()
		g.w(")::numeric)")
	case t == edm.Double:
		g.double(value)
	case t == edm.DateTimeOffset && g.dialect == Postgres:
		g.instant(value)
	case t == edm.Duration:
		g.durationText(value)
	default:
		value()
	}
}

// durationText writes a number of microseconds as the duration it is.
func (g *generator) durationText(value func()) {
	before, after, _ := strings.Cut(pgDurationText, "$0")
	g.per("odata_duration_text(", before)
	value()
	g.per(")", after)
}

// decimalText writes the text of a decimal, the same that JSON shows as a number.
func (g *generator) decimalText(x plan.Expr, constant bool) {
	switch {
	case g.dialect == Postgres:
		g.w("trim_scale((")
		g.value(x)
		g.w(")::numeric)::text")
	case constant || g.calculated(x):
		g.argument(x)
	default:
		g.text(x)
	}
}

// scalar reports whether the JSON of x never ends in a brace.
func scalar(x plan.Expr) bool {
	t, primitive := x.Type().(edm.Primitive)
	return primitive && t != edm.Untyped
}

// jsonOf writes a value inside JSON as the JSON it is.
func (g *generator) jsonOf(d *plan.Dyn) {
	if g.dialect == Postgres {
		g.w("(")
		g.json(d, "->")
		g.w(")::json")
		return
	}
	if len(d.Path) > 0 {
		g.json(d, "->")
		return
	}
	if d.Column != nil {
		g.w("json(")
		g.json(d, "->")
		g.w(")")
		return
	}
	n := g.name(d.Var)
	g.w("json(CASE ", n, ".type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' WHEN 'object' THEN ", n, ".value WHEN 'array' THEN ", n,
		".value ELSE json_quote(", n, ".value) END)")
}

// jsonShown writes a value inside JSON the way the style has it.
func (g *generator) jsonShown(d *plan.Dyn) {
	if !g.style.Renders(d.T) {
		g.jsonOf(d)
		return
	}
	g.rendered(d.T, plan.MaxNesting, func() {
		g.w("(")
		g.json(d, "->")
		g.w(")")
	})
}

// inner writes what is shown of a complex value or of a collection of values.
func (g *generator) inner(in *plan.Inner) {
	if in.Each == nil {
		g.complex(in.Value, in.Members)
		return
	}
	r := in.Each
	element := in.Element
	if g.dialect == Postgres {
		g.w("(SELECT coalesce(json_agg(j), '[]') FROM (SELECT ")
	} else {
		// The elements are text on their way out of the sub-select.
		g.w("json((SELECT '[' || coalesce(group_concat(j, ','), '') || ']' FROM (SELECT ")
	}
	g.complex(element, in.Members)
	g.w(" AS j")
	g.elements(r.Var)
	if r.Where != nil {
		g.w(" WHERE ")
		g.cond(r.Where)
	}
	g.elementOrder(r)
	g.limit(r)
	g.w(") ", g.name(r.Var), "j)")
	if g.dialect == SQLite {
		g.w(")")
	}
}

// elementOrder orders elements; those alike keep their places.
func (g *generator) elementOrder(r *plan.Read) {
	g.orderBy(r)
	sep := ", "
	if len(r.Order) == 0 {
		sep = " ORDER BY "
	}
	place := ".key"
	if g.dialect == Postgres {
		place = ".place"
	}
	g.w(sep, g.name(r.Var), place)
}

// innerCount writes how many elements a collection has, whatever is shown of them.
func (g *generator) innerCount(in *plan.Inner) {
	g.quoted(edm.Int64, func() { g.countRelated(&plan.Count{Var: in.Each.Var, Filter: in.Each.Where}) })
}

// complex writes the members of the complex value d; what is no object is
// written as it is.
func (g *generator) complex(d *plan.Dyn, members []plan.Member) {
	kind, build := "json_type(", "json_object("
	if g.dialect == Postgres {
		kind, build = "jsonb_typeof(", "json_build_object("
	}
	if members == nil {
		g.jsonShown(d)
		return
	}
	if g.dialect == SQLite {
		g.w("json(")
		defer g.w(")")
	}
	g.w("CASE ")
	if d.Column == nil && len(d.Path) == 0 && g.dialect == SQLite {
		g.w(g.name(d.Var), ".type")
	} else {
		g.w(kind)
		g.json(d, "->")
		g.w(")")
	}
	g.w(" WHEN 'object' THEN ", build)
	sep := ""
	member := func(name string, write func()) {
		g.w(sep, quoteText(name), ", ")
		write()
		sep = ", "
	}
	for _, m := range members {
		if tag := plan.TypeTag(m.Value.T); tag != "" && g.style.Metadata == plan.Full {
			m := g.tagOf(m.Name, m.Value.T, func() {
				g.w("(")
				g.json(m.Value, "->>")
				g.w(")")
			})
			member(m.name, m.write)
		}
		if m.Inner == nil {
			member(m.Name, func() { g.jsonShown(m.Value) })
			continue
		}
		if m.Inner.Each != nil && m.Inner.Each.Count {
			member(m.Name+"@odata.count", func() { g.innerCount(m.Inner) })
		}
		member(m.Name, func() { g.inner(m.Inner) })
	}
	g.w(") ELSE ")
	g.jsonOf(d)
	g.w(" END")
}
