package routing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// person makes a user, and gives what acts for them.
func (f *fixture) person(email string, role store.Role) (context.Context, int64) {
	f.Helper()
	var id int64
	f.ok(f.db.Write(f.ctx, func(tx *gorm.DB) error {
		return tx.Raw("INSERT INTO users (email, role, created_at) VALUES (?, ?, ?) RETURNING id", email, role.String(), store.Now()).Row().Scan(&id)
	}))
	return store.WithActor(context.Background(), store.Actor{Kind: store.Staff, Role: role, UserID: id}), id
}

func (f *fixture) write(sql string, args ...any) {
	f.Helper()
	f.ok(f.db.Write(f.ctx, func(tx *gorm.DB) error { return tx.Exec(sql, args...).Error }))
}

func TestHidden(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		admin, _ := f.person("admin@example.com", store.Admin)
		dana, danaID := f.person("dana@example.com", store.Manager)
		noa, noaID := f.person("noa@example.com", store.Viewer)
		f.write("INSERT INTO groups (id, name, created_at) VALUES (7, 'North', ?)", store.Now())
		f.write("INSERT INTO group_members (group_id, user_id) VALUES (7, ?)", noaID)
		make := func(by context.Context, change func(*Rule)) int64 {
			t.Helper()
			r := f.rule("https://crm.example/", change)
			f.ok(f.CreateRule(by, r))
			return r.ID
		}
		open := make(admin, nil)
		byGroup := make(admin, func(r *Rule) { r.Visibility = VisibleToChosen })
		f.ok(f.AddViewer(admin, &RuleViewer{RuleID: byGroup, GroupID: new(int64(7))}))
		byName := make(admin, func(r *Rule) { r.Visibility = VisibleToChosen })
		viewer := &RuleViewer{RuleID: byName, UserID: &danaID}
		f.ok(f.AddViewer(admin, viewer))
		owned := make(admin, func(r *Rule) { r.Visibility, r.OwnerID = VisibleToChosen, &noaID })
		made := make(dana, func(r *Rule) { r.Visibility = VisibleToChosen }) // who makes one sees it
		nobodys := make(admin, func(r *Rule) { r.Visibility = VisibleToChosen })
		all := []int64{open, byGroup, byName, owned, made, nobodys}
		sees := func(who string, ctx context.Context, want ...int64) {
			t.Helper()
			hidden, err := f.Hidden(ctx)
			f.ok(err)
			if got := slices.DeleteFunc(slices.Clone(all), func(id int64) bool { return slices.Contains(hidden, id) }); !slices.Equal(got, want) {
				t.Errorf("%s sees %v, want %v", who, got, want)
			}
		}
		sees("an admin", admin, all...)
		sees("the program", context.Background(), all...)
		sees("dana", dana, open, byName, made)
		sees("noa", noa, open, byGroup, owned)

		f.write("DELETE FROM group_members")
		sees("noa, out of the group", noa, open, owned)
		f.ok(f.RemoveViewer(dana, viewer.ID))
		sees("dana, no longer chosen", dana, open, made)
		r := f.reread(open)
		r.Visibility = VisibleToChosen
		f.ok(f.UpdateRule(dana, r)) // who hides one from the others still sees it
		sees("dana, having hidden one", dana, open, made)
		sees("noa, after that", noa, owned)
		r.Visibility = VisibleToAll
		f.ok(f.UpdateRule(dana, r))
		sees("noa, when it is back", noa, open, owned)

		for name, tt := range map[string]struct {
			viewer RuleViewer
			code   fault.Code
			target string
		}{
			"nobody":             {RuleViewer{RuleID: open}, fault.Invalid, "UserID"},
			"both":               {RuleViewer{RuleID: open, UserID: &noaID, GroupID: new(int64(7))}, fault.Invalid, "UserID"},
			"no such user":       {RuleViewer{RuleID: open, UserID: new(int64(999))}, fault.Invalid, "UserID"},
			"no such group":      {RuleViewer{RuleID: open, GroupID: new(int64(999))}, fault.Invalid, "GroupID"},
			"no such rule":       {RuleViewer{RuleID: 999, UserID: &noaID}, fault.Invalid, "RuleID"},
			"a rule that hides":  {RuleViewer{RuleID: nobodys, UserID: &danaID}, fault.Invalid, "RuleID"},
			"who is there twice": {RuleViewer{RuleID: made, UserID: &danaID}, fault.Conflict, ""},
		} {
			t.Run(name, func(t *testing.T) {
				err := f.AddViewer(dana, &tt.viewer)
				e, ok := err.(*fault.Error)
				if !ok || e.Code != tt.code || e.Target != tt.target {
					t.Errorf("%v, want %s at %q", err, tt.code, tt.target)
				}
			})
		}
		if err := f.AddViewer(noa, &RuleViewer{RuleID: open, UserID: &noaID}); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("by a viewer: %v", err)
		}
	})
}

