package sqlgen

import (
	"encoding/json"
	"slices"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// object writes the entity of v as JSON text.
//
// Dynamic properties are spliced in before the closing brace. For that the last
// member written is always a scalar, so that the object's text ends in one
// brace and no more.
func (g *generator) object(v *plan.Var, show *plan.Projection) {
	if show.Shapes != nil {
		g.shapes(v, show.Shapes)
		return
	}
	g.name(v) // before a count inside it, which forgets the names it gives
	if show.Dynamic {
		g.w("rtrim(")
	}
	if g.dialect == Postgres {
		g.objectPostgres(v, show)
	} else {
		g.objectSQLite(v, show)
	}
	if show.Dynamic {
		d := v.Struct.Dynamic
		g.w(", '}') || CASE WHEN ")
		g.dynamicText(v, show)
		g.w(" IN ('{}', 'null') OR ")
		g.column(v, d)
		g.w(" IS NULL THEN '}' ELSE ',' || substr(")
		g.dynamicText(v, show)
		g.w(", 2) END")
	}
}

// dynamicText writes the dynamic properties as JSON text, without those whose
// names a query gave to what it computed.
func (g *generator) dynamicText(v *plan.Var, show *plan.Projection) {
	var taken []string
	for _, p := range show.Props {
		if p.Dynamic {
			taken = append(taken, p.Name)
		}
	}
	if g.dialect == Postgres {
		g.w("(")
		g.column(v, v.Struct.Dynamic)
		for _, name := range taken {
			g.w(" - ", quoteText(name))
		}
		g.w(")::text")
		return
	}
	if len(taken) == 0 {
		g.column(v, v.Struct.Dynamic)
		return
	}
	g.w("json_remove(")
	g.column(v, v.Struct.Dynamic)
	for _, name := range taken {
		g.w(", ", quoteText(`$."`+name+`"`))
	}
	g.w(")")
}

// member is one member of an object.
type member struct {
	name  string
	write func()
}

// members are the members of v's object, those that may end in a brace first.
func (g *generator) members(v *plan.Var, show *plan.Projection) []member {
	list := make([]member, 0, len(show.Props)+len(show.Dynamics)+len(show.Expand)+1)
	var scalars []member
	if show.ETag {
		list = append(list, member{name: "@odata.etag", write: func() { g.etag(v) }})
	}
	for i := range show.Nested {
		list = append(list, member{name: show.Nested[i].Name, write: func() { g.inline(&show.Nested[i]) }})
	}
	for _, p := range show.Props {
		if typed(show, p) {
			list = append(list, member{name: p.Name + "@odata.type", write: func() { g.w(quoteText("#" + p.Type.String()[len("Edm."):])) }})
		}
		m := member{name: p.Name, write: func() { g.shown(v, p) }}
		if show.Dynamic && !p.JSON {
			scalars = append(scalars, m)
		} else {
			list = append(list, m)
		}
	}
	for _, name := range show.Dynamics {
		list = append(list, member{name: name, write: func() { g.dynamicJSON(v, name) }})
	}
	for _, x := range show.Expand {
		list = append(list, g.expanded(x)...)
	}
	return append(list, scalars...)
}

func (g *generator) expanded(x plan.Expand) []member {
	list := []member{}
	if x.Read.Count {
		list = append(list, member{name: x.Name + "@odata.count", write: func() {
			g.w("(")
			g.count(x.Read)
			g.w(")")
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
// arguments. Only names too long for a column's go by that, in pieces.
func (g *generator) objectPostgres(v *plan.Var, show *plan.Projection) {
	members := g.members(v, show)
	switch {
	case len(members) == 0:
		g.w("'{}'")
		return
	case slices.ContainsFunc(members, func(m member) bool { return len(m.name) > maxName }):
		g.objectText(members)
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

// maxName is how many bytes PostgreSQL keeps of a name.
const maxName = 63

// objectText writes an object some of whose members have names too long to be
// those of columns.
func (g *generator) objectText(members []member) {
	for i, m := range members {
		start := ","
		if i == 0 {
			start = "{"
		}
		name, _ := json.Marshal(m.name) // a string always marshals
		g.w(quoteText(start+string(name)+":"), " || coalesce(to_json((SELECT ")
		m.write()
		g.w("))::text, 'null') || ")
	}
	g.w("'}'")
}

// etag writes the entity's weak ETag (Protocol 4.01, section 8.3.1).
func (g *generator) etag(v *plan.Var) {
	g.w(`'W/"' || `)
	g.column(v, v.Struct.ETag)
	g.w(` || '"'`)
}

// shown writes a property as JSON shows it.
func (g *generator) shown(v *plan.Var, p *edm.Property) {
	column := func() { g.column(v, p) }
	switch {
	case p.Minor:
		g.majorJSON(v, p)
	case isEnum(p):
		g.memberNames(v, p)
	case p.JSON && g.dialect == SQLite:
		g.w("json(")
		column()
		g.w(")")
	case p.JSON:
		column()
		g.w("::json")
	case p.Type == edm.Boolean && g.dialect == SQLite:
		g.w("CASE ")
		column()
		g.w(" WHEN 1 THEN json('true') WHEN 0 THEN json('false') END")
	case p.Type == edm.DateTimeOffset && g.dialect == Postgres:
		g.instant(column)
	case p.Type == edm.Double && p.Dynamic:
		g.double(column)
	default:
		column()
	}
}

// double writes a computed number, which may be one that JSON has none for
// (JSON Format 4.01, section 7.1).
func (g *generator) double(value func()) {
	g.w("CASE WHEN ")
	value()
	g.per(" > 1.7976931348623157e308 THEN 'INF' WHEN ", " = 'NaN'::float8 THEN to_json('NaN'::text) WHEN ")
	value()
	g.per(" < -1.7976931348623157e308 THEN '-INF' ELSE ", " = 'Infinity'::float8 THEN to_json('INF'::text) WHEN ")
	if g.dialect == Postgres {
		value()
		g.w(" = '-Infinity'::float8 THEN to_json('-INF'::text) ELSE to_json(")
	}
	value()
	g.per(" END", ") END")
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
		g.w("CASE typeof(")
		value()
		g.w(") WHEN 'real' THEN printf('%!.17g', ")
		value()
		g.w(") ELSE CAST(")
		value()
		g.w(" AS TEXT) END")
	default:
		g.w("CAST(")
		value()
		g.w(" AS TEXT)")
	}
}
