package feedback

import (
	"database/sql"
	"errors"
	"maps"
	"slices"

	"gorm.io/gorm"

	"leadloop/odata/fault"
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
