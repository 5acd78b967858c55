// Package staff holds the people who work with Leadloop: users, their passwords,
// their sign-ins and the tokens these give.
package staff

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// sessionLifetime is how long a refresh token may wait to be used.
const sessionLifetime = 30 * 24 * time.Hour

var (
	errSignIn  = fault.New(fault.Unauthorized, "The e-mail address or the password is wrong.")
	errSession = fault.New(fault.Unauthorized, "The session has ended; sign in again.")
)

// Session is one refresh token of a user, or the session of one browser. Each
// refresh token is used once and then replaced by the next of the same Family,
// which is what a sign-in starts.
type Session struct {
	ID        uuid.UUID `gorm:"primaryKey"`
	UserID    int64
	Family    uuid.UUID
	TokenHash []byte
	BeganAt   time.Time // when the sign-in was
	Address   string    // where the token was given to, "" if that is not known
	Agent     string    // and what program, by its own word
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
	RevokedAt *time.Time
	SeenAt    *time.Time // when a browser last used it; see OpenBrowser
}

// Service keeps the users and signs them in. Make one with New; its exported
// fields may be changed before first use.
type Service struct {
	DB    *store.DB
	Vault *store.Vault
	Now   func() time.Time
	// Rand is where salts, tokens and ids come from.
	Rand io.Reader
	// Cost is the work of hashing one new password.
	Cost Cost

	hashing  chan struct{}
	throttle throttle
	live     liveCache
	ring     keyring
	parser   *jwt.Parser
}

// New returns a Service over db whose tokens are made under keys of vault.
func New(db *store.DB, vault *store.Vault) *Service {
	s := &Service{
		DB: db, Vault: vault, Now: store.Now, Rand: rand.Reader, Cost: defaultCost,
		hashing:  make(chan struct{}, 2),
		throttle: throttle{tries: map[[32]byte]tries{}, addresses: map[[32]byte]tries{}},
		live:     liveCache{entries: map[uuid.UUID]liveEntry{}},
	}
	s.prepareTokens()
	return s
}

// Tokens is what a sign-in or a refresh gives, in the form of RFC 6749, section
// 5.1. ExpiresIn is in seconds.
type Tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
}

// SignIn starts a session for the user with this e-mail address and password.
// Unauthorized, after the same work, for an unknown address, a wrong password
// and an inactive user; RateLimited after several failures with the same e-mail
// address from the same remote address, so that nobody elsewhere is kept out, and
// after many from that address with any, but for who has signed in there before.
func (s *Service) SignIn(ctx context.Context, email, password string, remote netip.Addr) (Tokens, error) {
	email = foldEmail(email)
	if err := s.mayTry(ctx, email, remote); err != nil {
		return Tokens{}, err
	}
	var u User
	err := s.DB.Read(ctx).Where("email = ?", email).Take(&u).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		u.PasswordHash = phc(s.Cost, make([]byte, 16), make([]byte, 32)) // the hash of no password
	} else if err != nil {
		return Tokens{}, fmt.Errorf("sign in: %w", err)
	}
	ok, err := s.verify(ctx, u.PasswordHash, password)
	if err != nil {
		return Tokens{}, fmt.Errorf("sign in: %w", err)
	}
	if !ok || !u.Active {
		return Tokens{}, errSignIn
	}
	s.throttle.forget(email, remote)
	if clientOf(ctx).Address == (netip.Addr{}) {
		ctx = WithClient(ctx, Client{Address: remote, Agent: clientOf(ctx).Agent})
	}
	family, err := uuid.NewRandomFromReader(s.Rand)
	if err != nil {
		return Tokens{}, fmt.Errorf("sign in: %w", err)
	}
	return s.begin(ctx, family, s.Now(), func(tx *gorm.DB) (int64, error) {
		// Nothing changes by this: it holds the row against a change of the password that was just checked.
		res := tx.Exec("UPDATE users SET active = active WHERE id = ? AND active AND password_hash = ?", u.ID, u.PasswordHash)
		if res.Error == nil && res.RowsAffected == 0 {
			return 0, errSignIn
		}
		return u.ID, res.Error
	})
}

