package routing

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// explain gives the explanation of a lead.
func (f *fixture) explain(lead uuid.UUID) *Explanation {
	f.Helper()
	e, err := f.Explain(f.ctx, lead, 0)
	f.ok(err)
	return e
}

// codes writes the verdicts of a decision by the rules' names: "Noga chosen, …".
func codes(verdicts []RuleVerdict) string {
	var all []string
	for _, v := range verdicts {
		all = append(all, v.Rule+" "+v.Code)
	}
	return strings.Join(all, ", ")
}

// reasons are the verdicts' reasons by the names of the rules.
func reasons(verdicts []RuleVerdict) map[string]string {
	all := map[string]string{}
	for _, v := range verdicts {
		all[v.Rule] = v.Reason
	}
	return all
}

// named makes an active rule of a customer of its own.
func (f *fixture) named(url, name string, change func(*Rule)) *Rule {
	f.Helper()
	customer := f.newCustomer("Customer of " + name)
	return f.activated(url, func(r *Rule) {
		r.Name, r.CustomerID = name, customer
		if change != nil {
			change(r)
		}
	})
}

func TestExplainLead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock() // a Sunday, 11:00 in Israel
		f := newFixture(t, db, WithClock(c.Now))
		to := newReceiver(t, nil).URL
		one, later, before := 1, c.Now().Add(24*time.Hour), c.Now().Add(-24*time.Hour)
		first := f.named(to, "First", func(r *Rule) { r.Priority, r.Condition, r.CapDay = 10, "City eq 'Haifa'", &one })
		f.named(to, "Second", func(r *Rule) { r.Priority, r.Condition = 20, "City in ('Haifa','Acre')" })
		f.named(to, "Third", func(r *Rule) { r.Priority, r.Condition = 20, "City ne 'Eilat' and Budget gt 1000" })
		f.activated(to, func(r *Rule) { r.Name, r.Priority, r.CustomerID = "Again", 30, first.CustomerID })
		f.named(to, "Night", func(r *Rule) { r.Priority, r.Schedule = 40, []Window{{From: "22:00", To: "06:00"}} })
		f.named(to, "Soon", func(r *Rule) { r.Priority, r.StartsAt = 50, &later })
		f.named(to, "Over", func(r *Rule) { r.Priority, r.EndsAt = 60, &before })
		paused := f.named(to, "Paused", func(r *Rule) { r.Priority = 70 })
		f.ok(f.Pause(f.ctx, paused.ID))
		f.ok(f.CreateRule(f.ctx, f.rule(to, func(r *Rule) { r.Name, r.Priority = "Draft", 80 })))
		f.named(to, "Default", func(r *Rule) { r.Priority, r.IsDefault = 90, true })

		l := f.lead(nil)
		c.forward(time.Minute)
		late := f.named(to, "Late", func(r *Rule) { r.Priority = 95 })
		e := f.explain(l.ID)
		if e.Code != LeadDecided || e.State != leads.StateRouted || len(e.Decisions) != 1 {
			t.Fatalf("%+v", e)
		}
		d := e.Decisions[0]
		const want = "Night shut, Soon not_started, Over ended, Paused paused, First chosen, Second lost_to_tier, Again served, Default needless, " +
			"Third condition_false, Draft never_activated, Late activated_later"
		if got := codes(d.Verdicts); got != want {
			t.Errorf("%s, want\n%s", got, want)
		}
		wantReasons := map[string]string{
			"Night":   "outside the schedule, which opens again at 2026-11-22T20:00:00Z",
			"Soon":    "not started; starts at 2026-11-23T09:00:00Z",
			"Over":    "over since 2026-11-21T09:00:00Z",
			"Paused":  "the rule was paused",
			"First":   "gets the lead",
			"Second":  fmt.Sprintf("lost to rule %d, First, of priority 10, before its own 20; as many customers as may get the lead have it", first.ID),
			"Again":   fmt.Sprintf("the customer gets the lead by rule %d, First, already", first.ID),
			"Default": fmt.Sprintf("a default rule: rule %d, First, takes the lead", first.ID),
			"Third":   "the condition is not true: Budget gt 1000 is false (Budget is null)",
			"Draft":   "the rule was never activated",
			"Late":    "the rule was not active then: its first revision was activated later",
		}
		for rule, reason := range reasons(d.Verdicts) {
			if reason != wantReasons[rule] {
				t.Errorf("%s: %s, want %s", rule, reason, wantReasons[rule])
			}
		}
		if d.Reason != "The lead came in: the condition held of 8 of 9 rules, and 1 got it" {
			t.Error(d.Reason)
		}
		third := d.Verdicts[slices.IndexFunc(d.Verdicts, func(v RuleVerdict) bool { return v.Rule == "Third" })]
		if p := third.Parts; !third.Evaluated || len(p) != 1 || p[0].Text != "Budget gt 1000" || p[0].Position != 21 || *p[0].Value || !p[0].Wanted || p[0].Values[0].Name != "Budget" {
			t.Errorf("%+v", third)
		}
		chosen := d.Verdicts[slices.IndexFunc(d.Verdicts, func(v RuleVerdict) bool { return v.Rule == "First" })]
		if chosen.RoutingID == nil || *chosen.RoutingID != f.routing(l.ID).ID || chosen.RoutingState != Pending || chosen.Condition != "City eq 'Haifa'" {
			t.Errorf("%+v", chosen)
		}

		// The next one finds the cap full.
		l = f.lead(nil)
		d = f.explain(l.ID).Decisions[0]
		if got := reasons(d.Verdicts)["First"]; got != "the cap of 1 a day is full; it frees at 2026-11-22T22:00:00Z" {
			t.Error(got)
		}
		if v := d.Verdicts[slices.IndexFunc(d.Verdicts, func(v RuleVerdict) bool { return v.Rule == "Late" })]; v.Code != LostToTier || *v.ByPriority != 20 {
			t.Errorf("%+v", v)
		}

		// Of one rule alone.
		alone, err := f.Explain(f.ctx, l.ID, late.ID)
		f.ok(err)
		if got := codes(alone.Decisions[0].Verdicts); got != "Late lost_to_tier" {
			t.Error(got)
		}
	})
}

