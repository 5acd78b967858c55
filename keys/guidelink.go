package keys

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// GuideLink lets whoever has its token read the guide of a connection, without
// signing in: nothing else, and nothing secret. It works until it is revoked or,
// not including that, ExpiresAt.
type GuideLink struct {
	ID           int64      `gorm:"primaryKey" odata:"computed"`
	ConnectionID uuid.UUID  `odata:"computed"`
	Hash         []byte     `odata:"-"`
	CreatedAt    time.Time  `odata:"computed"`
	ExpiresAt    time.Time  `odata:"computed"`
	RevokedAt    *time.Time `odata:"computed"`
}

// OfferedGuide is a new GuideLink. The guide is at /guide/<Token>, which is shown
// here and never again.
type OfferedGuide struct {
	ID        int64
	Token     string
	ExpiresAt time.Time
}

// The days that a GuideLink works: unless given, and at most.
const (
	guideDays     = 30
	guideDaysMost = 366
)

// errNoGuide is the one answer to every token that opens no guide.
var errNoGuide = fault.New(fault.NotFound, "This link is not known, or does not work any more. Ask for a new one.")

// OfferGuide makes a link to the connection's guide that works for so many days,
// 30 where that is 0. Needs a manager. NotFound for an unknown connection, Invalid
// for days under 0 or over 366.
func (s *Service) OfferGuide(ctx context.Context, connectionID uuid.UUID, days int) (OfferedGuide, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return OfferedGuide{}, err
	}
	if days == 0 {
		days = guideDays
	}
	if days < 0 || days > guideDaysMost {
		return OfferedGuide{}, fault.Newf(fault.Invalid, "Days must be from 1 to %d", guideDaysMost).At("Days")
	}
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		return OfferedGuide{}, fmt.Errorf("offer guide: %w", err)
	}
	now := s.Now()
	next := GuideLink{ConnectionID: connectionID, Hash: s.guideHash(raw), CreatedAt: now, ExpiresAt: now.AddDate(0, 0, days)}
	var row GuideLink
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		row = next
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "OfferGuide", Entity: "GuideLink", Key: row.ID, After: &row})
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) {
		return OfferedGuide{}, fault.Newf(fault.NotFound, "no connection %v", connectionID)
	}
	if err != nil {
		return OfferedGuide{}, fmt.Errorf("offer guide: %w", err)
	}
	return OfferedGuide{ID: row.ID, Token: base64.RawURLEncoding.EncodeToString(raw), ExpiresAt: row.ExpiresAt}, nil
}

// RevokeGuide ends a link to a guide at once. Revoking it again changes nothing.
// Needs a manager. NotFound for an unknown one.
func (s *Service) RevokeGuide(ctx context.Context, id int64) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old GuideLink
		if err := tx.Limit(1).Find(&old, "id = ?", id).Error; err != nil {
			return err
		}
		switch {
		case old.ID == 0:
			return fault.Newf(fault.NotFound, "no guide link %d", id)
		case old.RevokedAt != nil:
			return nil
		}
		next, now := old, s.Now()
		next.RevokedAt = &now
		if err := tx.Model(&next).Update("revoked_at", now).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "Revoke", Entity: "GuideLink", Key: id, Before: &old, After: &next})
	})
	if err != nil {
		return fmt.Errorf("revoke guide link: %w", err)
	}
	return nil
}

// OpenGuide gives the connection whose guide a token opens, to anyone. One and the
// same NotFound answers every token that opens none.
func (s *Service) OpenGuide(ctx context.Context, token string) (*Connection, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != 32 {
		return nil, errNoGuide
	}
	var c Connection
	err = s.DB.Read(ctx).Limit(1).Find(&c, "id = (SELECT connection_id FROM guide_links WHERE hash = ? AND revoked_at IS NULL AND expires_at > ?)",
		s.guideHash(raw), s.Now()).Error
	if err != nil {
		return nil, fmt.Errorf("open guide: %w", err)
	}
	if c.ID == uuid.Nil {
		return nil, errNoGuide
	}
	return &c, nil
}

func (s *Service) guideHash(raw []byte) []byte { return s.Vault.MAC("guide link", raw) }
