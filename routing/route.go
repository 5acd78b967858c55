package routing

import (
	"fmt"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/store"
)

// Route gives a lead just stored to the customers whose rules match, within the
// transaction tx: it writes a Routing each, due at once, sets the lead's state
// to routed or unmatched, and wakes the workers when tx has committed. source
// says how many customers may get the lead; nil means one. Test leads and
// duplicates are left as they are.
func (s *Service) Route(tx *gorm.DB, lead *leads.Lead, source *leads.Source) error {
	if lead.IsTest || lead.DuplicateOfID != nil {
		return nil
	}
	ctx := tx.Statement.Context
	set, err := s.rules(ctx)
	if err != nil {
		return err
	}
	chosen := s.match(set, lead, source.Limit())
	if len(chosen) == 0 {
		return leads.SetState(tx, lead, leads.StateUnmatched)
	}
	for _, r := range chosen {
		if err := s.insertRouting(tx, lead, r); err != nil {
			return fmt.Errorf("route lead %s by rule %d: %w", lead.ID, r.id, err)
		}
	}
	store.AfterCommit(ctx, s.wakeUp)
	return leads.SetState(tx, lead, leads.StateRouted)
}

func (s *Service) insertRouting(tx *gorm.DB, lead *leads.Lead, r *liveRule) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	now := s.now()
	_, err = exec(tx, `INSERT INTO routings
		(id, lead_id, customer_id, rule_id, rule_revision, state, attempt_count, next_attempt_at, created_at, version)
		VALUES ($1, $2, $3, $4, $5, 'pending', 0, $6, $7, 1)`,
		id, lead.ID, r.customerID, r.id, r.revision, now, now)
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
