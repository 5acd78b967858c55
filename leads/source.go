package leads

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nyaruka/phonenumbers"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// The kinds of sources: which format a source's deliveries are in.
const (
	KindJSON        = "json"
	KindForm        = "form"
	KindGoogleAds   = "google-ads"
	KindMeta        = "meta"
	KindLinkedIn    = "linkedin"
	KindTypeform    = "typeform"
	KindElementor   = "elementor"
	KindSalesforce  = "salesforce-web-to-lead"
	KindLeadManager = "leadmanager"
)

// DefaultRegion is the region phone numbers without a country code are read in
// where a source does not say otherwise.
const DefaultRegion = "IL"

// secretPurpose separates the MACs of sources' secrets from all others.
const secretPurpose = "source secret"

// Source is a place leads come in from: a form, an ad platform.
type Source struct {
	ID   int64  `gorm:"primaryKey" odata:"computed"`
	Name string `validate:"required,max=200"`
	// Kind is the format: KindJSON, KindForm and so on.
	Kind string `validate:"required,oneof=json form google-ads meta linkedin typeform elementor salesforce-web-to-lead leadmanager"`
	// Token is the secret part of the intake address, sealed in the database and to
	// readers. CreateSource, UpdateSource and RotateToken give it in clear, and so does
	// IntakeToken.
	Token    string `odata:"computed" audit:"secret"`
	TokenMAC []byte `odata:"-"` // by which Token is found
	// Secret is what a sender proves itself with, for the kinds that can: the
	// google_key of google-ads, the lm_key of leadmanager, what typeform signs
	// with, the client secret of linkedin. It is written and never read; an empty
	// one leaves the stored one as it is.
	Secret       string `gorm:"-" odata:"writeonly" validate:"max=500"`
	SecretMAC    []byte `odata:"-"` // of a secret that is sent
	SealedSecret []byte `odata:"-"` // one that is needed to make signatures
	// Settings are what the kind wants to know besides.
	Settings SourceSettings `gorm:"serializer:json"`
	// Mapping says which incoming fields go where. Fields it does not speak of go
	// where they would without it.
	Mapping []FieldMapping `gorm:"serializer:json"`
	// Region is the ISO 3166 alpha-2 code of the country whose phone numbers come
	// without a country code.
	Region string `validate:"omitempty,len=2"`
	// MaxRoutings is how many customers may get one lead; 0 means every one whose
	// rule matches.
	MaxRoutings int `validate:"min=0,max=1000"`
	// DuplicateWindow is how long after a lead another of the same person is its
	// duplicate: an ISO 8601 duration such as P30D. None: there are no duplicates.
	DuplicateWindow string `validate:"max=50"`
	// DuplicateBy is what tells a person: ByPhone, ByEmail, ByPhoneOrEmail (unless
	// said otherwise) or ByPhoneAndEmail.
	DuplicateBy string `validate:"omitempty,oneof='phone' 'email' 'phone or email' 'phone and email'"`
	// DuplicateAcross looks for the person among the leads of all sources.
	DuplicateAcross bool
	// RouteDuplicates gives duplicates to customers as if they were none.
	RouteDuplicates bool
	// Checks are what the source demands of its leads.
	Checks []Check `gorm:"serializer:json" validate:"max=100,dive"`
	// Honeypot is the name of a field that people do not see: who fills it in is a
	// program, and is answered as if all were well.
	Honeypot string `validate:"max=200"`
	// FillTimeField is the name of the field with the time when the form was shown,
	// and MinFillSeconds how long a person needs to fill it in.
	FillTimeField  string `validate:"max=200"`
	MinFillSeconds int    `validate:"min=0,max=3600"`
	// PerAddress is how many deliveries a minute one network address may make; 0
	// means no limit.
	PerAddress int `validate:"min=0,max=1000000"`
	// MaskAfterDays is how many days after its arrival a lead is erased,
	// DropAfterDays when it is deleted with all that hangs on it, and AttemptsDays
	// how many days after an exchange with a customer's system its bodies are; nil:
	// never.
	MaskAfterDays *int `validate:"omitempty,min=1,max=36500"`
	DropAfterDays *int `validate:"omitempty,min=1,max=36500"`
	AttemptsDays  *int `validate:"omitempty,min=1,max=36500"`
	// OnwardConnectorID is the connector by which outcomes of the source's leads are
	// sent back to where those came from, with the OnwardSettings that it asks for
	// and the fields of OnwardMapping; nil: none are.
	OnwardConnectorID *int64
	OnwardSettings    SourceSettings `gorm:"serializer:json"`
	OnwardMapping     []MappingEntry `gorm:"serializer:json" validate:"max=500,dive"`
	// OnwardBreaker tells how the system that they go to fares. The transmission
	// alone writes these.
	OnwardBreaker      string     `gorm:"column:breaker;<-:create;default:closed" odata:"computed"`
	OnwardBreakerUntil *time.Time `gorm:"column:breaker_until;<-:create" odata:"computed"` // when the next probe is due
	OnwardFailingSince *time.Time `gorm:"column:failing_since;<-:create" odata:"computed"` // no exchange succeeded since
	// Enabled is false for a source whose token is not to work for now.
	Enabled bool
	// OldTokenMAC is that of the token before the newest one, which works until
	// OldTokenUntil.
	OldTokenMAC   []byte     `odata:"-"`
	OldTokenUntil *time.Time `odata:"computed"`
	RejectedCount int64      `odata:"-"` // Rejection.Number of the newest
	CreatedAt     time.Time  `odata:"computed"`
	Version       int64      `odata:"computed,etag"`
}

