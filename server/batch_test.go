package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestBatch is what customers' systems and staff do in one request.
func TestBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		report := func(id, group, routing string) string {
			return `{"id":"` + id + `","atomicityGroup":"` + group + `","method":"post","url":"Feedback","body":{"RoutingID":"` + routing + `","ReasonID":3}}`
		}
		statuses := func(a answer) string {
			var list []string
			for i := 0; a.at("responses", i) != nil; i++ {
				list = append(list, fmt.Sprint(a.text("responses", i, "id"), " ", a.text("responses", i, "status")))
			}
			return strings.Join(list, ", ")
		}
		const noRouting = "00000000-0000-7000-8000-000000000000"
		// One report is on another customer's routing: nothing of its group is kept,
		// and the answer is the one for a routing that does not exist.
		got := s.acme.post("/odata/$batch", `{"requests":[`+report("1", "a", s.own)+","+report("2", "a", s.foreign)+","+
			report("3", "b", s.own)+`,{"id":"4","method":"get","url":"Feedback/$count"},{"id":"5","method":"get","url":"Routings(`+s.foreign+`)"},`+
			`{"id":"6","method":"get","url":"Rules","headers":{"authorization":"`+s.admin.header.Get("Authorization")+`"}}]}`).want(200)
		if want := "1 424, 2 404, 3 201, 4 200, 5 404, 6 403"; statuses(got) != want || got.text("responses", 3, "body") != "1" {
			t.Errorf("%s, want %s: %s", statuses(got), want, got.body)
		}
		unknown := s.acme.post("/odata/Feedback", `{"RoutingID":"`+noRouting+`","ReasonID":3}`).want(404)
		inBatch := fmt.Sprint(got.at("responses", 1, "body", "error"))
		if strings.ReplaceAll(inBatch, s.foreign, noRouting) != fmt.Sprint(unknown.at("error")) {
			t.Errorf("foreign %s\nunknown %s", inBatch, unknown.body)
		}
		if left := s.acme.get("/odata/Feedback/$count").want(200); string(left.body) != "1" {
			t.Errorf("%s reports are kept", left.body)
		}

		// A customer with all that belongs to it, or nothing; a rule is not tried out
		// inside a transaction, as others would have to wait for the customer.
		setUp := func(last string) answer {
			return s.admin.post("/odata/$batch", `{"requests":[
				{"id":"1","atomicityGroup":"g","method":"post","url":"Customers","body":{"Name":"Batch Ltd"}},
				{"id":"2","atomicityGroup":"g","method":"patch","url":"$1","headers":{"if-match":"$1"},"body":{"Description":"new"}},
				`+last+`]}`).want(200)
		}
		before := s.counts()
		got = setUp(`{"id":"3","atomicityGroup":"g","method":"post","url":"/odata/Rules(1)/Test"}`)
		if want := "1 424, 2 424, 3 501"; statuses(got) != want || s.counts() != before {
			t.Errorf("%s, want %s: %s", statuses(got), want, got.body)
		}
		got = setUp(`{"id":"3","dependsOn":["g"],"method":"get","url":"$1?$select=Name,Description"}`)
		if want := "1 201, 2 200, 3 200"; statuses(got) != want || got.text("responses", 2, "body", "Description") != "new" {
			t.Errorf("%s, want %s: %s", statuses(got), want, got.body)
		}
		s.anyone.post("/odata/$batch", `{"requests":[]}`).want(401)
	})
}
