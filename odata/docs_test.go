package odata_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"leadloop/odata"
)

// exchange is an example in docs/odata.md: requests, one after the other, and
// what they were answered.
type exchange struct {
	chapter, title string
	service        func(t testing.TB) *shop
	requests       []string
}

// chapters are the chapters of examples, in their order. One that is not here
// comes after these.
var chapters = []string{
	"Reading", "Addressing", "Paging", "Expressions", "Related entities", "Search", "Computing and aggregating", "Representation",
	"Changing", "Changing several entities", "Repeatable requests", "Batches", "Following changes", "Actions and functions", "Metadata", "Errors",
}

var examples []exchange

// example puts an example into docs/odata.md. A request is "METHOD path", then
// headers on lines of their own, then an empty line and a body; {nextLink} in it
// is the last link of that name in the answers before, {ETag} the last ETag:
//
//	var _ = example("Reading", "One entity by its key", "GET /Makers(1)")
func example(chapter, title string, requests ...string) bool {
	return exampleOf(func(t testing.TB) *shop {
		s := newShop(t, "sqlite", odata.Limits{})
		s.fill(t)
		return s
	}, chapter, title, requests...)
}

// exampleOf is an example of another service than the shop.
func exampleOf(service func(t testing.TB) *shop, chapter, title string, requests ...string) bool {
	examples = append(examples, exchange{chapter, title, service, requests})
	return true
}

// smallPages is the shop with two entities a page, also inside others.
func smallPages(t testing.TB) *shop {
	limits := odata.Limits{}
	limits.PageSize, limits.ExpandPageSize = 2, 1
	s := newShop(t, "sqlite", limits)
	s.fill(t)
	return s
}

func depot(t testing.TB) *shop { return newDepot(t, "sqlite") }

const (
	docs          = "../docs/odata.md"
	contentsBegin = "<!-- contents: go test ./odata -run TestDocs -update -->\n"
	contentsEnd   = "<!-- end of contents -->\n"
	examplesBegin = "<!-- examples: go test ./odata -run TestDocs -update -->\n"
	examplesEnd   = "<!-- end of examples -->\n"
	longBody      = 60 // lines of a body that are shown
)

// made are what the program makes up anew each time, and what stands for it.
var made = []struct {
	is    *regexp.Regexp
	shown string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`), "019553ab-0000-7000-8000-000000000000"},
	{regexp.MustCompile(`deltatoken=[\w.-]+`), "deltatoken=…"},
	{regexp.MustCompile(`[A-Z2-7]{26}`), "BOUNDARY"},
	{regexp.MustCompile(`\r`), ""},
}

// TestDocs holds the examples in docs/odata.md to what the service answers, and
// its contents to its headings.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, string(text), examplesBegin, examplesEnd, writeExamples(t))
	want = between(t, want, contentsBegin, contentsEnd, contents(t, want))
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not up to date; if the change is meant, run go test ./odata -run TestDocs -update\n%s", docs, gocmp.Diff(string(text), want))
	}
}

// between puts content between two marks of a text.
func between(t *testing.T, text, begin, end, content string) string {
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s lacks the marks %s %s", docs, begin, end)
	}
	return before + begin + content + end + after
}

var heading = regexp.MustCompile(`(?m)^(##|###|####) (.+)$`)

// contents are links to the headings of a text: chapters, and on one line what is
// in each. No two headings have one address.
func contents(t *testing.T, text string) string {
	var b strings.Builder
	seen := map[string]bool{}
	depth := 0
	_, text, _ = strings.Cut(text, contentsEnd)
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		address := strings.ReplaceAll(strings.ToLower(notInAddresses.ReplaceAllString(h[2], "")), " ", "-")
		if seen[address] {
			t.Errorf("%s has two headings with the address #%s", docs, address)
		}
		seen[address] = true
		link := "[" + h[2] + "](#" + address + ")"
		level := len(h[1])
		switch {
		case level < 4:
			b.WriteString("\n" + strings.Repeat("  ", level-2) + "- " + link)
		case depth < 4:
			b.WriteString(": " + link)
		default:
			b.WriteString(" · " + link)
		}
		depth = level
	}
	return b.String() + "\n\n"
}

// notInAddresses are the characters that the address of a heading leaves out.
var notInAddresses = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

func writeExamples(t *testing.T) string {
	place := func(e exchange) int {
		if i := slices.Index(chapters, e.chapter); i >= 0 {
			return i
		}
		return len(chapters)
	}
	slices.SortStableFunc(examples, func(a, b exchange) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), strings.Compare(a.chapter, b.chapter))
	})
	var b strings.Builder
	chapter := ""
	for _, e := range examples {
		if e.chapter != chapter {
			chapter = e.chapter
			b.WriteString("\n### " + chapter + "\n")
		}
		b.WriteString("\n#### " + e.title + "\n" + e.write(t))
	}
	b.WriteString("\n")
	return b.String()
}

