package odata_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/store/storetest"
)

func TestBadBatches(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	many := make([]any, 1001)
	for i := range many {
		many[i] = "DELETE Makers(1)"
	}
	set := make([]string, 501)
	for i := range set {
		set[i] = "DELETE Makers(1)"
	}
	ok := mixed("DELETE Makers(1)")
	for _, c := range []struct {
		body    string
		headers []string
		status  int
		want    string
	}{
		{ok, nil, 415, "must be multipart/mixed or application/json"},
		{ok, []string{"Content-Type: text/plain"}, 415, "text/plain"},
		{ok, []string{"Content-Type: multipart/mixed"}, 400, "names no boundary"},
		{ok, []string{"Content-Type: multipart/mixed; boundary=c"}, 400, "no line with the boundary"},
		{strings.TrimSuffix(ok, "--\r\n"), []string{asMixed}, 400, "closing boundary, --b--, is missing"},
		{strings.Replace(ok, "HTTP/1.1", "", 1) + "--b", []string{"Content-Type: Multipart/Mixed;Boundary=\"b\"", "Accept: text/html"}, 406, "text/html"},
		{ok, []string{asMixed, `If-Match: W/"1"`}, 400, "If-Match does not apply to a batch"},
		{ok, []string{asMixed, "Prefer: return=minimal"}, 400, "the preference return does not apply to a batch"},
		{`{"requests":`, []string{asJSON}, 400, "ends inside"},
		{mixed(many...), []string{asMixed}, 413, "limit BatchParts"},
		{mixed(set), []string{asMixed}, 413, "limit ChangeSet"},
		{strings.Repeat(" ", 8<<20) + ok, []string{asMixed}, 413, "limit BatchBody"},
		// An error in the last part, and nothing of the first is carried out.
		{mixed("DELETE Makers(1)", "a b|DELETE Makers(2)"), []string{asMixed}, 400, `"target":"part 2/Content-ID"`},
	} {
		a := s.do(t, t.Context(), "POST /$batch", c.body, c.headers...)
		if a.status != c.status || !strings.Contains(a.body, c.want) {
			t.Errorf("%.100q %v: got %d %s, want %d %s", c.body, c.headers, a.status, a.body, c.status, c.want)
		}
	}
	if a := s.do(t, t.Context(), "GET /$batch", ""); a.status != 405 || a.header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", a.status, a.header)
	}
	if got := makers(t, s); got != "Aleph Beta Gamma" {
		t.Errorf("left: %s", got)
	}
	// As many as are allowed, in both forms of answer; all but the first find nothing.
	a := s.batch(t, mixed(many[1:]...), "Prefer: continue-on-error")
	if n := len(a.parts(t)); n != 1000 {
		t.Errorf("%d parts", n)
	}
}

func TestBatchLimits(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{BatchParts: 2, ChangeSet: 1, BatchBody: 1500, Body: 100})
	for _, c := range []struct{ body, want string }{
		{mixed("GET Makers", "GET Makers", "GET Makers"), "more than 2 requests (limit BatchParts)"},
		{mixed([]string{"DELETE Makers(1)", "DELETE Makers(2)"}), "more than 1 requests (limit ChangeSet)"},
		{mixed("GET Makers?$filter=Name eq '" + strings.Repeat("x", 1500) + "'"), "larger than 1500 bytes (limit BatchBody)"},
	} {
		if a := s.batch(t, c.body); a.status != 413 || !strings.Contains(a.body, c.want) {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	a := s.batch(t, mixed("1|POST Makers\n\n{\"Name\":\""+strings.Repeat("x", 100)+"\"}"))
	if got := briefs(a.parts(t)); got != "1 413 too_large: the body is larger than 100 bytes (limit Body)" {
		t.Error(got)
	}
	// The answers of a group have to be kept.
	a = s.batch(t, `{"requests":[{"id":"1","atomicityGroup":"g","method":"get","url":"Products?$expand=Maker"}]}`)
	if got := briefs(a.parts(t)); got != "1 413 in g too_large: the answers of the group are larger than 1500 bytes (limit BatchBody)" {
		t.Error(got)
	}
}

// An action that waits for others is kept out of transactions.
func TestBatchActionsAlone(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	a := s.batch(t, mixed("POST Bells(1)/Ring", []string{"1|POST Makers\n\n{\"Name\":\"X\"}", "2|POST Bells(1)/Ring"}))
	want := "204\n2 501 not_implemented: the action Ring is not served inside an atomic group (change set): send it alone"
	if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
		t.Error(diff)
	}
	if got := makers(t, s); got != "Aleph Beta Gamma" {
		t.Error(got)
	}
}

// Without Options.Write there is no transaction for a group of several.
func TestBatchWithoutTransactions(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	a := s.batch(t, mixed([]string{"1|DELETE Makers(1)", "2|DELETE Makers(2)"}, []string{"3|DELETE Makers(3)"}), "Prefer: continue-on-error")
	want := "501 not_implemented: atomic groups (change sets) of several requests are not served\n3 204 in set1"
	if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
		t.Error(diff)
	}
	a = s.batch(t, `{"requests":[{"id":"1","atomicityGroup":"g","method":"delete","url":"Makers(1)"},{"id":"2","atomicityGroup":"g","method":"delete","url":"Makers(2)"}]}`)
	if got := briefs(a.parts(t)); strings.Count(got, "501 in g not_implemented") != 2 {
		t.Error(got)
	}
	if got := makers(t, s); got != "Aleph Beta" {
		t.Error(got)
	}
}

