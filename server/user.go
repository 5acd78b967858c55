package server

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// The bounds of a password: in characters below, in bytes above.
const (
	minPassword = 10
	maxPassword = 1024
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
	CreatedAt    time.Time `odata:"computed"`
	Version      int64     `odata:"computed,etag"`
}

// NewUser returns a user with the defaults of a new one: active.
func NewUser() *User { return &User{Active: true} }

// CreateUser stores u with its Password and fills in the computed properties.
// Needs an admin. Invalid for wrong properties or a short password, Conflict for
// an e-mail address that is taken.
func (s *Staff) CreateUser(ctx context.Context, u *User) error {
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
		return tx.Create(&stored).Error
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
// longer the Version that u was read at, Conflict for a taken e-mail address and
// for taking away the last active admin.
func (s *Staff) UpdateUser(ctx context.Context, u *User) error {
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
		res := tx.Model(&User{}).Where("id = ? AND version = ?", u.ID, u.Version).Select(columns).Updates(&next)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return userMoved(tx, u.ID)
		}
		store.AfterCommit(tx.Statement.Context, s.live.purge)
		if u.Password != "" || !next.Active {
			if err := s.endSessions(tx, u.ID); err != nil {
				return err
			}
		}
		return keepAnAdmin(tx)
	})
	if err != nil {
		return userFault("update user", err)
	}
	*u = next
	return nil
}

// DeleteUser removes a user and their sessions. Needs an admin. NotFound for an
// unknown user, Conflict for one that rules still refer to, and for the last
// active admin.
func (s *Staff) DeleteUser(ctx context.Context, id int64) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
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
		return keepAnAdmin(tx)
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return fault.New(fault.Conflict, "this user still owns something: set Active to false instead")
	}
	return userFault("delete user", err)
}

// SetPassword gives a user a new password and ends all their sessions. Needs an
// admin. NotFound for an unknown user, Invalid for a short password.
func (s *Staff) SetPassword(ctx context.Context, userID int64, password string) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	return s.replaceHash(ctx, userID, hash)
}

// ChangePassword changes the password of the signed-in user, who proves to be
// the one by the current password, and ends all their sessions, this one too.
// Invalid at Current if that is wrong, Invalid for a short new one.
func (s *Staff) ChangePassword(ctx context.Context, current, password string) error {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return err
	}
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Staff {
		return fault.New(fault.Forbidden, "only staff have a password of their own")
	}
	var u User
	if err := s.DB.Read(ctx).Take(&u, actor.UserID).Error; err != nil {
		return userFault("change password", err)
	}
	ok, err := s.verify(ctx, u.PasswordHash, current)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Invalid, "the current password is wrong").At("Current")
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	return s.replaceHash(ctx, u.ID, hash)
}

func (s *Staff) replaceHash(ctx context.Context, userID int64, hash string) error {
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Exec("UPDATE users SET password_hash = ?, version = version + 1 WHERE id = ?", hash, userID)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no user %d", userID)
		}
		return s.endSessions(tx, userID)
	})
	return userFault("set password", err)
}

// ListUsers gives all users by e-mail address. Needs an admin.
func (s *Staff) ListUsers(ctx context.Context) ([]User, error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return nil, err
	}
	var list []User
	err := s.DB.Read(ctx).Order("email").Find(&list).Error
	return list, userFault("list users", err)
}

// UserByEmail finds a user by e-mail address, whatever its case. Needs an admin.
// NotFound if there is none.
func (s *Staff) UserByEmail(ctx context.Context, email string) (*User, error) {
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

// cost is the work of one argon2id hash.
type cost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

// defaultCost is above OWASP's least (46 MiB, one pass, one thread).
var defaultCost = cost{memory: 64 << 10, passes: 2, threads: 2}

const phcFormat = "$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s"

// newHash checks that password may be used and hashes it with a fresh salt, in
// the PHC string format.
func (s *Staff) newHash(ctx context.Context, password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", fault.Newf(fault.Invalid, "the password must have at least %d characters", minPassword).At("Password")
	case len(password) > maxPassword:
		return "", fault.Newf(fault.Invalid, "the password is longer than %d bytes", maxPassword).At("Password")
	}
	salt := make([]byte, 16)
	if _, err := io.ReadFull(s.Rand, salt); err != nil {
		return "", fmt.Errorf("hash password: %w", err)
	}
	sum, err := s.argon(ctx, s.cost, salt, password)
	return phc(s.cost, salt, sum), err
}

func phc(c cost, salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf(phcFormat, c.memory, c.passes, c.threads, b64(salt), b64(sum))
}

// verify tells whether password is the one hash was made of.
func (s *Staff) verify(ctx context.Context, hash, password string) (bool, error) {
	c, salt, want, err := parseHash(hash)
	if err != nil {
		return false, err
	}
	if len(password) > maxPassword {
		password = "" // no hash is of the empty password; the work stays the same
	}
	sum, err := s.argon(ctx, c, salt, password)
	return err == nil && subtle.ConstantTimeCompare(sum, want) == 1, err
}

// argon hashes, at most two at once in the process: each takes 64 MiB.
func (s *Staff) argon(ctx context.Context, c cost, salt []byte, password string) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		return argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.threads, 32), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("hash password: %w", ctx.Err())
	}
}

func parseHash(hash string) (c cost, salt, sum []byte, err error) {
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[1] != "argon2id" || fields[2] != "v=19" {
		return c, nil, nil, errors.New("password hash is not argon2id")
	}
	_, err = fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.threads)
	if err != nil || c.memory > 1<<20 || c.passes < 1 || c.threads < 1 {
		return c, nil, nil, errors.New("password hash has unknown parameters")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(fields[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(fields[5])
	return c, salt, sum, errors.Join(saltErr, sumErr)
}
