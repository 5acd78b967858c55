package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// refusals fails for what the browser complained of, but for the answers to forms
// with errors.
func (b *browser) refusals() {
	b.t.Helper()
	for _, trouble := range b.complaints() {
		if !strings.Contains(trouble, "422") {
			b.t.Error(trouble)
		}
	}
}

// names are the first names that a list shows, with commas between.
func (b *browser) names(n string) string {
	b.t.Helper()
	return js[string](b, "[...document.querySelectorAll('.row-link')].slice(0, "+n+").map(e => e.innerText.trim()).join()")
}

// TestConsoleReasons makes, orders, retires and deletes reasons as people do.
func TestConsoleReasons(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.press("Settings")
		b.at("/console/settings/reasons")
		first := b.names("3")
		b.press("New reason")
		b.press("Create the reason")
		b.see("Please fill this in")
		b.fill("Names[he]", "מספר שגוי")
		b.fill("AddLanguage", "not a code!")
		b.fill("AddName", "Faux numéro")
		b.press("Create the reason")
		b.until("document.querySelector('#e-AddLanguage')") // beside the language that was added
		b.fill("AddLanguage", "fr")
		b.fill("Name", "Wrong number")
		b.press("Create the reason")
		b.at("/console/settings/reasons")
		b.see("Wrong number is created. Its ID is 101.")
		b.see("Faux numéro · מספר שגוי")
		made := s.admin.get("/odata/FeedbackReasons(101)").want(200)
		if made.text("Names", "fr") != "Faux numéro" || made.at("Active") != true {
			t.Errorf("made %s", made.body)
		}

		names := strings.Split(first, ",")
		b.until("document.querySelector('#down-1')")
		js[any](b, "document.querySelector('#down-1').focus()")
		b.keys(kb.Enter)
		b.until("document.querySelector('.row-link').innerText.trim() === " + quote(names[1]))
		b.until("document.activeElement.id === 'down-1'") // so that it goes on by keyboard
		b.keys(kb.Enter)
		b.until("[...document.querySelectorAll('.row-link')][2].innerText.trim() === " + quote(names[0]))
		// Dragging the last to the top.
		js[any](b, `(() => {
			const rows = [...document.querySelectorAll("[data-reason]")], data = new DataTransfer();
			const fire = (e, name, y) => e.dispatchEvent(new DragEvent(name, {bubbles: true, cancelable: true, dataTransfer: data, clientY: y}));
			const last = rows.at(-1), top = rows[0];
			fire(last, "dragstart", 0);
			fire(top, "dragover", top.getBoundingClientRect().top + 1);
			fire(last, "drop", 0);
			fire(last, "dragend", 0);
		})()`)
		eventually(t, 15*time.Second, "it is the first", func() bool {
			return s.admin.get("/odata/FeedbackReasons?$orderby=Position&$top=1").want(200).text("value", 0, "ID") == "101"
		})
		b.open("/console/settings/reasons")
		if got := b.names("1"); got != "Wrong number" {
			t.Errorf("the first is %s", got)
		}

		b.press("Wrong number")
		b.at("/console/settings/reasons/101")
		b.press("Retire")
		b.see("Wrong number is retired")
		b.press("Undo")
		b.see("Wrong number is in use again.")
		b.press("Delete")
		b.fill("confirm", "Wrong number")
		b.press("Delete for good")
		b.see("Wrong number is deleted.")
		s.admin.get("/odata/FeedbackReasons(101)").want(404)

		p := s.join(t, "Carmel")
		s.admin.post("/odata/StatusMaps", map[string]any{"CustomerID": number(p.id), "Status": "sold", "ReasonID": 7}).want(201)
		b.open("/console/settings/reasons/7")
		b.see("it cannot be deleted")
		b.fill("Names[he]", "נמכר סופית")
		b.press("Save changes")
		b.see("Saved.")
		b.press("Undo")
		b.until("document.querySelector('[name=\"Names[he]\"]').value !== 'נמכר סופית'")
		b.refusals()
	})
}

