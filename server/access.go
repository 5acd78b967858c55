package server

import (
	"context"
	"strconv"
	"strings"

	"leadloop/keys"
	"leadloop/odata"
	"leadloop/odata/fault"
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
			return odata.Predicate{Hide: a.viewer, ReadOnly: true}, nil
		}
		return odata.All, nil
	}
	for _, scope := range a.scopes {
		if actor.Has(scope) {
			return odata.Predicate{
				Expr:     a.expr,
				Was:      a.was,
				Args:     map[string]any{"customer": actor.CustomerID, "connection": actor.ConnectionID},
				Hide:     a.hide,
				ReadOnly: true, // they report, which is no change
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

// savedViews says who sees which views: their own, and the shared ones.
func savedViews(ctx context.Context) (odata.Predicate, error) {
	p, err := access{}.predicate(ctx)
	if actor := store.ActorOf(ctx); err == nil && actor.Kind == store.Staff {
		p.Expr, p.Args, p.ReadOnly = "Shared or UserID eq @user", map[string]any{"user": actor.UserID}, false
	}
	return p, err
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

// feedbackAccess is what callers may read of Feedback: customers, that on what was
// given to them.
func (a *App) feedbackAccess(ctx context.Context) (odata.Predicate, error) {
	p, err := a.sight(access{
		scopes: []string{keys.FeedbackWrite, keys.RoutingsRead}, expr: "Routing/CustomerID eq @customer", was: "CustomerID eq @customer",
	}, "Routing/RuleID")(ctx)
	actor := store.ActorOf(ctx)
	if err != nil || actor.Kind != store.Machine {
		return p, err
	}
	wide, err := a.Routing.Wide(ctx, actor.CustomerID)
	if wide {
		// The same, but by no index of routings: SQLite goes through the reports in the
		// order that is asked for, and does not begin with all that the customer ever got.
		p.Expr = "Routing/CustomerID add 0 eq @customer"
	}
	return p, err
}
