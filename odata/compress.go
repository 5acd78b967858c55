package odata

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// compressible is how long a body must be at least for its compression to be
// worth the work.
const compressible = 1400

// gzips are idle writers: one holds some hundred kilobytes.
var gzips = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return z
}}

// acceptsGzip reports whether an Accept-Encoding header asks for gzip.
func acceptsGzip(header string) bool {
	if header == "" {
		return false
	}
	_, _, found := best(strings.ReplaceAll(header, "*", "*/*"), func(coding string, _ map[string]string) (struct{}, bool) {
		return struct{}{}, coding == "gzip" || coding == "x-gzip" || coding == "*/*"
	})
	return found
}

// compressor compresses a body as it is written, once it is known to be long
// enough. Until then it holds the status and the body back.
type compressor struct {
	http.ResponseWriter
	status int
	held   []byte
	z      *gzip.Writer
	plain  bool // decided: not compressed
}

// WriteHeader implements http.ResponseWriter.
func (c *compressor) WriteHeader(status int) {
	if c.status == 0 {
		c.status = status
	}
}

// Write implements http.ResponseWriter.
func (c *compressor) Write(b []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	switch {
	case c.z != nil:
		return c.z.Write(b)
	case c.plain:
		return c.ResponseWriter.Write(b)
	case len(c.held)+len(b) < compressible:
		c.held = append(c.held, b...)
		return len(b), nil
	}
	h := c.Header()
	if h.Get("Content-Encoding") != "" {
		return c.pass(b)
	}
	h.Set("Content-Encoding", "gzip")
	h.Del("Content-Length")
	c.ResponseWriter.WriteHeader(c.status)
	c.z = gzips.Get().(*gzip.Writer)
	c.z.Reset(c.ResponseWriter)
	if _, err := c.z.Write(c.held); err != nil {
		return 0, err
	}
	c.held = nil
	return c.z.Write(b)
}

// pass writes what was held back and b as they are, and all that follows.
func (c *compressor) pass(b []byte) (int, error) {
	c.plain = true
	if c.status != 0 {
		c.ResponseWriter.WriteHeader(c.status)
	}
	if len(c.held) > 0 {
		if _, err := c.ResponseWriter.Write(c.held); err != nil {
			return 0, err
		}
	}
	c.held = nil
	if len(b) == 0 {
		return 0, nil
	}
	return c.ResponseWriter.Write(b)
}

// close ends the body. It is not called for one that broke off, so that the
// client can tell.
func (c *compressor) close() {
	switch {
	case c.z != nil:
		_ = c.z.Close() // a client that left needs no answer
		c.z.Reset(nil)
		gzips.Put(c.z)
	case !c.plain:
		_, _ = c.pass(nil)
	}
}

// bodyless answers HEAD: it drops the body.
type bodyless struct{ http.ResponseWriter }

// Write implements http.ResponseWriter.
func (bodyless) Write(b []byte) (int, error) { return len(b), nil }
