package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// client calls a server over HTTP as one caller.
type client struct {
	t      testing.TB
	base   string
	header http.Header
}

// with returns the client with a header more.
func (c client) with(name, value string) client {
	c.header = c.header.Clone()
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set(name, value)
	return c
}

func (c client) get(path string) answer { c.t.Helper(); return c.do("GET", path, nil) }

func (c client) post(path string, body any) answer { c.t.Helper(); return c.do("POST", path, body) }

// do makes a request. The path may hold spaces and any letters; the body is JSON
// unless it is a string, which goes as it is.
func (c client) do(method, path string, body any) answer {
	c.t.Helper()
	a, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// try is do that returns the error of a broken connection.
func (c client) try(method, path string, body any) (answer, error) {
	a := answer{t: c.t, request: method + " " + path}
	var content []byte
	switch body := body.(type) {
	case nil:
	case string:
		content = []byte(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return a, err
		}
		content = text
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+escape(path), bytes.NewReader(content))
	if err != nil {
		return a, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for name, values := range c.header {
		r.Header[name] = values
	}
	got, err := direct.Do(r)
	if err != nil {
		return a, err
	}
	defer got.Body.Close()
	a.status, a.header = got.StatusCode, got.Header
	a.body, err = io.ReadAll(got.Body)
	return a, err
}

// direct follows no redirect.
var direct = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// escape percent-encodes what cannot stand in a URL as it is.
func escape(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c <= ' ' || c >= 0x7f || c == '+' || c == '"' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// answer is what came back.
type answer struct {
	t       testing.TB
	request string
	status  int
	header  http.Header
	body    []byte
}

// want fails the test unless the answer has this status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, want %d: %s", a.request, a.status, status, a.body)
	}
	return a
}

// at gives what is at the path of names and indexes in the JSON body, numbers as
// they are written.
func (a answer) at(path ...any) any {
	a.t.Helper()
	v := a.parsed()
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

// text is at as text.
func (a answer) text(path ...any) string {
	a.t.Helper()
	v := a.at(path...)
	if v == nil {
		a.t.Fatalf("%s: nothing at %v: %s", a.request, path, a.body)
	}
	return fmt.Sprint(v)
}

func (a answer) parsed() any {
	a.t.Helper()
	v, err := parseJSON(a.body)
	if err != nil {
		a.t.Fatalf("%s: %v: %s", a.request, err, a.body)
	}
	return v
}

func parseJSON(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v)
}

// is fails the test unless the body is the JSON want, in which <uuid> and the
// other placeholders stand for what is different each time, and %BASE% for the
// server's address.
func (a answer) is(base, want string) answer {
	a.t.Helper()
	expected, err := parseJSON([]byte(strings.ReplaceAll(want, "%BASE%", base)))
	if err != nil {
		a.t.Fatalf("%v in %s", err, want)
	}
	if diff := cmp.Diff(expected, blur(expected, a.parsed())); diff != "" {
		a.t.Errorf("%s: %s\n%s", a.request, a.body, diff)
	}
	return a
}

var placeholders = map[string]*regexp.Regexp{
	"<uuid>":  regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`),
	"<time>":  regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`),
	"<int>":   regexp.MustCompile(`^\d+$`),
	"<key>":   regexp.MustCompile(`^ll_live_[0-9A-Za-z]{10}_[0-9A-Za-z]{49}$`),
	"<keyid>": regexp.MustCompile(`^[0-9A-Za-z]{10}$`),
	"<token>": regexp.MustCompile(`^[0-9A-Za-z_-]{16,}$`),
	"<jwt>":   regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`),
	"<id>":    regexp.MustCompile(`^[A-Z][A-Za-z]*\([0-9a-f-]+\)$`), // of an entity, relative
	"<etag>":  regexp.MustCompile(`^W/".+"$`),
	"<text>":  regexp.MustCompile(`(?s)^.+$`),
}

// blur puts want's placeholders into got where they fit.
func blur(want, got any) any {
	switch want := want.(type) {
	case string:
		if p := placeholders[want]; p != nil && got != nil && p.MatchString(fmt.Sprint(got)) {
			return want
		}
	case map[string]any:
		if got, ok := got.(map[string]any); ok {
			out := map[string]any{}
			for name, v := range got {
				out[name] = blur(want[name], v)
			}
			return out
		}
	case []any:
		if got, ok := got.([]any); ok && len(got) == len(want) {
			out := make([]any, len(got))
			for i := range got {
				out[i] = blur(want[i], got[i])
			}
			return out
		}
	}
	return got
}

// receiver is a customer's system: it takes transmissions.
type receiver struct {
	url      string
	received chan delivery
}

type delivery struct {
	header http.Header
	body   string
	at     time.Time
}

// listen starts a receiver that answers as handle says, 200 {} if that is nil.
// Handle is called before the delivery can be seen.
func listen(t testing.TB, handle http.HandlerFunc) *receiver {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{url: "http://" + l.Addr().String() + "/leads", received: make(chan delivery, 10_000)}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		if handle != nil {
			handle(w, q)
		} else {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, "{}")
		}
		r.received <- delivery{q.Header, string(body), time.Now()}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return r
}

// next is the next delivery.
func (r *receiver) next(t testing.TB, within time.Duration) delivery {
	t.Helper()
	select {
	case d := <-r.received:
		return d
	case <-time.After(within):
		t.Fatalf("nothing was delivered within %v", within)
		return delivery{}
	}
}

// failing starts a receiver that answers 503 as often as the number it also
// gives says.
func failing(t testing.TB) (*receiver, *atomic.Int32) {
	t.Helper()
	left := &atomic.Int32{}
	return listen(t, func(w http.ResponseWriter, _ *http.Request) {
		if left.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}), left
}

// failWith is a receiver that always answers so.
func failWith(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}
