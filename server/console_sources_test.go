package server

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// furnishQueue adds a refused delivery, a test lead, a source of each way to
// paste an address, and transmissions that did not go well.
func furnishQueue(t *testing.T, s *stage, in map[string]string) {
	t.Helper()
	source := s.admin.get("/odata/Sources(1)/IntakeToken()").want(200).text("value")
	s.admin.do("PATCH", "/odata/Sources(1)", map[string]any{
		"Checks":  []map[string]any{{"Property": "Phone", "Required": true, "Format": "mobile"}},
		"Mapping": []map[string]any{{"Target": "City", "Field": "עיר מגורים"}, {"Target": "FullName", "Source": "concat(given,concat(' ',family))", "Default": "ללא שם"}},
	}).want(200)
	s.anyone.post("/intake/"+source, `{"name":"דנה","phone":"04-8123456","email":"dana@example.com"}`).want(400)
	in["rejection"] = s.admin.get("/odata/Sources(1)/Rejections?$top=1").want(200).text("value", 0, "ID")
	in["testlead"] = s.admin.post("/odata/Sources(1)/SendTestLead", map[string]any{"Fields": map[string]any{"given": "נועה", "Phone": "050-1234567", "City": "חיפה"}}).want(200).text("ID")
	in["ads"] = s.admin.post("/odata/Sources", map[string]any{
		"Name": "Search campaign", "Kind": "google-ads", "Secret": "swordfish-7",
		"OnwardConnectorID": s.webhook, "OnwardSettings": map[string]any{"URL": "https://ads.example.com/conversions"},
		"OnwardMapping": []map[string]any{{"Target": "click", "Field": "gclid", "Required": true}, {"Target": "מחיר", "Source": "Amount"}},
	}).want(201).text("ID")
	picky := &answers{}
	crm := listen(t, picky.serve)
	rule := s.rule(t, in["customer"], crm.url, map[string]any{"Name": "לידים מעכו", "Condition": "City eq 'עכו'"})
	picky.status.Store(422)
	s.anyone.post("/intake/"+source, `{"name":"רות אלון","phone":"054-5550123","עיר מגורים":"עכו"}`).want(201)
	in["rejected"] = s.settled(t, rule, "rejected")
	s.admin.post("/odata/Rules("+rule+")/Pause", nil).want(200)
}

// answers is a customer's system that answers with a status that can be changed,
// 200 until then.
type answers struct{ status atomic.Int32 }

func (a *answers) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if status := a.status.Load(); status != 0 {
		w.WriteHeader(int(status))
		_, _ = w.Write([]byte(`{"error":"the phone number is taken"}`))
		return
	}
	_, _ = w.Write([]byte("{}"))
}

// settled waits until a routing of the rule is in the state, and gives its id.
func (s *stage) settled(t *testing.T, rule, state string) (id string) {
	t.Helper()
	eventually(t, 15*time.Second, "a routing is "+state, func() bool {
		got := s.admin.get("/odata/Routings?$filter=RuleID eq " + rule + " and State eq '" + state + "'&$top=1").want(200)
		if len(got.at("value").([]any)) == 0 {
			return false
		}
		id = got.text("value", 0, "ID")
		return true
	})
	return id
}

