package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestCustomersSeeTheirOwn is what a customer's key reads: its own, by whatever
// road it comes.
func TestCustomersSeeTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":3,"Comment":"ours"}`).want(201)
		s.other.post("/odata/Feedback", `{"RoutingID":"`+s.foreign+`","ReasonID":2,"Comment":"theirs"}`).want(201)
		// A lead that both got.
		s.rule(t, s.acme.id, s.crm.url, map[string]any{"Condition": "City eq 'Both'"})
		s.rule(t, s.other.id, s.crm.url, map[string]any{"Condition": "City eq 'Both'"})
		both := s.source(t, "json", map[string]any{"MaxRoutings": 2})
		shared := s.anyone.post(both, `{"FirstName":"Gal","City":"Both"}`).want(201).text("id")
		report := func(p party, reason string) {
			mine := p.get("/odata/Routings?$filter=LeadID eq " + shared).want(200)
			p.post("/odata/Feedback", `{"RoutingID":"`+mine.text("value", 0, "ID")+`","ReasonID":`+reason+`}`).want(201)
		}
		report(s.acme, "3")
		report(s.other, "7") // the newest, so the lead's own reason is the other's
		s.anyone.post(s.intake, `{"FirstName":"Nobody's","City":"Tel Aviv"}`).want(201)

		foreignLead := s.admin.get("/odata/Routings(" + s.foreign + ")?$select=LeadID").text("LeadID")
		otherID := s.other.id
		tests := []struct {
			path string
			want int // how many entities; or the status of an error
		}{
			{"/odata/Leads", 2},
			{"/odata/Customers", 1},
			{"/odata/Connections", 1},
			{"/odata/Routings", 2},
			{"/odata/Feedback", 2},
			{"/odata/FeedbackReasons", 12},
			{"/odata/FeedbackReasons?$filter=Active eq false", 0},
			{"/odata/FeedbackReasons(" + s.retired + ")", 404},
			{"/odata/Customers(" + otherID + ")", 404},
			{"/odata/Connections(" + s.other.connection + ")", 404},
			{"/odata/Leads(" + foreignLead + ")", 404},
			{"/odata/Leads(" + foreignLead + ")/Routings", 404},
			{"/odata/Leads(" + shared + ")/Routings", 1},
			{"/odata/Customers(" + s.acme.id + ")/Routings", 2},
			{"/odata/Customers(" + s.acme.id + ")/Connections", 1},
			{"/odata/Rules", 403},
			{"/odata/Rules(1)", 403},
			{"/odata/Sources", 403},
			{"/odata/Sources(1)", 403},
			{"/odata/Users", 403},
			{"/odata/Attempts", 403},
			{"/odata/Keys", 403},
			{"/odata/Connectors", 403},
			{"/odata/Rules(999)", 403},
			{"/odata/Customers(" + s.acme.id + ")/Rules", 403},
			{"/odata/Routings(" + s.own + ")/Rule", 403},
			{"/odata/Routings(" + s.own + ")/Attempts", 403},
			{"/odata/Leads(" + shared + ")/Source", 403},
			{"/odata/Routings?$expand=Rule", 403},
			{"/odata/Routings?$expand=Attempts", 403},
			{"/odata/Leads?$expand=Source", 403},
			{"/odata/Customers?$expand=Rules", 403},
			{"/odata/Connections?$expand=Keys", 403},
			{"/odata/Leads?$filter=Routings/any(r:r/Customer/Name eq 'Other')", 0},
			{"/odata/Leads?$filter=Routings/any(r:r/CustomerID eq " + otherID + ")", 0},
			{"/odata/Leads?$filter=not Routings/any(r:r/CustomerID ne " + otherID + ")", 0},
			{"/odata/Leads?$filter=Routings/all(r:r/Customer/Name eq 'Acme')", 2},
			{"/odata/Leads?$filter=Routings/$count gt 1", 0},
			{"/odata/Leads?$filter=Routings/any(r:r/ReasonID eq 7)", 0},
			{"/odata/Leads?$filter=Routings/any(r:r/Feedback/any(f:f/Comment eq 'theirs'))", 0},
			{"/odata/Routings?$filter=Customer/Name eq 'Other'", 0},
			{"/odata/Routings?$filter=Lead/Routings/any(r:r/CustomerID eq " + otherID + ")", 0},
			{"/odata/Routings?$filter=Rule/Name eq 'Rule'", 403},
			{"/odata/Routings?$orderby=Rule/Name", 403},
			{"/odata/Leads?$filter=Source/Token eq 'x'", 403},
			{"/odata/Feedback?$filter=Comment eq 'theirs'", 0},
			{"/odata/Feedback?$filter=Routing/Lead/Routings/any(r:r/CustomerID eq " + otherID + ")", 0},
			// The lead's own newest reason may be another customer's: it is hidden.
			{"/odata/Leads?$filter=ReasonID eq 7", 400},
			{"/odata/Leads?$orderby=FeedbackAt", 400},
			{"/odata/Leads?$select=ReasonID", 400},
			// So does its version tell of others; and how the queue fares is the house's.
			{"/odata/Leads?$select=Version", 400},
			{"/odata/Leads?$filter=Version gt 1", 400},
			{"/odata/Routings?$orderby=Lead/Version", 400},
			{"/odata/Leads?$apply=groupby((Version))", 400},
			{"/odata/Leads(" + shared + ")/Version", 404},
			{"/odata/Routings?$select=RuleID", 400},
			{"/odata/Routings?$filter=RuleRevision eq 1", 400},
			{"/odata/Routings?$filter=Error ne null", 400},
			{"/odata/Routings?$orderby=NextAttemptAt", 400},
			{"/odata/Routings?$apply=aggregate(AttemptCount with max as N)", 400},
			{"/odata/Routings?$filter=Lead/ReasonID eq 7", 400},
		}
		c := s.acme.client
		for _, tt := range tests {
			t.Run(tt.path, func(t *testing.T) {
				c.t = t
				got := c.get(tt.path)
				if tt.want >= 400 {
					got.want(tt.want)
					return
				}
				list, _ := got.want(200).at("value").([]any)
				if len(list) != tt.want {
					t.Errorf("%d entities, want %d: %s", len(list), tt.want, got.body)
				}
				for _, secret := range []string{s.foreign, s.other.connection, "theirs", `"Other"`, `"ReasonID":7`} {
					if strings.Contains(string(got.body), secret) {
						t.Errorf("shows %s: %s", secret, got.body)
					}
				}
			})
		}
		t.Run("expanded", func(t *testing.T) {
			c.t = t
			for _, path := range []string{
				"/odata/Leads?$expand=Routings", "/odata/Leads?$expand=Routings($expand=Customer,Feedback)",
				"/odata/Leads?$expand=Routings($count=true;$expand=Customer)",
				"/odata/Routings?$expand=Lead($expand=Routings)", "/odata/Customers?$expand=Routings,Connections", "/odata/Leads?$expand=*",
			} {
				got := c.get(path)
				if path == "/odata/Leads?$expand=*" && got.status == 403 {
					continue
				}
				got.want(200)
				for _, secret := range []string{s.foreign, s.other.connection, "theirs", `"Other"`, `"ReasonID":7`} {
					if strings.Contains(string(got.body), secret) {
						t.Errorf("%s shows %s: %s", path, secret, got.body)
					}
				}
			}
		})
		t.Run("changes are refused", func(t *testing.T) {
			c.t = t
			for _, r := range [][3]string{
				{"PATCH", "/odata/Customers(" + s.acme.id + ")", `{"Name":"x"}`},
				{"PATCH", "/odata/Connections(" + s.acme.connection + ")", `{"EndsAt":null}`},
				{"DELETE", "/odata/Connections(" + s.acme.connection + ")", ""},
				{"POST", "/odata/Connections(" + s.acme.connection + ")/IssueKey", ""},
				{"PATCH", "/odata/Leads(" + shared + ")", `{"City":"x"}`},
				{"PATCH", "/odata/FeedbackReasons(3)", `{"Name":"x"}`},
				{"DELETE", "/odata/FeedbackReasons(3)", ""},
				{"POST", "/odata/Routings(" + s.own + ")/Resend", ""},
			} {
				if got := c.do(r[0], r[1], r[2]).want(403); got.text("error", "code") != "forbidden" {
					t.Errorf("%s", got.body)
				}
			}
			for _, r := range [][2]string{
				{"PATCH", "/odata/Routings(" + s.own + ")"},
				{"DELETE", "/odata/Routings(" + s.own + ")"},
				{"DELETE", "/odata/Leads(" + shared + ")"},
			} {
				c.do(r[0], r[1], `{}`).want(405)
			}
		})
		t.Run("no ETag of a lead", func(t *testing.T) {
			c.t = t
			lead := "/odata/Leads(" + shared + ")"
			version := s.admin.get(lead).want(200).header.Get("ETag")
			if got := c.get(lead).want(200); version == "" || got.header.Get("ETag") != "" || strings.Contains(string(got.body), "etag") {
				t.Errorf("ETag %q: %s", got.header.Get("ETag"), got.body)
			}
			for _, list := range []string{"/odata/Routings?$expand=Lead", "/odata/Customers?$expand=Routings($expand=Lead($select=City))"} {
				got := string(c.get(list).want(200).body)
				if !strings.Contains(got, `"Lead":{"`) || strings.Contains(got, `"Lead":{"@odata.etag"`) {
					t.Errorf("%s: %s", list, got)
				}
			}
			if got := c.get("/odata/Leads").want(200); strings.Contains(string(got.body), "etag") {
				t.Errorf("%s", got.body)
			}
			// The true one and a wrong one are refused alike.
			for _, tag := range []string{version, `W/"77"`} {
				c.with("If-Match", tag).do("PATCH", lead, `{"City":"x"}`).want(412)
				c.with("If-None-Match", tag).do("PATCH", lead, `{"City":"x"}`).want(403)
				c.do("PATCH", lead, `{"@odata.etag":`+fmt.Sprintf("%q", tag)+`,"City":"x"}`).want(412)
			}
			s.admin.with("If-Match", version).do("PATCH", lead, `{"Message":"x"}`).want(200)
		})
		t.Run("scopes", func(t *testing.T) {
			reporter := s.connection(t, s.acme.id, "feedback:write")
			reporter.get("/odata/Leads").want(403)
			reporter.get("/odata/Routings").want(403)
			reporter.get("/odata/Feedback?$expand=Routing").want(403)
			reporter.get("/odata/FeedbackReasons").want(200)
			reader := s.connection(t, s.acme.id, "leads:read")
			reader.get("/odata/Leads?$expand=Routings").want(200)
			reader.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":3}`).want(403)
			nothing := s.connection(t, s.acme.id)
			nothing.get("/odata/FeedbackReasons").want(403)
		})
	})
}

// connection gives a client with a key of a new connection of the customer.
func (s *stage) connection(t *testing.T, customer string, scopes ...string) client {
	t.Helper()
	_, key := s.connect(t, customer, map[string]any{"Scopes": append([]string{}, scopes...)})
	return s.anyone.with("X-API-Key", key)
}
