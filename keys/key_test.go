package keys

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestIssueKeepsOldKeysAndNoSecret(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		first := issue(t, s, conn.ID)
		c.advance(time.Second)
		second := issue(t, s, conn.ID)
		if first.ConnectionID != conn.ID || !Pattern.MatchString(first.Key) || first.Key == second.Key {
			t.Fatalf("issued %+v and %+v", first, second)
		}
		for _, k := range []Issued{first, second} {
			if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
				t.Errorf("key %s: %v", k.KeyID, err)
			}
		}
		list, err := s.List(asViewer, conn.ID)
		if err != nil || len(list) != 2 || list[0].ID != first.KeyID || list[1].ID != second.KeyID {
			t.Fatalf("list %+v, %v", list, err)
		}
		secret := first.Key[len(Prefix)+idDigits+1:]
		if !bytes.Equal(list[0].Hash, s.Vault.MAC("key", []byte(first.Key))) || bytes.Contains(list[0].Hash, []byte(secret)) {
			t.Errorf("stored hash %q", list[0].Hash)
		}
		_, err = s.Issue(asStaff, uuid.New(), Terms{})
		wantFault(t, err, fault.NotFound, "")
		_, err = s.List(asViewer, uuid.New())
		wantFault(t, err, fault.NotFound, "")
	})
}

func TestRevoke(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		k, other := issue(t, s, conn.ID), issue(t, s, conn.ID)
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
			t.Fatal(err)
		}
		if err := s.Revoke(asStaff, k.KeyID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != errRefused {
			t.Errorf("a revoked key: %v, want it refused at once", err)
		}
		if _, err := s.Authenticate(ctx, other.Key, nil, local); err != nil {
			t.Errorf("the connection's other key: %v", err)
		}
		at := c.Now()
		c.advance(time.Hour)
		if err := s.Revoke(asStaff, k.KeyID); err != nil {
			t.Errorf("revoking again: %v", err)
		}
		list, err := s.List(asStaff, conn.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list {
			if row.ID == k.KeyID && (row.RevokedAt == nil || !row.RevokedAt.Equal(at)) {
				t.Errorf("revoked at %v, want the first time, %v", row.RevokedAt, at)
			}
		}
		wantFault(t, s.Revoke(asStaff, "nosuchkey0"), fault.NotFound, "")
	})
}
