package feedback

import (
	"database/sql"
	"errors"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// translate finds the reason that f's customer means by its Status, and leaves
// f without one if they never said. It fails with Invalid if f has another.
func (s *Service) translate(tx *gorm.DB, f *Feedback) error {
	reason, err := s.meaning(tx, f)
	if err == nil && reason == nil && f.ReasonID == nil {
		// It will wait. A change of the map that is under way would not see it: read
		// again after that.
		if err = s.holdOff(tx, f); err == nil && s.DB.Dialect() == store.Postgres {
			reason, err = s.meaning(tx, f)
		}
	}
	switch {
	case err != nil:
		return failed("translate status", err)
	case reason == nil: // unknown
	case f.ReasonID == nil:
		f.ReasonID = reason
	case *f.ReasonID != *reason:
		return fault.Newf(fault.Invalid, "the status %q stands for reason %d, not %d", *f.Status, *reason, *f.ReasonID).At("Status")
	}
	return nil
}

// meaning is the reason in use that f's status stands for; nil if there is none.
func (s *Service) meaning(tx *gorm.DB, f *Feedback) (*int32, error) {
	var reason int32
	err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, `SELECT m.reason_id FROM status_maps m
		JOIN feedback_reasons x ON x.id = m.reason_id AND x.active
		WHERE m.customer_id = (SELECT customer_id FROM routings WHERE id = $1) AND m.folded = $2`, f.RoutingID, f.Folded).Scan(&reason)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &reason, err
}

// holdOff waits for changes of the map of f's customer, and keeps further ones
// waiting until tx has ended. SQLite has one writer at a time anyway.
func (s *Service) holdOff(tx *gorm.DB, f *Feedback) error {
	if s.DB.Dialect() == store.SQLite {
		return nil
	}
	_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
		"SELECT 1 FROM customers WHERE id = (SELECT customer_id FROM routings WHERE id = $1) FOR SHARE", f.RoutingID)
	return err
}

// holdMap is the other side of holdOff, before a change of a customer's map. It
// returns Invalid for an unknown customer.
func (s *Service) holdMap(tx *gorm.DB, customerID int64) error {
	query := "SELECT 1 FROM customers WHERE id = $1"
	if s.DB.Dialect() == store.Postgres {
		query += " FOR NO KEY UPDATE"
	}
	var one int
	err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, query, customerID).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Newf(fault.Invalid, "there is no customer %d", customerID).At("CustomerID")
	}
	return err
}

// settle gives reasons to all reports that wait with a status that stands for one
// in use, in the maps whose column has the value.
func (s *Service) settle(tx *gorm.DB, column string, value int64) error {
	if s.DB.Dialect() == store.Postgres {
		hold := "SELECT 1 FROM customers WHERE id IN (SELECT customer_id FROM status_maps m WHERE " + column + " = ?) ORDER BY id FOR NO KEY UPDATE"
		if err := tx.Exec(hold, value).Error; err != nil {
			return err
		}
	}
	var waiting []StatusMap
	err := tx.Raw(`SELECT m.* FROM status_maps m JOIN feedback_reasons x ON x.id = m.reason_id AND x.active
		WHERE `+column+` = ? AND EXISTS (SELECT 1 FROM feedback f JOIN routings r ON r.id = f.routing_id
			WHERE f.reason_id IS NULL AND f.folded = m.folded AND r.customer_id = m.customer_id)`, value).Scan(&waiting).Error
	if err != nil {
		return err
	}
	for _, m := range waiting {
		if err := s.apply(tx, m.CustomerID, m.Folded, m.ReasonID); err != nil {
			return err
		}
	}
	return nil
}

// applied are the statements of apply. $1 is the reason, $2 the status, $3 the
// customer, in this order, as SQLite numbers parameters as they come. The reports
// lose what marks them as waiting in the last of them.
var applied = []string{
	// Where the newest report with a meaning is one that waited, it is current.
	`UPDATE routings SET reason_id = $1, feedback_at = n.at, version = version + 1
	FROM (
		SELECT f.routing_id, f.reason_id, coalesce(f.occurred_at, f.received_at) AS at,
			row_number() OVER (PARTITION BY f.routing_id ORDER BY coalesce(f.occurred_at, f.received_at) DESC, f.received_at DESC, f.id DESC) AS place
		FROM feedback f
		WHERE f.routing_id IN (` + waiting + `) AND (f.reason_id IS NOT NULL OR f.folded = $2)
	) n
	WHERE routings.id = n.routing_id AND n.place = 1 AND n.reason_id IS NULL`,

	// Their leads follow, unless another customer's report is newer.
	`UPDATE leads SET reason_id = $1, feedback_at = r.feedback_at, version = leads.version + 1
	FROM routings r
	WHERE r.lead_id = leads.id AND r.id IN (` + waiting + `) AND r.reason_id = $1
		AND (leads.feedback_at IS NULL OR leads.feedback_at < r.feedback_at OR leads.feedback_at = r.feedback_at AND leads.reason_id <> $1)`,

	`UPDATE feedback SET reason_id = $1 WHERE reason_id IS NULL AND folded = $2 AND routing_id IN (` + waiting + `)`,
}

// waiting are the routings with reports that wait.
const waiting = `SELECT w.routing_id FROM feedback w JOIN routings x ON x.id = w.routing_id
	WHERE w.reason_id IS NULL AND w.folded = $2 AND x.customer_id = $3`

// apply gives the reason to the customer's reports that wait with the status, in
// three statements however many they are.
func (s *Service) apply(tx *gorm.DB, customerID int64, folded string, reasonID int32) error {
	for _, statement := range applied {
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, statement, reasonID, folded, customerID); err != nil {
			return err
		}
	}
	return nil
}
