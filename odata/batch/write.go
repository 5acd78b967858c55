package batch

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Head is the beginning of a response.
type Head struct {
	ID     string
	Group  string // that the request belonged to; "" for none
	Status int
	Header http.Header
	Length int // of the body; -1 where it is not known yet
}

// Writer writes the responses of a batch, one after the other. Nothing stays in
// memory. Errors of the io.Writer below are sticky; Close and Flush return them.
type Writer interface {
	// ContentType is that of the whole.
	ContentType() string
	// Open begins a response. Its body is to be written and closed before the
	// next is opened.
	Open(h Head) io.WriteCloser
	// Flush passes on what has been written so far.
	Flush() error
	// Close ends the batch.
	Close() error
}

// NewMultipart returns a writer of multipart/mixed. The seed makes its boundaries
// and must occur in no response.
func NewMultipart(w io.Writer, seed string) Writer {
	return &multipartWriter{Writer: bufio.NewWriter(w), seed: seed}
}

type multipartWriter struct {
	*bufio.Writer
	seed  string
	group string
	sets  int
}

func (m *multipartWriter) boundary() string { return "batch_" + m.seed }

func (m *multipartWriter) inner() string { return fmt.Sprintf("changeset_%d_%s", m.sets, m.seed) }

func (m *multipartWriter) ContentType() string { return "multipart/mixed; boundary=" + m.boundary() }

func (m *multipartWriter) print(parts ...string) {
	for _, s := range parts {
		_, _ = m.WriteString(s) // the first error stays for Flush
	}
}

// enter closes the change set at hand and opens another, where they differ.
func (m *multipartWriter) enter(group string) {
	if group == m.group {
		return
	}
	if m.group != "" {
		m.print("--", m.inner(), "--\r\n\r\n")
	}
	if m.group = group; group != "" {
		m.sets++
		m.print("--", m.boundary(), "\r\nContent-Type: multipart/mixed; boundary=", m.inner(), "\r\n\r\n")
	}
}

func (m *multipartWriter) Open(h Head) io.WriteCloser {
	m.enter(h.Group)
	boundary := m.boundary()
	if h.Group != "" {
		boundary = m.inner()
	}
	m.print("--", boundary, "\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n")
	if h.ID != "" {
		m.print("Content-ID: ", h.ID, "\r\n")
	}
	m.print("\r\n", fmt.Sprintf("HTTP/1.1 %d %s\r\n", h.Status, http.StatusText(h.Status)))
	for _, name := range names(h.Header) {
		for _, value := range h.Header[name] {
			m.print(spelling(name), ": ", value, "\r\n")
		}
	}
	if h.Length > 0 {
		m.print(fmt.Sprintf("Content-Length: %d\r\n", h.Length))
	}
	m.print("\r\n")
	return ending{m, func() { m.print("\r\n") }}
}

func (m *multipartWriter) Close() error {
	m.enter("")
	m.print("--", m.boundary(), "--\r\n")
	return m.Flush()
}

// ending is a body, with what is to be written after it.
type ending struct {
	io.Writer
	end func()
}

func (e ending) Close() error {
	e.end()
	return nil
}

// names are the names of the headers that a response in a batch shows, in order.
func names(h http.Header) []string {
	var list []string
	for name := range h {
		if name != "Content-Length" {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// spelling is how OData spells a header, where net/http does it otherwise.
func spelling(name string) string {
	switch name {
	case "Etag":
		return "ETag"
	case "Odata-Entityid":
		return "OData-EntityId"
	}
	if rest, ok := strings.CutPrefix(name, "Odata-"); ok {
		return "OData-" + rest
	}
	return name
}

// NewJSON returns a writer of a JSON batch response.
func NewJSON(w io.Writer) Writer { return &jsonWriter{Writer: bufio.NewWriter(w)} }

type jsonWriter struct {
	*bufio.Writer
	begun bool
}

func (j *jsonWriter) ContentType() string { return "application/json" }

func (j *jsonWriter) print(parts ...string) {
	for _, s := range parts {
		_, _ = j.WriteString(s) // the first error stays for Flush
	}
}

// begin writes what stands before a response, or before the end.
func (j *jsonWriter) begin(separator string) {
	if !j.begun {
		j.begun, separator = true, ""
		j.print(`{"responses":[`)
	}
	j.print(separator)
}

func (j *jsonWriter) Open(h Head) io.WriteCloser {
	j.begin(",")
	j.print("{")
	if h.ID != "" {
		j.print(`"id":`, quote(h.ID), ",")
	}
	if h.Group != "" {
		j.print(`"atomicityGroup":`, quote(h.Group), ",")
	}
	j.print(fmt.Sprintf(`"status":%d`, h.Status))
	for i, name := range names(h.Header) {
		if i == 0 {
			j.print(`,"headers":{`)
		} else {
			j.print(",")
		}
		j.print(quote(strings.ToLower(name)), ":", quote(strings.Join(h.Header[name], ", ")))
	}
	if len(names(h.Header)) > 0 {
		j.print("}")
	}
	if h.Length == 0 {
		return ending{io.Discard, func() { j.print("}") }}
	}
	j.print(`,"body":`)
	return j.body(formOf(h.Header.Get("Content-Type")))
}

// body is a body in the form that its media type asks for.
func (j *jsonWriter) body(f form) io.WriteCloser {
	switch f {
	case formJSON:
		return ending{j, func() { j.print("}") }}
	case formText:
		var text strings.Builder // of single values: counts, properties
		return ending{&text, func() { j.print(quote(text.String()), "}") }}
	}
	j.print(`"`)
	e := base64.NewEncoder(base64.URLEncoding, j)
	return ending{e, func() {
		_ = e.Close() // writes to j, which keeps its error
		j.print(`"}`)
	}}
}

func (j *jsonWriter) Close() error {
	j.begin("")
	j.print("]}\n")
	return j.Flush()
}

func quote(s string) string {
	text, _ := json.Marshal(s) // strings always marshal
	return string(text)
}
