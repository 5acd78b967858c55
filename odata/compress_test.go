package odata_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestGzip: long bodies are compressed for who accepts that, short ones are not.
func TestGzip(t *testing.T) {
	s := newArchive(t, "sqlite", nil)
	if a := s.do(t, t.Context(), "POST /Books", `{"Code":"long","Title":"`+strings.Repeat("long ", 20000)+`"}`); a.status != http.StatusCreated {
		t.Fatal(a.body)
	}
	long := s.get(t, "/Books")
	for _, c := range []struct {
		path, accept string
		compressed   bool
	}{
		{"/Books", "gzip", true},
		{"/Books('long')", "gzip, deflate, br", true},
		{"/$metadata", "gzip", true},
		{"/Books", "br;q=1.0, gzip;q=0.8, *;q=0.1", true},
		{"/Books", "*", true},
		{"/Books", "gzip;q=0", false},
		{"/Books", "gzip;q=0, *", false},
		{"/Books", "identity", false},
		{"/Books", "", false},
		{"/Copies", "gzip", false},
		{"/Books/$count", "gzip", false},
		{"/Books('none')", "gzip", false},
	} {
		a := s.do(t, t.Context(), "GET "+c.path, "", "Accept-Encoding: "+c.accept)
		body := a.body
		if encoding := a.header.Get("Content-Encoding"); (encoding == "gzip") != c.compressed {
			t.Errorf("%s %s: Content-Encoding %q", c.path, c.accept, encoding)
			continue
		}
		if c.compressed {
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(z)
			if err != nil || len(plain) <= len(body) {
				t.Errorf("%s: %v, %d bytes of %d", c.path, err, len(body), len(plain))
			}
			body = string(plain)
		}
		if c.path == "/Books" && body != long.body {
			t.Errorf("%s %s: another body", c.path, c.accept)
		}
		if !strings.Contains(a.header.Get("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", c.path, a.header.Get("Vary"))
		}
	}
}
