package routing

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/keys"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
)

// facts are what a mapping's sources may use besides the lead.
type facts struct {
	id           uuid.UUID // the webhook-id
	routingID    uuid.UUID
	feedbackURL  string
	connectionID *uuid.UUID // the customer's connection that may report feedback
	customerName string
	knownID      string // the far id that the look-up found
	onward       *told  // the outcome, where one is sent onward
}

// factVars are the facts as variables of expressions.
var factVars = []eval.Var{
	{Name: "RoutingID", Type: edm.Guid},
	{Name: "FeedbackURL", Type: edm.String},
	{Name: "ConnectionID", Type: edm.Guid},
	{Name: "CustomerName", Type: edm.String},
	{Name: "KnownID", Type: edm.String},
}

// vars are the facts' values; what is empty is null.
func (f facts) vars() map[string]any {
	vars := map[string]any{"RoutingID": f.routingID}
	for _, v := range [...]field[string]{{"FeedbackURL", f.feedbackURL}, {"CustomerName", f.customerName}, {"KnownID", f.knownID}} {
		if v.value != "" {
			vars[v.name] = v.value
		}
	}
	if f.connectionID != nil {
		vars["ConnectionID"] = *f.connectionID
	}
	if f.onward != nil {
		f.onward.add(vars)
	}
	return vars
}

// facts gathers those facts of a delivery that m uses.
func (s *Service) facts(ctx context.Context, m mapping, d delivery) (facts, error) {
	f := facts{id: d.id, routingID: d.routingID, onward: d.onward}
	if d.onward != nil {
		return f, nil
	}
	customerID := d.customerID
	if s.publicURL != "" {
		f.feedbackURL = s.publicURL + "/odata/Feedback"
	}
	if m.uses("CustomerName") {
		customer, err := load[Customer](s.db.Read(ctx), "customer", customerID)
		if err != nil {
			return f, err
		}
		f.customerName = customer.Name
	}
	if m.uses("ConnectionID") {
		var err error
		if f.connectionID, err = s.reporting(ctx, customerID); err != nil {
			return f, err
		}
	}
	return f, nil
}

// reporting gives the customer's oldest connection that holds now and may report
// feedback; nil where there is none.
func (s *Service) reporting(ctx context.Context, customerID int64) (*uuid.UUID, error) {
	var connections []keys.Connection
	err := s.db.Read(ctx).Where("customer_id = ?", customerID).Order("created_at, id").Find(&connections).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("connections of customer %d: %w", customerID, err)
	}
	now := s.now()
	for _, c := range connections {
		started := c.StartsAt == nil || !now.Before(*c.StartsAt)
		ended := c.EndsAt != nil && !now.Before(*c.EndsAt)
		for _, scope := range c.Scopes {
			if scope == keys.FeedbackWrite && started && !ended {
				return &c.ID, nil
			}
		}
	}
	return nil, nil
}

// FactNames are what the sources of a mapping may use besides the lead's
// properties.
func FactNames() []string {
	names := make([]string, len(factVars))
	for i, v := range factVars {
		names[i] = v.Name
	}
	return names
}
