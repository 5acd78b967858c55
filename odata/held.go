package odata

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"net/http"

	"gorm.io/gorm"

	"leadloop/odata/fault"
)

// held is an answer that waits for the end of the transaction it tells of.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *held) Header() http.Header { return h.header }

func (h *held) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

func (h *held) Write(b []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(b)
}

// send gives the answer to w.
func (h *held) send(w http.ResponseWriter) {
	maps.Copy(w.Header(), h.header)
	if h.status != 0 {
		w.WriteHeader(h.status)
		_, _ = w.Write(h.body.Bytes()) // a client that left needs no answer
	}
}

// atomically runs f in one transaction, on a copy of q that reads and writes in
// it and whose answer is sent when it is durable. Where q is in one already, or
// the service has no Options.Write, f runs on q itself.
func (q *request) atomically(f func(q *request) error) error {
	if q.held || q.s.Write == nil {
		return f(q)
	}
	// Who loses the race to create an entity finds it there at the second try.
	err := q.once(f)
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		err = q.once(f)
	}
	return err
}

func (q *request) once(f func(q *request) error) error {
	var h *held
	err := q.s.Write(q.Context(), func(ctx context.Context) error {
		h = &held{header: q.w.Header().Clone()}
		inner := *q
		inner.Request, inner.w, inner.held = q.WithContext(ctx), h, true
		return f(&inner)
	})
	if err == nil {
		h.send(q.w)
	}
	return err
}

// refused makes a fault of the database's word that a change would break one of
// its constraints.
func refused(err error) error {
	var f *fault.Error
	switch {
	case err == nil || errors.As(err, &f):
		return err
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return fault.New(fault.Conflict, "there is an entity with this key, or with this value of a unique property, already")
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return fault.New(fault.Conflict, "it refers to an entity that is not there, or is still referred to")
	case errors.Is(err, gorm.ErrCheckConstraintViolated):
		return fault.New(fault.Invalid, "a value is not one that the property may have")
	}
	return err
}

type transactionKey struct{ db *gorm.DB }

// Transactions returns the Read and Write of Options for a plain GORM database.
// The functions of the sets are to use session too, with the context they get,
// for all they read and write. SQLite should be opened with _txlock=immediate, so
// that a transaction that has read may still write.
func Transactions(db *gorm.DB) (session func(ctx context.Context) *gorm.DB, write func(ctx context.Context, f func(ctx context.Context) error) error) {
	key := transactionKey{db}
	session = func(ctx context.Context) *gorm.DB {
		if tx, ok := ctx.Value(key).(*gorm.DB); ok {
			return tx.WithContext(ctx)
		}
		return db.WithContext(ctx)
	}
	write = func(ctx context.Context, f func(ctx context.Context) error) error {
		return session(ctx).Transaction(func(tx *gorm.DB) error { return f(context.WithValue(ctx, key, tx)) })
	}
	return session, write
}
