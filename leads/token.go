package leads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// MaxOverlap is how long an old token may go on working beside the new one.
const MaxOverlap = 30 * 24 * time.Hour

// RotateToken gives a source a new intake token and returns the source with it. The old
// token works for overlap more, so that senders can be changed one by one; one
// that was old already stops at once. Deliveries follow on this server at once,
// and within two seconds on others. Needs a manager. NotFound for an unknown
// source, Invalid for an overlap below nothing or above MaxOverlap.
func (s *Service) RotateToken(ctx context.Context, id int64, overlap time.Duration) (*Source, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	if overlap < 0 || overlap > MaxOverlap {
		return nil, fault.Newf(fault.Invalid, "the old token can work from 0 to %d hours more", int(MaxOverlap.Hours())).At("OverlapHours")
	}
	token, err := newToken(s.Rand)
	if err != nil {
		return nil, failed("rotate token", err)
	}
	sealed, mac := s.sealToken(token)
	changes := map[string]any{"token": sealed, "token_mac": mac, "version": gorm.Expr("version + 1"), "old_token_mac": nil, "old_token_until": nil}
	if overlap > 0 {
		changes["old_token_mac"], changes["old_token_until"] = gorm.Expr("token_mac"), s.Now().Add(overlap)
	}
	var src Source
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		var old Source
		if err := tx.Limit(1).Find(&old, id).Error; err != nil {
			return err
		}
		res := tx.Model(&Source{}).Where("id = ?", id).Updates(changes)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no source %d", id)
		}
		store.AfterCommit(tx.Statement.Context, s.sources.purge)
		src = Source{}
		if err := tx.Take(&src, id).Error; err != nil {
			return err
		}
		return store.Audit(tx, store.Change{Action: "RotateToken", Entity: "Source", Key: id, Before: &old, After: &src})
	})
	if err != nil {
		return nil, failed("rotate token", err)
	}
	src.Token = token
	return &src, nil
}

// IntakeToken gives the token of a source in clear, to be pasted into a form or a
// platform. Needs a manager. NotFound for an unknown source.
func (s *Service) IntakeToken(ctx context.Context, id int64) (string, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return "", err
	}
	var src Source
	err := s.DB.Read(ctx).Select("token").Where("id = ?", id).Take(&src).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", fault.Newf(fault.NotFound, "no source %d", id)
	}
	if err != nil {
		return "", failed("read source", err)
	}
	token, err := s.Vault.OpenText(src.Token)
	return token, failed("the source's token", err)
}

// tokenPurpose separates the MACs of intake tokens from all others.
const tokenPurpose = "intake token"

// sealToken gives what is stored of a token: itself, sealed, and what it is found by.
func (s *Service) sealToken(token string) (sealed string, mac []byte) {
	return s.Vault.SealText(token), s.tokenMAC(token)
}

func (s *Service) tokenMAC(token string) []byte { return s.Vault.MAC(tokenPurpose, []byte(token)) }

// SealTokens seals the tokens that stand in clear, as they did in databases of
// earlier versions, and makes those found again whose MAC went with the schema of
// one. Call it before the first delivery is received. Several servers may do so at
// once.
func (s *Service) SealTokens(ctx context.Context) error {
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var unknown []struct {
			ID       int64
			Token    string
			OldToken *string
		}
		if err := tx.Raw("SELECT id, token, old_token FROM sources WHERE token_mac IS NULL ORDER BY id").Scan(&unknown).Error; err != nil {
			return err
		}
		for _, u := range unknown {
			token, err := s.Vault.OpenText(u.Token)
			if err != nil {
				return fmt.Errorf("the token of source %d %w", u.ID, err)
			}
			sealed, mac := s.sealToken(token)
			var old []byte
			if u.OldToken != nil {
				old = s.tokenMAC(*u.OldToken)
			}
			// Where another server was faster, the row has another token now.
			if err := tx.Exec("UPDATE sources SET token = ?, token_mac = ?, old_token = NULL, old_token_mac = ? WHERE id = ? AND token = ?",
				sealed, mac, old, u.ID, u.Token).Error; err != nil {
				return err
			}
		}
		return nil
	})
	return failed("seal intake tokens", err)
}

const (
	base62      = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tokenLength = 22 // 131 bits
)

// newToken makes an intake token out of r's bytes.
func newToken(r io.Reader) (string, error) {
	token := make([]byte, 0, tokenLength)
	var one [1]byte
	for len(token) < tokenLength {
		if _, err := io.ReadFull(r, one[:]); err != nil {
			return "", fmt.Errorf("random bytes: %w", err)
		}
		if i := int(one[0] & 63); i < len(base62) { // skipping the rest keeps each digit as likely
			token = append(token, base62[i])
		}
	}
	return string(token), nil
}

// plausibleToken reports whether token has the form of one; what has not is
// refused without asking the database.
func plausibleToken(token string) bool {
	if len(token) != tokenLength {
		return false
	}
	for _, c := range []byte(token) {
		if strings.IndexByte(base62, c) < 0 {
			return false
		}
	}
	return true
}
