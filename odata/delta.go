package odata

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// writeLink ends a collection with a link to a further page or to later changes.
func writeLink(b *bufio.Writer, name, address string) {
	_, _ = b.WriteString(`,"@odata.` + name + `":` + quote(address))
}

// getDelta answers what has changed since a delta link was made (Protocol 4.01,
// section 11.3.2).
func (q *request) getDelta(ctx context.Context, t *target) error {
	for option := range q.query.Given {
		switch option {
		case "$filter", "$select", "$format", "$schemaversion", "$deltatoken":
		case "$count":
			return fault.New(fault.NotImplemented, "$count with $deltatoken is not served").At(option)
		default:
			return fault.Newf(fault.Invalid, "%s does not go with $deltatoken: follow the delta link as it is", option).At(option)
		}
	}
	r, err := q.collection(t)
	if err != nil {
		return err
	}
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
	_, _ = b.WriteString("{") // the writer keeps its first error for Flush
	if q.format.metadata != "none" {
		_, _ = b.WriteString(`"@odata.context":"` + q.contextURL(d.t.set.Name, q.shown(d.read), false) + `/$delta",`)
	}
	_, _ = b.WriteString(`"value":[`)
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

// removed is the representation of an entity that is no longer in the result,
// which is another in OData 4.0 than in 4.01 (JSON Format 4.01, section 15.3).
// Callers whose access is restricted are not told whether it is deleted or out
// of their sight: what they may not see is as if it were not there.
func (d *deltaPage) removed() []byte {
	reason := "changed"
	if d.gone && d.read.Var.Access == nil {
		reason = "deleted"
	}
	if d.q.version == "4.0" {
		text, _ := json.Marshal(map[string]string{ // strings always marshal
			"@odata.context": "#" + d.t.set.Name + "/$deletedEntity", "id": d.id(), "reason": reason,
		})
		return text
	}
	id, _ := json.Marshal(d.id())
	b := []byte(`{"@removed":{"reason":"` + reason + `"},"@id":` + string(id))
	for i, k := range d.t.set.Type.Key {
		name, _ := json.Marshal(k.Name)
		value := []byte(d.key[i])
		if p, ok := k.Type.(edm.Primitive); !ok || !p.IsNumeric() && p != edm.Boolean {
			value, _ = json.Marshal(d.key[i])
		}
		b = append(append(append(append(b, ','), name...), ':'), value...)
	}
	return append(b, '}')
}

// id is the id of the entity scanned.
func (d *deltaPage) id() string {
	parts := make([]string, len(d.key))
	for i, k := range d.t.set.Type.Key {
		parts[i] = d.key[i]
		if k.Type == edm.String {
			parts[i] = url.PathEscape(uri.Quote(d.key[i]))
		}
		if len(parts) > 1 {
			parts[i] = k.Name + "=" + parts[i]
		}
	}
	return d.q.root() + d.t.set.Name + "(" + strings.Join(parts, ",") + ")"
}
