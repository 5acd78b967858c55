package routing

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// mask stands for what is not shown.
const mask = "***"

// hidden are the headers whose values are credentials.
var hidden = map[string]bool{"Authorization": true, "Cookie": true, "Set-Cookie": true, "Proxy-Authorization": true}

// text is the request as it is kept: request line, headers, body.
func (r *request) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.method, r.url)
	for _, h := range r.header {
		writeHeader(&b, h.name, h.value)
	}
	b.WriteByte('\n')
	b.Write(r.body)
	return captured(b.String(), r.secrets)
}

// answerText is the answer as it is kept: status line, headers by name, body.
func answerText(x *exchange, secrets []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "HTTP %d %s\n", x.status, http.StatusText(x.status))
	for _, name := range slices.Sorted(maps.Keys(x.header)) {
		for _, value := range x.header[name] {
			writeHeader(&b, name, value)
		}
	}
	b.WriteByte('\n')
	b.Write(x.body)
	return captured(b.String(), secrets)
}

func writeHeader(b *strings.Builder, name, value string) {
	if hidden[http.CanonicalHeaderKey(name)] {
		value = mask
	}
	fmt.Fprintf(b, "%s: %s\n", name, value)
}

// captured masks the secrets in text, plain or escaped for a URL, and makes it
// what a text column holds: valid UTF-8 without NUL, at most captureLimit bytes.
func captured(text string, secrets []string) string {
	for _, s := range secrets {
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s)} {
			text = strings.ReplaceAll(text, form, mask)
		}
	}
	return clip(text, captureLimit)
}

// clip returns text as valid UTF-8 without NUL, at most limit bytes.
func clip(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}
