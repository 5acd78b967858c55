package sqlgen

import (
	"encoding/json"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// PostgreSQL takes several times as long to write the JSON of a row as to send its
// values: each object looks up the types of all its columns anew. So entities come
// from it as records in its binary form, those expanded as arrays of records inside,
// and a layout tells how their JSON is written: still one statement, and one column
// an entity.

// layout is how an entity's record becomes JSON.
type layout []field

// field is one field of a record.
type field struct {
	label string // the start of the member: `"name":`
	as    fieldKind
	of    layout // of an entity, or of each of several
	next  string // of a page: the label of the link to the next one
}

type fieldKind uint8

const (
	aValue    fieldKind = iota
	anEntity            // a record, or null
	entities            // an array of records; null: there are none
	aPage               // a record: entities, and the URL of their next page or null
	anETag              // a value that the ETag is made of
	theOthers           // a JSON object whose members stand among those of the record
)

// size is how many bytes l takes, about.
func (l layout) size() int {
	n := 0
	for _, f := range l {
		n += 80 + len(f.label) + f.of.size()
	}
	return n
}

// entity writes the column that is an entity of r. A record ends with the order terms,
// as most rows' are not looked at.
func (g *generator) entity(r *plan.Read) {
	if !g.sends(&r.Show) {
		g.object(r.Var, &r.Show)
		return
	}
	g.w("record_send(ROW(")
	comma := g.sep()
	g.layout = g.fields(r.Var, &r.Show, comma)
	if r.More {
		g.ending = len(r.Order)
		for _, o := range r.Order {
			comma()
			g.sendTerm(o.X)
		}
	}
	g.w("))")
}

// sendTerm writes an order term so that Terms gives it as text does.
func (g *generator) sendTerm(x plan.Expr) {
	t, _ := x.Type().(edm.Primitive)
	if t == edm.DateTimeOffset || t == edm.Guid || t.IsInteger() {
		g.ordered(x)
		return
	}
	g.text(x)
}

// sends reports whether what is shown comes as a record. Rows of different
// structure are written as JSON by PostgreSQL.
func (g *generator) sends(show *plan.Projection) bool {
	if g.dialect != Postgres || show.Shapes != nil {
		return false
	}
	for _, x := range show.Expand {
		if !x.Count && !g.sends(&x.Read.Show) {
			return false
		}
	}
	return true
}

// record writes the entity of v as a record.
func (g *generator) record(v *plan.Var, show *plan.Projection) layout {
	g.w("ROW(")
	defer g.w(")")
	return g.fields(v, show, g.sep())
}

// fields writes what a record holds of the entity of v.
func (g *generator) fields(v *plan.Var, show *plan.Projection, comma func()) layout {
	g.name(v) // before a count inside it, which forgets the names it gives
	members := g.members(v, show)
	l := make(layout, 0, len(members)+1)
	for _, m := range members {
		comma()
		f := field{}
		if m.send != nil {
			f = m.send()
		} else {
			m.write()
		}
		f.label = labelOf(m.name)
		l = append(l, f)
	}
	if show.Dynamic && !show.Ref {
		comma()
		g.dynamicObject(v, show)
		l = append(l, field{as: theOthers})
	}
	return l
}

// labelOf is the text `"name":`.
func labelOf(name string) string {
	if !strings.ContainsFunc(name, func(c rune) bool {
		return c < ' ' || c == '"' || c == '\\' || c > '~' || strings.ContainsRune("<>&", c)
	}) {
		return `"` + name + `":`
	}
	text, _ := json.Marshal(name) // a string always marshals
	return string(text) + ":"
}

// send writes a property as it stands in a record: as one of the types that
// fieldKind aValue knows, which those of columns need not be.
func (g *generator) send(v *plan.Var, p *edm.Property) {
	plain := !p.JSON && !p.Minor && !p.Nanos && !isEnum(p) && !g.style.Quotes(p.Type)
	switch {
	case plain && (p.Type == edm.DateTimeOffset || p.Type == edm.String || p.Type == edm.Date || p.Type == edm.TimeOfDay):
		g.column(v, p)
		g.w(casts[p.Type.(edm.Primitive)])
	case plain && p.Type == edm.Single:
		g.w("to_json(")
		g.column(v, p)
		g.w(")")
	default:
		g.shown(v, p)
	}
}

// sendETag writes what the ETag is made of: to make its text costs as much as the rest
// of a small entity.
func (g *generator) sendETag(v *plan.Var) field {
	if t, _ := v.ETag().Type.(edm.Primitive); !t.IsInteger() {
		g.etag(v)
		return field{}
	}
	g.column(v, v.ETag())
	return field{as: anETag}
}

// sendOne writes an expanded entity.
func (g *generator) sendOne(x plan.Expand) field {
	g.w("(SELECT ")
	f := field{as: anEntity, of: g.record(x.Read.Var, &x.Read.Show)}
	g.page(x.Read)
	g.w(")")
	return f
}

// sendAll writes expanded entities.
func (g *generator) sendAll(x plan.Expand) field {
	g.w("ARRAY(SELECT ")
	f := field{as: entities, of: g.record(x.Read.Var, &x.Read.Show)}
	g.page(x.Read)
	g.w(")")
	return f
}

// sendPage writes a page of expanded entities, as relatedPage does.
func (g *generator) sendPage(v *plan.Var, x plan.Expand) field {
	r := *x.Read
	row := g.name(r.Var) + "j"
	g.w("(SELECT ROW(array_agg(j), CASE WHEN count(*) = ", strconv.Itoa(r.Limit), " AND EXISTS (")
	g.rowAt(&r, r.Limit, func() { g.w("1") })
	g.w(") THEN ")
	g.nextURL(v, &r)
	g.w(" END) FROM (SELECT ")
	f := field{as: aPage, of: g.record(r.Var, &r.Show), next: labelOf(x.Name + "@odata.nextLink")}
	g.w(" AS j")
	r.More = false
	g.page(&r)
	g.w(") ", row, ")")
	return f
}
