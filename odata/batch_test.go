package odata_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/store/storetest"
)

// Bell is what only the batches' shop has.
type Bell struct {
	ID   int64 `odata:"computed"`
	Name string
}

// newBatchShop is a shop whose service can write several changes in one
// transaction.
func newBatchShop(t testing.TB, dialect string, limits odata.Limits) *shop {
	t.Helper()
	s := newShop(t, dialect, limits)
	s.Service = odata.New(odata.Options{
		Namespace: "Shop", Prefix: "/shop", Read: s.db.Read, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Write: func(ctx context.Context, f func(ctx context.Context) error) error {
			return s.db.Write(ctx, func(tx *gorm.DB) error { return f(tx.Statement.Context) })
		},
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	s.add()
	odata.Add(s.Service, odata.Set[Bell]{
		Name: "Bells", Access: own("true"),
		Actions: []odata.Action{
			odata.Bound("Ring", func(context.Context, *Bell, odata.None) (odata.None, error) { return odata.None{}, nil }).Alone(),
		},
	})
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		if err := tx.AutoMigrate(&Bell{}); err != nil {
			return err
		}
		return tx.Create(&Bell{Name: "Big"}).Error
	})
	if err := errors.Join(err, s.Build()); err != nil {
		t.Fatal(err)
	}
	s.fill(t)
	return s
}

// eachBatch runs f on a filled shop on every database.
func eachBatch(t *testing.T, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) { f(t, newBatchShop(t, dialect, odata.Limits{})) })
	}
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

// part is one response of a batch.
type part struct {
	id, group string
	status    int
	header    http.Header
	body      string
}

// brief is a part in one line: what tests compare.
func (p part) brief() string {
	b := fmt.Sprint(p.status)
	if p.id != "" {
		b = p.id + " " + b
	}
	if p.group != "" {
		b += " in " + p.group
	}
	var body struct {
		Error *struct{ Code, Message string }
		Name  *string
		ID    any
		Value []json.RawMessage
	}
	switch err := json.Unmarshal([]byte(p.body), &body); {
	case p.body == "":
	case err != nil:
		b += " " + strings.ReplaceAll(p.body[:min(len(p.body), 20)], "\r\n", "|")
	case body.Error != nil:
		b += " " + body.Error.Code + ": " + body.Error.Message
	case body.Name != nil:
		b += fmt.Sprintf(" %v %s", body.ID, *body.Name)
	case body.Value != nil:
		b += fmt.Sprintf(" %d rows", len(body.Value))
	}
	return b
}

func briefs(parts []part) string {
	var lines []string
	for _, p := range parts {
		lines = append(lines, p.brief())
	}
	return strings.Join(lines, "\n")
}

