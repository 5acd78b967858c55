package routing

import (
	"context"
	"fmt"
	"time"

	"leadloop/store"
)

// Depth is how many routings wait in the transmission queue in one state.
type Depth struct {
	State string
	Count int64
	// OldestDueAt is when the one that is due longest became so; in the future where
	// none is due yet.
	OldestDueAt *time.Time
}

// Depth gives the states of the transmission queue that some routing is in. Needs
// a viewer.
func (s *Service) Depth(ctx context.Context) ([]Depth, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	list := []Depth{}
	db := s.db.Read(ctx)
	// The index holds the queue alone, not the routings that are through it.
	err := db.Raw("SELECT state, count(*) AS count FROM routings WHERE next_attempt_at IS NOT NULL GROUP BY state ORDER BY state").Scan(&list).Error
	for i := range list {
		if err != nil {
			break
		}
		var due []time.Time // none, if it has left the queue meanwhile
		err = db.Raw("SELECT next_attempt_at FROM routings WHERE next_attempt_at IS NOT NULL AND state = ? ORDER BY next_attempt_at LIMIT 1",
			list[i].State).Scan(&due).Error
		if len(due) > 0 {
			list[i].OldestDueAt = &due[0]
		}
	}
	if err != nil {
		return nil, fmt.Errorf("depth of the queue: %w", err)
	}
	return list, nil
}
