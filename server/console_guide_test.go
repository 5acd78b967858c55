package server

import (
	"encoding/json"
	"html"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// shellExample is an example of the guide for curl.
var shellExample = regexp.MustCompile(`(?s)<pre[^>]* data-shell="(\w+)">(.*?)</pre>`)

// TestGuideIsRight follows the guide that a customer is given to the letter: what
// is pasted into a shell does what the guide says of it.
func TestGuideIsRight(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newBrowserStage(t, dir, dsn)
		names := furnish(t, s)
		connection, key := s.connect(t, names["customer"], map[string]any{"Scopes": everyScope, "FeedbackFields": map[string]string{"RoutingID": "lead's ref"}})
		guide := s.admin.post("/odata/Connections("+connection+")/OfferGuide", nil).want(200).text("Token")
		s.admin.post("/odata/Customers("+names["customer"]+")/SetStatusMap", map[string]any{"Map": map[string]any{"נסגר \"בגדול\" o'clock": 7}}).want(200)
		routing := s.admin.get("/odata/Routings?$top=1&$filter=CustomerID eq "+names["customer"]).want(200).text("value", 0, "ID")
		for _, language := range []string{"en", "he"} {
			page := string(s.anyone.get("/guide/" + guide + "?language=" + language).want(200).body)
			script, order := "", []string{}
			for _, m := range shellExample.FindAllStringSubmatch(page, -1) {
				script += html.UnescapeString(m[2]) + "\necho; echo '=== '\n"
				order = append(order, m[1])
			}
			script = strings.NewReplacer("paste your key here", key, "paste a RoutingID here", routing).Replace(script)
			out, err := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script).Output()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, script, out)
			}
			got := map[string]string{}
			for i, text := range strings.Split(string(out), "\n=== \n")[:len(order)] {
				got[order[i]] = text
			}
			reason := map[string]string{"en": "No answer", "he": "לא ענה"}[language]
			for id, want := range map[string][]string{
				"setup": nil, "first": {reason}, "probe": {`"not_found"`, "\n404"}, "report": {`"ID"`, `"Comment"`}, "sale": {"1250.5", `"ILS"`},
				"status": {`"ReasonID":7`, "בגדול"}, "many": {`"Status":201`, `"Status":404`}, "webhook": {`{"ID":`}, "leads": {"נועה"}, "routings": {routing},
			} {
				text, there := got[id]
				for _, part := range want {
					there = there && strings.Contains(text, part)
				}
				if !there {
					t.Errorf("%s: %s gave %q, want %q", language, id, text, want)
				}
			}
			if len(got) != 10 {
				t.Errorf("examples: %v", order)
			}
			if strings.Contains(page, key) || strings.Contains(page, "ll_live_"+key[8:18]) {
				t.Error("the guide shows the key")
			}
		}
		for _, way := range [][2]string{{"Authorization", "Bearer " + key}, {"X-API-Key", key}} {
			s.anyone.with(way[0], way[1]).get("/odata/FeedbackReasons").want(200)
		}
	})
}

