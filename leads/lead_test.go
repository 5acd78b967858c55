package leads

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestCreateLead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON, Region: "DK"})
		var routed []*Source
		s.Route = func(tx *gorm.DB, l *Lead, src *Source) error {
			routed = []*Source{src}
			return SetState(tx, l, StateRouted)
		}
		l := &Lead{
			FirstName: new(" נועה "), Phone: new("050-1234567"), Email: new("NOA@example.com"), City: new(" "), State: "routed", Version: 7,
			DuplicateOfID: new(uuid.New()), ReasonID: new(int32(3)), ID: uuid.New(),
			Properties: object{"Budget": json.Number("5000"), "Rooms": 4, "Gone": nil, "Tags": []string{"a"}},
		}
		given := *l
		if err := s.CreateLead(manager(), l); err != nil {
			t.Fatal(err)
		}
		want := Lead{
			ID: l.ID, ReceivedAt: l.ReceivedAt, FirstName: new("נועה"), Phone: new("+972501234567"), PhoneRaw: new("050-1234567"),
			Email: new("noa@example.com"), State: StateRouted, Version: 2,
			Properties: object{"Budget": int64(5000), "Rooms": int64(4), "Tags": []any{"a"}},
		}
		if diff := cmp.Diff(want, *l) + cmp.Diff(want, *stored(t, s, Receipt{ID: l.ID})); diff != "" || l.ID == given.ID {
			t.Error(diff)
		}
		if len(routed) != 1 || routed[0] != nil {
			t.Errorf("routed with %v, want no source", routed)
		}

		l = &Lead{SourceID: &src.ID, Phone: new("32123456"), ExternalID: new("x")}
		if err := s.CreateLead(manager(), l); err != nil {
			t.Fatal(err)
		}
		if *l.Phone != "+4532123456" || routed[0] == nil || routed[0].ID != src.ID {
			t.Errorf("phone %s, source %v", *l.Phone, routed[0])
		}
		wantFault(t, s.CreateLead(manager(), &Lead{SourceID: &src.ID, ExternalID: new("x")}), fault.Conflict, "ExternalID")
		wantFault(t, s.CreateLead(manager(), &Lead{SourceID: new(int64(99))}), fault.Invalid, "SourceID")
		wantFault(t, s.CreateLead(manager(), &Lead{City: new("a\x00")}), fault.Invalid, "City")
		wantFault(t, s.CreateLead(manager(), &Lead{City: new("\xff")}), fault.Invalid, "City")
		wantFault(t, s.CreateLead(manager(), &Lead{Message: new(strings.Repeat("x", 10_001))}), fault.Invalid, "Message")
		wantFault(t, s.CreateLead(manager(), &Lead{Properties: object{"phone": "x"}}), fault.Invalid, "_phone")
		wantFault(t, s.CreateLead(manager(), &Lead{Properties: object{"a": func() {}}}), fault.Invalid, "a")
		if n := count(t, s, "leads"); n != 2 {
			t.Errorf("%d leads", n)
		}
	})
}

func TestUpdateLead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		src := addSource(t, s, Source{Kind: KindJSON})
		receipts, err := post(s, src, `[{"City":"Haifa","Phone":"050-1234567","Email":"oops","lead_id":"1","Budget":9007199254740993},{"lead_id":"2"}]`)
		if err != nil {
			t.Fatal(err)
		}
		before := stored(t, s, receipts[0])
		l := stored(t, s, receipts[0])
		l.City, l.Email, l.Phone, l.State = nil, new("Noa@Example.com"), new("052-7654321"), StateRouted
		l.Properties["Rooms"] = json.Number("4.5")
		if err := s.UpdateLead(manager(), l); err != nil {
			t.Fatal(err)
		}
		want := *before
		want.City, want.Email, want.Phone, want.PhoneRaw = nil, new("noa@example.com"), new("+972527654321"), new("052-7654321")
		want.Version++
		want.Properties = object{"Budget": int64(9007199254740993), "Rooms": 4.5}
		if diff := cmp.Diff(want, *l) + cmp.Diff(want, *stored(t, s, receipts[0])); diff != "" {
			t.Error(diff)
		}

		wantFault(t, s.UpdateLead(manager(), before), fault.PreconditionFailed, "")
		wantFault(t, s.UpdateLead(manager(), &Lead{ID: uuid.New()}), fault.NotFound, "")
		changed := *l
		changed.ExternalID = new("2")
		wantFault(t, s.UpdateLead(manager(), &changed), fault.Conflict, "ExternalID")
		changed = *l
		changed.SourceID = nil
		wantFault(t, s.UpdateLead(manager(), &changed), fault.Invalid, "SourceID")

		l.PhoneRaw = new("03-6123456")
		if err := s.UpdateLead(manager(), l); err != nil || *l.Phone != "+97236123456" {
			t.Errorf("a new PhoneRaw gave %v, %v", l.Phone, err)
		}
		l.Phone = nil
		if err := s.UpdateLead(manager(), l); err != nil || l.Phone != nil || l.PhoneRaw != nil {
			t.Errorf("without a phone: %v, %v, %v", l.Phone, l.PhoneRaw, err)
		}
	})
}

func TestSetState(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, storetest.Vault())
		l := &Lead{City: new("Haifa")}
		if err := s.CreateLead(manager(), l); err != nil {
			t.Fatal(err)
		}
		err := db.Write(context.Background(), func(tx *gorm.DB) error { return SetState(tx, l, StateUnmatched) })
		if err != nil || l.State != StateUnmatched || l.Version != 2 {
			t.Errorf("%s, version %d, %v", l.State, l.Version, err)
		}
		if diff := cmp.Diff(l, stored(t, s, Receipt{ID: l.ID})); diff != "" {
			t.Error(diff)
		}
		err = db.Write(context.Background(), func(tx *gorm.DB) error { return SetState(tx, l, "lost") })
		if err == nil {
			t.Error("an unknown state was taken")
		}
	})
}

// The relations are what the OData service makes navigation properties of.
func TestRelations(t *testing.T) {
	parsed, err := schema.Parse(&Lead{}, &sync.Map{}, schema.NamingStrategy{})
	if err != nil {
		t.Fatal(err)
	}
	for name, column := range map[string]string{"Source": "source_id", "DuplicateOf": "duplicate_of_id"} {
		r := parsed.Relationships.Relations[name]
		if r == nil || r.Type != schema.BelongsTo || r.References[0].ForeignKey.DBName != column {
			t.Errorf("%s is %+v", name, r)
		}
	}
}

// writeAll is a write of rows.
func writeAll[T any](rows []T) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.CreateInBatches(&rows, 100).Error }
}
