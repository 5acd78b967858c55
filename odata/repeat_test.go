package odata_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store/storetest"
)

const (
	oneID  = "Repeatability-Request-ID: 112a3a3e-f94c-4f56-b49b-5aab3d97e5b7"
	recent = "Repeatability-First-Sent: Sun, 01 Mar 2026 11:58:00 GMT"
)

// The same request is carried out once and answered each time, also after a
// restart; another with its id is refused.
func TestRepeat(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			dsn := storetest.DSN(t, dialect)
			s := newOrders(t, dialect, dsn)
			s.fillOrders(t)
			ctx := t.Context()
			body := `{"Name":"once","Orders":[{"Title":"t"}]}`
			first := s.do(t, ctx, "POST /Clients", body, oneID, recent)
			if first.status != http.StatusCreated || first.header.Get("Repeatability-Result") != "accepted" {
				t.Fatalf("%d %v %s", first.status, first.header, first.body)
			}
			if err := s.db.Close(); err != nil {
				t.Fatal(err)
			}
			s = newOrders(t, dialect, dsn)
			for _, id := range []string{oneID, strings.ToUpper(oneID)} {
				a := s.do(t, ctx, "POST /Clients", body, id, recent)
				if a.status != first.status || a.body != first.body || fmt.Sprint(a.header) != fmt.Sprint(first.header) {
					t.Errorf("%s: %d %v %s", id, a.status, a.header, a.body)
				}
			}
			for _, c := range []struct {
				request, body string
				headers       []string
				status        int
				result        string
			}{
				{"POST /Clients", body + " ", []string{oneID, recent}, 400, "rejected"},
				{"POST /Orders", body, []string{oneID, recent}, 400, "rejected"},
				{"PATCH /Clients(1)", body, []string{oneID, recent}, 400, "rejected"},
				{"POST /Clients", body, []string{oneID, recent, "Prefer: return=minimal"}, 400, "rejected"},
				{"POST /Clients", body, []string{oneID, "Repeatability-First-Sent: Sun, 01 Mar 2026 11:59:00 GMT"}, 400, "rejected"},
				{"POST /Clients", body, []string{oneID}, 400, "rejected"},
				{"POST /Clients", body, []string{recent}, 400, "rejected"},
				{"POST /Clients", body, []string{oneID, "Repeatability-First-Sent: 2026-03-01T11:58:00Z"}, 400, "rejected"},
				{"POST /Clients", body, []string{"Repeatability-Request-ID: a b", recent}, 400, "rejected"},
				{"POST /Clients", body, []string{"Repeatability-Request-ID: " + strings.Repeat("x", 101), recent}, 400, "rejected"},
				{"POST /Clients", body, []string{oneID, "Repeatability-First-Sent: Sat, 28 Feb 2026 11:58:00 GMT"}, 412, "rejected"},
				{"POST /Clients", body, []string{oneID, "Repeatability-First-Sent: Sun, 01 Mar 2037 11:58:00 GMT"}, 412, "rejected"},
				{"POST /Clients(1)/Call", ``, []string{"Repeatability-Request-ID: call", recent}, 501, "rejected"},
				{"GET /Clients(1)", ``, []string{oneID, recent}, 200, ""},
				// What failed was not done, and may succeed the next time.
				{"POST /Clients", `{"Name":"bad"}`, []string{"Repeatability-Request-ID: fails", recent}, 400, "accepted"},
				{"POST /Clients", `{"Name":"good"}`, []string{"Repeatability-Request-ID: fails", recent}, 201, "accepted"},
				{"DELETE /Lines(2)", ``, []string{"Repeatability-Request-ID: del", recent}, 204, "accepted"},
				{"DELETE /Lines(2)", ``, []string{"Repeatability-Request-ID: del", recent}, 204, "accepted"},
				{"DELETE /Lines(2)", ``, nil, 404, ""},
				{"PATCH /Clients(1)", `{"Name":"p"}`, []string{"Repeatability-Request-ID: patch", recent, `If-Match: W/"1"`}, 200, "accepted"},
				{"PATCH /Clients(1)", `{"Name":"p"}`, []string{"Repeatability-Request-ID: patch", recent, `If-Match: W/"1"`}, 200, "accepted"},
				{"PUT /Clients(1)/Name", `{"value":"q"}`, []string{"Repeatability-Request-ID: prop", recent}, 204, "accepted"},
				{"PUT /Clients(1)/Name", `{"value":"q"}`, []string{"Repeatability-Request-ID: prop", recent}, 204, "accepted"},
				{"POST /Clients(1)/Praise", `{"Points":1}`, []string{"Repeatability-Request-ID: act", recent}, 200, "accepted"},
				{"POST /Clients(1)/Praise", `{"Points":1}`, []string{"Repeatability-Request-ID: act", recent}, 200, "accepted"},
			} {
				a := s.do(t, ctx, c.request, c.body, c.headers...)
				if a.status != c.status || a.header.Get("Repeatability-Result") != c.result {
					t.Errorf("%s %s %v: got %d %v %s, want %d %s", c.request, c.body, c.headers, a.status, a.header, a.body, c.status, c.result)
				}
			}
			if got := s.look(t, "/Clients(1)", "Name", "Version", "Rating"); got != "q|3|6" {
				t.Errorf("changed more than once: %s", got)
			}
			// The id of one caller is not that of another.
			a := s.do(t, region(ctx, "north"), "POST /Clients", body, oneID, recent)
			if a.status != http.StatusCreated || a.header.Get("Location") == first.header.Get("Location") {
				t.Errorf("another caller: %d %v", a.status, a.header)
			}
			if n := s.look(t, "/Clients/$count"); n != "5" {
				t.Errorf("%s clients", n)
			}
		})
	}
}

