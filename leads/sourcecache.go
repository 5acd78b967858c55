package leads

import (
	"context"
	"crypto/hmac"
	"errors"
	"sync"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
)

const (
	cacheLifetime = 2 * time.Second // how long a change on another server may go unseen
	cacheSize     = 1_000
)

// sourceCache keeps sources by the token they were asked for with for a short while,
// so that a busy intake does not read its source anew for each lead. Sources in it
// are shared: they are never changed.
type sourceCache struct {
	mu      sync.Mutex
	turn    uint64
	entries map[string]cachedSource
}

type cachedSource struct {
	source *Source
	old    bool // the token is the source's old one
	loaded time.Time
}

func newSourceCache() *sourceCache {
	return &sourceCache{entries: map[string]cachedSource{}}
}

// get returns what is kept of token and fresh, else no source and the turn to give
// to put.
func (c *sourceCache) get(token string, now time.Time) (cachedSource, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[token]
	if age := now.Sub(e.loaded); !ok || age < 0 || age >= cacheLifetime {
		return cachedSource{}, c.turn
	}
	return e, c.turn
}

// put keeps e under token, unless the cache was purged since turn: then it may have
// been read before the change that purged it.
func (c *sourceCache) put(token string, e cachedSource, turn uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	for any := range c.entries {
		if len(c.entries) < cacheSize {
			break
		}
		delete(c.entries, any)
	}
	c.entries[token] = e
}

func (c *sourceCache) purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	clear(c.entries)
}

// sourceOf returns the enabled source with that token, or with it as its old one
// that still works. The same NotFound for an unknown token and for a disabled source.
func (s *Service) sourceOf(ctx context.Context, token string) (*Source, error) {
	notFound := fault.New(fault.NotFound, "no such intake address")
	if !plausibleToken(token) {
		return nil, notFound
	}
	now := s.Now()
	e, turn := s.sources.get(token, now)
	if e.source == nil {
		mac := s.tokenMAC(token)
		e = cachedSource{source: &Source{}, loaded: now}
		err := s.DB.Read(ctx).Where("token_mac = ? OR old_token_mac = ?", mac, mac).Take(e.source).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, notFound
		}
		if err != nil {
			return nil, failed("read source", err)
		}
		e.old = !hmac.Equal(mac, e.source.TokenMAC)
		s.sources.put(token, e, turn)
	}
	if !e.source.Enabled || e.old && !now.Before(*e.source.OldTokenUntil) {
		return nil, notFound
	}
	return e.source, nil
}
