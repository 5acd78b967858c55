package server

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
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
		b.until("document.querySelector('#mapping-error').innerText === ''")
		b.press("Save and test")
		b.see("Their system is in trouble (status 500)")
		b.see("the database is away")
		b.at("/console/rules/1")
		b.until("document.querySelector('h1').innerText === 'Haifa leads'")
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

// TestConsoleRuleByKeyboard fills in, tests and activates a rule without a mouse.
func TestConsoleRuleByKeyboard(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		crm := listen(t, nil)
		s.join(t, "Carmel Loans")
		s.anyone.post(s.source(t, "json", nil), map[string]any{"FirstName": "Dana", "City": "Haifa", "Budget": 5000}).want(201)
		b.open("/console/customers/1/rules")
		b.tabTo(".add-rule")
		b.keys(kb.Enter)
		b.at("/console/customers/1/rules/new")
		b.until("document.activeElement.name === 'Name'")
		b.keys("By keyboard")
		b.tabTo("[name=ConnectorID]")
		b.keys("Webhook, JSON")
		b.until("document.querySelector('[name=\"Settings/URL\"]')")
		b.tabTo("[name='Settings/URL']")
		b.keys(crm.url)
		b.tabTo("details.more > summary")
		b.keys(kb.Enter)
		b.tabTo("[name='Settings/Authentication']")
		b.keys("bearer")
		b.tabTo("[name='Settings/Token']")
		b.keys("hush hush")

		b.tabTo("#add-condition")
		b.keys(kb.Enter)
		b.until("document.activeElement.name === 'cond-property'")
		b.keys("Budget")
		b.tabTo("[name=cond-operator]")
		b.keys("is at least")
		b.tabTo("[name=cond-value]")
		b.keys("1000")
		b.tabTo("#add-condition")
		b.keys(kb.Enter)
		b.until("document.activeElement.name === 'cond-property'")
		b.keys("City")
		b.tabTo(".condition-row:last-child [data-remove]")
		b.keys(kb.Enter)
		b.until("document.activeElement.matches('.condition-row [data-remove]') && document.querySelectorAll('.condition-row').length === 1")
		b.until("document.querySelector('#held')?.innerText === '1'")

		b.tabTo("[name='m-0-Target']")
		b.do(chromedp.KeyEvent(kb.ArrowDown, chromedp.KeyModifiers(chromedp.ModifierAlt))) // FirstName below LastName
		b.until("document.activeElement.name === 'm-0-Target' && document.querySelector('.mapping-row [name=m-row]').value === '1'")
		b.tabTo(".mapping-row:nth-child(3) [data-up]")
		b.keys(kb.Enter)
		b.until("document.querySelector('.mapping-row:nth-child(2) [name=m-row]').value === '2'")
		b.tabTo("#add-routing")
		b.keys(" ")
		b.until("document.activeElement.value === 'RoutingID'")
		b.keys("ref")
		b.tabTo("[name='CapDay']")
		b.keys("25")
		b.tabTo("#schedule")
		b.keys("In the hours")
		b.tabTo(".week input")
		b.keys(kb.ArrowDown, kb.ArrowRight, kb.ArrowRight, " ") // Monday, two o'clock
		for range 3 {
			b.do(chromedp.KeyEvent(kb.ArrowRight, chromedp.KeyModifiers(chromedp.ModifierShift)))
		}
		b.do(chromedp.KeyEvent(kb.ArrowDown, chromedp.KeyModifiers(chromedp.ModifierShift)))
		b.tabTo("[name=Priority]")
		b.keys(kb.ArrowDown)
		b.tabTo("[name=Visibility]")
		b.keys("The owner")
		b.tabTo("[name=viewer]")
		b.keys(" ")
		b.tabTo("#test")
		b.keys(kb.Enter)
		b.see("Their system took the test lead")
		if d := crm.next(t, 10*time.Second); d.header.Get("Authorization") != "Bearer hush hush" || !strings.HasPrefix(d.body, `{"LastName":"לוי","Phone":`) || !strings.Contains(d.body, `"ref":"`) {
			t.Errorf("sent %s %v", d.body, d.header)
		}
		b.until("!document.querySelector('#closed') && document.querySelector('#held')")
		b.until("document.querySelector('[name=\"Settings/Token\"]').value === '' && document.querySelector('[name=\"Settings/Token\"]').placeholder.startsWith('Kept')")
		b.tabTo("#activate-button")
		b.keys(kb.Enter)
		b.see("By keyboard is active.")
		rule := s.admin.get("/odata/Rules(1)?$expand=Viewers").want(200)
		for path, want := range map[string]string{
			"Condition": "Budget ge 1000", "CapDay": "25", "Priority": "99", "Visibility": "chosen", "State": "active",
		} {
			if got := rule.text(path); got != want {
				t.Errorf("%s is %s, want %s", path, got, want)
			}
		}
		if got := rule.text("Schedule", 0, "From") + " " + rule.text("Schedule", 0, "To") + " " + rule.text("Schedule", 1, "From") + rule.text("Schedule", 1, "Days", 0); got != "02:00 06:00 05:00Tue" {
			t.Errorf("the schedule is %s (%s)", got, rule.body)
		}
		if rule.text("Viewers", 0, "UserID") != "1" {
			t.Errorf("viewers: %s", rule.body)
		}
		// What is saved again as it is makes no new version, and keeps the secret.
		b.tabTo("#save")
		b.keys(kb.Enter)
		b.see("Saved.")
		if again := s.admin.get("/odata/Rules(1)").want(200); again.text("Revision") != "1" || again.text("Version") != rule.text("Version") {
			t.Errorf("saved again it is %s", again.body)
		}
	})
}

