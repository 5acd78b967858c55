package odata_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// TestDeadlines: a client that waits no longer gets nothing, one whose time ran
// out here is told so.
func TestDeadlines(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		if a := s.do(t, ctx, "GET /Makers", ""); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s", a.status, a.body)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if a := s.do(t, gone, "GET /Makers", ""); a.body != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// TestStatementTime: a read that takes too long is interrupted.
func TestStatementTime(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		s := newShop(t, dialect, odata.Limits{Statement: time.Nanosecond})
		if a := s.get(t, "/Makers"); a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "limit Statement") {
			t.Errorf("%s: %d %s", dialect, a.status, a.body)
		}
	}
}

// TestBrokenStream: an answer that fails half-way is cut off, so that nobody
// takes it for whole; one that fails at once is an error.
func TestBrokenStream(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	spoil := func(id string) {
		err := s.write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec("UPDATE products SET tags = 'no JSON' WHERE id = ?", id).Error
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(s)
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	read := func() (int, string, error) {
		answer, err := server.Client().Get(server.URL + "/shop/Products")
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(body), err
	}
	spoil("00000000-0000-0000-0000-000000000004")
	if status, body, err := read(); err == nil {
		t.Errorf("the end of a broken answer was not noticed: %d %s", status, body)
	}
	spoil("00000000-0000-0000-0000-000000000001")
	if status, body, err := read(); err != nil || status != http.StatusInternalServerError || strings.Contains(body, "malformed") {
		t.Errorf("%d %s %v", status, body, err)
	}
}

type recorder struct {
	header http.Header
	status int
	body   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) { r.status = status }

func (r *recorder) Write(p []byte) (int, error) { return r.body.Write(p) }
