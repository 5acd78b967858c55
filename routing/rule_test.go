package routing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// wrong are the problems of an Invalid fault: target to message.
func wrong(err error) map[string]string {
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != fault.Invalid {
		return map[string]string{"?": fmt.Sprint(err)}
	}
	if len(f.Details) == 0 {
		return map[string]string{f.Target: f.Message}
	}
	all := map[string]string{}
	for _, d := range f.Details {
		all[d.Target] = d.Message
	}
	return all
}

func TestRuleValidation(t *testing.T) {
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		name   string
		change func(*Rule)
		want   map[string]string // target: part of the message
	}{
		{"no name", func(r *Rule) { r.Name = "" }, map[string]string{"Name": "Name is required"}},
		{"no customer", func(r *Rule) { r.CustomerID = 999 }, map[string]string{"CustomerID": "no customer 999"}},
		{"no connector", func(r *Rule) { r.ConnectorID = 999 }, map[string]string{"ConnectorID": "no connector 999"}},
		{"negative priority", func(r *Rule) { r.Priority = -1 }, map[string]string{"Priority": "smaller than 1"}},
		{"unknown owner", func(r *Rule) { id := int64(999); r.OwnerID = &id }, map[string]string{"OwnerID": "no user 999"}},
		{"ends before it starts", func(r *Rule) { r.StartsAt, r.EndsAt = &at, &at }, map[string]string{"EndsAt": "later than StartsAt"}},
		{"no such rotation", func(r *Rule) { r.Rotation = "random" }, map[string]string{"Rotation": "one of"}},
		{"negative weight", func(r *Rule) { r.Weight = -1 }, map[string]string{"Weight": "smaller than 1"}},
		{"negative cap", func(r *Rule) { r.CapWeek = number(-1) }, map[string]string{"CapWeek": "smaller than 0"}},
		{"no such zone", func(r *Rule) { r.TimeZone = "Asia/Haifa" }, map[string]string{"TimeZone": `"Asia/Haifa" is not a time zone`}},
		{"the machine's zone", func(r *Rule) { r.TimeZone = "Local" }, map[string]string{"TimeZone": "not a time zone"}},
		{"window: no such day", func(r *Rule) { r.Schedule = []Window{{Days: []string{"Sunday"}, From: "09:00", To: "10:00"}} }, map[string]string{"Schedule/0/Days/0": "one of"}},
		{"window: a day twice", func(r *Rule) { r.Schedule = []Window{{Days: []string{"Sun", "Sun"}, From: "09:00", To: "10:00"}} }, map[string]string{"Schedule/0/Days": ""}},
		{"window: from 24:00", func(r *Rule) { r.Schedule = []Window{{From: "24:00", To: "10:00"}} }, map[string]string{"Schedule/0/From": "from 00:00 to 23:59"}},
		{"window: 9:00", func(r *Rule) { r.Schedule = []Window{{From: "08:00", To: "9:00"}} }, map[string]string{"Schedule/0/To": "from 00:00 to 24:00"}},
		{"window: empty", func(r *Rule) { r.Schedule = []Window{{From: "09:00", To: "09:00"}} }, map[string]string{"Schedule/0/To": "not that of From"}},
		{"no settings", func(r *Rule) { r.Settings = nil }, map[string]string{"Settings/URL": "URL is required"}},
		{
			"unknown setting", func(r *Rule) { r.Settings["Colour"] = "blue" },
			map[string]string{"Settings/Colour": "the connector Webhook, JSON has no setting Colour; it has: URL"},
		},
		{"URL is a number", func(r *Rule) { r.Settings["URL"] = 7.0 }, map[string]string{"Settings/URL": "http://"}},
		{"URL is a list", func(r *Rule) { r.Settings["URL"] = []any{} }, map[string]string{"Settings/URL": "must be text"}},
		{"ftp", func(r *Rule) { r.Settings["URL"] = "ftp://example.com" }, map[string]string{"Settings/URL": "http://"}},
		{"no host", func(r *Rule) { r.Settings["URL"] = "http:///x" }, map[string]string{"Settings/URL": "no host"}},
		{"user info", func(r *Rule) { r.Settings["URL"] = "http://u:p@example.com" }, map[string]string{"Settings/URL": "user name"}},
		{"not a URL", func(r *Rule) { r.Settings["URL"] = "http://exa mple.com" }, map[string]string{"Settings/URL": "not a URL"}},
		{"condition syntax", func(r *Rule) { r.Condition = "City eq" }, map[string]string{"Condition": "position"}},
		{"condition type", func(r *Rule) { r.Condition = "concat(City,'x')" }, map[string]string{"Condition": "Edm.Boolean"}},
		{"text compared with a number", func(r *Rule) { r.Condition = "City gt 5" }, map[string]string{"Condition": ""}},
		{"no mapping", func(r *Rule) { r.Mapping = nil }, map[string]string{"Mapping": "the mapping must send RoutingID"}},
		{
			"mapping without RoutingID", func(r *Rule) { r.Mapping = r.Mapping[1:] },
			map[string]string{"Mapping": "the mapping must send RoutingID"},
		},
		{"source syntax", func(r *Rule) { r.Mapping[2].Source = "concat(Phone" }, map[string]string{"Mapping/2/Source": "position"}},
		{
			"broken RoutingID is said once", func(r *Rule) { r.Mapping[0].Source = "concat(RoutingID" },
			map[string]string{"Mapping/0/Source": "position"},
		},
		{"empty target", func(r *Rule) { r.Mapping[1].Target = "" }, map[string]string{"Mapping/1/Target": "empty"}},
		{"empty source", func(r *Rule) { r.Mapping[1].Source = "" }, map[string]string{"Mapping/1/Source": "empty"}},
		{"target twice", func(r *Rule) { r.Mapping[3].Target = "tel" }, map[string]string{"Mapping/3/Target": "twice"}},
		{
			"everything at once", func(r *Rule) {
				r.Name, r.CustomerID, r.Settings, r.Condition, r.Mapping = "", 999, Settings{"X": 1}, "(", r.Mapping[1:2]
			},
			map[string]string{"Name": "", "CustomerID": "", "Settings/X": "", "Settings/URL": "", "Condition": "", "Mapping": ""},
		},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		for _, c := range cases {
			err := f.CreateRule(f.ctx, f.rule("https://example.com/leads", c.change))
			got := wrong(err)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(c.want)), slices.Sorted(maps.Keys(got))); diff != "" {
				t.Errorf("%s: targets (-want +got): %s\n%v", c.name, diff, got)
			}
			for target, message := range c.want {
				if !strings.Contains(got[target], message) {
					t.Errorf("%s: %s: %q lacks %q", c.name, target, got[target], message)
				}
			}
		}
		var n int64
		f.ok(db.Read(f.ctx).Model(&Rule{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d rules were stored", n)
		}
	})
}

func TestRuleLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		r := f.rule(crm.URL, nil)
		f.ok(f.CreateRule(f.ctx, r))
		is := func(state string, revision, tested, active int64) {
			t.Helper()
			*r = *f.reread(r.ID)
			got := fmt.Sprint(r.State, r.Revision, value(r.TestedRevision), value(r.ActiveRevision))
			if want := fmt.Sprint(state, revision, tested, active); got != want {
				t.Errorf("state, revision, tested, active: %s, want %s", got, want)
			}
		}
		conflict := func(err error) {
			t.Helper()
			if fault.CodeOf(err) != fault.Conflict {
				t.Errorf("%v, want a conflict", err)
			}
		}
		is(Draft, 1, 0, 0)
		if r.Priority != 100 || r.Version != 1 {
			t.Errorf("priority %d, version %d", r.Priority, r.Version)
		}
		conflict(f.Activate(f.ctx, r.ID))
		conflict(f.Pause(f.ctx, r.ID))
		test := func() {
			t.Helper()
			if result, err := f.Test(f.ctx, r.ID, nil); err != nil || !result.Succeeded {
				t.Fatalf("%+v, %v", result, err)
			}
		}
		test()
		is(Tested, 1, 1, 0)
		r.Priority, r.Name = 7, "Renamed"
		f.ok(f.UpdateRule(f.ctx, r))
		is(Tested, 1, 1, 0)
		r.Condition = "City eq 'Haifa'"
		f.ok(f.UpdateRule(f.ctx, r))
		is(Draft, 2, 1, 0)
		conflict(f.Activate(f.ctx, r.ID))
		test()
		f.ok(f.Activate(f.ctx, r.ID))
		is(Active, 2, 2, 2)
		r.Mapping = append(r.Mapping, MappingEntry{Target: "city", Source: "City"})
		f.ok(f.UpdateRule(f.ctx, r))
		is(Active, 3, 2, 2)
		conflict(f.Activate(f.ctx, r.ID))
		test()
		is(Active, 3, 3, 2)
		f.ok(f.Pause(f.ctx, r.ID))
		is(Paused, 3, 3, 2)
		f.ok(f.Activate(f.ctx, r.ID))
		is(Active, 3, 3, 3)
		f.ok(f.Pause(f.ctx, r.ID))
		f.ok(f.Activate(f.ctx, r.ID)) // the same revision again
		is(Active, 3, 3, 3)

		stale := *r
		stale.Version--
		if err := f.UpdateRule(f.ctx, &stale); fault.CodeOf(err) != fault.PreconditionFailed {
			t.Errorf("stale update: %v", err)
		}
		moved := *r
		moved.CustomerID = f.newCustomer("Other")
		if got := wrong(f.UpdateRule(f.ctx, &moved)); got["CustomerID"] == "" {
			t.Errorf("moved to another customer: %v", got)
		}
		lead := f.lead(nil)
		conflict(f.DeleteRule(f.ctx, r.ID))
		conflict(f.DeleteCustomer(f.ctx, f.customer))
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error { return tx.Exec("DELETE FROM routings WHERE lead_id = ?", lead.ID).Error }))
		f.ok(f.DeleteRule(f.ctx, r.ID))
		if err := f.DeleteRule(f.ctx, r.ID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("deleted twice: %v", err)
		}
	})
}

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func TestEditWhileActive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		before, after := newReceiver(t, nil), newReceiver(t, nil)
		rule := f.activated(before.URL, nil)
		f.run()
		rule.Settings = Settings{"URL": after.URL}
		rule.Condition = "City eq 'Eilat'"
		f.ok(f.UpdateRule(f.ctx, rule))
		r := f.becomes(f.lead(nil).ID, Delivered)
		if len(before.leads()) != 1 || len(after.leads()) != 0 || r.RuleRevision != 1 {
			t.Errorf("while edited: %d, %d, revision %d", len(before.leads()), len(after.leads()), r.RuleRevision)
		}
		f.activate(rule.ID)
		if l := f.lead(nil); l.State != leads.StateUnmatched {
			t.Errorf("the new condition does not hold: %s", l.State)
		}
		r = f.becomes(f.lead(func(l *leads.Lead) { l.City = text("Eilat") }).ID, Delivered)
		if len(before.leads()) != 1 || len(after.leads()) != 1 || r.RuleRevision != 2 {
			t.Errorf("after: %d, %d, revision %d", len(before.leads()), len(after.leads()), r.RuleRevision)
		}
	})
}

