package server

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

// pageEnough is what a page may take of a processor for all that is not SQL: who
// asks, the reads, the words, the HTML.
const pageEnough = 10 * time.Millisecond

// TestMeasureConsole compares the first answer of the console's lists, and of
// Today, with the bare SQL of what they show, read and thrown away: it is to take
// at most twice as long, or little time at all.
func TestMeasureConsole(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			b := newListsBench(t, dialect)
			page := b.browsing(t)
			for _, l := range listPages {
				if !regexp.MustCompile(*only).MatchString(l.path) {
					continue
				}
				contest{name: "GET " + l.path, enough: cmp.Or(l.enough, pageEnough), entrants: []entrant{
					{name: "leadloop", run: func(n int) {
						for range n {
							page(l.path)
						}
					}},
					{name: "its bare SQL", run: b.bare(l.statements), expected: 0.5},
				}}.run(t, t.Output())
			}
		})
	}
}

// listPage is a page with the statements that read what it shows.
type listPage struct {
	path       string
	statements []string
	enough     time.Duration // pageEnough unless set
}

// listPages are the lists of the console. {since} is where the days of Today begin,
// {midnight} where today does.
var listPages = func() []listPage {
	const (
		me        = "SELECT u.email, u.name, u.role, u.language, u.time_zone FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.id = (SELECT id FROM sessions ORDER BY id DESC LIMIT 1)"
		sources   = "SELECT id, name FROM sources ORDER BY name LIMIT 1001"
		customers = "SELECT id, name FROM customers ORDER BY name LIMIT 1001"
		rules     = "SELECT id, name FROM rules ORDER BY name, id LIMIT 1001"
		reasons   = "SELECT id, name, names FROM feedback_reasons ORDER BY position, id LIMIT 1001"
		counters  = "sum(leads), sum(unmatched), sum(routed), sum(delivered), sum(rejected), sum(failed), sum(parked), sum(answered), sum(reports)"
		troubled  = "SELECT r.id, r.name, r.state, r.breaker, r.breaker_until, r.failing_since, r.pause_reason, c.id, c.name FROM rules r JOIN customers c ON c.id = r.customer_id WHERE r.state = 'paused' OR r.breaker <> 'closed' ORDER BY r.name, r.id LIMIT 51"
	)
	leads := func(where string) []string {
		return []string{
			me, sources, customers, reasons,
			`SELECT l.id, l.received_at, l.state, l.erased_at, l.first_name, l.last_name, l.phone, l.phone_raw, l.reason_id, s.name, g.state, c.name
			FROM (SELECT * FROM leads ` + where + ` ORDER BY received_at DESC, id DESC LIMIT 51) l LEFT JOIN sources s ON s.id = l.source_id
			LEFT JOIN routings g ON g.lead_id = l.id LEFT JOIN customers c ON c.id = g.customer_id ORDER BY l.received_at DESC, l.id DESC, g.id`,
			"SELECT id, user_id, name, query, shared FROM saved_views WHERE list = 'leads' AND (shared OR user_id = 1)",
		}
	}
	transmissions := func(where string) []string {
		var counts []string
		for _, state := range []string{"pending", "sending", "delivered", "rejected", "failed", "parked"} {
			waiting := ""
			if state == "pending" || state == "sending" {
				waiting = " AND next_attempt_at IS NOT NULL"
			}
			most := 10_001
			if state == "delivered" {
				most = 1001
			}
			counts = append(counts, fmt.Sprintf("SELECT '%s', count(*) FROM (SELECT 1 FROM routings WHERE state = '%[1]s'%s LIMIT %d) x", state, waiting, most))
		}
		return []string{
			me, customers, rules, troubled, strings.Join(counts, " UNION ALL "),
			`SELECT r.id, r.state, r.attempt_count, r.next_attempt_at, r.created_at, r.error, c.name, u.name, l.first_name, l.last_name, l.phone, l.phone_raw, l.email
			FROM (SELECT * FROM routings ` + where + ` ORDER BY id DESC LIMIT 51) r JOIN customers c ON c.id = r.customer_id JOIN rules u ON u.id = r.rule_id
			JOIN leads l ON l.id = r.lead_id ORDER BY r.id DESC`,
			"SELECT id, state, found, resent FROM resends WHERE state = 'running' OR ended_at >= '{midnight}' ORDER BY id DESC LIMIT 5",
		}
	}
	return []listPage{
		{path: "/console/today", enough: 3 * pageEnough, statements: []string{ // a thousand sums
			me, sources, customers, "SELECT id, category, counts_as_sale FROM feedback_reasons", troubled,
			"SELECT at, leads, unmatched, routed, delivered, rejected, failed, parked, answered, reports FROM activity_totals WHERE kind = 'hour' AND at >= '{since}'",
			"SELECT kind, id, reason_id, " + counters + " FROM activity_totals WHERE kind IN ('source', 'customer') AND at >= '{since}' GROUP BY kind, id, reason_id",
			"SELECT s.customer_id, s.status, count(*) FROM (SELECT r.customer_id, f.folded AS status FROM feedback f JOIN routings r ON r.id = f.routing_id WHERE f.reason_id IS NULL) s GROUP BY s.customer_id, s.status LIMIT 6",
			"SELECT k.id, k.expires_at, c.name FROM keys k JOIN connections c ON c.id = k.connection_id WHERE k.revoked_at IS NULL AND k.expires_at > '{midnight}' LIMIT 6",
			"SELECT f.comment, r.lead_id, c.name FROM feedback f JOIN routings r ON r.id = f.routing_id JOIN customers c ON c.id = r.customer_id WHERE f.return_state = 'requested' ORDER BY f.id LIMIT 6",
			"SELECT 1 FROM rules WHERE state = 'active' LIMIT 1", "SELECT 1 FROM leads LIMIT 1",
		}},
		{path: "/console/leads", statements: leads("WHERE is_test = false")},
		{path: "/console/leads?state=unmatched", statements: leads("WHERE is_test = false AND state = 'unmatched'")},
		{path: "/console/leads?state=new", statements: leads("WHERE is_test = false AND state = 'new'")},
		{path: "/console/leads?source=7", statements: leads("WHERE is_test = false AND source_id = 7")},
		{path: "/console/leads?customer=7", statements: leads("WHERE is_test = false AND EXISTS (SELECT 1 FROM routings x WHERE x.lead_id = leads.id AND x.customer_id = 7)")},
		{path: "/console/leads?q=Katz", statements: leads("WHERE is_test = false AND id IN (SELECT key FROM leads_search {matching Katz})")},
		{path: "/console/leads?q=4567", statements: leads("WHERE is_test = false AND id IN (SELECT key FROM leads_search {matching 4567})")},
		{path: "/console/customers", statements: []string{me, `SELECT c.id, c.name, c.description, c.created_at, (SELECT count(*) FROM rules r WHERE r.customer_id = c.id AND r.state = 'active'),
			(SELECT count(*) FROM connections x WHERE x.customer_id = c.id) FROM customers c ORDER BY c.name, c.id LIMIT 51`}},
		{path: "/console/sources", statements: []string{
			me, "SELECT s.id, s.name, s.kind, s.enabled, s.rejected_count, (SELECT max(received_at) FROM leads l WHERE l.source_id = s.id) FROM sources s ORDER BY s.name, s.id LIMIT 51",
			"SELECT s.id, (SELECT count(*) FROM leads l WHERE l.source_id = s.id AND l.received_at >= '{midnight}'), (SELECT count(*) FROM rejections r WHERE r.source_id = s.id AND r.received_at >= '{midnight}') FROM sources s",
		}},
		{path: "/console/sources/1/rejections", statements: []string{
			me, "SELECT id, name, kind FROM sources WHERE id = 1",
			"SELECT id, received_at, code, reason, target FROM rejections WHERE source_id = 1 ORDER BY received_at DESC, id DESC LIMIT 51",
		}},
		{path: "/console/transmissions", statements: transmissions("")},
		{path: "/console/transmissions?state=failed", statements: transmissions("WHERE state = 'failed'")},
		{path: "/console/transmissions?state=pending", statements: transmissions("WHERE state = 'pending' AND next_attempt_at IS NOT NULL")},
		{path: "/console/settings/audit", statements: []string{
			me, "SELECT id, at, actor_kind, actor_name, through, remote_address, action, entity, key, before, after FROM audit_events ORDER BY id DESC LIMIT 51",
			"SELECT 'Customer' UNION ALL SELECT 'Lead' UNION ALL SELECT 'Rule'",
		}},
		{path: "/console/settings/users", statements: []string{
			me, "SELECT id, email, name, role, active, created_at, version FROM users ORDER BY active DESC, email LIMIT 51",
			"SELECT user_id, began_at, address FROM sessions s WHERE id = (SELECT id FROM sessions WHERE user_id = s.user_id ORDER BY began_at DESC, id DESC LIMIT 1)",
		}},
	}
}()

// onThis fills in what differs from day to day, and from database to database.
func (b *bench) onThis(statement string) string {
	const layout = "2006-01-02T15:04:05.000000Z"
	now := time.Now().UTC()
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	by := "WHERE docid IN (SELECT docid FROM leads_search_fts WHERE words MATCH '$1*')"
	if b.app.DB.Dialect() == store.Postgres {
		by = "WHERE words @@ lower('$1:*')::tsquery"
	}
	statement = regexp.MustCompile(`\{matching (\w+)\}`).ReplaceAllString(statement, by)
	return strings.NewReplacer("{midnight}", midnight.Format(layout), "{since}", midnight.AddDate(0, 0, -29).Format(layout)).Replace(statement)
}

// bare runs statements and reads all they give.
func (b *bench) bare(statements []string) func(n int) {
	return func(n int) {
		for range n {
			for _, s := range statements {
				rows, err := b.app.DB.Read(background).Raw(b.onThis(s)).Rows()
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
