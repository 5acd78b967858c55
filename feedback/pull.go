package feedback

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// The states of a Pull.
const (
	PullActive = "active"
	PullPaused = "paused"
)

// Pull reads a customer's system again and again, by the Reading of a connector,
// for what became of the leads. What it finds is reported as if the connection
// had posted it.
type Pull struct {
	ID           int64     `gorm:"primaryKey" odata:"computed"`
	ConnectionID uuid.UUID `odata:"immutable" validate:"required"`
	ConnectorID  int64     `validate:"required"`
	Name         string    `validate:"required,max=200"`
	// Settings are what the connector asks for; secret ones are stored sealed.
	Settings routing.Settings `gorm:"serializer:json"`
	// IntervalMinutes is the time between two readings, 15 unless given.
	IntervalMinutes int `validate:"min=1,max=10080"`
	// StartsAt is the time from which on things count, the Pull's creation unless
	// given. It never changes.
	StartsAt time.Time `odata:"immutable"`
	State    string    `odata:"computed"`
	// Since is when the newest thing occurred that was read.
	Since        *time.Time `odata:"computed"`
	NextAt       *time.Time `odata:"computed"` // of the next reading; nil while paused
	LastRunAt    *time.Time `odata:"computed"`
	LastError    *string    `odata:"computed"` // why the last reading failed, or an item was refused
	FailingSince *time.Time `odata:"computed"` // no reading succeeded since
	PauseReason  *string    `odata:"computed"` // why the program paused it; nil: staff did
	// Found counts the things read, Reported the reports made of them, Unknown those
	// about nobody who was sent there, Refused those that make no report. The rest
	// was reported before, or is from before StartsAt.
	Found      int64      `odata:"computed"`
	Reported   int64      `odata:"computed"`
	Unknown    int64      `odata:"computed"`
	Refused    int64      `odata:"computed"`
	Failures   int        `odata:"-"` // in a row
	LeaseUntil *time.Time `odata:"-"`
	LeaseToken *string    `odata:"-"`
	CreatedAt  time.Time  `odata:"computed"`
	Version    int64      `odata:"computed,etag"`

	Connection *keys.Connection
	Connector  *routing.Connector
}

// NewPull returns a pull with the defaults of a new one.
func NewPull() *Pull { return &Pull{IntervalMinutes: 15} }

// CreatePull stores p, paused, and fills in its computed properties. Needs a
// manager. Invalid, with a target for everything wrong, for wrong properties and
// for a connection that may not report feedback.
func (s *Service) CreatePull(ctx context.Context, p *Pull) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	next := Pull{
		ConnectionID: p.ConnectionID, ConnectorID: p.ConnectorID, Name: p.Name, IntervalMinutes: p.IntervalMinutes,
		StartsAt: *moment(&p.StartsAt), State: PullPaused, CreatedAt: s.Now(), Version: 1,
	}
	if next.StartsAt.IsZero() {
		next.StartsAt = next.CreatedAt
	}
	var row Pull
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		row = next
		if err := s.checkPull(tx, &row, p.Settings, nil); err != nil {
			return err
		}
		if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "Pull", Key: row.ID, After: &row})
	})
	if err != nil {
		return failed("create pull", err)
	}
	*p = row
	return nil
}

// UpdatePull saves the Name, ConnectorID, Settings and IntervalMinutes of p and
// gives it its new Version. A reading under way goes on as it was. Needs a
// manager. It fails as CreatePull does, with Invalid for another StartsAt,
// NotFound for an unknown pull, and PreconditionFailed if it is no longer the
// Version that p was read at.
func (s *Service) UpdatePull(ctx context.Context, p *Pull) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	var row *Pull
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var err error
		if row, err = pullOf(tx, p.ID); err != nil {
			return err
		}
		if !row.StartsAt.Equal(p.StartsAt) {
			return fault.New(fault.Invalid, "StartsAt of a pull never changes").At("StartsAt")
		}
		old := *row
		row.Name, row.ConnectorID, row.IntervalMinutes, row.Version = p.Name, p.ConnectorID, p.IntervalMinutes, p.Version+1
		if err := s.checkPull(tx, row, p.Settings, old.Settings); err != nil {
			return err
		}
		res := tx.Model(&Pull{}).Where("id = ? AND version = ?", p.ID, p.Version).
			Select("Name", "ConnectorID", "Settings", "IntervalMinutes", "Version").Updates(row)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.PreconditionFailed, "pull %d was changed by somebody else; read it again", p.ID)
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "Pull", Key: p.ID, Before: &old, After: row})
	})
	if err != nil {
		return failed("update pull", err)
	}
	*p = *row
	return nil
}

