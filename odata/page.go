package odata

import (
	"bufio"
	"context"
	"database/sql"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
)

func (q *request) collection(t *target) (*plan.Read, error) {
	r, err := q.binder().Collection(plan.Root(t.set.Type), q.query, t.filters...)
	if err != nil {
		return nil, err
	}
	if err := q.checkReference(t, r); err != nil {
		return nil, err
	}
	q.shape(&r.Show)
	r.Show.Ref = t.ref
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
		return q.sendText("")
	}
	p := q.prepare(ctx, t, r, "", sqlgen.Count)
	if t.link == nil {
		q.keep(p)
	}
	return q.answerCount(ctx, p)
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
	of      *sqlgen.Statement
	read    *plan.Read
	columns []any
	column  sql.RawBytes
	json    []byte // of the entity in column; used again for the next
	count   int64
	terms   []sql.NullString
	rows    int
	more    bool
}

func newPage(x *read) *page {
	r := x.page
	p := &page{of: &x.statement, read: r}
	p.columns = append(p.columns, &p.column)
	if r.Count {
		p.columns = append(p.columns, &p.count)
	}
	if r.More && !p.of.HoldsTerms() {
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
	err := rows.Scan(p.columns...)
	if err == nil {
		p.json, err = p.of.AppendJSON(p.json[:0], p.column)
	}
	if err == nil && p.read.More && p.rows == p.read.Limit && p.of.HoldsTerms() {
		p.terms, err = p.of.Terms(p.column)
	}
	return true, err
}

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
	options := append(q.optionsBut("skip", "skiptoken", "deltatoken"), "$skiptoken="+r.Token(after))
	if w != nil { // the changes that are followed begin at the first page
		options = append(options, "$deltatoken="+w.token.String())
	}
	return q.address(options)
}

// optionsBut are the query options of the request as they were written, but
// without some, which drop names without $ and in lower case.
func (q *request) optionsBut(drop ...string) (options []string) {
	for pair := range strings.SplitSeq(q.URL.RawQuery, "&") {
		if name := optionOf(pair); name != "" && !slices.Contains(drop, name) {
			options = append(options, pair)
		}
	}
	return options
}

// optionOf is the name of the query option in name=value, without its $ and in
// lower case; that of an alias as it is.
func optionOf(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	if decoded, err := url.PathUnescape(name); err == nil {
		name = decoded
	}
	if strings.HasPrefix(name, "@") {
		return name
	}
	return strings.ToLower(strings.TrimPrefix(name, "$"))
}

// address is the request's URL with these query options.
func (q *request) address(options []string) string {
	address := strings.TrimSuffix(q.root(), q.s.Prefix+"/") + q.URL.EscapedPath()
	if len(options) > 0 {
		address += "?" + strings.Join(options, "&")
	}
	return address
}