// NewSource returns a source with the defaults of a new one: enabled, one
// customer a lead, Israel for phone numbers, exchanges kept for 90 days.
func NewSource() *Source {
	return &Source{Region: DefaultRegion, MaxRoutings: 1, AttemptsDays: new(90), Enabled: true}
}

// Limit is how many customers may get one lead of s; 0 means all that match. A
// nil source, that of leads made by staff, gives 1.
func (s *Source) Limit() int {
	if s == nil {
		return 1
	}
	return s.MaxRoutings
}

// CreateSource stores src and fills in its computed properties, with a new
// token. Needs a manager. Invalid for wrong properties, with targets such as
// Mapping/2/Source, and for google-ads without a Secret.
func (s *Service) CreateSource(ctx context.Context, src *Source) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	next := *src
	next.SecretMAC, next.SealedSecret = nil, nil
	next.OldTokenMAC, next.OldTokenUntil, next.RejectedCount = nil, nil, 0
	next.OnwardBreaker, next.OnwardBreakerUntil, next.OnwardFailingSince = "closed", nil, nil
	if err := s.prepare(&next); err != nil {
		return err
	}
	token, err := newToken(s.Rand)
	if err != nil {
		return failed("create source", err)
	}
	next.ID, next.CreatedAt, next.Version = 0, s.Now(), 1
	next.Token, next.TokenMAC = s.sealToken(token)
	var row Source
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		row = next
		if err := s.checkOnward(tx, nil, &row); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "Source", Key: row.ID, After: &row})
	})
	if err != nil {
		return failed("create source", err)
	}
	*src = row
	src.Token = token
	return nil
}

// UpdateSource saves the changed source src, all of it but its ID, token and
// creation, and gives it its new Version. Deliveries follow it at once on this
// server, and within two seconds on others. Needs a manager. NotFound for an
// unknown source, PreconditionFailed if it is no longer the Version that src
// was read at.
func (s *Service) UpdateSource(ctx context.Context, src *Source) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	next := *src
	if err := s.prepare(&next); err != nil {
		return err
	}
	next.Version++
	var row Source
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Source
		if err := tx.Limit(1).Find(&old, "id = ?", src.ID).Error; err != nil {
			return err
		}
		row = next
		if err := s.checkOnward(tx, &old, &row); err != nil {
			return err
		}
		res := tx.Model(&Source{}).Where("id = ? AND version = ?", src.ID, src.Version).
			Select(changeableOfSource).Updates(&row)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return moved(tx, &Source{}, "source", src.ID)
		}
		store.AfterCommit(tx.Statement.Context, s.sources.purge)
		if err := s.reviveRetrievals(tx, src.ID); err != nil {
			return err
		}
		row.Token, row.TokenMAC, row.OldTokenMAC = old.Token, old.TokenMAC, old.OldTokenMAC
		row.OldTokenUntil, row.RejectedCount = old.OldTokenUntil, old.RejectedCount
		return store.Audit(tx, store.Change{Action: "update", Entity: "Source", Key: src.ID, Before: &old, After: &row})
	})
	if err != nil {
		return failed("update source", err)
	}
	if row.Token, err = s.Vault.OpenText(row.Token); err != nil {
		return failed("the source's token", err)
	}
	*src = row
	return nil
}

// changeableOfSource are the columns that UpdateSource may change.
var changeableOfSource = []string{
	"Name", "Kind", "SecretMAC", "SealedSecret", "Settings", "Mapping", "Region", "MaxRoutings", "Enabled", "Version",
	"DuplicateWindow", "DuplicateBy", "DuplicateAcross", "RouteDuplicates",
	"Checks", "Honeypot", "FillTimeField", "MinFillSeconds", "PerAddress",
	"MaskAfterDays", "DropAfterDays", "AttemptsDays",
	"OnwardConnectorID", "OnwardSettings", "OnwardMapping",
}

// DeleteSource removes the source and its rejections; its token stops working
// at once on this server. Needs a manager. NotFound for an unknown source,
// Conflict for one that leads came in by: such a one can be disabled.
func (s *Service) DeleteSource(ctx context.Context, id int64) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Source
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		if err := tx.Where("source_id = ?", id).Delete(&Rejection{}).Error; err != nil {
			return err
		}
		res := tx.Where("id = ?", id).Delete(&Source{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no source %d", id)
		}
		store.AfterCommit(tx.Statement.Context, s.sources.purge)
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Source", Key: id, Before: &old})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.New(fault.Conflict, "leads came in by this source, and they are kept: disable it instead")
	}
	return failed("delete source", err)
}

// prepare validates src, puts defaults in, and replaces a new Secret by its MAC.
func (s *Service) prepare(src *Source) error {
	src.Name = strings.TrimSpace(src.Name)
	src.Region = strings.ToUpper(src.Region)
	if src.Region == "" {
		src.Region = DefaultRegion
	}
	if err := fault.Validate(src); err != nil {
		return err
	}
	if !regions()[src.Region] {
		return fault.Newf(fault.Invalid, "%s is not a country code (two letters, ISO 3166) with known phone numbers", src.Region).At("Region")
	}
	for _, prepare := range []func(*Source) error{prepareChecks, prepareDuplicates, prepareGuards} {
		if err := prepare(src); err != nil {
			return err
		}
	}
	if err := s.prepareSecret(src); err != nil {
		return err
	}
	if err := s.prepareSettings(src); err != nil {
		return err
	}
	if err := prepareSigning(src); err != nil {
		return err
	}
	return prepareMapping(src)
}

// regions are the countries whose phone numbers are known.
var regions = sync.OnceValue(phonenumbers.GetSupportedRegions)
