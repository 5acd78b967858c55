package staff

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// BrowserLifetime is how long a browser's session lasts without being used.
const BrowserLifetime = 14 * 24 * time.Hour

// seenEvery is how often the use of a session is written down.
const seenEvery = 5 * time.Minute

// Browser is where a session of the console is used from: the User-Agent as it
// was sent, and the remote address.
type Browser struct {
	Agent   string
	Address netip.Addr
}

// OpenBrowser signs in as SignIn does, with its faults, and gives the secret of
// a session for one browser's cookie. Only its hash is kept. It lets into the
// console alone: it is neither an access token nor a refresh token.
func (s *Service) OpenBrowser(ctx context.Context, email, password string, b Browser) (secret string, err error) {
	tokens, err := s.SignIn(ctx, email, password, b.Address)
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
			"agent": cut(b.Agent, 300), "address": b.Address.String(),
		}).Error
	})
	if err != nil {
		return "", fmt.Errorf("open browser session: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// Browsing gives the user whose browser holds secret, the actor they are, and
// the session. Unauthorized if the session or its user has ended, which is seen
// at once: it is read each time.
func (s *Service) Browsing(ctx context.Context, secret string) (*User, store.Actor, *Session, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(raw) != 32 {
		return nil, store.Actor{}, nil, errSession
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
		return nil, store.Actor{}, nil, errSession
	}
	if err != nil {
		return nil, store.Actor{}, nil, fmt.Errorf("browser session: %w", err)
	}
	role, ok := store.ParseRole(u.Role)
	if !ok {
		return nil, store.Actor{}, nil, fmt.Errorf("user %d has the unknown role %q", u.ID, u.Role)
	}
	if session.SeenAt == nil || now.Sub(*session.SeenAt) >= seenEvery {
		err = s.DB.Write(ctx, func(tx *gorm.DB) error {
			return tx.Exec("UPDATE sessions SET seen_at = ?, expires_at = ? WHERE id = ?", now, now.Add(BrowserLifetime), session.ID).Error
		})
	}
	return &u, store.Actor{Kind: store.Staff, UserID: u.ID, Role: role, Name: u.Email}, &session, err
}

// MySessions are the sessions of the signed-in user that have not ended, the
// latest used first.
func (s *Service) MySessions(ctx context.Context) ([]Session, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	var list []Session
	err := s.DB.Read(ctx).Where("user_id = ? AND revoked_at IS NULL AND used_at IS NULL AND expires_at > ?",
		store.ActorOf(ctx).UserID, s.Now()).Order("COALESCE(seen_at, created_at) DESC, id").Find(&list).Error
	return list, userFault("list sessions", err)
}

// EndSession ends a session of the signed-in user, with all that came of its
// sign-in. NotFound for one that is not theirs.
func (s *Service) EndSession(ctx context.Context, id uuid.UUID) error {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return err
	}
	var session Session
	err := s.DB.Read(ctx).Where("id = ? AND user_id = ?", id, store.ActorOf(ctx).UserID).Take(&session).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.Newf(fault.NotFound, "no session %s", id)
	}
	if err != nil {
		return userFault("end session", err)
	}
	return s.endFamily(ctx, session.Family)
}

// browserHash is what is stored of a browser's secret. Its purpose is its own,
// so that a cookie is no refresh token.
func (s *Service) browserHash(raw []byte) []byte { return s.Vault.MAC("browser session", raw) }

// cut is at most the first n bytes of text, whole characters only.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xC0 == 0x80 {
		n--
	}
	return text[:n]
}
