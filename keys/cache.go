package keys

import (
	"strings"
	"sync"
	"time"
)

const (
	cacheLifetime = 2 * time.Second // how long a change on another server may go unseen
	cacheSize     = 10_000          // grants kept, and as many misses
)

// cache keeps what the database said of key ids for a short while, of unknown
// ids too, so that these take no longer than known ones. Known and unknown are
// bounded apart: a flood of invented keys pushes no real one out.
type cache struct {
	mu     sync.Mutex
	turn   uint64
	known  map[string]*grant
	absent map[string]*grant
}

func newCache() *cache {
	return &cache{known: map[string]*grant{}, absent: map[string]*grant{}}
}

// get returns the fresh grant of id, or nil and the turn to give to put.
func (c *cache) get(id string, now time.Time) (*grant, uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.known[id]
	if g == nil {
		g = c.absent[id]
	}
	if g == nil || !g.fresh(now) {
		return nil, c.turn
	}
	return g, c.turn
}

// put keeps g, unless the cache was purged since turn: then g may have been read
// before the change that purged it.
func (c *cache) put(id string, g *grant, turn uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	into, other := c.known, c.absent
	if !g.known {
		into, other = other, into
	}
	delete(other, id)
	makeRoom(into)
	into[strings.Clone(id)] = g // id may be cut from a whole key, which must not stay in memory
}

// makeRoom drops an arbitrary entry if m is full.
func makeRoom(m map[string]*grant) {
	for id := range m {
		if len(m) < cacheSize {
			return
		}
		delete(m, id)
	}
}

func (c *cache) purge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	clear(c.known)
	clear(c.absent)
}

func (g *grant) fresh(now time.Time) bool {
	age := now.Sub(g.loaded)
	return age >= 0 && age < cacheLifetime
}

// proven are the hashes of keys that have let a caller in, of so many at most.
type proven struct {
	mu     sync.Mutex
	hashes map[[32]byte]struct{}
}

func (p *proven) add(hash [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.hashes { // room by dropping an arbitrary one
		if len(p.hashes) < cacheSize {
			break
		}
		delete(p.hashes, h)
	}
	p.hashes[hash] = struct{}{}
}

func (p *proven) has(hash [32]byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.hashes[hash]
	return ok
}
