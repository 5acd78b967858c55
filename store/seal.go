package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
)

// What a seal's event says it is.
const (
	sealAction = "Seal"
	sealEntity = "AuditTrail"
)

// Seal is an event by which a damaged audit trail goes on. What is before it stays
// as it was found, which its hash proves from then on.
type Seal struct {
	ID       int64 // of the event
	At       time.Time
	By       string // who sealed
	BrokenAt int64  // the first event that was wrong or missing; 0 for the head
	Why      string // what was wrong with it
	Note     string // what people found out
}

// maxNote is how many bytes the note of a seal may have.
const maxNote = 2_000

// SealAudit lets a damaged audit trail go on: it adds an event that tells where the
// trail is broken and, in note, what people know of it, and that is chained to all
// there is as it is. Nothing is changed or taken away. Needs an admin. Invalid
// without a note, Conflict for a trail that is whole.
func (db *DB) SealAudit(ctx context.Context, note string) (Seal, error) {
	if err := Require(ctx, Admin); err != nil {
		return Seal{}, err
	}
	note = strings.TrimSpace(plainText(note))
	if note == "" || len(note) > maxNote {
		return Seal{}, fault.Newf(fault.Invalid, "a note of up to %d bytes must tell what is known of the damage", maxNote).At("Note")
	}
	c := chain{key: db.options.auditKey}
	if c.key == nil {
		return Seal{}, errors.New("seal audit: a database without a vault")
	}
	var seal Seal
	err := db.Write(ctx, func(tx *gorm.DB) (err error) {
		seal, err = db.sealAudit(tx, c, note)
		return err
	})
	return seal, err
}

func (db *DB) sealAudit(tx *gorm.DB, c chain, note string) (Seal, error) {
	ctx := tx.Statement.Context
	kept, err := c.hold(tx)
	if err != nil {
		return Seal{}, err
	}
	var broken *Broken
	if _, err := db.verifyAudit(ctx, nil, func(int64, int64) {}); err == nil {
		return Seal{}, fault.New(fault.Conflict, "the audit trail is whole: there is nothing to seal")
	} else if !errors.As(err, &broken) {
		return Seal{}, err
	}
	w, err := db.walkAudit(ctx, c, math.MaxInt64, nil, func(int64, int64) {})
	if err != nil {
		return Seal{}, err
	}
	e, err := newEvent(ctx, Change{Action: sealAction, Entity: sealEntity, After: Facts{
		"BrokenAt": broken.ID, "Why": broken.Why, "Note": note, "Head": kept, "Digest": hex.EncodeToString(w.digest[:]),
	}})
	if err != nil {
		return Seal{}, err
	}
	end, _ := c.open(kept) // nothing, if that is what is damaged
	last := max(w.last, end.ID, 0)
	if last == math.MaxInt64 {
		return Seal{}, fault.New(fault.Conflict, "the audit trail has no number left: an event was put at its very end; delete that one")
	}
	e.ID = last + 1
	if err := c.append(tx, w.sealing(), e); err != nil {
		return Seal{}, err
	}
	return sealOf(e)
}

// sealing is the head that a seal is chained to: all before it, as it is.
func (w *walk) sealing() Head { return Head{Hash: w.chain.mac([]byte("seal"), w.digest[:])} }

// sealed reports whether e is a seal over what is before it.
func (w *walk) sealed(e *storedEvent) (Seal, bool) {
	if e.Action != sealAction || e.Entity != sealEntity || e.wrong != "" {
		return Seal{}, false
	}
	want, err := w.chain.hash(w.sealing(), &e.AuditEvent)
	if err != nil || !hmac.Equal(want, e.Hash) {
		return Seal{}, false
	}
	seal, err := sealOf(&e.AuditEvent)
	return seal, err == nil
}

// take adds e to the digest.
func (w *walk) take(e *storedEvent) {
	sum := sha256.New()
	sum.Write(w.digest[:])
	fmt.Fprintf(sum, "%d %s %q %q %q %q %q %q %q %q %q %q %x", e.ID, e.At.Format(TimeLayout), e.ActorKind, e.ActorID, e.ActorName,
		e.Through, e.RemoteAddress, e.Action, e.Entity, e.Key, e.Befores, e.Afters, e.Hash)
	sum.Sum(w.digest[:0])
	w.last = e.ID
}

// sealOf reads a seal out of its event.
func sealOf(e *AuditEvent) (Seal, error) {
	text, err := canonical(e.After)
	if err != nil {
		return Seal{}, err
	}
	s := Seal{ID: e.ID, At: e.At, By: e.ActorName}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&s); err != nil {
		return Seal{}, fmt.Errorf("seal: %w", err)
	}
	return s, nil
}
