// Package batch reads OData batch requests, in multipart/mixed (Protocol 4.01,
// section 11.7.7) and in JSON (JSON Format 4.01, section 19), and writes the
// responses in either. It knows no service: it turns bytes into requests, and
// responses into bytes.
//
// A body is read whole before anything is carried out, so that one that is
// malformed anywhere changes nothing.
package batch

import (
	"net/http"
	"strings"

	"leadloop/odata/fault"
)

// Request is one request of a batch. Its Body may be a part of the batch's own,
// and is not to be changed.
type Request struct {
	// ID names the request within the batch; "" where it has no name, as may be in
	// multipart batches.
	ID     string
	Method string // in upper case
	// URL is as it was written: absolute, with an absolute path, relative to the
	// service root, or beginning with a reference ("$1/Orders").
	URL    string
	Header http.Header
	Body   []byte
	// Group names the change set or atomicity group that the request belongs to;
	// "" for none. The requests of a group are adjacent.
	Group string
	// DependsOn are the requests and groups that must have succeeded before.
	DependsOn []string
	// If is the condition of a JSON request for being carried out; "" for none.
	If string
}

// Limits bound a batch.
type Limits struct {
	Parts     int // requests of a batch
	ChangeSet int // requests of one change set or atomicity group
}

// maxHeaders bounds the headers of one request.
const maxHeaders = 100

func (l Limits) parts(n int) error {
	if n <= l.Parts {
		return nil
	}
	return fault.Newf(fault.TooLarge, "the batch holds more than %d requests (limit BatchParts)", l.Parts)
}

func (l Limits) changeSet(n int) error {
	if n <= l.ChangeSet {
		return nil
	}
	return fault.Newf(fault.TooLarge, "a change set holds more than %d requests (limit ChangeSet)", l.ChangeSet)
}

// validID reports whether id satisfies the rule request-id of the OData ABNF.
func validID(id string) bool {
	return id != "" && len(id) <= 256 && strings.IndexFunc(id, func(c rune) bool {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return false
		}
		return !strings.ContainsRune("-._~", c)
	}) < 0
}

// addHeader adds a header as HTTP allows it (RFC 9110, section 5); false if it
// is none.
func addHeader(h http.Header, name, value string) bool {
	if name == "" || !isToken(name) || strings.IndexFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) >= 0 {
		return false
	}
	h.Add(name, strings.TrimSpace(value))
	return true
}

func isToken(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}) < 0
}

// decodable refuses bodies in codings that are not taken apart here: the
// protocol lets a service choose.
func decodable(h http.Header) error {
	if coding := h.Get("Transfer-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return fault.Newf(fault.NotImplemented, "Transfer-Encoding (%s) inside a batch is not served", coding).At("Transfer-Encoding")
	}
	return nil
}
