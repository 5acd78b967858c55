package staff

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"leadloop/odata/fault"
)

// How failed sign-ins slow further ones down.
const (
	freeTries     = 5   // of one e-mail address from one network address
	freeOfAddress = 100 // of all from one network address
	maxDelay      = 5 * time.Minute
	throttledMost = 10_000
)

// throttle counts failed sign-ins of one e-mail address from one network
// address. Both together are the key, so that failing elsewhere keeps nobody
// out. A try counts as failed from its start until forget, so that many at once
// gain nothing. It counts those of each network address as well.
type throttle struct {
	mu        sync.Mutex
	tries     map[[32]byte]tries
	addresses map[[32]byte]tries
}

type tries struct {
	count int
	next  time.Time // no further try before this
}

// mayTry counts a try to sign in, or returns RateLimited.
func (s *Service) mayTry(ctx context.Context, email string, remote netip.Addr) error {
	now := s.Now()
	wait := s.throttle.tryAddress(remote, now)
	if wait > 0 {
		known, err := s.signedInFrom(ctx, email, remote)
		if err != nil {
			return err
		}
		if known { // others at this address do not keep them out
			wait = 0
		}
	}
	if wait == 0 {
		wait = s.throttle.try(email, remote, now)
	}
	if wait > 0 {
		seconds := (wait + time.Second - 1).Truncate(time.Second)
		return fault.Newf(fault.RateLimited, "Too many failed sign-ins; try again in %d seconds.", int(seconds.Seconds())).Retry(seconds)
	}
	return nil
}

// signedInFrom reports whether the user of an e-mail address has a session that
// was last used from remote.
func (s *Service) signedInFrom(ctx context.Context, email string, remote netip.Addr) (bool, error) {
	var addresses []string
	err := s.DB.Read(ctx).Raw(`SELECT DISTINCT s.address FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE u.email = ? AND s.expires_at > ?`, email, s.Now()).Scan(&addresses).Error
	if err != nil {
		return false, fmt.Errorf("sessions of a user: %w", err)
	}
	for _, text := range addresses {
		if one, err := netip.ParseAddr(text); err == nil && network(one) == network(remote) {
			return true, nil
		}
	}
	return false, nil
}

// try counts a try, or says how long to wait before the next.
func (t *throttle) try(email string, remote netip.Addr, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return count(t.tries, throttleKey(email, remote), freeTries, now)
}

// tryAddress is try for all e-mail addresses together.
func (t *throttle) tryAddress(remote netip.Addr, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return count(t.addresses, throttleKey("", remote), freeOfAddress, now)
}

func count(all map[[32]byte]tries, key [32]byte, free int, now time.Time) time.Duration {
	past := all[key]
	if wait := past.next.Sub(now); wait > 0 {
		return wait
	}
	if now.Sub(past.next) > 2*maxDelay {
		past = tries{}
	}
	for k := range all { // room by dropping an arbitrary one
		if len(all) < throttledMost {
			break
		}
		delete(all, k)
	}
	past.count++
	past.next = now
	if past.count >= free {
		past.next = now.Add(min(time.Second<<min(past.count-free, 20), maxDelay))
	}
	all[key] = past
	return 0
}

// forget is for a try that went well.
func (t *throttle) forget(email string, remote netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.tries, throttleKey(email, remote))
	key := throttleKey("", remote)
	if past, ok := t.addresses[key]; ok && past.count > 0 {
		past.count--
		t.addresses[key] = past
	}
}

func throttleKey(email string, remote netip.Addr) [32]byte {
	return sha256.Sum256([]byte(network(remote).String() + " " + email))
}

// network takes an IPv6 /64 for one address, since one household has as many.
func network(remote netip.Addr) netip.Addr {
	remote = remote.Unmap().WithZone("")
	if remote.Is6() {
		net, _ := remote.Prefix(64)
		remote = net.Addr()
	}
	return remote
}