func TestTestResult(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		r := f.rule(crm.URL, func(r *Rule) {
			r.Mapping = append(r.Mapping, MappingEntry{Target: "budget", Source: "Budget", Required: true})
		})
		f.ok(f.CreateRule(f.ctx, r))
		result, err := f.Test(f.ctx, r.ID, nil)
		f.ok(err)
		if result.Succeeded || result.Error != "there is no value for the required field budget" || result.Request != "" {
			t.Errorf("%+v", result)
		}
		result, err = f.Test(f.ctx, r.ID, map[string]any{"Budget": 5000.0, "FirstName": "Dana", "LastName": nil, "UtmSource": nil})
		f.ok(err)
		if !result.Succeeded || result.StatusCode != 200 || !strings.Contains(result.Request, "X-Leadloop-Test: 1\n") ||
			!strings.Contains(result.Request, `"tel":"+972501234567","origin":"unknown","budget":5000}`) {
			t.Errorf("%+v", result)
		}
		_, err = f.Test(f.ctx, r.ID, map[string]any{"City": 7, "State": "routed", "Budget": 1})
		if got := wrong(err); got["Sample/City"] == "" || got["Sample/State"] == "" || len(got) != 2 {
			t.Errorf("wrong sample: %v", got)
		}
		if _, err = f.Test(f.ctx, 999, nil); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("unknown rule: %v", err)
		}

		crm.Close()
		r = f.reread(r.ID)
		r.Name = "Receiver down"
		f.ok(f.UpdateRule(f.ctx, r))
		result, err = f.Test(f.ctx, r.ID, map[string]any{"Budget": 1})
		f.ok(err)
		if result.Succeeded || result.StatusCode != 0 || !strings.Contains(result.Error, "connection refused") {
			t.Errorf("%+v", result)
		}
		if stored := f.reread(r.ID); stored.State != Tested || stored.Version != r.Version {
			t.Errorf("a failed test changed the rule: %+v", stored)
		}
		if n := len(f.rowsOfAttempts()); n != 0 {
			t.Errorf("tests left %d attempts", n)
		}
	})
}

