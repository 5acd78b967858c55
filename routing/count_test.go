package routing

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// enacted makes an active rule without a test transmission.
func (f *fixture) enacted(change func(*Rule)) *Rule {
	f.Helper()
	r := f.rule("http://127.0.0.1:1/", change)
	f.ok(f.CreateRule(f.ctx, r))
	f.ok(f.passed(f.ctx, r))
	f.ok(f.Activate(f.ctx, r.ID))
	return f.reread(r.ID)
}

// source makes a source whose leads go to at most limit customers.
func (f *fixture) source(limit int) *leads.Source {
	f.Helper()
	src := &leads.Source{Name: "Form", Kind: leads.KindJSON, MaxRoutings: limit, Enabled: true}
	f.ok(f.leads.CreateSource(f.ctx, src))
	return src
}

// flood takes in n leads of the source from 64 goroutines, spread over servers.
func flood(t testing.TB, src *leads.Source, n int, servers ...*fixture) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 64 {
		f := servers[i%len(servers)]
		all.Go(func() {
			for range n / 64 {
				_, err := f.leads.Receive(context.Background(), src.Token, leads.Delivery{
					Method: "POST", ContentType: "application/json", Body: []byte(`{"first_name":"נועה","city":"Haifa"}`),
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// given is how many routings each rule has.
func (f *fixture) given() map[int64]int {
	f.Helper()
	var rows []struct {
		RuleID int64
		N      int
	}
	f.ok(f.db.Read(f.ctx).Raw("SELECT rule_id, count(*) AS n FROM routings GROUP BY rule_id").Scan(&rows).Error)
	got := map[int64]int{}
	for _, r := range rows {
		got[r.RuleID] = r.N
	}
	return got
}

func number(n int) *int { return &n }

// servers are two on a PostgreSQL database, one on a SQLite file, which is what
// each can have.
func servers(t *testing.T, db *store.DB, options ...Option) []*fixture {
	first := newFixture(t, db, options...)
	if db.Dialect() == store.SQLite {
		return []*fixture{first}
	}
	second := newFixture(t, db, options...)
	second.customer = first.customer
	return []*fixture{first, second}
}

// Whatever the caps, and however many leads come at once to however many
// servers: each rule gets as many as its narrowest cap allows, and nobody more
// than there are.
func TestCapsAreExact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := servers(t, db)
		f := all[0]
		checkFew(t, 5, func(rt *rapid.T) {
			f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
				for _, table := range []string{"decisions", "routings", "leads", "rule_counts", "rule_revisions", "rules"} {
					if err := tx.Exec("DELETE FROM " + table).Error; err != nil {
						return err
					}
				}
				return f.rulesChanged(tx)
			}))
			const sent = 128
			want := map[int64]int{}
			rules := rapid.IntRange(1, 6).Draw(rt, "rules")
			for i := range rules {
				caps := [4]*int{}
				least := sent
				for k := range caps {
					if rapid.Bool().Draw(rt, "capped") {
						n := rapid.IntRange(0, 90).Draw(rt, "cap")
						caps[k], least = &n, min(least, n)
					}
				}
				customer := f.newCustomer(fmt.Sprint("Customer ", i))
				r := f.enacted(func(r *Rule) {
					r.CustomerID, r.CapDay, r.CapWeek, r.CapMonth, r.CapTotal = customer, caps[0], caps[1], caps[2], caps[3]
					r.TimeZone = rapid.SampledFrom([]string{"Asia/Jerusalem", "America/New_York", "Pacific/Kiritimati"}).Draw(rt, "zone")
				})
				want[r.ID] = least
			}
			for _, other := range all {
				_, err := other.reload(f.ctx, nil, 0)
				f.ok(err)
			}
			limit := rapid.SampledFrom([]int{0, 1, 2}).Draw(rt, "limit")
			flood(t, f.source(limit), sent, all...)
			sum, most := 0, 0
			got := f.given()
			for rule, n := range want {
				if sum, most = sum+got[rule], most+n; got[rule] > n || limit == 0 && got[rule] != n {
					rt.Errorf("rule %d got %d of %d", rule, got[rule], n)
				}
			}
			// A lead is turned away only where no rule had room.
			if limit == 1 && sum != min(sent, most) {
				rt.Errorf("%d leads were given, want %d", sum, min(sent, most))
			}
			f.countsAgree()
		})
	})
}

