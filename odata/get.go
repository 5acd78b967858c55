package odata

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"

	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

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

// appliedToCollection says which preferences shaped the collection.
func (q *request) appliedToCollection() {
	q.appliedToEntities()
	q.applied("maxpagesize", strconv.Itoa(q.pageSize(q.s.Limits.PageSize)))
}

// buffers are idle ones: to make them anew costs as much as a short answer.
var buffers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 32<<10) }}

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
	if err := q.checkReference(t, r); err != nil {
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
			text, err = r.statement.AppendJSON(nil, body)
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

// answerCollection answers with the entities that x reads.
func (q *request) answerCollection(ctx context.Context, x *read, tracking *tracking) error {
	t, r := x.target, x.page
	rows, err := x.rows(ctx)
	if err != nil {
		return err
	}
	defer rows.Close()
	p := newPage(x)
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