// TestConsoleUsers makes a user whose password is shown once, who then signs in,
// is put into a group, gets another password, and is let in no more.
func TestConsoleUsers(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.open("/console/settings/users")
		b.press("New user")
		b.fill("Name", "Noa")
		b.press("Create the user")
		b.see("Please fill this in")
		b.fill("Email", "noa@example.com")
		b.press("Create the user")
		b.see("The password of noa@example.com")
		password := js[string](b, "document.querySelector('[data-secret]').innerText")
		noa := newBrowser(t, s.base, "en")
		noa.signIn("noa@example.com", password)
		noa.open("/console/settings/reasons")
		if tabs := js[string](noa, "[...document.querySelectorAll('.tabs a')].map(e => e.innerText).join()"); tabs != "Feedback reasons,Connectors,Notices,Privacy" {
			t.Errorf("a viewer sees %s", tabs)
		}
		noa.open("/console/settings/users")
		noa.see("This needs the role admin")

		b.open("/console/settings/groups")
		b.see("No groups yet")
		b.press("New group")
		b.fill("Name", "North")
		b.press("Create the group")
		b.at("/console/settings/groups/1")
		js[any](b, "document.querySelector('[name=UserID]').value = '2'")
		b.press("Add")
		b.see("Added to the group.")
		b.press("Remove noa@example.com")
		b.see("Removed from the group.")
		b.press("Undo")
		b.until("document.querySelector('[aria-label^=Remove]')")
		b.press("noa@example.com")
		b.at("/console/settings/users/2")
		b.see("North")

		b.press("Reset the password")
		b.until("document.querySelector('dialog[open]')")
		js[any](b, "document.querySelector('dialog[open] .danger').click()")
		b.see("It is shown this once.")
		if again := js[string](b, "document.querySelector('[data-secret]').innerText"); again == password {
			t.Error("the password is the same")
		}
		noa.open("/console/customers")
		noa.until("location.pathname === '/console/signin'")
		b.open("/console/settings/users/2")
		js[any](b, "document.querySelector('[name=Role]').value = 'manager'")
		js[any](b, "document.querySelector('[name=Active]').click()")
		b.press("Save changes")
		b.see("Cannot sign in")
		if got := s.admin.get("/odata/Users(2)").want(200); got.text("Role") != "manager" || got.at("Active") != false {
			t.Errorf("saved %s", got.body)
		}
		b.open("/console/settings/users/1")
		b.see("This is you.")
		if js[bool](b, "!!document.querySelector('[name=Role], [name=Active], [data-dialog]')") {
			t.Error("one is offered to lock oneself out")
		}
		b.open("/console/settings/groups/1")
		b.press("Delete")
		b.see("Its one member no longer sees")
		b.fill("confirm", "North")
		b.press("Delete for good")
		b.see("North is deleted.")
		noa.complaints()
		b.refusals()
	})
}

// TestConsoleAudit finds an event, reads what changed, and proves the trail, which
// then is tampered with.
func TestConsoleAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newBrowserStage(t, dir, dsn)
		b := newBrowser(t, s.base, "en")
		b.signIn(adminEmail, adminPassword)
		p := s.join(t, "Carmel Loans")
		s.admin.do("PATCH", "/odata/Customers("+p.id+")", map[string]any{"Name": "Carmel & Sons", "MaxPerMinute": 9}).want(200)
		b.open("/console/settings/audit")
		js[any](b, "(e => { e.value = 'Customer'; e.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector('[name=entity]'))")
		b.until("document.querySelectorAll('tbody tr').length === 2 && location.search.includes('entity=Customer')")
		b.press("Customer changed")
		b.see("Carmel & Sons")
		if got := js[string](b, "[...document.querySelectorAll('.change')].map(e => e.innerText.replace(/\\s+/g, ' ')).join('; ')"); !strings.Contains(got, "Name") ||
			!strings.Contains(got, "Carmel Loans") || !strings.Contains(got, "MaxPerMinute") {
			t.Errorf("the changes: %s", got)
		}
		b.press("Open")
		b.at("/console/customers/1")
		b.open("/console/settings/audit?q=nobody-of-this-name")
		b.see("Nothing found")
		b.open("/console/settings/audit?to=2020-01-01")
		b.see("Nothing found")
		b.open("/console/settings/audit")
		b.press("Verify")
		b.see("The trail is whole")
		tamper(t, beside(t, dir, dsn), "UPDATE audit_events SET actor_name = 'eve' WHERE id = 4")
		b.press("Verify")
		b.see("The trail is broken at event 4")
		b.refusals()
	})
}

// TestConsoleFeedbackFile looks at a file of feedback first, and then takes it in.
func TestConsoleFeedbackFile(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		b := newBrowser(t, s.base, "en")
		b.signIn(adminEmail, adminPassword)
		file := filepath.Join(t.TempDir(), "reports.csv")
		content := "RoutingID,ReasonID,Comment\n" + s.own + ",3,called\n" + s.own + ",99,no such reason\nnot-an-id,3,\n"
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		b.open("/console/settings/files")
		if !js[bool](b, "document.querySelector('[data-after]').disabled") {
			t.Error("a file can be taken in unseen")
		}
		b.do(chromedp.SetUploadFiles("#f-file", []string{file}))
		b.press("Look at it first")
		b.see("Nothing is taken in yet.")
		b.see("there is no reason 99")
		if n := string(s.admin.get("/odata/Feedback/$count").want(200).body); n != "0" {
			t.Errorf("looking at it stored %s reports", n)
		}
		b.press("Take it in")
		b.see("is taken in.")
		if n := string(s.admin.get("/odata/Feedback/$count").want(200).body); n != "1" {
			t.Errorf("%s reports", n)
		}
		b.press("Take it in") // again: it adds nothing
		b.until("[...document.querySelectorAll('.stat-value')].map(e => e.innerText).join() === '0,1,2'")
		b.open("/console/settings/files")
		b.press("Look at it first")
		b.see("choose a file first")
		b.refusals()
	})
}
