package server

import (
	"context"

	"leadloop/keys"
	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/routing"
)

// previewParams are the parameters of Rules(ID)/Preview: one of the two, or none
// for the built-in sample.
type previewParams struct {
	Sample Sample
	Last   *int
}

// ruleParams are the parameters of Rules(ID)/Test.
type ruleParams struct {
	Sample Sample
	// Dry shows what would be sent and sends nothing; by Mapping, if there is one.
	Dry     *bool
	Mapping []routing.MappingEntry
}

// Sample is a lead to test with: values by property name.
type Sample map[string]any

func (a *App) addRoutingSets() {
	odata.Add(a.OData, odata.Set[routing.Connector]{
		Name: "Connectors", Access: access{}.predicate,
		Create: a.Routing.CreateConnector, Update: a.Routing.UpdateConnector,
		Delete: func(ctx context.Context, c *routing.Connector) error { return a.Routing.DeleteConnector(ctx, c.ID) },
	})
	odata.Add(a.OData, odata.Set[routing.Rule]{
		Name: "Rules", Access: a.sight(access{}, "ID"),
		Create: a.Routing.CreateRule, Update: a.Routing.UpdateRule,
		Delete: func(ctx context.Context, r *routing.Rule) error { return a.Routing.DeleteRule(ctx, r.ID) },
		Actions: []odata.Action{
			odata.Bound("Test", func(ctx context.Context, r *routing.Rule, p ruleParams) (routing.TestResult, error) {
				return a.Routing.Try(ctx, r.ID, routing.Trial{Sample: p.Sample, Dry: p.Dry != nil && *p.Dry, Mapping: p.Mapping})
			}).Outside(), // it waits for the customer's system
			odata.Bound("Preview", a.previewRule).Outside(). // it may take a second, which no other change should wait for
										Describe("What the rule as it is now would do, before it is active: with one lead, or with the last of those that came in."),
			odata.Bound("Activate", a.ruleAction(a.Routing.Activate)),
			odata.Bound("Pause", a.ruleAction(a.Routing.Pause)),
			odata.Bound("CloseBreaker", a.ruleAction(a.Routing.CloseBreaker)).
				Describe("Has the rule's routings sent as they come again, where its circuit breaker keeps them waiting."),
		},
		Functions: []odata.Operation{
			odata.Bound("Usage", func(ctx context.Context, r *routing.Rule, _ odata.None) (*routing.Usage, error) {
				return a.Routing.Usage(ctx, r.ID)
			}).Describe("How much of its caps the rule has used, and when it last delivered a lead."),
		},
	})
	odata.AddActions(a.OData, odata.Unbound("PreviewDraft", a.previewDraft).Outside().
		Describe("What Preview would say of a rule that is not stored, or not stored so; with RuleID, in the place of that rule. "+
			"It need not be whole: what is wrong of its Mapping is left out, and Settings that it lacks are made up."))
	odata.Add(a.OData, odata.Set[routing.RuleViewer]{
		Name: "RuleViewers", Access: a.sight(access{}, "RuleID"), Create: a.Routing.AddViewer,
		Delete: func(ctx context.Context, v *routing.RuleViewer) error { return a.Routing.RemoveViewer(ctx, v.ID) },
	})
	mine := []string{keys.RoutingsRead, keys.LeadsRead}
	odata.Add(a.OData, odata.Set[routing.Routing]{
		Name: "Routings",
		Access: a.sight(access{
			scopes: mine, expr: "CustomerID eq @customer",
			// The rule, and how the queue fares, are the house's own.
			hide: []string{"RuleID", "RuleRevision", "AttemptCount", "NextAttemptAt", "Error"},
		}, "RuleID"),
		Track: true, Keep: []string{"CustomerID"},
		Actions: []odata.Action{
			odata.Bound("Resend", func(ctx context.Context, r *routing.Routing, _ odata.None) (*routing.Routing, error) {
				if err := a.Routing.Resend(ctx, r.ID); err != nil {
					return nil, err
				}
				return a.Routing.Find(a.DB.Read(ctx), r.ID, 0)
			}),
		},
	})
	odata.Add(a.OData, odata.Set[routing.Onward]{
		Name: "Onwards", Access: a.sight(access{}, "Routing/RuleID"),
		Actions: []odata.Action{
			odata.Bound("Resend", func(ctx context.Context, o *routing.Onward, _ odata.None) (*routing.Onward, error) {
				if err := a.Routing.ResendOnward(ctx, o.ID); err != nil {
					return nil, err
				}
				var now routing.Onward
				return &now, a.DB.Read(ctx).Where("id = ?", o.ID).Take(&now).Error
			}).Describe("Sends the outcome again, with the same webhook-id."),
		},
	})
	odata.Add(a.OData, odata.Set[routing.Attempt]{Name: "Attempts", Access: a.sight(access{}, "Routing/RuleID")})
	odata.Add(a.OData, odata.Set[routing.Notice]{Name: "Notices", Access: a.sight(access{}, "RuleID")})
	a.addResends()
}

