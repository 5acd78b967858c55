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

var pictures = flag.Bool("pictures", false, "write the README's pictures of the console to docs/pictures")

// consolePages are the pages of the console that every sweep visits: each in
// both languages, light and dark, wide and narrow. Names in braces stand for
// what furnish made.
var consolePages = []struct {
	path     string
	open     bool     // visited without signing in
	pictures []string // of it in the README, by their names
}{
	{path: "/console/signin", open: true},
	{path: "/console/today", pictures: []string{"today-en-light-wide", "today-he-dark-wide"}},
	{path: "/console/leads"},
	{path: "/console/leads?state=unmatched&filter=Budget%20gt%201%20nad%20City%20eq%20%27x%27&p=Budget&op=gt&v=5&col=Name&col=Budget"},
	{path: "/console/leads/{lead}", pictures: []string{"lead-en-light-wide"}},
	{path: "/console/leads/{lead}/edit"},
	{path: "/console/customers"},
	{path: "/console/customers?q=nobody-has-this-name"},
	{path: "/console/customers/new"},
	{path: "/console/customers/{customer}"},
	{path: "/console/customers/{customer}/rules"},
	{path: "/console/customers/{bare}/rules"},
	{path: "/console/customers/{customer}/rules/new"},
	{path: "/console/rules/{rule}", pictures: []string{"rule-en-light-wide"}},
	{path: "/console/rules/{raw}"},
	{path: "/console/customers/{customer}/connections/new"},
	{path: "/console/connections/{connection}"},
	{path: "/console/connections/{connection}/keys/new"},
	{path: "/console/customers/{customer}/feedback"},
	{path: "/console/customers/{customer}/feedback?days=365"},
	{path: "/console/customers/{customer}/guide", pictures: []string{"guide-en-light-wide"}},
	{path: "/guide/{guide}", open: true},
	{path: "/console/customers/{customer}/pulls/new"},
	{path: "/console/customers/{customer}/pulls/new?connector={connector}"},
	{path: "/console/pulls/{pull}"},
	{path: "/console/sources"},
	{path: "/console/sources/new"},
	{path: "/console/sources/new?kind=meta"},
	{path: "/console/sources/{source}"},
	{path: "/console/sources/{ads}"},
	{path: "/console/sources/{source}/mapping"},
	{path: "/console/sources/{source}/sieve"},
	{path: "/console/sources/{source}/onward"},
	{path: "/console/sources/{ads}/onward"},
	{path: "/console/sources/{source}/rejections"},
	{path: "/console/sources/{ads}/rejections"},
	{path: "/console/sources/{source}/rejections/{rejection}"},
	{path: "/console/sources/{source}/test"},
	{path: "/console/sources/{source}/test?lead={testlead}"},
	{path: "/console/transmissions"},
	{path: "/console/transmissions?q=nothing-says-this"},
	{path: "/console/transmissions/{rejected}"},
	{path: "/console/transmissions/resend"},
	{path: "/console/profile"},
	{path: "/console/settings/reasons"},
	{path: "/console/settings/reasons/new"},
	{path: "/console/settings/reasons/1"},
	{path: "/console/settings/connectors"},
	{path: "/console/settings/connectors/1"},
	{path: "/console/settings/connectors/new?from=1"},
	{path: "/console/settings/users"},
	{path: "/console/settings/users/new"},
	{path: "/console/settings/users/1"},
	{path: "/console/settings/users/2"},
	{path: "/console/settings/groups"},
	{path: "/console/settings/groups/new"},
	{path: "/console/settings/groups/1"},
	{path: "/console/settings/notices"},
	{path: "/console/settings/retention"},
	{path: "/console/settings/files"},
	{path: "/console/settings/audit"},
	{path: "/console/settings/audit/{event}"},
	{path: "/console/settings/system"},
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
	in["bare"] = s.admin.post("/odata/Customers", map[string]any{"Name": "Nobody's yet"}).want(201).text("ID")
	s.admin.do("PATCH", "/odata/Rules("+in["rule"]+")", map[string]any{
		"CapDay": 20, "CapMonth": 300, "Schedule": []map[string]any{{"Days": []string{"Sun", "Mon", "Tue", "Wed", "Thu"}, "From": "08:00", "To": "20:00"}},
	}).want(200)
	in["raw"] = s.admin.post("/odata/Rules", s.ruleFor(in["customer"], crm.url, map[string]any{
		"Name": "משכנתאות גדולות", "Condition": "(City eq 'חיפה' or City eq 'עכו') and Budget gt 1000000", "Priority": 50, "Visibility": "chosen",
		"Schedule": []map[string]any{{"From": "09:30", "To": "17:45"}},
		"Mapping": []map[string]any{
			{"Target": "lead.routing", "Source": "RoutingID", "Required": true},
			{"Target": "lead.name", "Source": "concat(FirstName,concat(' ',LastName))", "Default": "לא ידוע"},
			{"Target": "lead.kind", "Field": "סוג הלוואה", "Values": map[string]any{"משכנתה": 1, "הלוואה": 2}},
		},
	})).want(201).text("ID")
	intake := s.source(t, "json", map[string]any{"Name": "אתר הבית"})
	in["source"] = "1"
	for _, lead := range []map[string]any{
		{"FirstName": "נועה", "LastName": "לוי", "Phone": "052-1234567", "City": "חיפה", "Message": "אשמח לשמוע פרטים על משכנתה"},
		{"FirstName": "Dana", "LastName": "Cohen", "Phone": "054-7654321", "City": "Tel Aviv", "Email": "dana@example.com"},
	} {
		got := s.anyone.post(intake, lead)
		if in["lead"] == "" {
			in["lead"] = got.text("id")
		}
	}
	crm.next(t, 10*time.Second) // the rule's test
	crm.next(t, 10*time.Second)
	s.admin.post("/odata/FeedbackReasons", map[string]any{"Name": "Sold", "Names": map[string]string{"en": "Sold", "he": "נמכר"}, "Category": "positive", "CountsAsSale": true}).want(201)
	s.admin.post("/odata/Users", map[string]any{"Email": "noa@example.com", "Name": "נועה לוי", "Role": "manager", "Password": adminPassword}).want(201)
	s.admin.post("/odata/Groups", map[string]any{"Name": "צוות הצפון", "Description": "Calls back in Haifa and the Krayot"}).want(201)
	s.admin.post("/odata/GroupMembers", map[string]any{"GroupID": 1, "UserID": 2}).want(201)
	s.admin.do("PATCH", "/odata/Customers("+in["customer"]+")", map[string]any{"MaxPerMinute": 60, "Description": "לקוחות מאזור חיפה בלבד"}).want(200)
	in["event"] = s.admin.get("/odata/AuditEvents?$orderby=ID desc&$top=1").want(200).text("value", 0, "ID")
	furnishFeedback(t, s, in, crm.url)
	furnishQueue(t, s, in)
	eventually(t, 15*time.Second, "the reports are counted", func() bool {
		return s.admin.get("/odata/Activity/$count?$filter=Reports gt 0").want(200).text() != "0"
	})
	return in
}

