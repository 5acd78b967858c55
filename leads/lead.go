package leads

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// The states of a lead.
const (
	StateNew       = "new"       // not routed yet
	StateRouted    = "routed"    // at least one customer has it
	StateUnmatched = "unmatched" // no rule wants it
	StateDuplicate = "duplicate" // the same person again
	StateTest      = "test"      // sent to try the form; never routed
)

// Lead is a person's enquiry: the fields that every form has, and in Properties
// whatever else the form had. Text fields are nil where nothing was given.
type Lead struct {
	ID         uuid.UUID `gorm:"primaryKey" odata:"computed"`
	SourceID   *int64    // nil: created by staff
	ReceivedAt time.Time `odata:"computed"`
	FirstName  *string
	LastName   *string
	// Phone is the number in E.164 form, or nil if PhoneRaw, the number as it was
	// given, is not a valid one.
	Phone    *string
	PhoneRaw *string
	// Email is trimmed and lower-cased; what is not an address is kept as the
	// dynamic property EmailRaw instead.
	Email       *string
	City        *string
	Message     *string
	Campaign    *string
	UtmSource   *string
	UtmMedium   *string
	UtmCampaign *string
	UtmTerm     *string
	UtmContent  *string
	// ExternalID is the sender's own id of the lead, unique within the source.
	ExternalID    *string `validate:"omitempty,max=500"`
	IsTest        bool
	DuplicateOfID *uuid.UUID `odata:"computed"`
	State         string     `odata:"computed"`
	ReasonID      *int32     `odata:"computed"` // the newest feedback's reason
	FeedbackAt    *time.Time `odata:"computed"`
	Version       int64      `odata:"computed,etag"`
	// Properties are the dynamic properties by name: nil, bool, string, int64,
	// float64, json.Number (a number neither of the two can hold exactly), []any
	// and map[string]any.
	Properties map[string]any `gorm:"serializer:properties" odata:"dynamic"`
	// ConsentText is what the person agreed to, in the form's words, and ConsentAt
	// when: where the sender does not say, when the lead was received.
	ConsentText *string
	ConsentAt   *time.Time
	// ErasedAt is when the personal properties were erased. Such a lead is not
	// changed, routed or sent any more.
	ErasedAt *time.Time `odata:"computed"`

	Source      *Source `odata:"partner=Leads"`
	DuplicateOf *Lead
}

// Payload is the delivery a lead came in, as it was but for the sender's secret.
type Payload struct {
	LeadID        uuid.UUID `gorm:"primaryKey"`
	Body          []byte
	ContentType   string
	RemoteAddress string
	UserAgent     string
}

// CreateLead stores a lead that staff typed in, normalised like one received,
// routes it, and fills in its computed properties. Needs a manager. Invalid for
// wrong properties and for an unknown source, Conflict if the source has a lead
// with that ExternalID already.
func (s *Service) CreateLead(ctx context.Context, lead *Lead) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	id, err := s.NewID()
	if err != nil {
		return failed("create lead", err)
	}
	var src *Source
	if lead.SourceID != nil {
		if src, err = s.sourceByID(ctx, *lead.SourceID); err != nil {
			return err
		}
	}
	next := *lead
	next.ID, next.ReceivedAt, next.Version = id, s.Now(), 1
	next.DuplicateOfID, next.ReasonID, next.FeedbackAt, next.ErasedAt = nil, nil, nil, nil
	next.Source, next.DuplicateOf = nil, nil
	if err := next.prepare(src.region()); err != nil {
		return err
	}
	next.prepareConsent()
	row, err := newLeadRow(&next, nil)
	if err != nil {
		return err
	}
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		if err := s.lockPersons(tx, []*leadRow{row}, src); err != nil {
			return err
		}
		first, err := s.insert(tx, row, src)
		if err == nil && first != next.ID {
			err = fault.Newf(fault.Conflict, "lead %v of this source has that ExternalID already", first).At("ExternalID")
		}
		return err
	})
	if err != nil {
		return failed("create lead", err)
	}
	*lead = next
	return nil
}

