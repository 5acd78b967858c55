package server

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/store"
)

// promptly is how long a lead of a good customer may wait for its transmission
// on a busy machine, whatever the others' systems do.
const promptly = 30 * time.Second

// mostMemory is what the server may need at most: answers of 10 MB, and bombs of
// 256 MB, by the dozen do not count.
const mostMemory = 400 << 20

// faults are what is wrong, the first of them in full.
type faults struct {
	day   *day
	kinds map[string]int
}

// add notes a fault of a kind. Of each kind a few are told, with the story of
// what they are about.
func (f *faults) add(kind, story, format string, args ...any) {
	if f.kinds[kind]++; f.kinds[kind] <= 3 {
		f.day.t.Errorf("%s: %s\n%s", kind, fmt.Sprintf(format, args...), story)
	}
}

// check judges the day.
func (d *day) check() {
	began := time.Now()
	e := d.gather()
	f := &faults{day: d, kinds: map[string]int{}}
	d.checkLeads(f, e)
	d.checkDecisions(f, e)
	d.checkCaps(f, e)
	d.checkTurns(f, e)
	d.checkRoutings(f, e)
	d.checkArrivals(f, e)
	d.checkFeedback(f, e)
	if d.peak > mostMemory {
		f.add("memory", "", "the server took %d MB", d.peak>>20)
	}
	for kind, n := range f.kinds {
		d.t.Logf("%d times wrong: %s", n, kind)
	}
	d.t.Logf("%d leads, %d routings, %d decisions, %d arrivals, %d reports, %d MB; judged in %v", len(e.leads), len(e.routings), len(e.decisions),
		len(d.box.all), len(d.reports.sent), d.peak>>20, time.Since(began).Round(time.Millisecond))
}

// checkLeads: each lead that was acknowledged is there, once, as it was sent, in
// the state that its routings give it.
func (d *day) checkLeads(f *faults, e *evidence) {
	known, byRef := map[string]*enquiry{}, map[string][]*seenLead{}
	for _, q := range d.enquiries {
		known[q.ref] = q
	}
	for _, l := range e.leads {
		l.enquiry = known[l.Ref]
		if l.enquiry == nil {
			f.add("a lead that nobody sent", l.ID, "%+v", l)
			l.enquiry = &enquiry{}
			continue
		}
		byRef[l.Ref] = append(byRef[l.Ref], l)
	}
	for _, q := range d.enquiries {
		there := byRef[q.ref]
		most := 1
		if q.far == "" { // nothing tells the same delivery again from another one
			most += d.unheard[q.ref]
		}
		if len(there) == 0 || len(there) > most {
			f.add("lost or stored twice", "", "%+v is there %d times; %d of its deliveries were not answered", q, len(there), d.unheard[q.ref])
			continue
		}
		if id := d.ids[q.ref]; id != "" && !slices.ContainsFunc(there, func(l *seenLead) bool { return l.ID == id }) {
			f.add("another id than was said", there[0].story(), "%s was acknowledged as %s", q.ref, id)
		}
	}
	persons := map[string]int{}
	for _, l := range e.leads {
		if wrong := l.enquiry.storedWrong(l); wrong != "" {
			f.add("not as it was sent", l.story(), "%s", wrong)
		}
		if l.enquiry.kind == "elementor" && l.State != "duplicate" {
			persons[l.Phone]++
		}
		if want := l.wantedState(); l.State != want || l.explained.State != l.State {
			f.add("state", l.story(), "lead %s is %s, explained as %s, by its routings %s", l.ID, l.State, l.explained.State, want)
		}
	}
	for phone, n := range persons {
		if n != 1 {
			f.add("duplicates", "", "%d leads of %s are nobody's duplicates", n, phone)
		}
	}
	d.checkDuplicates(f, e)
}

// wantedState is the state that a lead's routings give it.
func (l *seenLead) wantedState() string {
	switch {
	case l.enquiry.test:
		return "test"
	case l.DuplicateOfID != nil:
		return "duplicate"
	case slices.ContainsFunc(l.Routings, func(r *seenRouting) bool { return r.State != "rejected" }):
		return "routed"
	}
	return "unmatched"
}