// TestConsoleSources makes a source, pastes its address, and sees what comes.
func TestConsoleSources(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		acme := s.join(t, "Acme")
		crm := listen(t, nil)
		s.rule(t, acme.id, crm.url, map[string]any{"Name": "Haifa only", "Condition": "City eq 'Haifa'"})
		crm.next(t, 10*time.Second) // the rule's test

		b.open("/console/sources")
		b.see("No sources yet")
		b.press("New source")
		b.press("Google Ads")
		b.see("Lead forms of Google Ads")
		b.fill("Name", "Search")
		b.press("Create the source")
		b.see("Please fill this in") // the key
		b.until("document.activeElement.name === 'Secret'")
		b.fill("Secret", "swordfish-7")
		b.press("Create the source")
		b.see("Search is created.")
		b.see("Paste the address as Webhook URL")
		b.until("document.querySelector('svg.sketch .box.here')")

		b.open("/console/sources/new?kind=json")
		b.fill("Name", "Partner")
		b.press("Create the source")
		b.at("/console/sources/2")
		address := js[string](b, "document.querySelector('.address [data-copy]').dataset.copy")
		if !strings.HasPrefix(address, s.base+"/intake/") {
			t.Fatalf("the address to paste is %s", address)
		}
		post := func(body string) answer { return s.anyone.post(strings.TrimPrefix(address, s.base), body) }
		post(`{"given":"Noa","town":"Haifa","home":{"rooms":4}}`).want(201)
		b.open("/console/sources")
		b.until("[...document.querySelectorAll('tr')].some(r => r.innerText.includes('Partner') && r.innerText.includes('just now') && /\\b1\\b/.test(r.innerText))")

		// A field of the last delivery is picked for a property.
		b.open("/console/sources/2/mapping")
		b.fill("Mapping/0/Target", "City")
		b.press("town\nHaifa")
		b.fill("Mapping/1/Target", "Rooms")
		js[any](b, `(() => { document.querySelector('[name="Mapping/1/Mode"]').value = "Source" })()`)
		b.fill("Mapping/1", "home/rooms add")
		b.press("Save changes")
		b.see("position 15")
		b.until(`document.querySelector('[name="Mapping/1"]').value === "home/rooms add" && document.querySelector('[name="Mapping/0"]').value === "town"`)
		b.fill("Mapping/1", "home/rooms add 1")
		b.press("Save changes")
		b.see("Saved.")
		b.press("Undo")
		b.until(`document.querySelector('[name="Mapping/0"]').value === ""`)
		b.open("/console/sources/2/mapping")
		b.fill("Mapping/0/Target", "City")
		b.fill("Mapping/0", "town")
		b.press("Save changes")
		b.see("Saved.")

		// What it demands of leads, and what it refuses.
		b.open("/console/sources/2/sieve")
		b.fill("Checks/0", "Phone")
		b.press("Save changes")
		b.see("This row asks for nothing")
		js[any](b, `document.querySelector('[name="Checks/0/Required"]').click()`)
		b.fill("MaskAfterDays", "30")
		b.press("Save changes")
		b.see("Saved.")
		post(`{"given":"Noa","phone":"05-x"}`).want(400)
		b.open("/console/sources/2/rejections")
		b.see("Phone is not a phone number")
		b.press("Phone is not a phone number")
		b.until("document.querySelector('#drawer[open] pre')?.innerText.includes('\"given\":\"Noa\"')")

		// A test lead goes the same way, and to nobody.
		b.open("/console/sources/2/test")
		b.fill("Phone", "12")
		b.press("Send the test lead")
		b.see("Phone is not a phone number")
		b.fill("Phone", "050-1234567")
		b.fill("More", "town=Haifa")
		b.press("Send the test lead")
		b.see("The test lead came in.")
		b.see("gets it")
		b.see("+972501234567")

		// The address is replaced; the old one works on for a while.
		b.open("/console/sources/2")
		b.press("Replace the address")
		b.press("Replace it")
		b.see("The address is replaced.")
		b.see("The previous address works until")
		if now := js[string](b, "document.querySelector('.address [data-copy]').dataset.copy"); now == address {
			t.Error("the address is the same")
		}
		post(`{"given":"Old","phone":"050-1234567"}`).want(201)

		b.press("Delete")
		b.fill("confirm", "Partner")
		b.press("Delete for good")
		b.see("Leads came in by this source, so it cannot be deleted.")
		b.open("/console/sources/1")
		b.press("Delete")
		b.fill("confirm", "Search")
		b.press("Delete for good")
		b.see("Search is deleted.")
		for _, trouble := range b.complaints() {
			if !strings.Contains(trouble, "422") { // of the forms with errors
				t.Error(trouble)
			}
		}
	})
}

