package server

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/store"
)

// ownRecord are the changes that the audit trail leaves to the leads, routings
// and feedback themselves.
var ownRecord = []string{
	"post /Leads", "patch /Leads({ID})", "post /Leads({ID})/Route", "post /Feedback",
	"post /Routings({ID})/Resend", "post /ResendRoutings", "post /Onwards({ID})/Resend", "post /Sources({ID})/TestOnward", "post /Resends({ID})/Cancel", "post /Rules({ID})/Preview", "post /PreviewDraft",
	"post /SubmitFeedback", "post /Pulls({ID})/Test", "post /Pulls({ID})/Run", "post /Sources({ID})/SendTestLead",
	// What one sees a list by is one's own.
	"post /SavedViews", "patch /SavedViews({ID})", "delete /SavedViews({ID})",
}

// auditedElsewhere are changes that need more than a step; TestAuditOfAReturn and
// TestCloseBreaker look for their events.
var auditedElsewhere = []string{"post /Feedback({ID})/DecideReturn", "post /Rules({ID})/CloseBreaker"}

// auditStep is one change by staff and the event it leaves.
type auditStep struct {
	operation     string // as the OpenAPI document has it
	key, body     string
	entity        string
	action        string // the operation's unless given
	before, after string // JSON; "…" as a value stands for any
}