// DeletePull removes a pull. What it reported stays. Needs a manager. NotFound
// for an unknown one.
func (s *Service) DeletePull(ctx context.Context, id int64) error {
	return s.changePull(ctx, id, func(tx *gorm.DB, p *Pull) error {
		if err := tx.Delete(p).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Pull", Key: id, Before: p})
	})
}

// ActivatePull has a pull read at once and then at its interval. Needs a manager.
// NotFound for an unknown one, Invalid if its connection may not report.
func (s *Service) ActivatePull(ctx context.Context, id int64) error {
	return s.changePull(ctx, id, func(tx *gorm.DB, p *Pull) error {
		if _, err := s.puller(tx, p); err != nil {
			return fault.New(fault.Invalid, err.Error()).At("ConnectionID")
		}
		err := s.makeDue(tx, p, "state = 'active', pause_reason = NULL, failing_since = NULL, failures = 0, version = version + 1")
		if err != nil {
			return err
		}
		return auditPull(tx, p, "Activate", PullActive, nil)
	})
}

// PausePull has a pull read no more; a reading under way ends with the page it is
// at. Needs a manager. NotFound for an unknown one.
func (s *Service) PausePull(ctx context.Context, id int64) error {
	return s.changePull(ctx, id, func(tx *gorm.DB, p *Pull) error {
		err := tx.Exec(`UPDATE pulls SET state = 'paused', pause_reason = NULL, next_at = NULL, lease_until = NULL, lease_token = NULL,
			version = version + 1 WHERE id = ?`, p.ID).Error
		if err != nil {
			return err
		}
		return auditPull(tx, p, "Pause", PullPaused, nil)
	})
}

// RunPull makes an active pull due now. Needs a manager. NotFound for an unknown
// one, Conflict for a paused one.
func (s *Service) RunPull(ctx context.Context, id int64) error {
	return s.changePull(ctx, id, func(tx *gorm.DB, p *Pull) error {
		if p.State != PullActive {
			return fault.New(fault.Conflict, "the pull is paused; activate it")
		}
		return s.makeDue(tx, p, "version = version + 1")
	})
}

// auditPull tells of another state of p, which it had not yet when it was read.
func auditPull(tx *gorm.DB, p *Pull, action, state string, reason *string) error {
	next := *p
	next.State, next.PauseReason = state, reason
	return store.Audit(tx, store.Change{Action: action, Entity: "Pull", Key: p.ID, Before: p, After: &next})
}

func (s *Service) makeDue(tx *gorm.DB, p *Pull, set string) error {
	store.AfterCommit(tx.Statement.Context, func() {
		select {
		case s.pulling <- struct{}{}:
		default: // it will look anyway
		}
	})
	return tx.Exec("UPDATE pulls SET next_at = ?, "+set+" WHERE id = ?", s.Now(), p.ID).Error
}

// changePull runs change on a pull in a transaction.
func (s *Service) changePull(ctx context.Context, id int64, change func(tx *gorm.DB, p *Pull) error) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	return failed("change pull", s.DB.Write(ctx, func(tx *gorm.DB) error {
		p, err := pullOf(tx, id)
		if err != nil {
			return err
		}
		return change(tx, p)
	}))
}

func pullOf(tx *gorm.DB, id int64) (*Pull, error) {
	var p Pull
	err := tx.Where("id = ?", id).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.Newf(fault.NotFound, "no pull %d", id)
	}
	return &p, err
}

// checkPull validates p with the settings given, and gives it those as they are
// to be stored.
func (s *Service) checkPull(tx *gorm.DB, p *Pull, given, before routing.Settings) error {
	if err := fault.Validate(p); err != nil {
		return err
	}
	if p.StartsAt.Before(earliest) {
		return fault.New(fault.Invalid, "StartsAt is before the year 2000").At("StartsAt")
	}
	if _, err := s.puller(tx, p); err != nil {
		return fault.New(fault.Invalid, err.Error()).At("ConnectionID")
	}
	sealed, err := s.Routing.CheckReading(tx, p.ConnectorID, given, before)
	p.Settings = sealed
	return err
}

// puller is the actor that p reports as: its connection. It returns an error, for
// people, where that may not report.
func (s *Service) puller(tx *gorm.DB, p *Pull) (store.Actor, error) {
	var c keys.Connection
	err := tx.Where("id = ?", p.ConnectionID).Take(&c).Error
	now := s.Now()
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return store.Actor{}, errors.New("there is no such connection")
	case err != nil:
		return store.Actor{}, failed("read connection", err)
	case !slices.Contains(c.Scopes, writeScope):
		return store.Actor{}, errors.New("the connection lacks the scope " + writeScope)
	case c.EndsAt != nil && !now.Before(*c.EndsAt):
		return store.Actor{}, errors.New("the connection has ended")
	}
	return store.Actor{Kind: store.Machine, ConnectionID: c.ID, CustomerID: c.CustomerID, Scopes: c.Scopes, Name: c.Name}, nil
}
