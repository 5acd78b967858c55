package routing

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// The states of a Rule. A rule that was activated once stays active or paused
// while it is edited; TestedRevision and ActiveRevision tell how far the edit is.
const (
	Draft  = "draft"
	Tested = "tested"
	Active = "active"
	Paused = "paused"
)

// defaultPriority is the priority of a rule that names none.
const defaultPriority = 100

// Rule says: send these leads to this customer like so.
type Rule struct {
	ID          int64    `gorm:"primaryKey" odata:"computed"`
	CustomerID  int64    `odata:"immutable" validate:"required"`
	ConnectorID int64    `validate:"required"`
	Name        string   `validate:"required,max=200"`
	Settings    Settings `gorm:"serializer:json"`
	// Condition is an expression over the lead that is true or false. Empty means
	// every lead.
	Condition string         `validate:"max=10000"`
	Mapping   []MappingEntry `gorm:"serializer:json" validate:"max=500,dive"`
	// Priority is the rule's tier: the lower goes first. 100 unless given.
	Priority int `gorm:"default:100" validate:"min=1,max=1000000"`
	// Rotation is how the rules of a tier share its leads: weight, or round-robin.
	// A tier takes turns where any rule in it that can have the lead says so.
	Rotation string `gorm:"default:weight" validate:"oneof=weight round-robin"`
	// Weight is the rule's share of the leads of its tier, beside that of others.
	Weight int `gorm:"default:1" validate:"min=1,max=1000000"`
	// CapDay, CapWeek, CapMonth and CapTotal are how many leads the rule gets at
	// most, in TimeZone's calendar with weeks from Sunday; nil means any number.
	CapDay   *int `validate:"omitempty,min=0,max=1000000000"`
	CapWeek  *int `validate:"omitempty,min=0,max=1000000000"`
	CapMonth *int `validate:"omitempty,min=0,max=1000000000"`
	CapTotal *int `validate:"omitempty,min=0,max=1000000000"`
	// TimeZone is the IANA name of the zone that caps and Schedule go by.
	TimeZone string `gorm:"default:Asia/Jerusalem" validate:"max=100"`
	// Schedule is when the rule gets leads: in any of the windows. None means
	// always.
	Schedule []Window `gorm:"serializer:json" validate:"max=100,dive"`
	// IsDefault keeps the rule for leads that no other rule takes.
	IsDefault      bool
	State          string     `odata:"computed"`
	Revision       int64      `odata:"computed"`
	TestedRevision *int64     `odata:"computed"`
	ActiveRevision *int64     `odata:"computed"`
	StartsAt       *time.Time // inclusive; not to be changed once it has passed
	EndsAt         *time.Time // exclusive
	OwnerID        *int64
	// Visibility is which of the staff see the rule: all, or chosen, who are its owner
	// and its Viewers.
	Visibility string    `gorm:"default:all" validate:"oneof=all chosen"`
	CreatedAt  time.Time `odata:"computed"`
	// Breaker tells how its customer's system fares; see breaker. The
	// transmission alone writes these.
	Breaker      string     `gorm:"<-:create;default:closed" odata:"computed"`
	BreakerUntil *time.Time `gorm:"<-:create" odata:"computed"` // when the next probe is due
	FailingSince *time.Time `gorm:"<-:create" odata:"computed"` // no exchange succeeded since
	// PauseReason says why the program paused it; nil: staff did.
	PauseReason *string `gorm:"<-:create" odata:"computed"`
	Version     int64   `odata:"computed,etag"`

	Customer  *Customer    `odata:"partner=Rules"`
	Connector *Connector   `odata:"partner=Rules"`
	Viewers   []RuleViewer `odata:"partner=Rule"`
}

