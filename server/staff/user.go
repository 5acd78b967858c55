package staff

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// User is a member of the staff. The password is stored as an argon2id hash.
type User struct {
	ID           int64     `gorm:"primaryKey" odata:"computed"`
	Email        string    `validate:"required,email,max=254"` // lower case
	Name         string    `validate:"max=200"`
	Role         string    `validate:"required,oneof=admin manager viewer"`
	PasswordHash string    `odata:"-"`
	Password     string    `gorm:"-" odata:"writeonly"`
	Active       bool      // an inactive user cannot sign in
	Language     string    `odata:"computed"` // of the console; see Profile
	TimeZone     string    `odata:"computed"`
	CreatedAt    time.Time `odata:"computed"`
	Version      int64     `odata:"computed,etag"`

	Groups []GroupMember
}

// NewUser returns a user with the defaults of a new one: active.
func NewUser() *User { return &User{Active: true} }

// CreateUser stores u with its Password and fills in the computed properties.
// Needs an admin. Invalid for wrong properties or a short password, Conflict for
// an e-mail address that is taken.
func (s *Service) CreateUser(ctx context.Context, u *User) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	next := *u
	if err := next.prepare(); err != nil {
		return err
	}
	hash, err := s.newHash(ctx, u.Password)
	if err != nil {
		return err
	}
	next.ID, next.PasswordHash, next.Password, next.CreatedAt, next.Version = 0, hash, "", s.Now(), 1
	var stored User
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		stored = next
		if err := tx.Omit(clause.Associations).Create(&stored).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "create", Entity: "User", Key: stored.ID, After: &stored})
	})
	if err != nil {
		return userFault("create user", err)
	}
	*u = stored
	return nil
}

// UpdateUser saves the changed user u, and a new password if Password is not
// empty. A new password or Active set to false ends all sessions of the user.
// Needs an admin. NotFound for an unknown user, PreconditionFailed if it is no
// longer the Version that u was read at, Conflict for a taken e-mail address, for
// taking away the last active admin, and for one's own role and access.
func (s *Service) UpdateUser(ctx context.Context, u *User) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	next := *u
	if err := next.prepare(); err != nil {
		return err
	}
	columns := []string{"Email", "Name", "Role", "Active", "Version"}
	if u.Password != "" {
		hash, err := s.newHash(ctx, u.Password)
		if err != nil {
			return err
		}
		next.PasswordHash = hash
		columns = append(columns, "PasswordHash")
	}
	next.Password = ""
	next.Version++
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		if err := holdAdmins(tx); err != nil {
			return err
		}
		var old User
		if err := tx.Limit(1).Find(&old, "id = ?", u.ID).Error; err != nil {
			return err
		}
		res := tx.Model(&User{}).Where("id = ? AND version = ?", u.ID, u.Version).Select(columns).Updates(&next)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return userMoved(tx, u.ID)
		}
		store.AfterCommit(tx.Statement.Context, s.live.purge)
		if u.Password != "" || !next.Active {
			if err := s.endSessions(tx, u.ID, uuid.Nil); err != nil {
				return err
			}
		}
		if err := keepAnAdmin(tx); err != nil {
			return err
		}
		if self(ctx, u.ID) && (!next.Active || next.Role != old.Role) {
			return errOwnAccess
		}
		if u.Password == "" {
			next.PasswordHash = old.PasswordHash
		}
		return store.Audit(tx, store.Change{Action: "update", Entity: "User", Key: u.ID, Before: &old, After: &next})
	})
	if err != nil {
		return userFault("update user", err)
	}
	*u = next
	return nil
}

// DeleteUser removes a user and their sessions. Needs an admin. NotFound for an
// unknown user, Conflict for one that rules still refer to, for the last active
// admin, and for oneself.
func (s *Service) DeleteUser(ctx context.Context, id int64) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		if err := holdAdmins(tx); err != nil {
			return err
		}
		var old User
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		if err := tx.Where("user_id = ?", id).Delete(&Session{}).Error; err != nil {
			return err
		}
		res := tx.Where("id = ?", id).Delete(&User{})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no user %d", id)
		}
		store.AfterCommit(tx.Statement.Context, s.live.purge)
		if err := keepAnAdmin(tx); err != nil {
			return err
		}
		if self(ctx, id) {
			return errOwnAccess
		}
		return store.Audit(tx, store.Change{Action: "delete", Entity: "User", Key: id, Before: &old})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.New(fault.Conflict, "this user still owns something: set Active to false instead")
	}
	return userFault("delete user", err)
}

// ListUsers gives all users by e-mail address. Needs an admin.
func (s *Service) ListUsers(ctx context.Context) ([]User, error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return nil, err
	}
	var list []User
	err := s.DB.Read(ctx).Order("email").Find(&list).Error
	return list, userFault("list users", err)
}

// UserByEmail finds a user by e-mail address, whatever its case. Needs an admin.
// NotFound if there is none.
func (s *Service) UserByEmail(ctx context.Context, email string) (*User, error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return nil, err
	}
	var u User
	err := s.DB.Read(ctx).Where("email = ?", foldEmail(email)).Take(&u).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fault.Newf(fault.NotFound, "no user %s", foldEmail(email))
	}
	return &u, userFault("find user", err)
}

func (u *User) prepare() error {
	u.Email, u.Name = foldEmail(u.Email), strings.TrimSpace(u.Name)
	return fault.Validate(u)
}

func foldEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// holdAdmins makes other changes of users wait until this transaction ends: of two
// admins who take each other's role away at once, each would see the other left.
func holdAdmins(tx *gorm.DB) error {
	if tx.Name() != store.Postgres { // SQLite has one writer
		return nil
	}
	return tx.Exec("SELECT id FROM users WHERE role = 'admin' AND active ORDER BY id FOR NO KEY UPDATE").Error
}

// keepAnAdmin refuses a change that would leave users, but no active admin among
// them: nobody could let anyone in again.
func keepAnAdmin(tx *gorm.DB) error {
	var admins int64
	err := tx.Model(&User{}).Where("role = ? AND active", "admin").Count(&admins).Error
	if err == nil && admins == 0 {
		return fault.New(fault.Conflict, "this would leave no active admin")
	}
	return err
}

// errOwnAccess keeps people from locking themselves out.
var errOwnAccess = fault.New(fault.Conflict, "nobody can take away their own access or role: another admin can")

// self reports whether the actor of ctx is the user.
func self(ctx context.Context, id int64) bool {
	a := store.ActorOf(ctx)
	return a.Kind == store.Staff && a.UserID == id
}

func userMoved(tx *gorm.DB, id int64) error {
	var n int64
	if err := tx.Model(&User{}).Where("id = ?", id).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return fault.Newf(fault.NotFound, "no user %d", id)
	}
	return fault.Newf(fault.PreconditionFailed, "user %d was changed by somebody else; read it again", id)
}

func userFault(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.New(fault.Conflict, "another user has this e-mail address").At("Email")
	}
	return fmt.Errorf("%s: %w", op, err)
}