// parts takes the answer to a batch apart.
func (a answer) parts(t testing.TB) []part {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if strings.HasPrefix(a.header.Get("Content-Type"), "multipart/mixed") {
		groups := 0
		return multiparts(t, a.header.Get("Content-Type"), strings.NewReader(a.body), &groups)
	}
	var body struct {
		Responses []struct {
			ID, AtomicityGroup string
			Status             int
			Headers            map[string]string
			Body               json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	var list []part
	for _, r := range body.Responses {
		p := part{id: r.ID, group: r.AtomicityGroup, status: r.Status, header: http.Header{}, body: string(r.Body)}
		for name, value := range r.Headers {
			if name != strings.ToLower(name) {
				t.Errorf("the header %s is not in lower case", name)
			}
			p.header.Set(name, value)
		}
		list = append(list, p)
	}
	return list
}

func multiparts(t testing.TB, contentType string, r io.Reader, groups *int) (list []part) {
	t.Helper()
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	mr := multipart.NewReader(r, params["boundary"])
	for {
		p, err := mr.NextRawPart()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if inner := p.Header.Get("Content-Type"); inner != "application/http" {
			*groups++
			for _, p := range multiparts(t, inner, p, groups) {
				p.group = fmt.Sprint("set", *groups)
				list = append(list, p)
			}
			continue
		}
		list = append(list, response(t, p))
	}
}

func response(t testing.TB, p *multipart.Part) part {
	t.Helper()
	b := bufio.NewReader(p)
	line, err := b.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	got := part{id: p.Header.Get("Content-ID")}
	if _, err := fmt.Sscanf(line, "HTTP/1.1 %d", &got.status); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	header, err := textproto.NewReader(b).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	got.header = http.Header(header)
	body, err := io.ReadAll(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := got.header.Get("Content-Length"); n != "" && n != fmt.Sprint(len(body)) {
		t.Errorf("Content-Length %s of %q", n, body)
	}
	got.body = string(body)
	return got
}

// mixed makes a multipart batch: each text is a request, "id|request" gives it a
// Content-ID, and a list of texts is a change set. A request is its request line
// and headers, an empty line and a body.
func mixed(items ...any) string {
	var b strings.Builder
	write := func(boundary, text string) {
		b.WriteString("--" + boundary + "\nContent-Type: application/http\n")
		if id, rest, ok := strings.Cut(text, "|"); ok {
			b.WriteString("Content-ID: " + id + "\n")
			text = rest
		}
		line, rest, _ := strings.Cut(text, "\n")
		b.WriteString("\n" + line + " HTTP/1.1\n")
		if rest != "" && !strings.HasPrefix(rest, "\n") {
			b.WriteString(rest + "\n")
		} else {
			b.WriteString(rest + "\n\n")
		}
	}
	for i, item := range items {
		if list, ok := item.([]string); ok {
			inner := fmt.Sprint("c", i)
			b.WriteString("--b\nContent-Type: multipart/mixed; boundary=" + inner + "\n\n")
			for _, text := range list {
				write(inner, text)
			}
			b.WriteString("--" + inner + "--\n")
			continue
		}
		write("b", item.(string))
	}
	return crlf(b.String() + "--b--\n")
}

const (
	asMixed = "Content-Type: multipart/mixed; boundary=b"
	asJSON  = "Content-Type: application/json"
)

func (s *shop) batch(t testing.TB, body string, headers ...string) answer {
	t.Helper()
	if strings.HasPrefix(body, "{") {
		headers = append(headers, asJSON)
	} else {
		headers = append(headers, asMixed)
	}
	return s.do(t, t.Context(), "POST /$batch", body, headers...)
}

func makers(t testing.TB, s *shop) string {
	t.Helper()
	return s.get(t, "/Makers?$orderby=ID").names("Name")
}

func TestBatchForms(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		multi := s.batch(t, mixed(
			"GET Makers(1)",
			[]string{"1|POST Makers\n\n{\"Name\":\"Delta\"}", "2|PATCH http://shop.test/shop/Makers(2)\nIf-Match: W/\"1\"\nPrefer: return=minimal\n\n{\"Country\":\"IT\"}"},
			"3|GET /shop/Makers/$count\nContent-Type: application/json",
			"get Makers?$filter=Name eq 'Delta'\naccept: application/json;odata.metadata=none",
		))
		want := `200 1 Aleph
1 201 in set1 4 Delta
2 204 in set1
3 200 4
200 1 rows`
		parts := multi.parts(t)
		if diff := cmp.Diff(want, briefs(parts)); diff != "" {
			t.Fatalf("%s\n%s", diff, multi.body)
		}
		if parts[1].header.Get("Location") != "http://shop.test/shop/Makers(4)" || parts[2].header.Get("ETag") != `W/"2"` || parts[0].header.Get("OData-Version") != "4.01" {
			t.Error(multi.body)
		}
		if multi.header.Get("OData-Version") != "4.01" || multi.header.Get("Preference-Applied") != "" {
			t.Error(multi.header)
		}
		// A response in a batch is what it would be alone.
		if alone := s.get(t, "/Makers(1)"); alone.body != parts[0].body || alone.header.Get("ETag") != parts[0].header.Get("ETag") {
			t.Errorf("alone %s\nin a batch %s", alone.body, parts[0].body)
		}

		js := s.batch(t, `{"requests":[
			{"id":"0","method":"get","url":"/shop/Makers(1)"},
			{"id":"1","atomicityGroup":"g","dependsOn":["0"],"method":"PATCH","url":"Makers(2)","headers":{"if-match":"W/\"2\"","prefer":"return=minimal"},"body":{"Name":"B"}},
			{"id":"2","atomicityGroup":"g","method":"post","url":"http://shop.test/shop/Makers","headers":{"content-type":"application/json"},"body":{"Name":"ה"}},
			{"id":"3","dependsOn":["g"],"method":"get","url":"Makers/$count"},
			{"id":"4","method":"get","url":"$metadata"},
			{"id":"5","method":"delete","url":"Makers(5)"}]}`)
		parts = js.parts(t)
		want = "0 200 1 Aleph\n1 204 in g\n2 201 in g 5 ה\n3 200 5\n4 200 \"PD94bWwgdmVyc2lvbj0\n5 204"
		if diff := cmp.Diff(want, strings.ReplaceAll(briefs(parts), `"5"`, "5")); diff != "" {
			t.Fatalf("%s\n%s", diff, js.body)
		}
		if js.header.Get("Content-Type") != "application/json" || parts[3].body != `"5"` {
			t.Error(js.header, parts[3].body)
		}
	})
}

func TestBatchIsAtomic(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		set := []string{"1|POST Makers\n\n{\"Name\":\"X\"}", "2|PATCH Makers(1)\n\n{\"Name\":\"Y\"}", "3|POST Makers\n\n{\"Nme\":\"Z\"}", "4|DELETE Makers(2)"}
		a := s.batch(t, mixed(set, "GET Makers(1)"))
		if diff := cmp.Diff(`3 400 invalid: Maker has no property "Nme"`, briefs(a.parts(t))); diff != "" {
			t.Error(diff)
		}
		a = s.batch(t, mixed(set, "GET Makers(1)"), "Prefer: odata.continue-on-error")
		if diff := cmp.Diff("3 400 invalid: Maker has no property \"Nme\"\n200 1 Aleph", briefs(a.parts(t))); diff != "" || a.header.Get("Preference-Applied") != "odata.continue-on-error" {
			t.Error(diff, a.header)
		}
		a = s.batch(t, `{"requests":[
			{"id":"1","atomicityGroup":"g","method":"post","url":"Makers","body":{"Name":"X"}},
			{"id":"2","atomicityGroup":"g","method":"get","url":"Makers/$count"},
			{"id":"3","atomicityGroup":"g","method":"delete","url":"Makers(99)"},
			{"id":"4","atomicityGroup":"g","method":"delete","url":"Makers(1)"},
			{"id":"5","method":"get","url":"Makers/$count"},
			{"id":"6","dependsOn":["g"],"method":"get","url":"Makers"},
			{"id":"7","dependsOn":["1"],"method":"get","url":"Makers"},
			{"id":"8","atomicityGroup":"h","method":"post","url":"Makers","body":{"Name":"X"}},
			{"id":"9","atomicityGroup":"h","dependsOn":["6"],"method":"post","url":"Makers","body":{"Name":"X"}},
			{"id":"10","atomicityGroup":"i","method":"post","url":"Makers","body":{"Name":"Last"}}]}`)
		want := `1 424 in g failed_dependency: the request was not carried out, as another of its group failed: 3
2 424 in g failed_dependency: the request was not carried out, as another of its group failed: 3
3 404 in g not_found: Makers has no entity with this key
4 424 in g failed_dependency: the request was not carried out, as another of its group failed: 3
5 200 "3"
6 424 failed_dependency: the request was not carried out, as g, which it depends on, failed
7 424 failed_dependency: the request was not carried out, as 1, which it depends on, failed
8 424 in h failed_dependency: the request was not carried out, as 6, which it depends on, failed
9 424 in h failed_dependency: the request was not carried out, as 6, which it depends on, failed
10 201 in i 4 Last`
		// PostgreSQL's sequences have moved on with what was rolled back.
		if diff := cmp.Diff(strings.ReplaceAll(want, "4 Last", "Last"), lastName(briefs(a.parts(t)))); diff != "" {
			t.Error(diff)
		}
		if got := makers(t, s); got != "Aleph Beta Gamma Last" {
			t.Errorf("stored: %s", got)
		}
	})
}

