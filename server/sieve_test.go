package server

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestSieve keeps out what a source does not want, and shows it to staff.
func TestSieve(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme := s.join(t, "Acme", "leads:read")
		s.rule(t, acme.id, crm.url, nil)
		crm.next(t, time.Second) // the rule's test
		intake := s.source(t, "form", map[string]any{
			"Checks":   []map[string]any{{"Property": "Phone", "Required": true}, {"Property": "City", "Values": []string{"חיפה", "עכו"}}},
			"Honeypot": "website", "DuplicateWindow": "P30D",
		})
		form := s.anyone.with("Content-Type", "application/x-www-form-urlencoded")
		send := func(fields ...string) answer {
			t.Helper()
			v := url.Values{}
			for i := 0; i < len(fields); i += 2 {
				v.Set(fields[i], fields[i+1])
			}
			return form.post(intake, v.Encode())
		}
		first := send("שם", "נועה לוי", "טלפון", "050-1234567", "עיר", "חיפה").want(201).text("id")
		crm.next(t, 5*time.Second)
		send("שם", "נועה", "טלפון", "12", "עיר", "אילת").want(400).is("", `{"error": {"code": "invalid", "target": "Phone", "message": "Phone is not a phone number",
			"details": [{"code": "invalid", "target": "Phone", "message": "Phone is not a phone number"}, {"code": "invalid", "target": "City", "message": "City must be one of: חיפה, עכו"}]}}`)
		spam := send("שם", "Bot", "טלפון", "054-7654321", "website", "http://spam.example").want(201).text("id")
		s.admin.get("/odata/Leads(" + spam + ")").want(404)
		again := send("שם", "נועה", "טלפון", "+972 50 1234567").want(201).text("id")
		got := s.admin.get("/odata/Leads(" + again + ")?$select=State,DuplicateOfID&$expand=Routings($select=ID),DuplicateOf($select=FirstName)").want(200)
		if got.text("State") != "duplicate" || got.text("DuplicateOfID") != first || got.text("DuplicateOf", "FirstName") != "נועה" || len(got.at("Routings").([]any)) != 0 {
			t.Errorf("the duplicate: %s", got.body)
		}

		got = s.admin.get("/odata/Sources(1)/Rejections?$orderby=ID&$select=Number,Code,Target,Reason,Body,ReceivedAt").want(200)
		if list := got.at("value").([]any); len(list) != 2 || got.text("value", 0, "Code") != "invalid" || got.text("value", 0, "Target") != "Phone" ||
			got.text("value", 1, "Code") != "spam" || got.text("value", 1, "Number") != "2" || got.text("value", 1, "Target") != "website" {
			t.Errorf("rejections: %s", got.body)
		}
		if body := got.text("value", 1, "Body"); strings.Contains(body, "7654321") || !strings.Contains(body, "***21") {
			t.Errorf("not masked: %s", body)
		}
		if n := s.admin.get("/odata/Rejections/$count?$filter=Code eq 'spam' and Source/Name eq 'Source of form'").want(200); string(n.body) != "1" {
			t.Errorf("%s rejections for spam", n.body)
		}
		acme.get("/odata/Rejections").want(403)
		acme.get("/odata/Leads?$expand=Source").want(403)
		s.anyone.get("/odata/Rejections").want(401)
		s.admin.post("/odata/Rejections", map[string]any{"SourceID": 1}).want(405)
		s.admin.do("DELETE", "/odata/Rejections(1)", nil).want(405)
	})
}

