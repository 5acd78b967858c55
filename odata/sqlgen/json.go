package sqlgen

import (
	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// object writes the entity of v as JSON text.
//
// Dynamic properties are spliced in before the closing brace. For that the last
// member written is always a scalar, so that the object's text ends in one
// brace and no more.
func (g *generator) object(v *plan.Var, show *plan.Projection) {
	if g.style.OmitNulls {
		defer g.omitNulls()()
	}
	if show.Dynamic && !show.Ref {
		g.w("rtrim(")
	}
	if g.dialect == Postgres {
		g.objectPostgres(v, show)
	} else {
		g.objectSQLite(v, show)
	}
	if show.Dynamic && !show.Ref {
		d := v.Struct.Dynamic
		g.w(", '}') || CASE WHEN ")
		g.dynamicText(v, d)
		g.w(" IN ('{}', 'null') OR ")
		g.column(v, d)
		g.w(" IS NULL THEN '}' ELSE ',' || substr(")
		g.dynamicText(v, d)
		g.w(", 2) END")
	}
}

func (g *generator) dynamicText(v *plan.Var, d *edm.Property) {
	g.column(v, d)
	if g.dialect == Postgres {
		g.w("::text")
	}
}

// member is one member of an object.
type member struct {
	name  string
	write func()
	last  bool // may stand last: it does not end in a brace
}

// members are the members of v's object, those that may end in a brace first.
func (g *generator) members(v *plan.Var, show *plan.Projection) []member {
	list := g.control(v, show)
	if show.Ref {
		return list
	}
	var scalars []member
	for _, p := range show.Props {
		m := member{name: p.Name, write: func() { g.shown(v, p) }, last: !p.JSON}
		if show.Dynamic && m.last {
			scalars = append(scalars, g.typed(v, p)...)
			scalars = append(scalars, m)
		} else {
			list = append(list, g.typed(v, p)...)
			list = append(list, m)
		}
	}
	for _, name := range show.Dynamics {
		list = append(list, member{name: name, write: func() { g.dynamicJSON(v, name) }})
	}
	list = append(list, g.links(v, show)...)
	for _, x := range show.Expand {
		list = append(list, g.linksOf(v, x.Name)...)
		list = append(list, g.expanded(x)...)
	}
	list = append(list, g.operations(v)...)
	return append(list, scalars...)
}

func (g *generator) expanded(x plan.Expand) []member {
	list := []member{}
	if x.Read.Count {
		list = append(list, member{name: x.Name + "@odata.count", write: func() {
			g.quoted(edm.Int64, func() {
				g.w("(")
				g.count(x.Read)
				g.w(")")
			})
		}})
	}
	return append(list, member{name: x.Name, write: func() { g.related(x.Read) }})
}

func (g *generator) objectSQLite(v *plan.Var, show *plan.Projection) {
	g.w("json_object(")
	for i, m := range g.members(v, show) {
		if i > 0 {
			g.w(", ")
		}
		g.memberName(m.name)
		g.w(", ")
		m.write()
	}
	g.w(")")
}

// memberName writes the name of a member as an argument. Names of dynamic
// properties come from the request.
func (g *generator) memberName(name string) { g.w(quoteText(name)) }

// objectPostgres goes by a sub-select, as json_build_object takes at most 100
// arguments.
func (g *generator) objectPostgres(v *plan.Var, show *plan.Projection) {
	members := g.members(v, show)
	if len(members) == 0 {
		g.w("'{}'")
		return
	}
	row := g.name(v) + "r"
	g.w("(SELECT row_to_json(", row, ")::text FROM (SELECT ")
	for i, m := range members {
		if i > 0 {
			g.w(", ")
		}
		m.write()
		g.w(" AS ", quoteName(m.name))
	}
	g.w(") ", row, ")")
}

// etag writes the entity's weak ETag (Protocol 4.01, section 8.3.1).
func (g *generator) etag(v *plan.Var) {
	if v.Struct.ETag == nil {
		g.w("NULL")
		return
	}
	g.w(`'W/"' || `)
	g.column(v, v.Struct.ETag)
	g.w(` || '"'`)
}

// shown writes a property as JSON shows it.
func (g *generator) shown(v *plan.Var, p *edm.Property) {
	column := func() { g.column(v, p) }
	_, many := p.Type.(edm.Collection)
	switch {
	case p.JSON && g.style.Renders(p.Type):
		g.rendered(p.Type, plan.MaxNesting, func() {
			column()
			if g.dialect == Postgres {
				g.w("::jsonb")
			}
		})
	case many && g.dialect == SQLite:
		g.w("json(coalesce(nullif(")
		column()
		g.w(", 'null'), '[]'))")
	case many:
		g.w("coalesce(nullif(")
		column()
		g.w("::text, 'null'), '[]')::json")
	case p.JSON && g.dialect == SQLite:
		g.w("json(")
		column()
		g.w(")")
	case p.JSON:
		column()
		g.w("::json")
	case g.style.Quotes(p.Type):
		g.quoted(p.Type, column)
	case p.Type == edm.Double:
		g.double(column)
	case p.Type == edm.Boolean && g.dialect == SQLite:
		g.w("CASE ")
		column()
		g.w(" WHEN 1 THEN json('true') WHEN 0 THEN json('false') END")
	case p.Type == edm.DateTimeOffset && g.dialect == Postgres:
		g.instant(column)
	default:
		column()
	}
}

// instant writes a PostgreSQL timestamptz in InstantForm.
func (g *generator) instant(value func()) {
	g.w("to_char(")
	value()
	g.w(` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`)
}

// dynamicJSON writes a dynamic property as the JSON it is.
func (g *generator) dynamicJSON(v *plan.Var, name string) {
	g.column(v, v.Struct.Dynamic)
	g.w(" -> ")
	g.bind(edm.String, name)
}

// related writes the expanded entities of r: an object or null, or an array.
func (g *generator) related(r *plan.Read) {
	many := r.Var.Nav.Many
	switch {
	case !many && g.dialect == SQLite:
		g.w("json((SELECT ")
	case !many:
		g.w("(SELECT (")
	case g.dialect == SQLite:
		g.w("json((SELECT json_group_array(json(j)) FROM (SELECT ")
	default:
		g.w("(SELECT coalesce(json_agg(j::json), '[]') FROM (SELECT ")
	}
	g.object(r.Var, &r.Show)
	switch {
	case many:
		g.w(" AS j")
	case g.dialect == Postgres:
		g.w(")::json")
	}
	g.page(r)
	switch {
	case !many && g.dialect == SQLite:
		g.w("))")
	case !many:
		g.w(")")
	case g.dialect == SQLite:
		g.w(")))")
	default:
		g.w(") x)")
	}
}

// text writes x as text that plan.Parse reads back to the same value.
func (g *generator) text(x plan.Expr) {
	t := x.Type()
	value := func() { g.ordered(x) }
	switch {
	case t == edm.DateTimeOffset && g.dialect == Postgres:
		g.instant(value)
	case t == edm.Boolean:
		g.w("CASE WHEN ")
		value()
		g.w(" THEN 'true' WHEN NOT ")
		value()
		g.w(" THEN 'false' END")
	case g.dialect == Postgres:
		g.w("(")
		value()
		g.w(")::text")
	case t == edm.Double || t == edm.Decimal:
		g.w("CASE WHEN ")
		value()
		g.w(" IS NOT NULL THEN printf('%!.17g', ")
		value()
		g.w(") END")
	default:
		g.w("CAST(")
		value()
		g.w(" AS TEXT)")
	}
}