// What is done with a hidden rule is answered as if it were not there.
func TestHiddenRulesAreNotThere(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		admin, _ := f.person("admin@example.com", store.Admin)
		dana, _ := f.person("dana@example.com", store.Manager)
		r := f.rule("https://crm.example/", func(r *Rule) { r.Visibility = VisibleToChosen })
		f.ok(f.CreateRule(admin, r))
		v := &RuleViewer{RuleID: r.ID, GroupID: nil, UserID: new(int64)}
		_, *v.UserID = f.person("noa@example.com", store.Viewer)
		f.ok(f.AddViewer(admin, v))
		before := f.reread(r.ID)
		for name, do := range map[string]func(rule, viewer int64) error{
			"update":        func(id, _ int64) error { c := *before; c.ID, c.Name = id, "x"; return f.UpdateRule(dana, &c) },
			"delete":        func(id, _ int64) error { return f.DeleteRule(dana, id) },
			"test":          func(id, _ int64) error { _, err := f.Test(dana, id, nil); return err },
			"dry test":      func(id, _ int64) error { _, err := f.Try(dana, id, Trial{Dry: true}); return err },
			"activate":      func(id, _ int64) error { return f.Activate(dana, id) },
			"pause":         func(id, _ int64) error { return f.Pause(dana, id) },
			"preview":       func(id, _ int64) error { _, err := f.PreviewSample(dana, id, nil); return err },
			"preview last":  func(id, _ int64) error { _, err := f.PreviewLast(dana, id, 5); return err },
			"remove viewer": func(_, id int64) error { return f.RemoveViewer(dana, id) },
		} {
			hidden, missing := do(r.ID, v.ID), do(987654, 987654)
			if fault.CodeOf(hidden) != fault.NotFound || missing == nil {
				t.Errorf("%s: %v, and of a missing rule %v", name, hidden, missing)
				continue
			}
			asHidden := strings.NewReplacer(fmt.Sprint(r.ID), "#", fmt.Sprint(v.ID), "#").Replace(hidden.Error())
			if asMissing := strings.ReplaceAll(missing.Error(), "987654", "#"); asHidden != asMissing {
				t.Errorf("%s: %q, of a missing rule %q", name, asHidden, asMissing)
			}
		}
		if after := f.reread(r.ID); after.Version != before.Version {
			t.Error("the rule was changed")
		}
	})
}

// Explain, Preview and the sending again of many leave hidden rules out.
func TestHiddenRulesAreNotNamed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		admin, _ := f.person("admin@example.com", store.Admin)
		dana, danaID := f.person("dana@example.com", store.Manager)
		to := newReceiver(t, nil).URL
		f.ctx = admin
		hidden := f.activated(to, func(r *Rule) { r.Name, r.Visibility, r.Priority = "Secret plans", VisibleToChosen, 1 })
		other := f.newCustomer("Other")
		open := f.activated(to, func(r *Rule) { r.Name, r.CustomerID = "Open", other })
		l := f.lead(nil) // one place, which the hidden rule has
		source := &leads.Source{Name: "x", Kind: leads.KindJSON, Enabled: true, MaxRoutings: 0}
		f.ok(f.leads.CreateSource(admin, source))
		both := f.lead(func(l *leads.Lead) { l.SourceID = &source.ID })

		for _, lead := range []*leads.Lead{l, both} {
			for _, only := range []int64{0, hidden.ID, open.ID} {
				e, err := f.Explain(dana, lead.ID, only)
				f.ok(err)
				text := fmt.Sprintf("%+v", e)
				if strings.Contains(text, "Secret") {
					t.Errorf("explained by %d: %s", only, text)
				}
				d := e.Decisions[0]
				if d.Rules != 1 || d.Held != 1 || only != hidden.ID && (len(d.Verdicts) != 1 || d.Verdicts[0].RuleID != open.ID || d.Verdicts[0].ByRuleID != nil) {
					t.Errorf("explained by %d: %+v", only, d)
				}
			}
			if e, err := f.Explain(admin, lead.ID, 0); err != nil || e.Decisions[0].Rules != 2 || len(e.Decisions[0].Verdicts) != 2 {
				t.Errorf("to an admin: %+v, %v", e, err)
			}
		}
		if e, err := f.Explain(dana, l.ID, 0); err != nil || !strings.HasPrefix(e.Decisions[0].Verdicts[0].Reason, "lost to another rule of priority 1") {
			t.Errorf("%+v, %v", e, err)
		}

		p, err := f.PreviewLast(dana, open.ID, 10)
		f.ok(err)
		if text := fmt.Sprintf("%+v", p); strings.Contains(text, "Secret") || len(p.Rivals) != 0 || len(p.Examples[0].Rivals) != 0 {
			t.Errorf("preview: %s", text)
		}

		theirs := f.routings(l.ID)[0]
		f.write("UPDATE routings SET state = 'failed', next_attempt_at = NULL")
		if err := f.Resend(dana, theirs.ID); fault.CodeOf(err) != fault.NotFound || err.Error() != "RoutingID: no routing "+theirs.ID.String() {
			t.Errorf("sent again: %v", err)
		}
		resend, err := f.ResendRoutings(dana, "true", nil, false)
		f.ok(err)
		if resend.Found != 1 || resend.UserID == nil || *resend.UserID != danaID {
			t.Errorf("%+v", resend)
		}
		defer f.run()()
		f.eventually("it is done", func() bool {
			var now Resend
			f.ok(db.Read(admin).Take(&now, resend.ID).Error)
			return now.State == ResendDone && now.Resent == 1
		})
		if r := f.routings(l.ID)[0]; r.State != Failed {
			t.Errorf("the routing by the hidden rule is %s", r.State)
		}
	})
}
