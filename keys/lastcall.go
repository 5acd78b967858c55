package keys

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// LastCall is what became of the last call with a key of a connection, for who
// sets the other system up. It holds no body, and no key.
type LastCall struct {
	ConnectionID uuid.UUID `gorm:"primaryKey"`
	At           time.Time
	Method       string // empty, as Path, where the call did not get past its key
	Path         string // without the query
	Address      string // of the caller
	Status       int    // of HTTP
	// Code says what was wrong: that of a fault, or, of a call that its key did not
	// let in, one of the Refused codes. Empty if nothing was.
	Code    string
	Message string // the fault's
	Target  string // the fault's
}

// Why a key that is right was refused.
const (
	RefusedRevoked = "key_revoked"
	RefusedExpired = "key_expired"
	RefusedEarly   = "not_started"
	RefusedLate    = "ended"
	RefusedClaim   = "other_connection" // Basic with another connection's id
	RefusedNetwork = "network"
	RefusedRate    = "rate_limited"
)

// calls holds the last call of connections until it is written.
type calls struct {
	mu      sync.Mutex
	pending map[uuid.UUID]LastCall
}

func (c *calls) note(call LastCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !call.At.Before(c.pending[call.ConnectionID].At) {
		c.pending[call.ConnectionID] = call
	}
}

func (c *calls) take() map[uuid.UUID]LastCall {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.pending
	c.pending = map[uuid.UUID]LastCall{}
	return taken
}

func (c *calls) of(id uuid.UUID) (LastCall, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call, ok := c.pending[id]
	return call, ok
}

// Bounds of what is kept of a call, in bytes.
const (
	callPathMost    = 200
	callMessageMost = 500
)

// Called remembers what became of a call that a key let in. Whatever looks like a
// key is taken out of it.
func (s *Service) Called(call LastCall) {
	call.At = s.Now()
	call.Path = cut(call.Path, callPathMost)
	call.Message = cut(call.Message, callMessageMost)
	call.Target = cut(call.Target, callPathMost)
	s.calls.note(call)
}

// cut bounds a text, and takes keys out of it. It is a copy: the text may be part
// of a request that is long.
func cut(text string, most int) string {
	text = Pattern.ReplaceAllString(text, Prefix+"…")
	for len(text) > most {
		_, size := utf8.DecodeLastRuneInString(text[:most+1])
		text = text[:most+1-size]
	}
	return string([]byte(text))
}

// refused remembers that a key was refused, in the same steps for a key that is
// right, of which there is something to tell its connection, and for all others.
func (s *Service) refused(g *grant, match bool, why string, now time.Time, remote netip.Addr) {
	status := 401
	if why == RefusedRate {
		status = 429
	}
	id := uuid.Nil
	if match && g.known {
		id = g.actor.ConnectionID
	}
	s.calls.note(LastCall{ConnectionID: id, At: now, Address: remote.Unmap().String(), Status: status, Code: why})
}

// LastCall gives the last call with a key of the connection, nil where there was
// none: at once for calls to this server, after seconds for those to others. Staff
// need a viewer; a connection's own system gets its own. NotFound for an unknown
// connection.
func (s *Service) LastCall(ctx context.Context, id uuid.UUID) (*LastCall, error) {
	actor := store.ActorOf(ctx)
	if actor.Kind == store.Machine && actor.ConnectionID != id {
		return nil, fault.Newf(fault.NotFound, "no connection %v", id)
	}
	if actor.Kind != store.Machine {
		if err := store.Require(ctx, store.Viewer); err != nil {
			return nil, err
		}
	}
	var rows []LastCall
	err := s.DB.Read(ctx).Limit(1).Find(&rows, "connection_id = ?", id).Error
	if err != nil {
		return nil, fmt.Errorf("last call: %w", err)
	}
	if call, ok := s.calls.of(id); ok && (len(rows) == 0 || call.At.After(rows[0].At)) {
		return &call, nil
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// flushCalls writes the last calls gathered so far, in one transaction. A later one
// that another server has written stays.
func (s *Service) flushCalls(ctx context.Context) error {
	taken := s.calls.take()
	delete(taken, uuid.Nil)
	if len(taken) == 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(taken), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		for _, id := range ids {
			c := taken[id]
			err := tx.Exec(`INSERT INTO last_calls (connection_id, at, method, path, address, status, code, message, target)
				SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM connections WHERE id = ?
				ON CONFLICT (connection_id) DO UPDATE SET at = excluded.at, method = excluded.method, path = excluded.path,
				address = excluded.address, status = excluded.status, code = excluded.code, message = excluded.message,
				target = excluded.target WHERE last_calls.at <= excluded.at`,
				c.At, c.Method, c.Path, c.Address, c.Status, c.Code, c.Message, c.Target, id).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, c := range taken {
			s.calls.note(c)
		}
		return fmt.Errorf("write last calls: %w", err)
	}
	return nil
}
