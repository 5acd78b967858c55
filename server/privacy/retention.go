package privacy

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"
)

const (
	day = 24 * time.Hour
	// batch is how many leads, or attempts, are one transaction, which others wait
	// for.
	batch = 100
	// lateness is how much later than its arrival a lead may come to be stored: one
	// that was announced is read for days.
	lateness = 7 * day
)

// sweep is how far Run has come, so that it looks at nothing twice. A new start
// looks at all again.
type sweep struct {
	masked map[int64]mark // by source: leads up to here are erased
	bodies map[int]int64  // by days: attempts up to here have no bodies
}

// mark is a place among a source's leads.
type mark struct {
	at time.Time
	id uuid.UUID
}

// Run keeps to the days of the sources until ctx ends, and returns nil. Several
// servers may do so at once.
func (s *Service) Run(ctx context.Context) error {
	ctx = store.WithActor(ctx, store.Actor{Kind: store.System, Name: "retention", Through: store.Program})
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "what is too old was not erased; will try again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sweep erases, deletes and empties once what is too old by the days of its
// source, in short transactions.
func (s *Service) Sweep(ctx context.Context) error {
	var sources []leads.Source
	err := s.DB.Read(ctx).Select("id", "mask_after_days", "drop_after_days", "attempts_days").
		Where("mask_after_days IS NOT NULL OR drop_after_days IS NOT NULL OR attempts_days IS NOT NULL").Order("id").Find(&sources).Error
	if err != nil {
		return fmt.Errorf("sources that forget: %w", err)
	}
	now := s.Now()
	bodies := map[int]bool{}
	for _, src := range sources {
		if src.DropAfterDays != nil {
			if err := s.dropBefore(ctx, src.ID, now.Add(-day*time.Duration(*src.DropAfterDays))); err != nil {
				return err
			}
		}
		if src.MaskAfterDays != nil {
			if err := s.maskBefore(ctx, src.ID, now.Add(-day*time.Duration(*src.MaskAfterDays))); err != nil {
				return err
			}
		}
		if days := src.AttemptsDays; days != nil && !bodies[*days] {
			bodies[*days] = true
			if err := s.emptyBefore(ctx, *days, now.Add(-day*time.Duration(*days))); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropBefore deletes the leads that a source received before an instant, and what
// it refused.
func (s *Service) dropBefore(ctx context.Context, source int64, before time.Time) error {
	if err := s.forgetRefused(ctx, source, before); err != nil {
		return err
	}
	for {
		found, err := s.leadsBefore(ctx, source, before, mark{}, "")
		if err != nil || len(found) == 0 {
			return err
		}
		if err := s.DB.Write(ctx, func(tx *gorm.DB) error {
			n, err := drop(tx, ids(found))
			if err != nil {
				return err
			}
			return audit(tx, "Drop", source, "Leads", n, before)
		}); err != nil {
			return fmt.Errorf("drop leads of source %d: %w", source, err)
		}
	}
}

// maskBefore erases the leads that a source received before an instant, and
// deletes what it refused.
func (s *Service) maskBefore(ctx context.Context, source int64, before time.Time) error {
	if err := s.forgetRefused(ctx, source, before); err != nil {
		return err
	}
	after := s.swept.masked[source]
	for {
		found, err := s.leadsBefore(ctx, source, before, after, "erased_at IS NULL")
		if err != nil {
			return err
		}
		if len(found) == 0 {
			s.swept.masked[source] = mark{at: before.Add(-lateness)}
			return nil
		}
		if err := s.DB.Write(ctx, func(tx *gorm.DB) error {
			n, err := erase(tx, ids(found), s.Now())
			if err != nil {
				return err
			}
			return audit(tx, "Mask", source, "Leads", n, before)
		}); err != nil {
			return fmt.Errorf("erase leads of source %d: %w", source, err)
		}
		last := found[len(found)-1]
		after = mark{last.ReceivedAt, last.ID}
	}
}

// forgetRefused deletes what a source refused before an instant.
func (s *Service) forgetRefused(ctx context.Context, source int64, before time.Time) error {
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		n, err := leads.DropRejectionsBefore(tx, source, before)
		if err != nil {
			return err
		}
		return audit(tx, "Drop", source, "Rejections", n, before)
	})
	if err != nil {
		return fmt.Errorf("drop rejections of source %d: %w", source, err)
	}
	return nil
}

// emptyBefore empties the bodies of the attempts before an instant for leads of
// the sources that keep them so many days.
func (s *Service) emptyBefore(ctx context.Context, days int, before time.Time) error {
	after := s.swept.bodies[days]
	for {
		found, last, err := routing.OldAttempts(s.DB.Read(ctx), days, before, after, batch)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			s.swept.bodies[days] = last
			return nil
		}
		if err := s.DB.Write(ctx, func(tx *gorm.DB) error {
			n, err := routing.DropBodies(tx, found)
			if err != nil {
				return err
			}
			return store.Audit(tx, store.Change{Action: "DropBodies", Entity: "Attempt", After: store.Facts{"Attempts": n, "Before": before}})
		}); err != nil {
			return fmt.Errorf("empty attempts: %w", err)
		}
		after = last
	}
}

// leadsBefore gives some of the leads a source received before an instant, the
// oldest first, from those behind after on. which is a condition more.
func (s *Service) leadsBefore(ctx context.Context, source int64, before time.Time, after mark, which string) ([]leads.Lead, error) {
	q := s.DB.Read(ctx).Select("id", "received_at").Where("source_id = ? AND received_at < ? AND received_at >= ?", source, before, after.at).
		Where("received_at > ? OR id > ?", after.at, after.id)
	if which != "" {
		q = q.Where(which)
	}
	var found []leads.Lead
	if err := q.Order("received_at, id").Limit(batch).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("old leads of source %d: %w", source, err)
	}
	return found, nil
}

func ids(found []leads.Lead) []uuid.UUID {
	list := make([]uuid.UUID, len(found))
	for i := range found {
		list[i] = found[i].ID
	}
	return list
}

// audit adds what a batch came to, if anything, to the audit trail.
func audit(tx *gorm.DB, action string, source int64, what string, n int64, before time.Time) error {
	if n == 0 {
		return nil
	}
	return store.Audit(tx, store.Change{Action: action, Entity: "Source", Key: source, After: store.Facts{what: n, "Before": before}})
}
