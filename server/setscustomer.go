package server

import (
	"context"
	"time"

	"github.com/google/uuid"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/odata"
	"leadloop/routing"
	"leadloop/store"
)

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

// connectionID reads a ConnectionID; nil if it is none.
func connectionID(text string) *uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil {
		return nil
	}
	return &id
}
