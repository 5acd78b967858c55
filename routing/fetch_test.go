package routing

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

func TestFetch(t *testing.T) {
	graph := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/there":
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusFound)
		case "/long":
			_, _ = w.Write(make([]byte, 2*captureLimit))
		default:
			w.WriteHeader(http.StatusTeapot)
			_, _ = w.Write([]byte(r.Method + " " + r.Header.Get("Authorization") + " " + r.UserAgent()))
		}
	})
	db := storetest.Open(t, store.SQLite)
	s := New(db, storetest.Vault(), WithAllowedNetworks(netip.MustParsePrefix("127.0.0.0/8")), WithTimeout(5*time.Second))
	t.Cleanup(s.Close)
	strict := New(db, storetest.Vault())
	t.Cleanup(strict.Close)
	tests := []struct {
		name    string
		s       *Service
		path    string
		status  int
		body    string
		problem string
	}{
		{"an answer", s, "/here", 418, "GET Bearer x Leadloop/dev", ""},
		{"a redirect", s, "/there", 302, "", ""},
		{"too long", s, "/long", 200, "", "65536 bytes or more"},
		{"a forbidden address", strict, "/here?token=secret", 0, "", "is not in an allowed network"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, body, err := test.s.Fetch(context.Background(), graph.URL+test.path, map[string]string{"Authorization": "Bearer x"})
			if status != test.status || test.body != "" && string(body) != test.body {
				t.Errorf("got %d, %s", status, body)
			}
			if (err != nil) != (test.problem != "") || err != nil && (!strings.Contains(err.Error(), test.problem) || strings.Contains(err.Error(), "secret")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
