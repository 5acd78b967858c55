package routing

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// draft stores a rule that is not active.
func (f *fixture) draft(change func(*Rule)) *Rule {
	f.Helper()
	r := f.rule("http://crm.example.com/leads", change)
	f.ok(f.CreateRule(f.ctx, r))
	return r
}

func counts(list []PreviewCount) string {
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprint(c.Name, " ", c.Leads))
	}
	return strings.Join(all, ", ")
}

func TestPreviewSample(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		f := newFixture(t, db, WithClock(c.Now))
		to := newReceiver(t, nil).URL
		rival := f.named(to, "Rival", func(r *Rule) { r.Priority, r.Condition = 50, "City eq 'Haifa'" })
		f.named(to, "Other", func(r *Rule) { r.Priority, r.Condition = 60, "City eq 'Acre'" })
		zero := 0
		for _, tt := range []struct {
			name                    string
			change                  func(*Rule)
			sample                  map[string]any
			takes                   bool
			code, reason            string
			rivals, missing, bodyIs string
		}{
			{"taken", nil, map[string]any{"City": "Eilat"}, true, "chosen", "gets the lead", "", "", ""},
			{
				"a false condition", func(r *Rule) { r.Condition = "Budget gt 1000 and City eq 'Haifa'" },
				map[string]any{"City": "Haifa", "Budget": "500"},
				false, "condition_false",
				"the condition is not true: Budget gt 1000 is false (Budget is '500')", "", "", "-",
			},
			{
				"lost", nil,
				map[string]any{"City": "Haifa"},
				false, "lost_to_tier",
				fmt.Sprintf("lost to rule %d, Rival, of priority 50, before its own 100; as many customers as may get the lead have it", rival.ID),
				"Rival chosen", "", "",
			},
			{
				"won", func(r *Rule) { r.Priority = 10 },
				map[string]any{"City": "Haifa"},
				true, "chosen", "gets the lead",
				"Rival lost_to_tier", "", "",
			},
			{"closed", func(r *Rule) { r.Schedule = []Window{{From: "22:00", To: "23:00"}} }, nil, false, "shut", "outside the schedule, which opens again at 2026-11-22T20:00:00Z", "", "", ""},
			{"full", func(r *Rule) { r.CapTotal = &zero }, nil, false, "full", "the cap of 0 in total is full", "", "", ""},
			{
				"fields missing", func(r *Rule) {
					r.Mapping = []MappingEntry{
						{Target: "ref", Source: "RoutingID"},
						{Target: "city", Source: "City"},
						{Target: "budget", Source: "Budget", Required: true},
						{Target: "rooms", Source: "Rooms", Required: true},
						{Target: "mail", Source: "Email", Required: true},
					}
				}, map[string]any{"City": "Eilat", "Rooms": 4}, true, "chosen", "gets the lead", "", "budget", `{"ref":"<id>","city":"Eilat","rooms":4,"mail":"noa.levi@example.com"}`,
			},
		} {
			r := f.draft(tt.change)
			p, err := f.PreviewSample(f.ctx, r.ID, tt.sample)
			f.ok(err)
			if len(p.Examples) != 1 || p.Leads != 1 {
				t.Fatalf("%s: %+v", tt.name, p)
			}
			e := p.Examples[0]
			if e.LeadID != nil || e.Takes != tt.takes || p.Taken == 1 != tt.takes || e.Verdict.Code != tt.code || e.Verdict.Reason != tt.reason || counts(p.Codes) != tt.code+" 1" {
				t.Errorf("%s: %s %s (%+v)", tt.name, e.Verdict.Code, e.Verdict.Reason, p)
			}
			if codes(e.Rivals) != tt.rivals || strings.Join(e.Missing, " ") != tt.missing || e.Problem != "" {
				t.Errorf("%s: rivals %s, missing %v, problem %s", tt.name, codes(e.Rivals), e.Missing, e.Problem)
			}
			body := e.Body
			if id, err := uuid.Parse(strings.SplitN(strings.TrimPrefix(body+strings.Repeat(" ", 60), `{"ref":"`), `"`, 2)[0]); err == nil {
				body = strings.Replace(body, id.String(), "<id>", 1)
			}
			switch {
			case tt.bodyIs == "-" && body != "", tt.bodyIs == "" && (!strings.HasPrefix(body, `{"ref":"<id>"`) || e.ContentType != "application/json"), len(tt.bodyIs) > 1 && body != tt.bodyIs:
				t.Errorf("%s: %s %s", tt.name, e.ContentType, body)
			}
			f.ok(f.DeleteRule(f.ctx, r.ID))
		}

		// Of an active rule it is the content being edited, in the place of the active one.
		edited := f.reread(rival.ID)
		edited.Condition = "City eq 'Eilat'"
		f.ok(f.UpdateRule(f.ctx, edited))
		p, err := f.PreviewSample(f.ctx, rival.ID, map[string]any{"City": "Haifa"})
		f.ok(err)
		if p.Revision != 2 || p.Taken != 0 || len(p.Rivals) != 0 {
			t.Errorf("%+v", p)
		}
		var n int64
		f.ok(db.Read(f.ctx).Raw("SELECT (SELECT count(*) FROM leads) + (SELECT count(*) FROM routings) + (SELECT count(*) FROM decisions)").Scan(&n).Error)
		if n != 0 {
			t.Errorf("a preview stored %d rows", n)
		}
	})
}