// furnishFeedback has the first customer report on its lead, in its own words too,
// and gives it a guide that is read by a link and a pull.
func furnishFeedback(t *testing.T, s *stage, in map[string]string, url string) {
	t.Helper()
	routing := s.admin.get("/odata/Routings?$top=1&$filter=CustomerID eq "+in["customer"]).want(200).text("value", 0, "ID")
	s.admin.post("/odata/Customers("+in["customer"]+")/SetStatusMap", map[string]any{"Map": map[string]any{"נסגר - זכייה": 7, "Closed - lost": 8}}).want(200)
	returned := s.admin.get("/odata/FeedbackReasons?$filter=AsksForReturn").want(200).text("value", 0, "ID")
	key := s.admin.post("/odata/Connections("+in["connection"]+")/IssueKey", nil).want(200).text("Key")
	their := s.anyone.with("X-API-Key", key)
	for _, report := range []string{
		`"ReasonID":3,"OccurredAt":"2026-05-01T10:00:00Z"`, `"Status":"בטיפול אצל נציג","OccurredAt":"2026-05-01T11:00:00Z"`,
		`"ReasonID":` + returned + `,"Comment":"המספר אינו מחובר"`, `"ReasonID":7,"Amount":12500,"Currency":"ILS"`,
	} {
		their.post("/odata/Feedback", `{"RoutingID":"`+routing+`",`+report+`}`).want(201)
	}
	in["connector"] = s.admin.get("/odata/Connectors?$filter=Code eq 'unas-customer'").want(200).text("value", 0, "ID")
	in["pull"] = s.admin.post("/odata/Pulls", map[string]any{
		"ConnectionID": in["connection"], "ConnectorID": number(in["connector"]), "Name": "חנות UNAS",
		"Settings": map[string]any{"URL": url, "APIKey": "secret"},
	}).want(201).text("ID")
	in["guide"] = s.admin.post("/odata/Connections("+in["connection"]+")/OfferGuide", nil).want(200).text("Token")
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
	s := newBrowserStage(t, dir, filepath.Join(dir, "console.db"))
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
						sweep(b, p.path+" "+as, language)
						if (scheme == "light") == (width == 1440) { // both schemes and both layouts, at half the time of all four
							accessible(b, p.path+" "+as, string(axe))
						}
						for _, name := range p.pictures {
							if *pictures && strings.HasSuffix(name, as) {
								b.picture(name)
							}
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
func sweep(b *browser, at, language string) {
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
}

// accessible has axe look at the page that is open.
func accessible(b *browser, at, axe string) {
	b.t.Helper()
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
