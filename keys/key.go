package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Key is one secret of a Connection, known only by its Hash. It works until it
// is revoked or, if it has an end, until and not including ExpiresAt.
type Key struct {
	ID           string    `gorm:"primaryKey" odata:"computed"`
	ConnectionID uuid.UUID `odata:"computed"`
	Hash         []byte    `odata:"-"`
	// Scopes narrow those of the connection: the key may do what is in both. Empty:
	// all that the connection may.
	Scopes       []string   `gorm:"serializer:json" odata:"computed" validate:"dive,oneof=feedback:write leads:read routings:read reasons:read"`
	CreatedAt    time.Time  `odata:"computed"`
	ExpiresAt    *time.Time `odata:"computed"`
	RevokedAt    *time.Time `odata:"computed"`
	LastUsedAt   *time.Time `odata:"computed"` // written at most once a minute
	LastUsedFrom *string    `odata:"computed"` // the address, written with LastUsedAt
}

// Issued is a new key. Key is shown here and never again.
type Issued struct {
	ConnectionID uuid.UUID
	KeyID        string
	Key          string
}

// Terms are what a new key is bound to beside its connection. The zero Terms are
// none.
type Terms struct {
	ExpiresAt *time.Time // it works until then; nil: until it is revoked
	Scopes    []string   // the only ones of the connection's it may use; empty: all
}

// Issue makes a new key for the connection; the keys it already has stay as they
// are. Needs a manager. NotFound for an unknown connection, Invalid for an end
// that has passed and for scopes that are none.
func (s *Service) Issue(ctx context.Context, connectionID uuid.UUID, terms Terms) (Issued, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return Issued{}, err
	}
	row, key, err := s.newKey(connectionID, terms)
	if err != nil {
		return Issued{}, err
	}
	if row.ExpiresAt != nil && !row.ExpiresAt.After(row.CreatedAt) {
		return Issued{}, fault.New(fault.Invalid, "ExpiresAt has passed").At("ExpiresAt")
	}
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		return s.store(tx, row, store.Change{Action: "IssueKey"})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return Issued{}, fault.Newf(fault.NotFound, "no connection %v", connectionID)
	}
	if err != nil {
		return Issued{}, fmt.Errorf("issue key: %w", err)
	}
	return Issued{ConnectionID: connectionID, KeyID: row.ID, Key: key}, nil
}

// Rotate replaces a key by a new one of the same scopes. The old one works for
// overlap more, or up to its own end if that is sooner; with an overlap of 0 it
// ends at once. Where the old key had an end, the new one has none. Needs a
// manager. NotFound for an unknown key, Conflict for one that has ended, Invalid
// for an overlap under 0 or over a year.
func (s *Service) Rotate(ctx context.Context, keyID string, overlap time.Duration) (Issued, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return Issued{}, err
	}
	if overlap < 0 || overlap > maxOverlap {
		return Issued{}, fault.New(fault.Invalid, "OverlapHours must be from 0 to 8784").At("OverlapHours")
	}
	var row Key
	var key string
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Key
		if err := tx.Where("id = ?", keyID).Take(&old).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.Newf(fault.NotFound, "no key %s", keyID)
		} else if err != nil {
			return err
		}
		var err error
		if row, key, err = s.newKey(old.ConnectionID, Terms{Scopes: old.Scopes}); err != nil {
			return err
		}
		end := row.CreatedAt.Add(overlap)
		res := tx.Exec(`UPDATE keys SET expires_at = CASE WHEN expires_at < ? THEN expires_at ELSE ? END
			WHERE id = ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)`, end, end, keyID, row.CreatedAt)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.New(fault.Conflict, "this key has ended; issue a new one")
		}
		if res.Error != nil {
			return res.Error
		}
		return s.store(tx, row, store.Change{Action: "Rotate", Before: &old})
	})
	if err != nil {
		return Issued{}, fmt.Errorf("rotate key: %w", err)
	}
	return Issued{ConnectionID: row.ConnectionID, KeyID: row.ID, Key: key}, nil
}

// maxOverlap is the longest time for which a key that was replaced may go on.
const maxOverlap = 366 * 24 * time.Hour

