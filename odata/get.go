package odata

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

func (q *request) get(t *target) error {
	return q.within(func(ctx context.Context) error {
		switch {
		case q.query.Given["$id"]:
			return fault.New(fault.Invalid, "$id applies to $entity, and to the removal of references").At("$id")
		case t.isProperty():
			return q.getProperty(ctx, t)
		case t.single:
			return q.getEntity(ctx, t)
		case t.count:
			return q.getCount(ctx, t)
		}
		return q.getCollection(ctx, t)
	})
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
	r.Tag, r.Show.Ref = true, t.ref
	if err := q.checkReference(t); err != nil {
		return err
	}
	contextURL := contextOf(t.set.Name, q.shown(r), true)
	if t.ref {
		contextURL = "$metadata#$ref"
	}
	p := q.prepareEntity(ctx, t, r, contextURL)
	q.keep(p)
	return q.answerEntity(ctx, p)
}

// answerEntity answers with the entity of p.
func (q *request) answerEntity(ctx context.Context, p *read) error {
	text, tag, found, err := q.row(ctx, p)
	switch {
	case err != nil:
		return err
	case !found && p.kept && p.target.link != nil:
		return errAnew
	case !found:
		return q.missing(ctx, p.target)
	}
	if done, err := q.conditional(tag); done || err != nil {
		return err
	}
	q.appliedToEntities()
	q.sendEntity(http.StatusOK, q.root()+p.context, text)
	return nil
}

// readEntity reads the entity of r as JSON with its ETag, "" if it has none. For
// HEAD the ETag is enough.
func (q *request) readEntity(ctx context.Context, r *plan.Read) (text []byte, tag string, found bool, err error) {
	return q.row(ctx, q.prepareEntity(ctx, nil, r, ""))
}

// prepareEntity makes the statement of the entity of r, for row.
func (q *request) prepareEntity(ctx context.Context, t *target, r *plan.Read, context string) *read {
	if q.Method == http.MethodHead {
		return q.prepare(ctx, t, r, context, sqlgen.Tag)
	}
	return q.prepare(ctx, t, r, context, sqlgen.Select)
}

func (q *request) row(ctx context.Context, r *read) (text []byte, tag string, found bool, err error) {
	head := q.Method == http.MethodHead
	rows, err := r.rows(ctx)
	if err != nil {
		return nil, "", false, err
	}
	defer rows.Close()
	var body sql.RawBytes
	var etag sql.NullString
	columns := []any{&body, &etag}
	if head {
		columns = columns[1:]
	}
	if rows.Next() {
		found = true
		if err = rows.Scan(columns...); err == nil {
			text = append(text, body...)
		}
	}
	if err == nil {
		err = rows.Err()
	}
	return text, etag.String, found, err
}

// conditional answers a read of the entity with this ETag where its preconditions
// say so; done is false where it is to be answered as ever (Protocol 4.01, sections
// 8.2.4 and 8.2.5).
func (q *request) conditional(tag string) (done bool, err error) {
	q.tag(tag)
	match, none := q.Header.Get("If-Match"), q.Header.Get("If-None-Match")
	switch {
	case match != "" && match != "*" && !matches(match, tag):
		q.w.Header().Del("ETag")
		return true, fault.New(fault.PreconditionFailed, "the entity has changed since it was read").At("If-Match")
	case none == "*" || none != "" && matches(none, tag):
		q.w.WriteHeader(http.StatusNotModified)
		return true, nil
	}
	return false, nil
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
	q.begin(status)
	if q.Method == http.MethodHead {
		return
	}
	if q.format.metadata == "none" {
		text = append(text, '\n')
	} else {
		text = inContext(contextURL, text)
	}
	_, _ = q.w.Write(text) // a client that left needs no answer
}

// inContext gives the line of an entity's JSON with its context URL, in a piece:
// to buffer it on its way out costs more than to put it together.
func inContext(contextURL string, text []byte) []byte {
	const name = `{"@odata.context":`
	value := quote(contextURL)
	line := append(make([]byte, 0, len(name)+len(value)+len(text)+1), name...)
	line = append(line, value...)
	if len(text) > len("{}") {
		line = append(line, ',')
	}
	return append(append(line, text[1:]...), '\n')
}

// tag says the ETag of what the answer is about, "" if it has none.
func (q *request) tag(etag string) {
	if etag != "" {
		q.w.Header().Set("ETag", etag)
	}
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
	v := plan.Root(t.set.Type)
	r, err := q.binder().Collection(v, q.query)
	if err != nil {
		return nil, err
	}
	if err := q.filter(t, v, r); err != nil {
		return nil, err
	}
	q.shape(&r.Show)
	r.Show.Ref = t.ref
	if err := q.checkReference(t); err != nil {
		return nil, err
	}
	return r, q.linkTo(t, r)
}

// ofCount are the options that apply to /$count.
var ofCount = map[string]bool{"$filter": true, "$apply": true, "$search": true, "$compute": true, "$format": true, "$schemaversion": true}

