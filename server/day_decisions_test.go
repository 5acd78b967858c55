package server

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/store"
)

// checkDecisions: every verdict of every decision is the one that the model
// gives.
func (d *day) checkDecisions(f *faults, e *evidence) {
	places := map[string]int{}
	for _, s := range share {
		places[s.kind] = s.places
	}
	m := d.newLedger(e)
	for _, l := range e.leads {
		if want := map[string]string{"test": "test", "duplicate": "duplicate"}[l.State]; want != "" && (l.explained.Code != want || len(l.explained.Decisions) > 0) {
			f.add("not routed", l.story(), "explained as %s, with %d decisions", l.explained.Code, len(l.explained.Decisions))
		} else if want == "" && (l.explained.Code != "decided" || len(l.explained.Decisions) == 0) {
			f.add("not decided", l.story(), "explained as %s", l.explained.Code)
		}
		d.checkHistory(f, m, e, l, places[l.enquiry.kind])
	}
}

// checkHistory judges the decisions about one lead, one after the other.
func (d *day) checkHistory(f *faults, m *ledger, e *evidence, l *seenLead, places int) {
	had := map[int64]bool{}  // customers
	out := map[string]bool{} // routings turned down or missed
	given := map[string]bool{}
	for i, x := range l.explained.Decisions {
		replaced := ""
		if x.RoutingID != nil {
			replaced = *x.RoutingID
			out[replaced] = true
		}
		if why := d.causeWrong(x, i, e.routings[replaced], given); why != "" {
			f.add("cause", l.story(), "decision %d: %s", x.Number, why)
		}
		o := &occurrence{at: x.At, lead: uuid.MustParse(l.ID), places: places, live: len(given) - len(out), served: had, told: map[int64]*seenVerdict{}, full: m.fullAt(x)}
		for _, v := range x.Verdicts {
			o.told[v.RuleID] = v
		}
		d.checkVerdicts(f, x, o)
		chosen := false
		for _, v := range x.Verdicts {
			if v.Code != "chosen" {
				continue
			}
			chosen = true
			if v.RoutingID == nil || e.routings[*v.RoutingID] == nil || e.routings[*v.RoutingID].RuleID != v.RuleID || !e.routings[*v.RoutingID].CreatedAt.Equal(x.At) || e.routings[*v.RoutingID].lead != l {
				f.add("chosen without a routing", l.story(), "decision %d, rule %d", x.Number, v.RuleID)
				continue
			}
			given[*v.RoutingID] = true
			had[e.routings[*v.RoutingID].CustomerID] = true
		}
		if x.Cause == "missed" && !chosen {
			delete(out, replaced) // it waits for its window
		}
	}
	for _, r := range l.Routings {
		if !given[r.ID] {
			f.add("a routing without a decision", l.story(), "%s", r.ID)
		}
	}
}

// causeWrong says what is wrong with the occasion of the i-th decision about a
// lead; given are the routings that there were by then.
func (d *day) causeWrong(x *seenDecision, i int, replaced *seenRouting, given map[string]bool) string {
	switch {
	case x.Number != i+1 || x.Rules != len(d.rules) || x.Left > 0:
		return fmt.Sprintf("it is the one after %d others, of %d rules, with %d verdicts left out", i, x.Rules, x.Left)
	case x.Cause == "received":
		if i > 0 || replaced != nil {
			return "a lead is received once"
		}
	case replaced == nil || !given[replaced.ID]:
		return "it replaces no routing of the lead"
	case x.Cause == "missed":
		if replaced.rule.open(x.At) && (replaced.rule.ends == nil || x.At.Before(*replaced.rule.ends)) {
			return fmt.Sprintf("rule %d is open", replaced.RuleID)
		}
	case x.Cause != "rejected" || replaced.State != "rejected":
		return fmt.Sprintf("%s of a routing that is %s", x.Cause, replaced.State)
	}
	return ""
}

// checkVerdicts compares the verdicts of a decision with the model's.
func (d *day) checkVerdicts(f *faults, x *seenDecision, o *occurrence) {
	if len(o.told) != len(d.rules) || len(x.Verdicts) != len(d.rules) {
		f.add("verdicts", x.lead.story(), "decision %d has %d verdicts of %d rules", x.Number, len(x.Verdicts), len(o.told))
		return
	}
	var held []*dayRule
	for id, rule := range d.rules {
		v, holds := o.told[id], rule.holds(x.lead.enquiry)
		switch {
		case holds == (v.Code == "condition_false"):
			f.add("condition", x.lead.story(), "rule %d (%s): %s: %s", id, rule.text, v.Code, v.Reason)
		case holds:
			held = append(held, rule)
		case len(v.Parts) == 0 || !strings.Contains(v.Reason, " is "):
			f.add("condition not explained", x.lead.story(), "rule %d (%s): %s", id, rule.text, v.Reason)
		}
	}
	if x.Held != len(held) {
		f.add("held", x.lead.story(), "decision %d: the condition held of %d rules, said are %d", x.Number, len(held), x.Held)
	}
	for id, j := range o.judge(held) {
		v := o.told[id]
		by := int64(0)
		if v.ByRuleID != nil {
			by = *v.ByRuleID
		}
		if v.Code != j.code || j.by != 0 && by != j.by {
			f.add("verdict "+v.Code, x.lead.story(), "decision %d, rule %d: %s (by %d), by the model %s (by %d): %s", x.Number, id, v.Code, by, j.code, j.by, v.Reason)
		} else if wrong := d.verdictWrong(j, v, x.At); wrong != "" {
			f.add("details of "+v.Code, x.lead.story(), "decision %d, rule %d: %s: %s", x.Number, id, wrong, v.Reason)
		}
	}
}

