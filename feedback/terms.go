package feedback

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"leadloop/keys"
	"leadloop/store"
)

// terms are those on which the system of a connection reports. The zero value
// is that of staff.
type terms struct {
	fields   keys.FieldNames
	allowGet bool
	maxAge   *time.Duration // after delivery; nil: for ever
	loaded   time.Time
}

// over reports whether it is too late at now for feedback on what was given then.
func (t terms) over(given, now time.Time) bool { return t.maxAge != nil && now.Sub(given) > *t.maxAge }

// termsLifetime is how long a change of a connection may go unseen.
const termsLifetime = time.Second

// mostTerms is how many connections' terms are kept.
const mostTerms = 10_000

// termsCache keeps the terms of connections. The zero value is empty.
type termsCache struct {
	mu  sync.Mutex
	all map[uuid.UUID]terms
}

// terms are those of ctx's actor, read at most a second ago.
func (s *Service) terms(ctx context.Context) (terms, error) {
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Machine {
		return terms{}, nil
	}
	now := s.Now()
	if t, ok := s.agreed.get(actor.ConnectionID, now); ok {
		return t, nil
	}
	t := terms{loaded: now}
	var fields []byte
	err := s.DB.Read(ctx).Raw("SELECT feedback_fields, allow_get, max_feedback_age FROM connections WHERE id = ?", actor.ConnectionID).
		Row().Scan(&fields, &t.allowGet, &t.maxAge)
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil // it was deleted just now
	}
	if err == nil {
		err = json.Unmarshal(fields, &t.fields)
	}
	if err != nil {
		return terms{}, fmt.Errorf("terms of connection %v: %w", actor.ConnectionID, err)
	}
	s.agreed.put(actor.ConnectionID, t)
	return t, nil
}

func (c *termsCache) get(id uuid.UUID, now time.Time) (terms, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.all[id]
	age := now.Sub(t.loaded)
	return t, ok && age >= 0 && age < termsLifetime
}

func (c *termsCache) put(id uuid.UUID, t terms) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil || len(c.all) >= mostTerms {
		c.all = map[uuid.UUID]terms{}
	}
	c.all[id] = t
}

// span writes a duration for people: "30 days", "36 hours", "1m30s".
func span(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return count(int64(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return count(int64(d/time.Hour), "hour")
	}
	return strings.TrimSuffix(d.String(), "0s")
}

func count(n int64, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