// checkFew is rapid.Check with few inputs: each of them takes long.
func checkFew(t *testing.T, n int, f func(*rapid.T)) {
	t.Helper()
	const name = "rapid.checks"
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, strconv.Itoa(n)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = flag.Set(name, before) }()
	rapid.Check(t, f)
}

// countsAgree compares the counts of periods with the routings in them.
func (f *fixture) countsAgree() {
	f.Helper()
	var rows []struct {
		RuleID, Taken, Routed int64
		Period                string
	}
	f.ok(f.db.Read(f.ctx).Raw(`SELECT rule_id, period, taken, (SELECT count(*) FROM routings r WHERE r.rule_id = c.rule_id) AS routed
		FROM rule_counts c`).Scan(&rows).Error)
	for _, r := range rows {
		if r.Taken != r.Routed {
			f.Errorf("%s of rule %d counts %d of %d", r.Period, r.RuleID, r.Taken, r.Routed)
		}
	}
}

// Several leads in one transaction, beside others alone, take places in any order,
// and nobody waits for ever.
func TestCapsOfManyLeadsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := servers(t, db)
		f := all[0]
		for i := range 4 {
			customer := f.newCustomer(fmt.Sprint(i))
			f.enacted(func(r *Rule) { r.CustomerID, r.CapDay = customer, number(20) })
		}
		src := f.source(1)
		for _, other := range all {
			_, err := other.reload(f.ctx, nil, 0)
			f.ok(err)
		}
		var done sync.WaitGroup
		for i := range 16 {
			g := all[i%len(all)]
			done.Go(func() {
				for _, body := range []string{`[{"city":"Haifa"},{"city":"Lod"},{"city":"Eilat"},{"city":"Yafo"}]`, `{"city":"Haifa"}`, `{"city":"Lod"}`} {
					_, err := g.leads.Receive(context.Background(), src.Token, leads.Delivery{
						Method: "POST", ContentType: "application/json", Body: []byte(body),
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		done.Wait()
		for rule, n := range f.given() {
			if n != 20 {
				t.Errorf("rule %d got %d of 20", rule, n)
			}
		}
	})
}

// Turns are equal to the last lead, however many come at once.
func TestTurnsAreExact(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := servers(t, db)
		f := all[0]
		var rules []*Rule
		for i := range 3 {
			customer := f.newCustomer(fmt.Sprint(i))
			rules = append(rules, f.enacted(func(r *Rule) { r.CustomerID, r.Rotation = customer, byTurn }))
		}
		for _, other := range all {
			_, err := other.reload(f.ctx, nil, 0)
			f.ok(err)
		}
		one, two := f.source(1), f.source(2)
		even := func(each, spread int) {
			t.Helper()
			got := f.given()
			for _, r := range rules {
				if n := got[r.ID]; n < each || n > each+spread {
					t.Errorf("rule %d has %d, want %d", r.ID, n, each)
				}
			}
		}
		flood(t, one, 64, all...)
		even(21, 1)
		flood(t, one, 128, all...)
		even(64, 0)
		flood(t, two, 64, all...) // and two each
		even(64+42, 1)

		// Who was away takes up where it is, and does not catch up.
		f.ok(f.Pause(f.ctx, rules[0].ID))
		before := f.given()[rules[0].ID]
		for range 10 {
			f.lead(nil)
		}
		f.ok(f.Activate(f.ctx, rules[0].ID))
		for range 30 {
			f.lead(nil)
		}
		if n := f.given()[rules[0].ID] - before; n != 10 {
			t.Errorf("back again it gets %d of 30", n)
		}
	})
}

// A cap set in the middle of the day counts what was given before, also while
// there was none.
func TestCapChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		r := f.enacted(nil)
		gets := func(n, of int) {
			t.Helper()
			before := f.given()[r.ID]
			for range of {
				f.lead(nil)
			}
			if got := f.given()[r.ID] - before; got != n {
				t.Errorf("it gets %d of %d, want %d", got, of, n)
			}
		}
		cap := func(n *int) {
			t.Helper()
			r = f.reread(r.ID)
			r.CapDay = n
			f.ok(f.UpdateRule(f.ctx, r))
		}
		gets(3, 3)
		cap(number(5))
		gets(2, 4)
		cap(nil)
		gets(4, 4)
		cap(number(10))
		gets(1, 3)
		cap(number(9))
		gets(0, 1)
		r = f.reread(r.ID)
		r.TimeZone = "Pacific/Kiritimati" // where it is tomorrow, since 10:00Z
		f.ok(f.UpdateRule(f.ctx, r))
		clock.forward(2 * time.Hour)
		gets(9, 10)
		lead := f.lead(nil)
		d := f.decision(lead.ID)
		if len(d.Verdicts) != 1 || d.Verdicts[0].Outcome != Full || d.Verdicts[0].Cap != capDay || d.Verdicts[0].Limit != 9 ||
			!d.Verdicts[0].Until.Equal(at(t, "2026-11-23T10:00:00Z")) || lead.State != leads.StateUnmatched {
			t.Errorf("%+v, the lead is %s", d, lead.State)
		}
	})
}

