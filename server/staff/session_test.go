package staff

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func signIn(t testing.TB, s *Service, email string) Tokens {
	t.Helper()
	tokens, err := s.SignIn(background, email, goodPassword, home)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func refresh(t testing.TB, s *Service, old Tokens) Tokens {
	t.Helper()
	tokens, err := s.Refresh(background, old.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

// wantEnded checks that neither token of a session works any more.
func wantEnded(t testing.TB, s *Service, tokens Tokens) {
	t.Helper()
	if _, err := s.Refresh(background, tokens.RefreshToken); fault.CodeOf(err) != fault.Unauthorized {
		t.Errorf("refresh of an ended session: %v", err)
	}
	if _, err := s.Authenticate(background, tokens.AccessToken); err != errToken {
		t.Errorf("access by an ended session: %v", err)
	}
}

func TestSignIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		u := addUser(t, s, "dana@example.com", "manager")
		off := &User{Email: "off@example.com", Role: "viewer", Password: goodPassword}
		if err := s.CreateUser(asSystem, off); err != nil {
			t.Fatal(err)
		}
		tokens := signIn(t, s, " Dana@Example.com")
		if tokens.TokenType != "Bearer" || tokens.ExpiresIn != 900 || len(tokens.RefreshToken) != 43 {
			t.Errorf("tokens %+v", tokens)
		}
		got, err := s.Authenticate(background, tokens.AccessToken)
		want := store.Actor{Kind: store.Staff, UserID: u.ID, Role: store.Manager, Name: "dana@example.com"}
		if err != nil || got.Kind != want.Kind || got.UserID != want.UserID || got.Role != want.Role || got.Name != want.Name {
			t.Errorf("actor %+v, %v; want %+v", got, err, want)
		}
		var hash []byte
		if err := db.Read(background).Raw("SELECT token_hash FROM sessions").Row().Scan(&hash); err != nil {
			t.Fatal(err)
		}
		if raw, _ := base64.RawURLEncoding.DecodeString(tokens.RefreshToken); len(hash) != 32 || string(raw) == string(hash) {
			t.Errorf("stored hash %x", hash)
		}
		for _, tt := range []struct{ name, email, password string }{
			{"wrong password", "dana@example.com", goodPassword + "2"},
			{"empty password", "dana@example.com", ""},
			{"unknown address", "nobody@example.com", goodPassword},
			{"empty address", "", goodPassword},
			{"inactive user", "off@example.com", goodPassword},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if got, err := s.SignIn(background, tt.email, tt.password, home); err != errSignIn || got != (Tokens{}) {
					t.Errorf("%+v, %v; want the one refusal", got, err)
				}
			})
		}
	})
}

func TestRefreshRotates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		tokens := signIn(t, s, "dana@example.com")
		for range 3 {
			c.advance(20 * time.Minute)
			if _, err := s.Authenticate(background, tokens.AccessToken); err != errToken {
				t.Errorf("an expired access token: %v", err)
			}
			next := refresh(t, s, tokens)
			if next.RefreshToken == tokens.RefreshToken || next.AccessToken == tokens.AccessToken {
				t.Fatal("the tokens did not change")
			}
			if _, err := s.Authenticate(background, next.AccessToken); err != nil {
				t.Errorf("the new access token: %v", err)
			}
			tokens = next
		}
		c.advance(sessionLifetime)
		wantEnded(t, s, tokens)
		signIn(t, s, "dana@example.com")
		var n int64
		if err := db.Read(background).Model(&Session{}).Count(&n).Error; err != nil || n != 1 {
			t.Errorf("%d sessions are kept (%v), want the expired ones dropped", n, err)
		}
		for _, junk := range []string{"", "junk", tokens.RefreshToken + "A", tokens.AccessToken, base64.RawURLEncoding.EncodeToString(make([]byte, 32))} {
			if _, err := s.Refresh(background, junk); err != errSession {
				t.Errorf("refresh by %.20q: %v", junk, err)
			}
		}
	})
}

func TestReuseEndsTheFamily(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		first, elsewhere := signIn(t, s, "dana@example.com"), signIn(t, s, "dana@example.com")
		second := refresh(t, s, first)
		third := refresh(t, s, second)
		if _, err := s.Authenticate(background, third.AccessToken); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Refresh(background, first.RefreshToken); err != errSession {
			t.Errorf("the first token again: %v", err)
		}
		for _, tokens := range []Tokens{first, second, third} {
			wantEnded(t, s, tokens)
		}
		refresh(t, s, elsewhere) // another sign-in of the same user is not touched
	})
}

