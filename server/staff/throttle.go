package staff

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// How failed sign-ins slow further ones down.
const (
	freeTries     = 5
	maxDelay      = 5 * time.Minute
	throttledMost = 10_000
)

// throttle counts failed sign-ins of one e-mail address from one network
// address. Both together are the key, so that failing elsewhere keeps nobody
// out. A try counts as failed from its start until forget, so that many at once
// gain nothing.
type throttle struct {
	mu    sync.Mutex
	tries map[[32]byte]tries
}

type tries struct {
	count int
	next  time.Time // no further try before this
}

// try counts a try, or says how long to wait before the next.
func (t *throttle) try(email string, remote netip.Addr, now time.Time) time.Duration {
	key := throttleKey(email, remote)
	t.mu.Lock()
	defer t.mu.Unlock()
	past := t.tries[key]
	if wait := past.next.Sub(now); wait > 0 {
		return wait
	}
	if now.Sub(past.next) > 2*maxDelay {
		past = tries{}
	}
	for k := range t.tries { // room by dropping an arbitrary one
		if len(t.tries) < throttledMost {
			break
		}
		delete(t.tries, k)
	}
	past.count++
	past.next = now
	if past.count >= freeTries {
		past.next = now.Add(min(time.Second<<min(past.count-freeTries, 20), maxDelay))
	}
	t.tries[key] = past
	return 0
}

func (t *throttle) forget(email string, remote netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tries, throttleKey(email, remote))
}

// throttleKey takes an IPv6 /64 for one address, since one household has as many.
func throttleKey(email string, remote netip.Addr) [32]byte {
	remote = remote.Unmap().WithZone("")
	if remote.Is6() {
		net, _ := remote.Prefix(64)
		remote = net.Addr()
	}
	return sha256.Sum256([]byte(remote.String() + " " + email))
}
