package routing

import (
	"context"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Activate makes the rule's current revision the live one, and resumes a paused
// rule: routings that parked because of the pause become due at once. It returns
// NotFound, or Conflict unless the current revision has passed its test.
func (s *Service) Activate(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		r, err := s.ruleFor(tx, lockRow(tx), id)
		if err != nil {
			return err
		}
		if r.TestedRevision == nil || *r.TestedRevision != r.Revision {
			return fault.Newf(fault.Conflict, "revision %d of the rule has not passed its test; call Test first", r.Revision)
		}
		if err := s.snapshot(tx, r); err != nil {
			return err
		}
		if err := setRuleState(tx, r, map[string]any{"state": Active, "active_revision": r.Revision}); err != nil {
			return err
		}
		if err := s.resetBreaker(tx, id); err != nil {
			return err
		}
		if err := s.unpark(tx, id); err != nil {
			return err
		}
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return auditRule(tx, "Activate", r)
	})
}

// Pause stops the rule from matching; its routings park when their turn comes,
// until Activate. Other servers on the database follow within a second. It
// returns NotFound, or Conflict unless the rule is active.
func (s *Service) Pause(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		r, err := s.ruleFor(tx, lockRow(tx), id)
		if err != nil {
			return err
		}
		if r.State != Active {
			return fault.Newf(fault.Conflict, "the rule is %s, not active", r.State)
		}
		if err := setRuleState(tx, r, map[string]any{"state": Paused}); err != nil {
			return err
		}
		if err := s.resetBreaker(tx, id); err != nil {
			return err
		}
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return auditRule(tx, "Pause", r)
	})
}

// CloseBreaker has the rule's routings sent as they come again, as if its
// customer's system had never failed: for staff who know that it is well. It
// returns NotFound, or Conflict where the circuit breaker is closed already.
func (s *Service) CloseBreaker(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		r, err := s.ruleFor(tx, lockRow(tx), id)
		if err != nil {
			return err
		}
		if r.Breaker == BreakerClosed {
			return fault.New(fault.Conflict, "the rule's circuit breaker is closed already")
		}
		reason := r.PauseReason
		if err := s.resetBreaker(tx, id); err != nil {
			return err
		}
		if err := setRuleState(tx, r, map[string]any{"pause_reason": reason}); err != nil {
			return err
		}
		store.AfterCommit(tx.Statement.Context, s.wakeUp)
		return auditRule(tx, "CloseBreaker", r)
	})
}

// auditRule adds an action on a rule to the audit trail; old is the rule as it
// was before.
func auditRule(tx *gorm.DB, action string, old *Rule) error {
	now, err := load[Rule](tx, "rule", old.ID)
	if err != nil {
		return err
	}
	return store.Audit(tx, store.Change{Action: action, Entity: "Rule", Key: old.ID, Before: old, After: now})
}

// snapshot freezes the rule's current revision. A revision activated before, and
// paused since, is there already.
func (s *Service) snapshot(tx *gorm.DB, r *Rule) error {
	revision := RuleRevision{
		RuleID: r.ID, Revision: r.Revision, ConnectorID: r.ConnectorID,
		Settings: r.Settings, Condition: r.Condition, Mapping: r.Mapping, CreatedAt: s.now(),
	}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&revision).Error; err != nil {
		return fmt.Errorf("snapshot of rule %d: %w", r.ID, err)
	}
	return nil
}

// setRuleState writes columns of the rule and moves its version on.
func setRuleState(tx *gorm.DB, r *Rule, columns map[string]any) error {
	columns["version"] = gorm.Expr("version + 1")
	if err := tx.Model(&Rule{}).Where("id = ?", r.ID).Updates(columns).Error; err != nil {
		return fmt.Errorf("state of rule %d: %w", r.ID, err)
	}
	return nil
}

// lockRow makes the next SELECT of tx hold its row for a change until the
// transaction ends, where the database locks rows at all: on SQLite the
// transaction is the only writer anyway. Rows may go on referring to it.
func lockRow(tx *gorm.DB) *gorm.DB {
	if tx.Name() != store.Postgres {
		return tx
	}
	return tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"})
}
