package feedback

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// OrderReasons puts the reasons into the order of ids: their Positions become 1, 2
// and so on. Reasons that are not named come after them, in the order they had.
// Needs a manager. Invalid for a reason that is unknown or there twice.
func (s *Service) OrderReasons(ctx context.Context, ids []int32) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var all []Reason
		if err := tx.Order("position, id").Find(&all).Error; err != nil {
			return err
		}
		was := make([]int32, len(all))
		for i, r := range all {
			was[i] = r.ID
		}
		next := slices.Clone(ids)
		for i, id := range ids {
			if !slices.Contains(was, id) || slices.Contains(ids[:i], id) {
				return fault.Newf(fault.Invalid, "the reason %d is unknown, or there twice", id).At("IDs")
			}
		}
		for _, id := range was {
			if !slices.Contains(ids, id) {
				next = append(next, id)
			}
		}
		for _, r := range all {
			position := slices.Index(next, r.ID) + 1
			if r.Position == position {
				continue
			}
			if err := tx.Exec("UPDATE feedback_reasons SET position = ?, version = version + 1 WHERE id = ?", position, r.ID).Error; err != nil {
				return err
			}
		}
		store.AfterCommit(tx.Statement.Context, s.reasons.purge)
		return store.Audit(tx, store.Change{
			Action: "OrderReasons", Entity: "FeedbackReason", Before: store.Facts{"Order": was}, After: store.Facts{"Order": next},
		})
	})
	return failed("order reasons", err)
}