// lastName drops the key of the maker named Last.
func lastName(text string) string {
	head, _, _ := strings.Cut(text, "201 in i ")
	return head + "201 in i Last"
}

func TestBatchReferences(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		a := s.batch(t, mixed(
			[]string{
				"a.1|POST Makers\n\n{\"Name\":\"New\"}", "a.2|PATCH $a.1\nIf-Match: $a.1\n\n{\"Country\":\"FR\"}",
				"a.3|POST $a.1/Rename\n\n{\"Name\":\"Newer\"}", "a.4|PATCH http://shop.test/shop/$a.1\nIf-Match: $a.2\nPrefer: return=minimal\n\n{\"Name\":\"Newest\"}",
			},
			"5|GET $a.1?$select=ID,Name",
			"GET /$a.1/Products?$top=1",
			"6|GET Products(00000000-0000-0000-0000-000000000001)?$select=ID",
			"7|GET $6/Maker?$select=ID,Name",
			"8|GET $7/Products/$count",
			"POST Makers\nPrefer: return=minimal\n\n{\"Name\":\"Z\"}",
			"PATCH Makers(1)\nIf-Match: $7\n\n{\"Name\":\"Alpha\"}",
		))
		want := `a.1 201 in set1 4 New
a.2 200 in set1 4 New
a.3 200 in set1 4 Newer
a.4 204 in set1
5 200 4 Newest
200 0 rows
6 200
7 200 1 Aleph
8 200 2
204
200 1 Alpha`
		parts := a.parts(t)
		if diff := cmp.Diff(want, briefs(parts)); diff != "" {
			t.Errorf("%s\n%s", diff, a.body)
		}
		if strings.Contains(a.body, "$a.1") {
			t.Error("a response holds a reference")
		}
		a = s.batch(t, `{"requests":[
			{"id":"1","method":"post","url":"Makers","headers":{"prefer":"return=minimal"},"body":{"Name":"J"}},
			{"id":"2","dependsOn":["1"],"method":"get","url":"$1"},
			{"id":"3","dependsOn":["1"],"method":"get","url":"$1/Products"},
			{"id":"4","dependsOn":["2"],"method":"delete","url":"$2","headers":{"if-match":"$2"}},
			{"id":"5","method":"get","url":"$1"},
			{"id":"6","method":"get","url":"$5/Products"},
			{"id":"7","method":"get","url":"$8"},
			{"id":"8","method":"post","url":"Makers(1)/Close"},
			{"id":"9","method":"get","url":"$8/Products"},
			{"id":"10","method":"patch","url":"Makers(1)","headers":{"if-match":"$3"},"body":{}},
			{"id":"11","method":"patch","url":"Makers(1)","headers":{"if-match":"$99"},"body":{}},
			{"id":"12","method":"get","url":"$metadata/x"}]}`)
		want = `1 204
2 200 J
3 200 0 rows
4 204
5 404 not_found: Makers has no entity with this key
6 424 failed_dependency: the request was not carried out, as 5, which it refers to, failed
7 400 invalid: $8 refers to no request before this one
8 204
9 400 invalid: the request 8 led to no entity that could be referred to
10 400 invalid: the answer to the request 3 had no ETag
11 400 invalid: $99 refers to no request before this one
12 501 not_implemented: $metadata is not served`
		got := briefs(a.parts(t))
		got = strings.Replace(strings.Replace(got, "2 200 6 J", "2 200 J", 1), "2 200 7 J", "2 200 J", 1)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBatchErrors(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	three := mixed("1|POST Makers\nPrefer: return=minimal\n\n{\"Name\":\"X\"}", "2|GET Nothing", "3|DELETE Makers(77)")
	threeJSON := `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},{"id":"2","method":"get","url":"Nothing"},{"id":"3","method":"get","url":"Makers(2)"}]}`
	const nothing = `2 404 not_found: there is no entity set "Nothing"`
	const gone = "\n3 404 not_found: Makers has no entity with this key"
	for _, c := range []struct{ body, prefer, want, applied string }{
		{three, "", "1 204\n" + nothing, ""},
		{three, "continue-on-error=false", "1 204\n" + nothing, "continue-on-error=false"},
		{three, "respond-async, ODATA.Continue-On-Error = true;x=y", "1 204\n" + nothing + gone, "ODATA.Continue-On-Error = true"},
		{three, "odata.continue-on-error=false, continue-on-error", "1 204\n" + nothing + gone, "continue-on-error"},
		{three, "continue-on-error=maybe", "1 204\n" + nothing, ""},
		{threeJSON, "", "1 200 1 Aleph\n" + nothing + "\n3 200 2 Beta", ""},
		{threeJSON, "continue-on-error=false", "1 200 1 Aleph\n" + nothing, "continue-on-error=false"},
	} {
		a := s.batch(t, c.body, "Prefer: "+c.prefer)
		if diff := cmp.Diff(c.want, briefs(a.parts(t))); diff != "" || a.header.Get("Preference-Applied") != c.applied {
			t.Errorf("%s: %s %s", c.prefer, a.header.Get("Preference-Applied"), diff)
		}
	}
	// What one request does wrong is its own trouble.
	a := s.batch(t, mixed(
		"GET Makers(1", "BREW Makers", "PUT Makers(1)\n\n{}", "GET http://elsewhere.test/shop/Makers", "GET /elsewhere/Makers", "GET Makers/%zz",
		"POST $batch\nContent-Type: multipart/mixed; boundary=x\n\n--x--", "POST /shop/$batch\nContent-Type: application/json\n\n{\"requests\":[]}",
		"GET Makers?$filter=Name eq", "POST Makers(1)/Fail", "POST Makers\nContent-Type: application/xml\n\n<a/>", "GET Makers(1)#part",
	), "Prefer: continue-on-error")
	want := `404 405 405 400 404 400 400 400 400 500 415 200`
	var got []string
	for _, p := range a.parts(t) {
		got = append(got, fmt.Sprint(p.status))
	}
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" || strings.Contains(a.body, "secret trouble") {
		t.Errorf("%s\n%s", diff, a.body)
	}
	a = s.batch(t, `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},
		{"id":"2","method":"get","url":"Makers","dependsOn":["1"],"if":"$1/$succeeded"},
		{"id":"3","atomicityGroup":"g","method":"delete","url":"Makers(1)"},
		{"id":"4","atomicityGroup":"g","method":"delete","url":"Makers(2)","if":"$1/$succeeded"}]}`)
	want = "1 200 1 Aleph\n2 424 failed_dependency: the request was not carried out: the member \"if\" is not served\n" +
		"3 424 in g failed_dependency: the request was not carried out: the member \"if\" is not served\n" +
		"4 424 in g failed_dependency: the request was not carried out: the member \"if\" is not served"
	if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
		t.Error(diff)
	}
}

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

