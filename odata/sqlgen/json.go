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
	members := g.members(v, show)
	if slices.ContainsFunc(members, func(m member) bool { return m.raw }) {
		g.objectOfParts(v, show, members)
		return
	}
	if show.Dynamic && !show.Ref {
		g.w("rtrim(")
	}
	g.objectOf(v, members)
	if show.Dynamic && !show.Ref {
		g.w(", '}') || ")
		g.dynamicRest(v, show)
	}
}

// objectOf writes an object of members none of which is raw.
func (g *generator) objectOf(v *plan.Var, members []member) {
	if g.dialect == Postgres {
		g.objectPostgres(v, members)
	} else {
		g.objectSQLite(members)
	}
}

// dynamicRest writes the dynamic properties as the rest of an object after other
// members.
func (g *generator) dynamicRest(v *plan.Var, show *plan.Projection) {
	g.w("CASE WHEN ")
	g.dynamicText(v, show)
	g.w(" IN ('{}', 'null') OR ")
	g.column(v, v.Struct.Dynamic)
	g.w(" IS NULL THEN '}' ELSE ',' || substr(")
	g.dynamicText(v, show)
	g.w(", 2) END")
}

// dynamicText writes the dynamic properties as JSON text.
func (g *generator) dynamicText(v *plan.Var, show *plan.Projection) {
	if g.dialect == Postgres {
		g.dynamicObject(v, show)
		g.w("::text")
		return
	}
	taken := taken(show)
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

// dynamicObject writes the dynamic properties as PostgreSQL's own JSON.
func (g *generator) dynamicObject(v *plan.Var, show *plan.Projection) {
	g.w("(")
	g.column(v, v.Struct.Dynamic)
	for _, name := range taken(show) {
		g.w(" - ", quoteText(name))
	}
	g.w(")")
}

// taken are the names of dynamic properties that a query gave to what it computed.
func taken(show *plan.Projection) (names []string) {
	for _, p := range show.Props {
		if p.Dynamic {
			names = append(names, p.Name)
		}
	}
	for _, c := range show.Computed {
		names = append(names, c.Name)
	}
	return names
}

// member is one member of an object.
type member struct {
	name  string
	write func()
	last  bool // may stand last: it does not end in a brace
	raw   bool // write gives the text of the member, name and all, or of several
	// send writes the member as a field of a record; nil: write does.
	send func() field
}

// members are the members of v's object, those that may end in a brace first.
func (g *generator) members(v *plan.Var, show *plan.Projection) []member {
	list := g.control(v, show)
	if show.Ref {
		return list
	}
	var scalars []member
	for i := range show.Nested {
		list = append(list, member{name: show.Nested[i].Name, write: func() { g.inline(&show.Nested[i]) }})
	}
	for _, p := range show.Props {
		if p.Dynamic && g.style.Metadata != plan.Full {
			list = append(list, g.typeOf(show, p.Name, p.Type, func() { g.column(v, p) })...)
		}
		m := member{name: p.Name, write: func() { g.shown(v, p) }, last: !p.JSON, send: func() field {
			g.send(v, p)
			return field{}
		}}
		if in := show.Inner[p]; in != nil {
			m.write, m.send = func() { g.inner(in) }, nil
			if in.Each != nil && in.Each.Count {
				list = append(list, member{name: p.Name + "@odata.count", write: func() { g.innerCount(in) }, last: true})
			}
		}
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
	for _, c := range show.Computed {
		list = append(list, g.typeOf(show, c.Name, c.X.Type(), func() { g.value(c.X) })...)
		list = append(list, member{name: c.Name, write: func() { g.computed(c.X) }, last: scalar(c.X)})
	}
	list = append(list, g.links(v, show)...)
	for _, x := range show.Expand {
		list = append(list, g.linksOf(v, x.Name)...)
		list = append(list, g.expanded(v, x)...)
	}
	list = append(list, g.operations(v)...)
	return append(list, scalars...)
}

func (g *generator) objectSQLite(members []member) {
	g.w("json_object(")
	for i, m := range members {
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
func (g *generator) objectPostgres(v *plan.Var, members []member) {
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
	tag := v.ETag()
	if tag == nil {
		g.w("NULL")
		return
	}
	g.w(`'W/"' || `)
	g.column(v, tag)
	g.w(` || '"'`)
}

// shown writes a property as JSON shows it.
func (g *generator) shown(v *plan.Var, p *edm.Property) {
	column := func() { g.column(v, p) }
	_, many := p.Type.(edm.Collection)
	switch {
	case p.Minor:
		g.majorJSON(v, p)
	case isEnum(p):
		g.memberNames(v, p)
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
	case p.Type == edm.Decimal:
		g.decimalJSON(column)
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
	case p.Nanos:
		g.durationText(func() { g.micros(v, p) })
	case p.Type == edm.Duration:
		g.durationText(column)
	case p.Type == edm.Binary:
		g.per("odata_base64(", "translate(encode(")
		column()
		g.per(")", ", 'base64'), E'+/\n', '-_')")
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
	case t == edm.Duration:
		g.durationText(value)
	case minor(x) != nil && g.dialect == Postgres:
		g.value(x)
		g.w("::text")
	case t == edm.Double && g.dialect == Postgres:
		g.w("replace((")
		value()
		g.w(")::text, 'Infinity', 'INF')")
	case g.dialect == Postgres:
		g.w("(")
		value()
		g.w(")::text")
	case minor(x) != nil:
		g.value(x)
	case t == edm.Double || t == edm.Decimal:
		g.w("CASE typeof(")
		value()
		g.w(") WHEN 'real' THEN replace(printf('%!.17g', ")
		value()
		g.w("), 'Inf', 'INF') ELSE CAST(")
		value()
		g.w(" AS TEXT) END")
	default:
		g.w("CAST(")
		value()
		g.w(" AS TEXT)")
	}
}
