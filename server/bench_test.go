package server

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/leads"
	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
	"leadloop/routing"
	"leadloop/store"
)

// measure is set by `make bench`: measuring takes minutes.
var measure = flag.Bool("measure", false, "measure against hand-written code, print the ratios, and fail where they are below what is expected")

// entrant is one way of doing a thing. Run does it n times.
type entrant struct {
	name string
	run  func(n int)
}

// contest measures entrants side by side: in turns, five rounds, so that a noisy
// machine is noisy for all of them. The first is ours.
type contest struct {
	name     string
	entrants []entrant
	// expected is how many times as fast as each other entrant ours must be.
	expected []float64
}

func (c contest) run(t *testing.T, w io.Writer) {
	const rounds, each = 5, 400 * time.Millisecond
	times := make([][]float64, len(c.entrants))
	for range rounds {
		for i, e := range c.entrants {
			n := 1
			for {
				start := time.Now()
				e.run(n)
				took := time.Since(start)
				if took >= each || n > 1<<24 {
					times[i] = append(times[i], float64(took.Nanoseconds())/float64(n))
					break
				}
				n = max(2*n, int(1.2*float64(n)*float64(each)/float64(max(took, time.Microsecond))))
			}
		}
	}
	ours := median(times[0])
	for i, e := range c.entrants {
		took := median(times[i])
		line := fmt.Sprintf("%-34s %-42s %10.1f µs", c.name, e.name, took/1e3)
		if i > 0 {
			ratio := took / ours
			line += fmt.Sprintf("   ours is %.2f times as fast", ratio)
			if ratio < c.expected[i-1] {
				t.Errorf("%s: %.2f times as fast as %s, expected %.2f", c.name, ratio, e.name, c.expected[i-1])
			}
		}
		fmt.Fprintln(w, line)
		c.name = ""
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// TestMeasure compares the whole HTTP handler with what one would write by hand
// for the same requests, on the same SQLite file in the same process.
func TestMeasure(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	b := newBench(t)
	out := t.Output()
	for _, c := range []struct{ name, path, where string }{
		{"GET Leads?$top=100", "/odata/Leads?$top=100", ""},
		{"… $filter, $orderby", "/odata/Leads?$top=100&$filter=City%20eq%20'Haifa'%20and%20ReceivedAt%20ge%202026-01-01T00:00:00Z&$orderby=ReceivedAt%20desc", "WHERE city = 'Haifa' AND received_at >= '2026-01-01T00:00:00.000000Z' ORDER BY received_at DESC, id"},
	} {
		contest{c.name, []entrant{
			{"leadloop", b.get(b.app.Handler(), c.path)},
			{"database/sql, structs, encoding/json", b.get(b.behind(b.byHand(c.where)), c.path)},
			{"GORM Find, encoding/json", b.get(b.behind(b.byGORM(c.where)), c.path)},
		}, []float64{1, 1}}.run(t, out)
	}
	contest{"POST Feedback, 64 clients", []entrant{
		{"leadloop", b.post(b.app.Handler())},
		{"one transaction a request", b.post(b.behind(b.oneByOne(t)))},
	}, []float64{4}}.run(t, out)
	contest{"parse and bind, ten terms", []entrant{{"leadloop", b.bind(t)}}, nil}.run(t, out)
}

// bench is an application over a filled SQLite file.
type bench struct {
	app      *App
	file     string
	key      string // of the customer
	token    string // of the staff
	routings []uuid.UUID
	n        atomic.Int64
}

const benchLeads = 20_000

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{file: filepath.Join(t.TempDir(), "bench.db")}
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError}))
	app, err := open(t.Context(), database{DB: b.file}, serving{}, log, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	b.app = app
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	must(app.Staff.CreateUser(ctx, &User{Email: "staff@example.com", Role: "admin", Password: "correct horse battery", Active: true}))
	tokens, err := app.Staff.SignIn(ctx, "staff@example.com", "correct horse battery", netip.Addr{})
	must(err)
	b.token = tokens.AccessToken
	must(b.fill(ctx))
	return b
}