// UpdateLead saves what staff changed of a lead, normalised like one received:
// its text fields, ExternalID, IsTest and dynamic properties. A changed Phone
// becomes PhoneRaw too. It is not routed again. Needs a manager. NotFound for an
// unknown lead, PreconditionFailed if it is no longer the Version that lead was
// read at, Conflict if its source has another lead with that ExternalID.
func (s *Service) UpdateLead(ctx context.Context, lead *Lead) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	var next Lead
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Lead
		err := tx.Where("id = ? AND version = ?", lead.ID, lead.Version).Take(&old).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return moved(tx, &Lead{}, "lead", lead.ID)
		}
		if err != nil {
			return err
		}
		if old.ErasedAt != nil {
			return errErased
		}
		next = *lead
		if err := s.prepareUpdate(tx, &next, &old); err != nil {
			return err
		}
		return save(tx, next)
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return fault.New(fault.Conflict, "another lead of this source has that ExternalID").At("ExternalID")
	}
	if err != nil {
		return failed("update lead", err)
	}
	*lead = next
	return nil
}

// save writes the changed lead over the version before it.
func save(tx *gorm.DB, lead Lead) error {
	res := tx.Model(&Lead{}).Where("id = ? AND version = ?", lead.ID, lead.Version-1).
		Select(changeable).Updates(&lead)
	if res.Error == nil && res.RowsAffected == 0 {
		return moved(tx, &Lead{}, "lead", lead.ID)
	}
	return res.Error
}

// changeable are the columns that an update may change.
var changeable = func() []string {
	names := []string{"IsTest", "ConsentAt", "Properties", "Version"}
	for _, p := range textProperties {
		names = append(names, p.name)
	}
	return names
}()

// prepareUpdate normalises lead, about to replace old.
func (s *Service) prepareUpdate(tx *gorm.DB, lead, old *Lead) error {
	if !reflect.DeepEqual(lead.SourceID, old.SourceID) {
		return fault.New(fault.Invalid, "the source of a lead cannot be changed").At("SourceID")
	}
	var src *Source
	if lead.SourceID != nil {
		src = &Source{}
		if err := tx.Where("id = ?", *lead.SourceID).Take(src).Error; err != nil {
			return err
		}
	}
	switch {
	case !reflect.DeepEqual(lead.Phone, old.Phone):
		lead.PhoneRaw = nil // prepare makes it the new Phone
	case !reflect.DeepEqual(lead.PhoneRaw, old.PhoneRaw):
		lead.Phone = nil // prepare makes it out of the new PhoneRaw
	}
	if err := lead.prepare(src.region()); err != nil {
		return err
	}
	lead.ReceivedAt, lead.State, lead.DuplicateOfID = old.ReceivedAt, old.State, old.DuplicateOfID
	lead.ReasonID, lead.FeedbackAt, lead.ErasedAt = old.ReasonID, old.FeedbackAt, nil
	lead.Version = old.Version + 1
	lead.prepareConsent()
	return nil
}

// SetState gives a stored lead another state, in the row and in memory. Routing
// calls it when it knows what became of the lead.
func SetState(tx *gorm.DB, lead *Lead, state string) error {
	if lead.State == state {
		return nil
	}
	_, err := exec(tx, "UPDATE leads SET state = $1, version = version + 1 WHERE id = $2", state, lead.ID)
	if err != nil {
		return failed("set state of lead", err)
	}
	lead.State = state
	lead.Version++
	return nil
}

// sourceByID returns the source a lead is said to come from.
func (s *Service) sourceByID(ctx context.Context, id int64) (*Source, error) {
	src := &Source{}
	err := s.DB.Read(ctx).Where("id = ?", id).Take(src).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.Newf(fault.Invalid, "there is no source %d", id).At("SourceID")
	}
	return src, failed("read source", err)
}

// region is the country of src's phone numbers; of a nil source the default.
func (s *Source) region() string {
	if s == nil {
		return DefaultRegion
	}
	return s.Region
}

// Lead is the lead with the id as it is. Needs a viewer. NotFound if there is none.
func (s *Service) Lead(ctx context.Context, id uuid.UUID) (*Lead, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	lead := &Lead{}
	err := s.DB.Read(ctx).Where("id = ?", id).Take(lead).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.Newf(fault.NotFound, "no lead %v", id)
	}
	return lead, failed("read lead", err)
}
