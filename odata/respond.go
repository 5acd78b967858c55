package odata

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"leadloop/odata/payload"
)

// contextOf is a contextURL below the service root.
func contextOf(set, shown string, single bool) string {
	u := "$metadata#" + set + shown
	if single {
		u += "/$entity"
	}
	return u
}

// root is the absolute URL of the service root, as the client knows it, with a
// slash at its end.
func (q *request) root() string {
	if q.base == "" {
		o := Proxies(q.s.TrustedProxies).Origin(q.Request)
		q.base = o.Scheme + "://" + o.Host + o.Prefix + q.s.Prefix + "/"
	}
	return q.base
}

// begin writes the headers of an answer in JSON.
func (q *request) begin(status int) {
	q.w.Header().Set("Content-Type", q.format.contentType())
	q.w.WriteHeader(status)
}

// sendText sends plain text.
func (q *request) sendText(text string) error {
	q.w.Header().Set("Content-Type", "text/plain;charset=utf-8")
	q.w.WriteHeader(http.StatusOK)
	_, err := io.WriteString(q.w, text)
	return gone(err)
}

// serviceDocument answers the root (JSON Format 4.01, section 5).
func (q *request) serviceDocument() error {
	if q.Method != http.MethodGet && q.Method != http.MethodHead {
		return q.notAllowed(http.MethodGet)
	}
	var b strings.Builder
	b.WriteString("{")
	if q.format.metadata != "none" {
		b.WriteString(`"@odata.context":` + quote(q.root()+"$metadata") + ",")
	}
	b.WriteString(`"value":[`)
	for i, es := range q.s.model.Sets {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(`{"name":"` + es.Name + `","kind":"EntitySet","url":"` + es.Name + `"}`)
	}
	b.WriteString("]}\n")
	q.begin(http.StatusOK)
	_, err := q.w.Write([]byte(b.String()))
	return gone(err)
}

// quote writes a JSON string.
func quote(s string) string {
	var e payload.Encoder
	e.JSON(s)
	return string(e.Bytes())
}

// gone drops the error of writing to a client that left.
func gone(error) error { return nil }

// number is an Int64 as JSON.
func (q *request) number(n int64) string {
	text := strconv.FormatInt(n, 10)
	if q.format.strings {
		return `"` + text + `"`
	}
	return text
}

// sendEntity sends an entity's JSON with its context, and its ETag as header.
func (q *request) sendEntity(status int, contextURL string, text []byte) {
	q.appliedToEntities()
	q.begin(status)
	if q.Method == http.MethodHead {
		return
	}
	if q.format.metadata == "none" {
		text = append(text, '\n')
	} else {
		text = inContext(contextURL, text)
	}
	_, _ = q.w.Write(text) // a client that left needs no answer
}

// tag says the ETag of what the answer is about, "" if it has none.
func (q *request) tag(etag string) {
	if etag != "" {
		q.w.Header().Set("ETag", etag)
	}
}
