package server

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestConsolePrivacy shortens how long leads are kept, which names what is lost, and
// finds a person, whose data it exports and erases.
func TestConsolePrivacy(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		intake := s.source(t, "json", map[string]any{"Name": "אתר"})
		lead := s.anyone.post(intake, map[string]any{"FirstName": "Noa", "Phone": "050-1234567"}).want(201).text("id")
		s.anyone.post(intake, map[string]any{"FirstName": "Dana", "Phone": "050-7654321"}).want(201)

		b.open("/console/settings/retention")
		b.fill("MaskAfterDays-1", "0")
		b.press("Save changes")
		b.until("document.querySelector('#e-MaskAfterDays-1')?.innerText && document.querySelector('[name=\"MaskAfterDays-1\"]').value === '0'")
		b.fill("MaskAfterDays-1", "30")
		b.press("Save changes")
		b.see("Saved.")
		if got := s.admin.get("/odata/Sources(1)").want(200); got.text("MaskAfterDays") != "30" {
			t.Errorf("saved %s", got.body)
		}

		b.press("Find")
		b.until("document.querySelector('main [role=alert], main .field-error')")
		b.fill("Phone", "+972-50-123-4567")
		b.press("Find")
		b.see("Leads of this person")
		if got := b.names("9"); got != "Noa" {
			t.Errorf("found %s", got)
		}
		held := js[string](b, `(f => fetch(f.action, {method: "POST", body: new URLSearchParams(new FormData(f))}).then(r => r.text()))(document.querySelector("form[action$='/person/export']"))`)
		if !strings.Contains(held, lead) || strings.Contains(held, "Dana") {
			t.Errorf("exported %s", held)
		}
		b.press("Erase")
		b.see("Erase 1 lead of this person?")
		b.fill("confirm", "+972-50-123-4567")
		js[any](b, "document.querySelector('dialog[open] .danger').click()")
		b.see("1 lead is erased.")
		b.fill("Phone", "050-1234567")
		b.press("Find")
		b.see("Nothing is held about this person")
		if got := s.admin.get("/odata/Leads(" + lead + ")").want(200); got.at("FirstName") != nil {
			t.Errorf("after it: %s", got.body)
		}
		b.refusals()
	})
}

// TestConsoleParked has a customer's address go away: the rule pauses and its lead
// parks, which the notices tell and lead to; resumed, the lead goes out.
func TestConsoleParked(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.open("/console/settings/notices")
		b.see("No notices")
		picky := &answers{}
		crm := listen(t, picky.serve)
		acme := s.join(t, "Acme")
		rule := s.rule(t, acme.id, crm.url, map[string]any{"Name": "All"})
		picky.status.Store(410)
		s.anyone.post(s.source(t, "json", nil), map[string]any{"FirstName": "Noa"}).want(201)
		s.settled(t, rule, "parked")
		b.open("/console/settings/notices")
		b.see("Rule paused")
		b.press("To the rule")
		b.at("/console/rules/" + rule)
		b.see("Paused")

		b.open("/console/transmissions?state=parked")
		b.until("document.querySelector('#state-parked strong').innerText === '1' && document.querySelectorAll('tbody tr').length === 1")
		b.see("Waiting for a hand")
		picky.status.Store(0)
		b.press("Resume")
		b.see("The rule is active again")
		s.settled(t, rule, "delivered")
		b.until("document.querySelector('#state-delivered strong')?.innerText === '1' && !document.querySelector('.troubles')")
		b.open("/console/transmissions?state=delivered")
		b.press("Noa")
		b.until("document.querySelector('#drawer[open]')?.innerText.includes('HTTP 410')")
		b.complaints()
	})
}

// TestConsoleDeadLetters sends again, from the lead's page, what was refused for good.
func TestConsoleDeadLetters(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		picky := &answers{}
		crm := listen(t, picky.serve)
		acme := s.join(t, "Acme")
		rule := s.rule(t, acme.id, crm.url, map[string]any{"Name": "All"})
		picky.status.Store(422)
		lead := s.anyone.post(s.source(t, "json", nil), map[string]any{"FirstName": "Noa"}).want(201).text("id")
		s.settled(t, rule, "rejected")
		b.open("/console/leads/" + lead)
		b.press("Request and response")
		b.until("document.querySelector('#drawer[open]')?.innerText.includes('the phone number is taken')")
		b.keys(kb.Escape)
		picky.status.Store(0)
		b.press("Send again")
		b.until("document.querySelector('.toast.done')")
		s.settled(t, rule, "delivered")
		for range 3 { // the test, the refusal and the delivery
			crm.next(t, 10*time.Second)
		}
		b.open("/console/leads/" + lead)
		b.see("Delivered")
		b.complaints()
	})
}
