package feedback

import (
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// Between these a time at which something occurred is believed.
const aheadMost = 24 * time.Hour // clocks and time zones go wrong by hours

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var errScope = fault.New(fault.Forbidden, "This key may not report feedback: its connection lacks the scope "+writeScope+".")

// Feedback is one report on one routing. What was reported is never changed.
type Feedback struct {
	ID           uuid.UUID  `gorm:"primaryKey" odata:"computed"`
	RoutingID    uuid.UUID  `validate:"required"`
	ReasonID     *int32     // nil while nobody has said what Status means
	Comment      *string    `validate:"omitempty,max=10000"`
	OccurredAt   *time.Time // by the customer's clock
	ReceivedAt   time.Time  `odata:"computed"`
	ExternalID   *string    `validate:"omitempty,max=200"`  // of the lead in the customer's system
	ExternalLink *string    `validate:"omitempty,max=2000"` // http or https
	Owner        *string    `validate:"omitempty,max=200"`  // who handles it there
	// Amount is what was sold for, in Currency, an ISO 4217 code such as ILS.
	Amount       *int64     `odata:"decimal=4"` // in 1/10000
	Currency     *string    `validate:"omitempty,max=3"`
	ConnectionID *uuid.UUID `odata:"computed"`             // through which it came; nil from staff
	Status       *string    `validate:"omitempty,max=200"` // the customer's own word for it, as sent
	Folded       *string    `odata:"-"`                    // Status as it is compared
	// ReturnState is set where the reason asks for a return: requested, and then
	// approved or declined by staff, at ReturnDecidedAt and with their ReturnComment.
	ReturnState     *string    `odata:"computed"`
	ReturnComment   *string    `odata:"computed"`
	ReturnDecidedAt *time.Time `odata:"computed"`

	Routing *routing.Routing `odata:"partner=Feedback"`
	Reason  *Reason          `odata:"partner=Feedback"`
}

// TableName implements GORM's Tabler.
func (Feedback) TableName() string { return "feedback" }

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
	if err := f.checkMoney(); err != nil {
		return err
	}
	texts := []struct {
		name string
		text *string
	}{{"Comment", f.Comment}, {"ExternalID", f.ExternalID}, {"ExternalLink", f.ExternalLink}, {"Owner", f.Owner}, {"Status", f.Status}}
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

// fold sets Folded. A Status without anything to see is none: forms send their
// empty fields too.
func (f *Feedback) fold() {
	f.Folded = nil
	if f.Status == nil {
		return
	}
	if folded := fold(*f.Status); folded != "" {
		f.Folded = &folded
	} else {
		f.Status = nil
	}
}
