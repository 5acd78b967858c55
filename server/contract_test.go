package server

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

// TestContract is what outside programs rely on, from the first sign-in to the
// feedback on a lead that was delivered.
func TestContract(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		added := command{
			dir: dir, stdin: adminPassword + "\n",
			args: []string{"user", "add", adminEmail, "--role", "admin", "--password-stdin", "--db", dsn},
		}.run(t)
		if added.status != 0 {
			t.Fatalf("user add: %+v", added)
		}
		s := &stage{dir: dir, dsn: dsn, path: server(t)}
		s.start(t, "--allow-networks", "127.0.0.0/8")
		s.admin = s.signIn(t, adminEmail, adminPassword)
		crm := listen(t, nil)
		key, connection := contractCustomer(s)
		contractRule(t, s, crm)
		lead, routing := contractLead(t, s, crm)
		contractFeedback(t, s, key, connection, routing)
		contractReads(s, lead, routing)
	})
}

func contractCustomer(s *stage) (key, connection string) {
	s.t.Helper()
	s.anyone.post("/auth/token", map[string]string{"email": adminEmail, "password": adminPassword}).want(200).
		is(s.base, `{"access_token": "<jwt>", "token_type": "Bearer", "expires_in": 900, "refresh_token": "<token>"}`)

	got := s.admin.post("/odata/Customers", `{"Name":"Acme"}`).want(201).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Customers/$entity", "@odata.etag": "W/\"1\"",
		"ID": 1, "Name": "Acme", "Description": "", "CreatedAt": "<time>", "MaxConcurrent": null, "MaxPerMinute": null, "Version": 1}`)
	wantHeader(got, "Location", s.base+"/odata/Customers(1)")
	wantHeader(got, "OData-Version", "4.01")

	got = s.admin.post("/odata/Connections", `{"CustomerID":1,"Name":"Acme CRM","Scopes":["feedback:write","leads:read"]}`).want(201).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Connections/$entity", "@odata.etag": "W/\"1\"",
		"ID": "<uuid>", "CustomerID": 1, "Name": "Acme CRM", "Description": "", "StartsAt": null, "EndsAt": null,
		"TimeZone": "Asia/Jerusalem", "StartsOn": null, "EndsOn": null,
		"Scopes": ["feedback:write", "leads:read"], "AllowedNetworks": [], "RequestsPerMinute": 1200,
		"FeedbackFields": {}, "AllowGet": false, "MaxFeedbackAge": null, "CreatedAt": "<time>", "Version": 1}`)
	connection = got.text("ID")
	wantHeader(got, "Location", s.base+"/odata/Connections("+connection+")")

	issued := s.admin.post("/odata/Connections("+connection+")/IssueKey", `{}`).want(200).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Leadloop.Issued", "ConnectionID": "<uuid>", "KeyID": "<keyid>", "Key": "<key>"}`)
	key = issued.text("Key")
	if !strings.HasPrefix(key, "ll_live_"+issued.text("KeyID")+"_") || issued.text("ConnectionID") != connection {
		s.t.Errorf("issued %s", issued.body)
	}
	return key, connection
}

func contractRule(t *testing.T, s *stage, crm *receiver) {
	t.Helper()
	webhook := s.admin.get("/odata/Connectors?$filter=Name eq 'Webhook, JSON'").want(200).text("value", 0, "ID")
	body := `{"CustomerID":1,"ConnectorID":` + webhook + `,"Name":"All to Acme","Settings":{"URL":"` + crm.url + `"},
		"Condition":"City eq 'Haifa' and Budget gt 1000","Priority":10,
		"Mapping":[{"Target":"ref","Source":"RoutingID"},{"Target":"full_name","Source":"concat(FirstName,concat(' ',LastName))"},
			{"Target":"tel","Source":"Phone"},{"Target":"origin","Source":"UtmSource","Default":"unknown"}]}`
	s.admin.post("/odata/Rules", body).want(201).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Rules/$entity", "@odata.etag": "W/\"1\"",
		"ID": 1, "CustomerID": 1, "ConnectorID": `+webhook+`, "Name": "All to Acme", "Settings": {"URL": "`+crm.url+`"},
		"Condition": "City eq 'Haifa' and Budget gt 1000", "Priority": 10, "Mapping": [
			{"Target": "ref", "Source": "RoutingID", "Default": null, "Required": false, "Field": "", "Values": {}, "Format": "", "TimeZone": ""},
			{"Target": "full_name", "Source": "concat(FirstName,concat(' ',LastName))", "Default": null, "Required": false, "Field": "", "Values": {}, "Format": "", "TimeZone": ""},
			{"Target": "tel", "Source": "Phone", "Default": null, "Required": false, "Field": "", "Values": {}, "Format": "", "TimeZone": ""},
			{"Target": "origin", "Source": "UtmSource", "Default": "unknown", "Required": false, "Field": "", "Values": {}, "Format": "", "TimeZone": ""}],
		"Rotation": "weight", "Weight": 1, "CapDay": null, "CapWeek": null, "CapMonth": null, "CapTotal": null,
		"TimeZone": "Asia/Jerusalem", "Schedule": [], "IsDefault": false,
		"State": "draft", "Revision": 1, "TestedRevision": null, "ActiveRevision": null, "StartsAt": null, "EndsAt": null,
		"OwnerID": null, "Visibility": "all", "CreatedAt": "<time>",
		"Breaker": "closed", "BreakerUntil": null, "FailingSince": null, "PauseReason": null, "Version": 1}`)

	s.admin.post("/odata/Rules(1)/Test", `{}`).want(200).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Leadloop.TestResult", "Succeeded": true, "StatusCode": 200, "DurationMs": "<int>",
		"Request": "<text>", "Response": "<text>", "Error": "", "Outcome": "accepted", "Body": "<text>", "ExternalID": null, "ExternalLink": null}`)
	if test := crm.next(t, time.Second); test.header.Get("X-Leadloop-Test") != "1" {
		t.Errorf("the test's header: %v", test.header)
	}
	if got := s.admin.post("/odata/Rules(1)/Activate", `{}`).want(200); got.at("State") != "active" {
		t.Errorf("activated: %s", got.body)
	}
}

