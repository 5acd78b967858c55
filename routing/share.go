package routing

import (
	"context"
	"fmt"
	"sync"
	"time"

	"leadloop/store"
)

const (
	shareLifetime = time.Minute
	shareSample   = 1000 // of the newest routings
	shareLeast    = 20   // of the sample: one lead in fifty
)

// shares keeps for a while which customers get many of the leads.
type shares struct {
	mu   sync.Mutex
	wide map[int64]share
}

type share struct {
	wide bool
	read time.Time
}

// Wide reports whether a customer gets so many of the leads that its own are
// sooner found by looking at leads one after the other than by listing all that it
// ever got. It is a hint for reads on SQLite, up to a minute old; PostgreSQL knows
// by itself, and there it is always false.
func (s *Service) Wide(ctx context.Context, customerID int64) (bool, error) {
	if s.db.Dialect() == store.Postgres {
		return false, nil
	}
	now := s.now()
	s.shares.mu.Lock()
	known, ok := s.shares.wide[customerID]
	s.shares.mu.Unlock()
	if ok && now.Sub(known.read).Abs() < shareLifetime {
		return known.wide, nil
	}
	var n int
	err := s.db.Read(ctx).Raw("SELECT count(*) FROM (SELECT customer_id FROM routings ORDER BY id DESC LIMIT ?) WHERE customer_id = ?",
		shareSample, customerID).Scan(&n).Error
	if err != nil {
		return false, fmt.Errorf("share of customer %d: %w", customerID, err)
	}
	s.shares.mu.Lock()
	defer s.shares.mu.Unlock()
	if s.shares.wide == nil {
		s.shares.wide = map[int64]share{}
	}
	s.shares.wide[customerID] = share{n >= shareLeast, now}
	return n >= shareLeast, nil
}
