package odata

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
)

// tracking is what following the changes of a collection takes.
type tracking struct {
	changes *plan.Changes
	token   deltaToken
}

// trackable are the query options under which changes can be followed.
var trackable = map[string]bool{
	"$filter": true, "$select": true, "$format": true, "$deltatoken": true, "$schemaversion": true,
	"$orderby": true, "$top": true, "$skip": true, "$skiptoken": true, "$count": true,
}

// track begins to follow the changes of the collection r, or goes on with it
// on a further page, where the client prefers that and it can be done; tracking
// is nil otherwise (Protocol 4.01, section 11.3).
func (q *request) track(ctx context.Context, t *target, r *plan.Read) (*tracking, error) {
	if _, preferred := q.prefers["track-changes"]; !preferred && q.query.DeltaToken == "" {
		return nil, nil
	}
	w, err := q.tracked(t, r)
	if w == nil || err != nil {
		return nil, err
	}
	if q.query.DeltaToken != "" {
		err = q.readToken(w)
	} else {
		var m marks
		m, err = q.marks(ctx, t)
		w.token.Since = m.now
	}
	if err == nil {
		q.applied("track-changes", "")
	}
	return w, err
}

// tracked prepares for the changes of r to be followed; nil where they cannot be.
func (q *request) tracked(t *target, r *plan.Read) (*tracking, error) {
	if t.set.log == nil || t.link != nil || q.Method != http.MethodGet && q.Method != http.MethodHead {
		return nil, nil
	}
	if q.format.metadata == "none" || t.ref {
		return nil, nil // a delta needs control information, and whole entities
	}
	for _, option := range q.query.Names() {
		if !trackable[option] {
			return nil, nil
		}
	}
	access, err := t.set.access(q.Context())
	if err != nil {
		return nil, err
	}
	shape, whole := q.deltaShape()
	if !whole || timely(shape) || timely(access.Expr) {
		return nil, nil // a link would not say all, or rows come and go by the clock
	}
	c, err := q.binder().Track(r, t.set.log)
	if c == nil || err != nil {
		return nil, err
	}
	said := cmp.Or(access.Was, access.Expr) // with Was, Expr may be one of several ways to say the same
	return &tracking{changes: c, token: deltaToken{
		Version: deltaVersion, Query: digest(shape), Access: digest(said, fmt.Sprint(access.Args), fmt.Sprint(access.Hide)),
	}}, nil
}

// timely reports whether an expression may give another value without a change.
func timely(expr string) bool { return clock.MatchString(expr) }

var clock = regexp.MustCompile(`(?i)\bnow\s*\(`)

// marks is where a change log stands.
type marks struct {
	now       plan.Since
	end       int64 // after the last change that can be seen
	forgotten int64 // the last change forgotten
}

// maxFlight is how many transactions in flight a token names. Beyond that it
// leaves them out, and their neighbours come twice.
const maxFlight = 100

// marks tells where the log of t's set stands.
func (q *request) marks(ctx context.Context, t *target) (m marks, err error) {
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Marks(d, t.set.log) })
	if err != nil {
		return m, err
	}
	defer rows.Close()
	var flight sql.NullString
	if rows.Next() {
		err = rows.Scan(&m.now.From, &m.end, &m.forgotten, &flight)
	}
	if err == nil {
		err = rows.Err()
	}
	m.now.Known = m.now.From
	if numbers := strings.FieldsFunc(flight.String, func(c rune) bool { return c == ',' }); flight.Valid && len(numbers) <= maxFlight {
		m.now.Known = m.end
		for _, text := range numbers {
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return m, fmt.Errorf("a transaction in flight: %w", err)
			}
			m.now.Flight = append(m.now.Flight, n)
		}
	}
	return m, err
}
