package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

// TestConsoleStory is the whole loop as people see it who begin with nothing, in
// each language: the first admin, a source, a customer and its key, a rule that
// their broken system holds up, a lead delivered, and the feedback on it.
func TestConsoleStory(t *testing.T) {
	t.Parallel()
	for language, dialect := range map[string]string{"en": store.SQLite, "he": store.Postgres} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			dsn := storetest.Migrated(t, dialect)
			s := &stage{instance: serve(t, t.TempDir(), dsn, "--allow-networks", "127.0.0.0/8")}
			s.anyone = client{t: t, base: s.base}
			st := &story{t: t, s: s, b: newBrowser(t, s.base, language), language: language, says: sayings(t, language)}
			st.crm = listen(t, func(w http.ResponseWriter, _ *http.Request) {
				if st.broken.Load() {
					http.Error(w, "the database is away", http.StatusInternalServerError)
				}
			})
			st.setUp()
			st.makeSource()
			st.makeCustomer()
			st.makeKey()
			st.makeRule()
			st.mendRule()
			st.sendLead()
			st.seeToday()
			st.seeLead()
			for _, trouble := range st.b.complaints() {
				if !strings.Contains(trouble, "422") { // of the rule that was refused
					t.Error(trouble)
				}
			}
		})
	}
}

// sayings gives what the console says by the keys of a language's messages.
func sayings(t *testing.T, language string) func(key string, args ...any) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("console", "messages", language, "*.json"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	messages := map[string]any{}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "faults.json") {
			continue
		}
		if err := json.Unmarshal(content, &messages); err != nil {
			t.Fatal(name, err)
		}
	}
	return func(key string, args ...any) string {
		t.Helper()
		said, ok := messages[key].(string)
		if !ok {
			t.Fatalf("%s has no one text for %s", language, key)
		}
		for i, a := range args {
			said = strings.ReplaceAll(said, fmt.Sprintf("{%d}", i), fmt.Sprint(a))
		}
		return said
	}
}

// story is how far it went.
type story struct {
	t        *testing.T
	s        *stage
	b        *browser
	language string
	says     func(key string, args ...any) string
	crm      *receiver
	broken   atomic.Bool

	address string // of the source
	key     string
	lead    string
}

const (
	storySource   = "Site & <form>"
	storyCustomer = "כרמל הלוואות"
	storyRule     = "חיפה"
)

// press and see are the browser's, by the keys of messages.
func (st *story) press(key string, args ...any) { st.t.Helper(); st.b.press(st.says(key, args...)) }
func (st *story) see(key string, args ...any)   { st.t.Helper(); st.b.see(st.says(key, args...)) }

// setUp makes the first admin by the link that was printed.
func (st *story) setUp() {
	st.t.Helper()
	link := setUpLink.FindStringSubmatch(st.s.log.String())
	if link == nil {
		st.t.Fatal("serve prints no link for the first admin")
	}
	st.b.open("/console/setup?token=" + link[2])
	st.see("setup.title")
	st.b.fill("Name", "נועה")
	st.b.fill("Email", adminEmail)
	st.b.fill("Password", adminPassword)
	st.press("setup.submit")
	st.b.at("/console/today")
	st.see("setup.done")
	st.see("today.steps")
	st.s.admin = st.s.signIn(st.t, adminEmail, adminPassword)
}

// makeSource takes the first of the steps that Today shows.
func (st *story) makeSource() {
	st.t.Helper()
	st.press("today.step.source.action")
	st.see("sources.empty")
	st.press("sources.new")
	st.press("kind.json")
	st.b.at("/console/sources/new?kind=json")
	st.b.fill("Name", storySource)
	st.press("sources.create")
	st.see("sources.created", storySource)
	st.address = js[string](st.b, "document.querySelector('.address [data-copy]').dataset.copy")
}

func (st *story) makeCustomer() {
	st.t.Helper()
	st.press("nav.today")
	st.press("today.step.customer.action")
	st.b.at("/console/customers/new")
	st.b.fill("Name", storyCustomer)
	st.press("customers.create")
	st.see("customers.created", storyCustomer)
}

// makeKey makes a connection and its key, which is shown this once.
func (st *story) makeKey() {
	st.t.Helper()
	st.press("connection.new")
	st.b.at("/console/customers/1/connections/new")
	st.b.fill("Name", "CRM")
	st.press("connection.create")
	st.see("connection.created", "CRM")
	st.press("key.generate")
	st.see("key.reveal")
	st.key = js[string](st.b, "document.querySelector('[data-secret]').innerText")
	st.press("reveal.stored")
	st.press("reveal.done")
	st.b.at("/console/customers/1")
	st.see("key.unused")
	if strings.Contains(js[string](st.b, "document.documentElement.outerHTML"), st.key) {
		st.t.Error("the key is shown again")
	}
}

