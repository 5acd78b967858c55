package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestConsoleCustomers makes, finds, changes and deletes customers as people do.
func TestConsoleCustomers(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.open("/console/customers")
		b.see("No customers yet")
		b.press("New customer")
		b.at("/console/customers/new")
		b.fill("Description", "They call back within the hour")
		b.fill("MaxPerMinute", "0")
		b.press("Create the customer")
		b.see("Please fill this in") // the name
		b.until("document.activeElement.name === 'Name' && document.querySelector('[name=Description]').value === 'They call back within the hour'")
		b.see("At least 1")
		b.fill("Name", "Carmel Loans")
		b.until("!document.body.innerText.includes('Please fill this in') && !document.querySelector('[name=Name]').hasAttribute('aria-invalid')")
		b.fill("MaxPerMinute", "30")
		b.press("Create the customer")
		b.at("/console/customers/1")
		b.see("Carmel Loans is created.")
		b.press("Add a rule")
		b.at("/console/customers/1/rules/new")
		b.open("/console/customers/1")

		b.fill("Name", "Carmel & <b>Sons</b>")
		b.press("Save changes")
		b.see("Saved.")
		b.see("Carmel & <b>Sons</b>")
		b.press("Undo")
		b.until("document.querySelector('h1').innerText === 'Carmel Loans'")

		for i := range 60 {
			s.admin.post("/odata/Customers", map[string]any{"Name": fmt.Sprintf("לקוח %02d", i)}).want(201)
		}
		b.open("/console/customers")
		b.until("document.querySelectorAll('tbody tr').length === 50")
		b.press("Next page")
		b.until("document.querySelectorAll('tbody tr').length === 11")
		b.press("First page")
		b.at("/console/customers")
		b.fill("q", "CARMEL")
		b.until("document.querySelectorAll('tbody tr').length === 1 && location.search === '?q=CARMEL'")
		b.press("Carmel Loans")
		b.at("/console/customers/1")

		b.press("Delete")
		b.until("document.querySelector('dialog[open]')")
		if !js[bool](b, "document.querySelector('dialog[open] .danger').disabled") {
			t.Error("it can be deleted before its name is typed")
		}
		b.keys(kb.Escape)
		b.until("!document.querySelector('dialog[open]')")
		b.press("Delete")
		b.fill("confirm", "Carmel Loans")
		b.press("Delete for good")
		b.see("Carmel Loans is deleted.")
		s.admin.get("/odata/Customers(1)").want(404)
		b.open("/console/customers/2")
		s.admin.do("PATCH", "/odata/Customers(2)", map[string]any{"Description": "changed meanwhile"}).want(200)
		b.fill("Name", "Another")
		b.press("Save changes")
		b.see("Somebody else has changed this meanwhile")
		if name := s.admin.get("/odata/Customers(2)").want(200).text("Name"); name == "Another" {
			t.Error("a change made meanwhile was overwritten")
		}
		for _, trouble := range b.complaints() {
			if !strings.Contains(trouble, "422") { // of the forms with errors
				t.Error(trouble)
			}
		}
	})
}

// TestConsoleViewer sees, and is shown no button that would be refused.
func TestConsoleViewer(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, admin *browser) {
		s.join(t, "Carmel Loans")
		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": adminPassword}).want(201)
		b := newBrowser(t, s.base, "he")
		b.signIn("viewer@example.com", adminPassword)
		b.see("לקוחות")
		b.open("/console/customers/1")
		if got := js[string](b, "[...document.querySelectorAll('main button:not([data-copy]), main a.button')].map(e => e.innerText).join()"); got != "" {
			t.Errorf("a viewer sees the buttons %s", got)
		}
		status := js[int](b, `fetch("/console/customers/1", {method: "POST", body: new URLSearchParams({Name: "x", Version: "1"})}).then(r => r.status)`)
		if status != 403 {
			t.Errorf("a viewer's change is answered with %d", status)
		}
		b.complaints()
	})
}
