package feedback

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// Between these a time at which something occurred is believed.
const aheadMost = 24 * time.Hour // clocks and time zones go wrong by hours

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var errScope = fault.New(fault.Forbidden, "This key may not report feedback: its connection lacks the scope "+writeScope+".")

// Feedback is one report on one routing. It is never changed.
type Feedback struct {
	ID           uuid.UUID `gorm:"primaryKey" odata:"computed"`
	RoutingID    uuid.UUID `validate:"required"`
	ReasonID     int32
	Comment      *string    `validate:"omitempty,max=10000"`
	OccurredAt   *time.Time // by the customer's clock
	ReceivedAt   time.Time  `odata:"computed"`
	ExternalID   *string    `validate:"omitempty,max=200"`  // of the lead in the customer's system
	ExternalLink *string    `validate:"omitempty,max=2000"` // http or https
	Owner        *string    `validate:"omitempty,max=200"`  // who handles it there
	ConnectionID *uuid.UUID `odata:"computed"`              // through which it came; nil from staff

	Routing *routing.Routing `odata:"partner=Feedback"`
	Reason  *Reason          `odata:"partner=Feedback"`
}

// TableName implements GORM's Tabler.
func (Feedback) TableName() string { return "feedback" }

// Report stores f and fills in its computed properties; when it returns nil the
// report is durable. If f is the newest on its routing, by OccurredAt or else by
// arrival, it becomes the current feedback of the routing and its lead. The same
// RoutingID, ReasonID and OccurredAt again store nothing new: f becomes the
// earlier report.
//
// A customer's system needs the scope feedback:write (Forbidden) and reports on
// its customer's routings only; for others it gets the very NotFound of a routing
// that does not exist. Staff need a manager. Invalid at ReasonID, with the valid
// ones listed, for an unknown or inactive reason; Invalid for other wrong
// properties, and for an OccurredAt over 24 hours ahead.
func (s *Service) Report(ctx context.Context, f *Feedback) (err error) {
	if s.Reported != nil {
		defer func() { s.Reported(err) }()
	}
	customerID, err := reporter(ctx)
	if err != nil {
		return err
	}
	next := *f
	next.Routing, next.Reason = nil, nil
	if err := s.prepare(ctx, &next); err != nil {
		return err
	}
	var stored Feedback
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		stored = next
		return s.insert(tx, &stored, customerID)
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		// The reason was deleted, or the connection was, while this was under way.
		s.reasons.purge()
		return fault.New(fault.Conflict, "the reason or the connection was deleted just now; try again")
	}
	if err != nil {
		return failed("report feedback", err)
	}
	*f = stored
	return nil
}

// prepare validates f and sets its computed properties.
func (s *Service) prepare(ctx context.Context, f *Feedback) error {
	f.OccurredAt, f.ReceivedAt = moment(f.OccurredAt), s.Now()
	if err := f.check(); err != nil {
		return err
	}
	if err := s.usable(ctx, f.ReasonID); err != nil {
		return err
	}
	id, err := s.NewID()
	if err != nil {
		return failed("report feedback", err)
	}
	f.ID, f.ConnectionID = id, nil
	if actor := store.ActorOf(ctx); actor.Kind == store.Machine {
		f.ConnectionID = &actor.ConnectionID
	}
	return nil
}

// check validates what the reporter gave, as far as f itself can tell.
func (f *Feedback) check() error {
	if err := fault.Validate(f); err != nil {
		return err
	}
	if t := f.OccurredAt; t != nil {
		if t.After(f.ReceivedAt.Add(aheadMost)) {
			return fault.New(fault.Invalid, "OccurredAt is more than 24 hours in the future").At("OccurredAt")
		}
		if t.Before(earliest) {
			return fault.New(fault.Invalid, "OccurredAt is before the year 2000").At("OccurredAt")
		}
	}
	texts := []struct {
		name string
		text *string
	}{{"Comment", f.Comment}, {"ExternalID", f.ExternalID}, {"ExternalLink", f.ExternalLink}, {"Owner", f.Owner}}
	for _, t := range texts {
		if t.text != nil && (!utf8.ValidString(*t.text) || strings.ContainsRune(*t.text, 0)) {
			return fault.New(fault.Invalid, t.name+" is not text").At(t.name)
		}
	}
	if f.ExternalLink != nil && !isLink(*f.ExternalLink) {
		return fault.New(fault.Invalid, "ExternalLink is not a link that begins with http:// or https://").At("ExternalLink")
	}
	return nil
}

// isLink is strict because staff will click on it.
func isLink(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// at is the time that decides which report is the newest.
func (f *Feedback) at() time.Time {
	if f.OccurredAt != nil {
		return *f.OccurredAt
	}
	return f.ReceivedAt
}

// insert stores f and makes it current, or turns f into the equal report that is
// there already. It is three or four constant statements.
func (s *Service) insert(tx *gorm.DB, f *Feedback, customerID int64) error {
	leadID, err := s.Routing.LeadOf(tx, f.RoutingID, customerID)
	if err != nil {
		return err
	}
	// feedback_routing_id is unique over routing, reason and occurred_at; nulls are never equal there.
	res, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, `INSERT INTO feedback
		(id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner, connection_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
		f.ID, f.RoutingID, f.ReasonID, f.Comment, f.OccurredAt, f.ReceivedAt, f.ExternalID, f.ExternalLink, f.Owner, f.ConnectionID)
	if err != nil {
		return tx.AddError(err) // in GORM's words, which tell a foreign key's violation
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n > 0 {
		return s.Routing.SetFeedback(tx, f.RoutingID, leadID, f.ReasonID, f.at())
	}
	equal := tx.Where("routing_id = ? AND reason_id = ? AND occurred_at = ?", f.RoutingID, f.ReasonID, f.OccurredAt)
	*f = Feedback{}
	return equal.Take(f).Error
}
