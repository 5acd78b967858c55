package routing

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		f.activated(crm.URL, nil)
		want := f.routing(f.lead(nil).ID)
		for _, customer := range []int64{0, f.customer} {
			got, err := f.Find(db.Read(f.ctx), want.ID, customer)
			f.ok(err)
			if got.ID != want.ID || got.LeadID != want.LeadID || got.CustomerID != want.CustomerID || got.State != Pending ||
				!got.NextAttemptAt.Equal(*want.NextAttemptAt) || !got.CreatedAt.Equal(want.CreatedAt) || got.Version != 1 {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		unknown := uuid.New()
		_, err1 := f.Find(db.Read(f.ctx), want.ID, f.customer+1)
		_, err2 := f.Find(db.Read(f.ctx), unknown, f.customer)
		if fault.CodeOf(err1) != fault.NotFound || fault.CodeOf(err2) != fault.NotFound ||
			err1.Error() != "RoutingID: no routing "+want.ID.String() || err2.Error() != "RoutingID: no routing "+unknown.String() {
			t.Errorf("someone else's: %v; unknown: %v", err1, err2)
		}
	})
}

func TestSetFeedback(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	reports := []struct {
		reason int32
		at     time.Time
		now    int32 // the current reason afterwards
	}{
		{1, noon, 1},
		{2, noon.Add(-time.Microsecond), 1}, // older
		{3, noon, 3},                        // as new: the later report
		{4, noon.Add(time.Hour), 4},
		{5, noon, 4},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		f.activated(crm.URL, nil)
		lead := f.lead(nil)
		r := f.routing(lead.ID)
		latest := noon
		for _, c := range reports {
			f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
				given, err := f.Given(tx, r.ID)
				if err != nil {
					return err
				}
				return f.SetFeedback(tx, Current{RoutingID: r.ID, LeadID: given[r.ID].LeadID, ReasonID: c.reason, At: c.at})
			}))
			if c.at.After(latest) {
				latest = c.at
			}
			stored := f.routing(lead.ID)
			var l leads.Lead
			f.ok(db.Read(f.ctx).Where("id = ?", lead.ID).Take(&l).Error)
			if *stored.ReasonID != c.now || *l.ReasonID != c.now {
				t.Errorf("after %+v: routing %d, lead %d", c, *stored.ReasonID, *l.ReasonID)
			}
			if !stored.FeedbackAt.Equal(latest) || !l.FeedbackAt.Equal(latest) {
				t.Errorf("after %+v: at %s", c, stored.FeedbackAt)
			}
		}
	})
}

func TestResend(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		f.activated(crm.URL, nil)
		r := f.routing(f.lead(nil).ID)
		if err := f.Resend(f.ctx, uuid.New()); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("unknown: %v", err)
		}
		for state, allowed := range map[string]bool{
			Pending: false, Sending: false, Delivered: true, Rejected: true, Failed: true, Parked: true,
		} {
			f.ok(db.Write(f.ctx, exec1("UPDATE routings SET state = ?, next_attempt_at = NULL, attempt_count = 3 WHERE id = ?", state, r.ID)))
			err := f.Resend(f.ctx, r.ID)
			if !allowed {
				if fault.CodeOf(err) != fault.Conflict {
					t.Errorf("%s: %v", state, err)
				}
				continue
			}
			f.ok(err)
			got, err := f.Find(db.Read(f.ctx), r.ID, 0)
			f.ok(err)
			if got.State != Pending || got.NextAttemptAt == nil || got.AttemptCount != 0 {
				t.Errorf("%s: %+v", state, got)
			}
		}
	})
}
