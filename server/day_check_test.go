package server

import (
	"fmt"
	"slices"
	"strings"
	"time"
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
		len(d.box.arrivals()), len(d.reports.made()), d.peak>>20, time.Since(began).Round(time.Millisecond))
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
	for _, a := range d.box.arrivals() {
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