// auditSteps are all changes that staff can make, but for ownRecord.
func auditSteps(crm string) []auditStep {
	return []auditStep{
		{"post /Customers", "", `{"Name":"Acme"}`, "Customer", "create", `{}`, `{"ID":1,"Name":"Acme","Description":"","CreatedAt":"…"}`},
		{"patch /Customers({ID})", "1", `{"Description":"<b>","MaxPerMinute":5}`, "Customer", "update", `{"Description":""}`, `{"Description":"<b>","MaxPerMinute":5}`},
		{"post /Connections", "", `{"CustomerID":1,"Name":"CRM","Scopes":["leads:read","feedback:write"]}`, "Connection", "create", `{}`, `{
			"ID":"…","CustomerID":1,"Name":"CRM","Description":"","Scopes":["leads:read","feedback:write"],"AllowedNetworks":[],"AllowGet":false,
			"FeedbackFields":{},"RequestsPerMinute":1200,"TimeZone":"Asia/Jerusalem","CreatedAt":"…"}`},
		{"patch /Connections({ID})", "connection", `{"EndsAt":"2030-01-01T00:00:00Z"}`, "Connection", "update", `{}`, `{"EndsAt":"2030-01-01T00:00:00Z"}`},
		{"post /Connections({ID})/IssueKey", "connection", ``, "Key", "", `{}`, `{"ID":"…","ConnectionID":"…","Hash":"***","Scopes":[],"CreatedAt":"…"}`},
		{"post /Keys('{ID}')/Rotate", "key", ``, "Key", "", `{"…":"…","Hash":"***"}`, `{"…":"…","Hash":"***"}`},
		{"post /Keys('{ID}')/Revoke", "key", ``, "Key", "", `{}`, `{"RevokedAt":"…"}`},
		{"post /Connections({ID})/OfferGuide", "connection", `{"Days":3}`, "GuideLink", "", `{}`, `{"…":"…","ConnectionID":"…","Hash":"***"}`},
		{"post /GuideLinks({ID})/Revoke", "1", ``, "GuideLink", "", `{}`, `{"RevokedAt":"…"}`},
		{"post /Sources", "", `{"Name":"Form","Kind":"meta","Settings":{"AppSecret":"secret-app","GraphURL":"http://a"}}`, "Source", "create", `{}`, `{
			"ID":1,"Name":"Form","Kind":"meta","Token":"***","TokenMAC":"***","Settings":{"AppSecret":"***","GraphURL":"http://a"},"Mapping":[],"Region":"IL",
			"MaxRoutings":1,"DuplicateWindow":"","DuplicateBy":"…","DuplicateAcross":false,"RouteDuplicates":false,"Checks":[],"Honeypot":"",
			"FillTimeField":"","MinFillSeconds":0,"PerAddress":0,"AttemptsDays":90,"OnwardBreaker":"closed","OnwardMapping":[],"OnwardSettings":{},"Enabled":true,"CreatedAt":"…"}`},
		{
			"patch /Sources({ID})", "1", `{"Settings":{"AppSecret":"secret-app-2","GraphURL":"http://a"}}`, "Source", "update",
			`{"Settings":{"AppSecret":"***"}}`, `{"Settings":{"AppSecret":"***"}}`,
		},
		{"post /Sources({ID})/RotateToken", "1", `{"OverlapHours":1}`, "Source", "", `{"Token":"***","TokenMAC":"***"}`, `{"Token":"***","TokenMAC":"***","OldTokenMAC":"***","OldTokenUntil":"…"}`},
		{"post /Connectors", "", `{"Code":"own","Name":"Own","Method":"POST","Format":"json","URL":"{URL}","Settings":[
			{"Name":"URL","Type":"url","Required":true},{"Name":"Key","Type":"secret"}]}`, "Connector", "create", `{}`, `{"…":"…","Name":"Own","Code":"own"}`},
		{"patch /Connectors({ID})", "connector", `{"Name":"Mine"}`, "Connector", "update", `{"Name":"Own"}`, `{"Name":"Mine"}`},
		{"post /Rules", "", `{"CustomerID":1,"ConnectorID":CONNECTOR,"Name":"Rule","Settings":{"URL":"` + crm + `","Key":"secret-setting"},
			"Mapping":[{"Target":"ref","Source":"RoutingID"}]}`, "Rule", "create", `{}`, `{"…":"…","Name":"Rule","Settings":{"URL":"` + crm + `","Key":"***"}}`},
		{"patch /Rules({ID})", "1", `{"Condition":"City eq 'Haifa'"}`, "Rule", "update", `{"Condition":"","Revision":1}`, `{"Condition":"City eq 'Haifa'","Revision":2}`},
		{"post /Rules({ID})/Test", "1", ``, "Rule", "", `{"State":"draft"}`, `{"State":"tested","TestedRevision":2}`},
		{"post /Rules({ID})/Activate", "1", ``, "Rule", "", `{"State":"tested"}`, `{"State":"active","ActiveRevision":2}`},
		{"post /Rules({ID})/Pause", "1", ``, "Rule", "", `{"State":"active"}`, `{"State":"paused"}`},
		{"post /RuleViewers", "", `{"RuleID":1,"UserID":1}`, "RuleViewer", "create", `{}`, `{"ID":1,"RuleID":1,"UserID":1}`},
		{"delete /RuleViewers({ID})", "1", ``, "RuleViewer", "delete", `{"ID":1,"RuleID":1,"UserID":1}`, `{}`},
		{"delete /Rules({ID})", "1", ``, "Rule", "delete", `{"…":"…","Name":"Rule","State":"paused"}`, `{}`},
		{"delete /Connectors({ID})", "connector", ``, "Connector", "delete", `{"…":"…","Name":"Mine"}`, `{}`},
		{"delete /Sources({ID})", "1", ``, "Source", "delete", `{"…":"…","Name":"Form","Token":"***","TokenMAC":"***","OldTokenMAC":"***"}`, `{}`},
		{"post /Connectors", "", `{"Code":"read","Name":"Read","Method":"GET","Format":"query","URL":"{URL}","Auth":{"Type":"bearer","Value":"{Key}"},
			"Settings":[{"Name":"URL","Type":"url","Required":true},{"Name":"Key","Type":"secret","Required":true}],
			"Reading":{"URL":"{URL}","Items":"value","RoutingID":"Item/ref","Status":"Item/state","OccurredAt":"Item/at"}}`, "Connector", "create", `{}`, `{"…":"…","Code":"read"}`},
		{
			"post /Pulls", "", `{"ConnectionID":"CONNECTION","ConnectorID":CONNECTOR,"Name":"Theirs","Settings":{"URL":"` + crm + `","Key":"secret-pull"}}`,
			"Pull", "create", `{}`, `{"…":"…","Name":"Theirs","State":"paused","Settings":{"URL":"` + crm + `","Key":"***"}}`,
		},
		{"patch /Pulls({ID})", "1", `{"IntervalMinutes":30}`, "Pull", "update", `{"IntervalMinutes":15}`, `{"IntervalMinutes":30}`},
		{"post /Pulls({ID})/Activate", "1", ``, "Pull", "", `{"State":"paused"}`, `{"State":"active"}`},
		{"post /Pulls({ID})/Pause", "1", ``, "Pull", "", `{"State":"active"}`, `{"State":"paused"}`},
		{"delete /Pulls({ID})", "1", ``, "Pull", "delete", `{"…":"…","Name":"Theirs"}`, `{}`},
		{"post /StatusMaps", "", `{"CustomerID":1,"Status":"נסגר","ReasonID":7}`, "StatusMap", "create", `{}`, `{
			"ID":1,"CustomerID":1,"Status":"נסגר","Folded":"***","ReasonID":7,"CreatedAt":"…"}`},
		{"patch /StatusMaps({ID})", "1", `{"ReasonID":3}`, "StatusMap", "update", `{"ReasonID":7}`, `{"ReasonID":3}`},
		{"post /Customers({ID})/SetStatusMap", "1", `{"Map":{"נסגר":3,"sold":7}}`, "Customer", "", `{"Map":{}}`, `{"Map":{"sold":7}}`},
		{"delete /StatusMaps({ID})", "1", ``, "StatusMap", "delete", `{"…":"…","Status":"נסגר","ReasonID":3}`, `{}`},
		{"post /Customers({ID})/SetStatusMap", "1", `{"Map":{}}`, "Customer", "", `{"Map":{"sold":7}}`, `{"Map":{}}`},
		{"delete /Connections({ID})", "connection", ``, "Connection", "delete", `{"…":"…","Name":"CRM","EndsAt":"2030-01-01T00:00:00Z"}`, `{}`},
		{"delete /Customers({ID})", "1", ``, "Customer", "delete", `{"…":"…","Name":"Acme","MaxPerMinute":5}`, `{}`},
		{"post /FeedbackReasons", "", `{"Name":"Fax","Category":"negative"}`, "FeedbackReason", "create", `{}`, `{"…":"…","Name":"Fax","Active":true}`},
		{"patch /FeedbackReasons({ID})", "reason", `{"Active":false}`, "FeedbackReason", "update", `{"Active":true}`, `{"Active":false}`},
		{"delete /FeedbackReasons({ID})", "reason", ``, "FeedbackReason", "delete", `{"…":"…","Name":"Fax","Active":false}`, `{}`},
		{"post /OrderReasons", "", `{"IDs":[2]}`, "FeedbackReason", "", `{"Order":"…"}`, `{"Order":"…"}`},
		{"post /RotateSigningKey", "", `{}`, "SigningKey", "", `{}`, `{"OthersEndAt":"…"}`},
		{"post /Leads({ID})/Erase", "lead", ``, "Lead", "", `{}`, `{"Rejections":0}`},
		{"post /ExportPerson", "", `{"Email":"dana@example.com"}`, "Person", "Export", `{}`, `{"Leads":[]}`},
		{"post /Users", "", `{"Email":"eve@example.com","Role":"viewer","Password":"secret password 1"}`, "User", "create", `{}`, `{
			"ID":2,"Email":"eve@example.com","Name":"","Role":"viewer","PasswordHash":"***","Active":true,"Language":"","TimeZone":"","CreatedAt":"…"}`},
		{"patch /Users({ID})", "2", `{"Password":"secret password 2"}`, "User", "update", `{"PasswordHash":"***"}`, `{"PasswordHash":"***"}`},
		{"patch /Users({ID})", "2", `{"Role":"manager"}`, "User", "update", `{"Role":"viewer"}`, `{"Role":"manager"}`},
		{"post /Groups", "", `{"Name":"North"}`, "Group", "create", `{}`, `{"ID":1,"Name":"North","Description":"","CreatedAt":"…"}`},
		{"patch /Groups({ID})", "1", `{"Name":"South"}`, "Group", "update", `{"Name":"North"}`, `{"Name":"South"}`},
		{"post /GroupMembers", "", `{"GroupID":1,"UserID":2}`, "GroupMember", "create", `{}`, `{"GroupID":1,"UserID":2}`},
		{"delete /GroupMembers(GroupID={GroupID},UserID={UserID})", "", ``, "GroupMember", "delete", `{"GroupID":1,"UserID":2}`, `{}`},
		{"delete /Groups({ID})", "1", ``, "Group", "delete", `{"…":"…","Name":"South"}`, `{}`},
		{"delete /Users({ID})", "2", ``, "User", "delete", `{"…":"…","Email":"eve@example.com","PasswordHash":"***"}`, `{}`},
	}
}

