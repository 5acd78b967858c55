package server

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/sqlgen"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// senders is how many exchanges run at once, ours and the bare client's.
const senders = 16

// TestMeasureTransmission compares the way of a routing, from due to settled, with
// a loop that posts as many bodies from a slice, to a receiver in the same
// process. On SQLite it must be at least half as fast.
func TestMeasureTransmission(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			expected := 0.5
			if dialect == store.Postgres {
				expected = 0 // shown
			}
			for _, c := range []struct {
				name      string
				customers int
				hanging   bool
			}{{"1 customer", 1, false}, {"1,000 customers, one hanging", 1000, true}} {
				q := newQueueBench(t, dialect, c.customers, c.hanging)
				contest{name: "transmission, " + c.name, slice: time.Second, entrants: []entrant{
					{name: "leadloop", run: q.send, ready: q.ready},
					{name: "http.Client, bodies from a slice", run: q.bare, expected: expected},
				}}.run(t, t.Output())
				q.stop()
			}
		})
	}
}

// queueBench is a service that sends, with a receiver.
type queueBench struct {
	t        *testing.T
	db       *store.DB
	service  *routing.Service
	url      string
	received atomic.Int64
	client   *http.Client
	stop     func()
	rules    []routing.Rule
	hanging  bool
	now      atomic.Int64 // the service's clock, in microseconds
}

func newQueueBench(t *testing.T, dialect string, customers int, hanging bool) *queueBench {
	db := storetest.Open(t, dialect, store.SQLiteHook(sqlgen.RegisterSQLite))
	q := &queueBench{t: t, db: db, hanging: hanging}
	q.now.Store(store.Now().UnixMicro())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	release := make(chan struct{})
	crm := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Path == "/hang" && r.Header.Get("X-Leadloop-Test") == "" {
			select {
			case <-release:
			case <-r.Context().Done():
			}
			return
		}
		if r.Header.Get("X-Leadloop-Test") == "" {
			q.received.Add(1)
		}
	})}
	go func() { _ = crm.Serve(l) }()
	q.url = "http://" + l.Addr().String()
	q.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	q.service = routing.New(db, storetest.Vault(), routing.WithWorkers(senders), routing.WithLog(slog.New(slog.DiscardHandler)),
		routing.WithAllowedNetworks(netip.MustParsePrefix("127.0.0.0/8")), routing.WithClock(q.clock), routing.WithPoll(10*time.Millisecond))
	q.addRules(customers)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { must(q.service.Run(ctx)) })
	q.stop = func() {
		cancel()
		close(release)
		done.Wait()
		q.client.CloseIdleConnections()
		_ = crm.Close()
	}
	return q
}

// addRules makes the customers with a rule each, of whom the first hangs if any.
func (q *queueBench) addRules(customers int) {
	ctx := store.WithActor(q.t.Context(), store.Actor{Kind: store.System})
	must(q.service.SyncConnectors(ctx))
	var connector int64
	must(q.db.Read(ctx).Raw("SELECT id FROM connectors WHERE code = 'webhook-json'").Scan(&connector).Error)
	for i := range customers {
		c := &routing.Customer{Name: fmt.Sprint("Customer ", i)}
		must(q.service.CreateCustomer(ctx, c))
		path := "/"
		if i == 0 && q.hanging {
			path = "/hang"
		}
		field := func(target, source string) routing.MappingEntry {
			return routing.MappingEntry{Target: target, Source: source}
		}
		r := &routing.Rule{
			CustomerID: c.ID, ConnectorID: connector, Name: "All", Settings: routing.Settings{"URL": q.url + path},
			Mapping: []routing.MappingEntry{
				field("ref", "RoutingID"), field("full_name", "concat(FirstName,concat(' ',LastName))"), field("tel", "Phone"),
			},
		}
		must(q.service.CreateRule(ctx, r))
		_, err := q.service.Test(ctx, r.ID, nil)
		must(err)
		must(q.service.Activate(ctx, r.ID))
		q.rules = append(q.rules, *r)
	}
}

// ready stores leads with n routings, spread over the customers and due in a
// second of the service's clock, and some more for the one that hangs.
func (q *queueBench) ready(n int) {
	at := q.clock().Add(time.Second)
	rules := q.rules
	if q.hanging {
		rules = q.rules[1:]
	}
	for done := 0; done < n; done += 500 {
		must(q.db.Write(q.t.Context(), func(tx *gorm.DB) error {
			for i := done; i < min(n, done+500); i++ {
				if err := q.store(tx, &rules[i%len(rules)], at); err != nil {
					return err
				}
			}
			if q.hanging {
				return q.store(tx, &q.rules[0], at)
			}
			return nil
		}))
	}
}

func (q *queueBench) store(tx *gorm.DB, r *routing.Rule, due time.Time) error {
	lead, id := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	err := tx.Exec(`INSERT INTO leads (id, received_at, state, first_name, last_name, phone, properties, version)
		VALUES (?, ?, 'routed', 'נועה', 'לוי', '+972501234567', '{}', 1)`, lead, due).Error
	if err != nil {
		return err
	}
	return tx.Exec(`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, next_attempt_at, created_at)
		VALUES (?, ?, ?, ?, 1, 'pending', ?, ?)`, id, lead, r.CustomerID, r.ID, due, due).Error
}

func (q *queueBench) clock() time.Time { return time.UnixMicro(q.now.Load()).UTC() }

// send is n routings, from due to settled.
func (q *queueBench) send(n int) {
	want := q.received.Load() + int64(n)
	q.now.Add(time.Second.Microseconds())
	for q.received.Load() < want {
		time.Sleep(100 * time.Microsecond)
	}
	good := q.rules[0].ID
	if q.hanging {
		good++
	}
	for left := int64(1); left > 0; {
		time.Sleep(100 * time.Microsecond)
		must(q.db.Read(q.t.Context()).Raw("SELECT count(*) FROM routings WHERE next_attempt_at IS NOT NULL AND rule_id >= ?", good).Scan(&left).Error)
	}
}

// bare posts n bodies.
func (q *queueBench) bare(n int) {
	work := make(chan string, n)
	for range n {
		work <- fmt.Sprintf(`{"ref":"%s","full_name":"נועה לוי","tel":"+972501234567"}`, uuid.New())
	}
	close(work)
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			for body := range work {
				res, err := q.client.Post(q.url, "application/json", strings.NewReader(body))
				must(err)
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	all.Wait()
}
