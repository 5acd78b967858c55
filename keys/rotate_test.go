package keys

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func letIn(s *Service, key string) bool {
	_, err := s.Authenticate(ctx, key, nil, local)
	return err == nil
}

func TestRotate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer, Scopes: []string{LeadsRead, ReasonsRead}})
		old, err := s.Issue(asStaff, conn.ID, Terms{Scopes: []string{LeadsRead}})
		if err != nil {
			t.Fatal(err)
		}
		next, err := s.Rotate(asStaff, old.KeyID, 24*time.Hour)
		if err != nil || next.ConnectionID != conn.ID || next.KeyID == old.KeyID {
			t.Fatalf("rotated to %+v, %v", next, err)
		}
		if a, err := s.Authenticate(ctx, next.Key, nil, local); err != nil || !slices.Equal(a.Scopes, []string{LeadsRead}) {
			t.Errorf("the new key: %+v, %v; want the scopes of the old", a, err)
		}
		c.advance(24*time.Hour - time.Microsecond)
		if !letIn(s, old.Key) {
			t.Error("the old key ended before the overlap was over")
		}
		// Rotated again, it keeps the end it has.
		if _, err := s.Rotate(asStaff, old.KeyID, time.Hour); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Microsecond)
		if letIn(s, old.Key) || !letIn(s, next.Key) {
			t.Error("after the overlap, the old key works or the new one does not")
		}
		atOnce, err := s.Rotate(asStaff, next.KeyID, 0)
		if err != nil || letIn(s, next.Key) || !letIn(s, atOnce.Key) {
			t.Errorf("rotated at once: %v, old %v, new %v", err, letIn(s, next.Key), letIn(s, atOnce.Key))
		}

		before, err := s.List(asStaff, conn.ID)
		if err != nil {
			t.Fatal(err)
		}
		rotate := func(ctx context.Context, id string, overlap time.Duration) error {
			_, err := s.Rotate(ctx, id, overlap)
			return err
		}
		wantFault(t, rotate(asStaff, old.KeyID, time.Hour), fault.Conflict, "")
		wantFault(t, rotate(asStaff, "nosuchkey0", time.Hour), fault.NotFound, "")
		wantFault(t, rotate(asStaff, atOnce.KeyID, -time.Hour), fault.Invalid, "OverlapHours")
		wantFault(t, rotate(asStaff, atOnce.KeyID, maxOverlap+time.Hour), fault.Invalid, "OverlapHours")
		wantFault(t, rotate(asViewer, atOnce.KeyID, time.Hour), fault.Forbidden, "")
		wantFault(t, rotate(asClient, atOnce.KeyID, time.Hour), fault.Forbidden, "")
		wantFault(t, rotate(ctx, atOnce.KeyID, time.Hour), fault.Unauthorized, "")
		if err := s.Revoke(asStaff, atOnce.KeyID); err != nil {
			t.Fatal(err)
		}
		wantFault(t, rotate(asStaff, atOnce.KeyID, time.Hour), fault.Conflict, "")
		after, err := s.List(asStaff, conn.ID)
		if err != nil || len(after) != len(before) {
			t.Errorf("%d keys after refused rotations, %d before, %v", len(after), len(before), err)
		}
	})
}

func TestTerms(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer, Scopes: []string{FeedbackWrite, LeadsRead}})
		end := c.Now().Add(time.Hour)
		for _, tt := range []struct{ terms, want []string }{
			{nil, []string{FeedbackWrite, LeadsRead}},
			{[]string{LeadsRead}, []string{LeadsRead}},
			{[]string{RoutingsRead}, []string{}}, // never more than the connection
			{[]string{RoutingsRead, FeedbackWrite}, []string{FeedbackWrite}},
		} {
			k, err := s.Issue(asStaff, conn.ID, Terms{Scopes: tt.terms, ExpiresAt: &end})
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Authenticate(ctx, k.Key, nil, local)
			if err != nil || !slices.Equal(a.Scopes, tt.want) {
				t.Errorf("scopes %v: %v, %v; want %v", tt.terms, a.Scopes, err, tt.want)
			}
			c.advance(time.Hour)
			if letIn(s, k.Key) {
				t.Error("the key works when it has expired")
			}
			c.advance(-time.Hour)
		}
		now := c.Now()
		_, err := s.Issue(asStaff, conn.ID, Terms{ExpiresAt: &now})
		wantFault(t, err, fault.Invalid, "ExpiresAt")
		_, err = s.Issue(asStaff, conn.ID, Terms{Scopes: []string{"everything"}})
		wantFault(t, err, fault.Invalid, "Scopes[0]")
		_, err = s.Issue(asStaff, uuid.New(), Terms{ExpiresAt: &end})
		wantFault(t, err, fault.NotFound, "")
	})
}

// Who finds a leaked key ends it with the key alone, wherever they are.
func TestRevokeOwn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		past := c.Now().Add(-time.Hour)
		conn := newConnection(t, s, Connection{CustomerID: customer, EndsAt: &past, AllowedNetworks: []string{"192.0.2.0/24"}})
		k, other := issue(t, s, conn.ID), issue(t, s, conn.ID)
		for name, key := range map[string]string{"wrong": wrongSecret(k.Key), "unknown": forge(k.Key), "junk": "junk", "nothing": ""} {
			if err := s.RevokeOwn(ctx, key); fault.CodeOf(err) != fault.Unauthorized {
				t.Errorf("%s: %v", name, err)
			}
		}
		for range 2 {
			if err := s.RevokeOwn(ctx, k.Key); err != nil {
				t.Error(err)
			}
			c.advance(time.Minute)
		}
		list, err := s.List(asStaff, conn.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list {
			if revoked := row.RevokedAt != nil; revoked != (row.ID == k.KeyID) || revoked && !row.RevokedAt.Equal(past.Add(time.Hour)) {
				t.Errorf("key %s (the other is %s): revoked at %v", row.ID, other.KeyID, row.RevokedAt)
			}
		}
	})
}

// Every key that is not let in takes the same road to the same answer: one look
// at the database, or at what is remembered of it, and one comparison.
func TestRefusalsAreAlike(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		good, revoked := issue(t, s, conn.ID), issue(t, s, conn.ID)
		if err := s.Revoke(asStaff, revoked.KeyID); err != nil {
			t.Fatal(err)
		}
		end := c.Now().Add(time.Second)
		expired, err := s.Issue(asStaff, conn.ID, Terms{ExpiresAt: &end})
		if err != nil {
			t.Fatal(err)
		}
		c.advance(time.Second)
		looks := func(key string) int {
			s.cache.purge()
			for range 3 {
				if _, err := s.Authenticate(ctx, key, nil, local); err != errRefused {
					t.Errorf("%v, want the one refusal", err)
				}
			}
			return len(s.cache.known) + len(s.cache.absent)
		}
		for name, key := range map[string]string{
			"unknown": forge(good.Key), "wrong": wrongSecret(good.Key), "revoked": revoked.Key, "expired": expired.Key,
		} {
			if n := looks(key); n != 1 {
				t.Errorf("%s: the database was asked for %d keys, want 1 that is remembered", name, n)
			}
		}
	})
}