// TestAudit makes every change that staff can make over OData and looks for the
// one event that each leaves. What the service offers and this test does not make
// fails it.
func TestAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		steps := auditSteps(listen(t, nil).url)
		known := slices.Concat(ownRecord, auditedElsewhere)
		for _, step := range steps {
			known = append(known, step.operation)
		}
		for _, o := range s.changing(t) {
			if !slices.Contains(known, o) {
				t.Errorf("%s leaves an event, or does it not? Add it to auditSteps, or to ownRecord", o)
			}
		}
		keys := map[string]string{"lead": s.admin.post("/odata/Leads", `{"Email":"dana@example.com"}`).want(201).text("ID")}
		secrets := []string{"secret-app", "secret-setting", "secret-pull", "secret password"}
		for _, step := range steps {
			secrets = append(secrets, s.audit(t, step, keys)...)
		}
		s.admin.post("/odata/Customers", `{"Name":""}`).want(400)
		s.admin.do("DELETE", "/odata/Customers(999)", nil).want(404)
		trail := s.admin.get("/odata/AuditEvents").want(200)
		if got := len(trail.at("value").([]any)); got != s.events() {
			t.Errorf("%d events, %d", got, s.events())
		}
		for _, secret := range secrets {
			if strings.Contains(string(trail.body), secret) {
				t.Errorf("the trail holds %s", secret)
			}
		}
		s.admin.get("/odata/AuditEvents?$filter=Entity eq 'Rule' and After/State eq 'active'&$count=true&$top=0").want(200).is(s.base,
			`{"@odata.context":"%BASE%/odata/$metadata#AuditEvents","@odata.count":1,"value":[]}`)
		s.admin.do("DELETE", "/odata/AuditEvents(1)", nil).want(405)
		s.admin.do("PATCH", "/odata/AuditEvents(1)", `{"Action":"x"}`).want(405)
		s.admin.post("/odata/AuditEvents", `{}`).want(405)
	})
}

