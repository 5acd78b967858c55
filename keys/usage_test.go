package keys

import (
	"context"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

func lastUsed(t *testing.T, s *Service, k Issued) *time.Time {
	t.Helper()
	list, err := s.List(asViewer, k.ConnectionID)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range list {
		if row.ID == k.KeyID {
			return row.LastUsedAt
		}
	}
	t.Fatalf("no key %s", k.KeyID)
	return nil
}

func TestLastUsedIsWrittenOnceAMinute(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		k := issue(t, s, newConnection(t, s, Connection{CustomerID: customer}).ID)
		first := c.Now()
		steps := []struct {
			name    string
			advance time.Duration
			key     string
			want    time.Time
		}{
			{"first use", 0, k.Key, first},
			{"again at once", 0, k.Key, first},
			{"within the minute", 59 * time.Second, k.Key, first},
			{"a refused use", time.Second, wrongSecret(k.Key), first},
			{"after the minute", 0, k.Key, first.Add(time.Minute)},
			{"within the next", 30 * time.Second, k.Key, first.Add(time.Minute)},
		}
		for _, st := range steps {
			c.advance(st.advance)
			s.Authenticate(ctx, st.key, nil, local)
			if err := s.Flush(ctx); err != nil {
				t.Fatalf("%s: %v", st.name, err)
			}
			if got := lastUsed(t, s, k); got == nil || !got.Equal(st.want) {
				t.Errorf("%s: last used at %v, want %v", st.name, got, st.want)
			}
		}

		other := New(db, s.Vault) // another server, a few seconds later
		other.Now = c.Now
		if _, err := other.Authenticate(ctx, k.Key, nil, local); err != nil {
			t.Fatal(err)
		}
		if len(other.usage.pending) != 0 {
			t.Error("another server would write within the same minute")
		}
	})
}

func TestRunWritesWhatIsLeft(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _, customer := newService(t, db)
		k := issue(t, s, newConnection(t, s, Connection{CustomerID: customer}).ID)
		running, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- s.Run(running) }()
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if lastUsed(t, s, k) == nil {
			t.Error("the last use was not written when Run ended")
		}
	})
}

func TestFailedFlushIsKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		k := issue(t, s, newConnection(t, s, Connection{CustomerID: customer}).ID)
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
			t.Fatal(err)
		}
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Flush(over); err == nil {
			t.Fatal("a flush under a cancelled context went well")
		}
		if err := s.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if got := lastUsed(t, s, k); got == nil || !got.Equal(c.Now()) {
			t.Errorf("last used at %v, want %v", got, c.Now())
		}
	})
}
