package staff

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Group is members of the staff taken together, so that rules can be shown to all
// of them.
type Group struct {
	ID          int64     `gorm:"primaryKey" odata:"computed"`
	Name        string    `validate:"required,max=200"`
	Description string    `validate:"max=2000"`
	CreatedAt   time.Time `odata:"computed"`
	Version     int64     `odata:"computed,etag"`

	Members []GroupMember `odata:"partner=Group"`
}

// GroupMember says that a user is in a group.
type GroupMember struct {
	GroupID int64 `gorm:"primaryKey;autoIncrement:false" validate:"required"`
	UserID  int64 `gorm:"primaryKey;autoIncrement:false" validate:"required"`

	Group *Group
	User  *User `odata:"partner=Groups"`
}

// key is that of the OData entity.
func (m *GroupMember) key() string { return fmt.Sprintf("GroupID=%d,UserID=%d", m.GroupID, m.UserID) }

// CreateGroup stores g and fills in the computed properties. Needs an admin.
// Invalid for wrong properties, Conflict for a name that is taken.
func (s *Service) CreateGroup(ctx context.Context, g *Group) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	next := *g
	if err := next.prepare(); err != nil {
		return err
	}
	next.ID, next.CreatedAt, next.Version = 0, s.Now(), 1
	var stored Group
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		stored = next
		if err := tx.Omit(clause.Associations).Create(&stored).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "Group", Key: stored.ID, After: &stored})
	})
	if err != nil {
		return groupFault("create group", err)
	}
	*g = stored
	return nil
}

// UpdateGroup saves the changed group g. Needs an admin. NotFound for an unknown
// group, PreconditionFailed if it is no longer the Version that g was read at,
// Conflict for a name that is taken.
func (s *Service) UpdateGroup(ctx context.Context, g *Group) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	next := *g
	if err := next.prepare(); err != nil {
		return err
	}
	next.Version++
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Group
		if err := tx.Limit(1).Find(&old, "id = ?", g.ID).Error; err != nil {
			return err
		}
		if old.ID == 0 {
			return fault.Newf(fault.NotFound, "no group %d", g.ID)
		}
		res := tx.Model(&Group{}).Where("id = ? AND version = ?", g.ID, g.Version).Select("Name", "Description", "Version").Updates(&next)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.PreconditionFailed, "group %d was changed by somebody else; read it again", g.ID)
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "Group", Key: g.ID, Before: &old, After: &next})
	})
	if err != nil {
		return groupFault("update group", err)
	}
	*g = next
	return nil
}

// DeleteGroup removes a group: rules that it could see are hidden from its members
// at once, unless they see them otherwise. Needs an admin. NotFound for an unknown
// group.
func (s *Service) DeleteGroup(ctx context.Context, id int64) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Group
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		res := tx.Where("id = ?", id).Delete(&Group{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no group %d", id)
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "Group", Key: id, Before: &old})
	})
	return groupFault("delete group", err)
}

// AddMember puts a user into a group. Needs an admin. Invalid for a group or user
// that does not exist, Conflict for one that is in it.
func (s *Service) AddMember(ctx context.Context, m *GroupMember) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	if err := fault.Validate(m); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		row := *m
		if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "GroupMember", Key: row.key(), After: &row})
	})
	switch {
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.New(fault.Conflict, "the user is in the group already")
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return fault.Newf(fault.Invalid, "there is no group %d, or no user %d", m.GroupID, m.UserID).At("UserID")
	}
	return groupFault("add member", err)
}

// RemoveMember takes a user out of a group. Needs an admin. NotFound for one that
// is not in it.
func (s *Service) RemoveMember(ctx context.Context, groupID, userID int64) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Where("group_id = ? AND user_id = ?", groupID, userID).Delete(&GroupMember{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "user %d is not in group %d", userID, groupID)
		}
		row := GroupMember{GroupID: groupID, UserID: userID}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "GroupMember", Key: row.key(), Before: &row})
	})
	return groupFault("remove member", err)
}

func (g *Group) prepare() error {
	g.Name = strings.TrimSpace(g.Name)
	return fault.Validate(g)
}

func groupFault(op string, err error) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return fault.New(fault.Conflict, "another group has this name").At("Name")
	}
	return userFault(op, err)
}
