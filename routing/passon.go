package routing

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
)

// errMissed is the Error of a routing that is to be looked at because its rule's
// window closed before it was sent.
const errMissed = "the rule's window closed before the lead was sent"

// RouteLead decides about a stored lead once more, by the rules as they are now:
// customers that never had it get it as far as its source's MaxRoutings allows.
// A duplicate is routed too, being asked for. It returns NotFound, or Conflict
// for a test lead.
func (s *Service) RouteLead(ctx context.Context, id uuid.UUID) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		lead, o, err := s.reconsider(tx, id)
		if err != nil {
			return err
		}
		if lead.IsTest {
			return fault.New(fault.Conflict, "a test lead is never routed")
		}
		if lead.ErasedAt != nil {
			return fault.New(fault.Conflict, "the lead was erased")
		}
		o.cause = Asked
		_, err = s.route(tx, lead, o)
		return err
	})
}

// reconsider loads a lead to decide about again, and locks it: nobody else can
// at the same time.
func (s *Service) reconsider(tx *gorm.DB, id uuid.UUID) (*leads.Lead, occasion, error) {
	lead := &leads.Lead{}
	o := occasion{limit: (*leads.Source)(nil).Limit(), served: map[int64]bool{}}
	if err := alongside(tx); err != nil { // before the lead: who holds decisions alone may wait for it
		return nil, o, err
	}
	if err := found(lockRow(tx).Where("id = ?", id).Take(lead).Error, "lead", id); err != nil {
		return nil, o, err
	}
	if lead.SourceID != nil {
		err := tx.Raw("SELECT max_routings FROM sources WHERE id = ?", *lead.SourceID).Scan(&o.limit).Error
		if err != nil {
			return nil, o, fmt.Errorf("source of lead %s: %w", id, err)
		}
	}
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, "SELECT customer_id, state FROM routings WHERE lead_id = $1", id)
	if err != nil {
		return nil, o, fmt.Errorf("routings of lead %s: %w", id, err)
	}
	defer rows.Close()
	err = o.count(rows)
	return lead, o, err
}

// count reads which customers have the lead. One whose system turned it down had
// it, and takes no place.
func (o *occasion) count(rows *sql.Rows) error {
	for rows.Next() {
		var customer int64
		var state string
		if err := rows.Scan(&customer, &state); err != nil {
			return err
		}
		o.served[customer] = true
		if state != Rejected {
			o.live++
		}
	}
	return rows.Err()
}

// passOn gives the lead of a routing that came to nothing to the next rule that
// can have it, if there is one. j's routing counts as one that the lead does not
// have.
func (s *Service) passOn(tx *gorm.DB, j *job, cause Cause) (taken bool, err error) {
	lead, o, err := s.reconsider(tx, j.leadID)
	if fault.CodeOf(err) == fault.NotFound {
		return false, nil // erased meanwhile
	}
	if err != nil {
		return false, err
	}
	if cause == Missed {
		o.live-- // it is not rejected yet
	}
	if lead.IsTest || o.limit > 0 && o.live >= o.limit {
		return false, nil
	}
	o.cause, o.replaces = cause, &j.id
	n, err := s.route(tx, lead, o)
	return n > 0, err
}

// missed changes r, of a routing that cannot be sent because its rule's window
// has closed: the lead goes to the next rule; where no other takes it, the
// routing waits until the window opens, or for staff where that never comes.
func (s *Service) missed(tx *gorm.DB, j *job, r *result) error {
	var row Routing
	res := lockRow(tx).Select("id").Where("id = ? AND lease_token = ?", j.id, j.token).Limit(1).Find(&row)
	if res.Error != nil || res.RowsAffected == 0 {
		return res.Error // the lease was lost: whoever has it now decides
	}
	set, err := s.rules(tx.Statement.Context)
	if err != nil {
		return err
	}
	rule, now := set.byID[j.ruleID], s.now()
	if rule == nil || !rule.late(now) { // changed in between
		r.state, r.next, r.err = Pending, &now, ""
		store.AfterCommit(tx.Statement.Context, s.wakeUp)
		return nil
	}
	taken, err := s.passOn(tx, j, Missed)
	if err != nil {
		return err
	}
	opens := rule.hours.opens(now)
	switch {
	case taken:
		r.state, r.err = Rejected, errMissed+"; it went to the next rule"
	case opens != nil && (rule.endsAt == nil || opens.Before(*rule.endsAt)):
		r.state, r.next, r.err = Pending, opens, "waits for the rule's window"
	default:
		r.state, r.err = Parked, "the rule ended before the lead was sent, and no other rule takes it"
	}
	return nil
}

// passesOn reports whether the lead of an outcome may go on to another rule.
func (o outcome) passesOn() bool {
	return o.result != nil && (o.result.state == Rejected || o.result.state == Parked && o.result.err == errMissed)
}

// late reports whether the rule is over, or outside its schedule.
func (r *liveRule) late(now time.Time) bool {
	return r.endsAt != nil && !now.Before(*r.endsAt) || !r.hours.open(now)
}

// outOfTime reports whether j's rule has no window open now for what it has never
// sent. What the customer may have got already is tried again at any time.
func (s *Service) outOfTime(ctx context.Context, j *job, rule *liveRule) (bool, error) {
	if j.attempts > 0 || !rule.late(s.now()) {
		return false, nil
	}
	var sent int
	err := s.db.Read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM attempts WHERE routing_id = ? LIMIT 1) AS sent", j.id).Scan(&sent).Error
	return sent == 0, err
}
