package server

import (
	"strings"
	"testing"
	"time"
)

// refusal is a request that is refused: nothing is stored, and the answer says
// what is wrong and where.
type refusal struct {
	name         string
	by           client
	method, path string
	body         any
	status       int
	code         string
	message      string // part of it
	target       string
}

func (r refusal) run(t *testing.T, s *stage) {
	t.Run(r.name, func(t *testing.T) {
		before := s.counts()
		by := r.by
		by.t = t
		got := by.do(r.method, r.path, r.body)
		if got.status != r.status || got.text("error", "code") != r.code || !strings.Contains(got.text("error", "message"), r.message) {
			t.Errorf("%d %s, want %d %s: %s", got.status, got.body, r.status, r.code, r.message)
		}
		target, _ := got.at("error", "target").(string)
		if target != r.target {
			t.Errorf("target %q, want %q: %s", target, r.target, got.body)
		}
		if after := s.counts(); after != before {
			t.Errorf("something was stored:\n%s\nbefore:\n%s", after, before)
		}
	})
}

// refusalStage is a server with two customers, a lead that went to the second,
// and a reason that is no longer in use.
type refusalStage struct {
	*stage
	acme, other party
	intake      string
	foreign     string // RoutingID of other's
	own         string // RoutingID of acme's
	retired     string // ReasonID
	crm         *receiver
}

func newRefusalStage(t *testing.T, dir, dsn string) *refusalStage {
	s := &refusalStage{stage: newStage(t, dir, dsn), crm: listen(t, nil)}
	s.acme = s.join(t, "Acme", "feedback:write", "leads:read", "routings:read")
	s.other = s.join(t, "Other", "feedback:write", "leads:read", "routings:read")
	s.rule(t, s.acme.id, s.crm.url, map[string]any{"Condition": "City eq 'Acre'"})
	s.rule(t, s.other.id, s.crm.url, map[string]any{"Condition": "City eq 'Oz'"})
	s.intake = s.source(t, "json", nil)
	s.own = s.routingOf(s.anyone.post(s.intake, `{"FirstName":"Dana","City":"Acre"}`).want(201).text("id"))
	s.foreign = s.routingOf(s.anyone.post(s.intake, `{"FirstName":"Noa","City":"Oz"}`).want(201).text("id"))
	s.retired = s.admin.post("/odata/FeedbackReasons", `{"Name":"Fax sent","Category":"in_progress"}`).want(201).text("ID")
	s.admin.do("PATCH", "/odata/FeedbackReasons("+s.retired+")", `{"Active":false}`).want(200)
	return s
}

// routingOf waits until the lead's one routing is delivered and gives its ID.
func (s *stage) routingOf(lead string) (id string) {
	s.t.Helper()
	eventually(s.t, 10*time.Second, "the lead is delivered", func() bool {
		got := s.admin.get("/odata/Leads(" + lead + ")/Routings").want(200)
		id, _ = got.at("value", 0, "ID").(string)
		return got.at("value", 0, "State") == "delivered"
	})
	return id
}

func TestRefusals(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		for _, r := range s.odataRefusals() {
			r.run(t, s.stage)
		}
		for _, r := range s.ruleRefusals() {
			r.run(t, s.stage)
		}
		for _, r := range s.feedbackRefusals() {
			r.run(t, s.stage)
		}
		for _, r := range s.otherRefusals() {
			r.run(t, s.stage)
		}
		t.Run("unknown and foreign are alike", func(t *testing.T) {
			unknown := "01890000-0000-7000-8000-000000000000"
			for _, path := range []string{"/odata/Routings(%)", "/odata/Routings(%)/Lead", "/odata/Routings(%)/Feedback", "/odata/Routings(%)?$expand=Lead"} {
				a := s.acme.get(strings.ReplaceAll(path, "%", unknown)).want(404)
				b := s.acme.get(strings.ReplaceAll(path, "%", s.foreign)).want(404)
				alike(t, a, b, unknown, s.foreign)
			}
			a := s.acme.post("/odata/Feedback", `{"RoutingID":"`+unknown+`","ReasonID":3}`).want(404)
			b := s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.foreign+`","ReasonID":3}`).want(404)
			alike(t, a, b, unknown, s.foreign)
		})
		t.Run("server is sound", func(t *testing.T) {
			if log := s.log.String(); strings.Contains(log, "level=ERROR") {
				t.Errorf("log:\n%s", log)
			}
		})
	})
}

