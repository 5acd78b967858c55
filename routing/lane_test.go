package routing

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// A customer's own bounds hold: so many at once, and so many in a minute.
func TestCustomersBounds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		var mu sync.Mutex
		var now, most int
		var begun []time.Time
		crm := newReceiver(t, func(http.ResponseWriter, *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			begun = append(begun, time.Now())
			mu.Unlock()
			<-time.After(5 * time.Millisecond) // others could come meanwhile
			mu.Lock()
			now--
			mu.Unlock()
		})
		f.activated(crm.URL, nil)
		bound := func(concurrent, perMinute *int) {
			c, err := load[Customer](db.Read(f.ctx), "customer", f.customer)
			f.ok(err)
			c.MaxConcurrent, c.MaxPerMinute = concurrent, perMinute
			f.ok(f.UpdateCustomer(f.ctx, c))
			now, most, begun = 0, 0, nil
		}
		send := func(n int) {
			var made []*leads.Lead
			for range n {
				made = append(made, f.lead(nil))
			}
			stop := f.run()
			for _, l := range made {
				f.becomes(l.ID, Delivered)
			}
			stop()
		}
		two, often := 2, 1500 // one in 40 ms
		bound(&two, nil)
		if send(20); most > 2 {
			t.Errorf("%d at once", most)
		}
		bound(nil, &often)
		if send(8); begun[7].Sub(begun[0]) < 7*39*time.Millisecond {
			t.Errorf("eight took %s", begun[7].Sub(begun[0]))
		}
	})
}

// Lanes take turns, however much one of them has waiting.
func TestLanesTakeTurns(t *testing.T) {
	var order []int64
	begun := make(chan *running)
	l := newLanes(1, func(r *running) { begun <- r }, func([]*job) {})
	var jobs []*job
	for i := range 9 {
		jobs = append(jobs, &job{customerID: []int64{1, 1, 1, 1, 1, 1, 2, 2, 3}[i], maxConcurrent: sql.NullInt64{Int64: 1, Valid: true}})
	}
	l.add(jobs, time.Millisecond)
	for range jobs {
		r := <-begun
		order = append(order, r.customerID)
		l.end(r, time.Millisecond)
	}
	if got := fmt.Sprint(order); got != "[1 2 3 1 2 1 1 1 1]" {
		t.Error(got)
	}
}

// The claim finds its way by indexes alone, so that a long queue costs nothing.
func TestClaimPlan(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	type query struct {
		sql  string
		args []any
	}
	queries := map[string]query{}
	for _, q := range []*queue{routingQueue, onwardQueue} {
		queries[q.table+" claim"] = query{q.claim[store.SQLite], []any{0, lastOwner, "[]", store.Now(), 8, 100}}
		queries[q.table+" probe"] = query{q.probe[store.SQLite], []any{1, store.Now()}}
		queries[q.table+" lease"] = query{q.lease[store.SQLite], []any{"", store.Now(), "[]"}}
	}
	for name, query := range queries {
		var steps []struct{ Detail string }
		rows, err := db.Read(context.Background()).Statement.ConnPool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query.sql, query.args...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var a, b, c int
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			steps = append(steps, struct{ Detail string }{detail})
		}
		rows.Close()
		if len(steps) == 0 {
			t.Errorf("%s: no plan", name)
		}
		for _, s := range steps {
			if strings.HasPrefix(s.Detail, "SCAN") && !strings.Contains(s.Detail, "json_each") && !strings.Contains(s.Detail, "lane") &&
				!strings.Contains(s.Detail, "CONSTANT") || strings.Contains(s.Detail, "TEMP B-TREE FOR ORDER") {
				t.Errorf("%s: %s", name, s.Detail)
			}
		}
	}
}

// One rule with a long queue does not keep a claim from the others.
func TestClaimSpreads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		for i, n := range []int{30, 3, 2} {
			city := fmt.Sprint("City ", i)
			f.activated(crm.URL, func(r *Rule) { r.CustomerID, r.Condition = f.newCustomer(city), fmt.Sprintf("City eq '%s'", city) })
			for range n {
				f.lead(func(l *leads.Lead) { l.City = &city })
			}
		}
		var after int64
		for i, want := range []string{"map[1:4 2:3 3:2]", "map[1:4]", "map[1:4]"} {
			jobs, err := f.claim(f.ctx, demand{limit: 100, share: 4, after: map[*queue]int64{routingQueue: after}})
			f.ok(err)
			got := map[int64]int{}
			for _, j := range jobs {
				got[j.ruleID]++
			}
			if fmt.Sprint(got) != want {
				t.Errorf("claim %d: %v, want %s", i, got, want)
			}
			after = jobs[len(jobs)-1].ruleID
		}
		full, err := f.claim(f.ctx, demand{limit: 100, share: 4, full: []int64{f.reread(1).CustomerID}})
		if f.ok(err); len(full) != 0 {
			t.Errorf("%d of a full customer were claimed", len(full))
		}
	})
}

// On PostgreSQL, a server hears at once of what another one has due, also after
// its connection was lost.
func TestServersTellEachOther(t *testing.T) {
	dsn := storetest.DSN(t, store.Postgres)
	open := func(options ...Option) *fixture {
		db, err := store.Open(context.Background(), dsn, store.WithVault(storetest.Vault()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if err := db.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		return newFixture(t, db, options...)
	}
	sender, taker := open(WithPoll(time.Hour)), open()
	rule := taker.activated(newReceiver(t, nil).URL, nil)
	sender.run()
	listeners := func() (n int) {
		sender.ok(taker.db.Read(taker.ctx).Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").Scan(&n).Error)
		return n
	}
	// The taker has no workers: it only tells.
	telling, cancel := context.WithCancel(t.Context())
	told := make(chan struct{})
	go func() { defer close(told); taker.tellOthers(telling) }()
	defer func() { cancel(); <-told }()
	taker.eventually("it listens", func() bool { return listeners() == 1 })
	taker.becomes(taker.lead(nil).ID, Delivered)
	taker.ok(taker.db.Read(taker.ctx).Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%' AND pid <> pg_backend_pid()").Error)
	taker.becomes(taker.lead(nil).ID, Delivered)
	if rule.State != Active {
		t.Error(rule.State)
	}
}