// TestConsoleCondition has rows and text follow each other, with errors under
// their character.
func TestConsoleCondition(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		crm := listen(t, nil)
		acme := s.join(t, "Acme")
		intake := s.source(t, "json", nil)
		for _, city := range []string{"חיפה", "עכו", "אילת"} {
			s.anyone.post(intake, map[string]any{"FirstName": "Dana", "City": city, "Rooms": 3}).want(201)
		}
		s.rule(t, acme.id, crm.url, map[string]any{"Name": "First", "Priority": 10, "Condition": "City eq 'עכו'"})
		s.admin.post("/odata/Rules", s.ruleFor(acme.id, crm.url, map[string]any{"Condition": "City eq 'חיפה' or Rooms gt 2"})).want(201)
		b.open("/console/rules/2")
		b.until("document.querySelectorAll('.condition-row').length === 2 && document.querySelector('#held')?.innerText === '3' && document.querySelector('#taken').innerText === '2'")
		b.see("1 goes there first")
		b.until("[...document.querySelectorAll('#condition-names option')].some(o => o.value === 'Rooms')")
		b.press("As text")
		b.fill("Condition", "City eq 'עכו' and Rooms eq 3")
		b.until("[...document.querySelectorAll('[name=cond-value]')].map(e => e.value).join() === 'עכו,3' && document.querySelector('#held').innerText === '1'")
		b.fill("Condition", "City eq 'עכו' and Wards eq null or Phone has 3")
		b.until("document.querySelector('.pointed mark')")
		b.see("This condition cannot be shown in rows.")
		if got := js[string](b, "document.querySelector('.pointed pre').innerText"); got != "City eq 'עכו' and Wards eq null or Phone has 3" {
			t.Errorf("the text shown is %s", got)
		}
		b.press("Save changes")
		b.until("document.querySelector('.pointed mark')?.innerText === 'P' && document.querySelector('[name=Condition]').value.endsWith('has 3')")
		b.fill("Condition", "City eq 'חיפה'")
		b.until("document.querySelectorAll('.condition-row').length === 1 && !document.querySelector('.pointed')")
		b.choose("cond-operator", "filled")
		b.until("document.querySelector('[name=Condition]').value === 'City ne null' && document.querySelector('[name=cond-value]').hidden")
		b.press("Save changes")
		b.see("Saved.")
		if got := s.admin.get("/odata/Rules(2)").want(200).text("Condition"); got != "City ne null" {
			t.Errorf("saved as %s", got)
		}
		b.fill("m-1-Source", "concat(FirstName")
		b.fill("Weight", "0")
		b.press("Save changes")
		b.see("At least 1")
		b.fill("Weight", "2")
		b.press("Save changes")
		b.until("document.querySelector('.mapping-row:nth-child(2) .pointed') && document.querySelector('[name=\"m-1-Source\"]').value === 'concat(FirstName'")
		b.complaints()
	})
}

