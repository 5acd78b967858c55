package odata_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
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
			odata.Bound("Ring", func(context.Context, *Bell, odata.None) (odata.None, error) { return odata.None{}, nil }).Outside(),
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
