package server

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

// TestConsoleToday follows a new installation to its first feedback, which Today
// shows with what needs a hand.
func TestConsoleToday(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.at("/console/today")
		b.see("Four steps to the first lead")
		b.until("document.querySelectorAll('.first-steps li.done').length === 0")
		intake := s.source(t, "json", map[string]any{"Name": "Web site"})
		p := s.join(t, "Carmel Loans", "feedback:write")
		b.open("/console/today")
		b.until("document.querySelectorAll('.first-steps li.done').length === 2")
		crm := listen(t, nil)
		s.rule(t, p.id, crm.url, map[string]any{"Name": "Haifa", "Condition": "City eq 'Haifa'"})
		s.anyone.post(intake, map[string]any{"FirstName": "Dana", "City": "Haifa"}).want(201)
		s.anyone.post(intake, map[string]any{"FirstName": "Avi", "City": "Eilat"}).want(201)
		crm.next(t, 10*time.Second) // the test
		crm.next(t, 10*time.Second)
		routing := s.admin.get("/odata/Routings").want(200).text("value", 0, "ID")
		p.post("/odata/Feedback", map[string]any{"RoutingID": routing, "ReasonID": 7}).want(201)
		p.post("/odata/Feedback", map[string]any{"RoutingID": routing, "ReasonID": 12, "Comment": "We had her already"}).want(201)
		p.post("/odata/Feedback", map[string]any{"RoutingID": routing, "Status": "Maybe"}).want(201)
		eventually(t, 15*time.Second, "the day is not counted", func() bool {
			count := func(filter string) string {
				return s.admin.get("/odata/Activity/$count?$filter=" + filter).want(200).text()
			}
			return count("Leads eq 2 and Unmatched eq 1") == "1" && count("Delivered eq 1") == "1" && count("Reports eq 3") == "1"
		})
		b.open("/console/today")
		b.until("[...document.querySelectorAll('.stat-value')].map(e => e.innerText).join() === '2,1,1,3'")
		b.see("1 lead went to nobody")
		b.see("“Maybe” from Carmel Loans is not mapped")
		b.until("document.querySelector('.chart svg[role=img]') && document.querySelectorAll('.chart details table tbody tr').length === 54")
		b.press("Carmel Loans asks to return a lead")
		b.see("We had her already")
		b.press("Approve the return")
		b.see("The return is approved.")
		b.open("/console/today")
		b.press("1 lead went to nobody")
		b.until("document.querySelectorAll('tbody tr').length === 1")
		b.press("Avi")
		b.see("No rule took it")
		b.see("Its condition is not true of this lead")
		b.see("City = Eilat")
	})
}

// TestConsoleLeads finds leads in every way the list has, keeps a view, and takes
// them out.
func TestConsoleLeads(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		b.open("/console/leads")
		b.see("No leads yet")
		intake := s.source(t, "json", map[string]any{"Name": "Web site"})
		for _, lead := range []map[string]any{
			{"FirstName": "Dana", "LastName": "Cohen", "Phone": "052-1234567", "City": "Haifa", "Budget": 500},
			{"FirstName": "=1+1", "LastName": "נועה", "Phone": "052-7654321", "City": "חיפה", "Budget": 2000},
			{"FirstName": "Avi", "City": "Eilat", "Budget": "3000", "Message": "two\nlines"},
		} {
			s.anyone.post(intake, lead).want(201)
		}
		rows := func(n string) {
			t.Helper()
			b.until("document.querySelectorAll('tbody tr').length === " + n)
		}
		b.open("/console/leads")
		rows("3")
		b.fill("q", "נועה")
		rows("1")
		b.until("location.search.includes('q=')")
		b.fill("q", kb.Backspace)
		rows("3")

		b.press("More filters")
		b.fill("p", "Budget")
		js[any](b, "document.querySelector('[name=op]').value = 'gt'")
		b.fill("v", "1000")
		b.keys(kb.Tab)
		b.until("location.search.includes('v=1000')")
		rows("2")
		b.open("/console/leads?p=Budget&op=eq&v=3000")
		rows("1")

		b.open("/console/leads")
		b.press("More filters")
		b.fill("filter", "City eq 'Haifa' nad Budget gt 1")
		b.keys(kb.Tab)
		b.until("document.querySelector('.wrong-at mark')?.innerText === 'n' && document.querySelector('.wrong-at').innerText === \"City eq 'Haifa' nad Budget gt 1\"")
		b.fill("filter", "City eq 'Haifa' and Budget gt 1")
		b.keys(kb.Tab)
		rows("1")

		b.press("Columns")
		b.press("City")
		b.fill("col", "Budget")
		js[any](b, "document.getElementById('f-col').focus()")
		b.press("Views")
		b.fill("name", "Haifa")
		b.press("Save the view")
		b.see("The view Haifa is saved.")
		b.until("location.search.includes('filter=')")
		b.open("/console/leads")
		b.press("Views")
		b.press("Haifa")
		rows("1")
		b.press("Views")
		b.press("Delete the view Haifa")
		b.see("The view Haifa is deleted.")
		b.press("Undo")
		b.see("The view Haifa is saved.")

		b.open("/console/leads?col=Name&col=Phone&col=City&col=Budget&col=Message")
		js[any](b, `window.files = []; URL.createObjectURL = f => { window.files.push(f); return "#" }; HTMLAnchorElement.prototype.click = new Proxy(HTMLAnchorElement.prototype.click, {apply: (f, e, a) => e.download ? null : f.apply(e, a)})`)
		b.press("Export")
		b.press("CSV")
		b.see("The export is finished.")
		text := js[string](b, "window.files[0].text()")
		got, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
		if err != nil || len(got) != 4 {
			t.Fatalf("%v: %q", err, text)
		}
		if row := strings.Join(got[2], "|"); row != "'=1+1 נועה|+972527654321|חיפה|2000|" {
			t.Errorf("exported %q", row)
		}
		if got[1][4] != "two\nlines" {
			t.Errorf("exported %q", got[1])
		}
		if got := s.admin.get("/odata/AuditEvents?$filter=Action eq 'Export' and Entity eq 'Lead'").want(200); got.text("value", 0, "After", "Format") != "csv" || got.text("value", 0, "ActorName") == "" {
			t.Errorf("the audit trail: %s", got.body)
		}
		b.complaints()
	})
}

