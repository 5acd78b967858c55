package keys

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// What a connection may be allowed to do.
const (
	FeedbackWrite = "feedback:write"
	LeadsRead     = "leads:read"
	RoutingsRead  = "routings:read"
	ReasonsRead   = "reasons:read"
)

// FieldNames are names in another system, by our own.
type FieldNames map[string]string

// Connection is the identity of one external system of a customer, or of a third
// party that only reads. It works from StartsAt up to, and not including,
// EndsAt; either may be open. An empty AllowedNetworks lets any address in.
type Connection struct {
	ID          uuid.UUID `gorm:"primaryKey" odata:"computed"`
	CustomerID  int64     `odata:"immutable" validate:"required"`
	Name        string    `validate:"required,max=200"`
	Description string    `validate:"max=2000"`
	StartsAt    *time.Time
	EndsAt      *time.Time
	// TimeZone is the IANA name of the zone of the customer's calendar.
	TimeZone string `gorm:"default:Asia/Jerusalem" validate:"max=100"`
	// StartsOn and EndsOn are the first and the last day of the connection in
	// TimeZone, both included: StartsAt and EndsAt follow them. They are null where
	// an instant was given instead.
	StartsOn        *string  `odata:"type=Date"`
	EndsOn          *string  `odata:"type=Date"`
	Scopes          []string `gorm:"serializer:json" validate:"dive,oneof=feedback:write leads:read routings:read reasons:read"`
	AllowedNetworks []string `gorm:"serializer:json" validate:"lte=100,dive,cidr"`
	// RequestsPerMinute is how many requests all keys together may make in a minute,
	// each part of a batch counted as one. 1200 unless given.
	RequestsPerMinute int `gorm:"default:1200" validate:"min=1,max=1000000000"`
	// FeedbackFields gives for properties of Feedback the names that the system
	// sends them by to /feedback; a property that is not in it goes by its own name.
	FeedbackFields FieldNames `gorm:"serializer:json" validate:"lte=50,dive,keys,max=100,endkeys,required,max=200"`
	// AllowGet lets the system report to /feedback by GET.
	AllowGet bool
	// MaxFeedbackAge is how long after a lead was delivered the system may report on
	// it; null: for ever.
	MaxFeedbackAge *time.Duration
	CreatedAt      time.Time `odata:"computed"`
	Version        int64     `odata:"computed,etag"`
	Keys           []Key     `odata:"partner=Connection"`
}

// The defaults of a Connection.
const (
	defaultZone = "Asia/Jerusalem"
	defaultRate = 1200
)

// CreateConnection stores c and fills in its computed properties. A connection
// whose Scopes are nil may report feedback and nothing else; an empty list
// allows nothing. Needs a manager. Invalid for wrong properties and for a
// customer that does not exist.
func (s *Service) CreateConnection(ctx context.Context, c *Connection) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	next := *c
	if next.Scopes == nil {
		next.Scopes = []string{FeedbackWrite}
	}
	if err := next.prepare(&Connection{}); err != nil {
		return err
	}
	id, err := uuid.NewV7FromReader(s.Rand)
	if err != nil {
		return fmt.Errorf("create connection: %w", err)
	}
	next.ID, next.CreatedAt, next.Version, next.Keys = id, s.Now(), 1, nil
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		row := next
		if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "Connection", Key: row.ID, After: &row})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.Newf(fault.Invalid, "there is no customer %d", c.CustomerID).At("CustomerID")
	}
	if err != nil {
		return fmt.Errorf("create connection: %w", err)
	}
	*c = next
	return nil
}

// Connection gives a connection, without its keys. Any staff may read it. NotFound
// for an unknown one.
func (s *Service) Connection(ctx context.Context, id uuid.UUID) (*Connection, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	var c Connection
	if err := s.DB.Read(ctx).Limit(1).Find(&c, "id = ?", id).Error; err != nil {
		return nil, fmt.Errorf("read connection: %w", err)
	}
	if c.ID == uuid.Nil {
		return nil, fault.Newf(fault.NotFound, "no connection %v", id)
	}
	return &c, nil
}

// UpdateConnection saves the changed connection c, all of it but its ID, customer
// and creation, and gives it its new Version. Keys follow the new dates, scopes
// and networks at once on this server, and within two seconds on others. Needs a
// manager. NotFound for an unknown connection, PreconditionFailed if it is no
// longer the Version that c was read at.
func (s *Service) UpdateConnection(ctx context.Context, c *Connection) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	var next Connection
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		next = *c
		var old Connection
		err := tx.Where("id = ? AND version = ?", c.ID, c.Version).Take(&old).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return connectionMoved(tx, c.ID)
		}
		if err != nil {
			return err
		}
		if err := next.prepare(&old); err != nil {
			return err
		}
		next.Version++
		res := tx.Model(&Connection{}).Where("id = ? AND version = ?", c.ID, c.Version).
			Select("Name", "Description", "StartsAt", "EndsAt", "TimeZone", "StartsOn", "EndsOn", "Scopes", "AllowedNetworks",
				"RequestsPerMinute", "FeedbackFields", "AllowGet", "MaxFeedbackAge", "Version").Updates(&next)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return connectionMoved(tx, c.ID)
		}
		store.AfterCommit(tx.Statement.Context, s.cache.purge)
		return store.Audit(tx, store.Change{Action: "update", Entity: "Connection", Key: c.ID, Before: &old, After: &next})
	})
	if err != nil {
		return fmt.Errorf("update connection: %w", err)
	}
	*c = next
	return nil
}

