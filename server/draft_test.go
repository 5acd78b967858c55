package server

import (
	"strings"
	"testing"
)

// TestPreviewDraftAction is what the API says of a rule that is not stored, of
// what one that is has used, and of who may own it.
func TestPreviewDraftAction(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme := s.join(t, "Acme", "routings:read")
		intake := s.source(t, "json", nil)
		for _, city := range []string{"Haifa", "Acre", "Haifa"} {
			s.anyone.post(intake, map[string]any{"FirstName": "Dana", "City": city}).want(201)
		}
		draft := func(more map[string]any) map[string]any {
			body := map[string]any{"CustomerID": number(acme.id), "ConnectorID": s.webhook, "Condition": "City eq 'Haifa'", "Mapping": []map[string]any{{"Target": "n", "Source": "FirstName"}}}
			for name, value := range more {
				body[name] = value
			}
			return body
		}
		got := s.admin.post("/odata/PreviewDraft", draft(map[string]any{"Last": 10})).want(200)
		if got.text("Leads")+got.text("Held")+got.text("Taken") != "322" || got.text("Examples", 0, "Body") != `{"n":"Dana"}` {
			t.Errorf("%s", got.body)
		}
		rule := s.rule(t, acme.id, crm.url, map[string]any{"Condition": "City eq 'Haifa'", "CapDay": 5})
		got = s.admin.post("/odata/PreviewDraft", draft(map[string]any{"RuleID": number(rule), "Condition": "City eq 'Acre'", "Last": 10})).want(200)
		if got.text("Taken") != "1" {
			t.Errorf("in the place of a rule: %s", got.body)
		}
		got = s.admin.post("/odata/PreviewDraft", draft(map[string]any{"Sample": map[string]any{"City": "Haifa", "FirstName": "Noa"}})).want(200)
		if got.text("Examples", 0, "Body") != `{"n":"Noa"}` || got.text("Examples", 0, "URL") != "https://example.com" {
			t.Errorf("a sample: %s", got.body)
		}
		for _, wrong := range []map[string]any{{"Last": 0}, {"Last": 5, "Sample": map[string]any{}}, {"Condition": "City eq"}, {"ConnectorID": 999}} {
			s.admin.post("/odata/PreviewDraft", draft(wrong)).want(400)
		}
		s.admin.post("/odata/PreviewDraft", draft(map[string]any{"RuleID": 999})).want(404)

		s.anyone.post(intake, map[string]any{"FirstName": "Noa", "City": "Haifa"}).want(201)
		if got := s.admin.get("/odata/Rules(" + rule + ")/Usage()").want(200); got.text("Day") != "1" || got.at("Week") != nil {
			t.Errorf("usage: %s", got.body)
		}
		if got := s.admin.get("/odata/Colleagues()").want(200); got.text("value", 0, "Name") != adminEmail {
			t.Errorf("colleagues: %s", got.body)
		}

		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": adminPassword}).want(201)
		viewer := s.signIn(t, "viewer@example.com", adminPassword)
		viewer.get("/odata/Colleagues()").want(403)
		viewer.post("/odata/PreviewDraft", draft(map[string]any{"Last": 1})).want(403)
		viewer.get("/odata/Rules(" + rule + ")/Usage()").want(200)
		for _, path := range []string{"Colleagues()", "Rules(" + rule + ")/Usage()"} {
			if got := acme.get("/odata/" + path); got.status < 400 || strings.Contains(string(got.body), "Day") {
				t.Errorf("a customer gets %d %s of %s", got.status, got.body, path)
			}
		}
		acme.post("/odata/PreviewDraft", draft(map[string]any{"Last": 1})).want(403)
	})
}
