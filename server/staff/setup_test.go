package staff

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestSetUp(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		offer := func() string {
			t.Helper()
			token, err := s.OfferSetUp(asSystem)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		_, err := s.OfferSetUp(background)
		wantFault(t, err, fault.Unauthorized, "")
		old := offer()
		c.advance(setUpLifetime)
		token, other := offer(), offer()
		setUp := func(token, email, password string) error {
			return s.SetUp(background, token, email, "דנה", password)
		}
		for name, bad := range map[string]string{
			"none": "", "junk": "junk", "too old": old, "invented": base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "longer": token + "A",
		} {
			if err := setUp(bad, "dana@example.com", goodPassword); err != errSetUp {
				t.Errorf("a token that is %s: %v", name, err)
			}
		}
		wantFault(t, setUp(token, "dana", goodPassword), fault.Invalid, "Email")
		wantFault(t, setUp(token, "dana@example.com", "short"), fault.Invalid, "Password")
		if ok, err := s.CanSetUp(background, token); !ok || err != nil {
			t.Errorf("after a mistake the link is gone: %v, %v", ok, err)
		}
		var stored string
		if err := db.Read(background).Raw("SELECT string_agg(name || value, ',') FROM settings").Scan(&stored).Error; err != nil || strings.Contains(stored, token) {
			t.Errorf("stored: %s, %v", stored, err)
		}

		done := make(chan error, 2)
		for _, one := range []string{token, other} { // at the same moment, by two links
			go func() { done <- setUp(one, "dana@example.com", goodPassword) }()
		}
		if a, b := <-done, <-done; (a == nil) == (b == nil) || a != nil && fault.CodeOf(a) != fault.Unauthorized || b != nil && fault.CodeOf(b) != fault.Unauthorized {
			t.Errorf("%v and %v, want one of them to make the user", a, b)
		}
		u, err := s.UserByEmail(asSystem, "dana@example.com")
		if err != nil || u.Role != "admin" || !u.Active || u.Name != "דנה" {
			t.Errorf("%+v, %v", u, err)
		}
		signIn(t, s, "dana@example.com")
		for _, used := range []string{token, other} {
			if err := setUp(used, "eve@example.com", goodPassword); err != errSetUp {
				t.Errorf("a link again: %v", err)
			}
		}
		if again := offer(); again != "" {
			t.Error("a link is offered though there is a user")
		}
		var left int64
		if err := db.Read(background).Raw("SELECT count(*) FROM settings WHERE name LIKE 'setup:%'").Scan(&left).Error; err != nil || left != 0 {
			t.Errorf("%d links are kept, %v", left, err)
		}
		c.advance(time.Hour)
	})
}

// A user who came in another way ends the links.
func TestSetUpEndsWithTheFirstUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		token, err := s.OfferSetUp(asSystem)
		if err != nil {
			t.Fatal(err)
		}
		addUser(t, s, "dana@example.com", "viewer")
		if err := s.SetUp(background, token, "eve@example.com", "", goodPassword); err != errSetUp {
			t.Errorf("%v, want it refused", err)
		}
	})
}
