package routing

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/eval"
)

// How the rules of a tier share its leads.
const (
	byWeight = "weight"
	byTurn   = "round-robin"
)

// moment is what a decision depends on besides the lead and the rules.
type moment struct {
	now    time.Time
	limit  int             // of customers that may have the lead; 0: any number
	live   int             // of customers that have it already
	served map[int64]bool  // customers that ever had it
	taken  map[slot]int    // of the capped rules
	turns  map[int64]int64 // last turns in their rotation, by rule
	closed func(ruleID int64) *time.Time
}

// holding are the rules that want the lead of record, whether or not they can
// have it, in order of priority.
func (set *ruleSet) holding(record *eval.Record) []*liveRule {
	var held []*liveRule
	for _, i := range set.index.find(record) {
		// Of a rule that does not compile nobody knows what it wants.
		if r := set.rules[i]; r.plan == nil || r.plan.matches(record) {
			held = append(held, r)
		}
	}
	return held
}

// obstacle is the verdict on a rule that cannot have the lead, whoever else
// might; its Outcome is empty where nothing is in the way.
func (m *moment) obstacle(r *liveRule) Verdict {
	v := Verdict{RuleID: r.id, Revision: r.revision, CustomerID: r.customerID, Priority: r.priority, Default: r.isDefault}
	switch {
	case r.plan == nil:
		v.Outcome = Broken
	case !r.active:
		v.Outcome = Stopped
	case r.startsAt != nil && m.now.Before(*r.startsAt):
		v.Outcome, v.Until = NotStarted, r.startsAt
	case r.endsAt != nil && !m.now.Before(*r.endsAt):
		v.Outcome, v.Until = Ended, r.endsAt
	case !r.hours.open(m.now):
		v.Outcome, v.Until = Shut, r.hours.opens(m.now)
	default:
		m.full(r, &v)
	}
	return v
}

// full notes in v the cap of r that is full; of several, the one that frees last.
func (m *moment) full(r *liveRule, v *Verdict) {
	for _, l := range r.limits {
		if m.taken[r.slot(l, m.now)] < l.most {
			continue
		}
		v.Outcome, v.Cap, v.Limit, v.Until = Full, l.period, l.most, nil
		if l.period != capTotal {
			_, end := period(l.period, m.now, r.hours.zone)
			v.Until = &end
		}
	}
}

// decide gives the verdict on each of the rules held, which are in order of
// priority: their obstacles; then, tier by tier, who gets the lead. Rules with an
// open circuit breaker come after all others but the default rules, which come
// last and only where nobody has the lead. One and the same lead, rules and
// moment give one and the same decision everywhere.
func decide(held []*liveRule, lead uuid.UUID, m *moment) []Verdict {
	d := decider{moment: m, lead: lead, by: map[int64]int64{}}
	var ordinary, failing, defaults, failingDefaults []candidate
	for _, r := range held {
		c := candidate{liveRule: r, verdict: m.obstacle(r)}
		if c.verdict.Outcome == "" && m.closed != nil {
			c.verdict.Closed = m.closed(r.id)
		}
		switch fails := c.verdict.Closed != nil; {
		case c.verdict.Outcome != "":
			d.verdicts = append(d.verdicts, c.verdict)
		case !r.isDefault && !fails:
			ordinary = append(ordinary, c)
		case !r.isDefault:
			failing = append(failing, c)
		case !fails:
			defaults = append(defaults, c)
		default:
			failingDefaults = append(failingDefaults, c)
		}
	}
	d.pass(ordinary)
	d.pass(failing)
	if d.chosen > 0 || m.live > 0 {
		d.needless(defaults)
		d.needless(failingDefaults)
	} else {
		d.pass(defaults)
		d.pass(failingDefaults)
	}
	return d.verdicts
}

// candidate is a rule that nothing keeps from the lead but other rules.
type candidate struct {
	*liveRule
	verdict Verdict
}

// decider is one decision under way.
type decider struct {
	*moment
	lead     uuid.UUID
	by       map[int64]int64 // rules that got the lead, by customer
	first    int64           // the first rule chosen
	last     int64           // the last
	chosen   int
	verdicts []Verdict
}

// pass gives the lead to candidates, tier by tier.
func (d *decider) pass(all []candidate) {
	for begin := 0; begin < len(all); {
		end := begin + 1
		for end < len(all) && all[end].priority == all[begin].priority {
			end++
		}
		tier := all[begin:end]
		if d.room() && len(tier) > 1 {
			d.order(tier)
		}
		for _, c := range tier {
			d.settle(c)
		}
		begin = end
	}
}

// room reports whether another customer may have the lead.
func (d *decider) room() bool { return d.limit == 0 || d.live+d.chosen < d.limit }

func (d *decider) settle(c candidate) {
	v := c.verdict
	by, taken := d.by[c.customerID]
	switch {
	case taken || d.served[c.customerID]:
		v.Outcome, v.By = Served, by
	case !d.room():
		v.Outcome, v.By = Lost, d.last
	default:
		v.Outcome = Chosen
		d.by[c.customerID], d.last = c.id, c.id
		if d.chosen++; d.chosen == 1 {
			d.first = c.id
		}
	}
	d.verdicts = append(d.verdicts, v)
}

func (d *decider) needless(all []candidate) {
	for _, c := range all {
		c.verdict.Outcome, c.verdict.By = Needless, d.first
		d.verdicts = append(d.verdicts, c.verdict)
	}
}

// order puts the rules of a tier into the order in which they get the lead.
func (d *decider) order(tier []candidate) {
	if rotates(tier) {
		for i := range tier {
			turn := d.turns[tier[i].id]
			tier[i].verdict.Turn = &turn
		}
		slices.SortStableFunc(tier, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(*a.verdict.Turn, *b.verdict.Turn), cmp.Compare(a.id, b.id))
		})
	} else {
		for i := range tier {
			tier[i].verdict.Draw, tier[i].verdict.Weight = draw(d.lead, tier[i].id, tier[i].weight), tier[i].weight
		}
		slices.SortStableFunc(tier, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(a.verdict.Draw, b.verdict.Draw), cmp.Compare(a.id, b.id))
		})
	}
	for i := range tier {
		tier[i].verdict.Rank, tier[i].verdict.Of = i+1, len(tier)
	}
}

// rotates reports whether the rules of a tier take turns.
func rotates(tier []candidate) bool {
	return slices.ContainsFunc(tier, func(c candidate) bool { return c.rotation == byTurn })
}

// draw is weighted rendezvous hashing: a number that lead and rule alone
// determine, and the smallest of a tier goes first. Rule i of a tier has the
// smallest for weight(i)/sum of weights of all leads, and a rule that leaves or
// joins changes nothing between the others.
//
// It is -ln(u)/weight, where u in (0,1) is made of the first 53 bits of the
// SHA-256 of the lead's id (16 bytes) and the rule's id (8 bytes, big-endian).
func draw(lead uuid.UUID, ruleID int64, weight int) float64 {
	var text [24]byte
	copy(text[:], lead[:])
	binary.BigEndian.PutUint64(text[16:], uint64(ruleID))
	sum := sha256.Sum256(text[:])
	u := (float64(binary.BigEndian.Uint64(sum[:8])>>11) + 0.5) / (1 << 53)
	return -math.Log(u) / float64(weight)
}
