package odata

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
)

// Repeats remembers the answers of repeatable requests (Repeatable Requests 1.0),
// so that one that is sent again is answered and not carried out again.
//
// Both functions are called inside Options.Write, and are to write in that
// transaction: answer and change are stored together or not at all. They keep
// the callers apart: the id of one caller in ctx never meets another's.
type Repeats interface {
	// Claim takes an id, until an instant after which it may be forgotten, and
	// returns nil; or returns what Keep has stored under it. Of two that claim the
	// same id at once the second waits for the first.
	Claim(ctx context.Context, id string, until time.Time) (*Repeat, error)
	// Keep stores the answer under an id that was claimed.
	Keep(ctx context.Context, id string, r Repeat) error
}

// Repeat is the answer of a repeatable request.
type Repeat struct {
	Request []byte // a digest of the request that was answered
	Status  int
	Header  http.Header
	Body    []byte
}

// longestID bounds the characters of a Repeatability-Request-ID.
const longestID = 100

// repeatable reads the headers of a repeatable request; id is "" where it is
// none (Repeatable Requests 1.0, sections 3.1 and 5).
func (q *request) repeatable(t *target) (id string, until time.Time, err error) {
	id, sent := q.Header.Get("Repeatability-Request-ID"), q.Header.Get("Repeatability-First-Sent")
	if id == "" && sent == "" {
		return "", until, nil
	}
	const header = "Repeatability-Request-ID"
	first, err := time.Parse(http.TimeFormat, sent)
	switch {
	case id == "" || sent == "":
		return "", until, fault.New(fault.Invalid, "Repeatability-Request-ID and Repeatability-First-Sent need each other").At(header)
	case err != nil:
		return "", until, fault.New(fault.Invalid, "Repeatability-First-Sent must be a date like Sun, 06 Nov 1994 08:49:37 GMT").At("Repeatability-First-Sent")
	case len(id) > longestID || strings.ContainsFunc(id, func(r rune) bool { return r < '!' || r > '~' }):
		return "", until, fault.Newf(fault.Invalid, "Repeatability-Request-ID must be at most %d visible ASCII characters", longestID).At(header)
	case q.s.Repeats == nil || q.s.Write == nil || t.operation != nil && t.operation.outside:
		return "", until, fault.New(fault.NotImplemented, "Repeatability-Request-ID is not served for this request").At(header)
	}
	if u, err := uuid.Parse(id); err == nil && len(id) == 36 {
		id = u.String() // in any case
	}
	window, now := q.s.Limits.Repeats, q.s.Now()
	until = first.Add(window)
	if now.After(until) || first.After(now.Add(window)) {
		return "", until, fault.Newf(fault.PreconditionFailed, "Repeatability-First-Sent is more than %v away (limit Repeats): whether the request was carried out is not known", window).At("Repeatability-First-Sent")
	}
	return id, until, nil
}

// repeatably runs f, unless the request is one that was answered before: that
// gets the same answer.
func (q *request) repeatably(t *target, f func(q *request) error) error {
	id, until, err := q.repeatable(t)
	if err != nil {
		q.w.Header().Set("Repeatability-Result", "rejected")
		return err
	}
	if id == "" {
		return f(q)
	}
	q.w.Header().Set("Repeatability-Result", "accepted")
	rejected := false
	err = q.atomically(func(q *request) error {
		earlier, err := q.s.Repeats.Claim(q.Context(), id, until)
		if err != nil {
			return fmt.Errorf("claim a repeatable request: %w", err)
		}
		digest := q.digest()
		rejected = earlier != nil && string(earlier.Request) != string(digest)
		switch {
		case rejected:
			return fault.New(fault.Invalid, "another request was sent with this Repeatability-Request-ID").At("Repeatability-Request-ID")
		case earlier != nil:
			h := &held{header: earlier.Header, status: earlier.Status}
			h.body.Write(earlier.Body)
			h.send(q.w)
			return nil
		}
		return q.first(id, digest, f)
	})
	if rejected {
		q.w.Header().Set("Repeatability-Result", "rejected")
	}
	return err
}

// first carries out a repeatable request and keeps its answer.
func (q *request) first(id string, digest []byte, f func(q *request) error) error {
	h := &held{header: q.w.Header().Clone()}
	inner := *q
	inner.w = h
	if err := f(&inner); err != nil {
		return err
	}
	err := q.s.Repeats.Keep(q.Context(), id, Repeat{Request: digest, Status: h.status, Header: h.header, Body: h.body.Bytes()})
	if err != nil {
		return fmt.Errorf("keep the answer of a repeatable request: %w", err)
	}
	h.send(q.w)
	return nil
}

// digest stands for all of a request that has a meaning: its method, address,
// headers and body.
func (q *request) digest() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", q.Method, q.URL.RequestURI())
	for _, name := range []string{
		"Repeatability-First-Sent", "Content-Type", "If-Match", "If-None-Match", "Prefer", "Accept", "OData-Version", "OData-MaxVersion",
	} {
		fmt.Fprintf(h, "%q\n", q.Header.Values(name))
	}
	h.Write(q.payload)
	return h.Sum(nil)
}