func TestBatchFormats(t *testing.T) {
	s := newBatchShop(t, "sqlite", odata.Limits{})
	multi := mixed("1|GET Makers(1)", []string{"2|DELETE Makers(3)", "3|PATCH Makers(2)\nPrefer: return=minimal\n\n{}"}, []string{"4|DELETE Makers(9)"})
	js := `{"requests":[{"id":"1","method":"get","url":"Makers(1)"},{"id":"2","atomicityGroup":"g","method":"patch","url":"Makers(2)","headers":{"prefer":"return=minimal"},"body":{}},{"id":"3","atomicityGroup":"h","method":"delete","url":"Makers(9)"}]}`
	for _, c := range []struct{ body, accept, want string }{
		{multi, "application/json", "1 200 1 Aleph\n2 204 in changeset_1\n3 204 in changeset_1\n4 404 in changeset_2 not_found: Makers has no entity with this key"},
		{js, "multipart/mixed", "1 200 1 Aleph\n2 204\n3 404 not_found: Makers has no entity with this key"},
		{js, "multipart/mixed;q=0.5, application/json;q=0.9", "1 200 1 Aleph\n2 204 in g\n3 404 in h not_found: Makers has no entity with this key"},
		{js, "multipart/mixed, */*;q=0.8", "1 200 1 Aleph\n2 204\n3 404 not_found: Makers has no entity with this key"},
		{js, "multipart/mixed, application/*", "1 200 1 Aleph\n2 204 in g\n3 404 in h not_found: Makers has no entity with this key"},
	} {
		var made Maker
		err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.FirstOrCreate(&made, Maker{ID: 3, Name: "Gamma"}).Error })
		if err != nil {
			t.Fatal(err)
		}
		a := s.batch(t, c.body, "Accept: "+c.accept)
		if diff := cmp.Diff(c.want, briefs(a.parts(t))); diff != "" {
			t.Errorf("%s: %s", c.accept, diff)
		}
	}
	// $format says it too, and what is asked of the batch holds inside it.
	a := s.do(t, t.Context(), "POST /$batch?$format=json", mixed("GET Makers(1)", "GET Makers(1)\nAccept: application/json"), asMixed, "Accept: application/json;odata.metadata=none", "OData-MaxVersion: 4.0")
	parts := a.parts(t)
	if parts[0].header.Get("Content-Type") != "application/json;odata.metadata=none" || parts[1].header.Get("Content-Type") != "application/json;odata.metadata=minimal" ||
		parts[0].header.Get("OData-Version") != "4.0" || a.header.Get("OData-Version") != "4.0" {
		t.Error(a.header, a.body)
	}
	a = s.batch(t, mixed("GET Makers(1)\nOData-MaxVersion: 4.01", "GET Makers(x"), "OData-MaxVersion: 4.0", "Accept: multipart/mixed")
	parts = a.parts(t)
	if parts[0].header.Get("OData-Version") != "4.01" || parts[1].header.Get("OData-Version") != "4.0" {
		t.Error(a.body)
	}
	a = s.batch(t, mixed())
	if a.status != 200 || len(a.parts(t)) != 0 || s.batch(t, `{"requests":[]}`).body != "{\"responses\":[]}\n" {
		t.Errorf("an empty batch: %d %s", a.status, a.body)
	}
}

