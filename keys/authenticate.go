package keys

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
)

// errRefused is the one answer to every key that may not come in, whatever the
// cause: a caller learns nothing from it.
var errRefused = fault.New(fault.Unauthorized, "The key is missing, wrong, or not valid here and now.")

// Authenticate turns a key into the actor it stands for: Kind Machine with the
// connection's ID, CustomerID, Scopes and Name. connectionID is what the caller
// claims to be (the user name of Basic authentication), nil if it claims
// nothing; remote is the caller's address.
//
// One and the same Unauthorized fault answers a key that is malformed, unknown,
// wrong, revoked or expired, one of another connection, one outside its
// connection's dates, and one from outside its networks. RateLimited, with the
// time to wait, answers a good key whose connection has made its
// RequestsPerMinute. Any other error means that the database could not be asked.
//
// What the database says is kept for up to two seconds; the Actor's Scopes are
// shared and must not be changed.
func (s *Service) Authenticate(ctx context.Context, key string, connectionID *uuid.UUID, remote netip.Addr) (store.Actor, error) {
	id, ok := parse(key)
	if !ok {
		return store.Actor{}, errRefused
	}
	now := s.Now()
	g, err := s.grant(ctx, id, now)
	if err != nil {
		return store.Actor{}, fmt.Errorf("authenticate key: %w", err)
	}
	// No early way out: an unknown key, a wrong secret and a revoked key take the same steps.
	match := subtle.ConstantTimeCompare(s.hash(key), g.hash[:]) == 1
	why := g.refusal(now, connectionID, remote)
	if !match || why != "" {
		s.refused(g, match, why, now, remote)
		return store.Actor{}, errRefused
	}
	if g.proved.CompareAndSwap(false, true) {
		s.proven.add(g.hash)
	}
	if err := limited(g.meter.take(1, now)); err != nil {
		s.refused(g, match, RefusedRate, now, remote)
		return store.Actor{}, err
	}
	if g.due(now) {
		s.usage.note(id, use{now, remote})
	}
	return g.actor, nil
}

// Proven reports whether key has let a caller in here before. It asks no
// database, and says nothing of whether the key still does.
func (s *Service) Proven(key string) bool {
	if _, ok := parse(key); !ok {
		return false
	}
	return s.proven.has([32]byte(s.hash(key)))
}

// grant is what the database knows of a key id; its zero value with a loaded
// time is "nothing".
type grant struct {
	hash               [32]byte
	known              bool
	actor              store.Actor
	startsAt, endsAt   *time.Time
	expiresAt, revoked *time.Time
	networks           []netip.Prefix
	meter              *meter
	loaded             time.Time
	proved             atomic.Bool  // it is among the proven
	noted              atomic.Int64 // Unix microseconds of the last use that was noted
}

// refusal says why the key is not let in now, if it is the right one; empty for one
// that is.
func (g *grant) refusal(now time.Time, connectionID *uuid.UUID, remote netip.Addr) (why string) {
	// All is looked at, whatever it comes to.
	for _, check := range [...]struct {
		ok  bool
		why string
	}{
		{g.allows(remote), RefusedNetwork},
		{connectionID == nil || *connectionID == g.actor.ConnectionID, RefusedClaim},
		{!over(g.endsAt, now), RefusedLate},
		{g.startsAt == nil || !now.Before(*g.startsAt), RefusedEarly},
		{!over(g.expiresAt, now), RefusedExpired},
		{g.revoked == nil, RefusedRevoked},
		{g.known, "unknown"},
	} {
		if !check.ok {
			why = check.why
		}
	}
	return why
}

func over(end *time.Time, now time.Time) bool { return end != nil && !now.Before(*end) }

func (g *grant) allows(remote netip.Addr) bool {
	if len(g.networks) == 0 {
		return true
	}
	remote = remote.Unmap().WithZone("")
	for _, n := range g.networks {
		if n.Contains(remote) {
			return true
		}
	}
	return false
}

// due tells once a minute that a use is worth writing down.
func (g *grant) due(now time.Time) bool {
	last := g.noted.Load()
	at := now.UnixMicro()
	return at-last >= time.Minute.Microseconds() && g.noted.CompareAndSwap(last, at)
}

// grant gives what is known of a key id, from memory or else from the database.
func (s *Service) grant(ctx context.Context, id string, now time.Time) (*grant, error) {
	g, turn := s.cache.get(id, now)
	if g != nil {
		return g, nil
	}
	g, err := s.load(ctx, id)
	if err != nil {
		return nil, err
	}
	g.loaded = now
	s.cache.put(id, g, turn)
	return g, nil
}

func (s *Service) load(ctx context.Context, id string) (*grant, error) {
	var (
		g                    grant
		hash, scopes, blocks []byte
		narrowed             []byte
		used                 *time.Time
		rate                 int
	)
	err := s.DB.Read(ctx).Raw(`SELECT k.hash, k.expires_at, k.revoked_at, k.last_used_at, k.scopes,
		c.id, c.customer_id, c.name, c.starts_at, c.ends_at, c.scopes, c.allowed_networks,
		c.requests_per_minute FROM keys k JOIN connections c ON c.id = k.connection_id WHERE k.id = ?`, id).Row().
		Scan(&hash, &g.expiresAt, &g.revoked, &used, &narrowed, &g.actor.ConnectionID, &g.actor.CustomerID, &g.actor.Name,
			&g.startsAt, &g.endsAt, &scopes, &blocks, &rate)
	if errors.Is(err, sql.ErrNoRows) {
		return &grant{}, nil
	}
	if err != nil {
		return nil, err
	}
	var list, only []string
	if err := errors.Join(json.Unmarshal(scopes, &g.actor.Scopes), json.Unmarshal(narrowed, &only), json.Unmarshal(blocks, &list)); err != nil {
		return nil, fmt.Errorf("connection %v: %w", g.actor.ConnectionID, err)
	}
	if len(only) > 0 {
		g.actor.Scopes = slices.DeleteFunc(g.actor.Scopes, func(scope string) bool { return !slices.Contains(only, scope) })
	}
	if g.networks, err = networks(list); err != nil {
		return nil, fmt.Errorf("connection %v: %w", g.actor.ConnectionID, err)
	}
	if used != nil {
		g.noted.Store(used.UnixMicro())
	}
	g.meter = s.meters.meter(g.actor.ConnectionID, rate, s.Now())
	g.known, g.actor.Kind = copy(g.hash[:], hash) == len(g.hash), store.Machine
	return &g, nil
}