// DeleteConnection removes the connection and its keys, which stop working at
// once on this server. Needs a manager. NotFound for an unknown connection,
// Conflict for one that has reported feedback: such a one can be ended by EndsAt.
func (s *Service) DeleteConnection(ctx context.Context, id uuid.UUID) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Connection
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		if err := tx.Where("connection_id = ?", id).Delete(&Key{}).Error; err != nil {
			return err
		}
		res := tx.Where("id = ?", id).Delete(&Connection{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no connection %v", id)
		}
		store.AfterCommit(tx.Statement.Context, s.cache.purge)
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Connection", Key: id, Before: &old})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.New(fault.Conflict, "this connection has reported feedback, which is kept: end it by setting EndsAt instead")
	}
	if err != nil {
		return fmt.Errorf("delete connection: %w", err)
	}
	return nil
}

// prepare validates c, a change of old, and brings its times and lists to the
// form they are stored in.
func (c *Connection) prepare(old *Connection) error {
	c.StartsAt, c.EndsAt = moment(c.StartsAt), moment(c.EndsAt)
	if c.TimeZone == "" {
		c.TimeZone = defaultZone
	}
	if c.RequestsPerMinute == 0 {
		c.RequestsPerMinute = defaultRate
	}
	if c.Scopes == nil {
		c.Scopes = []string{}
	}
	if c.AllowedNetworks == nil {
		c.AllowedNetworks = []string{}
	}
	if c.FeedbackFields == nil {
		c.FeedbackFields = FieldNames{}
	}
	if err := fault.Validate(c); err != nil {
		return err
	}
	if err := c.followDays(old); err != nil {
		return err
	}
	if err := c.FeedbackFields.check(); err != nil {
		return err
	}
	if age := c.MaxFeedbackAge; age != nil && (*age <= 0 || *age%time.Microsecond != 0) {
		return fault.New(fault.Invalid, "MaxFeedbackAge must be longer than nothing, in whole microseconds").At("MaxFeedbackAge")
	}
	if c.StartsAt != nil && c.EndsAt != nil && !c.EndsAt.After(*c.StartsAt) {
		return fault.New(fault.Invalid, "EndsAt must be after StartsAt").At("EndsAt")
	}
	if _, err := networks(c.AllowedNetworks); err != nil {
		return fault.New(fault.Invalid, err.Error()).At("AllowedNetworks")
	}
	return nil
}

// feedbackProperties are those that a system may have its own names for.
var feedbackProperties = []string{
	"RoutingID", "ReasonID", "Status", "Comment", "OccurredAt", "ExternalID", "ExternalLink", "Owner", "Amount", "Currency",
}

func (n FieldNames) check() error {
	taken := map[string]string{}
	for property, theirs := range n {
		if !slices.Contains(feedbackProperties, property) {
			return fault.Newf(fault.Invalid, "%q is no property of feedback that a system could send; they are %s",
				property, strings.Join(feedbackProperties, ", ")).At("FeedbackFields")
		}
		if other, twice := taken[theirs]; twice {
			return fault.Newf(fault.Invalid, "%s and %s cannot both be in the field %q",
				min(property, other), max(property, other), theirs).At("FeedbackFields/" + max(property, other))
		}
		taken[theirs] = property
	}
	return nil
}

// networks parses CIDR blocks. IPv4 written inside IPv6 counts as IPv4.
func networks(blocks []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, 0, len(blocks))
	for _, b := range blocks {
		p, err := netip.ParsePrefix(b)
		if err != nil {
			return nil, fmt.Errorf("%q is not a network such as 192.0.2.0/24", b)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// connectionMoved says why an update of one version of a connection found
// nothing: it is gone, or somebody changed it in between.
func connectionMoved(tx *gorm.DB, id uuid.UUID) error {
	exists, err := connectionExists(tx, id)
	switch {
	case err != nil:
		return err
	case !exists:
		return fault.Newf(fault.NotFound, "no connection %v", id)
	}
	return fault.Newf(fault.PreconditionFailed, "connection %v was changed by somebody else; read it again", id)
}

func connectionExists(db *gorm.DB, id uuid.UUID) (bool, error) {
	var n int64
	err := db.Model(&Connection{}).Where("id = ?", id).Count(&n).Error
	return n > 0, err
}