// TestConsoleLeadsFile takes leads out as a workbook, without a script.
func TestConsoleLeadsFile(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newBrowserStage(t, dir, dsn)
		intake := s.source(t, "json", nil)
		for range 3 {
			s.anyone.post(intake, map[string]any{"FirstName": "<Dana> & Co", "City": "=cmd"}).want(201)
		}
		signIn, err := http.DefaultTransport.RoundTrip(form(t, s.base+"/console/signin", url.Values{"email": {adminEmail}, "password": {adminPassword}}))
		if err != nil {
			t.Fatal(err)
		}
		signIn.Body.Close()
		r := form(t, s.base+"/console/leads/export", url.Values{"format": {"xlsx"}, "query": {"col=Name&col=City"}})
		r.AddCookie(signIn.Cookies()[0])
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		file, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 200 || answer.Header.Get("X-Leads") != "3" {
			t.Fatalf("%d %v %s", answer.StatusCode, err, file)
		}
		book, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		sheet, err := book.Open("xl/worksheets/sheet1.xml")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(sheet)
		if err != nil || strings.Count(string(text), "<row>") != 4 || !strings.Contains(string(text), "&lt;Dana&gt; &amp; Co") || strings.Contains(string(text), "<f>") {
			t.Errorf("%v %s", err, text)
		}
	})
}

// form is a POST as a page of the console makes it.
func form(t *testing.T, address string, values url.Values) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// TestConsoleLead reads a lead's story, and changes it.
func TestConsoleLead(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		intake := s.source(t, "json", map[string]any{"Name": "Web site"})
		p := s.join(t, "Carmel Loans", "feedback:write")
		crm := listen(t, nil)
		s.rule(t, p.id, crm.url, map[string]any{"Name": "Everyone"})
		id := s.anyone.post(intake, map[string]any{"FirstName": "Dana", "Phone": "052-1234567", "Roof": "flat"}).want(201).text("id")
		crm.next(t, 10*time.Second)
		crm.next(t, 10*time.Second)
		routing := s.admin.get("/odata/Routings").want(200).text("value", 0, "ID")
		eventually(t, 10*time.Second, "it is not delivered", func() bool {
			return s.admin.get("/odata/Routings("+routing+")").want(200).text("State") == "delivered"
		})
		p.post("/odata/Feedback", map[string]any{"RoutingID": routing, "ReasonID": 7, "Comment": "Sold on Tuesday", "Amount": 1200, "Currency": "ILS"}).want(201)
		b.open("/console/leads/" + id)
		for _, text := range []string{"Came in from Web site", "Everyone", "Its condition holds", "Transmitted to Carmel Loans", "Feedback from Carmel Loans", "Sold on Tuesday", "₪1,200.00", "Roof", "flat"} {
			b.see(text)
		}
		b.press("As it came (application/json)")
		b.see(`"Roof":"flat"`)
		b.press("Request and response")
		b.until("document.querySelector('#drawer[open] pre')?.innerText.includes('POST')")
		b.keys(kb.Escape)
		b.press("Send again")
		b.see("It is in the queue again.")
		crm.next(t, 10*time.Second)
		b.press("Edit")
		b.fill("Email", "dana@example.com")
		b.press("Save changes")
		b.see("Saved.")
		b.see("dana@example.com")
		b.press("Undo")
		b.until("!document.body.innerText.includes('dana@example.com')")
		b.press("Route again")
		b.see("The rules were asked again.")
		b.press("Erase")
		b.until("document.querySelector('dialog[open] .danger').disabled")
		b.fill("confirm", "Dana")
		b.press("Erase for good")
		b.see("The personal data is erased.")
		b.until("!document.body.innerText.includes('Dana') && ![...document.querySelectorAll('main button')].some(e => e.innerText === 'Erase')")
		b.open("/console/leads/0198aaaa-0000-7000-8000-000000000000")
		b.see("This did not work")
		b.complaints()
	})
}
