package server

import (
	"strings"
	"testing"
	"time"
)

// TestConsoleFeedback looks at what a customer reported, decides a return, and says
// what the customer's words stand for.
func TestConsoleFeedback(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		names := furnish(t, s)
		b.open("/console/customers/" + names["customer"] + "/feedback")
		b.see("₪12,500.00")
		b.until("document.querySelectorAll('.chart rect').length === 4")
		b.press("Show the numbers")
		b.until("document.querySelector('.chart table').innerText.includes('Not mapped yet')")

		b.press("Decide")
		b.fill("comment", "The number works now")
		b.press("Decline")
		b.see("The return is declined.")
		declined := s.admin.get("/odata/Feedback?$filter=ReturnState eq 'declined'").want(200)
		if declined.text("value", 0, "ReturnComment") != "The number works now" {
			t.Errorf("%s", declined.body)
		}

		waiting := func() string { return string(s.admin.get("/odata/UnmappedStatuses/$count").want(200).body) }
		b.see("1 report waits")
		b.press("Map") // without a reason
		b.see("Choose a reason first.")
		js[any](b, "document.querySelector('.unmapped select').value = '2'")
		b.press("Map")
		b.see("בטיפול אצל נציג is mapped.")
		b.until("getComputedStyle(document.querySelector('.toast p')).direction === 'ltr'") // the sentence is English
		if waiting() != "0" {
			t.Error("the report still waits")
		}
		b.until("!document.querySelector('.unmapped')")
		b.press("Undo")
		b.see("is not mapped any more.")

		b.fill("Status", "closed - LOST") // it is in the map: the reason changes
		js[any](b, "document.querySelector('#status-reason').value = '3'")
		b.press("Add")
		b.until("document.querySelector('#statuses table')?.innerText.includes('No answer')")

		b.press("The whole map as JSON")
		b.fill("Map", `{"won": "Sold elsewhere"}`)
		b.press("Replace the map")
		b.see("Sold elsewhere")
		b.until("document.querySelector('#f-Map').value.includes('elsewhere')")
		b.fill("Map", `{"won": "נסגרה עסקה", "Ünterwegs@x": 3}`)
		b.press("Replace the map")
		b.see("Saved.")
		b.see("Ünterwegs@x")
		if got := s.admin.get("/odata/StatusMaps/$count").want(200); string(got.body) != "2" {
			t.Errorf("%s statuses", got.body)
		}
		b.press("Undo")
		b.until("document.querySelector('#statuses table')?.innerText.includes('Closed - lost')")
		b.complaints()
	})
}

// TestConsolePulls has a system read that cannot report by itself.
func TestConsolePulls(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		crm := listen(t, nil)
		p := s.join(t, "Carmel Loans", "feedback:write")
		s.admin.post("/odata/Connectors", map[string]any{
			"Code": "shop", "Name": "A shop", "Method": "GET", "Format": "query", "URL": "{URL}",
			"Settings": []map[string]any{{"Name": "URL", "Type": "url", "Required": true}, {"Name": "Token", "Type": "secret", "Required": true}},
			"Headers":  []map[string]any{{"Name": "X-Token", "Value": "{Token}"}},
			"Reading":  map[string]any{"URL": "{URL}/orders", "Items": "orders", "ExternalID": "Item/id", "Status": "Item/state", "OccurredAt": "Item/at"},
		}).want(201)
		b.open("/console/customers/" + p.id + "/feedback")
		b.press("New reading")
		b.press("A shop")
		b.see("Settings of A shop")
		b.fill("Name", "Shop")
		b.press("Create")
		b.see("Please fill this in")
		b.fill("Settings/URL", crm.url)
		b.fill("Settings/Token", "a secret token")
		b.press("Create")
		b.at("/console/pulls/1")
		b.see("Shop is created.")
		b.see("Paused")
		b.press("Test")
		b.until("document.querySelector('#pull-test')?.innerText.includes('Request')")
		if page := js[string](b, "document.documentElement.outerHTML"); strings.Contains(page, "a secret token") {
			t.Error("the page shows the secret")
		}
		b.fill("IntervalMinutes", "60")
		b.press("Save changes")
		b.see("Saved.")
		b.press("Activate")
		b.see("It is active and reads now.")
		eventually(t, 15*time.Second, "it is read", func() bool { return s.admin.get("/odata/Pulls(1)").want(200).at("LastRunAt") != nil })
		b.press("Read now")
		b.see("It reads now.")
		b.press("Pause")
		b.see("It is paused.")
		if got := s.admin.get("/odata/Pulls(1)").want(200); got.text("State") != "paused" || got.text("IntervalMinutes") != "60" {
			t.Errorf("%s", got.body)
		}
		b.press("Delete")
		b.fill("confirm", "Shop")
		b.press("Delete the reading")
		b.see("Shop is deleted.")
		b.complaints()
	})
}