// makeRule makes a rule that is refused, as it does not send RoutingID, and then
// not activated, as their system is broken.
func (st *story) makeRule() {
	st.t.Helper()
	st.press("customer.tab.transmission")
	st.see("rules.empty")
	st.press("rules.new")
	st.b.at("/console/customers/1/rules/new")
	st.see("rule.closed.routing")
	st.b.fill("Name", storyRule)
	webhook := st.s.admin.get("/odata/Connectors?$filter=Code eq 'webhook-json'").want(200).text("value", 0, "ID")
	st.b.choose("ConnectorID", webhook)
	st.b.fill("Settings/URL", st.crm.url)
	st.press("rule.condition.add")
	st.b.fill("cond-property", "City")
	st.b.fill("cond-value", "חיפה")
	st.b.until("document.querySelector('#f-Condition').value === \"City eq 'חיפה'\"")
	st.press("form.save")
	st.b.until("document.querySelector('#mapping-error').innerText.includes('RoutingID')")
	st.closed("rule.closed.routing")

	st.broken.Store(true)
	st.press("rule.mapping.routing")
	st.b.until("!document.querySelector('#closed').innerText.includes('RoutingID')")
	st.press("rule.test.submit")
	st.see("rule.test.broken", 500)
	st.b.see("the database is away")
	st.b.at("/console/rules/1")
	st.closed("rule.closed.untested", 1)
	st.press("rules.activate")
	if state := st.s.admin.get("/odata/Rules(1)").want(200).text("State"); state != "draft" {
		st.t.Errorf("the rule is %s after its test failed", state)
	}
}

// closed sees that the rule cannot be activated, and why.
func (st *story) closed(key string, args ...any) {
	st.t.Helper()
	st.b.until("document.querySelector('#activate-button').getAttribute('aria-disabled') === 'true'")
	st.see(key, args...)
}

func (st *story) mendRule() {
	st.t.Helper()
	st.broken.Store(false)
	st.press("rule.test.submit")
	st.see("rule.test.accepted", 200)
	st.b.until("!document.querySelector('#closed')")
	st.press("rules.activate")
	st.see("rules.activated", storyRule)
	st.see("rule.live.now")
	for range 2 { // the tests
		st.crm.next(st.t, 10*time.Second)
	}
}

// sendLead posts a lead to the source's address, and their system's report on it.
func (st *story) sendLead() {
	st.t.Helper()
	lead := map[string]any{"FirstName": "דנה", "LastName": "כהן", "City": "חיפה"}
	st.lead = st.s.anyone.post(strings.TrimPrefix(st.address, st.s.base), lead).want(201).text("id")
	var sent struct{ RoutingID, FirstName string }
	if d := st.crm.next(st.t, 10*time.Second); json.Unmarshal([]byte(d.body), &sent) != nil || sent.RoutingID == "" || sent.FirstName != "דנה" {
		st.t.Fatalf("delivered %s", d.body)
	}
	st.s.settled(st.t, "1", "delivered")
	st.s.anyone.with("X-API-Key", st.key).post("/odata/Feedback", map[string]any{
		"RoutingID": sent.RoutingID, "ReasonID": 5, "Comment": "נקבעה פגישה ליום שלישי",
	}).want(201)
	eventually(st.t, 15*time.Second, "the lead is counted", func() bool {
		return st.s.admin.get("/odata/Activity/$count?$filter=Delivered gt 0").want(200).text() != "0" &&
			st.s.admin.get("/odata/Activity/$count?$filter=Reports gt 0").want(200).text() != "0"
	})
}

// seeToday counts one of each: in, routed, delivered, with feedback back.
func (st *story) seeToday() {
	st.t.Helper()
	st.press("nav.today")
	st.b.at("/console/today")
	for _, name := range []string{"leads", "routed", "delivered", "reports"} {
		st.b.until("[...document.querySelectorAll('.stat')].some(e => e.innerText.includes(" + quote(st.says("today."+name)) + ") && /\\b1\\b/.test(e.innerText))")
	}
	st.see("today.customers")
	st.b.see(storyCustomer)
	st.b.see(storySource)
	st.see("today.calm")
}

// seeLead reads on the lead's page what became of it.
func (st *story) seeLead() {
	st.t.Helper()
	st.press("nav.leads")
	st.b.press("דנה כהן")
	st.b.at("/console/leads/" + st.lead)
	st.see("lead.received", storySource)
	st.see("lead.attempt", storyCustomer)
	st.see("state.delivered")
	st.see("lead.feedback", storyCustomer)
	st.b.see("נקבעה פגישה ליום שלישי")
	st.b.see(st.s.admin.get("/odata/FeedbackReasons(5)").want(200).text("Names", st.language))
}
