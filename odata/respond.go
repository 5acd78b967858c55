package odata

import (
	"net/http"
	"strings"

	"leadloop/odata/payload"
)

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

// contextURL is the context of what a read shows (Protocol 4.01, section 10).
func (q *request) contextURL(set, shown string, single bool) string {
	return q.root() + contextOf(set, shown, single)
}

// contextOf is a contextURL below the service root.
func contextOf(set, shown string, single bool) string {
	u := "$metadata#" + set + shown
	if single {
		u += "/$entity"
	}
	return u
}