func TestPreviewLast(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newClock()
		f := newFixture(t, db, WithClock(c.Now))
		f.leads.Now = c.Now
		to := newReceiver(t, nil).URL
		f.named(to, "Rival", func(r *Rule) { r.Priority, r.Condition = 50, "Budget gt 70" })
		// Ten leads, one an hour from 11:00 in Israel; the newest are the richest.
		for i := range 10 {
			f.lead(func(l *leads.Lead) {
				l.IsTest = i == 2
				l.Properties = map[string]any{"Budget": int64(i * 10)}
				if i == 4 {
					l.Email = text("dana@example.com")
				}
			})
			c.forward(time.Hour)
		}
		two, later := 2, c.Now().Add(time.Hour)
		r := f.draft(func(r *Rule) {
			r.Condition, r.CapDay, r.StartsAt = "Budget ge 30 and City eq 'Haifa'", &two, &later
			r.Schedule = []Window{{From: "15:00", To: "24:00"}} // from Budget 40 on
			r.Mapping = append(r.Mapping, MappingEntry{Target: "email", Source: "Email", Required: true})
		})
		p, err := f.PreviewLast(f.ctx, r.ID, 100)
		f.ok(err)
		if p.Leads != 10 || p.Held != 7 || p.Taken != 2 {
			t.Errorf("%d leads, %d held, %d taken", p.Leads, p.Held, p.Taken)
		}
		// 0 and 10 are too poor, 20 is a test; 30 too early, 40 and 50 taken, then it is full.
		if got := counts(p.Codes); got != "full 4, chosen 2, condition_false 2, shut 1, test 1" {
			t.Errorf("codes: %s", got)
		}
		if counts(p.Parts) != "Budget ge 30 2" || counts(p.Missing) != "email 6" {
			t.Errorf("parts: %s; missing: %s", counts(p.Parts), counts(p.Missing))
		}
		if len(p.Rivals) != 1 || p.Rivals[0].Rule != "Rival" || p.Rivals[0].Leads != 2 || p.Rivals[0].Ahead != 2 {
			t.Errorf("rivals: %+v", p.Rivals)
		}
		var got []string
		for _, e := range p.Examples {
			got = append(got, e.Verdict.Code)
		}
		if got := strings.Join(got, " "); got != "full full full full chosen test condition_false condition_false" {
			t.Errorf("examples: %s", got)
		}
		if p, err = f.PreviewLast(f.ctx, r.ID, 2); err != nil || p.Leads != 2 || p.Taken != 0 || counts(p.Codes) != "lost_to_tier 2" {
			t.Errorf("%+v %v", p, err)
		}
	})
}

func TestPreviewRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		r := f.draft(nil)
		as := func(a store.Actor) context.Context { return store.WithActor(context.Background(), a) }
		viewer := as(store.Actor{Kind: store.Staff, Role: store.Viewer})
		machine := as(store.Actor{Kind: store.Machine, CustomerID: f.customer})
		sample := func(ctx context.Context, id int64, given map[string]any) error {
			_, err := f.PreviewSample(ctx, id, given)
			return err
		}
		last := func(ctx context.Context, id int64, n int) error {
			_, err := f.PreviewLast(ctx, id, n)
			return err
		}
		for i, c := range []struct {
			err  error
			want fault.Code
		}{
			{sample(viewer, r.ID, nil), fault.Forbidden},
			{sample(machine, r.ID, nil), fault.Forbidden},
			{sample(f.ctx, r.ID+1, nil), fault.NotFound},
			{sample(f.ctx, r.ID, map[string]any{"City": 5}), fault.Invalid},
			{last(viewer, r.ID, 5), fault.Forbidden},
			{last(f.ctx, r.ID+1, 5), fault.NotFound},
			{last(f.ctx, r.ID, 0), fault.Invalid},
			{last(f.ctx, r.ID, maxPreviewed+1), fault.Invalid},
			{last(f.ctx, r.ID, maxPreviewed), ""},
		} {
			if c.err == nil && c.want != "" || c.err != nil && fault.CodeOf(c.err) != c.want {
				t.Errorf("%d: %v, want %s", i, c.err, c.want)
			}
		}
	})
}
