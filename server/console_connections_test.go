package server

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// TestConsoleConnections lets a system in and out as people do.
func TestConsoleConnections(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		s.admin.post("/odata/Customers", map[string]any{"Name": "Carmel Loans"}).want(201)
		b.open("/console/customers/1")
		b.see("No connections yet")
		b.press("New connection")
		b.at("/console/customers/1/connections/new")
		b.fill("AllowedNetworks", "here\n127.0.0.0/8")
		b.fill("StartsOn", "01012026")
		b.press("Create and get a key")
		b.see("Please fill this in")
		b.see("A network is written such as 192.0.2.0/24")
		b.fill("Name", "Acme & <CRM>")
		b.fill("AllowedNetworks", "127.0.0.0/8 ::1/128")
		b.fill("FeedbackFields", "RoutingID=lead_ref\nnonsense")
		b.press("Create and get a key")
		b.see("“nonsense” is not a line such as RoutingID=lead_ref")
		b.fill("FeedbackFields", "RoutingID=lead_ref")
		b.press("read its leads")
		b.press("Create and get a key")
		b.see("Acme & <CRM> is created.")
		made := s.admin.get("/odata/Connections").want(200)
		id := made.text("value", 0, "ID")
		b.at("/console/connections/" + id + "/keys/new")
		for want, path := range map[string][]any{
			"feedback:write": {"value", 0, "Scopes", 0}, "leads:read": {"value", 0, "Scopes", 1}, "2026-01-01": {"value", 0, "StartsOn"},
			"2025-12-31T22:00:00.000000Z": {"value", 0, "StartsAt"}, "::1/128": {"value", 0, "AllowedNetworks", 1}, "lead_ref": {"value", 0, "FeedbackFields", "RoutingID"},
		} {
			if got := made.text(path...); got != want {
				t.Errorf("%v is %s, want %s", path, got, want)
			}
		}

		// A key is shown once, and the way on opens when it is stored.
		b.press("read its leads") // not this key
		b.press("Generate")
		b.see("This is the key")
		key := js[string](b, "document.querySelector('[data-secret]').innerText")
		calls := s.anyone.with("X-API-Key", key)
		calls.get("/odata/FeedbackReasons").want(200)
		calls.get("/odata/Leads").want(403)
		if js[string](b, "document.querySelector('#stored').getAttribute('aria-disabled')") != "true" {
			t.Error("the way on is open before the key is stored")
		}
		b.press("I have stored it in a safe place")
		b.press("Done")
		b.at("/console/customers/1")
		b.see("Only: report feedback")
		if strings.Contains(js[string](b, "document.documentElement.outerHTML"), key) {
			t.Error("the key is shown again")
		}

		// Its replacement, with the old one going on, and at once.
		b.press("Rotate")
		b.press("Make the new key")
		b.see("This is the key")
		second := js[string](b, "document.querySelector('[data-secret]').innerText")
		calls.get("/odata/FeedbackReasons").want(200)
		b.open("/console/customers/1")
		b.see("Until ")
		newest := "document.querySelector('.connection .rows li')"
		b.until("(e => { e?.querySelector('button').click(); return e?.querySelector('dialog[open] select') })(" + newest + ")")
		js[any](b, "document.querySelector('dialog[open] select').value = '0'")
		b.press("Make the new key")
		b.until("document.querySelector('[data-secret]') && document.querySelector('[data-secret]').innerText !== " + quote(second))
		third := js[string](b, "document.querySelector('[data-secret]').innerText")
		s.anyone.with("X-API-Key", second).get("/odata/FeedbackReasons").want(401)
		s.anyone.with("X-API-Key", third).get("/odata/FeedbackReasons").want(200)

		b.open("/console/customers/1")
		b.press("Revoke")
		b.press("Revoke the key")
		b.see("is revoked.")
		s.anyone.with("X-API-Key", third).get("/odata/FeedbackReasons").want(401)
		b.see("2 keys that ended")

		// Edit, and take it back.
		b.press("Edit")
		b.at("/console/connections/" + id)
		b.fill("EndsOn", "01012020")
		b.press("Save changes")
		b.see("The last day is before the first.")
		b.fill("EndsOn", "12312030")
		b.fill("RequestsPerMinute", "60")
		b.press("Save changes")
		b.see("Saved.")
		b.see("31 Dec 2030")
		b.press("Undo")
		b.see("From 1 Jan 2026 on")
		if got := s.admin.get("/odata/Connections(" + id + ")").want(200); got.text("RequestsPerMinute") != "1200" || !strings.Contains(string(got.body), `"EndsOn":null`) {
			t.Errorf("after undo: %s", got.body)
		}

		b.until("document.querySelector('.connection')")
		js[any](b, "document.querySelector('.connection [data-dialog^=delete-]').click()")
		b.fill("confirm", "Acme & <CRM>")
		b.keys(kb.Enter)
		b.see("Acme & <CRM> is deleted.")
		b.see("No connections yet")
		b.complaints()
	})
}

// TestConsoleConnectors makes a connector from a copy of a ready one, mends what is
// wrong with it, changes it and deletes it.
func TestConsoleConnectors(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.open("/console/settings/connectors/" + s.webhook.String())
		b.press("Copy")
		b.see("New connector")
		b.fill("Name", "Our CRM")
		b.fill("Code", "Not A Code")
		b.fill("Headers", "no colon")
		b.press("Create the connector")
		b.until("document.querySelector('#e-Headers') && document.querySelector('[name=Headers]').value === 'no colon'")
		b.fill("Headers", "X-Team: {Team}")
		b.press("Create the connector")
		b.until("document.querySelector('#e-Code') && document.querySelector('#e-Headers')") // which no setting is
		b.fill("Code", "our-crm")
		b.fill("Headers", "X-Team: leads")
		b.press("Create the connector")
		b.see("Our CRM is created.")
		made := s.admin.get("/odata/Connectors?$filter=Code eq 'our-crm'").want(200)
		if made.text("value", 0, "Headers", 0, "Name") != "X-Team" || made.text("value", 0, "Settings", 0, "Name") != "URL" {
			t.Errorf("made %s", made.body)
		}
		b.fill("Outcomes/Accepted", "Status eq")
		b.press("Save changes")
		b.until("document.querySelector('[id=\"e-Outcomes/Accepted\"]')")
		b.fill("Outcomes/Accepted", "Status eq 202")
		b.press("Save changes")
		b.see("Saved.")
		b.press("Delete")
		b.fill("confirm", "Our CRM")
		js[any](b, "document.querySelector('dialog[open] .danger').click()")
		b.see("Our CRM is deleted.")
		b.refusals()
	})
}
