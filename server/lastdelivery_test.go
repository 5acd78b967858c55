package server

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLastDelivery shows a manager what a source received, field by field.
func TestLastDelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		intake := s.source(t, "json", nil)
		s.admin.get("/odata/Sources(1)/LastDelivery()").want(404)
		s.anyone.post(intake, `{"given":"Noa","home":{"rooms":4},"עיר מגורים":"חיפה","likes":["sea","sun"]}`).want(201)
		s.admin.post("/odata/Sources(1)/SendTestLead", map[string]any{"Fields": map[string]any{"FirstName": "Test"}}).want(200)
		got := s.admin.get("/odata/Sources(1)/LastDelivery()").want(200)
		want := [][3]string{{"given", "given", "Noa"}, {"home.rooms", "home/rooms", "4"}, {"עיר מגורים", "עיר_מגורים", "חיפה"}, {"likes", "likes", "sea, sun"}}
		if n := len(got.at("Fields").([]any)); n != len(want) {
			t.Fatalf("%d fields: %s", n, got.body)
		}
		for i, w := range want {
			if f := [3]string{got.text("Fields", i, "Name"), got.text("Fields", i, "Expression"), got.text("Fields", i, "Value")}; f != w {
				t.Errorf("field %d is %v, want %v", i, f, w)
			}
		}
		if !strings.Contains(got.text("Body"), `"home":{"rooms":4}`) {
			t.Errorf("the body: %s", got.body)
		}

		// Of kinds that prove themselves it is read without the proof.
		ads := s.source(t, "google-ads", map[string]any{"Secret": "swordfish-7"})
		s.anyone.post(ads, `{"lead_id":"x","google_key":"swordfish-7","user_column_data":[{"column_id":"FULL_NAME","string_value":"Ori"}]}`).want(200)
		got = s.admin.get("/odata/Sources(2)/LastDelivery()").want(200)
		if strings.Contains(string(got.body), "swordfish") || !strings.Contains(string(got.body), "Ori") {
			t.Errorf("%s", got.body)
		}
		form := s.source(t, "form", nil)
		s.anyone.with("Content-Type", "application/x-www-form-urlencoded").post(form, "tel=050-1234567&tel=1").want(201)
		if got := s.admin.get("/odata/Sources(3)/LastDelivery()").want(200); got.text("Fields", 0, "Value") != "050-1234567, 1" {
			t.Errorf("%s", got.body)
		}

		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": adminPassword}).want(201)
		viewer := s.signIn(t, "viewer@example.com", adminPassword)
		viewer.get("/odata/Sources(1)/LastDelivery()").want(403)
		viewer.post("/odata/Sources(1)/SendTestLead", map[string]any{"Fields": map[string]any{"FirstName": "x"}}).want(403)
		s.join(t, "Acme", "leads:read").get("/odata/SourceKinds()").want(403)
		if got := viewer.get("/odata/SourceKinds()").want(200); !strings.Contains(string(got.body), `{"Name":"GraphURL","Type":"url","Secret":false}`) {
			t.Errorf("%s", got.body)
		}
	})
}

// TestSendTestLead takes a test lead in as any other, and tells where it would go.
func TestSendTestLead(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme, other := s.join(t, "Acme"), s.join(t, "Other")
		s.rule(t, acme.id, crm.url, map[string]any{"Name": "Haifa", "Condition": "City eq 'Haifa'"})
		s.rule(t, other.id, crm.url, map[string]any{"Name": "Rest", "Condition": "City ne 'Haifa'"})
		for range 2 {
			crm.next(t, time.Second) // the rules' tests
		}
		s.source(t, "form", map[string]any{
			"Mapping": []map[string]any{{"Target": "City", "Field": "town"}}, "FillTimeField": "shown", "MinFillSeconds": 5,
			"Checks": []map[string]any{{"Property": "Phone", "Required": true}},
		})
		send := func(fields map[string]any) answer {
			return s.admin.post("/odata/Sources(1)/SendTestLead", map[string]any{"Fields": fields})
		}
		got := send(map[string]any{"FirstName": "Noa", "Phone": "050-1234567", "town": "Haifa"}).want(200)
		if got.text("State") != "test" || got.text("Phone") != "+972501234567" || got.text("City") != "Haifa" || got.at("IsTest") != true {
			t.Errorf("%s", got.body)
		}
		e := s.admin.get("/odata/Leads(" + got.text("ID") + ")/Explain()").want(200)
		if e.text("Code") != "test" || e.text("Would", 0, "Rule") != "Haifa" || e.text("Would", 0, "Code") != "chosen" ||
			e.text("Would", 1, "Rule") != "Rest" || e.text("Would", 1, "Code") != "condition_false" {
			t.Errorf("%s", e.body)
		}
		if refused := send(map[string]any{"FirstName": "Noa"}).want(400); refused.text("error", "target") != "Phone" {
			t.Errorf("%s", refused.body)
		}
		if n := s.admin.get("/odata/Sources(1)/Rejections/$count").want(200); string(n.body) != "1" {
			t.Errorf("%s rejections", n.body)
		}
		s.admin.do("PATCH", "/odata/Sources(1)", map[string]any{"Mapping": []map[string]any{{"Target": "IsTest", "Default": "false"}}}).want(200)
		send(map[string]any{"FirstName": "Noa", "Phone": "050-1234567"}).want(400)
		s.admin.do("PATCH", "/odata/Sources(1)", map[string]any{"Enabled": false}).want(200)
		send(map[string]any{"Phone": "050-1234567"}).want(409)
		if n := s.admin.get("/odata/Routings/$count").want(200); string(n.body) != "0" {
			t.Errorf("test leads made %s routings", n.body)
		}
	})
}

// TestCloseBreaker has the routings sent that an open breaker keeps waiting.
func TestCloseBreaker(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		acme := s.join(t, "Acme")
		crm, left := failing(t)
		rule := s.rule(t, acme.id, crm.url, nil)
		s.admin.post("/odata/Rules("+rule+")/CloseBreaker", nil).want(409)
		left.Store(http.StatusOK) // of the next ones as many fail
		intake := s.source(t, "json", nil)
		for range 10 {
			s.anyone.post(intake, `{"FirstName":"Noa"}`).want(201)
		}
		eventually(t, 15*time.Second, "the breaker opens", func() bool {
			return s.admin.get("/odata/Rules("+rule+")").want(200).text("Breaker") == "open"
		})
		got := s.admin.post("/odata/Rules("+rule+")/CloseBreaker", nil).want(200)
		if got.text("Breaker") != "closed" || got.text("State") != "active" || got.at("BreakerUntil") != nil {
			t.Errorf("%s", got.body)
		}
		if n := string(s.admin.get("/odata/AuditEvents/$count?$filter=Action eq 'CloseBreaker' and Key eq '" + rule + "'").want(200).body); n != "1" {
			t.Errorf("%s events of it", n)
		}
	})
}