// write carries out the requests of an example and writes them with their answers.
func (e exchange) write(t *testing.T) string {
	var b strings.Builder
	s := e.service(t)
	var links []string // what to replace in the next request, the newest first
	for _, r := range e.requests {
		text, answer := s.exchange(t, strings.NewReplacer(links...).Replace(r))
		for _, m := range made {
			text = m.is.ReplaceAllString(text, m.shown)
		}
		b.WriteString(text)
		links = append(linksOf(answer), links...)
	}
	return b.String()
}

// linksOf are the control informations of an answer that are links, in braces,
// each followed by the path it leads to; and its ETag.
func linksOf(a answer) []string {
	var links []string
	if tag := a.header.Get("ETag"); tag != "" {
		links = append(links, "{ETag}", tag)
	}
	for name, v := range a.json {
		if link, ok := v.(string); ok && strings.HasSuffix(name, "Link") {
			_, path, _ := strings.Cut(link, "/shop/")
			links = append(links, "{"+strings.TrimPrefix(strings.TrimPrefix(name, "@"), "odata.")+"}", "/"+path)
		}
	}
	return links
}

// exchange sends a request and writes it and its answer as they look in HTTP.
func (s *shop) exchange(t *testing.T, text string) (string, answer) {
	head, body, _ := strings.Cut(text, "\n\n")
	line, headers, _ := strings.Cut(head, "\n")
	method, path, _ := strings.Cut(line, " ")
	var given []string
	if headers != "" {
		given = strings.Split(headers, "\n")
	}
	if body != "" && !strings.Contains(headers, "Content-Type") {
		given = append(given, "Content-Type: application/json")
	}
	a := s.do(t, t.Context(), line, body, given...)
	var b strings.Builder
	fmt.Fprintf(&b, "\n```http\n%s %s%s\n", method, s.Prefix, path)
	for _, h := range given {
		b.WriteString(h + "\n")
	}
	if body != "" {
		b.WriteString("\n" + pretty(body) + "\n")
	}
	fmt.Fprintf(&b, "```\n\n```http\nHTTP/1.1 %d %s\n", a.status, http.StatusText(a.status))
	for _, name := range []string{
		"Allow", "Content-Encoding", "Content-Type", "ETag", "Location", "OData-EntityId", "OData-Version", "Preference-Applied",
		"Repeatability-Result", "Retry-After",
	} {
		for _, value := range a.header.Values(name) {
			b.WriteString(name + ": " + value + "\n")
		}
	}
	if a.body != "" {
		lines := strings.Split(pretty(strings.TrimSuffix(a.body, "\n")), "\n")
		if len(lines) > longBody {
			more := fmt.Sprintf("… and %d lines more", len(lines)-longBody)
			lines = append(lines[:longBody:longBody], more)
		}
		b.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	}
	b.WriteString("```\n")
	return b.String(), a
}

// pretty indents JSON; other text stays as it is.
func pretty(text string) string {
	var b strings.Builder
	var v json.RawMessage
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(v) != nil {
		return text
	}
	return strings.TrimSuffix(b.String(), "\n")
}
