package odata

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"leadloop/odata/batch"
)

// recorder takes the answer to one request of a batch. It keeps the body until
// that grows beyond the limit; then it either passes on what it has and all that
// comes (open is set), or gives up.
type recorder struct {
	header http.Header
	status int
	sent   http.Header // the header as it was when the status was written
	body   bytes.Buffer
	limit  int64
	open   func(rec *recorder, length int) io.WriteCloser
	stream io.WriteCloser // what open gave
	over   bool           // it gave up
}

var errAnswerTooLarge = errors.New("odata: the answer is larger than can be kept")

func newRecorder(limit int64) *recorder { return &recorder{header: http.Header{}, limit: limit} }

// Header implements http.ResponseWriter.
func (rec *recorder) Header() http.Header { return rec.header }

// WriteHeader implements http.ResponseWriter.
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= 200 {
		rec.status, rec.sent = status, rec.header.Clone()
	}
}

// Write implements http.ResponseWriter.
func (rec *recorder) Write(b []byte) (int, error) {
	rec.WriteHeader(http.StatusOK)
	switch {
	case rec.stream != nil:
		return rec.stream.Write(b)
	case rec.over:
		return 0, errAnswerTooLarge
	case int64(rec.body.Len()+len(b)) <= rec.limit:
		return rec.body.Write(b)
	case rec.open == nil:
		rec.over = true
		return 0, errAnswerTooLarge
	}
	rec.stream = rec.open(rec, -1)
	if _, err := rec.stream.Write(rec.body.Bytes()); err != nil {
		return 0, err
	}
	rec.body = bytes.Buffer{}
	return rec.stream.Write(b)
}

// forget drops what has been recorded, so that another answer can take its place.
func (rec *recorder) forget() {
	rec.header, rec.sent, rec.status, rec.over = http.Header{}, nil, 0, false
	rec.body.Reset()
}

// ok reports whether the request succeeded.
func (rec *recorder) ok() bool { return rec.status >= 200 && rec.status < 300 }

// send writes the answer as the response to a request with this id and group,
// unless it has been passed on already.
func (rec *recorder) send(w batch.Writer, id, group string) {
	if rec.stream == nil {
		rec.stream = w.Open(rec.head(id, group, rec.body.Len()))
		_, _ = rec.stream.Write(rec.body.Bytes()) // w keeps its first error
	}
	_ = rec.stream.Close()
}

func (rec *recorder) head(id, group string, length int) batch.Head {
	return batch.Head{ID: id, Group: group, Status: rec.status, Header: rec.sent, Length: length}
}
