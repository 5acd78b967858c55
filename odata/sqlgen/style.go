package sqlgen

import (
	"slices"
	"strconv"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// control is the control information of an entity that comes before its
// properties (JSON Format 4.01, sections 3.1, 4.4 and 4.5).
func (g *generator) control(v *plan.Var, show *plan.Projection) []member {
	list := make([]member, 0, 2*len(show.Props)+len(show.Dynamics)+2*len(show.Expand)+4)
	links := g.style.Of(v.Struct)
	if show.Ref {
		return append(list, member{name: "@odata.id", write: func() { g.address(v, links, "") }, last: true})
	}
	full := g.style.Metadata == plan.Full
	if full {
		list = append(list, g.constant("@odata.type", plan.TypeTag(v.Struct)))
	}
	if links.Set != "" && (full || g.style.Metadata == plan.Minimal && !shows(show, v.Struct.Key)) {
		list = append(list, member{name: "@odata.id", write: func() { g.address(v, links, "") }, last: true})
	}
	if show.ETag {
		list = append(list, member{name: "@odata.etag", write: func() { g.etag(v) }, last: true, send: func() field { return g.sendETag(v) }})
	}
	if full && links.Set != "" {
		name := "@odata.readLink"
		if links.Updatable {
			name = "@odata.editLink"
		}
		list = append(list, member{name: name, write: func() { g.address(v, links, "") }, last: true})
	}
	return list
}

// constant is a member with a text of the model as its value.
func (g *generator) constant(name, text string) member {
	return member{name: name, write: func() { g.textConstant(text) }, last: true}
}

func (g *generator) textConstant(text string) {
	g.w(quoteText(text))
	if g.dialect == Postgres {
		g.w("::text")
	}
}

// shows reports whether all of props are shown.
func shows(show *plan.Projection, props []*edm.Property) bool {
	left := len(props)
	for _, p := range show.Props {
		if p.Key {
			left--
		}
	}
	return left == 0
}

// typed is the type of a property, where it is to be said.
func (g *generator) typed(v *plan.Var, p *edm.Property) []member {
	tag := plan.TypeTag(p.Type)
	if g.style.Metadata != plan.Full || tag == "" {
		return nil
	}
	return []member{g.tagOf(p.Name, p.Type, func() { g.column(v, p) })}
}

// tagOf is the member that says the type of another member, whose value value
// writes: where that is left out so is its type.
func (g *generator) tagOf(name string, t edm.Type, value func()) member {
	tag := plan.TypeTag(t)
	m := g.constant(name+"@odata.type", tag)
	if g.style.OmitNulls {
		m.write = func() {
			g.w("CASE WHEN ")
			value()
			g.w(" IS NOT NULL THEN ")
			g.textConstant(tag)
			g.w(" END")
		}
	}
	return m
}

// links are the links of the navigation properties that are not expanded.
func (g *generator) links(v *plan.Var, show *plan.Projection) []member {
	var list []member
	expanded := map[string]bool{}
	for _, x := range show.Expand {
		expanded[x.Name] = true
	}
	for _, nav := range v.Struct.Navigation {
		if !expanded[nav.Name] && (show.All || slices.Contains(show.Navs, nav.Name)) {
			list = append(list, g.linksOf(v, nav.Name)...)
		}
	}
	return list
}

// linksOf are the links of a navigation property (JSON Format 4.01, section
// 4.5.11).
func (g *generator) linksOf(v *plan.Var, nav string) []member {
	links := g.style.Of(v.Struct)
	if g.style.Metadata != plan.Full || links.Set == "" {
		return nil
	}
	return []member{
		{name: nav + "@odata.associationLink", write: func() { g.address(v, links, "/"+nav+"/$ref") }, last: true},
		{name: nav + "@odata.navigationLink", write: func() { g.address(v, links, "/"+nav) }, last: true},
	}
}

// operations are the operations bound to the entity (JSON Format 4.01, sections
// 16 and 17).
func (g *generator) operations(v *plan.Var) []member {
	links := g.style.Of(v.Struct)
	if g.style.Metadata != plan.Full || links.Set == "" {
		return nil
	}
	var list []member
	for _, name := range links.Operations {
		list = append(list, member{name: "#" + name, write: func() {
			build := "json_object"
			if g.dialect == Postgres {
				build = "json_build_object"
			}
			g.w(build, "('title', ")
			g.textConstant(name)
			g.w(", 'target', ")
			g.address(v, links, "/"+name)
			g.w(")")
		}})
	}
	return list
}

// address writes the canonical URL of the entity v, with more after it: relative
// to the service root where the context URL makes that the base of all URLs, or
// absolute where nothing is to be computed, or there is no context URL.
func (g *generator) address(v *plan.Var, links plan.Links, more string) {
	g.w("(")
	if g.style.Metadata == plan.Minimal {
		g.keyed(v, links.Set)
	} else {
		g.location(v, links.Set)
	}
	g.w(" || ", quoteText(more), ")")
}

// location writes the absolute canonical URL of the entity v of a set.
func (g *generator) location(v *plan.Var, set string) {
	g.bindFrom(edm.String, g.style.Root, plan.ServiceRoot)
	g.w(" || ")
	g.keyed(v, set)
}

// keyed writes the name of a set with the key of its entity v in parentheses.
func (g *generator) keyed(v *plan.Var, set string) {
	g.w(quoteText(set + "("))
	for i, k := range v.Struct.Key {
		name := ""
		if len(v.Struct.Key) > 1 {
			name = k.Name + "="
		}
		if i > 0 {
			name = "," + name
		}
		if name != "" {
			g.w(" || ", quoteText(name))
		}
		g.w(" || ")
		g.keyValue(&plan.Prop{Var: v, Prop: k})
	}
	g.w(" || ')'")
}

// keyValue writes the value of a key property as it stands in a URL.
func (g *generator) keyValue(k *plan.Prop) {
	switch t := k.Type(); {
	case t == edm.String && g.dialect == SQLite:
		g.w("odata_key(")
		g.column(k.Var, k.Prop)
		g.w(")")
	case t == edm.String:
		g.w(`'''' || (SELECT string_agg(CASE WHEN c ~ '^[A-Za-z0-9._~-]$' THEN c WHEN c = '''' THEN '''''' ELSE upper(regexp_replace(encode(convert_to(c, 'UTF8'), 'hex'), '(..)', '%\1', 'g')) END, '' ORDER BY n) FROM regexp_split_to_table(`)
		g.column(k.Var, k.Prop)
		g.w(`, '') WITH ORDINALITY q(c, n)) || ''''`)
	case t == edm.DateTimeOffset || t == edm.TimeOfDay:
		g.w("replace(")
		g.text(k)
		g.w(", ':', '%3A')")
	default:
		g.text(k)
	}
}

// quoted writes a number of type t as text where the style wants it so.
func (g *generator) quoted(t edm.Type, value func()) {
	if !g.style.Quotes(t) {
		value()
		return
	}
	if g.dialect == Postgres {
		g.w("(")
		value()
		g.w(")::text")
		return
	}
	g.w("CAST(")
	value()
	g.w(" AS TEXT)")
}

// double writes a number, or the text of one that JSON has no form for (JSON
// Format 4.01, section 7.1).
func (g *generator) double(value func()) {
	inf, minus := "9e999", "-9e999"
	if g.dialect == Postgres {
		inf, minus = "'Infinity'", "'-Infinity'"
	}
	g.w("CASE WHEN ")
	value()
	if g.dialect == Postgres {
		g.w(" IN ('NaN', ", inf, ", ", minus, ") THEN to_json(CASE ")
		value()
		g.w(" WHEN ", inf, " THEN 'INF' WHEN ", minus, " THEN '-INF' ELSE 'NaN' END) ELSE to_json(")
		value()
		g.w(") END")
		return
	}
	g.w(" = ", inf, " THEN 'INF' WHEN ")
	value()
	g.w(" = ", minus, " THEN '-INF' ELSE ")
	value()
	g.w(" END")
}

// rendered writes a value of type t held as JSON the way the style has it.
func (g *generator) rendered(t edm.Type, depth int, value func()) {
	if !g.style.Renders(t) || depth == 0 {
		g.asJSON(value)
		return
	}
	switch t := t.(type) {
	case edm.Collection:
		g.renderedMany(t, depth, value)
	case *edm.Struct:
		g.renderedObject(t, depth, value)
	default: // a number that is to be text
		if g.dialect == Postgres {
			g.w("to_json(")
			value()
			g.w(" #>> '{}')")
			return
		}
		g.w("CAST(")
		value()
		g.w(" ->> '$' AS TEXT)")
	}
}

func (g *generator) asJSON(value func()) {
	if g.dialect == Postgres {
		g.w("(")
		value()
		g.w(")::json")
		return
	}
	g.w("json(")
	value()
	g.w(")")
}

// alias is a name for a value, as it is written more than once.
func (g *generator) alias() string {
	g.values++
	return "j" + strconv.Itoa(g.values)
}

func (g *generator) renderedMany(t edm.Collection, depth int, value func()) {
	name := g.alias()
	item := func() { g.w(name, ".value") }
	if g.dialect == Postgres {
		g.w("(SELECT coalesce(json_agg(")
		g.rendered(t.Of, depth, item)
		g.w("), '[]') FROM jsonb_array_elements(CASE jsonb_typeof(")
		value()
		g.w(") WHEN 'array' THEN ")
		value()
		g.w(" END) ", name, "(value))")
		return
	}
	g.w("json((SELECT json_group_array(")
	if _, primitive := t.Of.(edm.Primitive); primitive {
		g.w("CAST(", name, ".value AS TEXT)")
	} else {
		g.rendered(t.Of, depth, item)
	}
	g.w(") FROM json_each(nullif(")
	value()
	g.w(", 'null')) ", name, "))")
}

// renderedObject writes the object anew, member by member, as the type of a
// member comes right before it.
func (g *generator) renderedObject(t *edm.Struct, depth int, value func()) {
	name := g.alias()
	sep := ""
	each := func(write func(as string, value func())) {
		for _, p := range t.Properties {
			if tag := plan.TypeTag(p.Type); g.style.Metadata == plan.Full && tag != "" {
				g.w(sep)
				m := g.tagOf(p.Name, p.Type, func() { g.w("(", name, ".v ->> ", quoteText(p.Name), ")") })
				write(m.name, m.write)
				sep = ", "
			}
			g.w(sep)
			write(p.Name, func() {
				g.rendered(p.Type, depth-1, func() { g.w("(", name, ".v -> ", quoteText(p.Name), ")") })
			})
			sep = ", "
		}
	}
	if g.dialect == Postgres {
		g.w("(SELECT CASE jsonb_typeof(", name, ".v) WHEN 'object' THEN (SELECT row_to_json(r) FROM (SELECT ")
		each(func(as string, value func()) {
			value()
			g.w(" AS ", quoteName(as))
		})
		g.w(") r) END FROM (SELECT ")
	} else {
		g.w("json((SELECT CASE json_type(", name, ".v) WHEN 'object' THEN json_object(")
		each(func(as string, value func()) {
			g.w(quoteText(as), ", ")
			value()
		})
		g.w(") END FROM (SELECT ")
	}
	value()
	g.w(" AS v) ", name, ")")
	if g.dialect == SQLite {
		g.w(")")
	}
}
