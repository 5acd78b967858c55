// Package feedback takes in what became of the leads: a customer's [Feedback] on
// one routing names a [Reason], and the newest report by the customer's own time
// is the current one, shown on the routing and on its lead.
//
// Reports are kept for ever. [Service.Report] is the one way in, whichever road
// a report took.
package feedback

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"leadloop/routing"
	"leadloop/store"
)

// Service keeps reasons and takes in reports. Make one with New; its fields may
// be changed before first use.
type Service struct {
	DB      *store.DB
	Routing *routing.Service
	Now     func() time.Time
	Log     *slog.Logger
	// NewID gives the ids of reports: UUIDs of version 7, so that they sort by age.
	NewID func() (uuid.UUID, error)
	// Reported, where there is one, is told what became of each report: nil, or what
	// it was refused for.
	Reported func(err error)

	reasons   reasonCache
	agreed    termsCache
	gathering gathering
	pulling   chan struct{} // holds a token when a pull was made due
	settling  chan struct{} // and when a word has reports left
}

// New returns a Service over db that reports on the routings of r.
func New(db *store.DB, r *routing.Service) *Service {
	return &Service{DB: db, Routing: r, Now: store.Now, Log: slog.Default(), NewID: uuid.NewV7, pulling: make(chan struct{}, 1), settling: make(chan struct{}, 1)}
}

// writeScope is the scope a connection needs to report.
const writeScope = "feedback:write"

// reporter says on whose routings ctx's actor may report: a customer's id, or 0
// for all. Customers' systems need the scope feedback:write, staff a manager.
func reporter(ctx context.Context) (customerID int64, err error) {
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Machine {
		return 0, store.Require(ctx, store.Manager)
	}
	if !actor.Has(writeScope) || actor.CustomerID == 0 {
		return 0, errScope
	}
	return actor.CustomerID, nil
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

func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
