package server

import (
	"context"
	"strconv"
	"strings"
	"time"

	"leadloop/server/staff"

	"github.com/google/uuid"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/leads"
	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/server/activity"
	"leadloop/server/privacy"
	"leadloop/store"
)

// access is what callers may read of a set.
type access struct {
	// role is the least that staff need; Viewer unless set.
	role store.Role
	// viewer names properties that viewers do not see, as they are secrets.
	viewer []string
	// scopes are those that let a customer's connection read: one is enough, none
	// means never. It reads the entities that satisfy expr, in which @customer and
	// @connection are its own.
	scopes []string
	expr   string
	was    string // expr over what a change log keeps of the past, where it is another
	// hide names properties that customers do not see, as they tell of others or of
	// the house.
	hide []string
}

// predicate says what the caller in ctx may read.
func (a access) predicate(ctx context.Context) (odata.Predicate, error) {
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Machine {
		if err := store.Require(ctx, max(a.role, store.Viewer)); err != nil {
			return odata.All, err
		}
		if actor.Kind == store.Staff && actor.Role == store.Viewer {
			return odata.Predicate{Hide: a.viewer}, nil
		}
		return odata.All, nil
	}
	for _, scope := range a.scopes {
		if actor.Has(scope) {
			return odata.Predicate{
				Expr: a.expr,
				Was:  a.was,
				Args: map[string]any{"customer": actor.CustomerID, "connection": actor.ConnectionID},
				Hide: a.hide,
			}, nil
		}
	}
	if len(a.scopes) == 0 {
		return odata.All, fault.New(fault.Forbidden, "customers' connections cannot read this")
	}
	return odata.All, fault.Newf(fault.Forbidden, "this needs a connection with the scope %s", a.scopes[0])
}

// sight is a's predicate less what is named after rules that the caller must not
// see: rule leads to the ID of the rule.
func (a *App) sight(by access, rule string) func(ctx context.Context) (odata.Predicate, error) {
	return func(ctx context.Context) (odata.Predicate, error) {
		p, err := by.predicate(ctx)
		if err != nil || store.ActorOf(ctx).Kind != store.Staff {
			return p, err
		}
		hidden, err := a.Routing.Hidden(ctx)
		if err != nil || len(hidden) == 0 {
			return p, err
		}
		ids := make([]string, len(hidden))
		for i, id := range hidden {
			ids[i] = strconv.FormatInt(id, 10)
		}
		p.Expr = "not (" + rule + " in (" + strings.Join(ids, ",") + "))"
		p.Was = "false" // of what they saw and see no more, nothing is said
		return p, nil
	}
}

var everyScope = []string{keys.FeedbackWrite, keys.LeadsRead, keys.RoutingsRead, keys.ReasonsRead}

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

// savedViews says who sees which views: their own, and the shared ones.
func savedViews(ctx context.Context) (odata.Predicate, error) {
	p, err := access{}.predicate(ctx)
	if actor := store.ActorOf(ctx); err == nil && actor.Kind == store.Staff {
		p.Expr, p.Args = "Shared or UserID eq @user", map[string]any{"user": actor.UserID}
	}
	return p, err
}

