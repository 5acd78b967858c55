package odata

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

func (q *request) get(t *target) error {
	ctx, cancel := context.WithTimeout(q.Context(), q.s.Limits.Statement)
	defer cancel()
	var err error
	switch {
	case t.single:
		err = q.getEntity(ctx, t)
	case t.count:
		err = q.getCount(ctx, t)
	default:
		err = q.getCollection(ctx, t)
	}
	if overflows(err) {
		return fault.New(fault.Invalid, "a sum or another number of this answer is too large for its type")
	}
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		// Drivers report an interrupted statement each in their own way.
		return context.DeadlineExceeded
	}
	return err
}

// run runs a statement in the caller's read session.
func (q *request) run(ctx context.Context, build func(sqlgen.Dialect) sqlgen.Statement) (*sql.Rows, error) {
	db := q.s.Read(ctx)
	st := build(dialect(db))
	return db.Statement.ConnPool.QueryContext(ctx, st.SQL, st.Args...)
}

// one runs a statement and scans its only row; found is false if it has none.
func (q *request) one(ctx context.Context, into any, build func(sqlgen.Dialect) sqlgen.Statement) (found bool, err error) {
	rows, err := q.run(ctx, build)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if rows.Next() {
		found = true
		err = rows.Scan(into)
	}
	if err == nil {
		err = rows.Err()
	}
	return found, err
}

func (q *request) getEntity(ctx context.Context, t *target) error {
	r, err := q.entity(t, q.query)
	if err != nil {
		return err
	}
	q.shape(&r.Show)
	text, found, err := q.json(ctx, r)
	if err != nil {
		return err
	}
	if !found {
		return q.missing(ctx, t)
	}
	q.sendEntity(http.StatusOK, q.contextURL(t.set.Name, shown(r), true), text)
	return nil
}

// json reads the entity of r as JSON; found is false if there is none.
func (q *request) json(ctx context.Context, r *plan.Read) (text []byte, found bool, err error) {
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Select(d, r) })
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	if rows.Next() {
		var body sql.RawBytes
		found = true
		if err = rows.Scan(&body); err == nil {
			text = append(text, body...)
		}
	}
	return text, found, errors.Join(err, rows.Err())
}

// missing answers for a single entity that is not there: a single-valued
// navigation property of an entity that is there leads to null.
func (q *request) missing(ctx context.Context, t *target) error {
	if t.link != nil && !t.keyed {
		if err := q.mustExist(ctx, t.link); err != nil {
			return err
		}
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return notFound(t)
}

func notFound(t *target) error {
	return fault.Newf(fault.NotFound, "%s has no entity with this key", t.set.Name)
}

// mustExist returns NotFound unless the caller may see the entity t.
func (q *request) mustExist(ctx context.Context, t *target) error {
	r, err := q.entity(t, &uri.Query{})
	if err != nil {
		return err
	}
	var n int
	found, err := q.one(ctx, &n, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Exists(d, r) })
	if err == nil && !found {
		return notFound(t)
	}
	return err
}

// sendEntity sends an entity's JSON with its context, and its ETag as header.
func (q *request) sendEntity(status int, contextURL string, text []byte) {
	if tag := etagOf(text); tag != "" {
		q.w.Header().Set("ETag", tag)
	}
	q.begin(status)
	if q.Method == http.MethodHead {
		return
	}
	b := bufio.NewWriter(q.w)
	if q.format.metadata == "none" {
		_, _ = b.Write(text)
	} else {
		_, _ = b.WriteString(`{"@odata.context":` + quote(contextURL))
		if len(text) > 2 {
			_ = b.WriteByte(',')
		}
		_, _ = b.Write(text[1:])
	}
	_ = b.WriteByte('\n')
	_ = b.Flush() // a client that left needs no answer
}

// etagOf reads the ETag that an entity's JSON begins with.
func etagOf(text []byte) string {
	var e struct {
		ETag string `json:"@odata.etag"`
	}
	if !strings.HasPrefix(strings.ReplaceAll(string(text[:min(len(text), 20)]), " ", ""), `{"@odata.etag":`) || json.Unmarshal(text, &e) != nil {
		return ""
	}
	return e.ETag
}

// shape fits a projection to the representation asked for.
func (q *request) shape(show *plan.Projection) {
	if q.format.metadata == "none" {
		show.ETag, show.Types = false, false
	}
	for _, x := range show.Expand {
		q.shape(&x.Read.Show)
	}
	for i := range show.Nested {
		q.shape(&show.Nested[i].Show)
	}
	for i := range show.Shapes {
		q.shape(&show.Shapes[i].Show)
	}
}

func (q *request) collection(t *target) (*plan.Read, error) {
	r, err := q.binder().Collection(plan.Root(t.set.Type), q.query)
	if err != nil {
		return nil, err
	}
	q.shape(&r.Show)
	return r, q.linkTo(t, r)
}

