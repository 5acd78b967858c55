package server

import (
	"context"
	"time"

	"leadloop/server/staff"

	"leadloop/odata"
	"leadloop/server/activity"
	"leadloop/store"
)

// addSets declares the entity sets: what is in them, who may read it, and what
// carries out changes. The functions named check the caller's role themselves.
func (a *App) addSets() {
	a.addCustomerSets()
	a.addLeadSets()
	a.addRoutingSets()
	a.addFeedbackSets()
	odata.Add(a.OData, odata.Set[store.AuditEvent]{Name: "AuditEvents", Access: access{role: store.Admin}.predicate})
	a.addStaffSets()
	a.addSystem()
	odata.Add(a.OData, odata.Set[activity.Activity]{Name: "Activity", Type: "Activity", Access: a.sight(access{}, "RuleID")})
	odata.AddFunctions(a.OData, odata.Unbound("ActivitySince", a.activitySince).
		Describe("The sums of Activity from an hour on: by the hour, and by reason of each source and customer."))
}

// sinceParams are the parameters of ActivitySince: from when on, 30 days ago unless
// given.
type sinceParams struct {
	Since *time.Time
}

func (a *App) activitySince(ctx context.Context, p sinceParams) (*activity.Tally, error) {
	hidden, err := a.Routing.Hidden(ctx)
	if err != nil {
		return nil, err
	}
	since := store.Now().Add(-30 * 24 * time.Hour).Truncate(time.Hour)
	if p.Since != nil {
		since = *p.Since
	}
	return a.Activity.Since(ctx, since, hidden)
}

func (a *App) addStaffSets() {
	odata.Add(a.OData, odata.Set[staff.User]{
		Name: "Users", New: staff.NewUser, Access: access{role: store.Admin}.predicate,
		Outside: true, // passwords are hashed slowly
		Create:  a.Staff.CreateUser, Update: a.Staff.UpdateUser,
		Delete: func(ctx context.Context, u *staff.User) error { return a.Staff.DeleteUser(ctx, u.ID) },
	})
	// Who may show a rule to a group sees which there are.
	odata.Add(a.OData, odata.Set[staff.Group]{
		Name: "Groups", Access: access{role: store.Manager}.predicate,
		Create: a.Staff.CreateGroup, Update: a.Staff.UpdateGroup,
		Delete: func(ctx context.Context, g *staff.Group) error { return a.Staff.DeleteGroup(ctx, g.ID) },
	})
	odata.AddFunctions(a.OData, odata.Unbound("Colleagues", func(ctx context.Context, _ odata.None) ([]staff.Colleague, error) {
		return a.Staff.Colleagues(ctx)
	}).Describe("The staff by name, to choose an owner of a rule or who sees it."))
	odata.Add(a.OData, odata.Set[staff.SavedView]{
		Name: "SavedViews", Access: savedViews, Create: a.Staff.CreateView, Update: a.Staff.UpdateView,
		Delete: func(ctx context.Context, v *staff.SavedView) error { return a.Staff.DeleteView(ctx, v.ID) },
	})
	odata.Add(a.OData, odata.Set[staff.GroupMember]{
		Name: "GroupMembers", Access: access{role: store.Admin}.predicate, Create: a.Staff.AddMember,
		Delete: func(ctx context.Context, m *staff.GroupMember) error {
			return a.Staff.RemoveMember(ctx, m.GroupID, m.UserID)
		},
	})
}

// rotation are the parameters of Sources(ID)/RotateToken and Keys(ID)/Rotate.
type rotation struct {
	OverlapHours *int
}

// or is the overlap, of so many hours unless it is given.
func (r rotation) or(hours int) time.Duration {
	if r.OverlapHours != nil {
		hours = min(max(*r.OverlapHours, -1), 1e6) // more would be no duration; it is refused all the same
	}
	return time.Duration(hours) * time.Hour
}

// valueOf is what p points to, zero if nothing.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
