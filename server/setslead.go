package server

import (
	"context"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata"
	"leadloop/routing"
	"leadloop/server/privacy"
	"leadloop/store"
)

func (a *App) addLeadSets() {
	odata.Add(a.OData, odata.Set[leads.Source]{
		Name: "Sources", New: leads.NewSource, Access: access{viewer: []string{"Token"}}.predicate,
		Create: a.Leads.CreateSource, Update: a.Leads.UpdateSource,
		Delete: func(ctx context.Context, s *leads.Source) error { return a.Leads.DeleteSource(ctx, s.ID) },
		Actions: []odata.Action{
			odata.Bound("RotateToken", func(ctx context.Context, s *leads.Source, p rotation) (*leads.Source, error) {
				return a.Leads.RotateToken(ctx, s.ID, p.or(0))
			}).Describe("Gives the source a new intake token. The old one works for OverlapHours more, 0 unless given."),
			odata.Bound("SendTestLead", func(ctx context.Context, s *leads.Source, p testLeadParams) (*leads.Lead, error) {
				return a.Leads.SendTest(ctx, s.ID, p.Fields)
			}).Describe("Takes a lead with these fields in as if it had come by the source's address, as a test that goes to no customer. " +
				"Explain tells where it would go."),
			odata.Bound("TestOnward", func(ctx context.Context, s *leads.Source, p onwardParams) (routing.TestResult, error) {
				return a.Routing.TestOnward(ctx, s.ID, routing.OnwardTrial{Sample: p.Sample, Feedback: p.Feedback, Dry: p.Dry != nil && *p.Dry})
			}).Outside(). // it waits for the other system
					Describe("Sends a made-up outcome of a made-up lead to where the source's outcomes go. With Dry it shows the request and sends nothing."),
		},
		Functions: []odata.Operation{
			odata.Bound("IntakeToken", func(ctx context.Context, s *leads.Source, _ odata.None) (string, error) {
				return a.Leads.IntakeToken(ctx, s.ID)
			}).Describe("The token of the source in clear: its intake address is /intake/ and the token."),
			odata.Bound("LastDelivery", func(ctx context.Context, s *leads.Source, _ odata.None) (*leads.Received, error) {
				return a.Leads.LastReceived(ctx, s.ID)
			}).Describe("The newest delivery of the source that became a lead: its body as it came, and the fields that a mapping can name."),
		},
	})
	odata.AddFunctions(a.OData, odata.Unbound("SourceKinds", func(ctx context.Context, _ odata.None) ([]leads.Kind, error) {
		return leads.Kinds(), store.Require(ctx, store.Viewer)
	}).Describe("The kinds of sources, with the settings that each has."))
	odata.Add(a.OData, odata.Set[leads.Rejection]{Name: "Rejections", Access: access{}.predicate})
	odata.Add(a.OData, odata.Set[leads.Lead]{
		Name:   "Leads",
		Access: a.leadAccess,
		Search: []string{"FirstName", "LastName", "Email", "City", "ExternalID", "Phone", "PhoneRaw"},
		Create: a.Leads.CreateLead, Update: a.Leads.UpdateLead,
		Track: true, Keep: []string{"Routings/CustomerID"},
		Functions: []odata.Operation{
			odata.Bound("Explain", func(ctx context.Context, l *leads.Lead, p explainParams) (*routing.Explanation, error) {
				return a.Routing.Explain(ctx, l.ID, valueOf(p.RuleID))
			}).Describe("Why the lead went where it went: every decision about it, with the verdict on each rule, or on the one given."),
			odata.Bound("Payload", func(ctx context.Context, l *leads.Lead, _ odata.None) (*leads.Incoming, error) {
				return a.Leads.Payload(ctx, l.ID)
			}).Describe("The delivery that the lead came in, as it was but for the sender's secret."),
		},
		Actions: []odata.Action{
			odata.Bound("Route", func(ctx context.Context, l *leads.Lead, _ odata.None) (*leads.Lead, error) {
				if err := a.Routing.RouteLead(ctx, l.ID); err != nil {
					return nil, err
				}
				return a.lead(ctx, l.ID)
			}),
			odata.Bound("Erase", func(ctx context.Context, l *leads.Lead, _ odata.None) (*leads.Lead, error) {
				if err := a.Privacy.Erase(ctx, l.ID); err != nil {
					return nil, err
				}
				return a.lead(ctx, l.ID)
			}).Describe("Empties the lead's personal properties for good, with the delivery it came in and the bodies of the exchanges about it."),
		},
	})
	odata.AddActions(a.OData, odata.Unbound("ExportPerson", func(ctx context.Context, p personParams) (*privacy.Held, error) {
		return a.Privacy.Export(ctx, leads.Person{Phone: valueOf(p.Phone), Email: valueOf(p.Email)})
	}).Describe("All that is held about a person, by Phone, Email or both, of which one is enough."))
}

// personParams are the parameters of ExportPerson.
type personParams struct {
	Phone, Email *string
}

// testLeadParams are the parameters of Sources(ID)/SendTestLead.
type testLeadParams struct {
	Fields Sample
}

// lead is the lead as it is now.
func (a *App) lead(ctx context.Context, id uuid.UUID) (*leads.Lead, error) {
	var now leads.Lead
	return &now, a.DB.Read(ctx).Where("id = ?", id).Take(&now).Error
}

// onwardParams are the parameters of Sources(ID)/TestOnward.
type onwardParams struct {
	Sample   Sample
	Feedback *routing.OutcomeSample
	Dry      *bool
}

// explainParams are the parameters of Leads(ID)/Explain.
type explainParams struct {
	RuleID *int64
}