// TestConsoleTransmissions sees why deliveries failed, and sends them again.
func TestConsoleTransmissions(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.open("/console/transmissions")
		b.see("Nothing was sent yet")
		picky := &answers{}
		crm := listen(t, picky.serve)
		acme := s.join(t, "Acme")
		rule := s.rule(t, acme.id, crm.url, map[string]any{"Name": "All"})
		intake := s.source(t, "json", nil)
		picky.status.Store(422)
		for _, name := range []string{"Noa", "Dana", "Ruth"} {
			s.anyone.post(intake, map[string]any{"FirstName": name}).want(201)
		}
		picked := func(state, n string) {
			t.Helper()
			b.until(`document.querySelector("#state-` + state + ` strong")?.innerText === "` + n + `"`)
		}
		eventually(t, 15*time.Second, "all are rejected", func() bool {
			return string(s.admin.get("/odata/Routings/$count?$filter=State eq 'rejected'").want(200).body) == "3"
		})
		b.open("/console/transmissions")
		picked("rejected", "3")
		b.press("Noa")
		b.until("document.querySelector('#drawer[open]')?.innerText.includes('HTTP 422')")
		b.press("Answer")
		b.until("[...document.querySelectorAll('#drawer pre')].some(p => p.checkVisibility() && p.innerText.includes('the phone number is taken'))")

		// One is sent again, and the list follows by itself.
		picky.status.Store(0)
		b.press("Send again")
		b.see("It is in the queue again.")
		b.keys(kb.Escape)
		b.until("!document.querySelector('#drawer[open]')")
		eventually(t, 15*time.Second, "one is delivered", func() bool {
			return string(s.admin.get("/odata/Routings/$count?$filter=State eq 'delivered'").want(200).body) == "1"
		})
		js[any](b, "document.querySelector('#resend-all').focus()")
		picked("delivered", "1")
		b.until("document.activeElement.id === 'resend-all'")

		// A rule is paused: what comes parks, and waits for the rule.
		s.admin.post("/odata/Rules("+rule+")/Pause", nil).want(200)
		b.open("/console/transmissions?state=rejected")
		b.until("document.querySelectorAll('tbody tr').length === 2")
		b.see("Waiting for a hand")
		b.press("Resume")
		b.see("The rule is active again")
		b.until("!document.querySelector('.troubles')")

		// All of a filter are sent again.
		b.press("Send all again")
		b.see("2 transmissions will be sent again.")
		b.until("!document.querySelector('#drawer [name=delivered]')")
		b.press("Send them again")
		b.see("Sent again: 2 of 2 are in the queue")
		eventually(t, 15*time.Second, "all are delivered", func() bool {
			return string(s.admin.get("/odata/Routings/$count?$filter=State eq 'delivered'").want(200).body) == "3"
		})
		b.open("/console/transmissions")
		picked("delivered", "3")
		b.until("!document.querySelector('#resend-all')")
		b.open("/console/transmissions?state=delivered")
		b.press("Send all again")
		b.see("3 transmissions that were delivered will be sent again")

		b.open("/console/transmissions")
		js[any](b, `(() => { const f = document.querySelector('[name=state]'); f.value = "failed"; f.dispatchEvent(new Event("change", {bubbles: true})) })()`)
		b.until("location.search.includes('state=failed') && document.body.innerText.includes('Nothing found')")

		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": adminPassword}).want(201)
		viewer := newBrowser(t, s.base, "he")
		viewer.signIn("viewer@example.com", adminPassword)
		for _, path := range []string{"/console/transmissions", "/console/sources", "/console/sources/1", "/console/sources/1/mapping", "/console/sources/1/sieve"} {
			viewer.open(path)
			if got := js[string](viewer, "[...document.querySelectorAll('main button:not(.copy), main a.button')].map(e => e.innerText).join()"); got != "" {
				t.Errorf("on %s a viewer sees the buttons %s", path, got)
			}
			if token := js[string](viewer, `document.documentElement.outerHTML.match(/intake\/[0-9A-Za-z]{22}/)?.[0] ?? ""`); token != "" {
				t.Errorf("on %s a viewer sees %s", path, token)
			}
		}
		viewer.complaints()
	})
}

// TestConsoleBreaker closes the breaker of a system that is well again.
func TestConsoleBreaker(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		picky := &answers{}
		crm := listen(t, picky.serve)
		acme := s.join(t, "Acme")
		rule := s.rule(t, acme.id, crm.url, map[string]any{"Name": "All"})
		intake := s.source(t, "json", nil)
		picky.status.Store(503)
		for range 10 {
			s.anyone.post(intake, `{"FirstName":"Noa"}`).want(201)
		}
		eventually(t, 15*time.Second, "the breaker opens", func() bool {
			return s.admin.get("/odata/Rules("+rule+")").want(200).text("Breaker") == "open"
		})
		b.open("/console/transmissions")
		b.see("Its system fails")
		picky.status.Store(0)
		b.press("Send again now")
		b.see("Its leads are sent again as they come.")
		b.until("!document.querySelector('.troubles')")
		s.anyone.post(intake, `{"FirstName":"Dana"}`).want(201)
		s.settled(t, rule, "delivered")
	})
}
