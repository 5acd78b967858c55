package staff

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// setUpLifetime is how long the link that makes the first admin works.
const setUpLifetime = 24 * time.Hour

// setUpPrefix begins the names of settings that hold when such a link ends.
const setUpPrefix = "setup:"

// errSetUp is the one answer to every token that makes no first admin.
var errSetUp = fault.New(fault.Unauthorized, "This link has been used, or is too old, or there are users already.")

// OfferSetUp gives a token by which SetUp makes the first user: 43 letters, digits,
// - and _. It works once, within a day, while there is no user; "" if there is
// one already. Needs an admin, as the program itself is.
func (s *Service) OfferSetUp(ctx context.Context) (token string, err error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return "", err
	}
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		return "", fmt.Errorf("offer set-up: %w", err)
	}
	now := s.Now()
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		token = ""
		var users int64
		if err := tx.Model(&User{}).Count(&users).Error; err != nil {
			return err
		}
		if err := tx.Exec("DELETE FROM settings WHERE name LIKE '"+setUpPrefix+"%' AND (value <= ? OR ? > 0)", now.Format(time.RFC3339), users).Error; err != nil || users > 0 {
			return err
		}
		token = base64.RawURLEncoding.EncodeToString(raw)
		return tx.Exec("INSERT INTO settings (name, value) VALUES (?, ?)", s.setUpName(raw), now.Add(setUpLifetime).Format(time.RFC3339)).Error
	})
	if err != nil {
		return "", fmt.Errorf("offer set-up: %w", err)
	}
	return token, nil
}

// CanSetUp reports whether SetUp would take the token now.
func (s *Service) CanSetUp(ctx context.Context, token string) (bool, error) {
	ok, err := s.setUpOpen(s.DB.Read(ctx), token)
	if err != nil {
		return false, fmt.Errorf("set up: %w", err)
	}
	return ok, nil
}

// SetUp makes the first user, an admin, for who has the token that OfferSetUp
// gave. Unauthorized, for all reasons alike, where the token is none, is too old,
// or there are users; Invalid as CreateUser.
func (s *Service) SetUp(ctx context.Context, token, email, name, password string) error {
	// The password is hashed for who may set up alone: it takes memory and time.
	if ok, err := s.CanSetUp(ctx, token); err != nil || !ok {
		if err == nil {
			err = errSetUp
		}
		return err
	}
	u := User{Email: email, Name: name, Role: "admin", Active: true}
	if err := u.prepare(); err != nil {
		return err
	}
	hash, err := s.newHash(ctx, password)
	if err != nil {
		return err
	}
	u.PasswordHash, u.CreatedAt, u.Version = hash, s.Now(), 1
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		if ok, err := s.setUpOpen(tx, token); err != nil || !ok {
			if err == nil {
				err = errSetUp
			}
			return err
		}
		// All of them end, and only one of two at once finds this one.
		res := tx.Exec("DELETE FROM settings WHERE name LIKE '" + setUpPrefix + "%'")
		if res.Error == nil && res.RowsAffected == 0 {
			return errSetUp
		}
		if res.Error != nil {
			return res.Error
		}
		row := u
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "SetUp", Entity: "User", Key: row.ID, After: &row})
	})
	return userFault("set up", err)
}

// setUpOpen reports whether the token is one that works still.
func (s *Service) setUpOpen(tx *gorm.DB, token string) (bool, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != 32 {
		return false, nil
	}
	var open int64
	err = tx.Raw("SELECT count(*) FROM settings WHERE name = ? AND value > ? AND NOT EXISTS (SELECT 1 FROM users)",
		s.setUpName(raw), s.Now().Format(time.RFC3339)).Scan(&open).Error
	return open > 0, err
}

func (s *Service) setUpName(raw []byte) string {
	return setUpPrefix + hex.EncodeToString(s.Vault.MAC("set-up token", raw))
}
