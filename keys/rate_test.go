package keys

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// wait is how long err asks to wait; 0 if it is no limit.
func wait(err error) time.Duration {
	var f *fault.Error
	if errors.As(err, &f) && f.Code == fault.RateLimited {
		return f.After
	}
	return 0
}

func TestRequestsPerMinute(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer, RequestsPerMinute: 6})
		first, second := issue(t, s, conn.ID), issue(t, s, conn.ID)
		other := issue(t, s, newConnection(t, s, Connection{CustomerID: customer}).ID)
		try := func(key string) error {
			_, err := s.Authenticate(ctx, key, nil, local)
			return err
		}
		for i, key := range []string{first.Key, second.Key, first.Key, first.Key, second.Key, first.Key} {
			if err := try(key); err != nil {
				t.Fatalf("request %d: %v", i+1, err)
			}
		}
		if err := try(second.Key); wait(err) != 10*time.Second {
			t.Errorf("the seventh: %v, want 10 seconds to wait", err)
		}
		if err := try(wrongSecret(first.Key)); err != errRefused {
			t.Errorf("a wrong key of a limited connection: %v, want what any wrong key gets", err)
		}
		if err := try(other.Key); err != nil {
			t.Errorf("another connection of the customer: %v", err)
		}
		c.advance(10 * time.Second)
		if err := try(first.Key); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		if err := try(first.Key); wait(err) == 0 {
			t.Errorf("one more: %v", err)
		}

		// More at once, such as a batch, is let in while anything is left, and paid for.
		c.advance(time.Minute)
		acting := actor(store.Actor{Kind: store.Machine, ConnectionID: conn.ID})
		if err := s.Spend(acting, 18); err != nil {
			t.Errorf("a batch: %v", err)
		}
		if err := s.Spend(acting, 1); wait(err) != 2*time.Minute+10*time.Second {
			t.Errorf("after it: %v", err)
		}
		if err := s.Spend(asStaff, 1000); err != nil {
			t.Errorf("staff: %v", err)
		}

		// A new rate holds at once, and gives or takes the difference.
		now := reload(t, s, conn.ID)
		now.RequestsPerMinute = 60
		if err := s.UpdateConnection(asStaff, &now); err != nil {
			t.Fatal(err)
		}
		for range 42 {
			if err := try(first.Key); err != nil {
				t.Fatalf("under the new rate: %v", err)
			}
		}
		if err := try(first.Key); wait(err) != time.Second {
			t.Errorf("at the end of the new rate: %v", err)
		}
	})
}

func TestMetersAreBounded(t *testing.T) {
	s, c, now := New(nil, storetest.Vault()), newClock(), time.Now()
	s.Now = c.Now
	for i := range metersMost + 100 {
		s.meters.meter([16]byte{byte(i >> 16), byte(i >> 8), byte(i)}, 10, now)
	}
	if n := len(s.meters.of); n != metersMost {
		t.Errorf("%d meters are kept, want %d", n, metersMost)
	}
	m := &meter{rate: 10, since: now}
	m.fill(now.Add(-time.Hour))
	if m.left != 0 {
		t.Errorf("a clock that was set back gave %v requests", m.left)
	}
}

func TestProven(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		used, unused := issue(t, s, conn.ID), issue(t, s, conn.ID)
		if _, err := s.Authenticate(ctx, used.Key, nil, local); err != nil {
			t.Fatal(err)
		}
		s.cache.purge()
		for key, want := range map[string]bool{used.Key: true, unused.Key: false, wrongSecret(used.Key): false, "junk": false, "": false} {
			if s.Proven(key) != want {
				t.Errorf("proven %.20s…: %v", key, !want)
			}
		}
		for i := range cacheSize + 10 {
			s.proven.add([32]byte{byte(i >> 8), byte(i)})
		}
		if n := len(s.proven.hashes); n != cacheSize {
			t.Errorf("%d are kept, want %d", n, cacheSize)
		}
	})
}

func TestLastUsedFrom(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		k := issue(t, s, newConnection(t, s, Connection{CustomerID: customer}).ID)
		for _, step := range []struct {
			advance    time.Duration
			from, want string
		}{
			{0, "192.0.2.7", "192.0.2.7"},
			{time.Second, "192.0.2.8", "192.0.2.7"}, // at most once a minute
			{time.Minute, "::ffff:192.0.2.9", "192.0.2.9"},
			{time.Minute, "2001:db8::1", "2001:db8::1"},
		} {
			c.advance(step.advance)
			if _, err := s.Authenticate(ctx, k.Key, nil, netip.MustParseAddr(step.from)); err != nil {
				t.Fatal(err)
			}
			if err := s.Flush(ctx); err != nil {
				t.Fatal(err)
			}
			list, err := s.List(asViewer, k.ConnectionID)
			if err != nil || list[0].LastUsedFrom == nil || *list[0].LastUsedFrom != step.want {
				t.Errorf("from %s: %+v, %v; want %s", step.from, list, err, step.want)
			}
		}
	})
}