// Identical requests at once: one is carried out, all get its answer.
func TestRepeatAtOnce(t *testing.T) {
	eachOrders(t, func(t *testing.T, s *shop) {
		for round := range 5 {
			id := fmt.Sprintf("Repeatability-Request-ID: round-%d", round)
			answers := make([]string, 6)
			parallel(len(answers), func(i int) int {
				a := s.do(t, t.Context(), "PUT /Labels('"+fmt.Sprint(round)+"')", `{"Text":"x"}`, "If-None-Match: *", id, recent)
				answers[i] = fmt.Sprint(a.status, a.header, a.body)
				return a.status
			})
			if slices.Sort(answers); answers[0] != answers[len(answers)-1] || !strings.HasPrefix(answers[0], "201 ") {
				t.Errorf("round %d: %s", round, strings.Join(answers, "\n"))
			}
		}
	})
}

// Without Repeats the headers are refused.
func TestNoRepeats(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	a := s.do(t, t.Context(), "POST /Makers", `{"Name":"x"}`, oneID, recent)
	if a.status != http.StatusNotImplemented || a.header.Get("Repeatability-Result") != "rejected" || s.look(t, "/Makers/$count") != "0" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
}

// Transactions makes the Read and Write of a plain GORM database.
func TestTransactions(t *testing.T) {
	plain, err := gorm.Open(sqlite.Open("file:"+t.TempDir()+"/plain.db?_txlock=immediate&_busy_timeout=5000"), &gorm.Config{TranslateError: true})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := plain.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := plain.AutoMigrate(&Slip{}); err != nil {
		t.Fatal(err)
	}
	session, write := odata.Transactions(plain)
	count := func(ctx context.Context) (n int64) {
		session(ctx).Model(&Slip{}).Count(&n)
		return n
	}
	failed := fmt.Errorf("failed")
	err = write(t.Context(), func(ctx context.Context) error {
		session(ctx).Create(&Slip{Text: "a"})
		inner := write(ctx, func(ctx context.Context) error {
			session(ctx).Create(&Slip{Text: "b"})
			return failed
		})
		if inner != failed || count(ctx) != 1 {
			t.Errorf("inside: %v, %d rows", inner, count(ctx))
		}
		return nil
	})
	if err != nil || count(t.Context()) != 1 {
		t.Errorf("%v, %d rows", err, count(t.Context()))
	}
	err = write(t.Context(), func(ctx context.Context) error {
		session(ctx).Create(&Slip{Text: "c", ID: 77})
		return failed
	})
	if err != failed || count(t.Context()) != 1 {
		t.Errorf("%v, %d rows", err, count(t.Context()))
	}
}