// checkDuplicates: duplicates are so of an earlier lead of the same person.
func (d *day) checkDuplicates(f *faults, e *evidence) {
	byID := map[string]*seenLead{}
	for _, l := range e.leads {
		byID[l.ID] = l
	}
	for _, l := range e.leads {
		if l.DuplicateOfID == nil {
			continue
		}
		first := byID[*l.DuplicateOfID]
		if first == nil || first.Phone != l.Phone || first.State == "duplicate" || l.enquiry.kind != "elementor" || first.enquiry.kind != "elementor" || len(l.Routings) > 0 || l.explained.Code != "duplicate" {
			f.add("duplicates", l.story(), "duplicate of %s", *l.DuplicateOfID)
		}
	}
}

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
	if len(refused) < 10 {
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

// checkRoutings: each is in a state that its customer's system explains, and what
// is not over is due at a time that the schedule of retries, the breaker or the
// rule's window explains.
func (d *day) checkRoutings(f *faults, e *evidence) {
	states := map[string]int{}
	for _, r := range e.routings {
		system := r.rule.customer.manner
		states[system.name+" "+r.State]++
		if r.CustomerID != r.rule.customer.number() {
			f.add("customer", r.lead.story(), "routing %s is of customer %d", r.ID, r.CustomerID)
		}
		outcome := ""
		for _, a := range r.Attempts {
			outcome = a.Outcome
			if !strings.Contains(system.outcomes, a.Outcome) {
				f.add("outcome", r.lead.story(), "routing %s to a system that is %s: %s", r.ID, system.name, a.Outcome)
			}
		}
		if why := d.stateWrong(r, outcome, e.rules[r.RuleID]); why != "" {
			f.add("state of a routing", r.lead.story(), "routing %s to a system that is %s: %s", r.ID, system.name, why)
		}
	}
	for _, line := range sortedCounts(states) {
		d.t.Log(line)
	}
	for _, c := range d.customers {
		for _, rule := range c.rules {
			seen := e.rules[rule.id]
			if !c.manner.fails && (seen.Breaker != "closed" || seen.State != "active") {
				f.add("rules", "", "rule %d of a system that is %s is %s, its breaker %s", rule.id, c.manner.name, seen.State, seen.Breaker)
			}
		}
	}
}

func sortedCounts(counts map[string]int) []string {
	var lines []string
	for name, n := range counts {
		lines = append(lines, fmt.Sprintf("%6d %s", n, name))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[7:], b[7:]) })
	return lines
}

// stateWrong says why a routing cannot be in its state, having come to outcome.
func (d *day) stateWrong(r *seenRouting, outcome string, rule *seenRule) string {
	system, said := r.rule.customer.manner, ""
	if r.Error != nil {
		said = *r.Error
	}
	missed := r.State == "rejected" && strings.HasPrefix(said, "the rule's window closed") && len(r.Attempts) == 0
	switch {
	case !strings.Contains(system.ends, r.State) && !missed && !(r.State == "sending" && system.fails):
		return "it is " + r.State
	case r.State == "delivered" && (outcome != "accepted" || r.DeliveredAt == nil || r.NextAttemptAt != nil || said != ""):
		return "it was not delivered"
	case r.State == "delivered" && strings.Contains(system.name, "Content-Type") && (r.ExternalID == nil || *r.ExternalID != "crm-"+r.ID):
		return "the customer's id was not found in the answer"
	case r.State == "rejected" && !missed && outcome != "rejected":
		return "nobody turned it down"
	case r.State == "pending" || r.State == "sending":
		return d.waitsInVain(r, said, rule)
	}
	return ""
}

// retrySchedule is the one of docs/routing.md.
var retrySchedule = []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour}

// waitsInVain says why nothing explains what a routing waits for.
func (d *day) waitsInVain(r *seenRouting, said string, rule *seenRule) string {
	if r.NextAttemptAt == nil {
		return "it waits for nothing"
	}
	due := *r.NextAttemptAt
	n := len(r.Attempts)
	switch {
	case said == "waits for the rule's window":
		if !r.rule.open(due) || r.rule.open(due.Add(-time.Minute)) {
			return "its rule's window does not open then"
		}
	case r.rule.customer.manner.fails && rule.Breaker != "closed":
		// The breaker lets it go, in its time.
	case n == 0 || r.AttemptCount != n || n > len(retrySchedule):
		return fmt.Sprintf("it was sent %d times, says %d", n, r.AttemptCount)
	default:
		last := r.Attempts[n-1]
		wait := due.Sub(last.StartedAt.Add(time.Duration(last.DurationMs) * time.Millisecond))
		if least := retrySchedule[n-1] * 9 / 10; wait < least-time.Second || wait > retrySchedule[n-1]*11/10+5*time.Second {
			return fmt.Sprintf("it waits %v after try %d", wait, n)
		}
	}
	return ""
}