// Refresh trades a refresh token for new tokens. Each refresh token works once:
// one that comes again was stolen from one side or the other, and ends all
// tokens of its sign-in. Unauthorized for one that is unknown, used, expired or
// revoked, or whose user is no longer active.
func (s *Service) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	hash, ok := s.tokenHash(refreshToken)
	if !ok {
		return Tokens{}, errSession
	}
	var old Session
	err := s.DB.Read(ctx).Where("token_hash = ?", hash).Take(&old).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !old.ExpiresAt.After(s.Now()) {
		return Tokens{}, errSession
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh session: %w", err)
	}
	tokens, err := s.begin(ctx, old.Family, old.BeganAt, func(tx *gorm.DB) (int64, error) {
		res := tx.Exec("UPDATE users SET active = active WHERE id = ? AND active", old.UserID)
		if res.Error == nil && res.RowsAffected == 0 {
			return 0, errSession
		}
		if res.Error != nil {
			return 0, res.Error
		}
		res = tx.Exec("UPDATE sessions SET used_at = ? WHERE id = ? AND used_at IS NULL AND revoked_at IS NULL", s.Now(), old.ID)
		if res.Error == nil && res.RowsAffected == 0 {
			return 0, errReused
		}
		return old.UserID, res.Error
	})
	if errors.Is(err, errReused) {
		if err := s.endFamily(ctx, old.Family); err != nil {
			return Tokens{}, err
		}
		return Tokens{}, errSession
	}
	return tokens, err
}

// errReused says inside Refresh that a token was used or revoked before.
var errReused = errors.New("refresh token used again")

// SignOut ends the sign-in a refresh token belongs to. A token that is unknown or
// has ended already is no error.
func (s *Service) SignOut(ctx context.Context, refreshToken string) error {
	hash, ok := s.tokenHash(refreshToken)
	if !ok {
		return nil
	}
	var old Session
	err := s.DB.Read(ctx).Where("token_hash = ?", hash).Take(&old).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sign out: %w", err)
	}
	return s.endFamily(ctx, old.Family)
}

// begin stores the next session of family, a sign-in of the time began, for the
// user that admit lets in, and makes its tokens. admit runs in the same transaction, perhaps more than once.
func (s *Service) begin(ctx context.Context, family uuid.UUID, began time.Time, admit func(tx *gorm.DB) (int64, error)) (Tokens, error) {
	raw := make([]byte, 32)
	if _, err := io.ReadFull(s.Rand, raw); err != nil {
		return Tokens{}, fmt.Errorf("begin session: %w", err)
	}
	id, err := uuid.NewV7FromReader(s.Rand)
	if err != nil {
		return Tokens{}, fmt.Errorf("begin session: %w", err)
	}
	refresh := base64.RawURLEncoding.EncodeToString(raw)
	hash, _ := s.tokenHash(refresh)
	now := s.Now()
	var userID int64
	err = s.DB.Write(ctx, func(tx *gorm.DB) (err error) {
		if userID, err = admit(tx); err != nil {
			return err
		}
		// Used tokens are kept while they could come again, and no longer.
		if err := tx.Where("user_id = ? AND expires_at <= ?", userID, now).Delete(&Session{}).Error; err != nil {
			return err
		}
		row := Session{
			ID: id, UserID: userID, Family: family, TokenHash: hash,
			BeganAt: began, Address: clientOf(ctx).address(), Agent: clientOf(ctx).agent(), CreatedAt: now, ExpiresAt: now.Add(sessionLifetime),
		}
		return tx.Create(&row).Error
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("begin session: %w", err)
	}
	access, err := s.accessToken(ctx, userID, family, now)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{AccessToken: access, TokenType: "Bearer", ExpiresIn: int(accessLifetime.Seconds()), RefreshToken: refresh}, nil
}

func (s *Service) endFamily(ctx context.Context, family uuid.UUID) error {
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		store.AfterCommit(tx.Statement.Context, s.live.purge)
		return tx.Exec("UPDATE sessions SET revoked_at = ? WHERE family = ? AND revoked_at IS NULL", s.Now(), family).Error
	})
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// endSessions ends all sign-ins of a user but keep.
func (s *Service) endSessions(tx *gorm.DB, userID int64, keep uuid.UUID) error {
	store.AfterCommit(tx.Statement.Context, s.live.purge)
	return tx.Exec("UPDATE sessions SET revoked_at = ? WHERE user_id = ? AND family <> ? AND revoked_at IS NULL", s.Now(), userID, keep).Error
}

// tokenHash is what is stored of a refresh token; false if it cannot be one.
func (s *Service) tokenHash(refreshToken string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(refreshToken)
	if err != nil || len(raw) != 32 {
		return nil, false
	}
	return s.Vault.MAC("refresh token", raw), true
}
