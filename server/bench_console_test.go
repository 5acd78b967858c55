package server

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"leadloop/store/storetest"
)

// TestMeasureConsole compares the first answer of the console's lists, and of
// Today, with the bare SQL of what they show, read and thrown away. The ratios are shown.
func TestMeasureConsole(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			b := newBench(t, dialect)
			must(b.app.Activity.Roll(t.Context()))
			page := b.browsing(t)
			for _, c := range []struct {
				path       string
				statements []string
			}{
				{"/console/leads", bareLeads},
				{"/console/today", bareToday},
			} {
				contest{name: "GET " + c.path, entrants: []entrant{
					{name: "leadloop", run: func(n int) {
						for range n {
							page(c.path)
						}
					}},
					{name: "its bare SQL", run: b.bare(c.statements)},
				}}.run(t, t.Output())
			}
		})
	}
}

// bareLeads is what the list of leads reads, and bareToday what Today does.
var (
	bareNames = []string{
		"SELECT id, name FROM sources ORDER BY name LIMIT 1001", "SELECT id, name FROM customers ORDER BY name LIMIT 1001",
		"SELECT id, name, names FROM feedback_reasons ORDER BY position, id LIMIT 1001", "SELECT * FROM saved_views WHERE list = 'leads' AND (shared OR user_id = 1)",
	}
	bareLeads = append([]string{
		`SELECT l.id, l.received_at, l.state, l.erased_at, l.first_name, l.last_name, l.phone, l.phone_raw, l.reason_id, s.name, g.state, c.name
		FROM (SELECT * FROM leads WHERE is_test = false ORDER BY received_at DESC, id DESC LIMIT 51) l LEFT JOIN sources s ON s.id = l.source_id
		LEFT JOIN routings g ON g.lead_id = l.id LEFT JOIN customers c ON c.id = g.customer_id ORDER BY l.received_at DESC, l.id DESC, g.id`,
	}, bareNames...)
	bareToday = append([]string{
		"SELECT hour, sum(leads), sum(unmatched), sum(routed), sum(delivered), sum(rejected), sum(failed), sum(parked), sum(answered), sum(reports) FROM activity WHERE hour >= '2026-01-01' GROUP BY hour",
		"SELECT source_id, customer_id, reason_id, sum(leads), sum(unmatched), sum(routed), sum(delivered), sum(rejected), sum(failed), sum(parked), sum(answered), sum(reports) FROM activity WHERE hour >= '2026-01-01' GROUP BY source_id, customer_id, reason_id",
	}, bareNames...)
)

// bare runs statements and reads all they give.
func (b *bench) bare(statements []string) func(n int) {
	return func(n int) {
		for range n {
			for _, s := range statements {
				rows, err := b.app.DB.Read(background).Raw(s).Rows()
				must(err)
				columns, err := rows.Columns()
				must(err)
				into := make([]any, len(columns))
				for i := range into {
					into[i] = new(any)
				}
				for rows.Next() {
					must(rows.Scan(into...))
				}
				must(rows.Err())
				must(rows.Close())
			}
		}
	}
}

// browsing gives what asks for pages as staff who are signed in.
func (b *bench) browsing(t *testing.T) func(path string) {
	t.Helper()
	h := b.app.Handler()
	form := url.Values{"email": {"staff@example.com"}, "password": {"correct horse battery"}}.Encode()
	r := httptest.NewRequest(http.MethodPost, "/console/signin", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	cookies := w.Result().Cookies()
	if len(cookies) == 0 {
		t.Fatalf("signing in: %d", w.Code)
	}
	return func(path string) {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.AddCookie(cookies[0])
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			panic(w.Body.String())
		}
	}
}

// TestConsoleWeight is that the first page, with all it loads, is light, and that
// nothing of it comes from elsewhere.
func TestConsoleWeight(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newStage(t, dir, filepath.Join(dir, "weight.db"))
	intake := s.source(t, "json", nil)
	for range 60 {
		s.anyone.post(intake, map[string]any{"FirstName": "Dana", "LastName": "Cohen", "Phone": "052-1234567", "City": "Haifa"}).want(201)
	}
	signIn, err := http.DefaultTransport.RoundTrip(form(t, s.base+"/console/signin", url.Values{"email": {adminEmail}, "password": {adminPassword}}))
	if err != nil {
		t.Fatal(err)
	}
	signIn.Body.Close()
	get := func(path string) []byte {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(signIn.Cookies()[0])
		r.Header.Set("Accept-Encoding", "gzip")
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s: %d %v", path, answer.StatusCode, err)
		}
		return body
	}
	for _, path := range []string{"/console/today", "/console/leads"} {
		page := get(path)
		total, plain := len(page), page
		if z, err := gzip.NewReader(bytes.NewReader(page)); err == nil {
			if plain, err = io.ReadAll(z); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range regexp.MustCompile(`(?:src|href)="(/console/static/[^"]+)"`).FindAllSubmatch(plain, -1) {
			total += len(get(string(m[1])))
		}
		t.Logf("%s: %d bytes with all it loads, %d of them the page", path, total, len(page))
		if total > 150_000 {
			t.Errorf("%s weighs %d bytes", path, total)
		}
		if m := regexp.MustCompile(`(?:src|action|data)="(?:https?:)?//[^"]*"`).Find(plain); m != nil {
			t.Errorf("%s asks another host: %s", path, m)
		}
	}
}
