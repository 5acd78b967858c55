package server

import (
	"strings"
	"testing"
	"time"
)

func TestExplainPage(t *testing.T) {
	t.Parallel()
	runPage(t, "routing.md", "Why did this lead go where it went")
}

// TestExplain has a lead say where it went, to those who may ask.
func TestExplain(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme, other := s.join(t, "Acme", "leads:read"), s.join(t, "Other", "leads:read")
		s.rule(t, acme.id, crm.url, map[string]any{"Name": "All", "Priority": 10, "Settings": map[string]any{"URL": crm.url + "/?key=hush-hush"}})
		rich := s.rule(t, other.id, crm.url, map[string]any{"Name": "Rich", "Priority": 5, "Condition": "Budget gt 1000 and not (City eq 'חיפה')"})
		for range 2 {
			crm.next(t, time.Second)
		}
		lead := s.anyone.post(s.source(t, "json", nil), `{"FirstName":"דנה","City":"חיפה","Budget":5000}`).want(201).text("id")
		explain := "/odata/Leads(" + lead + ")/Explain()"

		got := s.admin.get(explain).want(200)
		if got.text("Code") != "decided" || got.text("Decisions", 0, "Verdicts", 0, "Code") != "chosen" || got.text("Decisions", 0, "Verdicts", 0, "Customer") != "Acme" {
			t.Fatalf("%s", got.body)
		}
		if got.text("Decisions", 0, "Verdicts", 1, "Reason") != "the condition is not true: City eq 'חיפה' is true (City is 'חיפה')" {
			t.Errorf("%s", got.body)
		}
		part, _ := got.at("Decisions", 0, "Verdicts", 1, "Parts", 0).(map[string]any)
		if part["Text"] != "City eq 'חיפה'" || part["Value"] != true || part["Wanted"] != false {
			t.Errorf("%v", part)
		}
		if got.text("Decisions", 0, "Verdicts", 1, "Parts", 0, "Position") != "25" || got.text("Decisions", 0, "Verdicts", 1, "Parts", 0, "Values", 0, "Value") != "חיפה" {
			t.Errorf("%s", got.body)
		}
		one := s.admin.get("/odata/Leads(" + lead + ")/Leadloop.Explain(RuleID=" + rich + ")").want(200)
		if one.text("Decisions", 0, "Verdicts", 0, "Rule") != "Rich" || strings.Contains(string(one.body), "chosen") {
			t.Errorf("%s", one.body)
		}

		// A viewer reads it, and no secret in it; customers do not, their own leads or not.
		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Name": "V", "Role": "viewer", "Password": adminPassword, "Active": true}).want(201)
		viewer := s.signIn(t, "viewer@example.com", adminPassword)
		if got := viewer.get(explain).want(200); strings.Contains(string(got.body), "hush") {
			t.Errorf("%s", got.body)
		}
		viewer.post("/odata/Rules("+rich+")/Preview", nil).want(403)
		acme.get(explain).want(403)
		other.get(explain).want(404)
		acme.post("/odata/Rules("+rich+")/Preview", nil).want(403)
		s.anyone.get(explain).want(401)
		s.admin.get("/odata/Leads(01990000-0000-7000-8000-000000000000)/Explain()").want(404)
		s.admin.post(explain, nil).want(405)
	})
}

// TestPreview has a rule say what it would do before it does it.
func TestPreview(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme, other := s.join(t, "Acme"), s.join(t, "Other")
		s.rule(t, other.id, crm.url, map[string]any{"Name": "Haifa", "Priority": 10, "Condition": "City eq 'Haifa'"})
		intake := s.source(t, "json", nil)
		for _, body := range []string{`{"FirstName":"A","City":"Haifa","Budget":2000}`, `{"FirstName":"B","City":"Acre","Budget":2000}`, `{"FirstName":"C","City":"Acre","Budget":10}`} {
			s.anyone.post(intake, body).want(201)
		}
		eventually(t, 5*time.Second, "the lead that has a customer is delivered", func() bool {
			return strings.TrimPrefix(string(s.admin.get("/odata/Attempts/$count").want(200).body), "\ufeff") == "1"
		})
		before := s.counts()
		draft := s.admin.post("/odata/Rules", s.ruleFor(acme.id, crm.url, map[string]any{
			"Condition": "Budget ge 1000", "Mapping": []map[string]any{{"Target": "ref", "Source": "RoutingID"}, {"Target": "name", "Source": "FirstName"}, {"Target": "rooms", "Source": "Rooms", "Required": true}},
		})).want(201).text("ID")
		preview := "/odata/Rules(" + draft + ")/Preview"

		got := s.admin.post(preview, map[string]any{"Last": 100}).want(200)
		if got.text("Leads") != "3" || got.text("Held") != "2" || got.text("Taken") != "1" || got.text("Rivals", 0, "Rule") != "Haifa" || got.text("Rivals", 0, "Ahead") != "1" {
			t.Errorf("%s", got.body)
		}
		if got.text("Parts", 0, "Name") != "Budget ge 1000" || got.text("Missing", 0, "Name") != "rooms" || got.text("Missing", 0, "Leads") != "2" {
			t.Errorf("%s", got.body)
		}
		got = s.admin.post(preview, map[string]any{"Sample": map[string]any{"FirstName": "D", "Budget": 1500, "Rooms": 3}}).want(200)
		if got.at("Examples", 0, "Takes") != true || !strings.Contains(got.text("Examples", 0, "Body"), `"name":"D","rooms":3}`) {
			t.Errorf("%s", got.body)
		}
		got = s.admin.post(preview, nil).want(200)
		if got.at("Examples", 0, "Takes") != false || got.text("Examples", 0, "Verdict", "Code") != "condition_false" {
			t.Errorf("%s", got.body)
		}
		s.admin.post(preview, map[string]any{"Last": 5, "Sample": map[string]any{}}).want(400)
		s.admin.post(preview, map[string]any{"Last": 1001}).want(400)
		s.admin.post(preview, map[string]any{"Sample": map[string]any{"State": "new"}}).want(400)
		s.admin.do("DELETE", "/odata/Rules("+draft+")", nil).want(204)
		if after := s.counts(); after != before {
			t.Errorf("a preview changed something:\n%s\nbefore:\n%s", after, before)
		}
	})
}
