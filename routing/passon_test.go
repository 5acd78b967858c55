package routing

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// chain makes a rule for each receiver, of a customer of its own, the first with
// the highest priority.
func (f *fixture) chain(change func(i int, r *Rule), all ...*receiver) []*Rule {
	f.Helper()
	var rules []*Rule
	for i, crm := range all {
		customer := f.newCustomer(fmt.Sprint("Customer ", i))
		rules = append(rules, f.activated(crm.URL, func(r *Rule) {
			r.CustomerID, r.Priority = customer, i+1
			if change != nil {
				change(i, r)
			}
		}))
	}
	return rules
}

// states are those of a lead's routings, by rule.
func (f *fixture) states(lead uuid.UUID) map[int64]string {
	f.Helper()
	states := map[int64]string{}
	for _, r := range f.routings(lead) {
		states[r.RuleID] = r.State
	}
	return states
}

// settled waits until the routings of a lead are in these states, in order of
// the rules; "" where a rule has none.
func (f *fixture) settled(lead uuid.UUID, rules []*Rule, want ...string) {
	f.Helper()
	f.eventually(fmt.Sprintf("the routings are %v", want), func() bool {
		states := f.states(lead)
		for i, r := range rules {
			if states[r.ID] != want[i] {
				return false
			}
		}
		return true
	})
}

func (f *fixture) leadState(id uuid.UUID) string {
	f.Helper()
	var l leads.Lead
	f.ok(f.db.Read(f.ctx).Where("id = ?", id).Take(&l).Error)
	return l.State
}

// What a customer's system turns down goes to the next rule, as long as the
// source's number of customers is not reached.
func TestRejectedGoesOn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		no1, no2, yes1, yes2, last := newReceiver(t, status(422)), newReceiver(t, status(422)), newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
		rules := f.chain(func(i int, r *Rule) { r.IsDefault = i == 4 }, no1, no2, yes1, yes2, last)
		f.run()
		one, two := f.source(1), f.source(2)
		lead := f.lead(func(l *leads.Lead) { l.SourceID = &one.ID })
		f.settled(lead.ID, rules, Rejected, Rejected, Delivered, "", "")
		all, err := f.Decisions(f.ctx, lead.ID)
		f.ok(err)
		if len(all) != 3 || all[0].Cause != Received || all[1].Cause != Turned || shown(all[2].Verdicts) !=
			fmt.Sprintf("%d served, %d served, %d chosen, %d lost, %d needless", rules[0].ID, rules[1].ID, rules[2].ID, rules[3].ID, rules[4].ID) {
			t.Errorf("%+v", all)
		}
		first := f.routings(lead.ID)[0].ID
		if *all[1].RoutingID != first || *all[0].Verdicts[0].RoutingID != first || all[2].RulesVersion == "" || all[2].Rules != 5 || all[2].Held != 5 {
			t.Errorf("%+v", all)
		}
		lead = f.lead(func(l *leads.Lead) { l.SourceID = &two.ID })
		f.settled(lead.ID, rules, Rejected, Rejected, Delivered, Delivered, "")

		// Sent again by staff and turned down again, it goes nowhere else.
		f.ok(f.Resend(f.ctx, first))
		f.eventually("it is turned down again", func() bool { r := f.routings(all[0].LeadID)[0]; return r.State == Rejected && r.Version > 5 })
		f.settled(all[0].LeadID, rules, Rejected, Rejected, Delivered, "", "")

		// Where all others turn it down, the default rule takes it.
		yes1.respond(status(400))
		yes2.respond(status(400))
		lead = f.lead(nil)
		f.settled(lead.ID, rules, Rejected, Rejected, Rejected, Rejected, Delivered)
		last.respond(status(400))
		lead = f.lead(nil)
		f.settled(lead.ID, rules, Rejected, Rejected, Rejected, Rejected, Rejected)
		if state := f.leadState(lead.ID); state != leads.StateUnmatched {
			t.Errorf("nobody has the lead: %s", state)
		}
		if len(last.leads()) != 2 {
			t.Errorf("the default rule got %d leads", len(last.leads()))
		}
	})
}

// A lead that was not sent before its rule's window closed goes to the next rule,
// or waits for the window where there is none.
func TestMissedWindow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock() // 11:00 in Israel
		f := newFixture(t, db, WithClock(clock.Now))
		crm, next := newReceiver(t, nil), newReceiver(t, nil)
		end := clock.Now().Add(30 * time.Hour)
		rules := f.chain(func(i int, r *Rule) {
			r.Condition = "City eq 'Haifa'"
			if i == 0 {
				r.Condition, r.Schedule, r.EndsAt = "", []Window{{From: "09:00", To: "11:30"}}, &end
			}
		}, crm, next)
		goes, waits, parks := f.lead(nil), f.lead(func(l *leads.Lead) { l.City = nil }), f.lead(func(l *leads.Lead) { l.City = nil })
		f.ok(db.Write(f.ctx, exec1("UPDATE routings SET next_attempt_at = ? WHERE lead_id = ?", clock.Now().Add(29*time.Hour), parks.ID)))
		clock.forward(time.Hour)
		f.run()
		f.settled(goes.ID, rules, Rejected, Delivered)
		f.eventually("it waits for its window", func() bool {
			r := f.routing(waits.ID)
			return r.State == Pending && r.NextAttemptAt.Equal(at(t, "2026-11-23T07:00:00Z"))
		})
		if d := f.decision(goes.ID); d.Cause != Missed || shown(d.Verdicts) != fmt.Sprintf("%d shut, %d chosen", rules[0].ID, rules[1].ID) {
			t.Errorf("%+v", d)
		}
		if state := f.leadState(waits.ID); state != leads.StateRouted {
			t.Errorf("the lead that waits is %s", state)
		}
		clock.forward(20*time.Hour + 59*time.Minute) // 08:59
		if n := len(crm.leads()); n != 0 {
			t.Errorf("%d were sent early", n)
		}
		clock.forward(time.Minute)
		f.settled(waits.ID, rules, Delivered, "")
		clock.forward(10 * time.Hour)
		f.settled(parks.ID, rules, Parked, "")
		if r := f.routing(parks.ID); r.Error == nil || *r.Error != "the rule ended before the lead was sent, and no other rule takes it" {
			t.Errorf("%+v", r)
		}
	})
}