func (a *App) addCustomerSets() {
	odata.Add(a.OData, odata.Set[routing.Customer]{
		Name: "Customers", Access: access{
			scopes: everyScope, expr: "ID eq @customer", hide: []string{"MaxConcurrent", "MaxPerMinute"},
		}.predicate,
		Search: []string{"Name"}, Track: true,
		Create: a.Routing.CreateCustomer, Update: a.Routing.UpdateCustomer,
		Delete: func(ctx context.Context, c *routing.Customer) error { return a.Routing.DeleteCustomer(ctx, c.ID) },
		Actions: []odata.Action{
			odata.Bound("SetStatusMap", func(ctx context.Context, c *routing.Customer, p statusParams) (feedback.Statuses, error) {
				return a.Feedback.SetStatusMap(ctx, c.ID, p.Map)
			}).Describe("Replaces what the customer's own status words stand for: each word with the ID of a reason, or its name in any language."),
		},
		Functions: []odata.Operation{
			odata.Bound("StatusMap", func(ctx context.Context, c *routing.Customer, _ odata.None) (feedback.Statuses, error) {
				return a.Feedback.StatusMap(ctx, c.ID)
			}).Describe("What the customer's own status words stand for: each word with the ID of a reason."),
			odata.Bound("IDFields", func(ctx context.Context, c *routing.Customer, _ odata.None) ([]string, error) {
				return a.Routing.IDFields(ctx, c.ID)
			}).Describe("The names of the fields in which the customer's active rules send the RoutingID."),
		},
	})
	odata.Add(a.OData, odata.Set[keys.Connection]{
		Name: "Connections", Access: access{scopes: everyScope, expr: "ID eq @connection"}.predicate,
		Create: a.Keys.CreateConnection, Update: a.Keys.UpdateConnection,
		Delete: func(ctx context.Context, c *keys.Connection) error { return a.Keys.DeleteConnection(ctx, c.ID) },
		Actions: []odata.Action{
			odata.Bound("IssueKey", func(ctx context.Context, c *keys.Connection, p issueParams) (keys.Issued, error) {
				return a.Keys.Issue(ctx, c.ID, keys.Terms{ExpiresAt: p.ExpiresAt, Scopes: p.Scopes})
			}).Describe("Gives the connection a key more, shown this once. It works until ExpiresAt, if that is given, and does " +
				"what both the connection's scopes and Scopes allow, if some are given."),
			odata.Bound("OfferGuide", func(ctx context.Context, c *keys.Connection, p offerParams) (keys.OfferedGuide, error) {
				return a.Keys.OfferGuide(ctx, c.ID, valueOf(p.Days))
			}).Describe("Makes a link by which the connection's guide is read without signing in, at /guide/Token, shown this once. It " +
				"works for so many Days, 30 unless given."),
		},
		Functions: []odata.Operation{
			odata.Bound("LastCall", func(ctx context.Context, c *keys.Connection, _ odata.None) (*keys.LastCall, error) {
				if err := store.Require(ctx, store.Viewer); err != nil {
					return nil, err
				}
				return a.Keys.LastCall(ctx, c.ID)
			}).Describe("What became of the last call with one of the connection's keys; nothing where there was none."),
		},
	})
	odata.Add(a.OData, odata.Set[keys.GuideLink]{
		Name: "GuideLinks", Access: access{}.predicate,
		Actions: []odata.Action{
			odata.Bound("Revoke", func(ctx context.Context, l *keys.GuideLink, _ odata.None) (odata.None, error) {
				return odata.None{}, a.Keys.RevokeGuide(ctx, l.ID)
			}),
		},
	})
	odata.Add(a.OData, odata.Set[keys.Key]{
		Name: "Keys", Access: access{}.predicate,
		Actions: []odata.Action{
			odata.Bound("Rotate", func(ctx context.Context, k *keys.Key, p rotation) (keys.Issued, error) {
				return a.Keys.Rotate(ctx, k.ID, p.or(24))
			}).Describe("Gives a new key of the same scopes in place of this one, which works for OverlapHours more, 24 unless given."),
			odata.Bound("Revoke", func(ctx context.Context, k *keys.Key, _ odata.None) (odata.None, error) {
				return odata.None{}, a.Keys.Revoke(ctx, k.ID)
			}),
		},
	})
}

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

// statusParams are the parameters of Customers(ID)/SetStatusMap.
type statusParams struct {
	Map feedback.Statuses
}

// issueParams are the parameters of Connections(ID)/IssueKey.
type issueParams struct {
	ExpiresAt *time.Time
	Scopes    []string
}

// offerParams are the parameters of Connections(ID)/OfferGuide.
type offerParams struct {
	Days *int
}

// leadAccess is what callers may read of Leads: customers, those given to them.
func (a *App) leadAccess(ctx context.Context) (odata.Predicate, error) {
	p, err := access{
		scopes: []string{keys.LeadsRead}, expr: "Routings/any(r:r/CustomerID eq @customer)", was: "CustomerID eq @customer",
		// Version, and the ETag with it, rises with other customers' feedback.
		hide: []string{"ReasonID", "FeedbackAt", "DuplicateOfID", "Version"},
	}.predicate(ctx)
	actor := store.ActorOf(ctx)
	if err != nil || actor.Kind != store.Machine {
		return p, err
	}
	wide, err := a.Routing.Wide(ctx, actor.CustomerID)
	if wide {
		// The same, but said of each lead by itself: no list is made of all that are the customer's.
		p.Expr = "Routings/any(r:r/CustomerID eq @customer and r/LeadID eq ID)"
	}
	return p, err
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

// previewParams are the parameters of Rules(ID)/Preview: one of the two, or none
// for the built-in sample.
type previewParams struct {
	Sample Sample
	Last   *int
}

// valueOf is what p points to, zero if nothing.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
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
	mine := []string{keys.FeedbackWrite, keys.RoutingsRead}
	odata.Add(a.OData, odata.Set[feedback.Feedback]{
		Name: "Feedback", Access: a.sight(access{scopes: mine, expr: "Routing/CustomerID eq @customer", was: "CustomerID eq @customer"}, "Routing/RuleID"),
		Track: true, Keep: []string{"Routing/CustomerID"},
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

// connectionID reads a ConnectionID; nil if it is none.
func connectionID(text string) *uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return nil
	}
	return &id
}
