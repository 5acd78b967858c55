package routing

import (
	"context"
	"fmt"
	"slices"

	"leadloop/odata/fault"
	"leadloop/store"
)

// IDFields gives the names of the fields in which the customer's active rules send
// the RoutingID, in order, each once: what the customer finds it by. Staff need a
// viewer, and rules they must not see are left out; customers' systems get their
// own, and others' are NotFound.
func (s *Service) IDFields(ctx context.Context, customerID int64) ([]string, error) {
	if actor := store.ActorOf(ctx); actor.Kind == store.Machine && actor.CustomerID != customerID {
		return nil, fault.Newf(fault.NotFound, "no customer %d", customerID)
	} else if actor.Kind != store.Machine {
		if err := store.Require(ctx, store.Viewer); err != nil {
			return nil, err
		}
	}
	hidden, err := s.Hidden(ctx)
	if err != nil {
		return nil, err
	}
	var revisions []RuleRevision
	err = s.db.Read(ctx).Where("(rule_id, revision) IN (SELECT id, active_revision FROM rules WHERE customer_id = ? AND state = ?)", customerID, Active).
		Find(&revisions).Error
	if err != nil {
		return nil, fmt.Errorf("fields of the RoutingID: %w", err)
	}
	var names []string
	for _, r := range revisions {
		if slices.Contains(hidden, r.RuleID) {
			continue
		}
		m, err := s.exprs.mapping(&problems{}, r.Mapping)
		if err != nil {
			return nil, fmt.Errorf("mapping of rule %d: %w", r.RuleID, err)
		}
		for _, f := range m {
			if f.program != nil && slices.Contains(f.program.Names(), "RoutingID") {
				names = append(names, f.Target)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
