package server

import (
	"strings"
	"testing"
	"time"
)

// TestConsoleOnward has a source send outcomes back: what is wrong stands beside its
// field, a test is sent before it is on, and then what a customer reports goes.
func TestConsoleOnward(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		picky := &answers{}
		platform, crm := listen(t, picky.serve), listen(t, nil)
		acme := s.join(t, "Acme", "feedback:write")
		s.rule(t, acme.id, crm.url, map[string]any{"Name": "All"})
		crm.next(t, 10*time.Second) // the rule's test
		intake := s.source(t, "json", map[string]any{"Name": "Ads"})
		lead := s.anyone.post(intake, map[string]any{"FirstName": "Noa", "gclid": "EAIaIQ"}).want(201).text("id")
		crm.next(t, 10*time.Second)
		routing := s.admin.get("/odata/Leads("+lead+")/Routings").want(200).text("value", 0, "ID")

		b.open("/console/sources/1")
		b.press("Outcomes sent back")
		b.at("/console/sources/1/onward")
		b.see("Off")
		b.choose("ConnectorID", s.webhook.String())
		b.until("document.querySelector('#settings [name=\"Settings/URL\"]')")
		b.fill("Settings/URL", "no address")
		b.fill("m-0-Target", "click")
		b.fill("m-0-Source", "toupper(")
		b.press("Save changes")
		b.until("document.querySelector('[name=\"Settings/URL\"]').closest('.field').querySelector('.field-error')?.innerText.includes('http')")
		b.until("document.querySelector('.mapping-row .pointed') && document.querySelector('[name=\"m-0-Source\"]').value === 'toupper('")
		b.fill("Settings/URL", platform.url)
		b.press("More settings")
		b.fill("Settings/Token", "hush hush")
		b.choose("Settings/Authentication", "bearer")
		b.fill("m-0-Source", "[gclid]")
		js[any](b, "document.querySelector('[name=m-0-Required]').click()")
		b.until("[...document.querySelectorAll('#mapping-names option')].some(o => o.value === 'gclid')")
		b.until("document.querySelector('#sample pre')?.innerText.includes('\"Reason\"')")

		picky.status.Store(422)
		b.press("Send a test")
		b.until("document.querySelector('#trial')?.innerText.includes('the phone number is taken')")
		picky.status.Store(0)
		b.press("Send a test")
		b.see("Their system took a made-up outcome (status 200).")
		for range 2 {
			if d := platform.next(t, 10*time.Second); d.header.Get("X-Leadloop-Test") != "1" || d.header.Get("Authorization") != "Bearer hush hush" {
				t.Errorf("a test with %v", d.header)
			}
		}
		if got := s.admin.get("/odata/Sources(1)").want(200); got.at("OnwardConnectorID") != nil {
			t.Errorf("a test turned it on: %s", got.body)
		}
		b.press("Save changes")
		b.see("Saved.")
		b.until("document.querySelector('.onward-state .badge').innerText === 'On'")
		if page := js[string](b, "document.documentElement.outerHTML"); strings.Contains(page, "hush") || strings.Contains(page, "sealed:") {
			t.Error("the page has the secret")
		}

		key := s.admin.post("/odata/Connections("+acme.connection+")/IssueKey", nil).want(200).text("Key")
		s.anyone.with("X-API-Key", key).post("/odata/Feedback", map[string]any{"RoutingID": routing, "ReasonID": 3}).want(201)
		if d := platform.next(t, 10*time.Second); !strings.Contains(d.body, `"click":"EAIaIQ"`) || d.header.Get("Authorization") != "Bearer hush hush" {
			t.Errorf("sent onward: %s %v", d.body, d.header)
		}

		b.choose("ConnectorID", "")
		b.press("Save changes")
		b.see("Saved.")
		b.until("document.querySelector('.onward-state .badge').innerText === 'Off'")
		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": adminPassword}).want(201)
		viewer := newBrowser(t, s.base, "he")
		viewer.signIn("viewer@example.com", adminPassword)
		viewer.open("/console/sources/1/onward")
		if got := js[string](viewer, "[...document.querySelectorAll('main button:enabled')].map(e => e.innerText || e.ariaLabel).join()"); got != "" {
			t.Errorf("a viewer sees the buttons %s", got)
		}
		b.refusals()
	})
}
