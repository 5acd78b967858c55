package staff

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

const (
	signingLifetime = 30 * 24 * time.Hour // after which a signing key is replaced
	ringLifetime    = 2 * time.Second     // how long a change on another server may go unseen
	ringPause       = 100 * time.Millisecond
	// signingGrace is how long a key that was replaced verifies: as long as the last
	// token signed under it, by a server that had not heard yet, may live.
	signingGrace = accessLifetime + time.Minute
)

// SigningKey is what access tokens are signed under, sealed under the vault. The
// one without an end signs; the others verify until theirs.
type SigningKey struct {
	ID        string `gorm:"primaryKey"` // the header kid of tokens
	Secret    []byte
	CreatedAt time.Time
	EndsAt    *time.Time
}

// keyring are the signing keys as they were at loaded.
type keyring struct {
	mu      sync.Mutex
	keys    map[string]ringKey
	current string
	loaded  time.Time
}

type ringKey struct {
	id     string
	secret []byte
	made   time.Time
	ends   *time.Time
}

// RotateSigningKey has further access tokens signed under a new key. Those signed
// before stay good until they expire, or if atOnce is set end now; who has a
// refresh token goes on with that. Servers that run follow within two seconds.
// Needs an admin.
func (s *Service) RotateSigningKey(ctx context.Context, atOnce bool) error {
	if err := store.Require(ctx, store.Admin); err != nil {
		return err
	}
	grace := signingGrace
	if atOnce {
		grace = 0
	}
	return s.replaceKey(ctx, s.Now(), grace)
}

// replaceKey makes a new signing key, unless there is one that was made after
// before. The others verify for grace more at most.
func (s *Service) replaceKey(ctx context.Context, before time.Time, grace time.Duration) error {
	raw := make([]byte, 8+32)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	now := s.Now()
	row := SigningKey{ID: base64.RawURLEncoding.EncodeToString(raw[:8]), Secret: s.Vault.Seal(raw[8:]), CreatedAt: now}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		end := now.Add(grace)
		err := tx.Exec("UPDATE signing_keys SET ends_at = ? WHERE created_at <= ? AND (ends_at IS NULL OR ends_at > ?)", end, before, end).Error
		if err != nil {
			return err
		}
		if err := tx.Where("ends_at <= ?", now).Delete(&SigningKey{}).Error; err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "RotateSigningKey", Entity: "SigningKey", Key: row.ID, After: store.Facts{"OthersEndAt": end}})
	})
	s.ring.purge()
	if err != nil && !errors.Is(err, gorm.ErrDuplicatedKey) { // there is one that is newer: another server made it
		return fmt.Errorf("make signing key: %w", err)
	}
	return nil
}

// signer is the key to sign under; it makes a new one where that is due.
func (s *Service) signer(ctx context.Context, now time.Time) (ringKey, error) {
	for range 2 {
		keys, current, err := s.loadRing(ctx, now, ringLifetime)
		if err != nil {
			return ringKey{}, err
		}
		if k, ok := keys[current]; ok && now.Sub(k.made) < signingLifetime {
			return k, nil
		}
		program := store.WithActor(ctx, store.Actor{Kind: store.System, Name: "signing keys", Through: store.Program}) // it is no doing of who signs in
		if err := s.replaceKey(program, now.Add(-signingLifetime), signingGrace); err != nil {
			return ringKey{}, err
		}
	}
	return ringKey{}, fault.New(fault.Unavailable, "signing keys changed all the while; try again")
}

// verifier is the secret that tokens of this kid are signed under, nil if there
// is none that still verifies.
func (s *Service) verifier(ctx context.Context, kid string, now time.Time) ([]byte, error) {
	keys, _, err := s.loadRing(ctx, now, ringLifetime)
	if err != nil {
		return nil, err
	}
	k, ok := keys[kid]
	if !ok { // perhaps it was made elsewhere just now
		if keys, _, err = s.loadRing(ctx, now, ringPause); err != nil {
			return nil, err
		}
		k, ok = keys[kid]
	}
	if !ok || k.ends != nil && !now.Before(*k.ends) {
		return nil, nil
	}
	return k.secret, nil
}

// loadRing gives the keys, and which of them signs, not older than age.
func (s *Service) loadRing(ctx context.Context, now time.Time, age time.Duration) (keys map[string]ringKey, current string, err error) {
	s.ring.mu.Lock()
	defer s.ring.mu.Unlock()
	if since := now.Sub(s.ring.loaded); s.ring.keys != nil && since >= 0 && since < age {
		return s.ring.keys, s.ring.current, nil
	}
	var rows []SigningKey
	if err := s.DB.Read(ctx).Find(&rows).Error; err != nil {
		return nil, "", fmt.Errorf("signing keys: %w", err)
	}
	keys = map[string]ringKey{}
	for _, row := range rows {
		secret, err := s.Vault.Open(row.Secret)
		if err != nil {
			return nil, "", fmt.Errorf("signing key %s: %w", row.ID, err)
		}
		keys[row.ID] = ringKey{row.ID, secret, row.CreatedAt, row.EndsAt}
		if row.EndsAt == nil {
			current = row.ID
		}
	}
	s.ring.keys, s.ring.current, s.ring.loaded = keys, current, now
	return keys, current, nil
}

func (r *keyring) purge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys = nil
}
