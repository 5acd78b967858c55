package routing

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// exec1 is a Write of one statement.
func exec1(query string, args ...any) func(*gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Exec(query, args...).Error }
}

func TestMatching(t *testing.T) {
	clock := newClock()
	hour := func(n int) *time.Time { at := clock.Now().Add(time.Duration(n) * time.Hour); return &at }
	type rule struct {
		customer  string
		priority  int
		condition string
		starts    *time.Time
		ends      *time.Time
		paused    bool
	}
	rules := map[string]rule{
		"haifa":       {customer: "A", priority: 10, condition: "City eq 'Haifa'"},
		"haifa, late": {customer: "A", priority: 90},
		"rich":        {customer: "B", priority: 20, condition: "Budget gt 1000"},
		"all":         {customer: "C"},
		"twin of all": {customer: "D", priority: 101},
		"over":        {customer: "E", priority: 1, ends: hour(0)},
		"not yet":     {customer: "F", priority: 1, starts: hour(1)},
		"in time":     {customer: "G", priority: 200, starts: hour(0), ends: hour(1)},
		"paused":      {customer: "H", priority: 1, paused: true},
	}
	order := []string{"haifa", "haifa, late", "rich", "all", "twin of all", "over", "not yet", "in time", "paused"}
	cases := []struct {
		name   string
		limit  int // of the source; -1: no source
		change func(*leads.Lead)
		want   []string
	}{
		{"no source: the first", -1, nil, []string{"haifa"}},
		{"one", 1, nil, []string{"haifa"}},
		{"two", 2, nil, []string{"haifa", "all"}},
		{"everyone", 0, nil, []string{"haifa", "all", "twin of all", "in time"}},
		{
			"everyone, rich", 0, func(l *leads.Lead) { l.Properties = map[string]any{"Budget": int64(2000)} },
			[]string{"haifa", "rich", "all", "twin of all", "in time"},
		},
		{"elsewhere", 0, func(l *leads.Lead) { l.City = text("Eilat") }, []string{"haifa, late", "all", "twin of all", "in time"}},
		{"test lead", 0, func(l *leads.Lead) { l.IsTest = true }, nil},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, nil)
		customers, names := map[string]int64{}, map[int64]string{}
		for _, name := range order {
			r := rules[name]
			if customers[r.customer] == 0 {
				customers[r.customer] = f.newCustomer(r.customer)
			}
			stored := f.activated(crm.URL, func(x *Rule) {
				x.Name, x.CustomerID, x.Condition, x.Priority = name, customers[r.customer], r.condition, r.priority
				x.StartsAt, x.EndsAt = r.starts, r.ends
			})
			names[stored.ID] = name
			if r.paused {
				f.ok(f.Pause(f.ctx, stored.ID))
			}
		}
		f.ok(f.CreateRule(f.ctx, f.rule(crm.URL, func(r *Rule) { r.Name, r.Priority = "draft", 1 })))
		for _, c := range cases {
			lead := f.lead(func(l *leads.Lead) {
				if c.limit >= 0 {
					src := leads.Source{Name: c.name, Kind: leads.KindJSON, MaxRoutings: c.limit, Enabled: true}
					f.ok(f.leads.CreateSource(f.ctx, &src))
					l.SourceID = &src.ID
				}
				if c.change != nil {
					c.change(l)
				}
			})
			var got []string
			for _, r := range f.routings(lead.ID) {
				got = append(got, names[r.RuleID])
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
			if (lead.State == leads.StateRouted) != (len(c.want) > 0) {
				t.Errorf("%s: the lead is %s", c.name, lead.State)
			}
		}
	})
}

