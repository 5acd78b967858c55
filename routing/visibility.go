package routing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Who sees a Rule: all staff, or its owner and its Viewers alone. Admins see every
// rule.
const (
	VisibleToAll    = "all"
	VisibleToChosen = "chosen"
)

// RuleViewer says that a user, or the members of a group, see a rule that is
// visible to chosen staff.
type RuleViewer struct {
	ID      int64  `gorm:"primaryKey" odata:"computed"`
	RuleID  int64  `odata:"immutable" validate:"required"`
	UserID  *int64 `odata:"immutable"` // one of the two
	GroupID *int64 `odata:"immutable"`

	Rule *Rule
}

// Hidden gives the ids of the rules that the actor in ctx must not see, in order:
// for them these rules, and what is named after them, are not there. For others
// than staff it gives none: what customers see goes by other things.
func (s *Service) Hidden(ctx context.Context) ([]int64, error) {
	return s.hidden(s.db.Read(ctx), watcher(ctx))
}

// watcher is the user whose sight is limited; nil for admins, and for others than
// staff.
func watcher(ctx context.Context) *int64 {
	if a := store.ActorOf(ctx); a.Kind == store.Staff && a.Role < store.Admin {
		return &a.UserID
	}
	return nil
}

func (s *Service) hidden(tx *gorm.DB, user *int64) ([]int64, error) {
	if user == nil {
		return nil, nil
	}
	var ids []int64
	err := tx.Raw(`SELECT id FROM rules WHERE visibility = 'chosen' AND (owner_id IS NULL OR owner_id <> ?)
		AND NOT EXISTS (SELECT 1 FROM rule_viewers v WHERE v.rule_id = rules.id
			AND (v.user_id = ? OR v.group_id IN (SELECT group_id FROM group_members WHERE user_id = ?)))
		ORDER BY id`, *user, *user, *user).Scan(&ids).Error
	if err != nil {
		return nil, fmt.Errorf("hidden rules: %w", err)
	}
	return ids, nil
}

// hides returns NotFound, as for what is not there, if the actor of tx must not
// see the rule.
func (s *Service) hides(tx *gorm.DB, ruleID int64, what string, id any) error {
	ids, err := s.hidden(tx, watcher(tx.Statement.Context))
	if _, found := slices.BinarySearch(ids, ruleID); found {
		return fault.Newf(fault.NotFound, "no %s %v", what, id)
	}
	return err
}

// ruleFor reads a rule for the actor of tx, who must see it. How is tx, or what
// locks the row.
func (s *Service) ruleFor(tx, how *gorm.DB, id int64) (*Rule, error) {
	r, err := load[Rule](how, "rule", id)
	if err == nil {
		err = s.hides(tx, id, "rule", id)
	}
	return r, err
}

// keepInSight makes the actor of tx a viewer of r if they would lose sight of it by
// what they just stored.
func (s *Service) keepInSight(tx *gorm.DB, r *Rule) error {
	err := s.hides(tx, r.ID, "rule", r.ID)
	if fault.CodeOf(err) != fault.NotFound {
		return err
	}
	row := RuleViewer{RuleID: r.ID, UserID: watcher(tx.Statement.Context)}
	if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
		return fmt.Errorf("viewer of rule %d: %w", r.ID, err)
	}
	return store.Audit(tx, store.Change{Action: "create", Entity: "RuleViewer", Key: row.ID, After: &row})
}

// AddViewer lets a user, or a group, see a rule; for one that all see it has no
// effect yet. It returns Invalid for a rule, user or group that is not there or not
// exactly one of the two, and Conflict for one that sees it already.
func (s *Service) AddViewer(ctx context.Context, v *RuleViewer) error {
	if (v.UserID == nil) == (v.GroupID == nil) {
		return fault.New(fault.Invalid, "one of UserID and GroupID is wanted").At("UserID")
	}
	err := s.manage(ctx, func(tx *gorm.DB) error {
		if _, err := s.ruleFor(tx, tx, v.RuleID); fault.CodeOf(err) == fault.NotFound {
			return fault.Newf(fault.Invalid, "no rule %d", v.RuleID).At("RuleID")
		} else if err != nil {
			return err
		}
		row := RuleViewer{RuleID: v.RuleID, UserID: v.UserID, GroupID: v.GroupID}
		if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
			return err
		}
		*v = row
		return store.Audit(tx, store.Change{Action: "create", Entity: "RuleViewer", Key: row.ID, After: &row})
	})
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.New(fault.Conflict, "they see the rule already")
	case errors.Is(err, gorm.ErrForeignKeyViolated) && v.UserID != nil:
		return fault.Newf(fault.Invalid, "no user %d", *v.UserID).At("UserID")
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return fault.Newf(fault.Invalid, "no group %d", *v.GroupID).At("GroupID")
	}
	return err
}

// RemoveViewer undoes AddViewer. It returns NotFound.
func (s *Service) RemoveViewer(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		v, err := load[RuleViewer](tx, "viewer", id)
		if err != nil {
			return err
		}
		if err := s.hides(tx, v.RuleID, "viewer", id); err != nil {
			return err
		}
		if err := remove(tx, v, "viewer", id); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "RuleViewer", Key: id, Before: v})
	})
}

// without is the condition in SQL that a column is none of ids; "" for none.
func without(column string, ids []int64) string {
	if len(ids) == 0 {
		return ""
	}
	return " AND " + column + " NOT IN (" + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ids)), ","), "[]") + ")"
}
