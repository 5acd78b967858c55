package feedback

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// word is a customer's own word for something.
type word struct {
	customer int64
	folded   string
}

// translate finds the reasons that the customers mean by their statuses, and
// leaves reports without one where they never said. A report that has another
// reason is refused.
func (b *batch) translate() error {
	meanings := map[word]int32{}
	err := b.meanings(meanings, func(*Feedback) bool { return true })
	if err != nil {
		return failed("translate status", err)
	}
	waits := func(f *Feedback) bool {
		_, known := meanings[b.word(f)]
		return !known && f.ReasonID == nil
	}
	// Those will wait. A change of the map that is under way would not see them: read
	// again after that.
	held, err := b.holdOff(waits)
	if err == nil && held {
		err = b.meanings(meanings, waits)
	}
	if err != nil {
		return failed("translate status", err)
	}
	b.each(func(_ int, f *Feedback) error {
		if f.Folded == nil {
			return nil
		}
		reason, known := meanings[b.word(f)]
		switch {
		case !known:
		case f.ReasonID == nil:
			f.ReasonID = &reason
		case *f.ReasonID != reason:
			return fault.Newf(fault.Invalid, "the status %q stands for reason %d, not %d", *f.Status, reason, *f.ReasonID).At("Status")
		}
		return nil
	})
	return nil
}

func (b *batch) word(f *Feedback) word { return word{b.given[f.RoutingID].CustomerID, *f.Folded} }

// meanings reads the reasons in use that the statuses of the reports stand for.
func (b *batch) meanings(into map[word]int32, of func(*Feedback) bool) error {
	seen := map[word]bool{}
	var words []word
	b.each(func(_ int, f *Feedback) error {
		if f.Folded != nil && of(f) && !seen[b.word(f)] {
			seen[b.word(f)] = true
			words = append(words, b.word(f))
		}
		return nil
	})
	return store.Portions(words, func(part []word) error {
		args := make([]any, 0, 2*len(part))
		for _, w := range part {
			args = append(args, w.customer, w.folded)
		}
		rows, err := b.tx.Statement.ConnPool.QueryContext(b.tx.Statement.Context, `SELECT m.customer_id, m.folded, m.reason_id FROM status_maps m
			JOIN feedback_reasons x ON x.id = m.reason_id AND x.active
			WHERE (m.customer_id, m.folded) IN (VALUES `+store.Values(b.DB.Dialect(), len(part), "bigint", "text")+`)`, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var w word
			var reason int32
			if err := rows.Scan(&w.customer, &w.folded, &reason); err != nil {
				return err
			}
			into[w] = reason
		}
		return rows.Err()
	})
}

// holdOff waits for changes of the maps of the customers of those reports, and
// keeps further ones waiting until the transaction has ended; false where there
// was nothing to wait for. SQLite has one writer at a time anyway.
func (b *batch) holdOff(of func(*Feedback) bool) (bool, error) {
	if b.DB.Dialect() == store.SQLite {
		return false, nil
	}
	customers := map[int64]bool{}
	b.each(func(_ int, f *Feedback) error {
		if f.Folded != nil && of(f) {
			customers[b.given[f.RoutingID].CustomerID] = true
		}
		return nil
	})
	for _, id := range slices.Sorted(maps.Keys(customers)) {
		if err := b.tx.Exec("SELECT 1 FROM customers WHERE id = ? FOR SHARE", id).Error; err != nil {
			return false, err
		}
	}
	return len(customers) > 0, nil
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
	updateLeads + `reason_id = $1, feedback_at = r.feedback_at, version = leads.version + 1
	FROM routings r
	WHERE r.lead_id = leads.id AND r.id IN (` + waiting + `) AND r.reason_id = $1
		AND (leads.feedback_at IS NULL OR leads.feedback_at < r.feedback_at OR leads.feedback_at = r.feedback_at AND leads.reason_id <> $1)`,

	`UPDATE feedback SET reason_id = $1,
		return_state = CASE WHEN (SELECT asks_for_return FROM feedback_reasons WHERE id = $1) THEN 'requested' END
	WHERE reason_id IS NULL AND folded = $2 AND routing_id IN (` + waiting + `)`,
}

const updateLeads = "UPDATE leads SET "

// waiting are the routings with reports that wait.
const waiting = `SELECT w.routing_id FROM feedback w JOIN routings x ON x.id = w.routing_id
	WHERE w.reason_id IS NULL AND w.folded = $2 AND x.customer_id = $3`

// apply gives the reason to the customer's reports that wait with the status, in
// three statements however many they are. What that changes of leads is sent onward
// where their sources say so.
func (s *Service) apply(tx *gorm.DB, customerID int64, folded string, reasonID int32) error {
	onward, err := s.Routing.AnyOnward(tx.Statement.Context)
	if err != nil {
		return err
	}
	var changed []uuid.UUID
	for _, statement := range applied {
		if onward && strings.HasPrefix(statement, updateLeads) {
			err := tx.Raw(statement+" RETURNING leads.id", reasonID, folded, customerID).Scan(&changed).Error
			if err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, statement, reasonID, folded, customerID); err != nil {
			return err
		}
	}
	return s.sendOnward(tx, changed)
}

// sendOnward has the current feedback of the leads sent onward.
func (s *Service) sendOnward(tx *gorm.DB, leadIDs []uuid.UUID) error {
	return store.Portions(leadIDs, func(part []uuid.UUID) error {
		var rows []struct {
			LeadID   uuid.UUID
			Feedback `gorm:"embedded"`
		}
		err := tx.Table("feedback f").Joins("JOIN routings r ON r.id = f.routing_id").Joins("JOIN leads l ON l.id = r.lead_id").
			Where("l.id IN ? AND r.feedback_at = l.feedback_at AND f.reason_id = l.reason_id AND coalesce(f.occurred_at, f.received_at) = l.feedback_at", part).
			Select("l.id AS lead_id, f.*").Order("f.received_at, f.id").Find(&rows).Error
		if err != nil {
			return err
		}
		newest := make(map[uuid.UUID]routing.Current, len(rows))
		for _, row := range rows {
			newest[row.LeadID] = row.Feedback.current(row.LeadID)
		}
		return s.Routing.SendOnward(tx, slices.Collect(maps.Values(newest))...)
	})
}
