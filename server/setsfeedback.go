package server

import (
	"context"

	"leadloop/feedback"
	"leadloop/odata"
)

func (a *App) addFeedbackSets() {
	odata.Add(a.OData, odata.Set[feedback.Reason]{
		Name: "FeedbackReasons", Type: "FeedbackReason", New: feedback.NewReason, Languages: a.Feedback.Languages,
		Access: access{scopes: everyScope, expr: "Active eq true"}.predicate, Track: true, Keep: []string{"Active"},
		Create: a.Feedback.CreateReason, Update: a.Feedback.UpdateReason,
		Delete: func(ctx context.Context, r *feedback.Reason) error { return a.Feedback.DeleteReason(ctx, r.ID) },
	})
	odata.Add(a.OData, odata.Set[feedback.StatusMap]{
		Name: "StatusMaps", Access: access{scopes: everyScope, expr: "CustomerID eq @customer"}.predicate,
		Create: a.Feedback.CreateStatusMap, Update: a.Feedback.UpdateStatusMap,
		Delete: func(ctx context.Context, m *feedback.StatusMap) error { return a.Feedback.DeleteStatusMap(ctx, m.ID) },
	})
	odata.Add(a.OData, odata.Set[feedback.UnmappedStatus]{Name: "UnmappedStatuses", Access: access{}.predicate})
	odata.Add(a.OData, odata.Set[feedback.Pull]{
		Name: "Pulls", New: feedback.NewPull, Access: access{}.predicate,
		Create: a.Feedback.CreatePull, Update: a.Feedback.UpdatePull,
		Delete: func(ctx context.Context, p *feedback.Pull) error { return a.Feedback.DeletePull(ctx, p.ID) },
		Actions: []odata.Action{
			odata.Bound("Test", func(ctx context.Context, p *feedback.Pull, _ odata.None) (feedback.PullTest, error) {
				return a.Feedback.TestPull(ctx, p.ID)
			}).Outside(). // it waits for the customer's system
					Describe("Reads the first page and tells what would be reported. Nothing is stored."),
			odata.Bound("Run", a.pullAction(a.Feedback.RunPull)).Describe("Has the pull read now, and from then on at its interval."),
			odata.Bound("Activate", a.pullAction(a.Feedback.ActivatePull)),
			odata.Bound("Pause", a.pullAction(a.Feedback.PausePull)),
		},
	})
	odata.Add(a.OData, odata.Set[feedback.Feedback]{
		Name: "Feedback", Access: a.feedbackAccess,
		Track: true, Keep: []string{"Routing/CustomerID", "Routing/RuleID"},
		Create: a.Feedback.Report,
		Actions: []odata.Action{
			odata.Bound("DecideReturn", func(ctx context.Context, f *feedback.Feedback, p decision) (*feedback.Feedback, error) {
				if err := a.Feedback.DecideReturn(ctx, f.ID, p.Approve, p.Comment); err != nil {
					return nil, err
				}
				var now feedback.Feedback
				return &now, a.DB.Read(ctx).Where("id = ?", f.ID).Take(&now).Error
			}).Describe("Approves or declines the return that the report asks for. The customer sees the comment."),
		},
	})
	odata.AddActions(a.OData, odata.Unbound("SubmitFeedback", a.submitFeedback).
		Describe("Takes up to 1,000 reports. Each item has the properties of Feedback that a report may have; there is a result "+
			"for each, in their order, and those that are refused keep none of the others from being stored."))
}

// pullAction makes an action that gives the pull as it is afterwards.
func (a *App) pullAction(f func(ctx context.Context, id int64) error) func(context.Context, *feedback.Pull, odata.None) (*feedback.Pull, error) {
	return func(ctx context.Context, p *feedback.Pull, _ odata.None) (*feedback.Pull, error) {
		if err := f(ctx, p.ID); err != nil {
			return nil, err
		}
		var now feedback.Pull
		return &now, a.DB.Read(ctx).Take(&now, p.ID).Error
	}
}
