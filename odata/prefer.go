package odata

import (
	"net/http"
	"strconv"
	"strings"

	"leadloop/odata/fault"
)

// preferred is one preference of a request (RFC 7240).
type preferred struct {
	name  string // as the client wrote it, with or without "odata."
	value string // without quotes
	text  string // as it was written, without parameters
}

// boolean reports whether p is a preference with a Boolean value, which is true
// where none is given.
func (p preferred) boolean() bool {
	return p.value == "" || strings.EqualFold(p.value, "true") || strings.EqualFold(p.value, "false")
}

// wishes are the preferences of a request by their names without "odata.", in lower
// case (Protocol 4.01, section 8.2.8). The first of a name counts, and one without
// the prefix before one with it.
type wishes map[string]preferred

func parseWishes(h http.Header) wishes {
	if len(h.Values("Prefer")) == 0 {
		return nil
	}
	found := wishes{}
	for _, header := range h.Values("Prefer") {
		for _, item := range splitList(header, ',') {
			text := strings.TrimSpace(splitList(item, ';')[0])
			name, value, _ := strings.Cut(text, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			short := strings.TrimPrefix(name, "odata.")
			before, given := found[short]
			if name == "" || given && (short != name || before.name == short) {
				continue
			}
			found[short] = preferred{name, strings.Trim(strings.TrimSpace(value), `"`), text}
		}
	}
	return found
}

// prefer takes from the request's preferences those that shape whatever is
// answered.
func (q *request) prefer() error {
	q.prefers = parseWishes(q.Header)
	for short, p := range q.prefers {
		switch short {
		case "omit-values":
			// No property has a default that is not null, so both mean the same.
			// What was changed is shown in any case (Protocol 4.01, section 8.2.8.6).
			changes := q.Method == http.MethodPatch || q.Method == http.MethodPut
			q.omitNulls = !changes && (strings.EqualFold(p.value, "nulls") || strings.EqualFold(p.value, "defaults"))
		case "respond-async":
			// It might be ignored, and then a client would wait for what it did not
			// want to wait for.
			return fault.New(fault.NotImplemented, "the preference respond-async is not served: leave it out").At("Prefer")
		}
	}
	return nil
}

// pageSize is the size of pages that the request prefers, at most the limit.
func (q *request) pageSize(limit int) int {
	if len(q.prefers) == 0 {
		return limit
	}
	if n, err := strconv.Atoi(q.prefers["maxpagesize"].value); err == nil && n > 0 {
		return min(n, limit)
	}
	return limit
}

// applied says in the answer that the preference was applied, with this value.
func (q *request) applied(short, value string) {
	p, given := q.prefers[short]
	if !given {
		return
	}
	text := p.name
	if value != "" {
		text += "=" + value
	}
	h := q.w.Header()
	if before := h.Get("Preference-Applied"); before != "" {
		text = before + ", " + text
	}
	h.Set("Preference-Applied", text)
}

// appliedToEntities says which preferences shaped the entities of the answer.
func (q *request) appliedToEntities() {
	if q.omitNulls {
		q.applied("omit-values", strings.ToLower(q.prefers["omit-values"].value))
	}
	// There are no instance annotations to include.
	q.applied("include-annotations", `"-*"`)
}

// prefersReturn reports whether the request prefers "return=<what>" (Protocol
// 4.01, section 8.2.8.7), and says so in the answer.
func (q *request) prefersReturn(what string) bool {
	if !strings.EqualFold(q.prefers["return"].value, what) {
		return false
	}
	q.applied("return", what)
	return true
}