// fill makes a customer with a key, and leads each of which was delivered.
func (b *bench) fill(ctx context.Context) error {
	customer := &routing.Customer{Name: "Acme"}
	if err := b.app.Routing.CreateCustomer(ctx, customer); err != nil {
		return err
	}
	connection := &keys.Connection{CustomerID: customer.ID, Name: "CRM"}
	if err := b.app.Keys.CreateConnection(ctx, connection); err != nil {
		return err
	}
	issued, err := b.app.Keys.Issue(ctx, connection.ID)
	if err != nil {
		return err
	}
	b.key = issued.Key
	var connector routing.Connector
	if err := b.app.DB.Read(ctx).First(&connector).Error; err != nil {
		return err
	}
	rule := &routing.Rule{
		CustomerID: customer.ID, ConnectorID: connector.ID, Name: "All", Settings: routing.Settings{"URL": "http://127.0.0.1:1/"},
		Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}},
	}
	if err := b.app.Routing.CreateRule(ctx, rule); err != nil {
		return err
	}
	cities := []string{"Haifa", "תל אביב", "Eilat", "באר שבע"}
	return b.app.DB.Write(ctx, func(tx *gorm.DB) error {
		b.routings = b.routings[:0]
		var list []leads.Lead
		var given []routing.Routing
		for i := range benchLeads {
			at := time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC)
			lead := leads.Lead{
				ID: uuid.Must(uuid.NewV7()), ReceivedAt: at, State: leads.StateRouted, Version: 1,
				FirstName: new("נועה"), LastName: new("לוי"), Phone: new(fmt.Sprintf("+97250%07d", i)), PhoneRaw: new(fmt.Sprintf("050-%07d", i)),
				Email: new(fmt.Sprintf("lead%d@example.com", i)), City: &cities[i%len(cities)], Campaign: new("Winter"), UtmSource: new("google"), UtmMedium: new("cpc"),
				Properties: map[string]any{"Budget": i % 10_000},
			}
			list = append(list, lead)
			r := routing.Routing{
				ID: uuid.Must(uuid.NewV7()), LeadID: lead.ID, CustomerID: customer.ID, RuleID: rule.ID, RuleRevision: 1,
				State: routing.Delivered, CreatedAt: at, DeliveredAt: &at, Version: 1,
			}
			given = append(given, r)
			b.routings = append(b.routings, r.ID)
		}
		if err := tx.CreateInBatches(list, 500).Error; err != nil {
			return err
		}
		return tx.CreateInBatches(given, 500).Error
	})
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
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header = header
	w := &sink{header: http.Header{}}
	h.ServeHTTP(w, r)
	if w.status != want {
		panic(fmt.Sprintf("%s %s: %d", method, path, w.status))
	}
}

// get is n reads, one after the other, by staff.
func (b *bench) get(h http.Handler, path string) func(n int) {
	header := http.Header{"Authorization": {"Bearer " + b.token}}
	return func(n int) {
		for range n {
			b.do(h, http.MethodGet, path, header, nil, http.StatusOK)
		}
	}
}

// leadColumns are what the hand-written handlers read, in the order of handLead.
const leadColumns = `id, source_id, received_at, first_name, last_name, phone, phone_raw, email, city, message, campaign,
	utm_source, utm_medium, utm_campaign, utm_term, utm_content, external_id, is_test, duplicate_of_id, state, reason_id, feedback_at, version, properties`

// handLead is a lead as one would write it down for encoding/json.
type handLead struct {
	ETag                                                               string `json:"@odata.etag"`
	ID                                                                 string
	SourceID                                                           *int64
	ReceivedAt                                                         string
	FirstName, LastName, Phone, PhoneRaw, Email                        *string
	City, Message, Campaign                                            *string
	UtmSource, UtmMedium, UtmCampaign, UtmTerm, UtmContent, ExternalID *string
	IsTest                                                             bool
	DuplicateOfID                                                      *string
	State                                                              string
	ReasonID                                                           *int32
	FeedbackAt                                                         *string
	Version                                                            int64
	Properties                                                         json.RawMessage // not flattened: the easier task
}

// byHand is the handler one would write with database/sql.
func (b *bench) byHand(where string) http.Handler {
	db := b.openReader()
	statement, err := db.Prepare("SELECT " + leadColumns + " FROM leads " + orderedBy(where) + " LIMIT 100")
	if err != nil {
		panic(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rows, err := statement.QueryContext(r.Context())
		if err != nil {
			panic(err)
		}
		defer rows.Close()
		list := make([]handLead, 0, 100)
		for rows.Next() {
			var l handLead
			var properties []byte
			err := rows.Scan(&l.ID, &l.SourceID, &l.ReceivedAt, &l.FirstName, &l.LastName, &l.Phone, &l.PhoneRaw, &l.Email, &l.City, &l.Message, &l.Campaign,
				&l.UtmSource, &l.UtmMedium, &l.UtmCampaign, &l.UtmTerm, &l.UtmContent, &l.ExternalID, &l.IsTest, &l.DuplicateOfID, &l.State, &l.ReasonID, &l.FeedbackAt, &l.Version, &properties)
			if err != nil {
				panic(err)
			}
			l.ETag, l.Properties = fmt.Sprintf(`W/"%d"`, l.Version), properties
			list = append(list, l)
		}
		send(w, http.StatusOK, map[string]any{"@odata.context": "http://example.com/odata/$metadata#Leads", "value": list})
	})
}