// A tier's verdicts tell of the draw and of the rotation.
func TestExplainTier(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		to := newReceiver(t, nil).URL
		a := f.named(to, "A", nil)
		b := f.named(to, "B", func(r *Rule) { r.Weight = 3 })
		v := f.explain(f.lead(nil).ID).Decisions[0].Verdicts
		if len(v) != 2 || v[0].Code != string(Chosen) || v[1].Code != LostInDraw || *v[1].ByDraw != v[0].Draw || v[1].Draw <= v[0].Draw || v[1].Of != 2 {
			t.Errorf("%+v", v)
		}
		for _, r := range []*Rule{a, b} {
			r = f.reread(r.ID)
			r.Rotation = byTurn
			f.ok(f.UpdateRule(f.ctx, r))
		}
		v = f.explain(f.lead(nil).ID).Decisions[0].Verdicts
		if codes(v) != "A chosen, B lost_in_turn" || v[1].ByDraw != nil || v[1].Turn == nil ||
			v[1].Reason != fmt.Sprintf("lost to rule %d, A, of the same priority 100, whose turn it was; place 2 of 2 in the rotation", a.ID) {
			t.Errorf("%s: %+v", codes(v), v[1])
		}
		probe := time.Now().Add(time.Minute)
		f.live.closed = func(id int64) *time.Time {
			if id == b.ID {
				return &probe
			}
			return nil
		}
		c := f.named(to, "C", func(r *Rule) { r.Priority = 101 })
		v = f.explain(f.lead(nil).ID).Decisions[0].Verdicts
		if codes(v) != "A chosen, C lost_to_tier, B lost_to_healthy" || !v[2].Breaker.Equal(probe) || v[1].RuleID != c.ID {
			t.Errorf("%s: %+v", codes(v), v[2])
		}
	})
}

