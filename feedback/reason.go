package feedback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Names holds a reason's name by language, such as "en" and "he".
type Names map[string]string

// Reason is a numbered answer a customer can give. An inactive one is retired:
// it stays on the reports that have it and takes no new ones.
type Reason struct {
	ID           int32  `gorm:"primaryKey" odata:"computed"`
	Name         string `odata:"texts=Names" validate:"required,max=200"` // in English, if Names has that
	Names        Names  `gorm:"serializer:json" validate:"lte=50,dive,keys,bcp47_language_tag,endkeys,required,max=200"`
	Category     string `validate:"required,oneof=positive in_progress negative invalid"`
	ClosesLead   bool   // nothing more is expected after it
	CountsAsSale bool   // the lead was sold
	// AsksForReturn makes a report with it a request to return the lead, which staff
	// decide.
	AsksForReturn bool
	Position      int // lists are in this order
	Active        bool
	CreatedAt     time.Time `odata:"computed"`
	Version       int64     `odata:"computed,etag"`
}

// TableName implements GORM's Tabler.
func (Reason) TableName() string { return "feedback_reasons" }

// NewReason returns a reason with the defaults of a new one: active.
func NewReason() *Reason { return &Reason{Active: true} }

// CreateReason stores r and fills in its computed properties. A missing Name is
// taken from Names (English before others); missing Names hold Name as English.
// Needs a manager. Invalid for wrong properties.
func (s *Service) CreateReason(ctx context.Context, r *Reason) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	next := *r
	if err := next.prepare(nil); err != nil {
		return err
	}
	next.ID, next.CreatedAt, next.Version = 0, s.Now(), 1
	var row Reason
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		row = next
		store.AfterCommit(tx.Statement.Context, s.reasons.purge)
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "FeedbackReason", Key: row.ID, After: &row})
	})
	if err != nil {
		return failed("create reason", err)
	}
	*r = row
	return nil
}

// UpdateReason saves the changed reason r, all of it but its ID and creation, and
// gives it its new Version. Reports follow it at once on this server, within a
// second on others. To one that comes back into use go the reports that wait with
// a status mapped to it. Needs a manager. NotFound for an unknown reason,
// PreconditionFailed if it is no longer the Version that r was read at.
func (s *Service) UpdateReason(ctx context.Context, r *Reason) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	var next Reason
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Reason
		if err := tx.Where("id = ? AND version = ?", r.ID, r.Version).Limit(1).Find(&old).Error; err != nil {
			return err
		}
		next = *r
		if err := next.prepare(&old); err != nil {
			return err
		}
		next.Version++
		res := tx.Model(&Reason{}).Where("id = ? AND version = ?", r.ID, r.Version).
			Select("Name", "Names", "Category", "ClosesLead", "CountsAsSale", "AsksForReturn", "Position", "Active", "Version").Updates(&next)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return reasonMoved(tx, r.ID)
		}
		store.AfterCommit(tx.Statement.Context, s.reasons.purge)
		if next.Active {
			if err := s.settle(tx, "m.reason_id", int64(next.ID)); err != nil {
				return err
			}
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "FeedbackReason", Key: r.ID, Before: &old, After: &next})
	})
	if err != nil {
		return failed("update reason", err)
	}
	*r = next
	return nil
}

// DeleteReason removes a reason that was never used or mapped to. Needs a manager. NotFound
// for an unknown reason, Conflict for a used one.
func (s *Service) DeleteReason(ctx context.Context, id int32) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Reason
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		res := tx.Where("id = ?", id).Delete(&Reason{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no reason %d", id)
		}
		store.AfterCommit(tx.Statement.Context, s.reasons.purge)
		return store.Audit(tx, store.Change{Action: "delete", Entity: "FeedbackReason", Key: id, Before: &old})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.Newf(fault.Conflict, "reason %d has been reported, or stands in a status map, and stays on record; retire it: set Active to false", id)
	}
	return failed("delete reason", err)
}

// prepare brings r's names together and validates it. Name is always the one of
// Names that first gives; where it is none of them it is new, and the English one,
// unless it was already there when Names were changed. was is nil for a new reason.
func (r *Reason) prepare(was *Reason) error {
	r.Name = strings.TrimSpace(r.Name)
	named := slices.Contains(slices.Collect(maps.Values(r.Names)), r.Name)
	renamed := was != nil && r.Name == was.Name && !maps.Equal(r.Names, was.Names)
	if r.Name != "" && !named && (!renamed || len(r.Names) == 0) {
		r.Names = maps.Clone(r.Names)
		if r.Names == nil {
			r.Names = Names{}
		}
		r.Names["en"] = r.Name
	}
	if first := r.Names.first(); first != "" {
		r.Name = first
	}
	return fault.Validate(r)
}

// first is the English name, or else that of the first language by its code.
func (n Names) first() string {
	if name := strings.TrimSpace(n["en"]); name != "" {
		return name
	}
	for _, language := range slices.Sorted(maps.Keys(n)) {
		if name := strings.TrimSpace(n[language]); name != "" {
			return name
		}
	}
	return ""
}

func reasonMoved(tx *gorm.DB, id int32) error {
	var n int64
	if err := tx.Model(&Reason{}).Where("id = ?", id).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return fault.Newf(fault.NotFound, "no reason %d", id)
	}
	return fault.Newf(fault.PreconditionFailed, "reason %d was changed by somebody else; read it again", id)
}

// usable returns nil for a reason that takes reports, and else an Invalid fault
// at ReasonID that says which do. nil and 0 are no reason.
func (s *Service) usable(ctx context.Context, id *int32) error {
	all, err := s.reasons.list(ctx, s)
	if err != nil {
		return failed("read reasons", err)
	}
	return usable(all, id)
}

func usable(all []Reason, id *int32) error {
	if id == nil || *id == 0 {
		return fault.Newf(fault.Invalid, "ReasonID, or Status, is required; the valid ones are %s", choices(all)).At("ReasonID")
	}
	for _, r := range all {
		switch {
		case r.ID == *id && r.Active:
			return nil
		case r.ID == *id:
			return fault.Newf(fault.Invalid, "reason %d (%s) is no longer in use; the valid ones are %s", *id, r.Name, choices(all)).At("ReasonID")
		}
	}
	return fault.Newf(fault.Invalid, "there is no reason %d; the valid ones are %s", *id, choices(all)).At("ReasonID")
}

// choices lists the active reasons for a message: "1 (Received), 2 (Contacted)".
func choices(all []Reason) string {
	var b strings.Builder
	for _, r := range all {
		if !r.Active {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%d (%s)", r.ID, r.Name)
	}
	return b.String()
}