// Of many that present one token at once, one at most gets new ones.
func TestOneTokenAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		tokens := signIn(t, s, "dana@example.com")
		const clients = 8
		errs := make(chan error, clients)
		for range clients {
			go func() {
				_, err := s.Refresh(background, tokens.RefreshToken)
				errs <- err
			}()
		}
		good := 0
		for range clients {
			switch err := <-errs; {
			case err == nil:
				good++
			case fault.CodeOf(err) != fault.Unauthorized:
				t.Error(err)
			}
		}
		if good != 1 {
			t.Errorf("%d got new tokens, want 1", good)
		}
	})
}

func TestWhatEndsSessions(t *testing.T) {
	for name, end := range map[string]func(*Service, *User, Tokens) error{
		"sign out":     func(s *Service, _ *User, tokens Tokens) error { return s.SignOut(background, tokens.RefreshToken) },
		"set password": func(s *Service, u *User, _ Tokens) error { return s.SetPassword(asSystem, u.ID, "another password") },
		"change password": func(s *Service, u *User, _ Tokens) error {
			me := store.WithActor(background, store.Actor{Kind: store.Staff, Role: store.Viewer, UserID: u.ID})
			return s.ChangePassword(me, goodPassword, "another password")
		},
		"update password": func(s *Service, u *User, _ Tokens) error {
			u.Password = "another password"
			return s.UpdateUser(asSystem, u)
		},
		"deactivate": func(s *Service, u *User, _ Tokens) error {
			u.Active = false
			return s.UpdateUser(asSystem, u)
		},
		"delete": func(s *Service, u *User, _ Tokens) error { return s.DeleteUser(asSystem, u.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				here, c := newStaff(db)
				there, _ := newStaff(db) // another server on the same database
				there.Now = c.Now
				addUser(t, here, "admin@example.com", "admin")
				u := addUser(t, here, "dana@example.com", "viewer")
				bystander := signIn(t, here, "admin@example.com")
				tokens := signIn(t, here, u.Email)
				for _, s := range []*Service{here, there} {
					if _, err := s.Authenticate(background, tokens.AccessToken); err != nil {
						t.Fatal(err)
					}
				}
				if err := end(here, u, tokens); err != nil {
					t.Fatal(err)
				}
				wantEnded(t, here, tokens)
				c.advance(liveLifetime)
				if _, err := there.Authenticate(background, tokens.AccessToken); err != errToken {
					t.Errorf("on another server after %v: %v", liveLifetime, err)
				}
				refresh(t, here, bystander)
			})
		})
	}
	t.Run("sign out again", func(t *testing.T) {
		storetest.Each(t, func(t *testing.T, db *store.DB) {
			s, _ := newStaff(db)
			for _, token := range []string{"", "junk", base64.RawURLEncoding.EncodeToString(make([]byte, 32))} {
				if err := s.SignOut(background, token); err != nil {
					t.Errorf("%q: %v", token, err)
				}
			}
		})
	})
}

func TestThrottle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		fail := func() error {
			_, err := s.SignIn(background, "dana@example.com", "a wrong password", home)
			return err
		}
		for i := range freeTries {
			if err := fail(); err != errSignIn {
				t.Fatalf("try %d: %v", i+1, err)
			}
		}
		_, err := s.SignIn(background, "Dana@example.com ", goodPassword, home)
		wantFault(t, err, fault.RateLimited, "")
		for _, elsewhere := range []string{"192.0.2.2", "2001:db8::1"} {
			if _, err := s.SignIn(background, "dana@example.com", goodPassword, netip.MustParseAddr(elsewhere)); err != nil {
				t.Errorf("from %s: %v; want nobody locked out by others", elsewhere, err)
			}
		}
		c.advance(time.Second)
		if err := fail(); err != errSignIn {
			t.Errorf("after the delay: %v", err)
		}
		c.advance(time.Second)
		wantFault(t, fail(), fault.RateLimited, "") // the delay has grown
		c.advance(time.Second)
		signIn(t, s, "dana@example.com")
		if err := fail(); err != errSignIn {
			t.Errorf("after a success: %v, want a fresh start", err)
		}
	})
}

func TestThrottleIsBounded(t *testing.T) {
	th, now := throttle{tries: map[[32]byte]tries{}, addresses: map[[32]byte]tries{}}, time.Now()
	for i := range throttledMost + 100 {
		th.try(fmt.Sprint(i), home, now)
	}
	if len(th.tries) != throttledMost {
		t.Errorf("%d are remembered, want %d", len(th.tries), throttledMost)
	}
	for range 100 {
		now = now.Add(th.try("dana", home, now))
	}
	if wait := th.try("dana", home, now); wait > maxDelay {
		t.Errorf("delay %v, want %v at most", wait, maxDelay)
	}
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	if throttleKey("x", a) != throttleKey("x", b) {
		t.Error("addresses of one /64 count apart")
	}
}
