package server

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// TestMeasureIntake compares taking leads in, checked for duplicates, routed and
// durable when they are answered, with the handler one would write for it, which
// has a transaction for each request and does none of the matching.
func TestMeasureIntake(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			b := newIntakeBench(t, dialect)
			expected := 1.0
			if dialect == store.Postgres {
				expected = 0 // shown
			}
			contest{name: "POST intake, 64 clients", entrants: []entrant{
				{name: "leadloop", run: b.post(b.app.Handler(), "/intake/"+b.token, http.StatusCreated)},
				{name: "one transaction a request", run: b.post(b.oneByOne(t, dialect), "/", http.StatusCreated), expected: expected},
			}}.run(t, t.Output())
		})
	}
}

// intakeBench is an application with a source and an active rule, whose workers
// do not run.
type intakeBench struct {
	bench
	rule  routing.Rule
	token string // of the source
}

func newIntakeBench(t *testing.T, dialect string) *intakeBench {
	b := &intakeBench{}
	if b.dsn = filepath.Join(t.TempDir(), "intake.db"); dialect == store.Postgres {
		b.dsn = storetest.DSN(t, dialect)
	}
	key := filepath.Join(t.TempDir(), "intake.key")
	own := serving{Workers: 1, SendTimeout: 10 * time.Second, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	app, err := open(t.Context(), database{DB: b.dsn, SecretKeyFile: key}, own, slog.New(slog.DiscardHandler), true)
	must(err)
	t.Cleanup(func() { _ = app.Close() })
	b.app = app
	crm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(crm.Close)
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	customer := &routing.Customer{Name: "Acme"}
	must(app.Routing.CreateCustomer(ctx, customer))
	var connector int64
	must(app.DB.Read(ctx).Raw("SELECT id FROM connectors WHERE code = 'webhook-json'").Scan(&connector).Error)
	b.rule = routing.Rule{
		CustomerID: customer.ID, ConnectorID: connector, Name: "All", Settings: routing.Settings{"URL": crm.URL},
		Condition: "City eq 'Haifa'", Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}},
	}
	must(app.Routing.CreateRule(ctx, &b.rule))
	_, err = app.Routing.Test(ctx, b.rule.ID, nil)
	must(err)
	must(app.Routing.Activate(ctx, b.rule.ID))
	source := &leads.Source{Name: "Form", Kind: leads.KindJSON, MaxRoutings: 1, Enabled: true}
	must(app.Leads.CreateSource(ctx, source))
	b.token = source.Token
	return b
}

// post is n leads from 64 clients.
func (b *intakeBench) post(h http.Handler, path string, want int) func(n int) {
	header := http.Header{"Content-Type": {"application/json"}}
	return func(n int) {
		var wg sync.WaitGroup
		left := atomic.Int64{}
		left.Store(int64(n))
		for range 64 {
			wg.Go(func() {
				for left.Add(-1) >= 0 {
					i := b.n.Add(1)
					body := fmt.Appendf(nil, `{"FirstName":"נועה","City":"Haifa","Phone":"050-%07d","Email":"lead%d@example.com","Rooms":4}`, i%10_000_000, i)
					b.do(h, http.MethodPost, path, header, body, want)
				}
			})
		}
		wg.Wait()
	}
}

// oneByOne stores the lead, its body and a routing in a transaction of its own, as
// durably as ours.
func (b *intakeBench) oneByOne(t *testing.T, dialect string) http.Handler {
	driver, dsn := "pgx", b.dsn
	if dialect == store.SQLite {
		driver, dsn = "sqlite3", "file:"+b.dsn+"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_busy_timeout=10000"
	}
	db, err := sql.Open(driver, dsn)
	must(err)
	t.Cleanup(func() { _ = db.Close() })
	if db.SetMaxOpenConns(16); dialect == store.SQLite {
		db.SetMaxOpenConns(1)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		must(err)
		var lead struct{ FirstName, City, Phone, Email string }
		must(json.Unmarshal(body, &lead))
		id, routed, now := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), store.Now().Format(store.TimeLayout)
		tx, err := db.BeginTx(r.Context(), nil)
		must(err)
		must1(tx.Exec("INSERT INTO leads (id, received_at, first_name, city, phone, email, state) VALUES ($1, $2, $3, $4, $5, $6, 'routed')",
			id.String(), now, lead.FirstName, lead.City, lead.Phone, lead.Email))
		must1(tx.Exec("INSERT INTO payloads (lead_id, body, content_type) VALUES ($1, $2, 'application/json')", id.String(), body))
		must1(tx.Exec(`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, next_attempt_at, created_at)
			VALUES ($1, $2, $3, $4, 1, 'pending', $5, $6)`, routed.String(), id.String(), b.rule.CustomerID, b.rule.ID, now, now))
		must(tx.Commit())
		send(w, http.StatusCreated, map[string]any{"id": id})
	})
}