// verdictWrong says what is wrong with the details of a verdict whose code is
// right.
func (d *day) verdictWrong(j *judgement, v *seenVerdict, at time.Time) string {
	system := j.customer.manner
	switch {
	case v.Reason == "":
		return "no reason"
	case v.Breaker != nil && !system.fails:
		return "its customer's system does not fail"
	case v.Code == "paused" && (system.name != "410" || at.After(d.evening)):
		return "nobody paused it"
	case v.Code == "shut" && v.Until != nil && (!v.Until.After(at) || !j.open(*v.Until) || j.open(v.Until.Add(-time.Minute)) && v.Until.Add(-time.Minute).After(at)):
		return "it does not open then"
	case v.Code == "shut" && v.Until == nil && len(j.schedule[0].days) == 0:
		return "it opens every day"
	case v.Code == "not_started" && (v.Until == nil || !v.Until.Equal(*j.starts)):
		return "it starts at another time"
	case v.Code == "full" && v.Limit != j.caps[v.Cap]:
		return "its cap is another one"
	case v.Code == "full" && v.Cap != "total" && (v.Until == nil || j.period(v.Cap, *v.Until) == j.period(v.Cap, at) || j.period(v.Cap, v.Until.Add(-time.Second)) != j.period(v.Cap, at)):
		return "its cap does not free then"
	case v.Draw != 0 && math.Abs(v.Draw-j.draw) > 1e-9*j.draw:
		return fmt.Sprintf("its draw is %v, not %v", j.draw, v.Draw)
	}
	return ""
}

// ledger is when the places under each cap were taken.
type ledger struct {
	taken map[slotOf][]time.Time // in order
	slack time.Duration          // how far the order of decisions may be another than that of their instants
}

func (d *day) newLedger(e *evidence) *ledger {
	m := &ledger{taken: map[slotOf][]time.Time{}}
	if strings.HasPrefix(d.dsn, store.Postgres) {
		m.slack = 5 * time.Second // transactions overlap
	}
	for _, x := range e.decisions {
		for _, v := range x.Verdicts {
			if v.Code != "chosen" {
				continue
			}
			for kind := range d.rules[v.RuleID].caps {
				s := slotOf{v.RuleID, d.rules[v.RuleID].period(kind, x.At)}
				m.taken[s] = append(m.taken[s], x.At)
			}
		}
	}
	return m
}

// fullAt tells which rules were full when a decision was taken. Within the slack
// the decision is believed.
func (m *ledger) fullAt(x *seenDecision) func(*dayRule) bool {
	said := map[int64]bool{}
	for _, v := range x.Verdicts {
		said[v.RuleID] = v.Code == "full"
	}
	return func(r *dayRule) bool {
		full, maybe := false, false
		for kind, most := range r.caps {
			taken := m.taken[slotOf{r.id, r.period(kind, x.At)}]
			switch {
			case len(taken) < most:
			case most == 0 || taken[most-1].Before(x.At.Add(-m.slack)):
				full = true
			case taken[most-1].Before(x.At.Add(m.slack)):
				maybe = true
			}
		}
		return full || maybe && said[r.id]
	}
}

// checkCaps: no cap is exceeded, and one that kept a lead away was full.
func (d *day) checkCaps(f *faults, e *evidence) {
	given, refused := map[slotOf]int{}, map[slotOf]bool{}
	for _, r := range e.routings {
		for kind := range r.rule.caps {
			given[slotOf{r.RuleID, r.rule.period(kind, r.CreatedAt)}]++
		}
	}
	for _, x := range e.decisions {
		for _, v := range x.Verdicts {
			if rule := d.rules[v.RuleID]; v.Code == "full" {
				refused[slotOf{v.RuleID, rule.period(v.Cap, x.At)}] = true
			}
		}
	}
	most := func(s slotOf) int { kind, _, _ := strings.Cut(s.period, " "); return d.rules[s.rule].caps[kind] }
	for s, n := range given {
		if n > most(s) {
			f.add("caps", "", "rule %d has %d leads in %s, and may have %d", s.rule, n, s.period, most(s))
		}
	}
	for s := range refused {
		if given[s] != most(s) {
			f.add("caps", "", "rule %d refused leads in %s with %d of %d", s.rule, s.period, given[s], most(s))
		}
	}
	if len(refused) < 5 {
		f.add("caps", "", "only %d caps were ever full: the day proves nothing", len(refused))
	}
	d.t.Logf("%d caps were full of %d that counted", len(refused), len(given))
}

// checkTurns: rules that took turns, before all others and whatever happened, had
// as many leads as each other; and no turn was taken twice.
func (d *day) checkTurns(f *faults, e *evidence) {
	had := map[int64]int{}
	for _, r := range e.routings {
		had[r.RuleID]++
	}
	least, most := math.MaxInt, 0
	for _, c := range d.customers[:4] {
		n := had[c.rules[0].id]
		least, most = min(least, n), max(most, n)
	}
	if most-least > 1 || most == 0 {
		f.add("turns", "", "rules that take turns had from %d to %d leads", least, most)
	}
	type turn struct{ rule, turn int64 }
	taken := map[turn]bool{}
	for _, x := range e.decisions {
		for _, v := range x.Verdicts {
			if v.Code != "chosen" || v.Turn == nil {
				continue
			}
			t := turn{v.RuleID, *v.Turn}
			if taken[t] {
				f.add("turns", x.lead.story(), "rule %d was chosen twice after its turn %d", t.rule, t.turn)
			}
			taken[t] = true
		}
	}
}
