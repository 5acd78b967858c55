package server

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

const googleKey = "swordfish-7"

// googleLead is a delivery as Google Ads makes it.
func googleLead(id, key string, test bool) map[string]any {
	return map[string]any{
		"lead_id": id, "api_version": "1.0", "form_id": 1, "campaign_id": 20711998877, "google_key": key, "is_test": test,
		"user_column_data": []map[string]any{
			{"column_id": "FULL_NAME", "string_value": "אורי שחר"},
			{"column_id": "PHONE_NUMBER", "string_value": "+972547654321"},
			{"column_id": "CITY", "string_value": "Haifa"},
			{"column_id": "מתי נוח?", "string_value": "בערב"},
		},
	}
}

func TestGoogleAdsIntake(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		s.rule(t, s.join(t, "Acme").id, crm.url, nil)
		crm.next(t, time.Second) // the rule's test
		intake := s.source(t, "google-ads", map[string]any{"Secret": googleKey})
		count := func() string { return string(s.admin.get("/odata/Leads/$count").want(200).body) }

		s.anyone.post(intake, googleLead("one", googleKey, false)).want(200).is(s.base, `{}`)
		crm.next(t, 5*time.Second)
		got := s.admin.get("/odata/Leads?$filter=ExternalID eq 'one'").want(200)
		if got.text("value", 0, "FirstName") != "אורי" || got.text("value", 0, "State") != "routed" || got.text("value", 0, "Campaign") != "20711998877" {
			t.Errorf("stored %s", got.body)
		}

		s.anyone.post(intake, googleLead("one", googleKey, false)).want(200).is(s.base, `{}`)
		s.anyone.post(intake, googleLead("two", googleKey, true)).want(200).is(s.base, `{}`)
		if n := count(); n != "2" {
			t.Errorf("%s leads, want 2", n)
		}
		got = s.admin.get("/odata/Leads?$filter=ExternalID eq 'two'&$expand=Routings").want(200)
		if got.at("value", 0, "IsTest") != true || got.text("value", 0, "State") != "test" || len(got.at("value", 0, "Routings").([]any)) != 0 {
			t.Errorf("the test lead: %s", got.body)
		}

		bad := s.anyone.post(intake, googleLead("three", "wrong", false)).want(401)
		if bad.text("error", "target") != "google_key" || strings.Contains(string(bad.body), "wrong") && strings.Contains(bad.text("error", "message"), "wrong") {
			t.Errorf("refused with %s", bad.body)
		}
		s.anyone.post(intake, `{"lead_id":`).want(400)
		if n := count(); n != "2" {
			t.Errorf("%s leads, want 2", n)
		}
		if strings.Contains(s.log.String(), googleKey) {
			t.Error("the google_key is in the log")
		}
	})
}

func TestFormIntake(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		s.rule(t, s.join(t, "Acme").id, crm.url, map[string]any{
			"Condition": "contains(City,'חיפה')",
			"Mapping": []map[string]any{
				{"Target": "ref", "Source": "RoutingID"}, {"Target": "שם", "Source": "concat(FirstName,concat(' ',LastName))"}, {"Target": "tel", "Source": "Phone"},
			},
		})
		crm.next(t, time.Second)
		intake := s.source(t, "form", nil)
		form := url.Values{"שם מלא": {"רות אלון"}, "טלפון": {"054-5550123"}, "עיר": {"חיפה"}, "סוג דירה": {"4 חדרים"}}
		id := s.anyone.with("Content-Type", "application/x-www-form-urlencoded").post(intake, form.Encode()).want(201).text("id")
		got := crm.next(t, 5*time.Second)
		if !strings.Contains(got.body, `"שם":"רות אלון","tel":"+972545550123"`) {
			t.Errorf("delivered %s", got.body)
		}
		lead := s.admin.get("/odata/Leads(" + id + ")").want(200)
		for name, want := range map[string]string{"FirstName": "רות", "City": "חיפה", "PhoneRaw": "054-5550123", "סוג דירה": "4 חדרים"} {
			if got := lead.text(name); got != want {
				t.Errorf("%s is %q, want %q", name, got, want)
			}
		}
		s.anyone.get(intake + "?שם=דנה&עיר=אילת").want(201) // by GET, as some forms do
		if n := s.admin.get("/odata/Leads/$count").body; string(n) != "2" {
			t.Errorf("%s leads, want 2", n)
		}
	})
}

func TestJSONIntake(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		intake := s.source(t, "json", nil)
		first := s.anyone.post(intake, `{"FirstName":"Dana","ExternalID":"x-1"}`).want(201).text("id")
		if again := s.anyone.post(intake, `{"FirstName":"Dana","ExternalID":"x-1"}`).want(200).text("id"); again != first {
			t.Errorf("the same lead again is %s, want %s", again, first)
		}
		many := s.anyone.post(intake, `[{"FirstName":"A"},{"FirstName":"B","utm":{"source":"news"}}]`).want(201)
		if ids, _ := many.at("ids").([]any); len(ids) != 2 {
			t.Errorf("two leads gave %s", many.body)
		}
		got := s.admin.get("/odata/Leads?$orderby=ReceivedAt,ID&$select=FirstName,State").want(200)
		if list := got.at("value").([]any); len(list) != 3 || got.text("value", 0, "State") != "unmatched" {
			t.Errorf("leads: %s", got.body)
		}

		s.admin.do("PATCH", "/odata/Sources(1)", `{"Enabled":false}`).want(200)
		off := s.anyone.post(intake, `{"FirstName":"C"}`).want(404)
		unknown := s.anyone.post("/intake/nosuchtoken000000000", `{"FirstName":"C"}`).want(404)
		if string(off.body) != string(unknown.body) {
			t.Errorf("a disabled source is told apart: %s and %s", off.body, unknown.body)
		}
	})
}
