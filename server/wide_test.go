package server

import (
	"testing"
)

// TestWideCustomers: who gets many of the leads reads them, and the feedback on
// them, in another way, and the same.
func TestWideCustomers(t *testing.T) {
	s := newLiteStage(t, "--allow-networks", "127.0.0.0/8")
	crm := listen(t, nil)
	many, few := s.join(t, "Many", everyScope...), s.join(t, "Few", everyScope...)
	s.rule(t, many.id, crm.url, map[string]any{"Condition": "City eq 'Haifa'"})
	s.rule(t, few.id, crm.url, map[string]any{"Condition": "City eq 'Eilat'"})
	intake := s.source(t, "json", nil)
	var haifa, eilat string
	for range 25 {
		haifa = s.anyone.post(intake, `{"FirstName":"Gal","City":"Haifa"}`).want(201).text("id")
	}
	for range 3 {
		eilat = s.anyone.post(intake, `{"FirstName":"Noa","City":"Eilat"}`).want(201).text("id")
	}
	for _, who := range []party{many, few} {
		var items []map[string]any
		for _, r := range who.get("/odata/Routings?$top=100").want(200).at("value").([]any) {
			items = append(items, map[string]any{"RoutingID": r.(map[string]any)["ID"], "ReasonID": 3})
		}
		who.post("/odata/SubmitFeedback", map[string]any{"Items": items}).want(200)
	}
	for _, test := range []struct {
		who   party
		path  string
		count int
	}{
		{many, "/odata/Leads?$top=100", 25},
		{many, "/odata/Leads?$filter=City eq 'Eilat'", 0},
		{many, "/odata/Leads?$filter=Routings/any()&$orderby=City desc", 25},
		{many, "/odata/Routings?$filter=Lead/City eq 'Haifa'&$top=100", 25},
		{many, "/odata/Feedback?$top=100", 25},
		{many, "/odata/Feedback?$filter=ReasonID eq 3&$orderby=ReceivedAt desc", 25},
		{many, "/odata/Routings?$filter=Feedback/any(f:f/ReasonID eq 3)&$expand=Feedback", 25},
		{few, "/odata/Feedback?$orderby=ReceivedAt", 3},
		{few, "/odata/Leads", 3},
		{few, "/odata/Leads?$filter=City eq 'Haifa'", 0},
	} {
		if got := len(test.who.get(test.path).want(200).at("value").([]any)); got != test.count {
			t.Errorf("%s: %d, want %d", test.path, got, test.count)
		}
	}
	many.get("/odata/Leads(" + haifa + ")?$expand=Routings").want(200)
	many.get("/odata/Leads(" + eilat + ")").want(404)
	few.get("/odata/Leads(" + eilat + ")").want(200)
	few.get("/odata/Leads(" + haifa + ")").want(404)
	for _, set := range []string{"Leads", "Feedback"} {
		if got := string(many.get("/odata/" + set + "/$count").want(200).body); got != "25" {
			t.Errorf("counted %s of %s", got, set)
		}
	}
}
