package odata

import (
	"net/http"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// format is the representation of an answer.
type format struct {
	metadata string // "minimal" or "none"
}

func (f format) contentType() string { return "application/json;odata.metadata=" + f.metadata }

// negotiate chooses the representation from $format, or else from Accept
// (Protocol 4.01, section 8.2.1 and 11.2.12).
func negotiate(formatOption, accept string) (format, error) {
	wanted := accept
	if formatOption != "" {
		wanted = formatOption
	}
	if wanted == "" {
		return format{"minimal"}, nil
	}
	for item := range strings.SplitSeq(wanted, ",") {
		media, parameters, _ := strings.Cut(item, ";")
		switch strings.ToLower(strings.TrimSpace(media)) {
		case "application/json", "application/*", "*/*", "json":
			if f, ok := jsonFormat(parameters); ok {
				return f, nil
			}
		}
	}
	code := fault.NotAcceptable
	return format{}, fault.Newf(code, "this service answers in application/json with odata.metadata=minimal or none, not in %q", wanted)
}

// jsonFormat reads the parameters of application/json.
func jsonFormat(parameters string) (format, bool) {
	f := format{"minimal"}
	for p := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(p)), "=")
		switch strings.TrimPrefix(name, "odata.") {
		case "metadata":
			if value != "minimal" && value != "none" {
				return f, false
			}
			f.metadata = value
		case "ieee754compatible":
			if value == "true" {
				return f, false
			}
		}
	}
	return f, true
}

// root is the absolute URL of the service root, with a slash at its end.
func (q *request) root() string {
	scheme := "http"
	if q.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + q.Host + q.s.Prefix + "/"
}

// prefers reports whether the request prefers "return=<what>" (Protocol 4.01,
// section 8.2.8.7), and says so in the answer.
func (q *request) prefersReturn(what string) bool {
	for _, header := range q.Header.Values("Prefer") {
		for p := range strings.SplitSeq(header, ",") {
			if strings.EqualFold(strings.TrimSpace(p), "return="+what) {
				q.w.Header().Set("Preference-Applied", "return="+what)
				return true
			}
		}
	}
	return false
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
	u := q.root() + "$metadata#" + set + shown
	if single {
		u += "/$entity"
	}
	return u
}
