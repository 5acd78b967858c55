package leads

import (
	"net/netip"
	"sync"
	"time"

	"leadloop/odata/fault"
)

// maxBuckets bounds the memory of the rates of addresses.
const maxBuckets = 20_000

// rates holds each address to its source's deliveries a minute, on this server:
// a bucket each, which holds a minute's deliveries and fills up steadily.
type rates struct {
	mu      sync.Mutex
	buckets map[bucketKey]*bucket
	swept   time.Time
}

type bucketKey struct {
	source  int64
	address netip.Addr
}

type bucket struct {
	tokens float64 // deliveries left, as of at
	at     time.Time
	told   time.Time // when a refusal was noted last
}

func newRates() *rates { return &rates{buckets: map[bucketKey]*bucket{}} }

// wait takes a delivery of the address, or says for how long to wait before the
// next. note tells that this refusal is the address's first in a minute.
func (r *rates) wait(key bucketKey, perMinute int, now time.Time) (wait time.Duration, note bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	full, second := float64(perMinute), float64(perMinute)/60
	b := r.buckets[key]
	if b == nil {
		r.makeRoom(now)
		b = &bucket{tokens: full, at: now}
		r.buckets[key] = b
	}
	b.tokens = min(full, b.tokens+max(0, now.Sub(b.at).Seconds())*second)
	b.at = now
	if b.tokens >= 1 {
		b.tokens--
		return 0, false
	}
	if note = now.Sub(b.told) >= time.Minute; note {
		b.told = now
	}
	return time.Duration((1 - b.tokens) / second * float64(time.Second)), note
}

// makeRoom drops, where there are too many buckets, those that nobody used for a
// minute, which are full again; where that is none, an arbitrary one.
func (r *rates) makeRoom(now time.Time) {
	if len(r.buckets) < maxBuckets {
		return
	}
	sweep := now.Sub(r.swept) >= time.Second || now.Before(r.swept) // not for each new address of a flood
	for key, b := range r.buckets {
		if !sweep {
			break
		}
		r.swept = now
		if age := now.Sub(b.at); age >= time.Minute || age < 0 {
			delete(r.buckets, key)
		}
	}
	for key := range r.buckets {
		if len(r.buckets) < maxBuckets {
			return
		}
		delete(r.buckets, key)
	}
}

// network is the address that a limit counts by: an IPv6 /64 is one, since one
// household has as many.
func network(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, false
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		net, _ := a.Prefix(64)
		a = net.Addr()
	}
	return a, true
}

// limit holds the sender of a delivery to its source's PerAddress. RateLimited
// with how long to wait; note tells whether to keep that as a Rejection.
func (s *Service) limit(src *Source, d Delivery) (err error, note bool) {
	if src.PerAddress == 0 {
		return nil, false
	}
	address, ok := network(d.RemoteAddress)
	if !ok {
		return nil, false
	}
	wait, note := s.rates.wait(bucketKey{src.ID, address}, src.PerAddress, s.Now())
	if wait == 0 {
		return nil, false
	}
	seconds := int((wait + time.Second - 1) / time.Second)
	e := fault.Newf(fault.RateLimited, "too many deliveries from this address; try again in %d seconds", seconds)
	return e.Retry(time.Duration(seconds) * time.Second), note
}
