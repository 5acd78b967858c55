package server

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestFeedbackRoads reports by each road there is, from outside.
func TestFeedbackRoads(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		reports := func(want int) {
			t.Helper()
			if got := s.acme.get("/odata/Feedback/$count").want(200); string(got.body) != fmt.Sprint(want) {
				t.Errorf("%s reports, want %d", got.body, want)
			}
		}
		s.acme.post("/odata/Routings("+s.own+")/Feedback", `{"ReasonID":2,"OccurredAt":"2026-03-01T10:00:00Z"}`).want(201)
		s.acme.post("/odata/Routings("+s.foreign+")/Feedback", `{"ReasonID":2}`).want(404)
		reports(1)
		batch := s.acme.post("/odata/$batch", `{"requests":[
			{"id":"1","method":"post","url":"Feedback","headers":{"content-type":"application/json"},"body":{"RoutingID":"`+s.own+`","ReasonID":4}},
			{"id":"2","method":"post","url":"Routings(`+s.own+`)/Feedback","headers":{"content-type":"application/json"},"body":{"ReasonID":5}}]}`).want(200)
		if batch.text("responses", 0, "status") != "201" || batch.text("responses", 1, "status") != "201" {
			t.Errorf("batch: %s", batch.body)
		}
		reports(3)

		got := s.acme.post("/odata/SubmitFeedback", `{"Items":[
			{"RoutingID":"`+s.own+`","ReasonID":7,"Amount":1250.50,"Currency":"ILS","Comment":"נמכר"},
			{"RoutingID":"`+s.foreign+`","ReasonID":7},
			{"RoutingID":"x","ReasonID":7},
			{"RoutingID":"`+s.own+`","ReasonID":2,"OccurredAt":"2026-03-01T12:00:00+02:00"}]}`).want(200)
		got.is(s.base, `{"@odata.context": "%BASE%/odata/$metadata#Collection(Leadloop.FeedbackResult)", "value": [
			{"Index": 0, "Status": 201, "ID": "<uuid>", "Code": null, "Message": null, "Target": null},
			{"Index": 1, "Status": 404, "ID": null, "Code": "not_found", "Message": "no routing `+s.foreign+`", "Target": "RoutingID"},
			{"Index": 2, "Status": 400, "ID": null, "Code": "invalid", "Message": "RoutingID is not a UUID", "Target": "RoutingID"},
			{"Index": 3, "Status": 200, "ID": "<uuid>", "Code": null, "Message": null, "Target": null}]}`)
		reports(4)
		sold := s.acme.get("/odata/Feedback(" + got.text("value", 0, "ID") + ")").want(200)
		if sold.text("Amount") != "1250.5000" || sold.text("Comment") != "נמכר" {
			t.Errorf("%s", sold.body)
		}
		s.acme.post("/odata/SubmitFeedback", `{"Items":[`+strings.Repeat("{},", 1000)+`{}]}`).want(413)
		s.admin.post("/odata/SubmitFeedback", `{"Items":[{"RoutingID":"`+s.own+`","ReasonID":6}]}`).want(200)
		reports(5)
	})
}

