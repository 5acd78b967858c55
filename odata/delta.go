package odata

import (
	"bufio"
	"context"
	"database/sql"
	"net/http"
	"strconv"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
)

// writeLink ends a collection with a link to a further page or to later changes.
func writeLink(b *bufio.Writer, name, address string) {
	_, _ = b.WriteString(`,"@odata.` + name + `":` + quote(address))
}

// getDelta answers what has changed since a delta link was made (Protocol 4.01,
// section 11.3.2).
func (q *request) getDelta(ctx context.Context, t *target) error {
	for _, option := range q.query.Names() {
		switch option {
		case "$filter", "$select", "$format", "$schemaversion", "$deltatoken":
		case "$count":
			return fault.New(fault.NotImplemented, "$count with $deltatoken is not served").At(option)
		default:
			return fault.Newf(fault.Invalid, "%s does not go with $deltatoken: follow the delta link as it is", option).At(option)
		}
	}
	if q.format.metadata == "none" { // JSON Format 4.01, section 3.1.3
		return fault.New(fault.NotAcceptable, "metadata=none does not go with $deltatoken").At("$deltatoken")
	}
	q.omitNulls = false // what became null is shown (Protocol 4.01, section 8.2.8.6)
	r, err := q.collection(t)
	if err != nil {
		return err
	}
	q.appliedToEntities()
	q.applied("maxpagesize", strconv.Itoa(q.pageSize(q.s.Limits.PageSize)))
	w, err := q.track(ctx, t, r)
	if err != nil {
		return err
	}
	if w == nil {
		return q.tooOld("changes cannot be followed for this request any more")
	}
	if err := q.placeDelta(ctx, t, r, w); err != nil {
		return err
	}
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Changes(d, r) })
	if err != nil {
		return err
	}
	defer rows.Close()
	d := newDeltaPage(q, t, r)
	any, err := d.next(rows)
	if err != nil {
		return err
	}
	q.begin(http.StatusOK)
	if q.Method == http.MethodHead {
		return nil
	}
	if err := q.streamDelta(d, w, rows, any); err != nil {
		q.s.Log.ErrorContext(ctx, "a read broke off", "path", q.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// placeDelta sets the bounds of the delta that r is to read.
func (q *request) placeDelta(ctx context.Context, t *target, r *plan.Read, w *tracking) error {
	m, err := q.marks(ctx, t)
	if err != nil {
		return err
	}
	token := &w.token
	switch {
	case token.Since.From <= m.forgotten:
		return q.tooOld("this delta link is too old: the changes since then are no longer known")
	case token.Since.From > m.end || token.Before > m.end:
		return q.tooOld("this delta link is from another database, or from before it was restored")
	case token.Began == nil:
		token.Began, token.Before = &m.now, m.end
	}
	w.changes.Since, w.changes.Before, w.changes.After = token.Since, token.Before, token.After
	r.Changes = w.changes
	return nil
}

// deltaPage scans the changes of one page.
type deltaPage struct {
	q       *request
	t       *target
	read    *plan.Read
	columns []any
	json    sql.RawBytes
	gone    bool
	place   plan.Change
	key     []string
	seen    map[string]bool // entities of this page
	rows    int
	more    bool
}

func newDeltaPage(q *request, t *target, r *plan.Read) *deltaPage {
	d := &deltaPage{q: q, t: t, read: r, key: make([]string, len(t.set.Type.Key)), seen: map[string]bool{}}
	d.columns = []any{&d.json, &d.gone, &d.place.N, &d.place.Seq}
	for i := range t.set.Type.Key {
		d.columns = append(d.columns, &d.key[i])
	}
	return d
}

// next scans the next change of an entity that this page does not show yet;
// false after the last. The change beyond the page is not scanned.
func (d *deltaPage) next(rows *sql.Rows) (bool, error) {
	for rows.Next() {
		if d.rows == d.read.Limit {
			d.more = true
			return false, nil
		}
		d.rows++
		if err := rows.Scan(d.columns...); err != nil {
			return false, err
		}
		if key := strings.Join(d.key, "\x00"); !d.seen[key] {
			d.seen[key] = true
			return true, nil
		}
	}
	return false, rows.Err()
}

// streamDelta writes the delta payload (JSON Format 4.01, section 15), from the
// change already scanned on.
func (q *request) streamDelta(d *deltaPage, w *tracking, rows *sql.Rows, any bool) error {
	b := bufio.NewWriterSize(q.w, 32<<10)
	context := q.contextURL(d.t.set.Name, q.shown(d.read)+"/$delta", false)
	_, _ = b.WriteString(`{"@odata.context":` + quote(context) + `,"value":[`) // the writer keeps its first error for Flush
	for n := 0; any; n++ {
		if n > 0 {
			_ = b.WriteByte(',')
		}
		d.write(b)
		var err error
		if any, err = d.next(rows); err != nil {
			return err
		}
	}
	_ = b.WriteByte(']')
	if d.more {
		w.token.After = &d.place
		writeLink(b, "nextLink", q.link(w.token.String()))
	} else {
		writeLink(b, "deltaLink", q.link(w.token.following().String()))
	}
	_, _ = b.WriteString("}\n")
	return gone(b.Flush())
}

// write writes the entity scanned, or that it is removed.
func (d *deltaPage) write(b *bufio.Writer) {
	switch {
	case d.json == nil:
		_, _ = b.Write(d.removed())
	default:
		_, _ = b.Write(d.json)
	}
}

// removed is the representation of the entity scanned, which is no longer in the
// result. Callers whose access is restricted are not told whether it is deleted
// or out of their sight: what they may not see is as if it were not there.
func (d *deltaPage) removed() []byte {
	reason := "changed"
	if d.gone && d.read.Var.Access == nil {
		reason = "deleted"
	}
	key := make([]string, len(d.key))
	for i, p := range d.t.set.Type.Key {
		key[i] = d.key[i]
		if t, ok := p.Type.(edm.Primitive); !ok || d.read.Style.Quotes(t) || !t.IsNumeric() && t != edm.Boolean {
			key[i] = quote(d.key[i])
		}
	}
	return d.q.removedEntity(d.t.set, payload.KeyPathOf(d.t.set.Type, d.key), key, reason)
}

// removedEntity is the representation of an entity of x that is removed from a
// result, which is another in OData 4.0 than in 4.01 (JSON Format 4.01, section
// 15.3). Key holds the JSON of its key's values.
func (q *request) removedEntity(x *set, path string, key []string, reason string) []byte {
	id := quote(q.root() + x.Name + path)
	if q.version == "4.0" {
		return []byte(`{"@odata.context":` + quote("#"+x.Name+"/$deletedEntity") + `,"id":` + id + `,"reason":"` + reason + `"}`)
	}
	text := `{"@removed":{"reason":"` + reason + `"},"@id":` + id
	for i, p := range x.Type.Key {
		text += "," + quote(p.Name) + ":" + key[i]
	}
	return []byte(text + "}")
}
