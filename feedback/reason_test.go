package feedback

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestCreateReason(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		tests := []struct {
			name  string
			in    Reason
			want  string
			names Names
		}{
			{"name alone", Reason{Name: " Too far "}, "Too far", Names{"en": "Too far"}},
			{"names alone", Reason{Names: Names{"he": "רחוק מדי", "en": "Too far"}}, "Too far", Names{"he": "רחוק מדי", "en": "Too far"}},
			{"no English", Reason{Names: Names{"ro": "Prea departe", "he": "רחוק מדי"}}, "רחוק מדי", Names{"ro": "Prea departe", "he": "רחוק מדי"}},
			{"both", Reason{Name: "Far", Names: Names{"he": "רחוק"}}, "Far", Names{"en": "Far", "he": "רחוק"}},
			{"inactive", Reason{Name: "Later"}, "Later", Names{"en": "Later"}},
			{"flags", Reason{Name: "Sold", ClosesLead: true, CountsAsSale: true, Position: 5, Active: true}, "Sold", Names{"en": "Sold"}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got := tt.in
				got.Category = "negative"
				if err := w.CreateReason(asManager, &got); err != nil {
					t.Fatal(err)
				}
				want := tt.in
				want.ID, want.Name, want.Names, want.Category, want.CreatedAt, want.Version = got.ID, tt.want, tt.names, "negative", w.Now(), 1
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("created (-want +got):\n%s", diff)
				}
				var stored Reason
				if err := db.Read(background).Take(&stored, got.ID).Error; err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, stored); diff != "" {
					t.Errorf("stored (-want +got):\n%s", diff)
				}
			})
		}
	})
}

func TestReasonValidation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		tests := []struct {
			name   string
			in     Reason
			target string
		}{
			{"no name", Reason{Category: "negative"}, "Name"},
			{"empty names", Reason{Category: "negative", Names: Names{"en": " "}}, "Name"},
			{"long name", Reason{Category: "negative", Name: strings.Repeat("x", 201)}, "Name"},
			{"not a language", Reason{Category: "negative", Names: Names{"not a language": "x"}}, "Names[not a language]"},
			{"a name missing", Reason{Category: "negative", Names: Names{"en": "x", "he": ""}}, "Names[he]"},
			{"no category", Reason{Name: "x"}, "Category"},
			{"unknown category", Reason{Name: "x", Category: "good"}, "Category"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) { wantFault(t, w.CreateReason(asManager, &tt.in), fault.Invalid, tt.target) })
		}
		good := Reason{Name: "x", Category: "negative"}
		wantFault(t, w.CreateReason(asViewer, &good), fault.Forbidden, "")
		wantFault(t, w.CreateReason(w.acme.asClient, &good), fault.Forbidden, "")
		wantFault(t, w.UpdateReason(asViewer, &good), fault.Forbidden, "")
		wantFault(t, w.DeleteReason(background, 1), fault.Unauthorized, "")
	})
}

func TestUpdateReason(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		r := Reason{Name: "Too far", Category: "negative", Active: true}
		if err := w.CreateReason(asManager, &r); err != nil {
			t.Fatal(err)
		}
		stale := r
		r.Name, r.Position, r.Active = "Far too far", 7, false
		if err := w.UpdateReason(asManager, &r); err != nil || r.Version != 2 {
			t.Fatalf("version %d, %v", r.Version, err)
		}
		var stored Reason
		if err := db.Read(background).Take(&stored, r.ID).Error; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, stored); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		wantFault(t, w.UpdateReason(asManager, &stale), fault.PreconditionFailed, "")
		stale.ID = 999
		wantFault(t, w.UpdateReason(asManager, &stale), fault.NotFound, "")
	})
}

func TestDeleteReason(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		if err := w.Report(w.acme.asClient, &Feedback{RoutingID: id, ReasonID: new(int32(3))}); err != nil {
			t.Fatal(err)
		}
		if e := wantFault(t, w.DeleteReason(asManager, 3), fault.Conflict, ""); !strings.Contains(e.Message, "retire it: set Active to false") {
			t.Errorf("message %q", e.Message)
		}
		if err := w.DeleteReason(asManager, 12); err != nil {
			t.Errorf("an unused reason: %v", err)
		}
		wantFault(t, w.DeleteReason(asManager, 12), fault.NotFound, "")
		wantFault(t, w.Report(w.acme.asClient, &Feedback{RoutingID: id, ReasonID: new(int32(12))}), fault.Invalid, "ReasonID")
	})
}

func TestChangedReasonsAreSeen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		here := newWorld(t, db)
		there := New(db, here.Routing) // another server on the same database
		there.Now = here.Now
		id := here.newRouting(t, here.acme)[0]
		report := func(s *Service, reason int32) error {
			return s.Report(here.acme.asClient, &Feedback{RoutingID: id, ReasonID: &reason})
		}
		for _, s := range []*Service{here.Service, there} {
			if err := report(s, 1); err != nil {
				t.Fatal(err)
			}
		}
		added := Reason{Name: "New", Category: "positive", Active: true}
		if err := here.CreateReason(asManager, &added); err != nil {
			t.Fatal(err)
		}
		if err := report(here.Service, added.ID); err != nil {
			t.Errorf("a new reason is not taken at once: %v", err)
		}
		here.clock.advance(reasonsLifetime)
		if err := report(there, added.ID); err != nil {
			t.Errorf("a new reason is not taken elsewhere after %v: %v", reasonsLifetime, err)
		}
		added.Active = false
		if err := here.UpdateReason(asManager, &added); err != nil {
			t.Fatal(err)
		}
		wantFault(t, report(here.Service, added.ID), fault.Invalid, "ReasonID")
		here.clock.advance(reasonsLifetime)
		wantFault(t, report(there, added.ID), fault.Invalid, "ReasonID")
	})
}

// On another server, a reason can be deleted while this one still remembers it.
func TestReasonDeletedElsewhere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		id := w.newRouting(t, w.acme)[0]
		if err := w.Report(w.acme.asClient, &Feedback{RoutingID: id, ReasonID: new(int32(1))}); err != nil {
			t.Fatal(err)
		}
		if err := New(db, w.Routing).DeleteReason(asManager, 12); err != nil {
			t.Fatal(err)
		}
		gone := Feedback{RoutingID: id, ReasonID: new(int32(12))}
		done, err := w.Submit(w.acme.asClient, []Feedback{gone, {RoutingID: id, ReasonID: new(int32(2))}})
		if err != nil || done[1].Err != nil {
			t.Fatal(done, err)
		}
		wantFault(t, done[0].Err, fault.Invalid, "ReasonID")
		wantFault(t, w.Report(w.acme.asClient, &gone), fault.Invalid, "ReasonID")
		if n := w.count(t); n != 2 {
			t.Errorf("%d reports stored, want 2", n)
		}
	})
}

func TestPurgeBeatsALateRead(t *testing.T) {
	var c reasonCache
	now := (&clock{}).Now()
	_, turn := c.get(now)
	c.purge()
	c.put([]Reason{{ID: 1}}, turn, now)
	if all, _ := c.get(now); all != nil {
		t.Error("reasons from before the purge were kept")
	}
}