// checkArrivals: what the customers' systems got is what the server says it
// sent, to each customer a lead under one webhook-id only, promptly where the
// system was good, and again only where the power cut left nobody to know better.
func (d *day) checkArrivals(f *faults, e *evidence) {
	type handed struct{ ref, lead, customer string }
	byRouting, ids := map[string][]*arrival{}, map[handed]string{}
	var slowest time.Duration
	for _, a := range d.box.all {
		r := e.routings[a.webhookID]
		if r == nil {
			f.add("arrivals", "", "%s got %s, which is no routing: %s", a.customer.name, a.webhookID, a.body)
			continue
		}
		if a.routing != r.ID || a.ref != r.lead.Ref || r.rule.customer != a.customer || r.rule.place != a.rule {
			f.add("arrivals", r.lead.story(), "%s got %s with %q and %q", a.customer.name, a.webhookID, a.routing, a.ref)
		}
		to := handed{a.ref, r.lead.ID, a.customer.id}
		if before := ids[to]; before != "" && before != a.webhookID {
			f.add("two webhook-ids", r.lead.story(), "%s got it as %s and as %s", a.customer.name, before, a.webhookID)
		}
		ids[to] = a.webhookID
		byRouting[r.ID] = append(byRouting[r.ID], a)
		if a.customer.manner.name != good || len(byRouting[r.ID]) > 1 {
			continue
		}
		from := r.CreatedAt
		if from.Before(d.restarted) && a.at.After(d.restarted) {
			from = d.restarted
		}
		if wait := a.at.Sub(from); wait > slowest && !(len(r.rule.schedule) > 0 && wait > time.Minute) {
			slowest = wait
			if wait > promptly {
				f.add("late", r.lead.story(), "routing %s to a good system waited %v", r.ID, wait)
			}
		}
	}
	again := 0
	for id, r := range e.routings {
		got, sent := len(byRouting[id]), len(r.Attempts)
		// A system that is down is probed while the routings are being read.
		for r.rule.customer.manner.fails && got > sent && byRouting[id][got-1].at.After(e.read.Add(-2*sendTimeout)) {
			got--
		}
		if d.open[id] && got == sent+1 {
			again++
			continue
		}
		if down := r.rule.customer.manner.name == "down"; got != sent && !down || down && got > 0 {
			f.add("sent and arrived", r.lead.story(), "routing %s arrived %d times and was sent %d times (being sent at the kill: %v)", id, got, sent, d.open[id])
		}
		if r.rule.customer.manner.name == good && sent > 1 && !d.open[id] {
			f.add("sent twice", r.lead.story(), "routing %s", id)
		}
	}
	d.t.Logf("a good customer waited %v at most; %d arrived that the killed server did not know of", slowest.Round(time.Millisecond), again)
}

// checkFeedback: what customers reported is on their routings, and the newest on
// the leads.
func (d *day) checkFeedback(f *faults, e *evidence) {
	newest := map[*seenLead]feedbackSent{}
	for id, sent := range d.reports.sent {
		r := e.routings[id]
		if r == nil || r.ReasonID == nil || fmt.Sprint(*r.ReasonID) != sent.reason {
			f.add("feedback", "", "reported on %s: %s, there: %+v", id, sent.reason, r)
			continue
		}
		if before, ok := newest[r.lead]; !ok || sent.occurred.After(before.occurred) {
			newest[r.lead] = sent
		}
	}
	for l, sent := range newest {
		if l.ReasonID == nil || fmt.Sprint(*l.ReasonID) != sent.reason || !l.FeedbackAt.Equal(sent.occurred) {
			f.add("feedback", l.story(), "the newest report is %+v, there is %v of %v", sent, l.ReasonID, l.FeedbackAt)
		}
	}
	for _, l := range e.leads {
		if _, reported := newest[l]; !reported && l.ReasonID != nil {
			f.add("feedback", l.story(), "nobody reported on it")
		}
	}
	if len(newest) == 0 {
		f.add("feedback", "", "there is none: the day proves nothing")
	}
}