// RuleRevision is the content of a rule as it was activated. It never changes.
type RuleRevision struct {
	RuleID      int64 `gorm:"primaryKey;autoIncrement:false"`
	Revision    int64 `gorm:"primaryKey;autoIncrement:false"`
	ConnectorID int64
	Settings    Settings `gorm:"serializer:json"`
	Condition   string
	Mapping     []MappingEntry `gorm:"serializer:json"`
	CreatedAt   time.Time
}

// content is what a revision consists of, in a form that can be compared.
func (r *Rule) content() ([]byte, error) {
	return json.Marshal([]any{r.ConnectorID, r.Settings, r.Condition, r.Mapping})
}

// CreateRule stores a new rule as a draft of revision 1. It returns Invalid with
// a detail and target for everything wrong: Name, CustomerID, Settings/URL,
// Condition, Mapping/2/Source and so on.
func (s *Service) CreateRule(ctx context.Context, r *Rule) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		row := *r
		row.ID, row.State, row.Revision, row.CreatedAt, row.Version = 0, Draft, 1, s.now(), 1
		row.TestedRevision, row.ActiveRevision = nil, nil
		row.Breaker, row.BreakerUntil, row.FailingSince, row.PauseReason = BreakerClosed, nil, nil, nil
		row.setDefaults()
		if err := s.checkRule(tx, &row, nil); err != nil {
			return err
		}
		if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
			return ownerKnown(&row, fmt.Errorf("create rule: %w", err))
		}
		if err := s.keepInSight(tx, &row); err != nil {
			return err
		}
		*r = row
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "Rule", Key: row.ID, After: &row})
	})
}

// UpdateRule stores the changes of r, which was loaded at r.Version. A change of
// connector, settings, condition or mapping makes a new revision, which goes
// live when it is tested and activated; until then the active one keeps serving.
// It returns NotFound, Invalid as CreateRule does, or PreconditionFailed.
func (s *Service) UpdateRule(ctx context.Context, r *Rule) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		old, err := s.ruleFor(tx, tx, r.ID)
		if err != nil {
			return err
		}
		row := *r
		row.State, row.Revision, row.TestedRevision, row.ActiveRevision = old.State, old.Revision, old.TestedRevision, old.ActiveRevision
		row.CreatedAt, row.Version = old.CreatedAt, r.Version+1
		if err := s.checkRule(tx, &row, old); err != nil {
			return err
		}
		if err := row.revise(old); err != nil {
			return err
		}
		if err := save(tx, &row, r.Version); err != nil {
			return ownerKnown(&row, err)
		}
		if err := s.keepInSight(tx, &row); err != nil {
			return err
		}
		if err := recount(tx, old, &row); err != nil {
			return err
		}
		*r = row
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "Rule", Key: row.ID, Before: old, After: &row})
	})
}

// setDefaults gives what was not said its value.
func (r *Rule) setDefaults() {
	if r.Priority == 0 {
		r.Priority = defaultPriority
	}
	if r.Weight == 0 {
		r.Weight = 1
	}
	if r.Rotation == "" {
		r.Rotation = byWeight
	}
	if r.TimeZone == "" {
		r.TimeZone = defaultZone
	}
	if r.Visibility == "" {
		r.Visibility = VisibleToAll
	}
}

// ownerKnown returns err, or Invalid where the database refused r for its owner:
// the other rows it refers to were looked up before.
func ownerKnown(r *Rule, err error) error {
	if r.OwnerID != nil && errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.Newf(fault.Invalid, "no user %d", *r.OwnerID).At("OwnerID")
	}
	return err
}

// revise counts the revision up where the content differs from old's.
func (r *Rule) revise(old *Rule) error {
	before, err := old.content()
	if err != nil {
		return fmt.Errorf("rule content: %w", err)
	}
	after, err := r.content()
	if err != nil {
		return fmt.Errorf("rule content: %w", err)
	}
	if bytes.Equal(before, after) {
		return nil
	}
	r.Revision++
	if r.ActiveRevision == nil {
		r.State = Draft
	}
	return nil
}

