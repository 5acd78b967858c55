// Package leads takes leads in: it knows where they come from (a [Source] with
// its secret token and the kind of format it speaks), what a [Lead] is, and how
// to turn a delivery in any of those formats into normalised leads.
//
// [Service.Receive] is the whole way in: token → source → parse → map the
// sender's field names → normalise → one durable write that holds the lead, the
// payload it came in, and its routings. What is refused is kept too, masked, as
// a [Rejection], so that staff can see what a sender does wrong.
package leads

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Service keeps sources and leads, and receives deliveries. Make one with New;
// its fields may be changed before first use.
type Service struct {
	DB    *store.DB
	Vault *store.Vault
	Now   func() time.Time
	// NewID gives the ids of leads: UUIDs of version 7, so that they sort by age.
	NewID func() (uuid.UUID, error)
	// Rand is where intake tokens come from.
	Rand io.Reader
	Log  *slog.Logger
	// Route gives a new lead to customers. It is called once the lead is stored,
	// in the lead's own transaction; what it fails with fails the delivery. source
	// is nil for a lead that staff created without one. With no Route leads stay
	// in the state new.
	Route func(tx *gorm.DB, lead *Lead, source *Source) error
	// Together, where there is one, is called at the beginning of a transaction
	// that stores several leads and has them routed.
	Together func(tx *gorm.DB) error

	// Fetch makes a GET request, for the kinds of sources whose leads have to be
	// read from the sender's platform. It bounds time and size, and follows no
	// redirect. With no Fetch such leads wait.
	Fetch func(ctx context.Context, url string, header map[string]string) (status int, body []byte, err error)

	// Onward checks how a source sends outcomes onward, in the transaction that
	// stores the source, and seals what is secret. old is the stored source, nil for
	// a new one. With no Onward no source can.
	Onward func(tx *gorm.DB, old, src *Source) error

	sources  *sourceCache
	mappings *mappings
	rates    *rates
	wake     chan struct{} // holds a token when a retrieval became due
}

// New returns a Service over db. The secrets of sources are stored as MACs of
// vault.
func New(db *store.DB, vault *store.Vault) *Service {
	return &Service{
		DB: db, Vault: vault, Now: store.Now, NewID: uuid.NewV7, Rand: rand.Reader, Log: slog.Default(),
		sources: newSourceCache(), mappings: &mappings{}, rates: newRates(), wake: make(chan struct{}, 1),
	}
}

// moved says why a change of one version of a row found nothing: the row is
// gone, or somebody changed it in between.
func moved(tx *gorm.DB, model any, what string, id any) error {
	var n int64
	if err := tx.Model(model).Where("id = ?", id).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return fault.Newf(fault.NotFound, "no %s %v", what, id)
	}
	return fault.Newf(fault.PreconditionFailed, "%s %v was changed by somebody else; read it again", what, id)
}

// system is ctx with the program itself as the actor: a delivery has no other.
func system(ctx context.Context) context.Context {
	return store.WithActor(ctx, store.Actor{Kind: store.System, Name: "intake", Through: store.Program})
}

// failed wraps an unknown error with what was being done. nil and faults' codes
// stay as they are.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
