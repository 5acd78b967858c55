// Package keys holds the identities of customers' systems: a [Connection] is
// one external system of a customer, a [Key] one of its secrets.
//
// A key is shown once, when it is issued, and stored only as a MAC. Several keys
// of a connection may be live at once; issuing one never disables another.
// [Service.Authenticate] turns a key into the [store.Actor] the rest of the
// program acts for.
package keys

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"leadloop/store"
)

// flushEvery is how often Run writes the last-used times it has gathered.
const flushEvery = 5 * time.Second

// Service keeps connections and keys, and checks keys. Make one with New; its
// fields may be changed before first use.
type Service struct {
	DB    *store.DB
	Vault *store.Vault
	Now   func() time.Time
	// Rand is where ids and secrets come from.
	Rand io.Reader
	Log  *slog.Logger

	macs   sync.Pool // of hashes under what keys are stored under
	cache  *cache
	proven proven
	meters meters
	usage  usage
	calls  calls
}

// New returns a Service over db that stores keys as MACs of vault. Its Run keeps
// the last-used times and calls; without it keys work, but those are not written.
func New(db *store.DB, vault *store.Vault) *Service {
	s := &Service{
		DB: db, Vault: vault, Now: store.Now, Rand: rand.Reader, Log: slog.Default(),
		cache: newCache(), usage: usage{pending: map[string]use{}}, calls: calls{pending: map[uuid.UUID]LastCall{}},
		proven: proven{hashes: map[[32]byte]struct{}{}}, meters: meters{of: map[uuid.UUID]*meter{}},
	}
	pepper := sync.OnceValue(func() []byte { return s.Vault.Key("key") })
	s.macs.New = func() any { return hmac.New(sha256.New, pepper()) }
	return s
}

// Run writes the last-used times of keys and the last calls of connections every
// few seconds until ctx is done, then once more, and returns nil.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.flushLogged(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushEvery)
			defer cancel()
			s.flushLogged(last)
			return nil
		}
	}
}

func (s *Service) flushLogged(ctx context.Context) {
	if err := s.Flush(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.Log.WarnContext(ctx, "last uses of keys not written; will try again", "error", err)
	}
}

// moment gives t in UTC at the database's precision, so that what a caller gets
// back equals what is stored. nil stays nil.
func moment(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC().Truncate(time.Microsecond)
	return &u
}