// newKey makes the row of a new key, and the key itself.
func (s *Service) newKey(connectionID uuid.UUID, terms Terms) (row Key, key string, err error) {
	var random [16 + 32]byte
	if _, err := io.ReadFull(s.Rand, random[:]); err != nil {
		return Key{}, "", fmt.Errorf("make key: %w", err)
	}
	id, key := compose(random[:16], random[16:])
	row = Key{
		ID: id, ConnectionID: connectionID, Hash: s.hash(key), CreatedAt: s.Now(), ExpiresAt: moment(terms.ExpiresAt),
		Scopes: append([]string{}, terms.Scopes...),
	}
	return row, key, fault.Validate(&row)
}

// store stores a new key and records why. One that was refused moments ago as
// unknown must work from now on.
func (s *Service) store(tx *gorm.DB, row Key, why store.Change) error {
	store.AfterCommit(tx.Statement.Context, s.cache.purge)
	if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
		return err
	}
	why.Entity, why.Key, why.After = "Key", row.ID, &row
	return store.Audit(tx, why)
}

// Revoke ends a key for good: at once on this server, within two seconds on
// others. Revoking it again changes nothing. Needs a manager. NotFound for an
// unknown key.
func (s *Service) Revoke(ctx context.Context, keyID string) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error { return s.revoke(tx, keyID, "Revoke") })
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return nil
}

// known returns NotFound for a key that does not exist.
func known(tx *gorm.DB, keyID string) error {
	var n int64
	if err := tx.Model(&Key{}).Where("id = ?", keyID).Count(&n).Error; err != nil || n > 0 {
		return err
	}
	return fault.Newf(fault.NotFound, "no key %s", keyID)
}

// RevokeOwn revokes the key that is given, for whoever holds it: who finds a
// leaked key can end it with nothing else, from any address and on any day. It
// returns the one Unauthorized fault of Authenticate for a key that is not known;
// one that was revoked before is no error.
func (s *Service) RevokeOwn(ctx context.Context, key string) error {
	id, ok := parse(key)
	if !ok {
		return errRefused
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var n int64
		if err := tx.Model(&Key{}).Where("id = ? AND hash = ?", id, s.hash(key)).Count(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			return errRefused
		}
		return s.revoke(tx, id, "RevokeOwn")
	})
	if err != nil {
		return fmt.Errorf("revoke own key: %w", err)
	}
	return nil
}

// revoke ends a key and records that it did; NotFound for an unknown one.
func (s *Service) revoke(tx *gorm.DB, keyID, action string) error {
	store.AfterCommit(tx.Statement.Context, s.cache.purge)
	var now Key
	res := tx.Model(&now).Clauses(clause.Returning{}).Where("id = ? AND revoked_at IS NULL", keyID).Update("revoked_at", s.Now())
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected == 0 {
		return known(tx, keyID)
	}
	old := now
	old.RevokedAt = nil
	return store.Audit(tx, store.Change{Action: action, Entity: "Key", Key: keyID, Before: &old, After: &now})
}

// List gives the keys of a connection, oldest first, revoked ones included. Any
// staff may read them. NotFound for an unknown connection.
func (s *Service) List(ctx context.Context, connectionID uuid.UUID) ([]Key, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	var list []Key
	err := s.DB.Read(ctx).Where("connection_id = ?", connectionID).Order("created_at, id").Find(&list).Error
	if err == nil && len(list) == 0 {
		var exists bool
		if exists, err = connectionExists(s.DB.Read(ctx), connectionID); err == nil && !exists {
			return nil, fault.Newf(fault.NotFound, "no connection %v", connectionID)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return list, nil
}

// hash is what is stored of a key: a MAC, so that the table alone is no help in
// guessing, over the whole text, so that there is one spelling of a key. It is
// the vault's MAC for the purpose "key".
func (s *Service) hash(key string) []byte {
	h := s.macs.Get().(hash.Hash)
	defer s.macs.Put(h)
	h.Reset()
	_, _ = io.WriteString(h, key) // a hash takes everything
	return h.Sum(make([]byte, 0, sha256.Size))
}