func contractLead(t *testing.T, s *stage, crm *receiver) (lead, routing string) {
	t.Helper()
	token := s.admin.post("/odata/Sources", `{"Name":"Site form","Kind":"json"}`).want(201).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Sources/$entity", "@odata.etag": "W/\"1\"", "ID": 1, "Name": "Site form", "Kind": "json",
		"Token": "<token>", "Settings": {}, "Mapping": [], "Region": "IL", "MaxRoutings": 1,
		"DuplicateWindow": "", "DuplicateBy": "", "DuplicateAcross": false, "RouteDuplicates": false,
		"Checks": [], "Honeypot": "", "FillTimeField": "", "MinFillSeconds": 0, "PerAddress": 0, "MaskAfterDays": null, "DropAfterDays": null, "AttemptsDays": 90,
		"OnwardConnectorID": null, "OnwardSettings": {}, "OnwardMapping": [], "OnwardBreaker": "closed", "OnwardBreakerUntil": null, "OnwardFailingSince": null,
		"Enabled": true, "OldTokenUntil": null, "CreatedAt": "<time>", "Version": 1}`).text("Token")

	sent := time.Now()
	lead = s.anyone.post("/intake/"+token, `{"FirstName":"נועה","LastName":"לוי","Phone":"050-1234567","City":"Haifa","Budget":5000}`).
		want(201).is(s.base, `{"id": "<uuid>"}`).text("id")
	got := crm.next(t, 5*time.Second)
	if took := got.at.Sub(sent); took > time.Second && !detectsRaces() {
		t.Errorf("delivery took %v", took)
	}
	routing = s.admin.get("/odata/Leads("+lead+")/Routings").want(200).text("value", 0, "ID")
	if want := `{"ref":"` + routing + `","full_name":"נועה לוי","tel":"+972501234567","origin":"unknown"}`; strings.TrimSpace(got.body) != want {
		t.Errorf("delivered %s, want %s", got.body, want)
	}
	for name, want := range map[string]string{"Webhook-Id": routing, "Content-Type": "application/json", "X-Leadloop-Test": ""} {
		if h := got.header.Get(name); h != want {
			t.Errorf("%s: %q, want %q", name, h, want)
		}
	}
	eventually(t, 5*time.Second, "the routing is delivered", func() bool {
		return s.admin.get("/odata/Routings("+routing+")").want(200).at("State") == "delivered"
	})
	return lead, routing
}

// contractFeedback reports once by each way of sending the key.
func contractFeedback(t *testing.T, s *stage, key, connection, routing string) {
	t.Helper()
	c := s.anyone.with("X-API-Key", key)
	got := c.post("/odata/Feedback", `{"RoutingID":"`+routing+`","ReasonID":3,"Comment":"לא ענה"}`).want(201).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Feedback/$entity", "ID": "<uuid>", "RoutingID": "`+routing+`", "ReasonID": 3, "Comment": "לא ענה",
		"OccurredAt": null, "ReceivedAt": "<time>", "ExternalID": null, "ExternalLink": null, "Owner": null, "Amount": null, "Currency": null,
		"ConnectionID": "`+connection+`", "Status": null, "ReturnState": null, "ReturnComment": null, "ReturnDecidedAt": null}`)
	wantHeader(got, "Location", s.base+"/odata/Feedback("+got.text("ID")+")")
	c.get(strings.TrimPrefix(got.header.Get("Location"), s.base)).want(200)

	basic := base64.StdEncoding.EncodeToString([]byte(connection + ":" + key))
	for _, way := range []string{"Bearer " + key, "Basic " + basic} {
		s.anyone.with("Authorization", way).post("/odata/Feedback", `{"RoutingID":"`+routing+`","ReasonID":4}`).want(201)
	}
	// One that is about an earlier time than the others does not become the current one.
	c.post("/odata/Feedback", `{"RoutingID":"`+routing+`","ReasonID":1,"OccurredAt":"2024-05-06T07:08:09Z"}`).want(201)
}

