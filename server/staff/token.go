package staff

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"leadloop/odata/fault"
	"leadloop/store"
)

const (
	accessLifetime = 15 * time.Minute
	tokenIssuer    = "leadloop"
	tokenAudience  = "leadloop"
	maxTokenLength = 2048 // ours have some 400 bytes
	liveLifetime   = 2 * time.Second
	liveSize       = 10_000
)

// errToken is the one answer to every access token that does not let in.
var errToken = fault.New(fault.Unauthorized, "The access token is missing, wrong or expired.")

// claims are those of RFC 7519 and the sign-in the token belongs to.
type claims struct {
	jwt.RegisteredClaims
	Session uuid.UUID `json:"sid"`
}

func (s *Service) prepareTokens() {
	s.parser = jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(tokenIssuer), jwt.WithAudience(tokenAudience),
		jwt.WithExpirationRequired(), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return s.Now() }),
	)
}

func (s *Service) accessToken(ctx context.Context, userID int64, family uuid.UUID, now time.Time) (string, error) {
	key, err := s.signer(ctx, now)
	if err != nil {
		return "", fmt.Errorf("make access token: %w", err)
	}
	id, err := uuid.NewRandomFromReader(s.Rand)
	if err != nil {
		return "", fmt.Errorf("make access token: %w", err)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: tokenIssuer, Audience: jwt.ClaimStrings{tokenAudience}, Subject: strconv.FormatInt(userID, 10), ID: id.String(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(accessLifetime)),
		},
		Session: family,
	})
	token.Header["kid"] = key.id
	signed, err := token.SignedString(key.secret)
	if err != nil {
		return "", fmt.Errorf("make access token: %w", err)
	}
	return signed, nil
}

// Authenticate turns an access token into the actor it stands for: Kind Staff
// with UserID, the Role the user has now, and the e-mail address as Name. One
// and the same Unauthorized fault answers every token that is malformed, forged,
// of another issuer or audience, expired, or whose sign-in or user has ended;
// those two are seen at once on this server, within two seconds on others. Any
// other error means that the database could not be asked.
func (s *Service) Authenticate(ctx context.Context, accessToken string) (store.Actor, error) {
	if len(accessToken) > maxTokenLength {
		return store.Actor{}, errToken
	}
	var c claims
	var failed error
	now := s.Now()
	_, err := s.parser.ParseWithClaims(accessToken, &c, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		var secret []byte
		secret, failed = s.verifier(ctx, kid, now)
		if secret == nil {
			return nil, jwt.ErrTokenUnverifiable
		}
		return secret, nil
	})
	if failed != nil {
		return store.Actor{}, fmt.Errorf("authenticate token: %w", failed)
	}
	if err != nil {
		return store.Actor{}, errToken
	}
	userID, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil {
		return store.Actor{}, errToken
	}
	actor, turn, ok := s.live.get(c.Session, now)
	if !ok {
		actor, err = s.loadActor(ctx, c.Session, now)
		if err != nil {
			return store.Actor{}, fmt.Errorf("authenticate token: %w", err)
		}
		s.live.put(c.Session, actor, turn, now)
	}
	if actor.Kind != store.Staff || actor.UserID != userID {
		return store.Actor{}, errToken
	}
	return actor, nil
}

// loadActor reads who the user of a live session is now; the zero Actor if the
// session or the user has ended.
func (s *Service) loadActor(ctx context.Context, family uuid.UUID, now time.Time) (store.Actor, error) {
	var (
		userID      int64
		email, role string
	)
	err := s.DB.Read(ctx).Raw(`SELECT u.id, u.email, u.role FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.family = ? AND s.revoked_at IS NULL AND s.expires_at > ? AND u.active LIMIT 1`,
		family, now).Row().Scan(&userID, &email, &role)
	if errors.Is(err, sql.ErrNoRows) {
		return store.Actor{}, nil
	}
	if err != nil {
		return store.Actor{}, err
	}
	r, ok := store.ParseRole(role)
	if !ok {
		return store.Actor{}, fmt.Errorf("user %d has the unknown role %q", userID, role)
	}
	return store.Actor{Kind: store.Staff, UserID: userID, Role: r, SessionID: family, Name: email}, nil
}

// liveCache keeps for a moment who a sign-in stands for, so that a request does
// not ask the database for it.
type liveCache struct {
	mu      sync.Mutex
	turn    uint64
	entries map[uuid.UUID]liveEntry
}

type liveEntry struct {
	actor  store.Actor
	loaded time.Time
}

func (l *liveCache) get(family uuid.UUID, now time.Time) (store.Actor, uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[family]
	age := now.Sub(e.loaded)
	return e.actor, l.turn, ok && age >= 0 && age < liveLifetime
}

// put keeps actor, unless the cache was purged since turn: then actor may have
// been read before the change that purged it.
func (l *liveCache) put(family uuid.UUID, actor store.Actor, turn uint64, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if turn != l.turn {
		return
	}
	for f := range l.entries { // room by dropping an arbitrary one
		if len(l.entries) < liveSize {
			break
		}
		delete(l.entries, f)
	}
	l.entries[family] = liveEntry{actor: actor, loaded: now}
}

func (l *liveCache) purge() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	clear(l.entries)
}