// Clocks that jump by an hour, also over midnight and back, give no day more
// than its cap.
func TestCapsWhenClocksJump(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		clock.forward(at(t, "2026-11-22T21:30:00Z").Sub(clock.Now())) // half an hour to midnight in Israel
		f := newFixture(t, db, WithClock(clock.Now))
		r := f.enacted(func(r *Rule) { r.CapDay = number(3) })
		for i, step := range []struct{ leads, sum int }{{2, 2}, {2, 4}, {2, 5}, {2, 6}, {2, 6}, {2, 6}} {
			for range step.leads {
				f.lead(nil)
			}
			if got := f.given()[r.ID]; got != step.sum {
				t.Errorf("after step %d: %d leads, want %d", i, got, step.sum)
			}
			clock.forward(time.Duration(1-i%2*2) * time.Hour)
		}
	})
}

// decision is the newest about a lead.
func (f *fixture) decision(lead uuid.UUID) Decision {
	f.Helper()
	all, err := f.Decisions(f.ctx, lead)
	f.ok(err)
	if len(all) == 0 {
		f.Fatal("nothing was decided")
	}
	return all[len(all)-1]
}

func TestOldCountsGo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		f.enacted(func(r *Rule) { r.CapDay, r.CapTotal = number(3), number(1000) })
		for range 200 {
			f.lead(nil)
			clock.forward(24 * time.Hour)
		}
		var n int64
		f.ok(db.Read(f.ctx).Table("rule_counts").Count(&n).Error)
		if n < 90 || n > 95 { // three months of days, and the total
			t.Errorf("%d counts are kept", n)
		}
	})
}

func TestStartIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		start := clock.Now().Add(time.Hour)
		r := f.enacted(func(r *Rule) { r.StartsAt = &start })
		sooner := start.Add(-time.Minute)
		r.StartsAt = &sooner
		f.ok(f.UpdateRule(f.ctx, r))
		clock.forward(time.Hour)
		for _, other := range []*time.Time{nil, &start} {
			changed := *r
			changed.StartsAt = other
			if got := wrong(f.UpdateRule(f.ctx, &changed)); got["StartsAt"] == "" {
				t.Errorf("%v: %v", other, got)
			}
		}
		end := start.Add(time.Hour)
		r.EndsAt = &end
		f.ok(f.UpdateRule(f.ctx, r))
		f.ok(f.UpdateRule(f.ctx, r)) // StartsAt is the same
	})
}
