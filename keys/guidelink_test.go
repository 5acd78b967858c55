package keys

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestGuideLinks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, clock, customer := newService(t, db)
		c := newConnection(t, s, Connection{CustomerID: customer})
		offered, err := s.OfferGuide(asStaff, c.ID, 0)
		if err != nil || len(offered.Token) != 43 || !offered.ExpiresAt.Equal(clock.Now().AddDate(0, 0, 30)) {
			t.Fatalf("%+v, %v", offered, err)
		}
		opens := func(token string) bool {
			t.Helper()
			got, err := s.OpenGuide(t.Context(), token)
			if err != nil && fault.CodeOf(err) != fault.NotFound {
				t.Fatal(err)
			}
			return err == nil && got.ID == c.ID
		}
		if !opens(offered.Token) {
			t.Error("the link opens nothing")
		}
		for _, token := range []string{"", "x", strings.Repeat("A", 43), offered.Token[:42], offered.Token + "A", offered.Token + "="} {
			if opens(token) {
				t.Errorf("%q opens the guide", token)
			}
		}
		clock.advance(offered.ExpiresAt.Sub(clock.Now()))
		if opens(offered.Token) {
			t.Error("it opens when it is over")
		}
		clock.advance(-time.Microsecond)
		if !opens(offered.Token) {
			t.Error("it does not open up to its end")
		}
		for range 2 {
			if err := s.RevokeGuide(asStaff, offered.ID); err != nil {
				t.Error(err)
			}
		}
		if opens(offered.Token) {
			t.Error("it opens when it is revoked")
		}

		for _, days := range []int{-1, 367} {
			_, err := s.OfferGuide(asStaff, c.ID, days)
			wantFault(t, err, fault.Invalid, "Days")
		}
		_, err = s.OfferGuide(asStaff, uuid.New(), 1)
		wantFault(t, err, fault.NotFound, "")
		_, err = s.OfferGuide(asViewer, c.ID, 1)
		wantFault(t, err, fault.Forbidden, "-")
		wantFault(t, s.RevokeGuide(asStaff, 999), fault.NotFound, "")
		wantFault(t, s.RevokeGuide(asViewer, offered.ID), fault.Forbidden, "-")
		if err := s.DeleteConnection(asStaff, c.ID); err != nil {
			t.Errorf("its connection cannot be deleted: %v", err)
		}
	})
}