// resendParams are the parameters of ResendRoutings.
type resendParams struct {
	Filter    string
	Max       *int64
	Delivered *bool
}

func (a *App) addResends() {
	odata.Add(a.OData, odata.Set[routing.Resend]{
		Name: "Resends", Access: access{}.predicate,
		Actions: []odata.Action{
			odata.Bound("Cancel", func(ctx context.Context, r *routing.Resend, _ odata.None) (*routing.Resend, error) {
				if err := a.Routing.CancelResend(ctx, r.ID); err != nil {
					return nil, err
				}
				var now routing.Resend
				return &now, a.DB.Read(ctx).Take(&now, r.ID).Error
			}),
		},
	})
	odata.AddActions(a.OData, odata.Unbound("ResendRoutings", func(ctx context.Context, p resendParams) (*routing.Resend, error) {
		return a.Routing.ResendRoutings(ctx, p.Filter, p.Max, p.Delivered != nil && *p.Delivered)
	}).Describe("Puts the routings that were rejected, given up or parked, and for which Filter is true, into the queue again. "+
		"The Resend it gives tells how far that is."))
}

func (a *App) previewRule(ctx context.Context, r *routing.Rule, p previewParams) (*routing.Preview, error) {
	switch {
	case p.Last == nil:
		return a.Routing.PreviewSample(ctx, r.ID, p.Sample)
	case p.Sample != nil:
		return nil, fault.New(fault.Invalid, "Sample and Last do not go together").At("Last")
	}
	return a.Routing.PreviewLast(ctx, r.ID, *p.Last)
}

// draftParams are the parameters of PreviewDraft: what matters of a Rule, and
// those of Preview.
type draftParams struct {
	RuleID      *int64
	CustomerID  int64
	ConnectorID int64
	Settings    routing.Settings
	Condition   *string
	Mapping     []routing.MappingEntry
	Priority    *int
	Rotation    *string
	Weight      *int
	CapDay      *int
	CapWeek     *int
	CapMonth    *int
	CapTotal    *int
	TimeZone    *string
	Schedule    []routing.Window
	IsDefault   *bool
	Sample      Sample
	Last        *int
}

func (a *App) previewDraft(ctx context.Context, p draftParams) (*routing.Preview, error) {
	if p.Sample != nil && p.Last != nil {
		return nil, fault.New(fault.Invalid, "Sample and Last do not go together").At("Last")
	}
	if p.Last != nil && *p.Last == 0 {
		return nil, fault.New(fault.Invalid, "Last must be from 1 to 1000").At("Last")
	}
	r := &routing.Rule{
		ID: valueOf(p.RuleID), CustomerID: p.CustomerID, ConnectorID: p.ConnectorID, Settings: p.Settings,
		Condition: valueOf(p.Condition), Mapping: p.Mapping, Priority: valueOf(p.Priority), Rotation: valueOf(p.Rotation), Weight: valueOf(p.Weight),
		CapDay: p.CapDay, CapWeek: p.CapWeek, CapMonth: p.CapMonth, CapTotal: p.CapTotal,
		TimeZone: valueOf(p.TimeZone), Schedule: p.Schedule, IsDefault: valueOf(p.IsDefault),
	}
	return a.Routing.PreviewDraft(ctx, r, valueOf(p.Last), p.Sample)
}

// ruleAction makes an action that gives the rule as it is afterwards.
func (a *App) ruleAction(f func(ctx context.Context, id int64) error) func(context.Context, *routing.Rule, odata.None) (*routing.Rule, error) {
	return func(ctx context.Context, r *routing.Rule, _ odata.None) (*routing.Rule, error) {
		if err := f(ctx, r.ID); err != nil {
			return nil, err
		}
		var now routing.Rule
		return &now, a.DB.Read(ctx).Take(&now, r.ID).Error
	}
}
