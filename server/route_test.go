package server

import "testing"

func TestRoutingPage(t *testing.T) {
	t.Parallel()
	runPage(t, "routing.md", "Which rules get a lead")
}

// Leads(ID)/Route is for managers, and says what became of the lead.
func TestRouteAction(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme := s.join(t, "Acme", "leads:read")
		id := s.anyone.post(s.source(t, "json", nil), `{"FirstName":"Dana"}`).want(201).text("id")
		s.rule(t, acme.id, crm.url, map[string]any{"Schedule": []map[string]any{{"Days": []string{}, "From": "00:00", "To": "24:00"}}, "CapDay": 5, "Weight": 3})
		route := "/odata/Leads(" + id + ")/Route"
		acme.post(route, nil).want(404) // it is not theirs yet
		if got := s.admin.post(route, nil).want(200); got.text("State") != "routed" || got.text("ID") != id {
			t.Errorf("%s", got.body)
		}
		acme.post(route, nil).want(403)
		s.admin.post("/odata/Leads(01990000-0000-7000-8000-000000000000)/Route", nil).want(404)
		test := s.admin.post("/odata/Leads", map[string]any{"FirstName": "Dana", "IsTest": true}).want(201).text("ID")
		s.admin.post("/odata/Leads("+test+")/Route", nil).want(409)
		s.admin.get("/odata/Leads("+id+")/Routings/$count").want(200).is("", "1")
	})
}