// What a customer's system turned down is told decision by decision.
func TestExplainTurnedDown(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		bad, good := newReceiver(t, status(http.StatusUnprocessableEntity)), newReceiver(t, nil)
		first := f.named(bad.URL, "First", func(r *Rule) { r.Priority = 1 })
		f.named(good.URL, "Second", func(r *Rule) { r.Priority = 2 })
		f.run()
		l := f.lead(nil)
		f.eventually("the second has it", func() bool { return len(good.leads()) == 1 })
		f.eventually("it is delivered", func() bool {
			return slices.ContainsFunc(f.routings(l.ID), func(r Routing) bool { return r.State == Delivered })
		})
		e := f.explain(l.ID)
		if len(e.Decisions) != 2 || e.Decisions[1].Cause != string(Turned) || *e.Decisions[1].RoutingID != *e.Decisions[0].Verdicts[0].RoutingID {
			t.Fatalf("%+v", e)
		}
		if v := e.Decisions[0].Verdicts[0]; v.RuleID != first.ID || v.RoutingState != Rejected || !strings.Contains(v.RoutingError, "422") {
			t.Errorf("%+v", v)
		}
		if got := codes(e.Decisions[1].Verdicts); got != "First served, Second chosen" {
			t.Error(got)
		}
		if v := e.Decisions[1].Verdicts[1]; v.RoutingState != Delivered || v.RoutingError != "" {
			t.Errorf("%+v", v)
		}
	})
}

// Conditions are evaluated by the revision that was active, at the time of the
// decision, and over the lead as it was when that is known.
func TestExplainThen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		f := newFixture(t, db, WithClock(c.Now))
		to := newReceiver(t, nil).URL
		r := f.named(to, "Changing", func(r *Rule) { r.Condition = "City eq 'Acre'" })
		f.named(to, "Timely", func(r *Rule) { r.Condition = "now() ge 2026-11-22T10:00:00Z" })
		f.named(to, "State", func(r *Rule) { r.Condition = "State ne 'new'" })
		f.named(to, "City", func(r *Rule) { r.Condition = "City ne 'Haifa'" })
		l := f.lead(nil)
		c.forward(2 * time.Hour)
		r = f.reread(r.ID)
		r.Condition = "true"
		f.ok(f.UpdateRule(f.ctx, r))
		f.activate(r.ID)
		e := f.explain(l.ID)
		want := map[string]string{
			"Changing": "the condition is not true: City eq 'Acre' is false (City is 'Haifa')",
			"Timely":   "the condition is not true: now() ge 2026-11-22T10:00:00Z is false (now() is 2026-11-22T09:00:00Z)",
			"State":    "the condition is not true: State ne 'new' is false (State is 'new')",
			"City":     "the condition is not true: City ne 'Haifa' is false (City is 'Haifa')",
		}
		for rule, reason := range reasons(e.Decisions[0].Verdicts) {
			if reason != want[rule] {
				t.Errorf("%s: %s", rule, reason)
			}
		}
		if e.State != leads.StateUnmatched {
			t.Error(e.State)
		}

		// A lead that staff changed since is not what was decided about.
		var stored leads.Lead
		f.ok(db.Read(f.ctx).Where("id = ?", l.ID).Take(&stored).Error)
		stored.City = text("Eilat")
		f.ok(f.leads.UpdateLead(f.ctx, &stored))
		v := f.explain(l.ID).Decisions[0].Verdicts
		if i := slices.IndexFunc(v, func(v RuleVerdict) bool { return v.Rule == "City" }); v[i].Code != ChangedSince {
			t.Errorf("%+v", v[i])
		}
	})
}