// Who calls is who sent the batch, whatever a request inside it says.
func TestBatchAccess(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		ctx := as(t.Context(), 1)
		requests := []string{
			"GET /Makers", "GET /Makers(2)", "GET /Products?$select=ID,Name&$orderby=Name", "GET /Products(00000000-0000-0000-0000-000000000003)",
			"GET /Products/$count", "GET /Reviews", "GET /Products?$filter=Reviews/any()", "DELETE /Makers(2)", "PATCH /Products(00000000-0000-0000-0000-000000000003)",
		}
		var items []any
		for _, r := range requests {
			items = append(items, strings.Replace(r, " /", " ", 1)+"\nAuthorization: Basic YWRtaW46YWRtaW4=\nX-API-Key: x\nX-Forwarded-Host: evil.test\nHost: evil.test\n\n{}")
		}
		a := s.do(t, ctx, "POST /$batch", mixed(items...), asMixed, "Prefer: continue-on-error")
		for i, p := range a.parts(t) {
			alone := s.do(t, ctx, requests[i], "{}")
			if alone.status != p.status || alone.body != p.body {
				t.Errorf("%s: in a batch %d %s\nalone %d %s", requests[i], p.status, p.body, alone.status, alone.body)
			}
		}
		a = s.do(t, ctx, "POST /$batch", mixed([]string{"1|PATCH Makers(1)\n\n{\"Name\":\"Mine\"}", "2|PATCH Makers(2)\n\n{\"Name\":\"Mine\"}"}), asMixed)
		if got := briefs(a.parts(t)); got != "2 404 not_found: Makers has no entity with this key" {
			t.Error(got)
		}
		if got := makers(t, s); got != "Aleph Beta Gamma" {
			t.Error(got)
		}
	})
}

