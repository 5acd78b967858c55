package odata

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// read is a prepared read on behalf of one request.
type read struct {
	*prepared
	db   *gorm.DB
	args []any
	kept bool // the plan is that of an earlier request
}

func (r *read) rows(ctx context.Context) (*sql.Rows, error) {
	return r.db.Statement.ConnPool.QueryContext(ctx, r.statement.SQL, r.args...)
}

// errAnew says that a plan kept does not do for a request, of which nothing was
// answered yet.
var errAnew = errors.New("odata: this read has to be planned")

// shapeOf is the shape of the read of a path, nil where plans for such are not
// kept. All that a plan depends on is in its key, but for what its conditions
// tell.
func (q *request) shapeOf(path string) *uri.Shape {
	if _, tracks := q.prefers["track-changes"]; q.s.plans == nil || q.Method != http.MethodGet || tracks {
		return nil
	}
	head := make([]byte, 0, 256)
	head = append(append(head, q.version...), 0)
	head = strconv.AppendInt(head, int64(q.pageSize(q.s.Limits.PageSize)), 10)
	head = append(strconv.AppendBool(append(head, 0), q.omitNulls), 0)
	head = append(append(head, q.Header.Get("Accept")...), 0)
	if strings.Count(string(head), "\x00") != 4 {
		return nil
	}
	return uri.NewShape(head, path, q.URL.RawQuery, q.s.Limits.Expr)
}

// fromPlan answers by a plan that was kept; done is false where there is none.
func (q *request) fromPlan(path string) (done bool, err error) {
	if q.kind = q.shapeOf(path); q.kind == nil {
		return false, nil
	}
	v := &plan.Values{Literals: q.kind.Literals, Access: q.access, Now: q.now(), Root: q.root()}
	var query *uri.Query // where it matters whether a token is of this query
	if q.kind.Token != "" {
		var ok bool
		if v.Token, ok = plan.ParseSkipToken(q.kind.Token); ok {
			query, _ = uri.ParseQuery(q.URL.RawQuery, q.s.Limits.Expr)
		}
	}
	for _, p := range q.s.plans.find(q.kind.Key) {
		if q.kind.Token != "" && (query == nil || !p.page.Follows(v.Token, query)) || !p.conditions.Fit(v) {
			continue
		}
		args, ok := p.statement.For(p.dialect, v)
		if !ok {
			continue
		}
		q.format = p.format
		err := q.within(func(ctx context.Context) error {
			r := &read{p, q.s.Read(ctx), args, true}
			if dialect(r.db) != p.dialect {
				return errAnew
			}
			return q.answer(ctx, r)
		})
		if err != errAnew {
			q.s.plans.hits.Add(1)
			return true, err
		}
		break
	}
	q.s.plans.misses.Add(1)
	q.lifts = plan.NewLifts(q.kind)
	return false, nil
}

// answer answers with what r reads.
func (q *request) answer(ctx context.Context, r *read) error {
	switch t := r.target; {
	case t.single:
		return q.answerEntity(ctx, r)
	case t.count:
		return q.answerCount(ctx, r)
	}
	return q.answerCollection(ctx, r, nil)
}

// prepare makes the statement of r, the read of t, whose context URL is context
// below the service root.
func (q *request) prepare(ctx context.Context, t *target, r *plan.Read, context string, build func(sqlgen.Dialect, *plan.Read) sqlgen.Statement) *read {
	db := q.s.Read(ctx)
	p := &prepared{target: t, page: r, format: q.format, context: context, dialect: dialect(db)}
	p.statement = build(p.dialect, r)
	return &read{p, db, p.statement.Args, false}
}

// keep keeps the plan of r for requests to come.
func (q *request) keep(r *read) {
	if q.lifts == nil {
		return
	}
	conditions, ok := q.lifts.Conditions(r.statement.Reads)
	q.lifts = nil // what else this request does is no part of the plan
	if !ok {
		return
	}
	p := *r.prepared
	p.conditions, p.page, p.statement = conditions, p.page.Page(), p.statement.Lifted()
	t := r.target
	p.target = &target{set: t.set, single: t.single, keyed: t.keyed, count: t.count, ref: t.ref}
	if t.link != nil {
		p.target.link = &target{}
	}
	p.size = p.statement.Size() + conditions.Size() + len(p.context) + 512
	q.s.plans.add(q.kind.Key, &p)
}

// within runs f with the time that a read may take.
func (q *request) within(f func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(q.Context(), q.s.Limits.Statement)
	defer cancel()
	err := f(ctx)
	if err != nil && ctx.Err() == context.DeadlineExceeded {
		// Drivers report an interrupted statement each in their own way.
		return context.DeadlineExceeded
	}
	return err
}

// seen is what the caller may see of a set.
type seen struct {
	set *edm.EntitySet
	p   Predicate
	err error
}

// access asks a set what the caller may see of it, in a read once.
func (q *request) access(es *edm.EntitySet) (Predicate, error) {
	if q.kind == nil {
		return q.see(q.s.sets[es.Name])
	}
	for i := range q.seen {
		if q.seen[i].set == es {
			return q.seen[i].p, q.seen[i].err
		}
	}
	p, err := q.see(q.s.sets[es.Name])
	q.seen = append(q.seen, seen{es, p, err})
	return p, err
}

// see asks x what the caller may see of it, and in which languages.
func (q *request) see(x *set) (Predicate, error) {
	p, err := x.access(q.Context())
	if err != nil || x.languages == nil {
		return p, err
	}
	if p.Languages, err = x.languages(q.Context(), strings.Join(q.Header.Values("Accept-Language"), ",")); err != nil {
		return p, err
	}
	h := q.w.Header()
	if vary := h.Get("Vary"); !strings.Contains(vary, "Accept-Language") {
		h.Set("Vary", vary+", Accept-Language")
	}
	if len(p.Languages) > 0 {
		h.Set("Content-Language", p.Languages[0])
	}
	return p, nil
}

// now is the time that now() gives.
func (q *request) now() time.Time { return q.s.Now().UTC().Truncate(time.Microsecond) }

// pageOf is r's page for this request: a plan that was kept does not know its
// literals, which skip tokens go by.
func (q *request) pageOf(r *read) (*plan.Read, error) {
	if !r.kept {
		return r.page, nil
	}
	query, err := uri.ParseQuery(q.URL.RawQuery, q.s.Limits.Expr)
	if err != nil {
		return nil, err
	}
	return r.page.Under(query), nil
}