// What was sent once is sent again whatever the time: the customer may have it.
func TestRetryOutsideWindow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, status(503))
		rule := f.activated(crm.URL, func(r *Rule) { r.Schedule = []Window{{From: "09:00", To: "11:30"}} })
		f.run()
		lead := f.lead(nil)
		f.eventually("it fails", func() bool { r := f.routing(lead.ID); return r.AttemptCount == 1 && r.State == Pending })
		crm.respond(nil)
		clock.forward(time.Hour)
		f.becomes(lead.ID, Delivered)
		f.ok(f.Resend(f.ctx, f.routing(lead.ID).ID))
		f.eventually("it is sent again", func() bool { return len(crm.leads()) == 3 })
		f.settled(lead.ID, []*Rule{rule}, Delivered)
	})
}

func TestRouteLead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		src := f.source(2)
		lead := f.lead(func(l *leads.Lead) { l.SourceID = &src.ID })
		if lead.State != leads.StateUnmatched || len(f.decision(lead.ID).Verdicts) != 0 {
			t.Fatalf("no rules: %s", lead.State)
		}
		var rules []*Rule
		for i := range 3 {
			customer := f.newCustomer(fmt.Sprint(i))
			rules = append(rules, f.enacted(func(r *Rule) { r.CustomerID, r.Priority = customer, 3-i }))
			f.ok(f.RouteLead(f.ctx, lead.ID))
		}
		f.settled(lead.ID, rules, Pending, Pending, "") // each once, and no more than two
		if state := f.leadState(lead.ID); state != leads.StateRouted {
			t.Errorf("the lead is %s", state)
		}
		all, err := f.Decisions(f.ctx, lead.ID)
		f.ok(err)
		if d := all[3]; len(all) != 4 || d.Cause != Asked || shown(d.Verdicts) !=
			fmt.Sprintf("%d lost, %d served, %d served", rules[2].ID, rules[1].ID, rules[0].ID) {
			t.Errorf("%+v", all)
		}
		for state, want := range map[string]fault.Code{leads.StateTest: fault.Conflict, leads.StateDuplicate: ""} {
			other := f.lead(nil)
			f.ok(db.Write(f.ctx, exec1("DELETE FROM routings WHERE lead_id = ?", other.ID)))
			f.ok(db.Write(f.ctx, exec1("UPDATE leads SET state = ?, is_test = ? WHERE id = ?", state, state == leads.StateTest, other.ID)))
			err := f.RouteLead(f.ctx, other.ID)
			if want == "" {
				f.ok(err)
				f.settled(other.ID, rules, "", "", Pending)
			} else if fault.CodeOf(err) != want {
				t.Errorf("%s: %v", state, err)
			}
		}
		if err := f.RouteLead(f.ctx, uuid.New()); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("unknown: %v", err)
		}
	})
}

// Two routings of one lead turned down at once on two servers, and staff asking
// in between, give it to no customer twice and to no more than may have it.
func TestDecisionsTakeTurns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		all := servers(t, db)
		f := all[0]
		var receivers []*receiver
		for range 6 {
			receivers = append(receivers, newReceiver(t, status(422)))
		}
		rules := f.chain(nil, receivers...)
		src := f.source(2)
		for _, server := range all {
			server.run()
		}
		for range 10 {
			lead := f.lead(func(l *leads.Lead) { l.SourceID = &src.ID })
			f.ok(all[len(all)-1].RouteLead(f.ctx, lead.ID))
			f.settled(lead.ID, rules, Rejected, Rejected, Rejected, Rejected, Rejected, Rejected)
		}
		for _, r := range receivers {
			if n := len(r.leads()); n != 10 {
				t.Errorf("a customer got %d of 10 leads", n)
			}
		}
	})
}

// Of many rules that want a lead, the decision keeps those that got it and a
// bounded number of the others.
func TestDecisionIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		d := &Decision{LeadID: f.lead(nil).ID, At: f.now(), Cause: Asked, Held: 1000}
		for i := range 1000 {
			v := Verdict{RuleID: int64(i), Outcome: Lost}
			if i%500 == 499 {
				v.Outcome = Chosen
			}
			d.Verdicts = append(d.Verdicts, v)
		}
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error { d.N = 0; return insertDecision(tx, d) }))
		got := f.decision(d.LeadID)
		if len(got.Verdicts) != maxVerdicts+2 || got.Held != 1000 || got.N != 2 || got.Verdicts[maxVerdicts+1].Outcome != Chosen {
			t.Errorf("%d verdicts, %+v", len(got.Verdicts), got)
		}
	})
}
