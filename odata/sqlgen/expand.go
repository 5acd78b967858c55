package sqlgen

import (
	"encoding/json"
	"strconv"
	"strings"

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
		list = append(list, member{name: x.Name, raw: true, write: func() { g.relatedOne(x) }, send: func() field { return g.sendOne(x) }})
	case x.Read.More:
		list = append(list, member{name: x.Name, raw: true, write: func() { g.relatedPage(v, x) }, send: func() field { return g.sendPage(v, x) }})
	default:
		list = append(list, member{name: x.Name, raw: true, write: func() { g.relatedAll(x) }, send: func() field { return g.sendAll(x) }})
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
// if there are any. Only where the page is full is it looked whether it is the
// last: numbering the rows would cost every small collection about as much as
// its JSON does.
func (g *generator) relatedPage(v *plan.Var, x plan.Expand) {
	r := *x.Read
	row := g.name(r.Var) + "j"
	g.w("(SELECT ", label(x.Name), " || '[' || coalesce(", g.joining(), "(j, ','), '') || ']' || CASE WHEN count(*) = ", strconv.Itoa(r.Limit), " AND EXISTS (")
	g.rowAt(&r, r.Limit, func() { g.w("1") })
	g.w(") THEN ", quoteText(","), " || ", label(x.Name+"@odata.nextLink"), " || ")
	g.jsonText(func() { g.nextURL(v, &r) })
	g.w(" ELSE '' END FROM (SELECT ")
	g.object(r.Var, &r.Show)
	g.w(" AS j")
	r.More = false
	g.page(&r)
	g.w(") ", row, ")")
}

// rowAt writes the statement that gives columns of the row n after r's first.
func (g *generator) rowAt(r *plan.Read, n int, columns func()) {
	g.aside(r.Var, func() {
		g.w("SELECT ")
		columns()
		g.from(r.Var)
		g.where(r, true)
		g.orderBy(r)
		g.w(" LIMIT 1 OFFSET ", strconv.Itoa(r.Offset+n))
	})
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
	text := "/" + r.Next.Path + "?"
	for i, part := range strings.Split(r.Next.Query, plan.ItMark) {
		if i > 0 {
			g.bind(edm.String, text)
			g.w(" || '%24root%2F' || ")
			g.keyed(r.Next.It, r.Next.ItSet)
			g.w(" || ")
			text = ""
		}
		text += part
	}
	g.bind(edm.String, text+g.style.Repeated+"$skiptoken="+r.TokenHead())
	last := func() {
		g.w("(")
		g.rowAt(r, r.Limit-1, func() { g.terms(r) })
		g.w(")")
	}
	if g.dialect == Postgres {
		g.w(" || encode(convert_to(")
		last()
		g.w(", 'UTF8'), 'hex')")
		return
	}
	g.w(" || lower(hex(")
	last()
	g.w("))")
}
