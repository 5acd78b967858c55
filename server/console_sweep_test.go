package server

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var pictures = flag.Bool("pictures", false, "write pictures of the console's pages to docs/pictures")

// consolePages are the pages of the console that every sweep visits: each in
// both languages, light and dark, wide and narrow. Names in braces stand for
// what furnish made.
var consolePages = []struct {
	path    string
	open    bool // visited without signing in
	picture string
}{
	{path: "/console/signin", open: true, picture: "signin"},
	{path: "/console/customers", picture: "customers"},
	{path: "/console/customers?q=nobody-has-this-name"},
	{path: "/console/customers/new"},
	{path: "/console/customers/{customer}", picture: "customer"},
	{path: "/console/sources", picture: "sources"},
	{path: "/console/sources/new", picture: "sourcekinds"},
	{path: "/console/sources/new?kind=meta"},
	{path: "/console/sources/{source}", picture: "source"},
	{path: "/console/sources/{ads}"},
	{path: "/console/sources/{source}/mapping", picture: "mapping"},
	{path: "/console/sources/{source}/sieve", picture: "sieve"},
	{path: "/console/sources/{source}/rejections", picture: "rejections"},
	{path: "/console/sources/{ads}/rejections"},
	{path: "/console/sources/{source}/rejections/{rejection}"},
	{path: "/console/sources/{source}/test"},
	{path: "/console/sources/{source}/test?lead={testlead}", picture: "testlead"},
	{path: "/console/transmissions", picture: "transmissions"},
	{path: "/console/transmissions?q=nothing-says-this"},
	{path: "/console/transmissions/{rejected}", picture: "transmission"},
	{path: "/console/transmissions/resend", picture: "resend"},
	{path: "/console/profile", picture: "profile"},
	{path: "/console/nothing-is-here"},
}

// furnish fills the stage with what the pages show, and gives what the names in
// consolePages stand for.
func furnish(t *testing.T, s *stage) map[string]string {
	t.Helper()
	crm := listen(t, nil)
	in := map[string]string{}
	for _, c := range []struct{ name, description string }{
		{"משכנתאות הצפון בע״מ", "לקוחות מאזור חיפה והקריות בלבד"},
		{"Carmel Loans", "Haifa and the north; calls back within the hour"},
		{"ביטוח ישיר", ""},
		{"A customer whose name is so long that no column would ever be wide enough to show the whole of it in one line", ""},
	} {
		p := s.join(t, c.name, "feedback:write", "routings:read")
		s.admin.do("PATCH", "/odata/Customers("+p.id+")", map[string]any{"Description": c.description}).want(200)
		if in["customer"] == "" {
			in["customer"], in["connection"] = p.id, p.connection
			in["rule"] = s.rule(t, p.id, crm.url, map[string]any{"Condition": "City eq 'חיפה'", "Name": "לידים מחיפה"})
		}
	}
	intake := s.source(t, "json", map[string]any{"Name": "אתר הבית"})
	in["source"] = "1"
	for _, lead := range []map[string]any{
		{"FirstName": "נועה", "LastName": "לוי", "Phone": "052-1234567", "City": "חיפה", "Message": "אשמח לשמוע פרטים על משכנתה"},
		{"FirstName": "Dana", "LastName": "Cohen", "Phone": "054-7654321", "City": "Tel Aviv", "Email": "dana@example.com"},
	} {
		s.anyone.post(intake, lead)
	}
	crm.next(t, 10*time.Second) // the rule's test
	crm.next(t, 10*time.Second)
	s.admin.post("/odata/FeedbackReasons", map[string]any{"Name": "Sold", "Names": map[string]string{"en": "Sold", "he": "נמכר"}, "Category": "positive", "CountsAsSale": true}).want(201)
	furnishQueue(t, s, in)
	return in
}

// TestConsolePages looks at every page as people will see it: nothing wider than
// the window, nothing untranslated, no complaint of the browser, nothing serious
// that axe finds.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	axe, err := os.ReadFile("testdata/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := newStage(t, dir, filepath.Join(dir, "console.db"))
	names := furnish(t, s)
	for _, language := range []string{"en", "he"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			stranger, staff := newBrowser(t, s.base, language), newBrowser(t, s.base, language)
			staff.signIn(adminEmail, adminPassword)
			for _, p := range consolePages {
				path := p.path
				for name, value := range names {
					path = strings.ReplaceAll(path, "{"+name+"}", value)
				}
				b := staff
				if p.open {
					b = stranger
				}
				b.complaints()
				b.open(path)
				for _, scheme := range []string{"light", "dark"} {
					b.scheme(scheme)
					for _, width := range []int64{1440, 390} {
						b.size(width, 900)
						as := strings.Join([]string{language, scheme, map[int64]string{1440: "wide", 390: "narrow"}[width]}, "-")
						sweep(b, p.path+" "+as, language, string(axe))
						if *pictures && p.picture != "" && strings.Contains("en-light-wide he-dark-wide he-light-narrow", as) {
							b.picture(p.picture + "-" + as)
						}
					}
				}
				for _, trouble := range b.complaints() {
					if !strings.Contains(p.path, "nothing-is-here") { // where the browser tells of the status
						t.Errorf("%s: the browser complains: %s", path, trouble)
					}
				}
			}
		})
	}
}

// sweep looks at the page that is open.
func sweep(b *browser, at, language, axe string) {
	b.t.Helper()
	if wide := js[string](b, `(() => {
		const w = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= w) return "";
		return [...document.querySelectorAll("body *")].filter(e => { const r = e.getBoundingClientRect(); return r.width && (r.right > w + 1 || r.left < -1) && e.checkVisibility({visibilityProperty: true}) })
			.slice(0, 5).map(e => e.outerHTML.slice(0, 120)).join("\n") || "the page"
	})()`); wide != "" {
		b.t.Errorf("%s is wider than its window: %s", at, wide)
	}
	if missing := js[string](b, `document.documentElement.outerHTML.match(/⟦[^⟧]*⟧/)?.[0] ?? ""`); missing != "" {
		b.t.Errorf("%s: no text for %s", at, missing)
	}
	want := map[string]string{"en": "ltr", "he": "rtl"}[language]
	if got := js[string](b, "document.documentElement.lang + ' ' + getComputedStyle(document.body).direction"); got != language+" "+want {
		b.t.Errorf("%s is %s, want %s %s", at, got, language, want)
	}
	if !js[bool](b, "!!window.axe") {
		js[any](b, axe+"; true")
	}
	for _, v := range js[[]violation](b, `axe.run({resultTypes: ["violations"]}).then(r => r.violations
		.filter(v => v.impact === "serious" || v.impact === "critical")
		.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " — " + n.failureSummary)})))`) {
		text, _ := json.MarshalIndent(v, "", " ")
		b.t.Errorf("%s: axe: %s", at, text)
	}
}

// violation is what axe found.
type violation struct {
	ID    string   `json:"id"`
	Help  string   `json:"help"`
	Nodes []string `json:"nodes"`
}

// picture writes what the window shows to docs/pictures.
func (b *browser) picture(name string) {
	b.t.Helper()
	png := do(b, chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join("..", "docs", "pictures", name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}
