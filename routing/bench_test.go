package routing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// BenchmarkDecide is the cost of deciding about one lead that ten rules want,
// five of one customer each and of one tier, among n rules of as many cities.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := &Service{exprs: newExpressions(), now: store.Now}
			set := benchmarkRules(b, s, n)
			lead := &leads.Lead{ID: uuid.Must(uuid.NewV7()), City: text("City 0"), Message: text("שלום"), Properties: map[string]any{"Budget": int64(500)}}
			b.ReportAllocs()
			for b.Loop() {
				held := set.holding(s.exprs.record(lead))
				if got := len(decide(held, lead.ID, &moment{limit: 3})); got != 10 {
					b.Fatalf("%d rules want it", got)
				}
			}
		})
	}
}

// benchmarkRules are n rules, ten for a city.
func benchmarkRules(b *testing.B, s *Service, n int) *ruleSet {
	set := &ruleSet{}
	for i := range n {
		condition, err := s.exprs.condition(fmt.Sprintf("City eq 'City %d' and Budget ge 100 and not contains(Message,'spam')", i/10))
		if err != nil {
			b.Fatal(err)
		}
		set.rules = append(set.rules, &liveRule{
			id: int64(i), customerID: int64(i), active: true, priority: 100 + i%2, weight: 1 + i%3,
			plan: &plan{condition: condition, terms: condition.Terms()},
		})
	}
	slices.SortStableFunc(set.rules, func(a, b *liveRule) int { return a.priority - b.priority })
	set.index = newIndex(set.rules)
	return set
}

// BenchmarkTransmission is the whole way of a routing from due to settled, to a
// receiver in the same process.
func BenchmarkTransmission(b *testing.B) {
	for _, dialect := range storetest.Dialects {
		b.Run(dialect, func(b *testing.B) {
			db := storetest.Open(b, dialect)
			var received atomic.Int64
			crm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { received.Add(1) }))
			defer crm.Close()
			s := New(db, storetest.Vault(), WithAllowedNetworks(loopback), WithLog(slog.New(slog.DiscardHandler)))
			benchmarkRoutings(b, s, crm.URL, b.N)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error)
			b.ResetTimer()
			go func() { done <- s.Run(ctx) }()
			for left := int64(1); left > 0; {
				time.Sleep(time.Millisecond)
				if received.Load() < int64(b.N) {
					continue
				}
				if err := db.Read(ctx).Model(&Routing{}).Where("state <> ?", Delivered).Count(&left).Error; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sent/s")
			cancel()
			<-done
		})
	}
}

