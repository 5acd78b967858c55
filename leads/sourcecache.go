package leads

import (
	"context"
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

// sourceCache keeps sources by the token they were asked for with for a short while, so that a busy intake
// does not read its source anew for each lead. Sources in it are shared: they
// are never changed.
type sourceCache struct {
	mu      sync.Mutex
	turn    uint64
	entries map[string]cachedSource
}

type cachedSource struct {
	source *Source
	loaded time.Time
}

func newSourceCache() *sourceCache {
	return &sourceCache{entries: map[string]cachedSource{}}
}

// get returns the fresh source of token, or nil and the turn to give to put.
func (c *sourceCache) get(token string, now time.Time) (*Source, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[token]
	if age := now.Sub(e.loaded); !ok || age < 0 || age >= cacheLifetime {
		return nil, c.turn
	}
	return e.source, c.turn
}

// put keeps src under token, unless the cache was purged since turn: then src may have been
// read before the change that purged it.
func (c *sourceCache) put(token string, src *Source, turn uint64, now time.Time) {
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
	c.entries[token] = cachedSource{src, now}
}

func (c *sourceCache) purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	clear(c.entries)
}

// sourceOf returns the enabled source with that token, or with it as its old one
// that still works. The same NotFound for an
// unknown token and for a disabled source.
func (s *Service) sourceOf(ctx context.Context, token string) (*Source, error) {
	notFound := fault.New(fault.NotFound, "no such intake address")
	if !plausibleToken(token) {
		return nil, notFound
	}
	now := s.Now()
	src, turn := s.sources.get(token, now)
	if src == nil {
		src = &Source{}
		err := s.DB.Read(ctx).Where("token = ? OR old_token = ?", token, token).Take(src).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, notFound
		}
		if err != nil {
			return nil, failed("read source", err)
		}
		s.sources.put(token, src, turn, now)
	}
	if !src.Enabled || src.Token != token && !now.Before(*src.OldTokenUntil) {
		return nil, notFound
	}
	return src, nil
}