func (q *request) getCount(ctx context.Context, t *target) error {
	for _, option := range q.query.Names() {
		if option != "$filter" && option != "$apply" && option != "$format" {
			return fault.Newf(fault.Invalid, "%s does not apply to /$count", option).At(option)
		}
	}
	r, err := q.collection(t)
	if err != nil {
		return err
	}
	if t.link != nil {
		if err := q.mustExist(ctx, t.link); err != nil {
			return err
		}
	}
	var n int64
	if _, err := q.one(ctx, &n, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Count(d, r) }); err != nil {
		return err
	}
	q.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	_, err = io.WriteString(q.w, strconv.FormatInt(n, 10))
	return gone(err)
}

func (q *request) getCollection(ctx context.Context, t *target) error {
	r, err := q.collection(t)
	if err != nil {
		return err
	}
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Select(d, r) })
	if err != nil {
		return err
	}
	defer rows.Close()
	p := newPage(r)
	any, err := p.next(rows)
	if err != nil {
		return err
	}
	if !any {
		if t.link != nil {
			if err := q.mustExist(ctx, t.link); err != nil {
				return err
			}
		}
		if r.Count { // no row to carry it
			if _, err := q.one(ctx, &p.count, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Count(d, r) }); err != nil {
				return err
			}
		}
	}
	q.begin(http.StatusOK)
	if q.Method == http.MethodHead {
		return nil
	}
	if err := q.stream(t, r, p, rows, any); err != nil {
		// The answer has begun: only cutting it off tells the client.
		q.s.Log.ErrorContext(ctx, "a read broke off", "path", q.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// page scans the rows of one page.
type page struct {
	read    *plan.Read
	columns []any
	json    sql.RawBytes
	count   int64
	terms   []sql.NullString
	rows    int
	more    bool
}

func newPage(r *plan.Read) *page {
	p := &page{read: r}
	p.columns = append(p.columns, &p.json)
	if r.Count {
		p.columns = append(p.columns, &p.count)
	}
	if r.More {
		p.terms = make([]sql.NullString, len(r.Order))
		for i := range p.terms {
			p.columns = append(p.columns, &p.terms[i])
		}
	}
	return p
}

// next scans the next row of the page; false after the last. The row beyond a
// page is not scanned, so that p.terms stay those of the page's last.
func (p *page) next(rows *sql.Rows) (bool, error) {
	if !rows.Next() {
		return false, rows.Err()
	}
	if p.rows == p.read.Limit && p.read.More {
		p.more = true
		return false, nil
	}
	p.rows++
	return true, rows.Scan(p.columns...)
}

// stream writes the collection, from the row already scanned on.
func (q *request) stream(t *target, r *plan.Read, p *page, rows *sql.Rows, any bool) error {
	b := bufio.NewWriterSize(q.w, 32<<10)
	_, _ = b.WriteString("{") // the writer keeps its first error for Flush
	if q.format.metadata != "none" {
		_, _ = b.WriteString(`"@odata.context":` + quote(q.contextURL(t.set.Name, shown(r), false)) + ",")
	}
	if r.Count {
		_, _ = b.WriteString(`"@odata.count":` + strconv.FormatInt(p.count, 10) + ",")
	}
	_, _ = b.WriteString(`"value":[`)
	for n := 0; any; n++ {
		if n > 0 {
			_ = b.WriteByte(',')
		}
		_, _ = b.Write(p.json)
		var err error
		if any, err = p.next(rows); err != nil {
			return err
		}
	}
	_ = b.WriteByte(']')
	if p.more {
		_, _ = b.WriteString(`,"@odata.nextLink":` + quote(q.nextLink(r, p)))
	}
	_, _ = b.WriteString("}\n")
	return gone(b.Flush())
}

// nextLink is this request's URL with the place of the next page in it.
func (q *request) nextLink(r *plan.Read, p *page) string {
	after := make([]*string, len(p.terms))
	for i := range p.terms {
		if p.terms[i].Valid {
			after[i] = &p.terms[i].String
		}
	}
	var parts []string
	for pair := range strings.SplitSeq(q.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.PathUnescape(name); err == nil {
			name = decoded
		}
		switch strings.ToLower(strings.TrimPrefix(name, "$")) {
		case "", "skip", "skiptoken":
		default:
			parts = append(parts, pair)
		}
	}
	parts = append(parts, "$skiptoken="+r.Token(after))
	return strings.TrimSuffix(q.root(), q.s.Prefix+"/") + q.URL.EscapedPath() + "?" + strings.Join(parts, "&")
}

// shown is the select list of a context URL (Protocol 4.01, section 10.7 and
// 10.8): "(ID,Name,Lead())", or "" where all is shown.
func shown(r *plan.Read) string {
	list := selectList(&r.Show)
	if list == "" {
		return ""
	}
	return "(" + list + ")"
}

func selectList(show *plan.Projection) string { return strings.Join(selectItems(show), ",") }

func selectItems(show *plan.Projection) []string {
	if show.Shapes != nil {
		return commonItems(show.Shapes)
	}
	var parts []string
	for i := range show.Nested {
		parts = append(parts, show.Nested[i].Name+"("+selectList(&show.Nested[i].Show)+")")
	}
	if show.All {
		parts = append(parts, computed(show)...)
	} else {
		for _, p := range show.Props {
			parts = append(parts, p.Name)
		}
		parts = append(parts, show.Dynamics...)
	}
	for _, x := range show.Expand {
		parts = append(parts, x.Name+"("+selectList(&x.Read.Show)+")")
	}
	return parts
}
