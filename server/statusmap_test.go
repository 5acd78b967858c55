package server

import "testing"

// TestStatusMaps is a customer who reports in words of their own.
func TestStatusMaps(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		customer := "/odata/Customers(" + s.acme.id + ")"
		s.admin.post(customer+"/SetStatusMap", `{"Map":{"Closed. Won":7,"לא רלוונטי":"Not interested","hold":"לחזור מאוחר יותר"}}`).want(200).is(s.base, `{
			"@odata.context": "%BASE%/odata/$metadata#Leadloop.Statuses", "Closed. Won": 7, "hold": 4, "לא רלוונטי": 8}`)
		whole := `{"@odata.context": "%BASE%/odata/$metadata#Leadloop.Statuses", "Closed. Won": 7, "hold": 4, "לא רלוונטי": 8}`
		s.admin.get(customer+"/StatusMap()").want(200).is(s.base, whole)
		s.acme.get(customer+"/StatusMap()").want(200).is(s.base, whole)
		s.other.get(customer + "/StatusMap()").want(404)
		s.acme.post(customer+"/SetStatusMap", `{"Map":{}}`).want(403)

		s.admin.post("/odata/StatusMaps", `{"CustomerID":`+s.other.id+`,"Status":"won","ReasonID":7}`).want(201)
		for _, c := range []struct {
			client
			want int
		}{{s.acme.client, 3}, {s.other.client, 1}, {s.admin, 4}} {
			if got := c.get("/odata/StatusMaps?$expand=Reason,Customer").want(200).at("value").([]any); len(got) != c.want {
				t.Errorf("%d status maps, want %d", len(got), c.want)
			}
		}

		known := s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","Status":"closed. won"}`).want(201)
		if known.text("ReasonID") != "7" || known.text("Status") != "closed. won" {
			t.Errorf("reported %s", known.body)
		}
		s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","Status":"hold","ReasonID":7}`).want(400)
		waits := s.acme.post("/odata/Routings("+s.own+")/Feedback", `{"Status":"In limbo"}`).want(201)
		if waits.at("ReasonID") != nil {
			t.Errorf("reported %s", waits.body)
		}
		s.admin.get("/odata/UnmappedStatuses?$expand=Customer($select=Name)").want(200).is(s.base, `{
			"@odata.context": "%BASE%/odata/$metadata#UnmappedStatuses(Customer(Name))", "value": [{
			"CustomerID": `+s.acme.id+`, "Status": "In limbo", "Count": 1, "FirstAt": "<time>", "LastAt": "<time>", "Mapped": false,
			"Customer": {"@odata.etag": "<etag>", "@odata.id": "<id>", "Name": "Acme"}}]}`)
		s.acme.get("/odata/UnmappedStatuses").want(403)
		s.admin.get("/odata/UnmappedStatuses(CustomerID=" + s.acme.id + ",Status='In limbo')").want(200)

		mapped := s.admin.post("/odata/StatusMaps", `{"CustomerID":`+s.acme.id+`,"Status":"IN LIMBO","ReasonID":4}`).want(201)
		if got := s.acme.get("/odata/Routings(" + s.own + ")?$expand=Feedback").want(200); got.text("ReasonID") != "4" {
			t.Errorf("after it was mapped: %s", got.body)
		}
		if got := s.admin.get("/odata/UnmappedStatuses/$count").want(200); string(got.body) != "0" {
			t.Errorf("%s wait", got.body)
		}
		id := mapped.text("ID")
		s.admin.do("PATCH", "/odata/StatusMaps("+id+")", `{"ReasonID":5}`).want(200)
		s.acme.do("PATCH", "/odata/StatusMaps("+id+")", `{"ReasonID":5}`).want(403)
		s.admin.do("DELETE", "/odata/StatusMaps("+id+")", nil).want(204)
	})
}