// TestWebhookFeedback reports as systems do that can only send a fixed webhook.
func TestWebhookFeedback(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		form := func(values url.Values) (answer, error) {
			return s.acme.with("Content-Type", "application/x-www-form-urlencoded").try("POST", "/feedback", values.Encode())
		}
		first, err := form(url.Values{"routing_id": {s.own}, "reason_id": {"3"}, "occurred_at": {"2026-03-01 10:00"}, "utm_source": {"x"}})
		if err != nil {
			t.Fatal(err)
		}
		first.want(201).is(s.base, `{"ID": "<uuid>"}`)
		again := s.acme.post("/feedback", map[string]any{"RoutingID": s.own, "ReasonID": 3, "OccurredAt": "2026-03-01T10:00:00Z"}).want(200)
		if again.text("ID") != first.text("ID") {
			t.Errorf("the same again: %s and %s", first.body, again.body)
		}
		if got := s.acme.with("Accept", "text/plain").post("/feedback", map[string]any{"RoutingID": s.own, "ReasonID": 3}).want(201); !strings.HasPrefix(string(got.body), "OK ") {
			t.Errorf("in plain text: %s", got.body)
		}
		if got := s.acme.with("Accept", "text/plain").post("/feedback", map[string]any{"RoutingID": s.foreign, "ReasonID": 3}).want(404); string(got.body) != "ERROR RoutingID: no routing "+s.foreign+"\n" {
			t.Errorf("in plain text: %s", got.body)
		}
		list := s.acme.post("/feedback", []map[string]any{{"RoutingID": s.own, "ReasonID": 4}, {"RoutingID": s.own}}).want(200)
		if list.text("value", 0, "Status") != "201" || list.text("value", 1, "Target") != "ReasonID" {
			t.Errorf("a list: %s", list.body)
		}
		s.anyone.post("/feedback", map[string]any{"RoutingID": s.own, "ReasonID": 3}).want(401)
		s.acme.do("PUT", "/feedback", map[string]any{}).want(405)

		query := "/feedback?ref=" + s.own + "&status=" + url.QueryEscape("סגור זכה")
		s.acme.get(query).want(405)
		s.admin.do("PATCH", "/odata/Connections("+s.acme.connection+")", `{"AllowGet":true,"FeedbackFields":{"RoutingID":"ref","Comment":"note.text"},"MaxFeedbackAge":"P30D"}`).want(200)
		eventually(t, 5*time.Second, "the connection's new terms hold", func() bool { return s.acme.get(query).status == 201 })
		s.anyone.get(query + "&key=" + s.acme.key).want(401)
		if got := s.acme.get(query + "&key=" + s.acme.key).want(400); strings.Contains(string(got.body), s.acme.key) {
			t.Errorf("the key is in the answer: %s", got.body)
		}
		s.acme.with("Content-Type", "application/xml").post("/feedback",
			`<report><ref>`+s.own+`</ref><ReasonID>7</ReasonID><note><text>x</text></note></report>`).want(201)
		shown := s.acme.get("/odata/Feedback?$orderby=ReceivedAt desc&$top=1&$select=Comment,ReasonID").want(200)
		if shown.text("value", 0, "Comment") != "x" {
			t.Errorf("%s", shown.body)
		}
		s.admin.do("PATCH", "/odata/Connections("+s.acme.connection+")", `{"FeedbackFields":{"Phone":"x"}}`).want(400)
		s.admin.do("PATCH", "/odata/Connections("+s.acme.connection+")", `{"FeedbackFields":{"Owner":"x","Comment":"x"}}`).want(400)
		s.admin.do("PATCH", "/odata/Connections("+s.acme.connection+")", `{"MaxFeedbackAge":"-P1D"}`).want(400)
		if strings.Contains(s.log.String(), s.acme.key) {
			t.Error("the key is in the log")
		}
	})
}

// TestReasonsSpeak reads the names of reasons in the languages that clients ask for.
func TestReasonsSpeak(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		both := s.admin.post("/odata/FeedbackReasons", `{"Names":{"en":"Zoo","da":"Aa"},"Category":"negative","AsksForReturn":true}`).want(201).text("ID")
		s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":7}`).want(201)
		for _, tt := range []struct{ accept, language, first, last string }{
			{"", "", "Sold", "Zoo"},
			{"he-IL, en;q=0.5", "he", "נסגרה עסקה", "Zoo"},
			{"he", "he", "נסגרה עסקה", "Zoo"},
			{"iw", "he", "נסגרה עסקה", "Zoo"}, // what Hebrew was called
			{"da, he;q=0.5", "da", "נסגרה עסקה", "Aa"},
			{"fr", "", "Sold", "Zoo"},
			{"*", "", "Sold", "Zoo"},
			{"x'; DROP TABLE feedback_reasons; --", "", "Sold", "Zoo"},
			{"en-GB,he", "en", "Sold", "Zoo"},
			{"he;q=0", "", "Sold", "Zoo"},
		} {
			t.Run(tt.accept, func(t *testing.T) {
				c := s.acme.with("Accept-Language", tt.accept)
				c.t = t
				for range 2 { // planned, and by the plan that was kept
					got := c.get("/odata/FeedbackReasons?$filter=ID in (7," + both + ")&$orderby=ID&$select=Name").want(200)
					if got.text("value", 0, "Name") != tt.first || got.text("value", 1, "Name") != tt.last || got.header.Get("Content-Language") != tt.language {
						t.Errorf("%q %s", got.header.Get("Content-Language"), got.body)
					}
					if !strings.Contains(got.header.Get("Vary"), "Accept-Language") {
						t.Errorf("Vary %q", got.header.Get("Vary"))
					}
					one := c.get("/odata/FeedbackReasons?$filter=Name eq '" + tt.first + "'&$select=ID").want(200)
					if one.text("value", 0, "ID") != "7" {
						t.Errorf("by its name: %s", one.body)
					}
					tree := c.get("/odata/Feedback?$expand=Reason($select=Name)&$select=ID").want(200)
					if tree.text("value", 0, "Reason", "Name") != tt.first || tree.header.Get("Content-Language") != tt.language {
						t.Errorf("expanded: %s", tree.body)
					}
					if name := c.get("/odata/FeedbackReasons(7)/Name/$value").want(200); string(name.body) != tt.first {
						t.Errorf("alone: %s", name.body)
					}
				}
			})
		}
		// The order is that of the names shown, page by page too.
		c := s.acme.with("Accept-Language", "he").with("Prefer", "odata.maxpagesize=3")
		var names []string
		for link := "/odata/FeedbackReasons?$orderby=Name&$select=Name"; link != ""; {
			got := c.get(link).want(200)
			for _, r := range got.at("value").([]any) {
				names = append(names, r.(map[string]any)["Name"].(string))
			}
			next, _ := got.at("@odata.nextLink").(string)
			link = strings.TrimPrefix(next, s.base)
		}
		if len(names) != 13 || !strings.HasPrefix(names[0], "Zoo") || names[1] != "התקבל" {
			t.Errorf("%q", names)
		}
		for i := 1; i < len(names); i++ {
			if names[i-1] > names[i] {
				t.Errorf("%q comes before %q", names[i-1], names[i])
			}
		}
		// A name that was read in a language and is sent back changes nothing.
		before := s.admin.get("/odata/FeedbackReasons(7)").want(200)
		after := s.admin.do("PATCH", "/odata/FeedbackReasons(7)", `{"Name":"נסגרה עסקה"}`).want(200)
		if after.text("Name") != "Sold" || after.text("Names", "en") != before.text("Names", "en") {
			t.Errorf("%s", after.body)
		}
		s.admin.do("PATCH", "/odata/FeedbackReasons(7)", `{"Name":"Deal"}`).want(200)
		if got := s.acme.with("Accept-Language", "en").get("/odata/FeedbackReasons(7)").want(200); got.text("Name") != "Deal" {
			t.Errorf("%s", got.body)
		}
	})
}

