package feedback

import (
	"context"
	"sync"
	"time"
)

// reasonsLifetime is how long a change on another server may go unseen.
const reasonsLifetime = time.Second

// reasonCache keeps all reasons in memory, so that a report asks the database
// for its routing alone. The zero value is empty.
type reasonCache struct {
	mu     sync.Mutex
	turn   uint64
	loaded time.Time
	all    []Reason // in the order of lists; nil if unknown; never changed in place
}

// list gives all reasons in the order of lists, read at most a second ago.
func (c *reasonCache) list(ctx context.Context, s *Service) ([]Reason, error) {
	now := s.Now()
	all, turn := c.get(now)
	if all != nil {
		return all, nil
	}
	all = []Reason{}
	if err := s.DB.Read(ctx).Order("position, id").Find(&all).Error; err != nil {
		return nil, err
	}
	c.put(all, turn, now)
	return all, nil
}

func (c *reasonCache) get(now time.Time) ([]Reason, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := now.Sub(c.loaded); age < 0 || age >= reasonsLifetime {
		return nil, c.turn
	}
	return c.all, c.turn
}

// put keeps all, unless the cache was purged since turn: then all may have been
// read before the change that purged it.
func (c *reasonCache) put(all []Reason, turn uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn == c.turn {
		c.all, c.loaded = all, now
	}
}

func (c *reasonCache) purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	c.all = nil
}
