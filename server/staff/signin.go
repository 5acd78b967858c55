package staff

import (
	"context"
	"time"

	"leadloop/store"
)

// LastSignIn is when a user last signed in by password, and from where.
type LastSignIn struct {
	UserID  int64
	At      time.Time
	Address string // "" if not known
}

// LastSignIns gives the last sign-in of each user who ever signed in. Needs an
// admin.
func (s *Service) LastSignIns(ctx context.Context) ([]LastSignIn, error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return nil, err
	}
	list := []LastSignIn{}
	// The newest session of a user is kept until they sign in again.
	err := s.DB.Read(ctx).Raw(`SELECT user_id, began_at AS at, address FROM sessions s
		WHERE id = (SELECT id FROM sessions WHERE user_id = s.user_id ORDER BY began_at DESC, id DESC LIMIT 1) ORDER BY user_id`).Scan(&list).Error
	return list, userFault("last sign-ins", err)
}

// Signing is a signing key without its secret: the one without EndsAt signs, the
// others verify until then.
type Signing struct {
	ID        string
	CreatedAt time.Time
	EndsAt    *time.Time
}

// SigningKeys gives what access tokens are signed under, the newest first. Needs
// an admin.
func (s *Service) SigningKeys(ctx context.Context) ([]Signing, error) {
	if err := store.Require(ctx, store.Admin); err != nil {
		return nil, err
	}
	list := []Signing{}
	err := s.DB.Read(ctx).Model(&SigningKey{}).Where("ends_at IS NULL OR ends_at > ?", s.Now()).
		Order("created_at DESC, id").Select("id", "created_at", "ends_at").Scan(&list).Error
	return list, userFault("signing keys", err)
}