// alike fails unless two answers differ in nothing but the id that was asked for.
func alike(t *testing.T, a, b answer, idA, idB string) {
	t.Helper()
	if x, y := string(a.body), strings.ReplaceAll(string(b.body), idB, idA); x != y {
		t.Errorf("%s: %s and %s", a.request, x, y)
	}
	for _, h := range []answer{a, b} {
		h.header.Del("Date")
		h.header.Del("Content-Length")
	}
	if len(a.header) != len(b.header) {
		t.Errorf("%s: headers %v and %v", a.request, a.header, b.header)
	}
}

func (s *refusalStage) odataRefusals() []refusal {
	a := s.admin
	return []refusal{
		{"malformed JSON", a, "POST", "/odata/Customers", `{"Name":`, 400, "invalid", "ends inside a JSON value", ""},
		{"wrong JSON", a, "POST", "/odata/Customers", `{"Name";"A"}`, 400, "invalid", "JSON", ""},
		{"JSON and more", a, "POST", "/odata/Customers", `{"Name":"A"} {}`, 400, "invalid", "JSON", ""},
		{"no body", a, "POST", "/odata/Customers", "", 400, "invalid", "", ""},
		{"a list for a body", a, "POST", "/odata/Customers", `[{"Name":"A"}]`, 400, "invalid", "object", ""},
		{"unknown property", a, "POST", "/odata/Customers", `{"Name":"A","Nmae":"B"}`, 400, "invalid", `no property "Nmae"`, "Nmae"},
		{"wrong type", a, "POST", "/odata/Customers", `{"Name":5}`, 400, "invalid", "Edm.String", "Name"},
		{"wrong type of a number", a, "POST", "/odata/Connections", `{"CustomerID":"1","Name":"A"}`, 400, "invalid", "Edm.Int64", "CustomerID"},
		{"wrong type of a time", a, "POST", "/odata/Connections", `{"CustomerID":1,"Name":"A","StartsAt":"tomorrow"}`, 400, "invalid", "Edm.DateTimeOffset", "StartsAt"},
		{"null", a, "POST", "/odata/Customers", `{"Name":null}`, 400, "invalid", "null", "Name"},
		{"missing", a, "POST", "/odata/Customers", `{}`, 400, "invalid", "Name", "Name"},
		{"unknown scope", a, "POST", "/odata/Connections", `{"CustomerID":1,"Name":"A","Scopes":["leads:read","all"]}`, 400, "invalid", "feedback:write", "Scopes[1]"},
		{"unknown customer", a, "POST", "/odata/Connections", `{"CustomerID":99,"Name":"A"}`, 400, "invalid", "no customer 99", "CustomerID"},
		{"not JSON", a.with("Content-Type", "text/xml"), "POST", "/odata/Customers", `<Name>A</Name>`, 415, "unsupported_media_type", "application/json", ""},
		{"unknown set", a, "GET", "/odata/Clients", nil, 404, "not_found", "Clients", ""},
		{"unknown set to post to", a, "POST", "/odata/Clients", `{}`, 404, "not_found", "Clients", ""},
		{"unknown entity", a, "GET", "/odata/Customers(99)", nil, 404, "not_found", "", ""},
		{"unknown entity to change", a, "PATCH", "/odata/Customers(99)", `{"Name":"B"}`, 404, "not_found", "", ""},
		{"unknown entity to delete", a, "DELETE", "/odata/Customers(99)", nil, 404, "not_found", "", ""},
		{"key of a wrong type", a, "GET", "/odata/Customers('x')", nil, 404, "not_found", "", ""},
		{"unknown action", a, "POST", "/odata/Rules(1)/Explode", `{}`, 404, "not_found", "Explode", ""},
		{"wrong method", a, "DELETE", "/odata/Leads", nil, 405, "method_not_allowed", "DELETE", ""},
		{"stale", a.with("If-Match", `W/"77"`), "PATCH", "/odata/Customers(1)", `{"Name":"B"}`, 412, "precondition_failed", "", "If-Match"},
		{"customer in use", a, "DELETE", "/odata/Customers(1)", nil, 409, "conflict", "", ""},
		{"bad filter", a, "GET", "/odata/Leads?$filter=City eq 'Haifa' andd Budget gt 1", nil, 400, "invalid", "position 17", "$filter"},
		{"filter by nothing", a, "GET", "/odata/Customers?$filter=Nmae eq 'A'", nil, 400, "invalid", "position 1", "$filter"},
		{"filter of unlike types", a, "GET", "/odata/Customers?$filter=ID eq 'A'", nil, 400, "invalid", "position", "$filter"},
		{"unfinished filter", a, "GET", "/odata/Customers?$filter=ID eq", nil, 400, "invalid", "position 6", "$filter"},
		{"bad order", a, "GET", "/odata/Customers?$orderby=Nmae", nil, 400, "invalid", "position 1", "$orderby"},
		{"bad top", a, "GET", "/odata/Customers?$top=-1", nil, 400, "invalid", "", "$top"},
		{"bad select", a, "GET", "/odata/Customers?$select=Nmae", nil, 400, "invalid", "Nmae", "$select"},
		{"bad expand", a, "GET", "/odata/Customers?$expand=Friends", nil, 400, "invalid", "Friends", "$expand"},
		{"unknown option", a, "GET", "/odata/Customers?$fliter=1", nil, 400, "invalid", "$fliter", "$fliter"},
	}
}