// A transaction may be run more than once, and its end may fail.
func TestBatchTransactionRunsAgain(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	write := s.Write
	undone := fault.New(fault.Conflict, "this run is taken back")
	s.Write = func(ctx context.Context, f func(ctx context.Context) error) error {
		for range 2 {
			_ = write(ctx, func(ctx context.Context) error {
				_ = f(ctx)
				return undone
			})
		}
		return write(ctx, f)
	}
	set := []string{"1|POST Makers\n\n{\"Name\":\"X\"}", "2|PATCH $1\n\n{\"Name\":\"Y\"}"}
	if diff := cmp.Diff("1 201 in set1 4 X\n2 200 in set1 4 Y\n200 4 Y", briefs(s.batch(t, mixed(set, "GET $1")).parts(t))); diff != "" {
		t.Error(diff)
	}
	s.Write = func(ctx context.Context, f func(ctx context.Context) error) error {
		return write(ctx, func(ctx context.Context) error {
			if err := f(ctx); err != nil {
				t.Error(err)
			}
			return fault.New(fault.Unavailable, "the disk is full")
		})
	}
	if diff := cmp.Diff("503 unavailable: the disk is full", briefs(s.batch(t, mixed(set, "GET Makers")).parts(t))); diff != "" {
		t.Error(diff)
	}
	if got := makers(t, s); got != "Aleph Beta Gamma Y" {
		t.Error(got)
	}
}

// What a handler panics with is one request's trouble.
func TestBatchPanics(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	read := s.Read
	calls := 0
	s.Read = func(ctx context.Context) *gorm.DB {
		calls++
		switch calls {
		case 1, 3, 4: // the group runs twice, as one that fails may
			panic("trouble")
		}
		return read(ctx)
	}
	a := s.batch(t, `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},{"id":"2","method":"get","url":"Makers(1)"},
		{"id":"3","atomicityGroup":"g","method":"get","url":"Makers(1)"},{"id":"4","atomicityGroup":"h","method":"get","url":"Makers(1)"}]}`)
	want := "1 500 internal: something went wrong here; it has been logged\n2 200 1 Aleph\n" +
		"3 500 in g internal: something went wrong here; it has been logged\n4 200 in h 1 Aleph"
	if got := briefs(a.parts(t)); got != want {
		t.Error(got)
	}
}

// Large answers are passed on as they come, and small ones part by part.
func TestBatchOverHTTP(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newBatchShop(t, dialect, odata.Limits{})
			long := strings.Repeat("ש", 20000)
			err := s.write(t.Context(), func(tx *gorm.DB) error {
				return tx.Exec("UPDATE products SET name = ?", long).Error
			})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(s)
			defer server.Close()
			for _, form := range []string{"multipart/mixed", "application/json"} {
				body := mixed("1|GET "+server.URL+"/shop/Products", "2|GET /shop/Products?$select=Name", []string{"3|POST Makers\n\n{\"Name\":\"N\"}"}, "4|GET $3")
				r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL+"/shop/$batch", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "multipart/mixed; boundary=b")
				r.Header.Set("Accept", form)
				got, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(got.Body)
				got.Body.Close()
				if err != nil {
					t.Fatal(err)
				}
				parts := answer{status: got.StatusCode, header: got.Header, body: string(text)}.parts(t)
				if len(parts) != 4 || parts[2].status != 201 || parts[3].status != 200 || got.ContentLength >= 0 {
					t.Fatalf("%s: %s, length %d", form, briefs(parts), got.ContentLength)
				}
				for _, p := range parts[:2] {
					var rows struct{ Value []struct{ Name string } }
					if err := json.Unmarshal([]byte(p.body), &rows); err != nil || len(rows.Value) != 5 || rows.Value[4].Name != long {
						t.Errorf("%s: %d bytes, %v", form, len(p.body), err)
					}
				}
				if !strings.HasPrefix(parts[2].header.Get("Location"), server.URL+"/shop/Makers(") {
					t.Error(parts[2].header)
				}
			}
		})
	}
}

// Each response is on its way before the next request is carried out.
func TestBatchFlushes(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	body := mixed("GET Makers", "GET Makers", "GET Makers")
	r := httptest.NewRequestWithContext(t.Context(), "POST", "http://shop.test/shop/$batch", strings.NewReader(body))
	r.Header.Set("Content-Type", "multipart/mixed; boundary=b")
	w := &counting{header: http.Header{}}
	s.ServeHTTP(w, r)
	if w.flushes != 2 || bytes.Count(w.body.Bytes(), []byte("HTTP/1.1 200 OK")) != 3 {
		t.Errorf("%d flushes", w.flushes)
	}
}

// counting is a response that counts how often it was flushed.
type counting struct {
	header  http.Header
	body    bytes.Buffer
	flushes int
}

func (c *counting) Header() http.Header         { return c.header }
func (c *counting) WriteHeader(int)             {}
func (c *counting) Write(b []byte) (int, error) { return c.body.Write(b) }
func (c *counting) Flush()                      { c.flushes++ }
