package feedback

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestReturns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		returned := func() *time.Time {
			t.Helper()
			var r routing.Routing
			if err := db.Read(background).Take(&r, "id = ?", id).Error; err != nil {
				t.Fatal(err)
			}
			return r.ReturnedAt
		}
		report := func(reason int32) Feedback {
			t.Helper()
			f := Feedback{RoutingID: id, ReasonID: &reason, ReturnState: new(ReturnApproved), ReturnComment: new("mine")}
			if err := w.Report(w.acme.asClient, &f); err != nil {
				t.Fatal(err)
			}
			return f
		}
		plain, first, second := report(7), report(12), report(12)
		if plain.ReturnState != nil || *first.ReturnState != ReturnRequested || first.ReturnComment != nil {
			t.Fatalf("%+v, %+v", plain, first)
		}
		decide := func(f Feedback, approve bool, comment string) {
			t.Helper()
			w.clock.advance(time.Hour)
			if err := w.DecideReturn(asManager, f.ID, approve, &comment); err != nil {
				t.Fatal(err)
			}
		}
		wantFault(t, w.DecideReturn(w.acme.asClient, first.ID, true, nil), fault.Forbidden, "-")
		wantFault(t, w.DecideReturn(asViewer, first.ID, true, nil), fault.Forbidden, "-")
		wantFault(t, w.DecideReturn(asManager, uuid.New(), true, nil), fault.NotFound, "-")
		wantFault(t, w.DecideReturn(asManager, plain.ID, true, nil), fault.Conflict, "-")
		wantFault(t, w.DecideReturn(asManager, first.ID, true, new("a\x00")), fault.Invalid, "Comment")

		decide(first, false, "Spoke with her today")
		if returned() != nil {
			t.Error("returned though declined")
		}
		decide(first, true, " Credited ")
		since := w.Now()
		decide(first, true, "Credited") // the same again
		var stored Feedback
		if err := db.Read(background).Take(&stored, "id = ?", first.ID).Error; err != nil {
			t.Fatal(err)
		}
		if *stored.ReturnState != ReturnApproved || *stored.ReturnComment != "Credited" || !stored.ReturnDecidedAt.Equal(since) {
			t.Errorf("%+v", stored)
		}
		if at := returned(); at == nil || !at.Equal(since) {
			t.Errorf("returned at %v, want %v", at, since)
		}
		decide(second, true, "")
		decide(first, false, "")
		if at := returned(); at == nil || !at.After(since) {
			t.Errorf("returned at %v, want the second approval's time", at)
		}
		decide(second, false, "")
		if returned() != nil {
			t.Error("still returned")
		}
	})
}

// A word that is mapped later to a reason that asks for a return makes the reports
// that waited requests.
func TestReturnsByAWordMappedLater(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		f := Feedback{RoutingID: w.newRouting(t, w.acme)[0], Status: new("זיכוי")}
		if err := w.Report(w.acme.asClient, &f); err != nil || f.ReturnState != nil {
			t.Fatal(f, err)
		}
		if err := w.CreateStatusMap(asManager, &StatusMap{CustomerID: w.acme.customer, Status: "זיכוי", ReasonID: 12}); err != nil {
			t.Fatal(err)
		}
		if err := w.DecideReturn(asManager, f.ID, true, nil); err != nil {
			t.Error(err)
		}
		next := Feedback{RoutingID: f.RoutingID, Status: new(" זיכוי")}
		if err := w.Report(w.acme.asClient, &next); err != nil || next.ReturnState == nil {
			t.Error(next, err)
		}
	})
}
