package keys

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
)

// meters count the requests of connections, each shared by the connection's
// keys.
type meters struct {
	mu sync.Mutex
	of map[uuid.UUID]*meter
}

// meter is a bucket that a minute fills: each request takes one, and is refused
// while nothing is left. What is taken afterwards may bring it below zero, so
// that a large batch is let in and paid for by waiting.
type meter struct {
	mu    sync.Mutex
	rate  float64 // a minute
	left  float64
	since time.Time
}

// metersMost bounds the meters that are kept: a full one is as good as a new one.
const metersMost = 10_000

// meter gives the meter of a connection, with the rate it has now.
func (m *meters) meter(id uuid.UUID, rate int, now time.Time) *meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.of[id]
	if one == nil {
		for id, other := range m.of {
			if len(m.of) < metersMost {
				break
			}
			if other.full(now) {
				delete(m.of, id)
			}
		}
		one = &meter{rate: float64(rate), left: float64(rate), since: now}
		m.of[id] = one
	}
	one.set(float64(rate), now)
	return one
}

func (m *meter) full(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(now)
	return m.left >= m.rate
}

func (m *meter) set(rate float64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(now)
	m.left, m.rate = min(m.left+rate-m.rate, rate), rate
}

// fill adds what has come in since it was last asked. A clock that was set back
// adds nothing.
func (m *meter) fill(now time.Time) {
	if passed := now.Sub(m.since); passed > 0 {
		m.left = min(m.rate, m.left+m.rate*passed.Minutes())
	}
	m.since = now
}

// take takes n, or says how long to wait if there is not one left.
func (m *meter) take(n int, now time.Time) (wait time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fill(now)
	if m.left < 1 {
		return time.Duration((1 - m.left) / m.rate * float64(time.Minute))
	}
	m.left -= float64(n)
	return 0
}

// Spend counts n requests more of the connection that acts in ctx, such as the
// parts of a batch: RateLimited where it has none left, as Authenticate. Other
// actors spend nothing.
func (s *Service) Spend(ctx context.Context, n int) error {
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Machine || n < 1 {
		return nil
	}
	s.meters.mu.Lock()
	m := s.meters.of[actor.ConnectionID]
	s.meters.mu.Unlock()
	if m == nil {
		return nil // it was full, and was dropped
	}
	return limited(m.take(n, s.Now()))
}

// limited is the fault of who has to wait, nil for who has not.
func limited(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	seconds := (wait + time.Second - 1).Truncate(time.Second)
	return fault.Newf(fault.RateLimited, "this connection has made its requests of a minute; try again in %d seconds", int(seconds.Seconds())).Retry(seconds)
}