func (s *refusalStage) ruleRefusals() []refusal {
	a, url := s.admin, s.crm.url
	rule := func(more map[string]any) map[string]any { return s.ruleFor(s.acme.id, url, more) }
	post := func(name string, more map[string]any, message, target string) refusal {
		return refusal{name, a, "POST", "/odata/Rules", rule(more), 400, "invalid", message, target}
	}
	draft := s.admin.post("/odata/Rules", rule(nil)).want(201).text("ID")
	broken := listen(s.t, failWith(500))
	untested := s.admin.post("/odata/Rules", s.ruleFor(s.acme.id, broken.url, nil)).want(201).text("ID")
	s.admin.post("/odata/Rules("+untested+")/Test", nil).want(200)
	entry := func(target, source string) map[string]any { return map[string]any{"Target": target, "Source": source} }
	ref := entry("ref", "RoutingID")
	return []refusal{
		post("unknown setting", map[string]any{"Settings": map[string]any{"URL": url, "Colour": "red"}}, "Colour", "Settings/Colour"),
		post("missing setting", map[string]any{"Settings": map[string]any{}}, "URL", "Settings/URL"),
		post("setting that is no address", map[string]any{"Settings": map[string]any{"URL": "ftp://x"}}, "http", "Settings/URL"),
		post("mapping without RoutingID", map[string]any{"Mapping": []any{entry("name", "FirstName")}}, "must send RoutingID", "Mapping"),
		post("no mapping", map[string]any{"Mapping": []any{}}, "must send RoutingID", "Mapping"),
		post("RoutingID in a text", map[string]any{"Mapping": []any{entry("ref", "'RoutingID'")}}, "must send RoutingID", "Mapping"),
		post("bad source", map[string]any{"Mapping": []any{ref, entry("x", "concat(FirstName")}}, "position", "Mapping/1/Source"),
		post("target twice", map[string]any{"Mapping": []any{ref, entry("ref", "City")}}, "twice", "Mapping/1/Target"),
		post("bad condition", map[string]any{"Condition": "City eq"}, "position 8", "Condition"),
		post("condition that is no condition", map[string]any{"Condition": "FirstName"}, "", "Condition"),
		post("unknown customer", map[string]any{"CustomerID": 99}, "no customer 99", "CustomerID"),
		post("unknown connector", map[string]any{"ConnectorID": 99}, "no connector 99", "ConnectorID"),
		post("nameless", map[string]any{"Name": ""}, "Name", "Name"),
		{"activate untested", a, "POST", "/odata/Rules(" + draft + ")/Activate", `{}`, 409, "conflict", "has not passed its test", ""},
		{"activate after a test that failed", a, "POST", "/odata/Rules(" + untested + ")/Activate", `{}`, 409, "conflict", "has not passed its test", ""},
		{"pause a draft", a, "POST", "/odata/Rules(" + draft + ")/Pause", `{}`, 409, "conflict", "draft", ""},
		{"test with a wrong sample", a, "POST", "/odata/Rules(" + draft + ")/Test", `{"Sample":{"FirstName":5}}`, 400, "invalid", "FirstName", "Sample/FirstName"},
		{"test with an unknown parameter", a, "POST", "/odata/Rules(" + draft + ")/Test", `{"Smaple":{}}`, 400, "invalid", "Smaple", "Smaple"},
		{"delete a rule in use", a, "DELETE", "/odata/Rules(1)", nil, 409, "conflict", "routings", ""},
	}
}