// TestReturnsFromOutside asks for a return as a customer and decides it as staff.
func TestReturnsFromOutside(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		asked := s.acme.post("/odata/Feedback", `{"RoutingID":"`+s.own+`","ReasonID":12,"Comment":"wrong number","ReturnState":"approved"}`).want(201)
		if asked.text("ReturnState") != "requested" {
			t.Errorf("%s", asked.body)
		}
		path := "/odata/Feedback(" + asked.text("ID") + ")"
		s.acme.post(path+"/DecideReturn", `{"Approve":true}`).want(403)
		s.other.post(path+"/DecideReturn", `{"Approve":true}`).want(404)
		s.admin.post(path+"/DecideReturn", `{"Approve":true,"Comment":"Credited"}`).want(200)
		got := s.acme.get(path + "?$expand=Routing($select=ReturnedAt)").want(200)
		if got.text("ReturnState") != "approved" || got.text("ReturnComment") != "Credited" || got.at("Routing", "ReturnedAt") == nil {
			t.Errorf("%s", got.body)
		}
		s.other.get(path).want(404)
	})
}

// TestFeedbackImport takes reports in from a file.
func TestFeedbackImport(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newRefusalStage(t, dir, dsn)
		write(t, dir, "reports.csv", "Lead;Reason ID;Status;Comment\n"+s.own+";3;;\"=1+1\"\n"+s.foreign+";;sold;\n7;3;;\n")
		line1, _ := json.Marshal(map[string]any{"RoutingID": s.own, "ReasonID": 7, "Amount": 10, "Currency": "EUR"})
		write(t, dir, "reports.jsonl", string(line1)+"\n{\"RoutingID\":\""+s.own+"\",\"ReasonID\":7,\"Amount\":10.001,\"Currency\":\"EUR\"}\n")
		sh := shell{t, dir, []string{"LEADLOOP_DB=" + dsn}}
		const refused = "leadloop: error: 1 row was refused"
		const waits = ` \(1 with a status that is not mapped yet\)`
		sh.run([]line{
			{
				args: "feedback import reports.csv --map Lead=RoutingID --dry-run", status: 1, out: "would add 2" + waits + ", there already 0, refused 1",
				err: "line 4: RoutingID: RoutingID is not a UUID\n" + refused + "\nleadloop: hint: --report FILE writes them to a file",
			},
			{args: "feedback import reports.csv --map Lead=RoutingID --report out.csv", status: 1, out: "added 2" + waits + ", there already 0, refused 1", err: refused + "; .*out.csv says why"},
			{args: "feedback import reports.csv --map Lead=RoutingID", status: 1, out: "added 0, there already 2, refused 1", err: ".*" + refused + ".*"},
			{args: "feedback import reports.jsonl", status: 1, out: "added 1, there already 0, refused 1", err: "line 2: Amount: Amount has more decimals than EUR has: 2\n.*"},
			{args: "feedback import reports.csv", status: 1, err: "leadloop: error: the file needs a column RoutingID, and ReasonID or Status; it has: Lead, Reason ID, Status, Comment"},
			{args: "feedback import none.csv", status: 1, err: "leadloop: error: open none.csv: no such file or directory"},
		})
		if n := s.admin.get("/odata/Feedback/$count").want(200); string(n.body) != "3" {
			t.Errorf("%s reports", n.body)
		}
	})
}
