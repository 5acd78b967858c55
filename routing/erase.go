package routing

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// EraseLeads takes out of the routings of leads, and the exchanges about them,
// what a person could be known by. What is still to be sent is given up; an
// exchange under way ends without a trace of its bodies.
func EraseLeads(tx *gorm.DB, leadIDs []uuid.UUID) error {
	// The routings come first: who settles one holds its row until the attempt is written.
	for _, sql := range []string{
		`UPDATE routings SET external_id = NULL, external_link = NULL, next_attempt_at = NULL, lease_token = NULL,
			error = CASE WHEN state IN ('pending', 'sending', 'parked') THEN 'the lead was erased' END,
			state = CASE WHEN state IN ('pending', 'sending', 'parked') THEN 'failed' ELSE state END,
			version = version + 1 WHERE lead_id IN ?`,
		`UPDATE attempts SET request = '', response = '', error = NULL WHERE routing_id IN (SELECT id FROM routings WHERE lead_id IN ?)`,
		`DELETE FROM onwards WHERE lead_id IN ?`, // with its attempts
		`DELETE FROM notices WHERE routing_id IN (SELECT id FROM routings WHERE lead_id IN ?)`,
	} {
		if err := tx.Exec(sql, leadIDs).Error; err != nil {
			return fmt.Errorf("erase leads: %w", err)
		}
	}
	return nil
}

// DropLeads deletes the routings of leads with their attempts. Feedback on them
// must be gone.
func DropLeads(tx *gorm.DB, leadIDs []uuid.UUID) error {
	if err := tx.Exec("DELETE FROM routings WHERE lead_id IN ?", leadIDs).Error; err != nil {
		return fmt.Errorf("drop leads: %w", err)
	}
	return nil
}

// DropBodies empties the bodies of the attempts, and gives of how many.
func DropBodies(tx *gorm.DB, attemptIDs []int64) (int64, error) {
	res := tx.Exec("UPDATE attempts SET request = '', response = '' WHERE id IN ? AND (request <> '' OR response <> '')", attemptIDs)
	if res.Error != nil {
		return 0, fmt.Errorf("drop bodies: %w", res.Error)
	}
	return res.RowsAffected, nil
}

// OldAttempts gives up to limit attempts that began before an instant, came after
// the attempt with the ID after, and sent leads of sources that keep the bodies so
// many days: those with bodies. last is the attempt up to which it looked. Attempts
// are taken to have begun in the order of their IDs, near enough.
func OldAttempts(db *gorm.DB, days int, before time.Time, after int64, limit int) (ids []int64, last int64, err error) {
	var end *int64 // the first that is not old; of old ones alone, what comes after the last
	if err := db.Raw("SELECT id FROM attempts WHERE id > ? AND started_at >= ? ORDER BY id LIMIT 1", after, before).Scan(&end).Error; err != nil {
		return nil, after, fmt.Errorf("old attempts: %w", err)
	}
	if end == nil {
		if err := db.Raw("SELECT max(id) + 1 FROM attempts").Scan(&end).Error; err != nil || end == nil {
			return nil, after, err
		}
	}
	q := db.Table("attempts a").Joins("JOIN routings r ON r.id = a.routing_id").Joins("JOIN leads l ON l.id = r.lead_id").
		Where("a.id > ? AND l.source_id IN (SELECT id FROM sources WHERE attempts_days = ?)", after, days).
		Where("a.id < ? AND a.started_at < ? AND (a.request <> '' OR a.response <> '')", *end, before)
	if err := q.Order("a.id").Limit(limit).Pluck("a.id", &ids).Error; err != nil {
		return nil, after, fmt.Errorf("old attempts: %w", err)
	}
	if len(ids) == limit {
		return ids, ids[limit-1], nil
	}
	return ids, max(after, *end-1), nil
}
