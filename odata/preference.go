package odata

import (
	"net/http"
	"strings"
)

// preference is one item of a Prefer header (RFC 7240).
type preference struct {
	value string // "" if none is given
	text  string // as it was written, without parameters
}

// boolean reports whether p is a preference with a Boolean value, which is true
// where none is given.
func (p preference) boolean() bool { return p.value == "" || p.value == "true" || p.value == "false" }

func (q *request) preferences() map[string]preference { return preferences(q.Header) }

// preferences reads the Prefer headers, by the name of the preference without
// "odata." (Protocol 4.01, section 8.2.8). The first of a name counts, and one
// without the prefix before one with it.
func preferences(h http.Header) map[string]preference {
	found := map[string]preference{}
	for _, header := range h.Values("Prefer") {
		for _, item := range splitQuoted(header, ',') {
			main := strings.TrimSpace(splitQuoted(item, ';')[0])
			name, value, _ := strings.Cut(main, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			short := strings.TrimPrefix(name, "odata.")
			before, ok := found[short]
			if name == "" || ok && (short != name || !strings.HasPrefix(strings.ToLower(before.text), "odata.")) {
				continue
			}
			found[short] = preference{value: strings.ToLower(strings.Trim(strings.TrimSpace(value), `"`)), text: main}
		}
	}
	return found
}

// splitQuoted splits s at separators that are not inside double quotes.
func splitQuoted(s string, separator byte) []string {
	var parts []string
	start, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == separator && !quoted:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}
