package sqlgen

import (
	"encoding/json"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// objectOfParts writes an object whose text is put together from parts: what
// $expand adds may be several members, or one the fewer where there is no next
// page, and is not read again as JSON at every level.
func (g *generator) objectOfParts(v *plan.Var, show *plan.Projection, members []member) {
	g.w("('{'")
	sep := " || "
	part := func() {
		g.w(sep)
		sep = " || ',' || "
	}
	var group []member
	flush := func() {
		if group != nil {
			part()
			if g.dialect == Postgres {
				g.w("b")
			}
			g.w("trim(")
			g.objectOf(v, group) // its last member is a scalar: it ends in one brace
			g.w(", '{}')")
		}
		group = nil
	}
	for _, m := range members {
		if m.last {
			group = append(group, m)
			continue
		}
		flush()
		part()
		if m.raw {
			m.write()
			continue
		}
		g.w(label(m.name), " || coalesce((")
		m.write()
		if g.dialect == Postgres {
			g.w(")::text, 'null')")
		} else {
			g.w("), 'null')")
		}
	}
	flush()
	if show.Dynamic {
		g.w(" || ")
		g.dynamicRest(v, show)
		g.w(")")
		return
	}
	g.w(" || '}')")
}

// label is the text `"name":` as a text literal.
func label(name string) string {
	text, _ := json.Marshal(name) // a string always marshals
	return quoteText(string(text) + ":")
}

// expanded are the members of an expanded navigation property of v.
func (g *generator) expanded(v *plan.Var, x plan.Expand) []member {
	list := []member{}
	if x.Read.Count || x.Count {
		list = append(list, member{name: x.Name + "@odata.count", last: true, write: func() {
			g.quoted(edm.Int64, func() {
				g.w("(")
				g.count(x.Read)
				g.w(")")
			})
		}})
	}
	switch {
	case x.Count:
	case !x.Read.Var.Nav.Many:
		list = append(list, member{raw: true, write: func() { g.relatedOne(x) }})
	case x.Read.More:
		list = append(list, member{raw: true, write: func() { g.relatedPage(v, x) }})
	default:
		list = append(list, member{raw: true, write: func() { g.relatedAll(x) }})
	}
	return list
}

// relatedOne writes an entity, or null.
func (g *generator) relatedOne(x plan.Expand) {
	g.w(label(x.Name), " || coalesce((SELECT ")
	g.object(x.Read.Var, &x.Read.Show)
	g.page(x.Read)
	g.w("), 'null')")
}

// joining is the function that joins texts.
func (g *generator) joining() string {
	if g.dialect == Postgres {
		return "string_agg"
	}
	return "group_concat"
}

// relatedAll writes an array of the entities.
func (g *generator) relatedAll(x plan.Expand) {
	row := g.name(x.Read.Var) + "j"
	g.w(label(x.Name), " || '[' || coalesce((SELECT ", g.joining(), "(j, ',') FROM (SELECT ")
	g.object(x.Read.Var, &x.Read.Show)
	g.w(" AS j")
	g.page(x.Read)
	g.w(") ", row, "), '') || ']'")
}

// relatedPage writes an array of the first entities, and a link to the next ones
// if there are any.
func (g *generator) relatedPage(v *plan.Var, x plan.Expand) {
	r := x.Read
	row := g.name(r.Var) + "j"
	g.w("(SELECT ", label(x.Name), " || '[' || coalesce(", g.joining(), "(j, ',')")
	g.w(" FILTER (WHERE n <= ")
	g.bind(edm.Int64, int64(r.Limit))
	g.w("), '') || ']' || CASE WHEN max(n) > ")
	g.bind(edm.Int64, int64(r.Limit))
	g.w(" THEN ", quoteText(","), " || ", label(x.Name+"@odata.nextLink"), " || ")
	g.jsonText(func() { g.nextURL(v, r) })
	g.w(" ELSE '' END FROM (SELECT j, k, row_number() OVER () AS n FROM (SELECT ")
	g.object(r.Var, &r.Show)
	g.w(" AS j, ")
	g.terms(r)
	g.w(" AS k")
	g.page(r)
	g.w(") ", row, ") ", row, "n)")
}

// jsonText writes a text as JSON.
func (g *generator) jsonText(text func()) {
	if g.dialect == Postgres {
		g.w("to_json(")
		text()
		g.w(")::text")
		return
	}
	g.w("json_quote(")
	text()
	g.w(")")
}

// terms writes the order terms of a row as a JSON array of texts.
func (g *generator) terms(r *plan.Read) {
	if g.dialect == Postgres {
		g.w("json_build_array(")
	} else {
		g.w("json_array(")
	}
	for i, o := range r.Order {
		if i > 0 {
			g.w(", ")
		}
		g.text(o.X)
	}
	g.w(")")
	if g.dialect == Postgres {
		g.w("::text")
	}
}

// nextURL writes the URL of the page after r, the related entities of v: the
// same options and the $skiptoken, as plan.Read.Token makes it.
func (g *generator) nextURL(v *plan.Var, r *plan.Read) {
	g.location(v, r.Next.Set)
	g.w(" || ")
	g.bind(edm.String, "/"+r.Next.Path+"?"+r.Next.Query+g.style.Repeated+"$skiptoken="+r.TokenHead())
	if g.dialect == Postgres {
		g.w(" || encode(convert_to(max(k) FILTER (WHERE n = ")
	} else {
		g.w(" || lower(hex(max(k) FILTER (WHERE n = ")
	}
	g.bind(edm.Int64, int64(r.Limit))
	if g.dialect == Postgres {
		g.w("), 'UTF8'), 'hex')")
	} else {
		g.w(")))")
	}
}
