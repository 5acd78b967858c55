package leads

import (
	"context"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// MaxOverlap is how long an old token may go on working beside the new one.
const MaxOverlap = 30 * 24 * time.Hour

// RotateToken gives a source a new intake token and returns the source. The old
// token works for overlap more, so that senders can be changed one by one; one
// that was old already stops at once. Deliveries follow on this server at once,
// and within two seconds on others. Needs a manager. NotFound for an unknown
// source, Invalid for an overlap below nothing or above MaxOverlap.
func (s *Service) RotateToken(ctx context.Context, id int64, overlap time.Duration) (*Source, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	if overlap < 0 || overlap > MaxOverlap {
		return nil, fault.Newf(fault.Invalid, "the old token can work from 0 to %d hours more", int(MaxOverlap.Hours())).At("OverlapHours")
	}
	token, err := newToken(s.Rand)
	if err != nil {
		return nil, failed("rotate token", err)
	}
	changes := map[string]any{"token": token, "version": gorm.Expr("version + 1"), "old_token": nil, "old_token_until": nil}
	if overlap > 0 {
		changes["old_token"], changes["old_token_until"] = gorm.Expr("token"), s.Now().Add(overlap)
	}
	var src Source
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Source
		if err := tx.Limit(1).Find(&old, id).Error; err != nil {
			return err
		}
		res := tx.Model(&Source{}).Where("id = ?", id).Updates(changes)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no source %d", id)
		}
		store.AfterCommit(tx.Statement.Context, s.sources.purge)
		src = Source{}
		if err := tx.Take(&src, id).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "RotateToken", Entity: "Source", Key: id, Before: &old, After: &src})
	})
	if err != nil {
		return nil, failed("rotate token", err)
	}
	return &src, nil
}
