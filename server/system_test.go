package server

import (
	"strings"
	"testing"
)

// TestSystem is what the API tells of the server, to admins alone.
func TestSystem(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		got := s.admin.get("/odata/System()").want(200)
		if got.at("Trouble") != nil || len(got.text("DatabaseBytes")) < 4 || got.text("DatabaseVersion") == "" ||
			len(got.text("Schema")) < 2 || got.text("PendingMigrations") != "0" || got.text("Workers") == "0" {
			t.Errorf("the system: %s", got.body)
		}
		first := got.text("SigningKeys", 0, "ID")
		s.admin.post("/odata/RotateSigningKey", `{}`).want(204)
		keys := s.admin.get("/odata/System()").want(200)
		if keys.text("SigningKeys", 1, "ID") != first || keys.at("SigningKeys", 1, "EndsAt") == nil || keys.at("SigningKeys", 0, "EndsAt") != nil {
			t.Errorf("after a rotation: %s", keys.body)
		}
		seen := s.admin.get("/odata/LastSignIns()").want(200)
		if seen.text("value", 0, "UserID") != "1" || seen.at("value", 0, "At") == nil {
			t.Errorf("last sign-ins: %s", seen.body)
		}
		s.admin.post("/odata/Users", map[string]any{"Email": "manager@example.com", "Role": "manager", "Password": adminPassword}).want(201)
		manager := s.signIn(t, "manager@example.com", adminPassword)
		for _, path := range []string{"System()", "LastSignIns()", "VerifyAudit()"} {
			manager.get("/odata/" + path).want(403)
			s.anyone.get("/odata/" + path).want(401)
		}
		manager.post("/odata/RotateSigningKey", `{"AtOnce":true}`).want(403)
		if n := len(s.admin.get("/odata/LastSignIns()").want(200).at("value").([]any)); n != 2 {
			t.Errorf("%d last sign-ins", n)
		}
	})
}

// TestVerifyAuditOverOData proves a trail, from an earlier head too, and tells
// where it is broken.
func TestVerifyAuditOverOData(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		whole := s.admin.get("/odata/VerifyAudit()").want(200)
		head := whole.text("Head")
		if whole.at("Whole") != true || whole.text("Events") == "0" || whole.at("BrokenAt") != nil {
			t.Fatalf("%s", whole.body)
		}
		s.admin.post("/odata/Customers", `{"Name":"A"}`).want(201)
		if got := s.admin.get("/odata/VerifyAudit(Head='" + head + "')").want(200); got.at("Whole") != true {
			t.Errorf("from a head: %s", got.body)
		}
		past := strings.Replace(head, ":", ":00", 1)[:len(head)]
		if got := s.admin.get("/odata/VerifyAudit(Head='" + past + "')").want(200); got.at("Whole") != false {
			t.Errorf("from another head: %s", got.body)
		}
		s.admin.get("/odata/VerifyAudit(Head='x')").want(400)
		tamper(t, beside(t, dir, dsn), "UPDATE audit_events SET actor_name = 'eve' WHERE id = 3")
		if got := s.admin.get("/odata/VerifyAudit()").want(200); got.at("Whole") != false || got.text("BrokenAt") != "3" || got.text("Why") == "" {
			t.Errorf("broken: %s", got.body)
		}
		trail := func(args ...string) ended {
			return command{dir: dir, args: append(append([]string{"audit"}, args...), "--db", dsn)}.run(t)
		}
		if got := trail("verify"); got.status != 1 || !strings.Contains(got.err, "broken at event 3") || !strings.Contains(got.err, "audit seal") {
			t.Errorf("verify: %+v", got)
		}
		if got := trail("seal"); got.status != 2 {
			t.Errorf("without a note: %+v", got)
		}
		if got := trail("seal", "--note", "eve was here"); got.status != 0 || !strings.Contains(got.out, "broken at event 3") {
			t.Errorf("seal: %+v", got)
		}
		if got := trail("seal", "--note", "again"); got.status != 1 || !strings.Contains(got.err, "nothing to seal") {
			t.Errorf("seal again: %+v", got)
		}
		s.admin.post("/odata/Customers", `{"Name":"B"}`).want(201)
		if got := trail("verify"); got.status != 0 || !strings.Contains(got.out, "known: it was broken at event 3") || !strings.Contains(got.out, "eve was here") {
			t.Errorf("verify: %+v", got)
		}
		if got := s.admin.get("/odata/VerifyAudit()").want(200); got.at("Whole") != true || got.text("Seals", 0, "BrokenAt") != "3" || got.text("Seals", 0, "Note") != "eve was here" {
			t.Errorf("sealed: %s", got.body)
		}
		s.admin.get("/odata/AuditEvents?$filter=Action eq 'Seal'&$count=true&$top=0").want(200).is(s.base,
			`{"@odata.context":"%BASE%/odata/$metadata#AuditEvents","@odata.count":1,"value":[]}`)
	})
}

// TestOrderReasons puts reasons into order; those not named follow.
func TestOrderReasons(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		order := func() string {
			var ids []string
			for i := range s.admin.get("/odata/FeedbackReasons").want(200).at("value").([]any) {
				ids = append(ids, s.admin.get("/odata/FeedbackReasons?$orderby=Position,ID").want(200).text("value", i, "ID"))
			}
			return strings.Join(ids, ",")
		}
		if got := order(); got != "1,2,3,4,5,6,7,8,9,10,11,12" {
			t.Fatalf("as they come: %s", got)
		}
		s.admin.post("/odata/OrderReasons", `{"IDs":[7,3]}`).want(204)
		if got := order(); got != "7,3,1,2,4,5,6,8,9,10,11,12" {
			t.Errorf("in order: %s", got)
		}
		s.admin.post("/odata/OrderReasons", `{"IDs":[7,7]}`).want(400)
		s.admin.post("/odata/OrderReasons", `{"IDs":[99]}`).want(400)
		if got := order(); got != "7,3,1,2,4,5,6,8,9,10,11,12" {
			t.Errorf("after what was refused: %s", got)
		}
	})
}

// Nobody takes their own access away.
func TestNobodyLocksThemselvesOut(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		s.admin.post("/odata/Users", map[string]any{"Email": "second@example.com", "Role": "admin", "Password": adminPassword}).want(201)
		s.admin.do("PATCH", "/odata/Users(1)", `{"Role":"viewer"}`).want(409)
		s.admin.do("PATCH", "/odata/Users(1)", `{"Active":false}`).want(409)
		s.admin.do("DELETE", "/odata/Users(1)", nil).want(409)
		s.admin.do("PATCH", "/odata/Users(1)", `{"Name":"Dana"}`).want(200)
		s.signIn(t, "second@example.com", adminPassword).do("PATCH", "/odata/Users(1)", `{"Role":"viewer"}`).want(200)
	})
}
