package staff

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

// BrowserLifetime is how long a browser's session lasts without being used.
const BrowserLifetime = 14 * 24 * time.Hour

// seenEvery is how often the use of a session is written down.
const seenEvery = 5 * time.Minute

// OpenBrowser signs in as SignIn does, with its faults, and gives the secret of
// a session for one browser's cookie. Only its hash is kept. It lets into the
// console alone: it is neither an access token nor a refresh token.
func (s *Service) OpenBrowser(ctx context.Context, email, password string, c Client) (secret string, err error) {
	tokens, err := s.SignIn(WithClient(ctx, c), email, password, c.Address)
	if err != nil {
		return "", err
	}
	hash, _ := s.tokenHash(tokens.RefreshToken)
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		return "", fmt.Errorf("open browser session: %w", err)
	}
	now := s.Now()
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		return tx.Model(&Session{}).Where("token_hash = ?", hash).Updates(map[string]any{
			"token_hash": s.browserHash(raw), "expires_at": now.Add(BrowserLifetime), "seen_at": now,
		}).Error
	})
	if err != nil {
		return "", fmt.Errorf("open browser session: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Browsing gives the user whose browser holds secret and the actor they are.
// Unauthorized if the session or its user has ended, which is seen
// at once: it is read each time.
func (s *Service) Browsing(ctx context.Context, secret string) (*User, store.Actor, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return nil, store.Actor{}, errSession
	}
	now := s.Now()
	db := s.DB.Read(ctx)
	var session Session
	var u User
	err = db.Where("token_hash = ? AND revoked_at IS NULL AND expires_at > ?", s.browserHash(raw), now).Take(&session).Error
	if err == nil {
		err = db.Where("id = ? AND active", session.UserID).Take(&u).Error
	}
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, store.Actor{}, errSession
	}
	if err != nil {
		return nil, store.Actor{}, fmt.Errorf("browser session: %w", err)
	}
	role, ok := store.ParseRole(u.Role)
	if !ok {
		return nil, store.Actor{}, fmt.Errorf("user %d has the unknown role %q", u.ID, u.Role)
	}
	if session.SeenAt == nil || now.Sub(*session.SeenAt) >= seenEvery {
		err = s.DB.Write(ctx, func(tx *gorm.DB) error {
			return tx.Exec("UPDATE sessions SET seen_at = ?, expires_at = ? WHERE id = ?", now, now.Add(BrowserLifetime), session.ID).Error
		})
	}
	return &u, store.Actor{Kind: store.Staff, UserID: u.ID, Role: role, SessionID: session.Family, Name: u.Email, Through: store.Console}, err
}

// browserHash is what is stored of a browser's secret. Its purpose is its own,
// so that a cookie is no refresh token.
func (s *Service) browserHash(raw []byte) []byte { return s.Vault.MAC("browser session", raw) }
