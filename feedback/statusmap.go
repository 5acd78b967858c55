package feedback

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// StatusMap says which reason a customer means by a word of their own. There is
// one for each word of a customer; words are the same that differ in upper and
// lower case, in white space or in characters that cannot be seen.
type StatusMap struct {
	ID         int64     `gorm:"primaryKey" odata:"computed"`
	CustomerID int64     `odata:"immutable" validate:"required"`
	Status     string    `validate:"required,max=200"`
	Folded     string    `odata:"-"` // Status as it is compared
	ReasonID   int32     `validate:"required"`
	CreatedAt  time.Time `odata:"computed"`
	Version    int64     `odata:"computed,etag"`

	Customer *routing.Customer
	Reason   *Reason
}

// UnmappedStatus is a word that reports of a customer wait with, as it is not in
// their map or stands there for a reason that is no longer in use.
type UnmappedStatus struct {
	CustomerID int64     `gorm:"primaryKey;autoIncrement:false" odata:"computed"`
	Status     string    `gorm:"primaryKey" odata:"computed"`
	Count      int64     `odata:"computed"`
	FirstAt    time.Time `odata:"computed"` // when the first of the reports came in
	LastAt     time.Time `odata:"computed"`
	// Mapped says that it is in the map by now: its reports are being given their
	// reason, and Count is how many still wait for it.
	Mapped bool `odata:"computed"`

	Customer *routing.Customer
}

// fold gives a status as it is compared, empty for one that shows nothing.
func fold(status string) string {
	seen := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) { // such as the marks that set a text's direction
			return -1
		}
		return r
	}, status)
	return norm.NFC.String(cases.Fold().String(strings.Join(strings.Fields(seen), " ")))
}

// CreateStatusMap stores m and fills in its computed properties. The reports that
// wait with its status get its reason, and with it become the current feedback
// where they are the newest; where they are more than settlePortion, Run goes on
// with them after this has returned. Needs a manager. Invalid for wrong properties and for
// a reason that takes no reports, Conflict if the customer's map has the status.
func (s *Service) CreateStatusMap(ctx context.Context, m *StatusMap) error {
	next := StatusMap{CustomerID: m.CustomerID, Status: m.Status, ReasonID: m.ReasonID, CreatedAt: s.Now(), Version: 1}
	var row StatusMap
	err := s.manageMap(ctx, &next, func(tx *gorm.DB) error {
		row = next
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		if err := s.settle(tx, "m.id", row.ID); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "StatusMap", Key: row.ID, After: &row})
	})
	if err != nil {
		return failed("create status map", err)
	}
	*m = row
	return nil
}

// UpdateStatusMap saves the Status and the ReasonID of m and gives it its new
// Version. Reports that have a reason keep it; those that wait get the new one.
// Needs a manager. It fails as CreateStatusMap does, with NotFound for an unknown
// map, and with PreconditionFailed if it is no longer the Version that m was read
// at.
func (s *Service) UpdateStatusMap(ctx context.Context, m *StatusMap) error {
	next := *m
	next.Customer, next.Reason = nil, nil
	next.Version++
	err := s.manageMap(ctx, &next, func(tx *gorm.DB) error {
		var old StatusMap
		if err := tx.Limit(1).Find(&old, "id = ?", m.ID).Error; err != nil {
			return err
		}
		res := tx.Model(&StatusMap{}).Where("id = ? AND version = ?", m.ID, m.Version).
			Select("Status", "Folded", "ReasonID", "Version").Updates(&next)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return mapMoved(tx, m.ID)
		}
		if err := s.settle(tx, "m.id", next.ID); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "StatusMap", Key: next.ID, Before: &old, After: &next})
	})
	if err != nil {
		return failed("update status map", err)
	}
	*m = next
	return nil
}

// DeleteStatusMap removes a status from its customer's map. Reports keep the
// reasons they got by it. Needs a manager. NotFound for an unknown one.
func (s *Service) DeleteStatusMap(ctx context.Context, id int64) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	return failed("delete status map", s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old StatusMap
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		res := tx.Where("id = ?", id).Delete(&StatusMap{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no status map %d", id)
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "StatusMap", Key: id, Before: &old})
	}))
}

// manageMap validates m, sets its Folded, and runs change in a transaction that
// holds off reports of the customer with unknown words.
func (s *Service) manageMap(ctx context.Context, m *StatusMap, change func(tx *gorm.DB) error) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	if err := s.usable(ctx, &m.ReasonID); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		if err := s.holdMap(tx, m.CustomerID); err != nil {
			return err
		}
		return change(tx)
	})
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.Newf(fault.Conflict, "the customer's map has the status %q already", m.Status).At("Status")
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		s.reasons.purge()
		return fault.New(fault.Conflict, "the reason was deleted just now; try again").At("ReasonID")
	}
	return err
}

// check validates m and sets Folded.
func (m *StatusMap) check() error {
	if err := fault.Validate(m); err != nil {
		return err
	}
	if !utf8.ValidString(m.Status) || strings.ContainsFunc(m.Status, unicode.IsControl) {
		return fault.New(fault.Invalid, "Status is not text").At("Status")
	}
	if m.Folded = fold(m.Status); m.Folded == "" {
		return fault.New(fault.Invalid, "Status shows nothing").At("Status")
	}
	return nil
}

func mapMoved(tx *gorm.DB, id int64) error {
	var n int64
	if err := tx.Model(&StatusMap{}).Where("id = ?", id).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return fault.Newf(fault.NotFound, "no status map %d", id)
	}
	return fault.Newf(fault.PreconditionFailed, "status map %d was changed by somebody else; read it again", id)
}
