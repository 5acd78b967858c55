package server

import (
	"encoding/xml"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// service is what $metadata offers, as far as these tests look.
type service struct {
	Actions   []offered    `xml:"DataServices>Schema>Action"`
	Functions []offered    `xml:"DataServices>Schema>Function"`
	Sets      []offeredSet `xml:"DataServices>Schema>EntityContainer>EntitySet"`
}

type offeredSet struct {
	Name string `xml:",attr"`
	Type string `xml:"EntityType,attr"`
}

// offered is an action or a function.
type offered struct {
	Name       string `xml:",attr"`
	Bound      bool   `xml:"IsBound,attr"`
	Parameters []struct {
		Type string `xml:",attr"`
	} `xml:"Parameter"`
}

// bodies are those of actions that say what is missing before who may call them.
var bodies = map[string]string{
	"SetStatusMap": `{"Map":{}}`, "SubmitFeedback": `{"Items":[]}`, "OrderReasons": `{"IDs":[]}`, "DecideReturn": `{"Approve":true}`,
	"SendTestLead": `{"Fields":{}}`, "ResendRoutings": `{"Filter":"State eq 'failed'"}`,
	"PreviewDraft": `{"CustomerID":1,"ConnectorID":1,"Settings":{"URL":"https://example.com"},"Mapping":[{"Target":"ref","Source":"RoutingID"}],"Last":1}`,
}

// rowOf is a row of the table in docs/access.md: what it is about, the least role
// of staff, and what customers' keys may do with it.
var rowOf = regexp.MustCompile("(?m)^\\| `([A-Za-z]+(?:\\(ID\\)/[A-Za-z]+)?)` \\| (viewer|manager|admin) \\| (–|own) \\|")

// Every set, action and function has a row in docs/access.md that says who may read
// or call it, and nobody below may: by the role, and with a customer's key of all
// scopes.
func TestWhoMayWhat(t *testing.T) {
	text, err := os.ReadFile("../docs/access.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, m := range rowOf.FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = m[2:]
	}
	s := newLiteStage(t)
	people := s.crowd(t)
	var offer service
	if err := xml.Unmarshal(s.admin.with("Accept", "application/xml").get("/odata/$metadata").want(200).body, &offer); err != nil || len(offer.Actions) < 20 || len(offer.Functions) < 10 {
		t.Fatal(err, len(offer.Actions), len(offer.Functions))
	}
	row := func(name string) []string {
		found := rows[name]
		if delete(rows, name); found == nil {
			t.Errorf("docs/access.md has no row of %s", name)
			found = []string{"admin", "–"}
		}
		return found
	}
	for _, set := range offer.Sets {
		may := row(set.Name)
		for _, p := range people {
			p.holds(t, set.Name, may, p.client.get("/odata/"+set.Name+"?$top=1").status)
			changed := p.client.do("PATCH", "/odata/"+set.Name+"/$filter(false)/$each", `{}`).status
			if changed != 405 && (set.Name != "SavedViews" || p.name == "key") { // a view is its owner's
				p.holds(t, "changes of "+set.Name, []string{ranks[max(1, slices.Index(ranks, may[0]))], "–"}, changed)
			}
		}
	}
	for _, o := range offer.Functions {
		name, path := s.operation(t, &offer, o)
		may := row(name)
		for _, p := range people {
			p.holds(t, name, may, p.client.get(path+"()").status)
		}
	}
	for _, o := range offer.Actions {
		name, path := s.operation(t, &offer, o)
		may := row(name)
		for _, p := range people {
			if p.role == "" || p.below(may[0]) { // who may would change something
				p.holds(t, name, may, p.client.post(path, bodies[o.Name]).status)
			}
		}
	}
	for name := range rows {
		t.Errorf("docs/access.md has a row of %s, which is not there", name)
	}
}

// operation gives the name that o has in the table, and a path to call it at: of
// those that are bound, of the first entity there is.
func (s *stage) operation(t *testing.T, offer *service, o offered) (name, path string) {
	t.Helper()
	if !o.Bound {
		return o.Name, "/odata/" + o.Name
	}
	set := offer.Sets[slices.IndexFunc(offer.Sets, func(set offeredSet) bool { return set.Type == o.Parameters[0].Type })].Name
	first := s.admin.with("Accept", "application/json;odata.metadata=full").get("/odata/" + set + "?$top=1").want(200)
	if len(first.at("value").([]any)) == 0 {
		t.Fatalf("there are no %s to call %s of", set, o.Name)
	}
	return set + "(ID)/" + o.Name, strings.TrimPrefix(first.text("value", 0, "@odata.id"), s.base) + "/" + o.Name
}

// holds checks that p was let in, or kept out, as a row says.
func (p person) holds(t *testing.T, what string, row []string, status int) {
	t.Helper()
	want := status < 401 || status > 404
	switch {
	case p.name == "nobody":
		want = status == 401
	case p.name == "key" && row[1] == "–", p.role != "" && p.below(row[0]):
		want = status == 403
	}
	if !want {
		t.Errorf("%s by %s: %d", what, p.name, status)
	}
}

// below reports whether p has a lesser role.
func (p person) below(role string) bool {
	return slices.Index(ranks, p.role) < slices.Index(ranks, role)
}

// ranks are the roles, the least first.
var ranks = []string{"viewer", "manager", "admin"}

// person is somebody who calls; role is that of staff.
type person struct {
	name, role string
	client     client
}

// crowd makes one of each entity that operations are bound to, and gives who is to
// call them.
func (s *stage) crowd(t *testing.T) []person {
	t.Helper()
	acme := s.join(t, "Acme", "feedback:write", "leads:read", "routings:read", "reasons:read")
	crm := listen(t, nil)
	s.rule(t, acme.id, crm.url, nil)
	intake := s.source(t, "json", map[string]any{
		"OnwardConnectorID": s.webhook, "OnwardSettings": map[string]any{"URL": crm.url}, "OnwardMapping": []map[string]any{{"Target": "id", "Source": "ExternalID"}},
	})
	routing := s.routingOf(s.anyone.post(intake, `{"FirstName":"Dana","ExternalID":"7"}`).want(201).text("id"))
	acme.post("/odata/Feedback", `{"RoutingID":"`+routing+`","ReasonID":3}`).want(201)
	s.admin.post("/odata/Connections("+acme.connection+")/OfferGuide", nil).want(200)
	reader := s.admin.post("/odata/Connectors", `{"Code":"their-api","Name":"Their API","Method":"GET","Format":"query","URL":"{URL}",
		"Settings":[{"Name":"URL","Type":"url","Required":true}],
		"Reading":{"URL":"{URL}?since={Since}","Items":"value","RoutingID":"Item/ref","Status":"Item/state","OccurredAt":"Item/at"}}`).want(201).text("ID")
	s.admin.post("/odata/Pulls", `{"ConnectionID":"`+acme.connection+`","ConnectorID":`+reader+`,"Name":"Theirs","StartsAt":"2026-01-01T00:00:00Z","Settings":{"URL":"`+crm.url+`"}}`).want(201)
	s.admin.post("/odata/ResendRoutings", bodies["ResendRoutings"]).want(200)
	eventually(t, 10*time.Second, "the outcome goes onward", func() bool {
		return string(s.admin.get("/odata/Onwards/$count").want(200).body) == "1"
	})
	return []person{
		{"nobody", "", s.anyone}, {"key", "", acme.client}, {"viewer", "viewer", s.member(t, "viewer")}, {"manager", "manager", s.member(t, "manager")}, {"admin", "admin", s.admin},
	}
}

// member is a member of the staff with a role.
func (s *stage) member(t *testing.T, role string) client {
	t.Helper()
	email := role + "@example.com"
	s.admin.post("/odata/Users", map[string]any{"Email": email, "Role": role, "Password": adminPassword}).want(201)
	return s.signIn(t, email, adminPassword)
}