func (q *request) getCount(ctx context.Context, t *target) error {
	if q.query.DeltaToken != "" {
		return fault.New(fault.NotImplemented, "/$count with $deltatoken is not served").At("$deltatoken")
	}
	for _, option := range q.query.Names() {
		if !ofCount[option] {
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
	if q.Method == http.MethodHead {
		q.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
		return nil
	}
	p := q.prepare(ctx, t, r, "", sqlgen.Count)
	if t.link == nil {
		q.keep(p)
	}
	return q.answerCount(ctx, p)
}

// answerCount answers with the number that p reads.
func (q *request) answerCount(ctx context.Context, p *read) error {
	q.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	rows, err := p.rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	var n int64
	if rows.Next() {
		err = rows.Scan(&n)
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		return err
	}
	_, err = io.WriteString(q.w, strconv.FormatInt(n, 10))
	return gone(err)
}

func (q *request) getCollection(ctx context.Context, t *target) error {
	if q.query.DeltaToken != "" && q.query.SkipToken == "" {
		return q.getDelta(ctx, t)
	}
	r, err := q.collection(t)
	if err != nil {
		return err
	}
	q.appliedToCollection()
	tracking, err := q.track(ctx, t, r) // before it is read, so that nothing is missed
	if err != nil {
		return err
	}
	if q.Method == http.MethodHead {
		return q.headCollection(ctx, t)
	}
	p := q.prepare(ctx, t, r, q.collectionContext(t, r), sqlgen.Select)
	if tracking == nil && q.query.DeltaToken == "" {
		q.keep(p)
	}
	return q.answerCollection(ctx, p, tracking)
}

// appliedToCollection says which preferences shaped the collection.
func (q *request) appliedToCollection() {
	q.appliedToEntities()
	q.applied("maxpagesize", strconv.Itoa(q.pageSize(q.s.Limits.PageSize)))
}

// answerCollection answers with the entities that x reads.
func (q *request) answerCollection(ctx context.Context, x *read, tracking *tracking) error {
	t, r := x.target, x.page
	rows, err := x.rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	p := newPage(r)
	any, err := p.next(rows)
	if err != nil {
		return err
	}
	if !any && x.kept && (t.link != nil || r.Count) {
		return errAnew
	}
	if x.kept {
		q.appliedToCollection()
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
	if err := q.stream(x, p, rows, any, tracking); err != nil {
		// The answer has begun: only cutting it off tells the client.
		q.s.Log.ErrorContext(ctx, "a read broke off", "path", q.URL.Path, "error", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// headCollection answers HEAD: nothing that only the body needs is read.
func (q *request) headCollection(ctx context.Context, t *target) error {
	if t.link != nil {
		if err := q.mustExist(ctx, t.link); err != nil {
			return err
		}
	}
	q.begin(http.StatusOK)
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

// buffers are idle ones: to make them anew costs as much as a short answer.
var buffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 32<<10) }}

// stream writes the collection, from the row already scanned on.
func (q *request) stream(x *read, p *page, rows *sql.Rows, any bool, w *tracking) error {
	b := buffers.Get().(*bufio.Writer)
	b.Reset(q.w)
	defer func() {
		b.Reset(nil)
		buffers.Put(b)
	}()
	_, _ = b.WriteString("{") // the writer keeps its first error for Flush
	if q.format.metadata != "none" {
		_, _ = b.WriteString(`"@odata.context":` + quote(q.root()+x.context) + ",")
	}
	if x.page.Count {
		_, _ = b.WriteString(`"@odata.count":` + q.number(p.count) + ",")
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
	switch {
	case p.more:
		r, err := q.pageOf(x)
		if err != nil {
			return err
		}
		writeLink(b, "nextLink", q.nextLink(r, p, w))
	case w != nil:
		writeLink(b, "deltaLink", q.link(w.token.String()))
	}
	_, _ = b.WriteString("}\n")
	return gone(b.Flush())
}

// nextLink is this request's URL with the place of the next page in it.
func (q *request) nextLink(r *plan.Read, p *page, w *tracking) string {
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
		case "", "skip", "skiptoken", "deltatoken":
		default:
			parts = append(parts, pair)
		}
	}
	parts = append(parts, "$skiptoken="+r.Token(after))
	if w != nil { // the changes that are followed begin at the first page
		parts = append(parts, "$deltatoken="+w.token.String())
	}
	return strings.TrimSuffix(q.root(), q.s.Prefix+"/") + q.URL.EscapedPath() + "?" + strings.Join(parts, "&")
}

// collectionContext is the context URL, below the service root, of a collection of
// entities, or of references to them (Protocol 4.01, sections 10.2, 10.7, 10.9 and 10.11).
func (q *request) collectionContext(t *target, r *plan.Read) string {
	if t.ref {
		return "$metadata#Collection($ref)"
	}
	return contextOf(t.set.Name, q.shown(r), false)
}

// number is an Int64 as JSON.
func (q *request) number(n int64) string {
	text := strconv.FormatInt(n, 10)
	if q.format.strings {
		return `"` + text + `"`
	}
	return text
}

// shown is the select list of a context URL (Protocol 4.01, sections 10.7 to
// 10.10): "(ID,Name,Lead())", or "" where all is shown.
func (q *request) shown(r *plan.Read) string {
	list := q.selectList(&r.Show)
	if list == "" {
		return ""
	}
	return "(" + list + ")"
}

func (q *request) selectList(show *plan.Projection) string {
	return strings.Join(q.selectItems(show), ",")
}

func (q *request) selectItems(show *plan.Projection) []string {
	if show.Shapes != nil {
		return q.commonItems(show.Shapes)
	}
	var parts []string
	for i := range show.Nested {
		parts = append(parts, show.Nested[i].Name+"("+q.selectList(&show.Nested[i].Show)+")")
	}
	if show.All {
		parts = append(parts, computed(show)...)
	} else {
		for _, p := range show.Props {
			parts = append(parts, p.Name)
		}
		for _, c := range show.Computed {
			parts = append(parts, c.Name)
		}
		parts = append(parts, show.Dynamics...)
		parts = append(parts, show.Navs...)
	}
	for _, x := range show.Expand {
		nested := &x.Read.Show
		if q.version != "4.0" || !nested.All || len(nested.Expand) > 0 {
			parts = append(parts, x.Name+"("+q.selectList(nested)+")")
		}
	}
	return parts
}
