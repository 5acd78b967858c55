package odata_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store"
	"leadloop/store/storetest"
)

// TestStatementLimit: a read that takes too long is interrupted, in the database
// too, and the next one is served.
func TestStatementLimit(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newArchive(t, dialect, func(o *odata.Options) { o.Limits.Statement = 50 * time.Millisecond })
			const many = 400
			err := s.write(t.Context(), func(tx *gorm.DB) error {
				var list []Copy
				for n := range int32(many) {
					list = append(list, Copy{VolumeCode: "ספר", Number: n, Lent: true})
				}
				return tx.Create(list).Error
			})
			if err != nil {
				t.Fatal(err)
			}
			heavy := "true"
			for _, v := range []string{"d", "c", "b", "a"} {
				heavy = "Volume/Copies/all(" + v + ":" + v + "/Number ge 0 and " + v + "/Volume/Copies/all(x" + v + ":x" + v + "/Number ge " + v + "/Number sub 1000 and " + heavy + "))"
			}
			start := time.Now()
			a := s.get(t, "/Copies?$filter="+heavy)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "limit Statement") {
				t.Fatalf("%d %v %s", a.status, a.header, a.body)
			}
			s.idle(t, dialect)
			if a := s.get(t, "/Copies?$top=1"); a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// idle waits until the database runs none of the service's reads any more.
func (s *shop) idle(t *testing.T, dialect string) {
	t.Helper()
	if dialect != store.Postgres {
		return // an interrupted statement has ended when the error is there
	}
	for deadline := time.Now().Add(5 * time.Second); ; {
		var running int
		err := s.db.Read(context.Background()).Raw(`SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%"copies"%' AND pid <> pg_backend_pid() AND datname = current_database()`).Scan(&running).Error
		if err != nil {
			t.Fatal(err)
		}
		if running == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d statements still run", running)
		}
	}
}

// TestOutOfRange: what cannot be computed is the caller's fault.
func TestOutOfRange(t *testing.T) {
	eachArchive(t, func(t *testing.T, s *shop) {
		for _, filter := range []string{
			"Printed add duration'P999999D' add duration'P999999D' add duration'P999999D' add duration'P999999D' add duration'P999999D' gt 2026-01-01T00:00:00Z",
			"Weight mul 1e308 mul 1e308 gt 1",
		} {
			if a := s.get(t, "/Books?$filter="+filter); a.status >= 500 {
				t.Errorf("%s: %d %s", filter, a.status, a.body)
			}
		}
	})
	s := newArchive(t, "sqlite", func(o *odata.Options) { o.Limits.URL = 100 })
	if a := s.get(t, "/Copies?$filter=Place eq '"+strings.Repeat("x", 100)+"'"); a.status != http.StatusRequestURITooLong || !strings.Contains(a.body, "limit URL") {
		t.Errorf("%d %s", a.status, a.body)
	}
}