// changing are the operations of the service that change something.
func (s *stage) changing(t *testing.T) (operations []string) {
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(s.admin.get("/odata/openapi.json").want(200).body, &doc); err != nil || len(doc.Paths) == 0 {
		t.Fatal(err)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			if slices.Contains([]string{"post", "patch", "put", "delete"}, method) && path != "/$batch" {
				operations = append(operations, method+" "+path)
			}
		}
	}
	return operations
}

// events is how many there are.
func (s *stage) events() int {
	n := 0
	fmt.Sscan(string(s.admin.get("/odata/AuditEvents/$count").want(200).body), &n)
	return n
}

// audit takes one step, and returns the secrets it was answered with. keys are
// the keys of what steps before made.
func (s *stage) audit(t *testing.T, step auditStep, keys map[string]string) (secrets []string) {
	t.Helper()
	method, path, _ := strings.Cut(step.operation, " ")
	key := step.key
	if keys[key] != "" {
		key = keys[key]
	}
	before := s.events()
	var body any
	if step.body != "" {
		body = strings.NewReplacer("CONNECTOR", keys["connector"], "CONNECTION", keys["connection"]).Replace(step.body)
	}
	got := s.admin.do(strings.ToUpper(method), "/odata"+strings.NewReplacer("{ID}", key, "{GroupID}", "1", "{UserID}", "2").Replace(path), body)
	if got.status >= 300 {
		t.Fatalf("%s: %d %s", step.operation, got.status, got.body)
	}
	if n := s.events() - before; n != 1 {
		t.Fatalf("%s: %d events", step.operation, n)
	}
	e := s.admin.get("/odata/AuditEvents?$orderby=ID desc&$top=1").want(200)
	action := step.action
	if action == "" {
		action = path[strings.LastIndex(path, "/")+1:]
	}
	for name, want := range map[string]string{
		"ActorKind": "staff", "ActorID": "1", "ActorName": adminEmail, "Through": "API", "RemoteAddress": "127.0.0.1",
		"Entity": step.entity, "Action": action,
	} {
		if e.text("value", 0, name) != want {
			t.Errorf("%s: %s is %q, want %q", step.operation, name, e.text("value", 0, name), want)
		}
	}
	switch last := e.text("value", 0, "Key"); step.operation {
	case "post /Connections":
		keys["connection"] = last
	case "post /Connections({ID})/IssueKey", "post /Keys('{ID}')/Rotate":
		keys["key"] = last
		secrets = append(secrets, got.text("Key"))
	case "post /Connections({ID})/OfferGuide":
		secrets = append(secrets, got.text("Token"))
	case "post /Connectors":
		keys["connector"] = last
	case "post /FeedbackReasons":
		keys["reason"] = last
	case "post /Sources", "post /Sources({ID})/RotateToken":
		secrets = append(secrets, got.text("Token"))
	default:
		if key != "" && last != key {
			t.Errorf("%s: the key is %s", step.operation, last)
		}
	}
	facts(t, step.operation+": before", step.before, e.at("value", 0, "Before"))
	facts(t, step.operation+": after", step.after, e.at("value", 0, "After"))
	return secrets
}

