package server

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"leadloop/feedback"
	"leadloop/leads"
	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
	"leadloop/store"
)

// measure is set by `make bench`: measuring takes minutes.
var measure = flag.Bool("measure", false, "measure against hand-written code, print the ratios, and fail where they are below what is expected")

// only leaves out most of it while one works on one thing.
var only = flag.String("only", "", "of what -measure compares, only the readings whose names match this regular expression")

// TestMeasure compares the whole HTTP handler with what one would write by hand
// for the same requests, on the same database in the same process. On SQLite the
// ratios must be what is expected; those on PostgreSQL are shown.
func TestMeasure(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	t.Run("sqlite", func(t *testing.T) {
		b := newBench(t, store.SQLite)
		for _, r := range b.readings(t) {
			if regexp.MustCompile(*only).MatchString(r.name) {
				b.contest(t, r).run(t, t.Output())
			}
		}
		if *only == "" {
			b.stream(t)
		}
		for _, c := range slices.Concat(b.customersReads(t), b.writes(t)) {
			if regexp.MustCompile(*only).MatchString(c.name) {
				c.run(t, t.Output())
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		b := newBench(t, store.Postgres)
		for _, r := range b.readings(t) {
			if !regexp.MustCompile(*only).MatchString(r.name) {
				continue
			}
			c := b.contest(t, r)
			for i := range c.entrants {
				c.entrants[i].expected = 0
			}
			c.run(t, t.Output())
		}
	})
}

// writes are the writes that are compared, and what is to be quick for them.
func (b *bench) writes(t *testing.T) []contest {
	return []contest{
		{name: "POST Feedback, 64 clients", entrants: []entrant{
			{name: "leadloop", run: b.post(b.app.Handler())},
			{name: "one transaction a request", run: b.post(b.behind(b.oneByOne(t))), expected: 5},
			{name: "leadloop, storing nothing", run: b.post(b.storingNothing()), expected: 0.45},
		}},
		{name: "check of a key", entrants: []entrant{{name: "leadloop", run: b.check()}}, most: 5 * time.Microsecond},
		{name: "SubmitFeedback, an item of 1,000", most: time.Second / 20_000, entrants: []entrant{
			{name: "leadloop", run: func(n int) { b.submit(b.app.Handler())(n * feedback.MaxReports) }, each: feedback.MaxReports},
		}},
		{name: "parse and bind, ten terms", entrants: []entrant{{name: "leadloop", run: b.bind(t)}}},
	}
}

// customersReads are reads by a customer's key, beside those by staff that give the
// same properties of the same entities.
func (b *bench) customersReads(t *testing.T) []contest {
	const properties = "?$select=ID,FirstName,LastName,Phone,City,Campaign,ReceivedAt"
	customer := fmt.Sprintf("CustomerID%%20eq%%20%d", b.customer)
	var list []contest
	for _, r := range []struct{ name, path, staff string }{
		{"GET Leads?$top=100", "Leads" + properties + "&$top=100", "Leads" + properties + "&$top=100"},
		{"… $filter, $orderby", "Leads" + properties + "&$top=100&" + filter, "Leads" + properties + "&$top=100&" + filter},
		{"GET Leads(ID)", "Leads(" + leadID(benchLeads/2) + ")" + properties, "Leads(" + leadID(benchLeads/2) + ")" + properties},
		{"GET Routings?$top=100", "Routings?$select=ID,LeadID,State,ReasonID&$top=100", "Routings?$select=ID,LeadID,State,ReasonID&$top=100&$filter=" + customer},
	} {
		ours, staffs := b.body(b.app.Handler(), b.asCustomer(), "/odata/"+r.path), b.body(b.app.Handler(), b.asStaff(), "/odata/"+r.staff)
		if strings.Count(ours, `"ID":`) == 0 || strings.Count(ours, `"ID":`) != strings.Count(staffs, `"ID":`) {
			t.Fatalf("%s: the customer gets %.300s, staff %.300s", r.name, ours, staffs)
		}
		list = append(list, contest{name: r.name + ", by a customer's key", entrants: []entrant{
			{name: "a customer's key", run: b.get(b.app.Handler(), b.asCustomer(), "/odata/"+r.path)},
			{name: "staff's token", run: b.get(b.app.Handler(), b.asStaff(), "/odata/"+r.staff), expected: 1 / 1.15},
		}})
	}
	return list
}

// reading is one read done in several ways, ours first.
type reading struct {
	name, path string
	mark       string // is in each answer as often as there are entities; "": the answers are the same
	ways       []way
}

// way is one way to answer a reading.
type way struct {
	name     string
	handler  http.Handler
	path     string // where it is not that of the reading
	expected float64
}

const filter = "$filter=City%20eq%20'Haifa'%20and%20ReceivedAt%20ge%202026-01-01T00:00:00Z&$orderby=ReceivedAt%20desc"

// readings are the reads that are compared.
func (b *bench) readings(t *testing.T) []reading {
	const byID = `"ID":`
	const where = "WHERE city = 'Haifa' AND received_at >= '2026-01-01T00:00:00.000000Z' ORDER BY received_at DESC, id"
	ours, h := way{name: "leadloop", handler: b.app.Handler()}, b.byHand()
	byHand := func(handler http.Handler) way {
		return way{name: "database/sql, structs, encoding/json", handler: b.behind(handler), expected: 1}
	}
	byGORM := func(name string, handler http.Handler, expected float64) way {
		return way{name: "GORM " + name + ", encoding/json", handler: b.behind(handler), expected: expected}
	}
	return []reading{
		{"GET Leads?$top=100", "/odata/Leads?$top=100", byID, []way{ours, byHand(h.leads("ORDER BY id")), byGORM("Find", b.byGORM("ORDER BY id"), 1)}},
		{"… three columns", "/odata/Leads?$top=100&$select=ID,Phone,City", byID, []way{ours, byHand(h.contacts())}},
		{"… $filter, $orderby", "/odata/Leads?$top=100&" + filter, byID, []way{ours, byHand(h.leads(where)), byGORM("Find", b.byGORM(where), 1)}},
		{"GET Leads(ID)", "/odata/Leads(" + leadID(benchLeads/2) + ")", byID, []way{ours, byHand(h.lead())}},
		{"GET Leads/$count", "/odata/Leads/$count", "", []way{ours, byHand(h.count("SELECT count(*) FROM leads"))}},
		{
			"… $expand of two levels, 50 leads", "/odata/Leads?$top=50&$expand=Routings($expand=Feedback)", byID,
			[]way{ours, byHand(h.tree()), byGORM("Preload", b.byPreload(), 3)},
		},
		{
			"… $apply: groups of leads", "/odata/Leads?$apply=groupby((City),aggregate($count%20as%20N,ReceivedAt%20with%20max%20as%20Last))", `"N":`,
			[]way{ours, byHand(h.groups("SELECT city, count(*), max(received_at) FROM leads GROUP BY city"))},
		},
		{
			"… $apply: of routings, by their lead", "/odata/Routings?$apply=groupby((Lead/City),aggregate($count%20as%20N,CreatedAt%20with%20max%20as%20Last))", `"N":`,
			[]way{ours, byHand(h.groups("SELECT l.city, count(*), max(r.created_at) FROM routings r JOIN leads l ON l.id = r.lead_id GROUP BY l.city"))},
		},
		b.deepPage(t, h),
	}
}

// deepPage is the 500th page of 100, beside the first.
func (b *bench) deepPage(t *testing.T, h *hand) reading {
	const first, page = "/odata/Leads?$orderby=ReceivedAt", 500
	handler := b.withPages(100)
	path := first
	for range page - 1 {
		_, link, ok := strings.Cut(b.body(handler, b.asStaff(), path), `"@odata.nextLink":"http://example.com`)
		if !ok {
			t.Fatal("a page without a next link")
		}
		path, _, _ = strings.Cut(strings.ReplaceAll(link, `\u0026`, "&"), `"`)
	}
	const at = "2026-01-01T13:51:39.000000Z" // of the last lead on the page before
	last := leadID((page-1)*100 - 1)
	if want := leadID((page - 1) * 100); !strings.Contains(b.body(handler, b.asStaff(), path), want) {
		t.Fatalf("the page is not the %dth: it lacks %s", page, want)
	}
	return reading{"the 500th page of 100", path, `"ID":`, []way{
		{name: "leadloop", handler: handler},
		{name: "leadloop, the first page", handler: handler, path: first, expected: 1},
		{
			name: "database/sql, structs, encoding/json", expected: 1,
			handler: b.behind(h.leads("WHERE (received_at, id) > ($1, $2) ORDER BY received_at, id", at, last)),
		},
	}}
}

// withPages is our handler with pages of another size.
func (b *bench) withPages(size int) http.Handler {
	app := *b.app
	o := app.OData.Options
	o.Limits.PageSize = size
	app.OData = odata.New(o)
	app.addSets()
	must(app.OData.Build())
	return app.Handler()
}

// contest makes sure that all give the same entities.
func (b *bench) contest(t *testing.T, r reading) contest {
	t.Helper()
	c := contest{name: r.name}
	var want string
	for i, w := range r.ways {
		if w.path == "" {
			w.path = r.path
		}
		got := b.body(w.handler, b.asStaff(), w.path)
		if r.mark != "" {
			got = fmt.Sprint(strings.Count(got, r.mark))
		}
		if i == 0 {
			want = got
		}
		if got != want || got == "0" {
			t.Fatalf("%s: %s gives %.200s, %s %.200s", r.name, w.name, got, r.ways[0].name, want)
		}
		c.entrants = append(c.entrants, entrant{name: w.name, run: b.get(w.handler, b.asStaff(), w.path), expected: w.expected})
	}
	return c
}

// behind puts a handler behind what stands before the OData service: the log,
// the router's work and the check of the key.
func (b *bench) behind(h http.Handler) http.Handler { return b.app.logged(b.app.authenticate(h)) }

// sink takes an answer in and forgets it.
type sink struct {
	header http.Header
	status int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

func (b *bench) do(h http.Handler, method, path string, header http.Header, body []byte, want int) {
	// As with net/http's own server, whose requests end when the client leaves.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := httptest.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	r.Header = header
	w := &sink{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	if w.status != want {
		panic(fmt.Sprintf("%s %s: %d", method, path, w.status))
	}
}

// asStaff is the header of the staff's requests.
func (b *bench) asStaff() http.Header {
	return http.Header{"Authorization": {"Bearer " + b.token}}
}

// asCustomer is the header of requests with the first customer's key.
func (b *bench) asCustomer() http.Header {
	return http.Header{"X-Api-Key": {b.key}}
}

// get is n reads, one after the other.
func (b *bench) get(h http.Handler, header http.Header, path string) func(n int) {
	return func(n int) {
		for range n {
			b.do(h, http.MethodGet, path, header, nil, http.StatusOK)
		}
	}
}

// body is the answer to one read.
func (b *bench) body(h http.Handler, header http.Header, path string) string {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	text, err := io.ReadAll(w.Result().Body)
	must(err)
	return string(text)
}

// check is n checks of a key that was used before.
func (b *bench) check() func(n int) {
	here := netip.MustParseAddr("127.0.0.1")
	return func(n int) {
		for range n {
			_, err := b.app.Keys.Authenticate(context.Background(), b.key, nil, here)
			must(err)
		}
	}
}

// bind parses and binds a filter of ten terms, which is expected to take less than 8 µs.
func (b *bench) bind(t *testing.T) func(n int) {
	const filter = "City eq 'Haifa' and Budget gt 1000 and IsTest eq false and State eq 'routed' and Phone ne null and " +
		"contains(Email,'example') and ReceivedAt ge 2026-01-01T00:00:00Z and Campaign in ('Winter','Summer') and not (UtmSource eq 'x') and SourceID eq null"
	s, err := edm.StructOf(leads.Lead{})
	if err != nil {
		t.Fatal(err)
	}
	return func(n int) {
		for range n {
			e, err := uri.ParseExpr(filter, "$filter", uri.Limits{})
			must(err)
			binder := plan.Binder{Limits: plan.DefaultLimits} // one a request: it counts what that costs
			_, err = binder.Bind(e, plan.Root(s), "$filter", nil, edm.Boolean)
			must(err)
		}
	}
}
