package store

import (
	"context"
	"errors"
)

// Proof says whether the audit trail is as it was written.
type Proof struct {
	Whole  bool   // or goes on behind Seals
	Events int64  // that were read and found right
	Head   string // of the last of them; see ParseHead
	// BrokenAt is the ID of the first event that is wrong or missing, and Why what
	// is wrong with it.
	BrokenAt *int64
	Why      *string
	Seals    []Seal // where it was broken before, and people said so
}

// ProveAudit is VerifyAudit for people: it tells of a broken trail in the Proof,
// and progress, unless that is nil, how many events of how many were read. Needs an
// admin.
func (db *DB) ProveAudit(ctx context.Context, past *Head, progress func(done, of int64)) (Proof, error) {
	if err := Require(ctx, Admin); err != nil {
		return Proof{}, err
	}
	if progress == nil {
		progress = func(int64, int64) {}
	}
	w, err := db.verifyAudit(ctx, past, progress)
	p := Proof{Whole: err == nil, Events: w.head.ID, Head: w.head.String(), Seals: w.seals}
	var broken *Broken
	if errors.As(err, &broken) {
		p.BrokenAt, p.Why = &broken.ID, &broken.Why
		return p, nil
	}
	return p, err
}