// facts compares; a value … stands for any, a name … for others besides.
func facts(t *testing.T, what, wanted string, got any) {
	t.Helper()
	var want map[string]any
	if err := json.Unmarshal([]byte(wanted), &want); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	var have map[string]any
	if err := json.Unmarshal(text, &have); err != nil {
		t.Fatal(err)
	}
	if _, open := want["…"]; open {
		delete(want, "…")
		for name := range have {
			if _, asked := want[name]; !asked {
				delete(have, name)
			}
		}
	}
	for name, v := range want {
		if _, there := have[name]; v == "…" && there {
			have[name] = v
		}
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s: %s", what, diff)
	}
}

// TestAuditOfAReturn is DecideReturn: the comment is the report's, and not the
// trail's.
func TestAuditOfAReturn(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		reason := s.admin.post("/odata/FeedbackReasons", `{"Name":"Wrong number","Category":"invalid","AsksForReturn":true}`).want(201).text("ID")
		report := s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":`+reason+`}`).want(201).text("ID")
		before := s.events()
		for range 2 { // the second decides the same
			s.admin.post("/odata/Feedback("+report+")/DecideReturn", `{"Approve":true,"Comment":"we called Dana"}`).want(200)
		}
		if n := s.events() - before; n != 1 {
			t.Fatalf("%d events", n)
		}
		e := s.admin.get("/odata/AuditEvents?$orderby=ID desc&$top=1").want(200)
		if e.text("value", 0, "Key") != report || strings.Contains(string(e.body), "Dana") {
			t.Errorf("the event: %s", e.body)
		}
		facts(t, "before", `{"ReturnState":"requested","CommentGiven":false}`, e.at("value", 0, "Before"))
		facts(t, "after", `{"ReturnState":"approved","CommentGiven":true}`, e.at("value", 0, "After"))
	})
}