// Leads without a decision say why there is none.
func TestExplainWithout(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		to := newReceiver(t, nil).URL
		f.named(to, "Has", nil)
		f.named(to, "Not", nil)
		f.named(to, "Other", func(r *Rule) { r.Condition = "City eq 'Acre'" })

		old := f.lead(nil) // as from before decisions were kept
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error { return tx.Exec("DELETE FROM decisions").Error }))
		e := f.explain(old.ID)
		d := e.Decisions[0]
		chosen := d.Verdicts[0]
		if e.Code != LeadUnrecorded || len(e.Decisions) != 1 || d.Number != 0 || d.Cause != "" || chosen.Code != string(Chosen) || chosen.RoutingID == nil {
			t.Fatalf("%+v", e)
		}
		rest := []string{d.Verdicts[1].Code, d.Verdicts[2].Code}
		if !slices.Equal(rest, []string{NotRecorded, ConditionFalse}) || d.Reason != "Decided before decisions were kept; what is known: 1 routings" {
			t.Errorf("%v %s", rest, d.Reason)
		}
		// What is decided from then on is kept.
		f.ok(f.RouteLead(f.ctx, old.ID))
		if e := f.explain(old.ID); e.Code != LeadDecided || len(e.Decisions) != 2 || e.Decisions[1].Cause != string(Asked) || e.Decisions[1].Verdicts[0].Code != string(Served) && e.Decisions[1].Verdicts[0].Code != NoPlace {
			t.Errorf("%+v", e)
		}

		test := f.lead(func(l *leads.Lead) { l.IsTest = true })
		if e := f.explain(test.ID); e.Code != LeadTest || len(e.Decisions) != 0 {
			t.Errorf("%+v", e)
		}
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
			return tx.Exec("UPDATE leads SET is_test = ?, state = 'duplicate', duplicate_of_id = ? WHERE id = ?", false, old.ID, test.ID).Error
		}))
		if e := f.explain(test.ID); e.Code != LeadDuplicate || e.Reason != "A duplicate is not routed: it repeats lead "+old.ID.String() {
			t.Errorf("%+v", e)
		}
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error { return tx.Exec("UPDATE leads SET state = 'new' WHERE id = ?", test.ID).Error }))
		if e := f.explain(test.ID); e.Code != LeadUndecided {
			t.Errorf("%+v", e)
		}
	})
}

// Many rules are shown in part, and what was not kept is said to be so.
func TestExplainMany(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		first := f.named(newReceiver(t, nil).URL, "First", func(r *Rule) { r.Priority = 1 })
		const more = 620
		model := RuleRevision{RuleID: first.ID}
		f.ok(db.Read(f.ctx).Take(&model).Error)
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
			for i := range more {
				r, revision := *first, model
				r.ID, r.Name, r.Priority = 0, fmt.Sprint("Rule ", i), 2+i
				if err := tx.Omit("Customer", "Connector").Create(&r).Error; err != nil {
					return err
				}
				revision.RuleID = r.ID
				if i >= 150 {
					revision.Condition = "City eq 'Acre'"
				}
				if err := tx.Create(&revision).Error; err != nil {
					return err
				}
			}
			return f.rulesChanged(tx)
		}))
		d := f.explain(f.lead(nil).ID).Decisions[0]
		if d.Rules != more+1 || d.Held != 151 || len(d.Verdicts) != maxExplained || d.Left != more+1-maxExplained {
			t.Fatalf("%d rules, %d held, %d verdicts, %d left", d.Rules, d.Held, len(d.Verdicts), d.Left)
		}
		got := map[string]int{}
		for _, v := range d.Verdicts {
			got[v.Code]++
		}
		if want := map[string]int{string(Chosen): 1, string(Served): maxVerdicts, NotKept: 50, ConditionFalse: maxExplained - 151}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestExplainFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		l := f.lead(nil)
		as := func(a store.Actor) context.Context { return store.WithActor(context.Background(), a) }
		for _, c := range []struct {
			ctx  context.Context
			id   uuid.UUID
			want fault.Code
		}{
			{as(store.Actor{Kind: store.Staff, Role: store.Viewer}), l.ID, ""},
			{as(store.Actor{Kind: store.Staff, Role: store.Viewer}), uuid.New(), fault.NotFound},
			{as(store.Actor{Kind: store.Machine, CustomerID: f.customer, Scopes: []string{"leads:read"}}), l.ID, fault.Forbidden},
			{context.Background(), l.ID, fault.Unauthorized},
		} {
			if _, err := f.Explain(c.ctx, c.id, 0); err == nil && c.want != "" || err != nil && fault.CodeOf(err) != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
		}
	})
}
