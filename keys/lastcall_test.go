package keys

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// TestLastCallTellsWhy holds that whoever has a right key is told, by way of its
// connection, why it was refused, and that nobody else leaves a trace.
func TestLastCallTellsWhy(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, clock, customer := newService(t, db)
		begins, ends := clock.Now().Add(time.Hour), clock.Now().Add(3*time.Hour)
		c := newConnection(t, s, Connection{CustomerID: customer, StartsAt: &begins, EndsAt: &ends, AllowedNetworks: []string{"127.0.0.0/8"}, RequestsPerMinute: 1})
		k, revoked := issue(t, s, c.ID), issue(t, s, c.ID)
		expires := clock.Now().Add(90 * time.Minute)
		short, err := s.Issue(asStaff, c.ID, Terms{ExpiresAt: &expires})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Revoke(asStaff, revoked.KeyID); err != nil {
			t.Fatal(err)
		}
		if call, err := s.LastCall(asViewer, c.ID); call != nil || err != nil {
			t.Errorf("before any call: %v, %v", call, err)
		}
		other := uuid.New()
		for _, step := range []struct {
			advance time.Duration
			key     string
			claim   *uuid.UUID
			from    netip.Addr
			want    string
			status  int
		}{
			{0, k.Key, nil, local, RefusedEarly, 401},
			{time.Hour, k.Key, nil, netip.MustParseAddr("192.0.2.1"), RefusedNetwork, 401},
			{0, k.Key, &other, local, RefusedClaim, 401},
			{0, revoked.Key, nil, local, RefusedRevoked, 401},
			{0, wrongSecret(k.Key), nil, local, RefusedRevoked, 401}, // it leaves no trace
			{0, k.Key, nil, local, RefusedRevoked, 401},              // let in: what comes of it is told by Called
			{0, k.Key, nil, local, RefusedRate, 429},
			{time.Hour, short.Key, nil, local, RefusedExpired, 401},
			{2 * time.Hour, k.Key, nil, local, RefusedLate, 401},
		} {
			clock.advance(step.advance)
			_, _ = s.Authenticate(ctx, step.key, step.claim, step.from)
			got, err := s.LastCall(asViewer, c.ID)
			if err != nil || got == nil || got.Code != step.want || got.Status != step.status {
				t.Errorf("%s: %+v, %v", step.want, got, err)
			}
		}
		_, err = s.LastCall(asClient, c.ID)
		wantFault(t, err, fault.NotFound, "-")
	})
}

// TestLastCallIsShared holds that a call is written, the latest of all servers, and
// that neither keys nor long texts are kept.
func TestLastCallIsShared(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, clock, customer := newService(t, db)
		c := newConnection(t, s, Connection{CustomerID: customer})
		k := issue(t, s, c.ID)
		other := New(db, s.Vault)
		other.Now = clock.Now
		other.Called(LastCall{ConnectionID: c.ID, Method: "GET", Path: "/odata/Leads", Status: 200})
		clock.advance(time.Second)
		s.Called(LastCall{
			ConnectionID: c.ID, Method: "POST", Path: "/odata/" + k.Key, Address: "127.0.0.1", Status: 400, Code: "invalid",
			Message: "it is " + k.Key + strings.Repeat("א", 1000), Target: "X",
		})
		gone := newConnection(t, s, Connection{CustomerID: customer})
		s.Called(LastCall{ConnectionID: gone.ID})
		if err := s.DeleteConnection(asStaff, gone.ID); err != nil {
			t.Fatal(err)
		}
		for _, server := range []*Service{s, other} { // the other's is older
			if err := server.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
		got, err := other.LastCall(asViewer, c.ID)
		if err != nil || got == nil || got.Status != 400 || got.Path != "/odata/ll_live_…" || got.Target != "X" || !got.At.Equal(clock.Now()) {
			t.Fatalf("%+v, %v", got, err)
		}
		if len(got.Message) > callMessageMost || strings.Contains(got.Message, k.Key) || strings.ContainsRune(got.Message, '\uFFFD') {
			t.Errorf("the message is %q", got.Message)
		}
		if len(s.calls.pending) != 0 {
			t.Error("written calls are kept in memory")
		}
	})
}