func (s *refusalStage) feedbackRefusals() []refusal {
	c, own := s.acme.client, s.own
	post := func(name, body string, status int, code, message, target string) refusal {
		return refusal{name, c, "POST", "/odata/Feedback", body, status, code, message, target}
	}
	reasons := "1 (Received), 2 (Contacted), 3 (No answer)"
	return []refusal{
		post("foreign RoutingID", `{"RoutingID":"`+s.foreign+`","ReasonID":3}`, 404, "not_found", "no routing "+s.foreign, "RoutingID"),
		post("unknown RoutingID", `{"RoutingID":"01890000-0000-7000-8000-000000000000","ReasonID":3}`, 404, "not_found", "no routing", "RoutingID"),
		post("no RoutingID", `{"ReasonID":3}`, 400, "invalid", "RoutingID", "RoutingID"),
		post("RoutingID that is none", `{"RoutingID":"7","ReasonID":3}`, 400, "invalid", "Edm.Guid", "RoutingID"),
		post("unknown reason", `{"RoutingID":"`+own+`","ReasonID":99}`, 400, "invalid", "no reason 99; the valid ones are "+reasons, "ReasonID"),
		post("no reason", `{"RoutingID":"`+own+`"}`, 400, "invalid", reasons, "ReasonID"),
		post("retired reason", `{"RoutingID":"`+own+`","ReasonID":`+s.retired+`}`, 400, "invalid", "(Fax sent) is no longer in use; the valid ones are "+reasons, "ReasonID"),
		post("reason of a wrong type", `{"RoutingID":"`+own+`","ReasonID":"3"}`, 400, "invalid", "Edm.Int32", "ReasonID"),
		post("far in the future", `{"RoutingID":"`+own+`","ReasonID":3,"OccurredAt":"2199-01-01T00:00:00Z"}`, 400, "invalid", "future", "OccurredAt"),
		post("unsafe link", `{"RoutingID":"`+own+`","ReasonID":3,"ExternalLink":"javascript:alert(1)"}`, 400, "invalid", "http", "ExternalLink"),
		post("long comment", `{"RoutingID":"`+own+`","ReasonID":3,"Comment":"`+strings.Repeat("x", 10_001)+`"}`, 400, "invalid", "10000", "Comment"),
		post("unknown property", `{"RoutingID":"`+own+`","ReasonID":3,"Note":"x"}`, 400, "invalid", `no property "Note"`, "Note"),
		post("the list of reasons holds no retired one", `{"RoutingID":"`+own+`","ReasonID":0}`, 400, "invalid", "12 (Return requested)", "ReasonID"),
	}
}

func (s *refusalStage) otherRefusals() []refusal {
	n := s.anyone
	return []refusal{
		{"unknown intake token", n, "POST", "/intake/nosuchtoken000000000", `{}`, 404, "not_found", "no such intake address", ""},
		{"malformed lead", n, "POST", s.intake, `{"FirstName":`, 400, "invalid", "malformed JSON", ""},
		{"empty lead", n, "POST", s.intake, ``, 400, "invalid", "", ""},
		{"field twice", n, "POST", s.intake, `{"City":"a","City":"b"}`, 400, "invalid", "City", "City"},
		{"second of two leads is bad", n, "POST", s.intake, `[{"FirstName":"A"},7]`, 400, "invalid", "", "[1]"},
		{"huge lead", n, "POST", s.intake, `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large", "", ""},
		{"GET to a JSON source", n, "GET", s.intake, nil, 405, "method_not_allowed", "", ""},
		{"sign in with nothing", n, "POST", "/auth/token", ``, 400, "invalid", "email", ""},
		{"sign in without a password", n, "POST", "/auth/token", `{"email":"a@example.com"}`, 400, "invalid", "password", "password"},
		{"sign in wrongly", n, "POST", "/auth/token", `{"email":"admin@example.com","password":"wrong"}`, 401, "unauthorized", "", ""},
		{"nothing there", n, "GET", "/nothing", nil, 404, "not_found", "/nothing", ""},
		{"wrong method", n, "GET", "/auth/token", nil, 405, "method_not_allowed", "", ""},
	}
}
