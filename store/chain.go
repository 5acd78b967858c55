package store

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// headName is where settings keep the chain's head.
const headName = "audit_head"

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
	kept, err := c.hold(tx)
	if err != nil {
		return err
	}
	h, err := c.open(kept)
	if err != nil {
		return err
	}
	e.ID = h.ID + 1
	return c.append(tx, h, e)
}

// hold gives the head as settings keep it, which no other transaction moves until
// this one ends.
func (c chain) hold(tx *gorm.DB) (kept string, err error) {
	ctx, pool := tx.Statement.Context, tx.Statement.ConnPool
	if _, err := pool.ExecContext(ctx, "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
		headName, c.sealed(c.genesis())); err != nil {
		return "", err
	}
	query := "SELECT value FROM settings WHERE name = $1"
	if tx.Name() == Postgres {
		query += " FOR UPDATE"
	}
	err = pool.QueryRowContext(ctx, query, headName).Scan(&kept)
	return kept, err
}

// append writes e, which has its ID, behind h and makes it the head.
func (c chain) append(tx *gorm.DB, h Head, e *AuditEvent) (err error) {
	if e.Hash, err = c.hash(h, e); err != nil {
		return err
	}
	if err := tx.Create(e).Error; err != nil {
		return err
	}
	_, err = tx.Statement.ConnPool.ExecContext(tx.Statement.Context, "UPDATE settings SET value = $1 WHERE name = $2", c.sealed(Head{e.ID, e.Hash}), headName)
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
