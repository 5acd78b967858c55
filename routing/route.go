package routing

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/store"
)

// Route gives a lead just stored to the customers whose rules get it, within the
// transaction tx: it writes a Routing each, due at once, and the Decision, sets
// the lead's state to routed or unmatched, and wakes the workers when tx has
// committed. source says how many customers may get the lead; nil means one.
// Test leads, and leads in the state duplicate (those of a source that routes its
// duplicates are not), are left as they are.
func (s *Service) Route(tx *gorm.DB, lead *leads.Lead, source *leads.Source) error {
	if lead.IsTest || lead.State == leads.StateDuplicate {
		return nil
	}
	_, err := s.route(tx, lead, occasion{cause: Received, number: 1, limit: source.Limit()})
	return err
}

// occasion is why a decision is taken, and what there was before.
type occasion struct {
	cause    Cause
	replaces *uuid.UUID     // a routing
	number   int64          // of the decision; 0: the next
	limit    int            // of customers
	live     int            // customers that have the lead
	served   map[int64]bool // customers that have it or ever had
}

// route decides about a lead and carries it out. It returns how many customers
// get it. A lead with earlier decisions must be locked.
func (s *Service) route(tx *gorm.DB, lead *leads.Lead, o occasion) (int, error) {
	ctx := tx.Statement.Context
	set, err := s.rules(ctx)
	if err != nil {
		return 0, err
	}
	held := set.holding(s.exprs.record(lead))
	m := &moment{now: s.now(), limit: o.limit, live: o.live, served: o.served, closed: s.live.closed}
	if slices.ContainsFunc(held, (*liveRule).counts) {
		if err := alongside(tx); err != nil {
			return 0, err
		}
	}
	if err := m.countCaps(tx, held); err != nil {
		return 0, err
	}
	numbers, err := m.takeTurns(tx, held)
	if err != nil {
		return 0, err
	}
	d := &Decision{
		LeadID: lead.ID, N: o.number, At: m.now, Cause: o.cause, RoutingID: o.replaces,
		RulesVersion: set.version, Rules: len(set.rules), Held: len(held),
	}
	// A cap that somebody else filled in between is full the next time round.
	for done := false; !done; {
		d.Verdicts = decide(held, lead.ID, m)
		if done, err = s.takePlaces(tx, set, d.Verdicts, m); err != nil {
			return 0, err
		}
	}
	chosen, err := s.insertRoutings(tx, d)
	if err != nil {
		return 0, err
	}
	if err := keepTurns(tx, d.Verdicts, numbers); err != nil {
		return 0, err
	}
	if err := insertDecision(tx, d); err != nil {
		return 0, err
	}
	if chosen > 0 {
		store.AfterCommit(ctx, s.wakeUp)
		return chosen, leads.SetState(tx, lead, leads.StateRouted)
	}
	// A routing that missed its window may wait for the next one.
	if o.live == 0 && o.cause != Missed && lead.State != leads.StateDuplicate {
		return 0, leads.SetState(tx, lead, leads.StateUnmatched)
	}
	return 0, nil
}

// Consider gives the verdicts that a lead would get at this moment, were it to
// go to at most limit customers (0: all), and changes nothing. It is what Route
// decides, but for turns in a rotation that others take meanwhile.
func (s *Service) Consider(ctx context.Context, lead *leads.Lead, limit int) ([]Verdict, error) {
	set, err := s.rules(ctx)
	if err != nil {
		return nil, err
	}
	held := set.holding(s.exprs.record(lead))
	m := &moment{now: s.now(), limit: limit, closed: s.live.closed}
	tx := s.db.Read(ctx)
	if err := m.countCaps(tx, held); err != nil {
		return nil, err
	}
	for _, priority := range m.rotations(held) {
		if err := m.readTurns(tx, priority); err != nil {
			return nil, fmt.Errorf("turns of priority %d: %w", priority, err)
		}
	}
	return decide(held, lead.ID, m), nil
}

// insertRoutings gives the lead to the rules chosen, and notes their routings in
// the verdicts.
func (s *Service) insertRoutings(tx *gorm.DB, d *Decision) (chosen int, err error) {
	for i := range d.Verdicts {
		v := &d.Verdicts[i]
		if v.Outcome != Chosen {
			continue
		}
		id, err := s.newID()
		if err == nil {
			err = insertRouting(tx, id, d.LeadID, v, d.At)
		}
		if err != nil {
			return 0, fmt.Errorf("route lead %s by rule %d: %w", d.LeadID, v.RuleID, err)
		}
		v.RoutingID = &id
		chosen++
	}
	return chosen, nil
}

func insertRouting(tx *gorm.DB, id, lead uuid.UUID, v *Verdict, now time.Time) error {
	_, err := exec(tx, `INSERT INTO routings
		(id, lead_id, customer_id, rule_id, rule_revision, state, attempt_count, next_attempt_at, created_at, version)
		VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6, $7, 1)`,
		id, lead, v.CustomerID, v.RuleID, v.Revision, now, now)
	return err
}

// wakeUp tells Run that a routing is due, here and on other servers.
func (s *Service) wakeUp() {
	ring(s.wake)
	ring(s.tell)
}

// ring puts a token into c, unless there is one.
func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it knows
	}
}