func orderedBy(where string) string {
	if strings.Contains(where, "ORDER BY") {
		return where
	}
	return where + " ORDER BY id"
}

// byGORM is the handler one would write with GORM.
func (b *bench) byGORM(where string) http.Handler {
	db, err := gorm.Open(sqlite.Dialector{Conn: b.openReader()}, &gorm.Config{PrepareStmt: true})
	if err != nil {
		panic(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var list []leads.Lead
		if err := db.WithContext(r.Context()).Raw("SELECT * FROM leads " + orderedBy(where) + " LIMIT 100").Find(&list).Error; err != nil {
			panic(err)
		}
		send(w, http.StatusOK, map[string]any{"@odata.context": "http://example.com/odata/$metadata#Leads", "value": list})
	})
}

// openReader opens the file as a program of its own would.
func (b *bench) openReader() *sql.DB {
	db, err := sql.Open("sqlite3", "file:"+b.file+"?_journal_mode=WAL&_query_only=on")
	if err != nil {
		panic(err)
	}
	return db
}

// post is n durable reports from 64 clients with the customer's key.
func (b *bench) post(h http.Handler) func(n int) {
	header := http.Header{"X-Api-Key": {b.key}, "Content-Type": {"application/json"}}
	return func(n int) {
		var wg sync.WaitGroup
		left := atomic.Int64{}
		left.Store(int64(n))
		for range 64 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					i := b.n.Add(1)
					at := time.Date(2026, 2, 1, 0, 0, 0, int(i)*1000, time.UTC)
					body := fmt.Appendf(nil, `{"RoutingID":"%s","ReasonID":3,"Comment":"לא ענה","OccurredAt":"%s"}`,
						b.routings[int(i)%len(b.routings)], at.Format(store.TimeLayout))
					b.do(h, http.MethodPost, "/odata/Feedback", header, body, http.StatusCreated)
				}
			})
		}
		wg.Wait()
	}
}

// oneByOne is the handler one would write for a report: a transaction of its own
// for each, on a single connection, as durable as ours.
func (b *bench) oneByOne(t *testing.T) http.Handler {
	db, err := sql.Open("sqlite3", "file:"+b.file+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetMaxOpenConns(1)
	prepare := func(text string) *sql.Stmt {
		s, err := db.Prepare(text)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	find := prepare("SELECT lead_id, customer_id FROM routings WHERE id = ?")
	insert := prepare("INSERT INTO feedback (id, routing_id, reason_id, comment, occurred_at, received_at) VALUES (?, ?, ?, ?, ?, ?)")
	routed := prepare("UPDATE routings SET reason_id = ?, feedback_at = ?, version = version + 1 WHERE id = ?")
	lead := prepare("UPDATE leads SET reason_id = ?, feedback_at = ?, version = version + 1 WHERE id = ?")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var f feedback.Feedback
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			panic(err)
		}
		f.ID, f.ReceivedAt = uuid.Must(uuid.NewV7()), store.Now()
		at := f.OccurredAt.Format(store.TimeLayout)
		tx, err := db.BeginTx(r.Context(), nil)
		if err != nil {
			panic(err)
		}
		var leadID string
		var customer int64
		must(tx.Stmt(find).QueryRow(f.RoutingID).Scan(&leadID, &customer))
		must1(tx.Stmt(insert).Exec(f.ID, f.RoutingID, f.ReasonID, f.Comment, at, f.ReceivedAt.Format(store.TimeLayout)))
		must1(tx.Stmt(routed).Exec(f.ReasonID, at, f.RoutingID))
		must1(tx.Stmt(lead).Exec(f.ReasonID, at, leadID))
		must(tx.Commit())
		send(w, http.StatusCreated, f)
	})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func must1(_ sql.Result, err error) { must(err) }

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