// DeleteRule removes a rule and its revisions. It returns NotFound, or Conflict
// while routings refer to it.
func (s *Service) DeleteRule(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		old, err := s.ruleFor(tx, tx, id)
		if err != nil {
			return err
		}
		if err := unreferenced(tx, "rule", id, reference{"routings", "rule_id", "routings; pause it instead"}); err != nil {
			return err
		}
		if err := tx.Where("rule_id = ?", id).Delete(&RuleRevision{}).Error; err != nil {
			return fmt.Errorf("delete revisions of rule %d: %w", id, err)
		}
		if err := remove(tx, &Rule{ID: id}, "rule", id); err != nil {
			return err
		}
		if err := s.rulesChanged(tx); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Rule", Key: id, Before: old})
	})
}

// checkRule returns Invalid with everything wrong with r, and seals its secrets.
// old is the stored rule when r is a change of it.
func (s *Service) checkRule(tx *gorm.DB, r, old *Rule) error {
	var p problems
	if r.Settings == nil {
		r.Settings = Settings{}
	}
	if r.Mapping == nil {
		r.Mapping = []MappingEntry{}
	}
	if r.Schedule == nil {
		r.Schedule = []Window{}
	}
	if err := p.addError("", fault.Validate(r)); err != nil {
		return err
	}
	if old != nil && r.CustomerID != old.CustomerID {
		p.addf("CustomerID", "CustomerID cannot be changed")
	}
	if r.StartsAt != nil && r.EndsAt != nil && !r.EndsAt.After(*r.StartsAt) {
		p.addf("EndsAt", "EndsAt must be later than StartsAt")
	}
	if old != nil && old.started(s.now()) && !sameTime(r.StartsAt, old.StartsAt) {
		p.addf("StartsAt", "StartsAt has passed and can no longer be changed; pause the rule, or set EndsAt")
	}
	newTimetable(&p, r.TimeZone, r.Schedule)
	if err := existing[Customer](tx, &p, "CustomerID", "customer", r.CustomerID); err != nil {
		return err
	}
	if err := s.checkConnection(tx, &p, r, old); err != nil {
		return err
	}
	if _, err := s.exprs.condition(r.Condition); err != nil {
		if err := p.addError("Condition", err); err != nil {
			return err
		}
	}
	if _, err := s.exprs.mapping(&p, r.Mapping); err != nil {
		return err
	}
	return p.err()
}

// started reports whether the rule names a start and that has come.
func (r *Rule) started(now time.Time) bool { return r.StartsAt != nil && !now.Before(*r.StartsAt) }

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// checkConnection checks connector and settings, and seals the secret ones.
func (s *Service) checkConnection(tx *gorm.DB, p *problems, r, old *Rule) error {
	if r.ConnectorID == 0 {
		return nil // reported as required already
	}
	connector, err := load[Connector](tx, "connector", r.ConnectorID)
	if fault.CodeOf(err) == fault.NotFound {
		p.addf("ConnectorID", "no connector %d", r.ConnectorID)
		return nil
	}
	if err != nil {
		return err
	}
	before := len(p.details)
	checkSettings(p, s.vault, connector, r.Settings)
	if len(p.details) > before {
		return nil
	}
	var stored Settings
	if old != nil {
		stored = old.Settings
	}
	values, _, err := connector.open(s.vault, r.Settings)
	if err != nil {
		p.addf("Settings", "%s", err)
		return nil
	}
	if err := s.checkSender(p, connector, values, r.Mapping); err != nil {
		return err
	}
	r.Settings = connector.seal(s.vault, r.Settings, stored)
	return nil
}

// existing adds a problem when there is no row of T with the id. No id at all is
// for the validator to report.
func existing[T any](tx *gorm.DB, p *problems, target, what string, id int64) error {
	if id == 0 {
		return nil
	}
	_, err := load[T](tx, what, id)
	if fault.CodeOf(err) != fault.NotFound {
		return err
	}
	return p.addError(target, err)
}