func TestRateAndFillTime(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		intake := s.source(t, "json", map[string]any{"PerAddress": 2, "FillTimeField": "shown", "MinFillSeconds": 3})
		body := func(ago time.Duration) string {
			return fmt.Sprintf(`{"FirstName":"Dana","shown":%d}`, time.Now().Add(-ago).Unix())
		}
		id := s.anyone.post(intake, body(time.Minute)).want(201).text("id")
		lead := s.admin.get("/odata/Leads(" + id + ")").want(200)
		if lead.at("shown") != nil {
			t.Errorf("the time was kept: %s", lead.body)
		}
		fast := s.anyone.post(intake, body(0)).want(201).text("id")
		s.admin.get("/odata/Leads(" + fast + ")").want(404)
		limited := s.anyone.post(intake, body(time.Minute)).want(429)
		if after := limited.header.Get("Retry-After"); after == "" || after == "0" || limited.text("error", "code") != "rate_limited" {
			t.Errorf("Retry-After %q: %s", after, limited.body)
		}
		if n := s.admin.get("/odata/Leads/$count").body; string(n) != "1" {
			t.Errorf("%s leads", n)
		}
		s.admin.do("PATCH", "/odata/Sources(1)", `{"PerAddress":0}`).want(200)
		s.anyone.post(intake, `{"FirstName":"Dana"}`).want(400).is("", `{"error": {"code": "invalid", "target": "shown", "message": "shown, the time when the form was shown, is missing"}}`)
	})
}

func TestRotateIntakeToken(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		lead := `{"FirstName":"Dana"}`
		first := s.source(t, "json", nil)
		rotate := func(body any) answer { return s.admin.post("/odata/Sources(1)/RotateToken", body) }
		got := rotate(map[string]any{"OverlapHours": 2}).want(200)
		second := "/intake/" + got.text("Token")
		if second == first || got.at("OldTokenUntil") == nil {
			t.Errorf("rotated: %s", got.body)
		}
		s.anyone.post(first, lead).want(201)
		s.anyone.post(second, lead).want(201)
		third := "/intake/" + rotate(nil).want(200).text("Token")
		s.anyone.post(first, lead).want(404)
		s.anyone.post(second, lead).want(404)
		s.anyone.post(third, lead).want(201)
		if got := s.admin.get("/odata/Sources(1)").want(200).text("Token"); !strings.HasPrefix(got, "sealed:") {
			t.Errorf("a read shows the token %s", got)
		}
		if got := "/intake/" + s.admin.get("/odata/Sources(1)/IntakeToken()").want(200).text("value"); got != third {
			t.Errorf("the token is %s, not %s", got, third)
		}
		bad := rotate(map[string]any{"OverlapHours": 9999999999}).want(400)
		if bad.text("error", "target") != "OverlapHours" {
			t.Errorf("refused with %s", bad.body)
		}
		rotate(map[string]any{"OverlapHours": -1}).want(400)
		s.admin.post("/odata/Users", map[string]any{"Email": "viewer@example.com", "Role": "viewer", "Password": "a long password"}).want(201)
		viewer := s.signIn(t, "viewer@example.com", "a long password")
		viewer.post("/odata/Sources(1)/RotateToken", nil).want(403)
		viewer.get("/odata/Sources(1)/IntakeToken()").want(403)
		viewer.get("/odata/Sources(1)/Rejections").want(200)
		if strings.Contains(string(viewer.get("/odata/Sources(1)").want(200).body), "Token\"") {
			t.Error("a viewer sees the token")
		}
	})
}

func TestRefusedSources(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		for _, test := range []struct{ property, value, target string }{
			{"Checks", `[{"Property":"City","Pattern":"("}]`, "Checks/0/Pattern"},
			{"Checks", `[{"Property":"State","Required":true}]`, "Checks/0/Property"},
			{"Checks", `[{"Property":"City","Format":"zip"}]`, "Checks[0].Format"},
			{"DuplicateWindow", `"a month"`, "DuplicateWindow"},
			{"DuplicateBy", `"name"`, "DuplicateBy"},
			{"MinFillSeconds", `3`, "FillTimeField"},
			{"PerAddress", `-1`, "PerAddress"},
		} {
			before := s.counts()
			got := s.admin.post("/odata/Sources", fmt.Sprintf(`{"Name":"x","Kind":"json","%s":%s}`, test.property, test.value)).want(400)
			if got.text("error", "target") != test.target || s.counts() != before {
				t.Errorf("%s: %s", test.property, got.body)
			}
		}
	})
}
