package staff

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		addUser(t, s, "noa@example.com", "viewer")
		addUser(t, s, "dana@example.com", "viewer")
		other := signIn(t, s, "noa@example.com")
		laptop := Client{Address: netip.MustParseAddr("192.0.2.7"), Agent: "Firefox\n\x00" + strings.Repeat("א", 300)}
		began := c.Now()
		tokens, err := s.SignIn(WithClient(background, laptop), "dana@example.com", goodPassword, home)
		if err != nil {
			t.Fatal(err)
		}
		c.advance(time.Hour)
		elsewhere := signIn(t, s, "dana@example.com")
		c.advance(time.Hour)
		moved := Client{Address: netip.MustParseAddr("2001:db8::7"), Agent: "Firefox"}
		if tokens, err = s.Refresh(WithClient(background, moved), tokens.RefreshToken); err != nil {
			t.Fatal(err)
		}
		actor, err := s.Authenticate(background, tokens.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		dana := store.WithActor(background, actor)
		list, err := s.Sessions(dana)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		first, second := list[0], list[1]
		if !first.BeganAt.Equal(began) || !first.LastUsedAt.Equal(c.Now()) || first.Address != "2001:db8::7" || first.Agent != "Firefox" || !first.Current {
			t.Errorf("the session that asks: %+v", first)
		}
		if !second.BeganAt.Equal(began.Add(time.Hour)) || second.Address != home.String() || second.Current {
			t.Errorf("the other session: %+v", second)
		}
		if agent := laptop.agent(); agent != "Firefox"+strings.Repeat("א", 193) {
			t.Errorf("kept of the agent: %q", agent)
		}

		other = refresh(t, s, other)
		theirs, err := s.Authenticate(background, other.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.EndSession(dana, theirs.SessionID), fault.NotFound, "")
		wantFault(t, s.EndSession(dana, uuid.New()), fault.NotFound, "")
		wantFault(t, s.EndSession(asSystem, second.ID), fault.Forbidden, "")
		wantFault(t, s.EndSession(background, second.ID), fault.Unauthorized, "")
		if err := s.EndSession(dana, second.ID); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.EndSession(dana, second.ID), fault.NotFound, "")
		wantEnded(t, s, elsewhere)
		refresh(t, s, other)
		if list, err = s.Sessions(dana); err != nil || len(list) != 1 || list[0].ID != first.ID {
			t.Errorf("left: %+v, %v", list, err)
		}
	})
}

// Who changes their password stays signed in where they do it, and nowhere else.
func TestChangePasswordEndsOtherSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		mine, elsewhere := signIn(t, s, "dana@example.com"), signIn(t, s, "dana@example.com")
		actor, err := s.Authenticate(background, mine.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ChangePassword(store.WithActor(background, actor), goodPassword, "another password"); err != nil {
			t.Fatal(err)
		}
		wantEnded(t, s, elsewhere)
		refresh(t, s, mine)
	})
}

// Many failures from one address, with any e-mail addresses, slow further ones
// down, but keep nobody out who is known there.
func TestThrottleOfAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		addUser(t, s, "noa@example.com", "viewer")
		v6, sameHouse := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
		if _, err := s.SignIn(background, "dana@example.com", goodPassword, sameHouse); err != nil {
			t.Fatal(err)
		}
		for i := range freeOfAddress {
			if _, err := s.SignIn(background, fmt.Sprintf("guess%d@example.com", i), "a wrong password", v6); err != errSignIn {
				t.Fatalf("try %d: %v", i+1, err)
			}
		}
		_, err := s.SignIn(background, "noa@example.com", goodPassword, v6)
		wantFault(t, err, fault.RateLimited, "")
		if wait := time.Second; err.(*fault.Error).After != wait {
			t.Errorf("to wait: %v, want %v", err.(*fault.Error).After, wait)
		}
		if _, err := s.SignIn(background, "dana@example.com", goodPassword, v6); err != nil {
			t.Errorf("who has signed in there before: %v", err)
		}
		if _, err := s.SignIn(background, "noa@example.com", goodPassword, home); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		c.advance(2 * time.Second)
		if _, err := s.SignIn(background, "noa@example.com", goodPassword, v6); err != nil {
			t.Errorf("after the delay: %v", err)
		}
	})
}

func TestGoodSignInsAreNotCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _ := newStaff(db)
		addUser(t, s, "dana@example.com", "viewer")
		for range 2 * freeOfAddress {
			signIn(t, s, "dana@example.com")
		}
	})
}
