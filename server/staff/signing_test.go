package staff

import (
	"bytes"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestSigningKeysRotate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		here, c := newStaff(db)
		there, _ := newStaff(db) // another server on the same database
		there.Now = c.Now
		u := addUser(t, here, "dana@example.com", "viewer")
		kid := func(token string) string { return newForger(t, here, token).header["kid"].(string) }
		good := func(s *Service, token string) bool {
			_, err := s.Authenticate(background, token)
			return err == nil
		}
		first := signIn(t, here, u.Email)
		if fromThere := signIn(t, there, u.Email); kid(fromThere.AccessToken) != kid(first.AccessToken) {
			t.Error("two servers sign under different keys")
		}
		if err := here.RotateSigningKey(asSystem, false); err != nil {
			t.Fatal(err)
		}
		second := signIn(t, here, u.Email)
		if kid(second.AccessToken) == kid(first.AccessToken) {
			t.Error("the key did not change")
		}
		c.advance(ringPause) // the other server hears of it when it sees the new kid
		for _, token := range []string{first.AccessToken, second.AccessToken} {
			if !good(here, token) || !good(there, token) {
				t.Errorf("a token under %s: here %v, there %v", kid(token), good(here, token), good(there, token))
			}
		}
		c.advance(ringLifetime)
		if next := signIn(t, there, u.Email); kid(next.AccessToken) != kid(second.AccessToken) {
			t.Error("the other server signs under the old key after two seconds")
		}

		// The old key goes when the last token under it has expired.
		c.advance(signingGrace)
		third := refresh(t, here, second)
		f := newForger(t, here, third.AccessToken)
		f.header["kid"] = kid(first.AccessToken)
		if _, err := here.Authenticate(background, f.token(t)); err != errToken {
			t.Errorf("a token that names a key that has ended: %v", err)
		}
		c.advance(signingLifetime)
		fourth := signIn(t, here, u.Email)
		if kid(fourth.AccessToken) == kid(third.AccessToken) {
			t.Error("the key did not change by itself")
		}
		var keys []SigningKey
		if err := db.Read(background).Order("created_at").Find(&keys).Error; err != nil || len(keys) != 2 {
			t.Errorf("%d keys are kept (%v), want the new one and the one before", len(keys), err)
		}
		if sealed := keys[len(keys)-1].Secret; bytes.Contains(sealed, signingKey(t, here).secret) {
			t.Error("the key is stored as it is")
		}

		if err := here.RotateSigningKey(asSystem, true); err != nil {
			t.Fatal(err)
		}
		if good(here, fourth.AccessToken) {
			t.Error("at once, the old key still verifies here")
		}
		c.advance(ringLifetime)
		if good(there, fourth.AccessToken) {
			t.Error("at once, the old key still verifies there after two seconds")
		}
		if fifth := refresh(t, here, fourth); !good(here, fifth.AccessToken) || !good(there, fifth.AccessToken) {
			t.Error("the refresh token is no longer good")
		}
		asDana := store.WithActor(background, store.Actor{Kind: store.Staff, Role: store.Manager, UserID: u.ID})
		wantFault(t, here.RotateSigningKey(asDana, false), fault.Forbidden, "")
	})
}

// Servers that need a key at the same moment end up with the same one.
func TestOneSigningKeyAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const servers = 6
		ids := make(chan string, servers)
		for range servers {
			go func() {
				s, c := newStaff(db)
				k, err := s.signer(background, c.Now())
				if err != nil {
					t.Error(err)
				}
				ids <- k.id
			}()
		}
		seen := map[string]bool{}
		for range servers {
			seen[<-ids] = true
		}
		if len(seen) != 1 {
			t.Errorf("%d keys sign at once", len(seen))
		}
	})
}

func TestUnknownKidsAskTheDatabaseSeldom(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		signingKey(t, s)
		loaded := func() time.Time { return s.ring.loaded }
		before := loaded()
		c.advance(ringPause - time.Microsecond)
		for range 100 {
			if secret, err := s.verifier(background, "unknown", c.Now()); secret != nil || err != nil {
				t.Fatalf("%x, %v", secret, err)
			}
		}
		if loaded() != before {
			t.Error("the database was asked again at once")
		}
	})
}
