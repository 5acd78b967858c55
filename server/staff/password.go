package staff

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
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

// SetPassword gives a user a new password and ends all their sessions. Needs an
// admin. NotFound for an unknown user, Invalid for a short password.
func (s *Service) SetPassword(ctx context.Context, userID int64, password string) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	return s.replaceHash(ctx, userID, hash, uuid.Nil)
}

// ChangePassword changes the password of the signed-in user, who proves to be
// the one by the current password, and ends all their sessions but the one they
// act by.
// Invalid at Current if that is wrong, Invalid for a short new one.
func (s *Service) ChangePassword(ctx context.Context, current, password string) error {
	actor, err := person(ctx)
	if err != nil {
		return err
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
	return s.replaceHash(ctx, u.ID, hash, actor.SessionID)
}

func (s *Service) replaceHash(ctx context.Context, userID int64, hash string, keep uuid.UUID) error {
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Exec("UPDATE users SET password_hash = ?, version = version + 1 WHERE id = ?", hash, userID)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no user %d", userID)
		}
		return s.endSessions(tx, userID, keep)
	})
	return userFault("set password", err)
}

// Cost is the work of one argon2id hash.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// defaultCost is above OWASP's least (46 MiB, one pass, one thread).
var defaultCost = Cost{Memory: 64 << 10, Passes: 2, Threads: 2}

const phcFormat = "$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s"

// newHash checks that password may be used and hashes it with a fresh salt, in
// the PHC string format.
func (s *Service) newHash(ctx context.Context, password string) (string, error) {
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
	sum, err := s.argon(ctx, s.Cost, salt, password)
	return phc(s.Cost, salt, sum), err
}

func phc(c Cost, salt, sum []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf(phcFormat, c.Memory, c.Passes, c.Threads, b64(salt), b64(sum))
}

// verify tells whether password is the one hash was made of.
func (s *Service) verify(ctx context.Context, hash, password string) (bool, error) {
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
func (s *Service) argon(ctx context.Context, c Cost, salt []byte, password string) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		return argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Threads, 32), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("hash password: %w", ctx.Err())
	}
}

func parseHash(hash string) (c Cost, salt, sum []byte, err error) {
	fields := strings.Split(hash, "$")
	if len(fields) != 6 || fields[1] != "argon2id" || fields[2] != "v=19" {
		return c, nil, nil, errors.New("password hash is not argon2id")
	}
	_, err = fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &c.Memory, &c.Passes, &c.Threads)
	if err != nil || c.Memory > 1<<20 || c.Passes < 1 || c.Threads < 1 {
		return c, nil, nil, errors.New("password hash has unknown parameters")
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(fields[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(fields[5])
	return c, salt, sum, errors.Join(saltErr, sumErr)
}
