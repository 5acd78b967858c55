// Package privacy is what the law asks of who holds personal data: to erase a
// lead ([Service.Erase]), to tell a person all that is held about them
// ([Service.Export]), and to keep nothing longer than was promised
// ([Service.Run], by the days each source names).
//
// Each of these leaves an event in the audit trail, without the data it is about.
package privacy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"leadloop/feedback"
	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"

	"github.com/google/uuid"
)

// Service erases, exports and keeps to the days. Make one with New; its exported
// fields may be changed before first use.
type Service struct {
	DB    *store.DB
	Leads *leads.Service
	Now   func() time.Time
	Log   *slog.Logger
	// Every is how often Run looks for what is too old: an hour unless changed.
	Every time.Duration

	swept sweep
}

// New returns a Service over db, whose leads are those of l.
func New(db *store.DB, l *leads.Service) *Service {
	return &Service{
		DB: db, Leads: l, Now: store.Now, Log: slog.Default(), Every: time.Hour,
		swept: sweep{masked: map[int64]mark{}, bodies: map[int]int64{}},
	}
}

// Erase empties the personal properties of a lead for good, with the delivery it
// came in, the bodies of the exchanges with customers' systems, the comments of
// reports on it, and the refused deliveries that seem to be of the same person.
// The lead stays, with what became of it; what was still to be sent is given up.
// Needs a manager. NotFound for an unknown lead; erasing it again changes nothing.
func (s *Service) Erase(ctx context.Context, id uuid.UUID) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	var lead leads.Lead
	err := s.DB.Read(ctx).Where("id = ?", id).Take(&lead).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.Newf(fault.NotFound, "no lead %v", id)
	}
	if err != nil {
		return err
	}
	rejected, err := s.Leads.RejectionsOf(ctx, &lead)
	if err != nil {
		return err
	}
	rejections := make([]int64, len(rejected))
	for i, r := range rejected {
		rejections[i] = r.ID
	}
	return s.DB.Write(ctx, func(tx *gorm.DB) error {
		n, err := erase(tx, []uuid.UUID{id}, s.Now())
		if err != nil || n == 0 {
			return err
		}
		if err := leads.DropRejections(tx, rejections); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "Erase", Entity: "Lead", Key: id, After: store.Facts{"Rejections": len(rejections)}})
	})
}

// erase empties leads and all that hangs on them, and gives how many were not
// erased before.
func erase(tx *gorm.DB, ids []uuid.UUID, now time.Time) (int64, error) {
	if err := routing.EraseLeads(tx, ids); err != nil {
		return 0, err
	}
	if err := feedback.EraseLeads(tx, ids); err != nil {
		return 0, err
	}
	return leads.Erase(tx, ids, now)
}

// drop deletes leads and all that hangs on them, and gives how many.
func drop(tx *gorm.DB, ids []uuid.UUID) (int64, error) {
	if err := feedback.DropLeads(tx, ids); err != nil {
		return 0, err
	}
	if err := routing.DropLeads(tx, ids); err != nil {
		return 0, err
	}
	return leads.Drop(tx, ids)
}