// What one server changes is known to another within a little more than s.recheck.
func TestRulesOfAnotherServer(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		here, there := newFixture(t, db), newFixture(t, db, quickRecheck)
		crm := newReceiver(t, nil)
		if l := there.lead(nil); l.State != leads.StateUnmatched {
			t.Fatalf("no rules yet: %s", l.State)
		}
		rule := here.activated(crm.URL, nil)
		there.eventually("the rule is known", func() bool { return there.lead(nil).State == leads.StateRouted })
		here.ok(here.Pause(here.ctx, rule.ID))
		there.eventually("the pause is known", func() bool { return there.lead(nil).State == leads.StateUnmatched })
	})
}

func quickRecheck(s *Service) { s.recheck = 20 * time.Millisecond }

// A change that was rolled back is forgotten.
func TestRulesRolledBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, quickRecheck)
		crm := newReceiver(t, nil)
		rule := f.activated(crm.URL, nil)
		f.lead(nil)
		err := db.Write(f.ctx, func(tx *gorm.DB) error {
			f.live.purges.Add(1)
			if err := f.Pause(tx.Statement.Context, rule.ID); err != nil {
				return err
			}
			if set, err := f.rules(tx.Statement.Context); err != nil || set.byID[rule.ID].active {
				return fmt.Errorf("inside, the rule is not paused: %w", err)
			}
			return errRollback
		})
		if err != errRollback {
			t.Fatal(err)
		}
		f.eventually("the rule matches again", func() bool { return f.lead(nil).State == leads.StateRouted })

		// The next change gives the row the version that was rolled back.
		rule, err = load[Rule](db.Read(f.ctx), "rule", rule.ID)
		f.ok(err)
		rule.Weight = 7
		f.ok(f.UpdateRule(f.ctx, rule))
		if set, err := f.rules(f.ctx); err != nil || !set.byID[rule.ID].active || set.byID[rule.ID].weight != 7 {
			t.Errorf("after another change: %+v, %v", set.byID[rule.ID], err)
		}
	})
}

// A change of one rule among 10,000 costs little of what it takes to read them all,
// and is known at once.
func TestOneRuleOfMany(t *testing.T) {
	const many = 10_000
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		rule := f.activated(newReceiver(t, nil).URL, nil)
		f.multiply("rules", "id", rule.ID, many)
		f.multiply("rule_revisions", "rule_id", rule.ID, many)
		known := func() (set *ruleSet, allocations uint64) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			set, err := f.rules(f.ctx)
			runtime.ReadMemStats(&after)
			f.ok(err)
			return set, after.Mallocs - before.Mallocs
		}
		f.live.set.Store(nil)
		before, whole := known()
		if len(before.rules) != many {
			t.Fatalf("%d rules", len(before.rules))
		}
		last := before.rules[many-1].id
		f.ok(f.Pause(f.ctx, last))
		after, part := known()
		if part > whole/20 {
			t.Errorf("after a change of one rule of %d, %d allocations read it; %d read all", many, part, whole)
		}
		for i, r := range after.rules {
			if same := r == before.rules[i]; same != (r.id != last) || r.active != same {
				t.Fatalf("rule %d: the one from before: %v, active: %v", r.id, same, r.active)
			}
		}
		t.Logf("%d allocations for one, %d for all", part, whole)
	})
}

// multiply adds copies of the row with the key, up to n rows, with the keys that follow.
func (f *fixture) multiply(table, key string, id int64, n int) {
	f.Helper()
	f.ok(f.db.Write(f.ctx, func(tx *gorm.DB) error {
		types, err := tx.Migrator().ColumnTypes(table)
		if err != nil {
			return err
		}
		var columns []string
		for _, c := range types {
			if c.Name() != key {
				columns = append(columns, c.Name())
			}
		}
		names := strings.Join(columns, ", ")
		return tx.Exec(`WITH RECURSIVE n (i) AS (SELECT CAST(? AS bigint) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO `+table+" ("+key+", "+names+") SELECT n.i, "+names+" FROM n, "+table+" WHERE "+key+" = ?", id+1, int(id)+n-1, id).Error
	}))
}

var errRollback = fmt.Errorf("roll back")