// BenchmarkIntake is leads taken in by 64 clients, each routed to one customer by
// a rule without caps.
func BenchmarkIntake(b *testing.B) {
	for _, dialect := range storetest.Dialects {
		b.Run(dialect, func(b *testing.B) {
			db := storetest.Open(b, dialect)
			crm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			defer crm.Close()
			s := New(db, storetest.Vault(), WithAllowedNetworks(loopback), WithLog(slog.New(slog.DiscardHandler)))
			defer s.Close()
			benchmarkRoutings(b, s, crm.URL, 0)
			intake := leads.New(db, storetest.Vault())
			intake.Route = s.Route
			ctx := store.WithActor(context.Background(), store.Actor{Kind: store.System})
			src := &leads.Source{Name: "Form", Kind: leads.KindJSON, MaxRoutings: 1, Enabled: true}
			if err := intake.CreateSource(ctx, src); err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := intake.Receive(ctx, src.Token, leads.Delivery{
						Method: "POST", ContentType: "application/json", Body: []byte(`{"FirstName":"נועה","City":"Haifa","Phone":"050-1234567"}`),
					})
					if err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

// BenchmarkBareClient is what BenchmarkTransmission is measured against: as many
// workers that post bodies from a slice.
func BenchmarkBareClient(b *testing.B) {
	crm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer crm.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	work := make(chan int, b.N)
	for i := range b.N {
		work <- i
	}
	close(work)
	body := fmt.Sprintf(`{"ref":"%s","full_name":"נועה לוי","tel":"+972501234567","origin":"unknown"}`, uuid.New())
	done := make(chan error)
	b.ResetTimer()
	for range 16 {
		go func() {
			for range work {
				res, err := client.Post(crm.URL, "application/json", strings.NewReader(body))
				if err != nil {
					done <- err
					return
				}
				res.Body.Close()
			}
			done <- nil
		}()
	}
	for range 16 {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sent/s")
}

// benchmarkRoutings stores a rule and n leads routed by it.
func benchmarkRoutings(b *testing.B, s *Service, url string, n int) {
	b.Helper()
	ctx := store.WithActor(context.Background(), store.Actor{Kind: store.System})
	check := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	check(s.SyncConnectors(ctx))
	customer := &Customer{Name: "Acme"}
	check(s.CreateCustomer(ctx, customer))
	var connector int64
	check(s.db.Read(ctx).Raw("SELECT id FROM connectors WHERE code = 'webhook-json'").Scan(&connector).Error)
	rule := (&fixture{customer: customer.ID, json: connector}).rule(url, nil)
	check(s.CreateRule(ctx, rule))
	if _, err := s.Test(ctx, rule.ID, nil); err != nil {
		b.Fatal(err)
	}
	check(s.Activate(ctx, rule.ID))
	for begin := 0; begin < n; begin += 500 {
		check(s.db.Write(ctx, func(tx *gorm.DB) error {
			for range min(500, n-begin) {
				lead := &leads.Lead{
					ID: uuid.Must(uuid.NewV7()), ReceivedAt: s.now(), State: leads.StateNew, FirstName: text("נועה"), LastName: text("לוי"),
					Phone: text("+972501234567"), Version: 1, Properties: map[string]any{},
				}
				if err := tx.Create(lead).Error; err != nil {
					return err
				}
				if err := s.Route(tx, lead, nil); err != nil {
					return err
				}
			}
			return nil
		}))
	}
}

// BenchmarkClaim is one claim among 150,000 routings that wait, of one rule and of
// a thousand; and a look whether anything is due while nothing is.
func BenchmarkClaim(b *testing.B) {
	const waiting, share = 150_000, 512
	for _, dialect := range storetest.Dialects {
		for _, rules := range []int{1, 1000} {
			b.Run(fmt.Sprintf("%s/%d rules", dialect, rules), func(b *testing.B) {
				db, c := storetest.Open(b, dialect), newClock()
				s := New(db, storetest.Vault(), WithClock(c.Now))
				defer s.Close()
				benchmarkQueue(b, s, rules, waiting)
				ctx := context.Background()
				b.Run("due", func(b *testing.B) {
					for range b.N {
						if due, err := s.due(ctx); due || err != nil {
							b.Fatal(due, err)
						}
					}
				})
				c.forward(2 * time.Hour)
				b.Run("claim", func(b *testing.B) {
					want := demand{limit: share, share: max(leastShare, share/rules)}
					taken := 0
					for range b.N {
						jobs, err := s.claim(ctx, want)
						if err != nil || len(jobs) == 0 {
							b.Fatal(err, "after ", taken)
						}
						taken += len(jobs)
						want.after = map[*queue]int64{routingQueue: jobs[len(jobs)-1].ruleID}
					}
					b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(taken), "µs/routing")
				})
			})
		}
	}
}

// benchmarkQueue stores n routings of leads, due in an hour, spread over rules of a
// customer each.
func benchmarkQueue(b *testing.B, s *Service, rules, n int) {
	b.Helper()
	if err := s.SyncConnectors(store.WithActor(context.Background(), store.Actor{Kind: store.System})); err != nil {
		b.Fatal(err)
	}
	err := s.db.Write(context.Background(), func(tx *gorm.DB) error {
		numbers := "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
		for _, q := range []string{
			fmt.Sprintf(numbers+"INSERT INTO customers (id, name, created_at) SELECT i + 100, 'C', $1 FROM n", rules-1),
			fmt.Sprintf(numbers+"INSERT INTO rules (id, customer_id, connector_id, name, created_at) SELECT i + 100, i + 100, 1, 'R', $1 FROM n", rules-1),
		} {
			if _, err := exec(tx, q, s.now()); err != nil {
				return err
			}
		}
		var leadRows, rows [][]any
		due := s.now().Add(time.Hour)
		for i := range n {
			lead, rule := uuid.Must(uuid.NewV7()), int64(100+i%rules)
			leadRows = append(leadRows, []any{lead, s.now()})
			rows = append(rows, []any{uuid.Must(uuid.NewV7()), lead, rule, s.now(), due.Add(time.Duration(i) * time.Microsecond)})
		}
		_, err := overRows(tx, []column{{"id", "uuid"}, {"at", "timestamptz"}}, leadRows,
			"INSERT INTO leads (id, received_at, state) SELECT id, at, 'routed' FROM v")
		if err == nil {
			_, err = overRows(tx, []column{{"id", "uuid"}, {"lead", "uuid"}, {"rule", "bigint"}, {"at", "timestamptz"}, {"due", "timestamptz"}}, rows,
				`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, created_at, next_attempt_at)
				SELECT id, lead, rule, rule, 1, 'pending', at, due FROM v`)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}
