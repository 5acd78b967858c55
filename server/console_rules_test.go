package server

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestConsoleRule takes a rule from nothing to a lead delivered: refused without
// RoutingID, failing its test against a broken system, mended, active.
func TestConsoleRule(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		var broken atomic.Bool
		broken.Store(true)
		crm := listen(t, func(w http.ResponseWriter, _ *http.Request) {
			if broken.Load() {
				http.Error(w, "the database is away", http.StatusInternalServerError)
			}
		})
		s.join(t, "Carmel Loans")
		intake := s.source(t, "json", nil)
		for _, city := range []string{"Haifa", "Haifa", "Acre"} {
			s.anyone.post(intake, map[string]any{"FirstName": "Dana", "City": city, "Budget": 5000}).want(201)
		}
		b.open("/console/customers/1")
		b.press("Lead transmission")
		b.see("No rules yet")
		b.press("Add a rule")
		b.at("/console/customers/1/rules/new")
		b.see("It is not saved.")
		b.see("The mapping does not send RoutingID.")
		b.fill("Name", "Haifa leads")
		b.choose("ConnectorID", s.webhook.String())
		b.fill("Settings/URL", crm.url)
		b.press("Add a condition")
		b.fill("cond-property", "City")
		b.fill("cond-value", "Haifa")
		b.until("document.querySelector('#held')?.innerText === '2'")
		b.until("document.querySelector('#f-Condition').value === \"City eq 'Haifa'\"")
		b.see(`"FirstName": "נועה"`)

		b.press("Save changes")
		b.see("The mapping must send RoutingID")
		b.at("/console/customers/1/rules/new")
		if got := js[string](b, "['Name', 'Settings/URL', 'Condition', 'cond-property', 'cond-value', 'm-0-Target'].map(n => document.querySelector(`[name=\"${n}\"]`).value).join()"); got != "Haifa leads,"+crm.url+",City eq 'Haifa',City,Haifa,FirstName" {
			t.Errorf("the form keeps %s", got)
		}
		b.press("Add RoutingID")
		b.see("RoutingID\": \"")
		b.until("!document.querySelector('#closed').innerText.includes('RoutingID')")
		b.press("Save and test")
		b.see("Their system is in trouble (status 500)")
		b.see("the database is away")
		b.at("/console/rules/1")
		b.see("Version 1 has not passed its test.")
		b.until("document.querySelector('#activate-button').getAttribute('aria-disabled') === 'true'")
		b.press("Activate")
		if state := s.admin.get("/odata/Rules(1)").want(200).text("State"); state != "draft" {
			t.Errorf("the rule is %s", state)
		}
		sides := js[[]string](b, "[...document.querySelectorAll('#trial pre')].map(e => e.innerText)")
		if len(sides) != 2 || !strings.Contains(sides[0], "X-Leadloop-Test: 1") || !strings.Contains(sides[1], "500") {
			t.Errorf("request and response: %q", sides)
		}

		broken.Store(false)
		b.press("Save and test")
		b.see("Their system took the test lead (status 200).")
		b.until("!document.querySelector('#closed')")
		b.fill("cond-value", "Acre")
		b.see("There are changes that are not saved.")
		b.fill("cond-value", "Haifa")
		b.until("!document.querySelector('#closed')")
		b.press("Activate")
		b.see("Haifa leads is active.")
		b.see("This is what is live.")
		for range 2 {
			crm.next(t, 10*time.Second)
		}
		s.anyone.post(intake, map[string]any{"FirstName": "Noa", "City": "Haifa"}).want(201)
		if d := crm.next(t, 10*time.Second); !strings.Contains(d.body, `"FirstName":"Noa"`) || !strings.Contains(d.body, `"RoutingID":"`) {
			t.Errorf("delivered %s", d.body)
		}
		eventually(t, 10*time.Second, "it is delivered", func() bool {
			return s.admin.get("/odata/Rules(1)/Usage()").want(200).at("DeliveredAt") != nil
		})
		b.press("Carmel Loans")
		b.at("/console/customers/1/rules")
		b.see("just now")
		b.press("Pause Haifa leads")
		b.see("Haifa leads is paused.")
		b.press("Undo")
		b.see("Haifa leads is active.")
		b.at("/console/customers/1/rules")
		for _, trouble := range b.complaints() {
			if !strings.Contains(trouble, "422") {
				t.Error(trouble)
			}
		}
	})
}
