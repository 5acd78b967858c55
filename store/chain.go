package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// headName is where settings keep the chain's head.
const headName = "audit_head"

// pageOfEvents is how many events VerifyAudit holds at once.
const pageOfEvents = 500

// chain links the events of the audit trail: the hash of each is over that of the
// one before and its own content, under a key that is not in the database.
// Whoever can write to the database alone can break the chain, and cannot mend it.
type chain struct{ key []byte }

// Head is the end of the audit trail: its last event's ID, 0 if there is none,
// and hash. Kept elsewhere, it proves later that the trail still goes through it.
type Head struct {
	ID   int64
	Hash []byte
}

// String is the head as ParseHead reads it: ID:HASH.
func (h Head) String() string { return fmt.Sprintf("%d:%x", h.ID, h.Hash) }

// ParseHead is the reverse of String.
func ParseHead(text string) (h Head, err error) {
	id, hash, _ := bytes.Cut([]byte(text), []byte(":"))
	if err := json.Unmarshal(id, &h.ID); err != nil || h.ID < 0 {
		return h, fmt.Errorf("%q is no ID:HASH", text)
	}
	h.Hash, err = hex.DecodeString(string(hash))
	if err != nil || len(h.Hash) != sha256.Size {
		return h, fmt.Errorf("%q is no ID:HASH", text)
	}
	return h, nil
}

// genesis is the head of an empty trail.
func (c chain) genesis() Head { return Head{Hash: c.mac([]byte("genesis"))} }

func (c chain) mac(parts ...[]byte) []byte {
	h := hmac.New(sha256.New, c.key)
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// sealed is h as settings keep it. Its own MAC is what an earlier head, which is
// the hash of an event, does not have: the last events cannot be cut off.
func (c chain) sealed(h Head) string {
	text := h.String()
	return text + ":" + hex.EncodeToString(c.mac([]byte("head"), []byte(text)))
}

func (c chain) open(kept string) (Head, error) {
	const tail = 1 + 2*sha256.Size
	if len(kept) <= tail {
		return Head{}, errors.New("the head of the audit trail is damaged")
	}
	h, err := ParseHead(kept[:len(kept)-tail])
	if err != nil || !hmac.Equal([]byte(c.sealed(h)), []byte(kept)) {
		return Head{}, errors.New("the head of the audit trail is damaged")
	}
	return h, nil
}

// add writes e behind the head, which this transaction holds until it ends.
func (c chain) add(tx *gorm.DB, e *AuditEvent) error {
	ctx, pool := tx.Statement.Context, tx.Statement.ConnPool
	if _, err := pool.ExecContext(ctx, "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
		headName, c.sealed(c.genesis())); err != nil {
		return err
	}
	query := "SELECT value FROM settings WHERE name = $1"
	if tx.Name() == Postgres {
		query += " FOR UPDATE"
	}
	var kept string
	if err := pool.QueryRowContext(ctx, query, headName).Scan(&kept); err != nil {
		return err
	}
	h, err := c.open(kept)
	if err != nil {
		return err
	}
	e.ID = h.ID + 1
	if e.Hash, err = c.hash(h, e); err != nil {
		return err
	}
	if err := tx.Create(e).Error; err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, "UPDATE settings SET value = $1 WHERE name = $2", c.sealed(Head{e.ID, e.Hash}), headName)
	return err
}

// hash is that of e behind h.
func (c chain) hash(h Head, e *AuditEvent) ([]byte, error) {
	before, err := canonical(e.Before)
	if err != nil {
		return nil, err
	}
	after, err := canonical(e.After)
	if err != nil {
		return nil, err
	}
	parts := [][]byte{h.Hash, binary.BigEndian.AppendUint64(nil, uint64(e.ID))}
	for _, text := range []string{
		e.At.UTC().Format(TimeLayout), e.ActorKind, e.ActorID, e.ActorName, e.Through, e.RemoteAddress, e.Action, e.Entity, e.Key,
	} {
		parts = append(parts, []byte(text))
	}
	return c.mac(append(parts, before, after)...), nil
}

// canonical is the one JSON text of f: names sorted, as the serializer writes it.
func canonical(f Facts) ([]byte, error) {
	if f == nil {
		f = Facts{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(map[string]any(f))
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

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
// out or cut off at the end, or if the trail does not go through past, a head it
// had before; nil asks for none.
func (db *DB) VerifyAudit(ctx context.Context, past *Head) (Head, error) {
	return db.verifyAudit(ctx, past, func(int64, int64) {})
}

// verifyAudit is VerifyAudit that tells progress how many events of how many it
// has read.
func (db *DB) verifyAudit(ctx context.Context, past *Head, progress func(done, of int64)) (Head, error) {
	c := chain{key: db.options.auditKey}
	if c.key == nil {
		return Head{}, errors.New("verify audit: a database without a vault")
	}
	end, err := db.auditHead(ctx, c)
	if err != nil {
		return Head{}, err
	}
	h := c.genesis()
	for {
		events, err := db.auditPage(ctx, h.ID, end.ID)
		if err != nil {
			return h, err
		}
		for i := range events {
			if h, err = c.follow(h, &events[i]); err != nil {
				return h, err
			}
			if past != nil && past.ID == h.ID && !hmac.Equal(past.Hash, h.Hash) {
				return h, &Broken{h.ID, "it is not the event that the head kept elsewhere speaks of"}
			}
		}
		progress(h.ID, end.ID)
		if len(events) < pageOfEvents {
			break
		}
	}
	switch {
	case h.ID < end.ID:
		return h, &Broken{h.ID + 1, fmt.Sprintf("it is missing, with all behind it; there were %d", end.ID)}
	case !hmac.Equal(h.Hash, end.Hash):
		return h, &Broken{h.ID, "it is not the one the head speaks of"}
	case past != nil && past.ID > h.ID:
		return h, &Broken{h.ID + 1, fmt.Sprintf("it is missing, with all behind it; there were at least %d", past.ID)}
	}
	return h, db.auditBeyond(ctx, h)
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
}

func (db *DB) auditPage(ctx context.Context, after, last int64) ([]storedEvent, error) {
	var page []storedEvent
	err := db.Read(ctx).Raw(`SELECT id, at, actor_kind, actor_id, actor_name, through, remote_address, action, entity, key, hash,
		CAST(before AS text) AS befores, CAST(after AS text) AS afters
		FROM audit_events WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`, after, last, pageOfEvents).Scan(&page).Error
	if err != nil {
		return nil, fmt.Errorf("verify audit: %w", err)
	}
	for i := range page {
		if err := page[i].read(db.dialect); err != nil {
			return nil, &Broken{page[i].ID, err.Error()}
		}
	}
	return page, nil
}

// read takes the facts in. A text that is not the canonical one might be shown as
// another than it is checked as, where the database keeps texts as they are.
func (e *storedEvent) read(dialect string) error {
	for _, f := range []struct {
		text  string
		facts *Facts
	}{{e.Befores, &e.Before}, {e.Afters, &e.After}} {
		d := json.NewDecoder(bytes.NewReader([]byte(f.text)))
		d.UseNumber()
		if err := d.Decode(f.facts); err != nil {
			return errors.New("its facts are no JSON object")
		}
		if text, err := canonical(*f.facts); err != nil || dialect == SQLite && string(text) != f.text {
			return errors.New("its facts are not as they were written")
		}
	}
	e.At = e.At.UTC().Truncate(time.Microsecond)
	return nil
}

// follow is the head after e.
func (c chain) follow(h Head, e *storedEvent) (Head, error) {
	if e.ID != h.ID+1 {
		return h, &Broken{h.ID + 1, "it is missing"}
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
