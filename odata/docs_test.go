package odata_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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
	"Reading", "Paging", "Expressions", "Related entities", "Search", "Computing and aggregating", "Representation", "Addressing",
	"Changing", "Batches", "Following changes", "Actions and functions", "Metadata", "Errors",
}

var examples []exchange

// example puts an example into docs/odata.md. A request is "METHOD path", then
// headers on lines of their own, then an empty line and a body; {nextLink} in it
// is the link of that name in the answer before, {ETag} its ETag. It stands in a
// test file beside the feature's tests, at package level:
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

// smallPages is the shop with two entities a page.
func smallPages(t testing.TB) *shop {
	limits := odata.Limits{}
	limits.PageSize = 2
	s := newShop(t, "sqlite", limits)
	s.fill(t)
	return s
}

func depot(t testing.TB) *shop { return newDepot(t, "sqlite") }

var _ = exampleOf(depot, "Actions and functions", "A function bound to an entity", "GET /Crates('A1')/Volume(Factor=2.5)") &&
	exampleOf(depot, "Actions and functions", "A function with JSON as a parameter", `GET /Largest(Sizes=@s)?@s=[{"Width":2},{"Width":5}]`) &&
	exampleOf(depot, "Actions and functions", "An action bound to an entity set", "POST /Crates/Sweep") &&
	exampleOf(depot, "Representation", "Enumerations, flags and money", "GET /Crates('A1')?$select=Grade,Traits,Price")

var _ = example("Reading", "The service document", "GET /") &&
	example("Reading", "An entity set", "GET /Makers?$select=Name,Country&$orderby=Name desc") &&
	example("Reading", "One entity by its key", "GET /Makers(1)") &&
	example("Reading", "How many there are", "GET /Makers/$count?$filter=Active") &&
	example("Reading", "A 4.0 client", "GET /Makers(1)\nOData-MaxVersion: 4.0") &&
	example("Paging", "A part, and how many there are in all", "GET /Products?$select=Name&$orderby=Stock desc&$skip=1&$top=2&$count=true") &&
	exampleOf(smallPages, "Paging", "A page, and the next one behind its link", "GET /Products?$select=Name&$orderby=Stock", "GET {nextLink}") &&
	example("Expressions", "Text, numbers, null and logic", "GET /Products?$select=Name,Stock&$filter=(Stock ge 0 or Stock eq null) and not startswith(Name,'B')") &&
	example("Expressions", "Dynamic properties of an open type", "GET /Products?$select=Name,Color&$filter=tolower(Color) eq 'red'") &&
	example("Expressions", "Over related entities", "GET /Products?$select=Name&$filter=Reviews/any(r:r/Stars gt 4) or Maker/Name eq 'Beta'") &&
	example("Expressions", "A list, and a parameter alias", "GET /Products?$select=Name&$filter=Name in ('apple',@other)&@other='O''Neil'") &&
	example("Related entities", "Expanded, each with options of its own", "GET /Products(00000000-0000-0000-0000-000000000001)?$select=Name&$expand=Maker($select=Name),Reviews($orderby=Stars;$count=true;$select=Stars)") &&
	example("Related entities", "By navigation", "GET /Makers(1)/Products?$select=Name") &&
	example("Representation", "Without control information", "GET /Makers(1)\nAccept: application/json;odata.metadata=none") &&
	example("Changing", "A new entity", "POST /Makers\n\n"+`{"Name":"Delta","Country":"DK"}`) &&
	example("Changing", "A new entity, without seeing it", "POST /Makers\nPrefer: return=minimal\n\n"+`{"Name":"Delta"}`) &&
	example("Changing", "A change, of what was read and of nothing newer", "PATCH /Makers(1)\n"+`If-Match: W/"1"`+"\n\n"+`{"Country":null}`, "PATCH /Makers(1)\n"+`If-Match: W/"1"`+"\n\n"+`{"Country":"DK"}`) &&
	example("Changing", "A removal", "DELETE /Makers(3)\n"+`If-Match: W/"3"`) &&
	example("Actions and functions", "An action bound to an entity", "POST /Makers(1)/Rename\n\n"+`{"Name":"Omega"}`) &&
	example("Metadata", "CSDL XML", "GET /$metadata") &&
	example("Metadata", "CSDL XML for a 4.0 client, which has it already", "GET /$metadata\nOData-MaxVersion: 4.0", "GET /$metadata\nOData-MaxVersion: 4.0\nIf-None-Match: {ETag}") &&
	example("Metadata", "CSDL JSON", "GET /$metadata?$format=json") &&
	example("Metadata", "OpenAPI", "GET /openapi.json") &&
	example("Errors", "A mistake in an expression, with its position", "GET /Products?$filter=Stock gt 'many'") &&
	example("Errors", "A mistake in a body, with its target", "POST /Products\n\n"+`{"Name":"pear","Parts":[{"Labl":"x"}]}`) &&
	example("Errors", "Nothing there, or nothing for you", "GET /Makers(77)") &&
	example("Errors", "Not served", "GET /$crossjoin(Makers,Products)")

const (
	docs      = "../docs/odata.md"
	docsBegin = "<!-- examples: go test ./odata -run TestDocs -update -->\n"
	docsEnd   = "<!-- end of examples -->\n"
	fixedUUID = "019553ab-0000-7000-8000-000000000000"
	longBody  = 60 // lines of a body that are shown
)

// randomUUID is one that the program made up.
var randomUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// TestDocs holds the examples in docs/odata.md to what the service answers.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), docsBegin)
	_, after, closed := strings.Cut(rest, docsEnd)
	if !found || !closed {
		t.Fatalf("%s lacks the marks of the examples", docs)
	}
	want := before + docsBegin + writeExamples(t) + docsEnd + after
	switch {
	case want == string(text):
	case *update:
		if err := os.WriteFile(docs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not up to date; if the change is meant, run go test ./odata -run TestDocs -update\n%s", docs, gocmp.Diff(string(text), want))
	}
	namedTests(t, before)
}

// namedTests: the tests that the checklist names exist.
func namedTests(t *testing.T, text string) {
	files, err := filepath.Glob("../*/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	deeper, _ := filepath.Glob("*/*_test.go") // the pattern is well formed
	var source strings.Builder
	for _, file := range append(files, deeper...) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(b)
	}
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z]+)`").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(source.String(), "func "+name[1]+"(") {
			t.Errorf("%s names the test %s, which is not there", docs, name[1])
		}
	}
}

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
		b.WriteString("\n**" + e.title + "**\n")
		s := e.service(t)
		var links []string // what to replace in the next request
		for _, r := range e.requests {
			text, answer := s.exchange(t, strings.NewReplacer(links...).Replace(r))
			b.WriteString(randomUUID.ReplaceAllString(text, fixedUUID))
			links = linksOf(answer)
		}
	}
	b.WriteString("\n")
	return b.String()
}

// linksOf are the control informations of an answer that are links, in braces,
// each followed by the path it leads to; and its ETag.
func linksOf(a answer) []string {
	links := []string{"{ETag}", a.header.Get("ETag")}
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
		"Allow", "Content-Encoding", "Content-Type", "ETag", "Location", "OData-EntityId", "OData-Version", "Preference-Applied", "Retry-After",
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
