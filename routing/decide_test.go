package routing

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
)

// wanting are rules that want every lead, of customers 1, 2, …, changed by
// change.
func wanting(t testing.TB, n int, change func(i int, r *liveRule)) *ruleSet {
	set := compiled(t, make([]string, n)...)
	for i, r := range set.rules {
		if change != nil {
			change(i+1, r)
		}
	}
	slices.SortStableFunc(set.rules, func(a, b *liveRule) int { return a.priority - b.priority })
	return set
}

func held(set *ruleSet) []*liveRule { return set.holding(newExpressions().record(&leads.Lead{})) }

var someLead = uuid.MustParse("01990000-0000-7000-8000-000000000001")

// shown writes verdicts as "3 chosen, 1 lost".
func shown(verdicts []Verdict) string {
	var all []string
	for _, v := range verdicts {
		all = append(all, fmt.Sprint(v.RuleID, " ", v.Outcome))
	}
	return strings.Join(all, ", ")
}

func TestDecide(t *testing.T) {
	now := at(t, "2026-11-22T10:00:00Z") // a Sunday, noon in Israel
	later := now.Add(time.Hour)
	tiers := func(i int, r *liveRule) { r.priority = i }
	both := func(a, b func(int, *liveRule)) func(int, *liveRule) {
		return func(i int, r *liveRule) { a(i, r); b(i, r) }
	}
	for _, c := range []struct {
		name   string
		rules  int
		change func(i int, r *liveRule)
		moment moment
		want   string
	}{
		{"nobody wants it", 0, nil, moment{limit: 1}, ""},
		{"the first tier", 3, tiers, moment{limit: 1}, "1 chosen, 2 lost, 3 lost"},
		{"two", 3, tiers, moment{limit: 2}, "1 chosen, 2 chosen, 3 lost"},
		{"all", 3, tiers, moment{}, "1 chosen, 2 chosen, 3 chosen"},
		{"one of two has it", 3, tiers, moment{limit: 2, live: 1, served: map[int64]bool{1: true}}, "1 served, 2 chosen, 3 lost"},
		{"it was turned down", 3, tiers, moment{limit: 1, served: map[int64]bool{1: true}}, "1 served, 2 chosen, 3 lost"},
		{"no room", 2, tiers, moment{limit: 1, live: 1}, "1 lost, 2 lost"},
		{
			"one customer", 3, both(tiers, func(i int, r *liveRule) { r.customerID = int64(i / 3) }),
			moment{},
			"1 chosen, 2 served, 3 chosen",
		},
		{
			"obstacles", 6, both(tiers, func(i int, r *liveRule) {
				switch i {
				case 1:
					r.active = false
				case 2:
					r.startsAt = &later
				case 3:
					r.endsAt = &now
				case 4:
					r.hours = made(t, defaultZone, Window{From: "12:30", To: "13:00"})
				case 5:
					r.plan = nil
				}
			}),
			moment{limit: 1},
			"1 paused, 2 not_started, 3 ended, 4 shut, 5 broken, 6 chosen",
		},
		{
			"in time", 2, both(tiers, func(_ int, r *liveRule) {
				r.startsAt, r.endsAt, r.hours = &now, &later, made(t, defaultZone, Window{From: "12:00", To: "12:01"})
			}),
			moment{},
			"1 chosen, 2 chosen",
		},
		{"a default", 2, both(tiers, func(i int, r *liveRule) { r.isDefault = i == 1 }), moment{}, "2 chosen, 1 needless"},
		{"defaults alone", 3, both(tiers, func(_ int, r *liveRule) { r.isDefault = true }), moment{limit: 2}, "1 chosen, 2 chosen, 3 lost"},
		{
			"a default, the other being paused", 2, both(tiers, func(i int, r *liveRule) { r.isDefault, r.active = i == 1, i == 1 }),
			moment{},
			"2 paused, 1 chosen",
		},
		{"a default, somebody having it", 1, func(_ int, r *liveRule) { r.isDefault = true }, moment{live: 1}, "1 needless"},
		{
			"one is failing", 3, tiers,
			moment{limit: 2, closed: func(id int64) *time.Time {
				if id == 1 {
					return &later
				}
				return nil
			}},
			"2 chosen, 3 chosen, 1 lost",
		},
		{
			"all are failing", 2, both(tiers, func(i int, r *liveRule) { r.isDefault = i == 1 }),
			moment{limit: 1, closed: func(int64) *time.Time { return &later }},
			"2 chosen, 1 needless",
		},
		{
			"turns", 3, func(_ int, r *liveRule) { r.rotation = byTurn },
			moment{limit: 1, turns: map[int64]int64{1: 7, 2: 5, 3: 6}},
			"2 chosen, 3 lost, 1 lost",
		},
		{
			"who never had a turn", 3, func(i int, r *liveRule) { r.rotation = []string{byTurn, byWeight}[i%2] },
			moment{limit: 1, turns: map[int64]int64{1: 7}},
			"2 chosen, 3 lost, 1 lost",
		},
		{
			"caps", 3, both(tiers, func(_ int, r *liveRule) {
				r.hours, r.limits = made(t, defaultZone), []limit{{capDay, 2}, {capTotal, 5}}
			}),
			moment{limit: 1, taken: map[slot]int{
				{1, "day 2026-11-22"}: 2, {2, "total"}: 5, {2, "day 2026-11-22"}: 2, {3, "day 2026-11-22"}: 1, {3, "day 2026-11-21"}: 2, {3, "total"}: 4,
			}},
			"1 full, 2 full, 3 chosen",
		},
	} {
		m := c.moment
		m.now = now
		set := wanting(t, c.rules, c.change)
		got := decide(held(set), someLead, &m)
		if shown(got) != c.want {
			t.Errorf("%s: %s, want %s", c.name, shown(got), c.want)
		}
		for _, v := range got {
			if v.Reason() == "" {
				t.Errorf("%s: rule %d has no reason", c.name, v.RuleID)
			}
		}
	}
}