// The hot path, and staff's work on leads, leave no event; managers and customers
// read none.
func TestNoAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		before := s.events()
		s.routingOf(s.anyone.post(s.intake, `{"FirstName":"Gal","City":"Acre"}`).want(201).text("id"))
		s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":3}`).want(201)
		lead := s.admin.post("/odata/Leads", `{"FirstName":"Ben"}`).want(201).text("ID")
		s.admin.do("PATCH", "/odata/Leads("+lead+")", `{"City":"Oz"}`).want(200)
		s.admin.post("/odata/Leads("+lead+")/Route", nil).want(200)
		s.anyone.post("/auth/token", map[string]string{"email": adminEmail, "password": adminPassword}).want(200)
		if after := s.events(); after != before {
			t.Errorf("%d events more", after-before)
		}
		s.acme.get("/odata/AuditEvents").want(403)
		s.admin.post("/odata/Users", `{"Email":"dan@example.com","Role":"manager","Password":"`+adminPassword+`"}`).want(201)
		s.signIn(t, "dan@example.com", adminPassword).get("/odata/AuditEvents").want(403)
	})
}

// A $batch whose change set fails leaves no event of what was undone.
func TestAuditOfABatch(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		before := s.events()
		batch := func(name string) answer {
			return s.admin.post("/odata/$batch", `{"requests":[
				{"id":"1","atomicityGroup":"g","method":"POST","url":"Customers","body":{"Name":"A"}},
				{"id":"2","atomicityGroup":"g","method":"POST","url":"Customers","body":{"Name":"`+name+`"}}]}`).want(200)
		}
		batch("")
		if n := s.events() - before; n != 0 {
			t.Errorf("%d events of a change set that failed", n)
		}
		batch("B")
		if n := s.events() - before; n != 2 {
			t.Errorf("%d events of a change set", n)
		}
	})
}

// TestAuditVerify is the command, on a trail that is whole and on one that is not.
func TestAuditVerify(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		run := func(args ...string) ended {
			return command{dir: dir, args: append(args, "--db", dsn)}.run(t)
		}
		run("user", "add", adminEmail, "--role", "admin")
		whole := run("audit", "verify")
		_, head, _ := strings.Cut(whole.out, "head: ")
		if whole.status != 0 || !strings.HasPrefix(whole.out, "the audit trail is whole: ") || head == "" {
			t.Fatalf("%+v", whole)
		}
		head = strings.TrimSpace(head)
		run("user", "passwd", adminEmail)
		if got := run("audit", "verify", "--head", head); got.status != 0 {
			t.Errorf("%+v", got)
		}
		if got := run("audit", "verify", "--head", "1:0"); got.status != 1 {
			t.Errorf("%+v", got)
		}
		db := beside(t, dir, dsn)
		var last store.AuditEvent
		if err := db.Read(background).Order("id DESC").Take(&last).Error; err != nil {
			t.Fatal(err)
		}
		if last.ActorKind != "system" || last.Through != store.CommandLine || last.ActorName == "" || last.Action != "SetPassword" || last.Entity != "User" {
			t.Errorf("%+v", last)
		}
		tamper(t, db, "DELETE FROM audit_events WHERE id = ?", last.ID)
		broken := run("audit", "verify")
		want := fmt.Sprintf("the audit trail is broken at event %d: it is missing", last.ID)
		if broken.status != 1 || !strings.Contains(broken.err, want) {
			t.Errorf("%+v", broken)
		}
	})
}

// beside opens the database of a stage as another program would that has its key.
func beside(t *testing.T, dir, dsn string) *store.DB {
	t.Helper()
	vault, err := database{DB: dsn, SecretKeyFile: filepath.Join(dir, "leadloop.key")}.vault()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(background, dsn, store.WithVault(vault))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// tamper changes the audit trail past its triggers.
func tamper(t *testing.T, db *store.DB, statement string, args ...any) {
	t.Helper()
	off := []string{"DROP TRIGGER audit_events_update", "DROP TRIGGER audit_events_delete"}
	if db.Dialect() == store.Postgres {
		off = []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL"}
	}
	err := db.Write(background, func(tx *gorm.DB) error {
		for _, sql := range off {
			if err := tx.Exec(sql).Error; err != nil {
				return err
			}
		}
		return tx.Exec(statement, args...).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}