// TestConsoleRuleViewer shows a rule to who may not change it.
func TestConsoleRuleViewer(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, _ *browser) {
		crm := listen(t, nil)
		acme := s.join(t, "Acme")
		s.rule(t, acme.id, crm.url, map[string]any{"Settings": map[string]any{"URL": crm.url, "Authentication": "bearer", "Token": "hush"}})
		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": adminPassword}).want(201)
		b := newBrowser(t, s.base, "en")
		b.signIn("viewer@example.com", adminPassword)
		for _, path := range []string{"/console/customers/1/rules", "/console/rules/1"} {
			b.open(path)
			if got := js[string](b, "[...document.querySelectorAll('main button:enabled, main a.button, main .add-rule')].map(e => e.innerText || e.ariaLabel).join()"); got != "" {
				t.Errorf("a viewer sees at %s the buttons %s", path, got)
			}
		}
		if got := js[string](b, "document.documentElement.outerHTML"); strings.Contains(got, "hush") || strings.Contains(got, "sealed:") {
			t.Error("the page has the secret")
		}
		for path, want := range map[string]int{"/console/rules/1": 403, "/console/rules/1/pause": 403, "/console/rules/live": 403, "/console/customers/1/rules/new": 403, "/console/rules/999": 404} {
			if got := js[int](b, `fetch(`+quote(path)+`, {method: "POST", body: new URLSearchParams({rule: "1", Version: "1", Name: "x", Priority: "1", Weight: "1"})}).then(r => r.status)`); got != want {
				t.Errorf("%s: %d", path, got)
			}
		}
		b.complaints()
	})
}

// TestConsoleRuleByMouse drags an entry of the mapping and paints hours.
func TestConsoleRuleByMouse(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		acme := s.join(t, "Acme")
		s.admin.post("/odata/Rules", s.ruleFor(acme.id, listen(t, nil).url, map[string]any{
			"Schedule": []map[string]any{{"Days": []string{"Fri"}, "From": "08:00", "To": "12:00"}},
		})).want(201)
		drag := func(from, to string) {
			t.Helper()
			at := func(selector string) (x, y float64) {
				t.Helper()
				point := js[[]float64](b, "(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector("+quote(selector)+").getBoundingClientRect())")
				return point[0], point[1]
			}
			js[any](b, "document.querySelector("+quote(from)+").scrollIntoView({block: 'center'})")
			x0, y0 := at(from)
			x, y := at(to)
			for _, m := range []input.DispatchMouseEventParams{
				{Type: "mousePressed", X: x0, Y: y0, Button: "left", Buttons: 1, ClickCount: 1},
				{Type: "mouseMoved", X: (x + x0) / 2, Y: (y + y0) / 2, Button: "left", Buttons: 1},
				{Type: "mouseMoved", X: x, Y: y, Button: "left", Buttons: 1},
				{Type: "mouseReleased", X: x, Y: y, Button: "left", ClickCount: 1},
			} {
				b.do(protocol(input.DispatchMouseEvent, m))
			}
		}
		b.open("/console/rules/1")
		b.until("document.querySelector('#sample pre')?.innerText.indexOf('ref') < document.querySelector('#sample pre').innerText.indexOf('name')")
		drag(".mapping-row:nth-child(2) [data-grip]", ".mapping-row:nth-child(1) [data-grip]")
		b.until("document.querySelector('.mapping-row [name=m-row]').value === '1'")
		b.until("document.querySelector('#sample pre').innerText.indexOf('ref') > document.querySelector('#sample pre').innerText.indexOf('name')")
		drag(".week [value='1-9']", ".week [value='1-11']")
		b.until("document.querySelectorAll('.week input:checked').length === 7")
		drag(".week [value='5-11']", ".week [value='5-10']")
		b.until("document.querySelectorAll('.week input:checked').length === 5")
		b.press("Save changes")
		b.see("Saved.")
		rule := s.admin.get("/odata/Rules(1)").want(200)
		got := rule.text("Mapping", 0, "Target")
		for i := range 2 {
			got += " " + rule.text("Schedule", i, "Days", 0) + " " + rule.text("Schedule", i, "From") + "-" + rule.text("Schedule", i, "To")
		}
		if got != "name Mon 09:00-12:00 Fri 08:00-10:00" {
			t.Errorf("%s", got)
		}
	})
}