func TestReasons(t *testing.T) {
	now := at(t, "2026-11-22T10:00:00Z")
	later := now.Add(time.Hour)
	zone := made(t, defaultZone).zone
	set := wanting(t, 9, func(i int, r *liveRule) {
		r.priority = i
		switch i {
		case 1:
			r.hours, r.limits = timetable{zone: zone}, []limit{{capDay, 20}, {capMonth, 30}}
		case 2:
			r.hours, r.limits = timetable{zone: zone}, []limit{{capTotal, 0}, {capDay, 1}}
		case 3:
			r.hours = made(t, defaultZone, Window{From: "09:00", To: "11:00"})
		case 4:
			r.startsAt = &later
		case 7, 8:
			r.priority, r.weight = 7, i
		case 9:
			r.customerID = 5
		}
	})
	m := moment{now: now, limit: 2, taken: map[slot]int{
		{1, "day 2026-11-22"}: 20, {1, "month 2026-11"}: 31, {2, "total"}: 0,
	}, closed: func(id int64) *time.Time {
		if id == 6 {
			return &later
		}
		return nil
	}}
	want := map[int64]string{
		1: "the cap of 30 a month is full; it frees at 2026-11-30T22:00:00Z",
		2: "the cap of 0 in total is full",
		3: "outside the schedule, which opens again at 2026-11-23T07:00:00Z",
		4: "not started; starts at 2026-11-22T11:00:00Z",
		5: "gets the lead",
		6: "as many customers as may get the lead have it; the last place went to rule 8; its customer's system was failing, next probe at 2026-11-22T11:00:00Z",
		7: "as many customers as may get the lead have it; the last place went to rule 8; place 2 of 2 in the draw of priority 7, with weight 7",
		8: "gets the lead; place 1 of 2 in the draw of priority 7, with weight 8",
		9: "the customer gets the lead by rule 5",
	}
	for _, v := range decide(held(set), someLead, &m) {
		if got := v.Reason(); got != want[v.RuleID] {
			t.Errorf("rule %d: %s\nwant %s", v.RuleID, got, want[v.RuleID])
		}
	}
}

// The draw is a number that anybody can compute: another program that did not
// would send leads elsewhere.
func TestDraw(t *testing.T) {
	for _, c := range []struct {
		rule   int64
		weight int
		want   float64
	}{{1, 1, 1.0575154881447564}, {1, 4, 1.0575154881447564 / 4}, {2, 1, 0.5573948693497781}} {
		if got := draw(someLead, c.rule, c.weight); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("rule %d, weight %d: %.15f, want %.15f", c.rule, c.weight, got, c.want)
		}
	}
}

// Rules get leads in the ratio of their weights, and one that joins takes from
// the others only what it gets itself.
func TestWeights(t *testing.T) {
	weights := []int{1, 2, 5, 2}
	set := wanting(t, 4, func(i int, r *liveRule) { r.weight = weights[i-1] })
	rules := held(set)
	const n = 20_000
	got := map[int64]int{}
	var id uuid.UUID
	for i := range n {
		id[0], id[1], id[2] = byte(i), byte(i>>8), byte(i>>16)
		with := decide(rules, id, &moment{limit: 1})[0].RuleID
		got[with]++
		if without := decide(rules[:3], id, &moment{limit: 1})[0].RuleID; with != 4 && with != without {
			t.Fatalf("lead %s goes to rule %d, and to %d without rule 4", id, with, without)
		}
	}
	for i, w := range weights {
		if share := float64(got[int64(i+1)]) / n; math.Abs(share-float64(w)/10) > 0.012 {
			t.Errorf("weight %d of 10 gets %.3f of the leads", w, share)
		}
	}
}
