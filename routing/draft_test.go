package routing

import (
	"context"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// TestPreviewDraft asks of rules that are not stored what they would do.
func TestPreviewDraft(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		to := newReceiver(t, nil).URL
		for _, city := range []string{"Haifa", "Acre", "Haifa"} {
			f.lead(func(l *leads.Lead) { l.City = text(city) })
		}
		half := f.rule("", func(r *Rule) {
			r.Condition, r.Settings = "City eq 'Haifa'", nil
			r.Mapping = []MappingEntry{{Target: "city", Source: "City"}, {Target: "", Source: "City"}, {Target: "odd", Source: "City eq"}, {Target: "x", Source: "Rooms", Required: true}}
		})
		p, err := f.PreviewDraft(f.ctx, half, 100, nil)
		f.ok(err)
		if p.Leads != 3 || p.Held != 2 || p.Taken != 2 || counts(p.Missing) != "x 2" || p.Examples[0].Body != `{"city":"Haifa"}` {
			t.Errorf("%+v", p)
		}
		p, err = f.PreviewDraft(f.ctx, half, 0, map[string]any{"City": "Haifa", "Rooms": 3})
		f.ok(err)
		if e := p.Examples[0]; !e.Takes || e.Body != `{"city":"Haifa","x":3}` || e.URL != "https://example.com" {
			t.Errorf("%+v", e)
		}

		stored := f.activated(to, func(r *Rule) { r.Priority = 50 })
		if p, err = f.PreviewDraft(f.ctx, half, 100, nil); err != nil || p.Held != 2 || p.Taken != 0 || p.Rivals[0].RuleID != stored.ID {
			t.Errorf("beside another: %+v %v", p, err)
		}
		edited := *stored
		edited.Condition = "City eq 'Acre'"
		if p, err = f.PreviewDraft(f.ctx, &edited, 100, nil); err != nil || p.Held != 1 || p.Taken != 1 || len(p.Rivals) != 0 {
			t.Errorf("in its own place: %+v %v", p, err)
		}

		viewer := store.WithActor(context.Background(), store.Actor{Kind: store.Staff, Role: store.Viewer})
		for name, c := range map[string]struct {
			ctx    context.Context
			change func(*Rule)
			last   int
			want   fault.Code
			target string
		}{
			"a viewer":             {viewer, nil, 1, fault.Forbidden, ""},
			"an unknown rule":      {f.ctx, func(r *Rule) { r.ID = 999 }, 1, fault.NotFound, ""},
			"a wrong condition":    {f.ctx, func(r *Rule) { r.Condition = "City eq" }, 1, fault.Invalid, "Condition"},
			"an unknown connector": {f.ctx, func(r *Rule) { r.ConnectorID = 999 }, 1, fault.Invalid, "ConnectorID"},
			"a wrong zone":         {f.ctx, func(r *Rule) { r.TimeZone = "Mars" }, 1, fault.Invalid, "TimeZone"},
			"too many":             {f.ctx, nil, 1001, fault.Invalid, "Last"},
		} {
			_, err := f.PreviewDraft(c.ctx, f.rule(to, c.change), c.last, nil)
			if fault.CodeOf(err) != c.want || c.target != "" && !strings.HasPrefix(err.Error(), c.target) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestUsage counts what a rule has had, before and after there are caps.
func TestUsage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		f := newFixture(t, db, WithClock(c.Now))
		f.leads.Now = c.Now
		r := f.activated(newReceiver(t, nil).URL, nil)
		f.lead(nil)
		c.forward(24 * time.Hour)
		f.lead(nil)
		u, err := f.Usage(f.ctx, r.ID)
		f.ok(err)
		if u.Day != nil || u.Total != nil || u.DeliveredAt != nil {
			t.Errorf("without caps: %+v", u)
		}
		ten := 10
		r.CapDay, r.CapTotal = &ten, &ten
		f.ok(f.UpdateRule(f.ctx, r))
		for i := range 2 { // as counted, and as it would be
			u, err = f.Usage(f.ctx, r.ID)
			f.ok(err)
			if u.Week != nil || *u.Day != 1+i || *u.Total != 2+i {
				t.Errorf("%d: %+v", i, u)
			}
			f.lead(nil)
		}
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
			return tx.Model(&Routing{}).Where("created_at < ?", c.Now()).Update("delivered_at", c.Now()).Error
		}))
		if u, err = f.Usage(f.ctx, r.ID); err != nil || !u.DeliveredAt.Equal(c.Now()) {
			t.Errorf("%+v %v", u, err)
		}
		if _, err := f.Usage(f.ctx, 999); fault.CodeOf(err) != fault.NotFound {
			t.Error(err)
		}
	})
}
