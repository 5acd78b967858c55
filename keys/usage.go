package keys

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

// usage gathers when keys were used and from where, so that checking a key never
// writes. It holds at most one use for each key that exists.
type usage struct {
	mu      sync.Mutex
	pending map[string]use
}

type use struct {
	at   time.Time
	from netip.Addr
}

func (u *usage) note(id string, one use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if one.at.After(u.pending[id].at) {
		u.pending[strings.Clone(id)] = one // id may be cut from a whole key
	}
}

func (u *usage) take() map[string]use {
	u.mu.Lock()
	defer u.mu.Unlock()
	taken := u.pending
	u.pending = map[string]use{}
	return taken
}

// address is from as it is stored: null if it is not known.
func (u use) address() *string {
	if !u.from.IsValid() {
		return nil
	}
	text := u.from.Unmap().String()
	return &text
}

// Flush writes the last uses of keys and the last calls of connections gathered so
// far. A key another server has written within the minute is left alone. What could
// not be written is kept for the next time.
func (s *Service) Flush(ctx context.Context) error {
	return errors.Join(s.flushUsage(ctx), s.flushCalls(ctx))
}

func (s *Service) flushUsage(ctx context.Context) error {
	taken := s.usage.take()
	if len(taken) == 0 {
		return nil
	}
	ids := slices.Sorted(maps.Keys(taken)) // one order on all servers: no deadlock
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		for _, id := range ids {
			one := taken[id]
			err := tx.Exec("UPDATE keys SET last_used_at = ?, last_used_from = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)",
				one.at, one.address(), id, one.at.Add(-time.Minute)).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for id, one := range taken {
			s.usage.note(id, one)
		}
		return fmt.Errorf("write last-used times: %w", err)
	}
	return nil
}
