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
	rule := (&fixture{customer: customer.ID, json: 2}).rule(url, nil)
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