func contractReads(s *stage, lead, routing string) {
	s.t.Helper()
	s.admin.get("/odata/Leads?$filter=Budget gt 1000&$select=FirstName,City,Budget&$count=true").want(200).is(s.base, `{
		"@odata.context": "%BASE%/odata/$metadata#Leads(FirstName,City,Budget)", "@odata.count": 1,
		"value": [{"@odata.id": "<id>", "@odata.etag": "<etag>", "FirstName": "נועה", "City": "Haifa", "Budget": 5000}]}`)

	got := s.admin.get("/odata/Routings(" + routing + ")?$expand=Lead,Feedback($expand=Reason)").want(200)
	for _, tt := range []struct {
		path []any
		want string
	}{
		{[]any{"ID"}, routing},
		{[]any{"State"}, "delivered"},
		{[]any{"AttemptCount"}, "1"},
		{[]any{"ReasonID"}, "4"},
		{[]any{"Lead", "ID"}, lead},
		{[]any{"Lead", "PhoneRaw"}, "050-1234567"},
		{[]any{"Lead", "Budget"}, "5000"},
		{[]any{"Lead", "State"}, "routed"},
		{[]any{"Lead", "ReasonID"}, "4"},
		{[]any{"Feedback", 0, "Comment"}, "לא ענה"},
		{[]any{"Feedback", 0, "Reason", "Name"}, "No answer"},
		{[]any{"Feedback", 0, "Reason", "Names", "he"}, "לא ענה"},
	} {
		if text := got.text(tt.path...); text != tt.want {
			s.t.Errorf("%v is %s, want %s", tt.path, text, tt.want)
		}
	}
	if list := got.at("Feedback").([]any); len(list) != 4 {
		s.t.Errorf("%d reports, want 4", len(list))
	}

	reasons := s.admin.get("/odata/FeedbackReasons").want(200)
	if list := reasons.at("value").([]any); len(list) != 12 || reasons.text("value", 2, "Name") != "No answer" {
		s.t.Errorf("reasons: %s", reasons.body)
	}
}

func wantHeader(a answer, name, want string) {
	a.t.Helper()
	if got := a.header.Get(name); got != want {
		a.t.Errorf("%s: the header %s is %q, want %q", a.request, name, got, want)
	}
}

// TestDeliveryIsRetried sees a receiver fail and come back: each try has the
// same webhook-id, and what was sent and answered is on record.
func TestDeliveryIsRetried(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm, failures := failing(t)
		acme := s.join(t, "Acme")
		s.rule(t, acme.id, crm.url, nil)
		crm.next(t, time.Second)
		failures.Store(1)

		token := s.source(t, "json", nil)
		s.anyone.post(token, `{"FirstName":"Dana","Phone":"052-7654321"}`).want(201)
		first := crm.next(t, 5*time.Second)
		second := crm.next(t, 10*time.Second)
		if first.header.Get("Webhook-Id") == "" || first.header.Get("Webhook-Id") != second.header.Get("Webhook-Id") || first.body != second.body {
			t.Errorf("sent %+v and then %+v", first, second)
		}
		if wait := second.at.Sub(first.at); wait < 4*time.Second {
			t.Errorf("sent again after %v", wait)
		}
		routing := first.header.Get("Webhook-Id")
		eventually(t, 5*time.Second, "the routing is delivered", func() bool {
			return s.admin.get("/odata/Routings("+routing+")").at("State") == "delivered"
		})
		got := s.admin.get("/odata/Routings(" + routing + ")/Attempts?$orderby=ID&$select=Outcome,StatusCode").want(200)
		if got.text("value", 0, "Outcome") != "retry" || got.text("value", 0, "StatusCode") != "503" || got.text("value", 1, "Outcome") != "accepted" {
			t.Errorf("attempts: %s", got.body)
		}
	})
}
