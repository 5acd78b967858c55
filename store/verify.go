package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// pageOfEvents is how many events VerifyAudit holds at once.
const pageOfEvents = 500

// Broken says where the audit trail is not as it was written.
type Broken struct {
	ID  int64 // of the first event that is wrong or missing
	Why string
}

// Error implements error.
func (b *Broken) Error() string {
	return fmt.Sprintf("the audit trail is broken at event %d: %s", b.ID, b.Why)
}

// VerifyAudit reads the whole audit trail, some hundred events at a time, and
// returns its head. The error is a *Broken if an event was changed, added, taken
// out or cut off at the end, and that is not behind a Seal, or if the trail does not
// go through past, a head it had before; nil asks for none. No seal makes up for that:
// who sealed has a new head to keep.
func (db *DB) VerifyAudit(ctx context.Context, past *Head) (Head, error) {
	w, err := db.verifyAudit(ctx, past, func(int64, int64) {})
	return w.head, err
}

// verifyAudit is VerifyAudit that tells progress how many events of how many it
// has read.
func (db *DB) verifyAudit(ctx context.Context, past *Head, progress func(done, of int64)) (walk, error) {
	c := chain{key: db.options.auditKey}
	if c.key == nil {
		return walk{}, errors.New("verify audit: a database without a vault")
	}
	end, err := db.auditHead(ctx, c)
	if err != nil {
		return walk{}, err
	}
	w, err := db.walkAudit(ctx, c, end.ID, past, progress)
	switch {
	case err != nil:
		return w, err
	case w.broken != nil:
		return w, w.broken
	case w.head.ID < end.ID:
		return w, &Broken{w.head.ID + 1, fmt.Sprintf("it is missing, with all behind it; there were %d", end.ID)}
	case !hmac.Equal(w.head.Hash, end.Hash):
		return w, &Broken{w.head.ID, "it is not the one the head speaks of"}
	case past != nil && past.ID > w.head.ID:
		return w, &Broken{w.head.ID + 1, fmt.Sprintf("it is missing, with all behind it; there were at least %d", past.ID)}
	case past != nil && past.ID > 0 && !w.passed:
		return w, &Broken{past.ID, "it is missing, and a head kept elsewhere speaks of it"}
	}
	return w, db.auditBeyond(ctx, w.head)
}

// walk is a way along the audit trail.
type walk struct {
	chain  chain
	head   Head     // of what is right
	last   int64    // the ID of the last event, right or wrong
	digest [32]byte // of all events so far, as they are now
	broken *Broken  // nil: all is right, or behind a seal
	passed bool     // the head kept elsewhere
	seals  []Seal
}

// walkAudit walks from the first event to that of the ID last.
func (db *DB) walkAudit(ctx context.Context, c chain, last int64, past *Head, progress func(done, of int64)) (walk, error) {
	w := walk{chain: c, head: c.genesis(), last: math.MinInt64}
	for {
		events, err := db.auditPage(ctx, w.last, last)
		if err != nil {
			return w, err
		}
		for i := range events {
			w.step(&events[i])
			if past == nil || past.ID != events[i].ID {
				continue
			}
			if w.passed = hmac.Equal(past.Hash, events[i].Hash); !w.passed {
				return w, &Broken{past.ID, "it is not the event that the head kept elsewhere speaks of"}
			}
		}
		progress(max(w.last, 0), last)
		if len(events) < pageOfEvents {
			return w, nil
		}
	}
}

// step goes on to e. Behind a break only a seal over all before leads on.
func (w *walk) step(e *storedEvent) {
	if seal, ok := w.sealed(e); ok {
		w.seals, w.broken, w.head = append(w.seals, seal), nil, Head{e.ID, e.Hash}
	} else if w.broken == nil {
		next, err := w.chain.follow(w.head, e)
		if !errors.As(err, &w.broken) {
			w.head = next
		}
	}
	w.take(e)
}

// auditHead is the head as kept. No head is that of an empty trail.
func (db *DB) auditHead(ctx context.Context, c chain) (Head, error) {
	var kept []string
	if err := db.Read(ctx).Raw("SELECT value FROM settings WHERE name = ?", headName).Scan(&kept).Error; err != nil {
		return Head{}, fmt.Errorf("verify audit: %w", err)
	}
	if len(kept) == 0 {
		return c.genesis(), nil
	}
	h, err := c.open(kept[0])
	if err != nil {
		return h, &Broken{0, err.Error()}
	}
	return h, nil
}

// auditBeyond fails for an event behind the head. Those of changes made since the
// head was read are none: the head has moved on.
func (db *DB) auditBeyond(ctx context.Context, h Head) error {
	var more int64
	err := db.Read(ctx).Raw(`SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE id > ? LIMIT 1) AS beyond
		WHERE NOT EXISTS (SELECT 1 FROM settings WHERE name = ? AND value NOT LIKE ?)`, h.ID, headName, h.String()+":%").Scan(&more).Error
	if err != nil {
		return fmt.Errorf("verify audit: %w", err)
	}
	if more > 0 {
		return &Broken{h.ID + 1, "it is behind the head"}
	}
	return nil
}

// storedEvent is an event with its facts as the database has them.
type storedEvent struct {
	AuditEvent
	Befores, Afters string
	wrong           string // what is wrong with those; "" if nothing
}

// auditPage gives some of the events behind after, up to last.
func (db *DB) auditPage(ctx context.Context, after, last int64) ([]storedEvent, error) {
	var page []storedEvent
	err := db.Read(ctx).Raw(`SELECT id, at, actor_kind, actor_id, actor_name, through, remote_address, action, entity, key, hash,
		CAST(before AS text) AS befores, CAST(after AS text) AS afters
		FROM audit_events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, after, last, pageOfEvents).Scan(&page).Error
	if err != nil {
		return nil, fmt.Errorf("verify audit: %w", err)
	}
	for i := range page {
		page[i].read(db.dialect)
	}
	return page, nil
}

// read takes the facts in. A text that is not the canonical one might be shown as
// another than it is checked as, where the database keeps texts as they are.
func (e *storedEvent) read(dialect string) {
	for _, f := range []struct {
		text  *string
		facts *Facts
	}{{&e.Befores, &e.Before}, {&e.Afters, &e.After}} {
		d := json.NewDecoder(bytes.NewReader([]byte(*f.text)))
		d.UseNumber()
		if err := d.Decode(f.facts); err != nil {
			e.wrong = "its facts are no JSON object"
			continue
		}
		text, err := canonical(*f.facts)
		switch {
		case err != nil || dialect == SQLite && string(text) != *f.text:
			e.wrong = "its facts are not as they were written"
		case dialect == Postgres: // which has a form of its own for them
			*f.text = string(text)
		}
	}
	e.At = e.At.UTC().Truncate(time.Microsecond)
}

// follow is the head after e.
func (c chain) follow(h Head, e *storedEvent) (Head, error) {
	switch {
	case e.ID != h.ID+1:
		return h, &Broken{h.ID + 1, "it is missing"}
	case e.wrong != "":
		return h, &Broken{e.ID, e.wrong}
	}
	want, err := c.hash(h, &e.AuditEvent)
	if err != nil {
		return h, err
	}
	if !hmac.Equal(want, e.Hash) {
		return h, &Broken{e.ID, "it was changed, or one before it was"}
	}
	return Head{e.ID, e.Hash}, nil
}
