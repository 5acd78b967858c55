package routing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
)

// The states of a Routing.
const (
	Pending   = "pending"   // to be sent at NextAttemptAt
	Sending   = "sending"   // being sent; NextAttemptAt is when the lease runs out
	Delivered = "delivered" // the customer's system accepted it
	Rejected  = "rejected"  // the customer's system turned it down
	Failed    = "failed"    // given up after the last retry
	Parked    = "parked"    // waits for staff: Error says for what
)

// Routing is one lead given to one customer by one rule. Its ID is the RoutingID
// that the customer keeps and sends back, and the webhook-id of each try.
type Routing struct {
	ID         uuid.UUID `gorm:"primaryKey" odata:"computed"`
	LeadID     uuid.UUID `odata:"computed"`
	CustomerID int64     `odata:"computed"`
	RuleID     int64     `odata:"computed"`
	// RuleRevision is the revision that matched the lead and, once something was
	// sent, the one it was last sent by.
	RuleRevision int64  `odata:"computed"`
	State        string `odata:"computed"`
	// AttemptCount counts the exchanges since the routing was last put into the
	// queue, by Route or Resend.
	AttemptCount int `odata:"computed"`
	// NextAttemptAt is when the queue looks at it next: nil when nothing is due.
	NextAttemptAt *time.Time `odata:"computed"`
	LeaseToken    *string    `odata:"-"`
	CreatedAt     time.Time  `odata:"computed"`
	DeliveredAt   *time.Time `odata:"computed"`
	ExternalID    *string    `odata:"computed"` // the customer's own id, from the answer
	ExternalLink  *string    `odata:"computed"`
	Error         *string    `odata:"computed"`
	ReasonID      *int32     `odata:"computed"` // the newest feedback's reason
	FeedbackAt    *time.Time `odata:"computed"`
	// ReturnedAt is when staff approved that the customer returns the lead: it does
	// not count as given or sold any more. The caps it took stay taken.
	ReturnedAt *time.Time `odata:"computed"`
	Version    int64      `odata:"computed,etag"`

	Lead     *leads.Lead `odata:"partner=Routings"`
	Customer *Customer   `odata:"partner=Routings"`
	Rule     *Rule       `odata:"partner=Routings"`
	Attempts []Attempt   `odata:"partner=Routing"`
}

// Find returns the routing with the id if it belongs to the customer (0: any
// customer). For an unknown id, for another customer's and for one by a rule that
// is hidden from the actor it returns one and the same NotFound. tx reads, in a transaction or not.
func (s *Service) Find(tx *gorm.DB, id uuid.UUID, customerID int64) (*Routing, error) {
	var r Routing
	row := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, `SELECT
		id, lead_id, customer_id, rule_id, rule_revision, state, attempt_count, next_attempt_at, created_at,
		delivered_at, external_id, external_link, error, reason_id, feedback_at, returned_at, version
		FROM routings WHERE id = $1`, id)
	err := row.Scan(
		&r.ID, &r.LeadID, &r.CustomerID, &r.RuleID, &r.RuleRevision, &r.State, &r.AttemptCount, &r.NextAttemptAt, &r.CreatedAt,
		&r.DeliveredAt, &r.ExternalID, &r.ExternalLink, &r.Error, &r.ReasonID, &r.FeedbackAt, &r.ReturnedAt, &r.Version)
	if err := owned(id, r.CustomerID, customerID, err); err != nil {
		return nil, err
	}
	return &r, s.hidesRouting(tx, r.RuleID, id)
}

// owned judges a look-up of a routing that gave owner and err.
func owned(id uuid.UUID, owner, customerID int64, err error) error {
	switch {
	case isNoRows(err), err == nil && customerID != 0 && owner != customerID:
		return NoRouting(id)
	case err != nil:
		return fmt.Errorf("routing %s: %w", id, err)
	}
	return nil
}

// hidesRouting returns what owned does for a routing that is not there, if the
// actor of tx must not see its rule.
func (s *Service) hidesRouting(tx *gorm.DB, ruleID int64, id uuid.UUID) error {
	err := s.hides(tx, ruleID, "routing", id)
	if fault.CodeOf(err) == fault.NotFound {
		return owned(id, 0, 0, sql.ErrNoRows)
	}
	return err
}

// Resend puts a routing that was delivered, rejected, given up or parked into
// the queue again, due now, with all retries before it. It returns NotFound, or
// Conflict while the routing is in the queue.
func (s *Service) Resend(ctx context.Context, id uuid.UUID) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		r, err := s.Find(tx, id, 0)
		if err != nil {
			return err
		}
		n, err := s.requeue(tx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if n == 0 {
			if r.State != Pending && r.State != Sending {
				return fault.New(fault.Conflict, "the lead was erased")
			}
			return fault.Newf(fault.Conflict, "the routing is %s and will be sent anyway", r.State)
		}
		return nil
	})
}

// exec runs constant SQL with $1, $2, … straight on tx's connection, which keeps
// it prepared, and returns how many rows it touched.
func exec(tx *gorm.DB, query string, args ...any) (int64, error) {
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
