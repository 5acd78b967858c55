package keys

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

// usage gathers when keys were used, so that checking a key never writes. It
// holds at most one time for each key that exists.
type usage struct {
	mu      sync.Mutex
	pending map[string]time.Time
}

func (u *usage) note(id string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.After(u.pending[id]) {
		u.pending[strings.Clone(id)] = at // id may be cut from a whole key
	}
}

func (u *usage) take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.pending
	u.pending = map[string]time.Time{}
	return taken
}

// Flush writes the last-used times gathered so far, in one transaction. A key
// another server has written within the minute is left alone. What could not be
// written is kept for the next time.
func (s *Service) Flush(ctx context.Context) error {
	taken := s.usage.take()
	if len(taken) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(taken)) // one order on all servers: no deadlock
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		for _, id := range ids {
			at := taken[id]
			err := tx.Exec("UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)",
				at, id, at.Add(-time.Minute)).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for id, at := range taken {
			s.usage.note(id, at)
		}
		return fmt.Errorf("write last-used times: %w", err)
	}
	return nil
}
