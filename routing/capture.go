package routing

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// mask stands for what is not shown.
const mask = "***"

// hidden are the headers whose values are credentials.
var hidden = map[string]bool{
	"Authorization": true, "Cookie": true, "Set-Cookie": true, "Proxy-Authorization": true, "Webhook-Signature": true,
}

// text is the request as it is kept: request line, headers, body.
func (r *request) text() string {
	var b strings.Builder
	b.Grow(512 + len(r.body))
	b.WriteString(r.method + " " + r.url + "\n")
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
	b.Grow(512 + len(x.body))
	b.WriteString("HTTP " + strconv.Itoa(x.status) + " " + http.StatusText(x.status) + "\n")
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
	for _, part := range [...]string{name, ": ", value, "\n"} {
		b.WriteString(part)
	}
}

// captured masks the secrets in text, plain or escaped for a URL, JSON or XML,
// and makes it what a text column holds: valid UTF-8 without NUL, at most
// captureLimit bytes.
func captured(text string, secrets []string) string {
	if len(secrets) == 0 {
		return clip(text, captureLimit)
	}
	// The longest first: one may begin with another.
	secrets = slices.SortedFunc(slices.Values(secrets), func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		if s == "" {
			continue
		}
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), inJSON(s, false), inJSON(s, true), inXML(s)} {
			text = strings.ReplaceAll(text, form, mask)
		}
	}
	return clip(text, captureLimit)
}

// inJSON is text as it stands between the quotes of a JSON string.
func inJSON(text string, html bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	_ = enc.Encode(text) // text can always be written
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSuffix(b.String(), "\n"), `"`), `"`)
}

func inXML(text string) string {
	var b bytes.Buffer
	escapeXML(&b, text)
	return b.String()
}

// clip returns text as valid UTF-8 without NUL, at most limit bytes.
func clip(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}