// TestGuideLink opens the guide by a link that ends.
func TestGuideLink(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newBrowserStage(t, dir, dsn)
		names := furnish(t, s)
		page := s.anyone.get("/guide/" + names["guide"]).want(200)
		wantHeader(page, "X-Robots-Tag", "noindex, nofollow, noarchive")
		wantHeader(page, "Referrer-Policy", "no-referrer")
		wantHeader(page, "Cache-Control", "no-store")
		for _, want := range []string{names["connection"], s.base + "/odata/", ">ref<", "נסגר - זכייה", "No answer"} {
			if !strings.Contains(string(page.body), want) {
				t.Errorf("the guide has no %s", want)
			}
		}
		for _, other := range []string{"Carmel Loans", "calls back", "לקוחות מאזור"} {
			if strings.Contains(string(page.body), other) {
				t.Errorf("the guide shows %s", other)
			}
		}
		var collection struct {
			Info     struct{ Schema string }
			Item     []struct{ Name string }
			Variable []struct{ Key, Value string }
		}
		body := s.anyone.get("/guide/" + names["guide"] + "/leadloop.postman_collection.json").want(200).body
		if err := json.Unmarshal(body, &collection); err != nil || !strings.Contains(collection.Info.Schema, "v2.1.0") || len(collection.Item) < 6 || collection.Variable[0].Value != s.base {
			t.Errorf("the collection: %v %s", err, body)
		}
		api := s.anyone.get("/guide/" + names["guide"] + "/leadloop.openapi.json").want(200)
		if api.text("openapi") != "3.1.0" || api.at("paths", "/odata/Feedback", "post") == nil || api.at("paths", "/odata/Leads") != nil {
			t.Errorf("OpenAPI: %s", api.body)
		}
		s.anyone.get("/guide/" + names["guide"] + "/other").want(404)
		unknown := s.anyone.get("/guide/" + strings.Repeat("A", 43)).want(404)
		s.anyone.get("/guide/x").want(404)

		link := s.admin.get("/odata/GuideLinks").want(200)
		if strings.Contains(string(link.body), names["guide"]) || strings.Contains(s.log.String(), names["guide"]) {
			t.Error("the token is kept, or logged")
		}
		s.admin.post("/odata/GuideLinks("+link.text("value", 0, "ID")+")/Revoke", nil).want(204)
		if ended := s.anyone.get("/guide/" + names["guide"]).want(404); string(ended.body) != string(unknown.body) {
			t.Error("a link that ended is told from one that never was")
		}
		s.anyone.get("/guide/" + names["guide"] + "/check").want(286)
		s.admin.post("/odata/Connections("+names["connection"]+")/OfferGuide", `{"Days":367}`).want(400)
	})
}

// TestConsoleGuide makes a link as staff do, and watches the customer's first calls
// come in, as the customer does.
func TestConsoleGuide(t *testing.T) {
	inBrowser(t, func(t *testing.T, s *stage, b *browser) {
		p := s.join(t, "Carmel Loans", "feedback:write")
		b.open("/console/customers/" + p.id + "/guide")
		b.fill("Days", "0")
		b.press("Make a link")
		b.see("From 1 to 366 days")
		b.fill("Days", "7")
		b.press("Make a link")
		b.see("This is the link")
		link := js[string](b, "document.querySelector('[data-secret]').innerText")
		path, ok := strings.CutPrefix(link, s.base)
		if !ok {
			t.Fatalf("the link is %s", link)
		}
		customer := newBrowser(t, s.base, "he")
		customer.open(path)
		customer.see("עדיין לא הגיעה קריאה")
		customer.press("English")
		customer.see("No call has arrived yet.")
		p.get("/odata/FeedbackReasons").want(200)
		customer.see("Test 1 has arrived")
		p.post("/odata/Feedback", `{"RoutingID":"00000000-0000-4000-8000-000000000000","ReasonID":1}`).want(404)
		customer.see("You are ready to report.")
		p.post("/odata/Feedback", `{"RoutingID":"x"}`).want(400)
		customer.see("Something in the last call was wrong")
		s.admin.post("/odata/Keys('"+p.key[8:18]+"')/Revoke", nil).want(204)
		p.get("/odata/FeedbackReasons").want(401)
		customer.see("a key that was revoked")
		if got := s.admin.get("/odata/Connections(" + p.connection + ")/LastCall()").want(200); got.text("Code") != "key_revoked" || got.text("Status") != "401" {
			t.Errorf("%s", got.body)
		}
		s.stop() // what was in memory is written
		s.start(t)
		if got := s.admin.get("/odata/Connections(" + p.connection + ")/LastCall()").want(200); got.text("Code") != "key_revoked" {
			t.Errorf("after a restart: %s", got.body)
		}
		if js[bool](customer, "[...document.querySelectorAll('[data-copy]')].some(e => !e.dataset.copy)") {
			t.Error("a button copies nothing")
		}
		customer.complaints()
		b.complaints()
	})
}