// One request sees what those before it did, and ETags guard it.
func TestBatchOrder(t *testing.T) {
	eachBatch(t, func(t *testing.T, s *shop) {
		a := s.batch(t, mixed(
			"PATCH Makers(1)\nIf-Match: W/\"1\"\nPrefer: return=minimal\n\n{\"Name\":\"One\"}", "GET Makers(1)",
			"PATCH Makers(1)\nIf-Match: W/\"1\"\n\n{\"Name\":\"Two\"}", "DELETE Makers(3)\nIf-Match: W/\"7\"", "DELETE Makers(3)\nIf-Match: W/\"3\"", "GET Makers(3)",
			[]string{"1|PATCH Makers(1)\nPrefer: return=minimal\n\n{\"Name\":\"Three\"}", "2|PATCH Makers(1)\nIf-Match: W/\"2\"\n\n{\"Name\":\"Four\"}"},
			[]string{"3|PATCH Makers(1)\nPrefer: return=minimal\n\n{\"Name\":\"Five\"}", "4|PATCH Makers(1)\nIf-Match: $3\n\n{\"Name\":\"Six\"}"},
		), "Prefer: continue-on-error=true")
		want := `204
200 1 One
412 precondition_failed: the entity has changed since it was read: read it again
412 precondition_failed: the entity has changed since it was read: read it again
204
404 not_found: Makers has no entity with this key
2 412 precondition_failed: the entity has changed since it was read: read it again
3 204 in set1
4 200 in set1 1 Six`
		if diff := cmp.Diff(want, briefs(a.parts(t))); diff != "" {
			t.Error(diff)
		}
	})
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