func (f *fixture) rowsOfAttempts() []Attempt {
	f.Helper()
	var rows []Attempt
	f.ok(f.db.Read(f.ctx).Find(&rows).Error)
	return rows
}

func TestManagersOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		rule := f.activated(crm.URL, nil)
		routing := f.routing(f.lead(nil).ID)
		acts := map[string]func(*fixture) error{
			"CreateCustomer":  func(f *fixture) error { return f.CreateCustomer(f.ctx, &Customer{Name: "x"}) },
			"UpdateCustomer":  func(f *fixture) error { return f.UpdateCustomer(f.ctx, &Customer{ID: 1, Name: "x", Version: 1}) },
			"DeleteCustomer":  func(f *fixture) error { return f.DeleteCustomer(f.ctx, 1) },
			"CreateConnector": func(f *fixture) error { return f.CreateConnector(f.ctx, &Connector{}) },
			"UpdateConnector": func(f *fixture) error { return f.UpdateConnector(f.ctx, &Connector{ID: 1}) },
			"DeleteConnector": func(f *fixture) error { return f.DeleteConnector(f.ctx, 1) },
			"CreateRule":      func(f *fixture) error { return f.CreateRule(f.ctx, f.rule(crm.URL, nil)) },
			"UpdateRule":      func(f *fixture) error { return f.UpdateRule(f.ctx, rule) },
			"DeleteRule":      func(f *fixture) error { return f.DeleteRule(f.ctx, rule.ID) },
			"Test":            func(f *fixture) error { _, err := f.Test(f.ctx, rule.ID, nil); return err },
			"Activate":        func(f *fixture) error { return f.Activate(f.ctx, rule.ID) },
			"Pause":           func(f *fixture) error { return f.Pause(f.ctx, rule.ID) },
			"Resend":          func(f *fixture) error { return f.Resend(f.ctx, routing.ID) },
			"RouteLead":       func(f *fixture) error { return f.RouteLead(f.ctx, routing.LeadID) },
		}
		for actor, want := range map[store.ActorKind]fault.Code{
			store.Nobody: fault.Unauthorized, store.Machine: fault.Forbidden, store.Staff: fault.Forbidden,
		} {
			g := *f
			g.ctx = store.WithActor(f.ctx, store.Actor{Kind: actor, Role: store.Viewer})
			for name, act := range acts {
				if code := fault.CodeOf(act(&g)); code != want {
					t.Errorf("%s as actor %d: %s, want %s", name, actor, code, want)
				}
			}
		}
	})
}
