package keys

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
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
	ID           string     `gorm:"primaryKey" odata:"computed"`
	ConnectionID uuid.UUID  `odata:"computed"`
	Hash         []byte     `odata:"-"`
	CreatedAt    time.Time  `odata:"computed"`
	ExpiresAt    *time.Time `odata:"computed"`
	RevokedAt    *time.Time `odata:"computed"`
	LastUsedAt   *time.Time `odata:"computed"` // written at most once a minute
}

// Issued is a new key. Key is shown here and never again.
type Issued struct {
	ConnectionID uuid.UUID
	KeyID        string
	Key          string
}

// Issue makes a new key for the connection; the keys it already has stay as they
// are. Needs a manager. NotFound for an unknown connection.
func (s *Service) Issue(ctx context.Context, connectionID uuid.UUID) (Issued, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return Issued{}, err
	}
	var random [16 + 32]byte
	if _, err := io.ReadFull(s.Rand, random[:]); err != nil {
		return Issued{}, fmt.Errorf("issue key: %w", err)
	}
	id, key := compose(random[:16], random[16:])
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		// A key that was refused moments ago as unknown must work from now on.
		store.AfterCommit(tx.Statement.Context, s.cache.purge)
		row := Key{ID: id, ConnectionID: connectionID, Hash: s.hash(key), CreatedAt: s.Now()}
		if err := tx.Omit(clause.Associations).Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "IssueKey", Entity: "Key", Key: id, After: &row})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return Issued{}, fault.Newf(fault.NotFound, "no connection %v", connectionID)
	}
	if err != nil {
		return Issued{}, fmt.Errorf("issue key: %w", err)
	}
	return Issued{ConnectionID: connectionID, KeyID: id, Key: key}, nil
}

// Revoke ends a key for good: at once on this server, within two seconds on
// others. Revoking it again changes nothing. Needs a manager. NotFound for an
// unknown key.
func (s *Service) Revoke(ctx context.Context, keyID string) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
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
		return store.Audit(tx, store.Change{Action: "Revoke", Entity: "Key", Key: keyID, Before: &old, After: &now})
	})
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
	h := hmac.New(sha256.New, s.pepper())
	h.Write([]byte(key))
	return h.Sum(nil)
}
