package staff

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// SavedView is how a member of the staff likes to look at a list: its filters,
// order and columns, as the query of the list's page. A shared one is there for
// all of the staff; its owner, and admins, change and delete it.
type SavedView struct {
	ID        int64  `gorm:"primaryKey" odata:"computed"`
	UserID    int64  `odata:"computed"`
	List      string `odata:"immutable" validate:"required,max=40"` // which list, such as leads
	Name      string `validate:"required,max=100"`
	Query     string `validate:"max=8000"` // url-encoded
	Shared    bool
	CreatedAt time.Time `odata:"computed"`
	Version   int64     `odata:"computed,etag"`
}

// mostViews is how many views of one list a user may save.
const mostViews = 100

// CreateView saves a view of the user in ctx and fills in its computed
// properties. Needs a viewer. Invalid for wrong properties, Conflict where the
// user has a view of that list by that name.
func (s *Service) CreateView(ctx context.Context, v *SavedView) error {
	actor, err := watching(ctx)
	if err != nil {
		return err
	}
	next := *v
	next.ID, next.UserID, next.CreatedAt, next.Version = 0, actor.UserID, s.Now(), 1
	next.Name = strings.TrimSpace(next.Name)
	if err := fault.Validate(&next); err != nil {
		return err
	}
	var stored SavedView
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		stored = next
		var n int64
		if err := tx.Model(&SavedView{}).Where("user_id = ? AND list = ?", next.UserID, next.List).Count(&n).Error; err != nil {
			return err
		}
		if n >= mostViews {
			return fault.Newf(fault.Conflict, "you have %d saved views already", n)
		}
		return tx.Create(&stored).Error
	})
	if err != nil {
		return viewFault("create view", err)
	}
	*v = stored
	return nil
}

// UpdateView saves the changed view v. Needs its owner, or an admin where it is
// shared. NotFound for an unknown view and for one that the user does not see,
// Forbidden for somebody else's, PreconditionFailed if it is no longer the Version
// that v was read at, Conflict for a name that is taken.
func (s *Service) UpdateView(ctx context.Context, v *SavedView) error {
	next := *v
	next.Name = strings.TrimSpace(next.Name)
	if err := fault.Validate(&next); err != nil {
		return err
	}
	next.Version++
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		if _, err := s.ownView(ctx, tx, v.ID); err != nil {
			return err
		}
		res := tx.Model(&SavedView{}).Where("id = ? AND version = ?", v.ID, v.Version).Select("Name", "Query", "Shared", "Version").Updates(&next)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.Newf(fault.PreconditionFailed, "view %d was changed by somebody else; read it again", v.ID)
		}
		return res.Error
	})
	if err != nil {
		return viewFault("update view", err)
	}
	*v = next
	return nil
}

// DeleteView deletes a view. Who may is as with UpdateView.
func (s *Service) DeleteView(ctx context.Context, id int64) error {
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		v, err := s.ownView(ctx, tx, id)
		if err != nil {
			return err
		}
		return tx.Delete(v).Error
	})
	return viewFault("delete view", err)
}

// ownView is the view with the id, if the user in ctx may change it.
func (s *Service) ownView(ctx context.Context, tx *gorm.DB, id int64) (*SavedView, error) {
	actor, err := watching(ctx)
	if err != nil {
		return nil, err
	}
	var v SavedView
	err = tx.Where("id = ?", id).Take(&v).Error
	switch mine := v.UserID == actor.UserID; {
	case errors.Is(err, gorm.ErrRecordNotFound), err == nil && !mine && !v.Shared:
		return nil, fault.Newf(fault.NotFound, "no view %d", id)
	case err != nil:
		return nil, err
	case !mine && actor.Role < store.Admin:
		return nil, fault.New(fault.Forbidden, "this view is somebody else's")
	}
	return &v, nil
}

// watching is the actor of ctx, who must be a member of the staff.
func watching(ctx context.Context) (store.Actor, error) {
	actor := store.ActorOf(ctx)
	if err := store.Require(ctx, store.Viewer); err != nil {
		return actor, err
	}
	if actor.Kind != store.Staff {
		return actor, fault.New(fault.Forbidden, "views belong to members of the staff")
	}
	return actor, nil
}

func viewFault(doing string, err error) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return fault.New(fault.Conflict, "you have a view by that name already").At("Name")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}
