package server

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestVisibility: a rule that is shown to chosen staff is not there for others, by
// whatever road they come, nor is what is named after it.
func TestVisibility(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme, other := s.join(t, "Acme", "feedback:write", "routings:read"), s.join(t, "Other")
		hire := func(email, role string) (client, string) {
			id := s.admin.post("/odata/Users", map[string]any{"Email": email, "Role": role, "Password": adminPassword}).want(201).text("ID")
			return s.signIn(t, email, adminPassword), id
		}
		dana, danaID := hire("dana@example.com", "manager")
		noa, noaID := hire("noa@example.com", "viewer")
		secret := s.rule(t, acme.id, crm.url, map[string]any{"Name": "Hushed", "Visibility": "chosen"})
		open := s.rule(t, other.id, crm.url, map[string]any{"Name": "Open"})
		intake := s.source(t, "json", map[string]any{"MaxRoutings": 0})
		lead := s.anyone.post(intake, `{"FirstName":"Dana"}`).want(201).text("id")
		list := s.admin.get("/odata/Leads(" + lead + ")/Routings?$orderby=RuleID").want(200)
		hidden, shown := list.text("value", 0, "ID"), list.text("value", 1, "ID")
		acme.post("/odata/Feedback", `{"RoutingID":"`+hidden+`","ReasonID":3,"Comment":"Hushed"}`).want(201)
		for range 2 {
			crm.next(t, 5e9)
		}

		const nothing = "00000000-0000-7000-8000-000000000000"
		same := func(c client, method, path, id, missing string, body any) {
			t.Helper()
			got, want := c.do(method, strings.ReplaceAll(path, "@", id), body), c.do(method, strings.ReplaceAll(path, "@", missing), body)
			if got.status != want.status || strings.ReplaceAll(string(got.body), id, missing) != string(want.body) || got.status < 400 {
				t.Errorf("%s %s: %d %s\nof a missing one: %d %s", method, path, got.status, got.body, want.status, want.body)
			}
		}
		for _, c := range []client{dana, noa} {
			for _, path := range []string{"Rules(@)", "Rules(@)/Name", "Rules(@)/Viewers", "Rules(@)/Customer"} {
				same(c, "GET", "/odata/"+path, secret, "987654", nil)
			}
			for _, path := range []string{"Routings(@)", "Routings(@)/Attempts", "Routings(@)/Feedback", "Routings(@)/Rule"} {
				same(c, "GET", "/odata/"+path, hidden, nothing, nil)
			}
			for path, want := range map[string]string{
				"Rules/$count":    "1",
				"Routings/$count": "1",
				"Routings/$count?$filter=RuleID eq " + secret:         "0",
				"Routings/$count?$filter=Rule/Name eq 'Hushed'":       "0",
				"Attempts/$count?$filter=Routing/RuleID eq " + secret: "0",
				"Feedback/$count":    "0",
				"RuleViewers/$count": "0",
				"Leads/$count?$filter=Routings/any(r:r/RuleID eq 1)":       "0",
				"Customers/$count?$filter=Rules/any(r:r/Name eq 'Hushed')": "0",
			} {
				if got := c.get("/odata/" + path).want(200); strings.TrimSpace(string(got.body)) != want {
					t.Errorf("%s: %s, want %s", path, got.body, want)
				}
			}
			for _, path := range []string{
				"Leads?$expand=Routings($expand=Rule,Attempts,Feedback)", "Customers?$expand=Rules,Routings", "Routings?$expand=Rule",
				"Leads(" + lead + ")/Explain()", "Rules?$apply=groupby((Name))", "Routings?$apply=groupby((Rule/Name),aggregate($count as N))",
				"Connectors?$select=ID&$expand=Rules($select=Name)", "Feedback?$expand=Routing", "Attempts?$expand=Routing($expand=Rule)", "Notices?$expand=Rule",
			} {
				got := c.get("/odata/" + path).want(200)
				if text := string(got.body); strings.Contains(text, "Hushed") || strings.Contains(text, hidden) || strings.Contains(text, `"RuleID":`+secret+",") {
					t.Errorf("%s: %s", path, text)
				}
			}
		}
		for _, action := range []string{"Test", "Activate", "Pause", "Preview"} {
			same(dana, "POST", "/odata/Rules(@)/"+action, secret, "987654", `{}`)
		}
		same(dana, "PATCH", "/odata/Rules(@)", secret, "987654", `{"Name":"x"}`)
		same(dana, "DELETE", "/odata/Rules(@)", secret, "987654", nil)
		same(dana, "POST", "/odata/Routings(@)/Resend", hidden, nothing, `{}`)
		viewerOf := func(rule string) string {
			got := dana.post("/odata/RuleViewers", `{"RuleID":`+rule+`,"UserID":`+danaID+`}`).want(400)
			return strings.ReplaceAll(string(got.body), "rule "+rule, "rule #")
		}
		if viewerOf(secret) != viewerOf("987654") {
			t.Errorf("a viewer of a hidden rule: %s, of none: %s", viewerOf(secret), viewerOf("987654"))
		}
		// The body holds the id here.
		got, want := dana.post("/odata/Feedback", `{"RoutingID":"`+hidden+`","ReasonID":3}`).want(404), dana.post("/odata/Feedback", `{"RoutingID":"`+nothing+`","ReasonID":3}`).want(404)
		if strings.ReplaceAll(string(got.body), hidden, nothing) != string(want.body) {
			t.Errorf("a report on a hidden routing: %s, on none: %s", got.body, want.body)
		}

		if n := s.admin.get("/odata/Routings(" + hidden + ")/Feedback/$count").want(200); string(n.body) != "1" {
			t.Errorf("%s reports on the hidden routing, want the customer's own", n.body)
		}

		// What is counted of it is not theirs, either.
		routed := func(c client) int { return len(c.get("/odata/ActivitySince()").want(200).at("Customers").([]any)) }
		eventually(t, 15*time.Second, "the routings are not counted", func() bool { return routed(s.admin) >= 2 })
		for _, c := range []client{dana, noa} {
			if got := c.get("/odata/ActivitySince()").want(200); routed(c) != 1 || got.text("Customers", 0, "ID") != other.id {
				t.Errorf("what customers were given: %s", got.body)
			}
		}

		// Changes are followed without it, too.
		links := map[string]string{}
		for _, set := range []string{"Routings", "Feedback"} {
			links[set] = strings.TrimPrefix(dana.with("Prefer", "track-changes").get("/odata/"+set).want(200).text("@odata.deltaLink"), s.base)
		}
		for _, id := range []string{hidden, shown} {
			s.admin.post("/odata/Feedback", `{"RoutingID":"`+id+`","ReasonID":4}`).want(201)
		}
		for set, link := range links {
			got := dana.get(link).want(200)
			if text := string(got.body); strings.Contains(text, hidden) || !strings.Contains(text, shown) || len(got.at("value").([]any)) != 1 {
				t.Errorf("changes of %s: %s", set, text)
			}
		}

		// A group sees it, at once; and no longer when they are not in it.
		group := s.admin.post("/odata/Groups", `{"Name":"North"}`).want(201).text("ID")
		viewer := s.admin.post("/odata/Rules("+secret+")/Viewers", `{"GroupID":`+group+`}`).want(201).text("ID")
		noa.get("/odata/Rules(" + secret + ")").want(404)
		s.admin.post("/odata/GroupMembers", `{"GroupID":`+group+`,"UserID":`+noaID+`}`).want(201)
		noa.get("/odata/Rules(" + secret + ")").want(200)
		noa.get("/odata/Routings(" + hidden + ")").want(200)
		dana.get("/odata/Rules(" + secret + ")").want(404)
		s.admin.do("DELETE", fmt.Sprintf("/odata/GroupMembers(GroupID=%s,UserID=%s)", group, noaID), nil).want(204)
		noa.get("/odata/Rules(" + secret + ")").want(404)
		s.admin.post("/odata/RuleViewers", `{"RuleID":`+secret+`,"UserID":`+danaID+`}`).want(201)
		dana.do("DELETE", "/odata/RuleViewers("+viewer+")", nil).want(204)
		dana.do("PATCH", "/odata/Rules("+secret+")", `{"Visibility":"all"}`).want(200)
		noa.get("/odata/Rules(" + secret + ")").want(200)
		dana.do("PATCH", "/odata/Rules("+open+")", `{"Visibility":"chosen"}`).want(200)
		dana.get("/odata/Rules(" + open + ")").want(200) // who hides it from others sees it
		noa.get("/odata/Rules(" + open + ")").want(404)
		dana.do("PATCH", "/odata/Rules("+open+")", `{"Visibility":"friends"}`).want(400)

		// With the rule itself, in one request.
		both := s.ruleFor(acme.id, crm.url, map[string]any{"Visibility": "chosen", "Viewers": []map[string]any{{"UserID": number(noaID)}}})
		made := s.admin.post("/odata/Rules", both).want(201).text("ID")
		noa.get("/odata/Rules(" + made + ")").want(200)
		dana.get("/odata/Rules(" + made + ")").want(404)
	})
}
