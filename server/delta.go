package server

import (
	"context"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

// A delta link is good for linkLife. What is older is dropped from the change
// logs every dropEvery.
const (
	linkLife  = 30 * 24 * time.Hour
	dropEvery = time.Hour
)

// forgetChanges drops old changes until ctx ends.
func (a *App) forgetChanges(ctx context.Context) error {
	ticker := time.NewTicker(dropEvery)
	defer ticker.Stop()
	for {
		if err := a.forgetBefore(ctx, store.Now().Add(-linkLife)); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "old changes were not dropped", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// forgetBefore drops changes in short transactions, so that others come in
// between.
func (a *App) forgetBefore(ctx context.Context, before time.Time) error {
	for dropped := int64(1); dropped > 0; {
		if err := a.DB.Write(ctx, func(tx *gorm.DB) (err error) {
			dropped, err = a.OData.ForgetChanges(tx, before)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
