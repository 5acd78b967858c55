package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/store"
)

// personal is what the lead of these tests is known by, in all the places it
// comes to.
var personal = []string{
	"Zilpa", "Quxberg", "521234567", "052-123-4567", "zilpa.q", "Erasetown", "a secret wish", "brown shoes", "far-7781", "wants-pink", "I agree to all", "term-zq", "203.0.113.77",
}

// A lead that was erased is nowhere in the database, and its row tells what
// became of it.
func TestErase(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn, "--trusted-proxies", "127.0.0.0/8")
		mapping := []map[string]any{
			{"Target": "ref", "Source": "RoutingID"}, {"Target": "name", "Source": "concat(FirstName,concat(' ',LastName))"}, {"Target": "email", "Source": "Email"},
		}
		acme := s.join(t, "Acme", "feedback:write", "leads:read", "routings:read")
		s.rule(t, acme.id, listen(t, nil).url, map[string]any{"Mapping": mapping})
		beta := s.join(t, "Beta")
		refused := s.rule(t, beta.id, listen(t, complains).url, map[string]any{"Mapping": mapping})
		onward := listen(t, nil)
		intake := s.source(t, "json", map[string]any{
			"MaxRoutings": 0, "Checks": []map[string]any{{"Property": "City", "Required": true}}, "OnwardConnectorID": s.webhook,
			"OnwardSettings": map[string]any{"URL": onward.url}, "OnwardMapping": []map[string]any{{"Target": "id", "Source": "ExternalID"}, {"Target": "comment", "Source": "Comment"}},
		})
		sender := s.anyone.with("X-Forwarded-For", "203.0.113.77")
		const fields = `"FirstName":"Zilpa","LastName":"Quxberg","Phone":"052-123-4567","Email":"Zilpa.Q@example.com","ExternalID":"far-7781",
			"Message":"a secret wish","Shoes":"brown shoes","ConsentText":"I agree to all","UtmTerm":"term-zq","Campaign":"Spring"`
		sender.post(intake, "{"+fields+"}").want(400) // a rejection
		lead := sender.post(intake, `{`+fields+`,"City":"Erasetown"}`).want(201).text("id")
		eventually(t, 10*time.Second, "it is delivered", func() bool {
			return len(acme.get("/odata/Routings?$filter=State eq 'delivered'").want(200).at("value").([]any)) == 1
		})
		routing := acme.get("/odata/Routings").want(200).text("value", 0, "ID")
		s.settled(t, refused, "rejected")
		reason := s.admin.post("/odata/FeedbackReasons", `{"Name":"Wrong number","Category":"invalid","AsksForReturn":true}`).want(201).text("ID")
		report := acme.post("/odata/Feedback", `{"RoutingID":"`+routing+`","ReasonID":`+reason+`,"Comment":"wants-pink"}`).want(201).text("ID")
		s.admin.post("/odata/Feedback("+report+")/DecideReturn", `{"Approve":true,"Comment":"Zilpa answers"}`).want(200)
		onward.next(t, 10*time.Second)
		s.admin.with("Repeatability-Request-ID", "a6a2a3a0-0000-4000-8000-000000000001").with("Repeatability-First-Sent", time.Now().UTC().Format(http.TimeFormat)).
			do("PATCH", "/odata/Leads("+lead+")", `{"Message":"a secret wish, again"}`).want(200)
		for _, text := range personal {
			if !strings.Contains(dump(t, dir, dsn), text) {
				t.Errorf("%s is not in the database to begin with", text)
			}
		}

		exported := s.admin.post("/odata/ExportPerson", `{"Phone":"0521234567"}`).want(200)
		for _, text := range append([]string{lead, routing, "Spring"}, personal...) {
			if !strings.Contains(string(exported.body), text) {
				t.Errorf("the export has no %s", text)
			}
		}
		for section, least := range map[string]int{
			"Routings": 2, "Attempts": 3, "Feedback": 1, "Onwards": 1, "Decisions": 1, "Rejections": 1, "Notices": 0, "Announced": 0, "AuditEvents": 0,
		} {
			if got := exported.at("Leads", 0, section).([]any); len(got) < least {
				t.Errorf("%d %s are exported, want %d: %v", len(got), section, least, got)
			}
		}
		if got := exported.text("Leads", 0, "Consent", "RemoteAddress"); got != "203.0.113.77" {
			t.Errorf("the consent came from %s", got)
		}
		now := s.admin.get("/odata/Leads(" + lead + ")").want(200)
		if at := now.text("ConsentAt"); at != now.text("ReceivedAt") || exported.text("Leads", 0, "Consent", "At")[:19] != at[:19] {
			t.Errorf("%s", exported.body)
		}

		erase := "/odata/Leads(" + lead + ")/Erase"
		acme.post(erase, nil).want(403)
		s.anyone.post(erase, nil).want(401)
		s.admin.post("/odata/Users", `{"Email":"view@example.com","Role":"viewer","Password":"`+adminPassword+`"}`).want(201)
		viewer := s.signIn(t, "view@example.com", adminPassword)
		viewer.post(erase, nil).want(403)
		viewer.post("/odata/ExportPerson", `{"Phone":"0521234567"}`).want(403)
		acme.post("/odata/ExportPerson", `{"Phone":"0521234567"}`).want(403)
		s.admin.post("/odata/ExportPerson", `{}`).want(400)
		s.admin.post("/odata/Leads("+uuid.NewString()+")/Erase", nil).want(404)

		before := s.events()
		erased := s.admin.post(erase, nil).want(200)
		if erased.text("State") != "routed" || erased.text("Campaign") != "Spring" || erased.at("ErasedAt") == nil || erased.at("FirstName") != nil {
			t.Errorf("%s", erased.body)
		}
		s.admin.post(erase, nil).want(200)
		if n := s.events() - before; n != 1 {
			t.Errorf("%d events", n)
		}
		left := dump(t, dir, dsn)
		for _, text := range personal {
			if i := strings.Index(left, text); i >= 0 {
				t.Errorf("%s is still there: %s", text, left[max(0, i-200):min(len(left), i+100)])
			}
		}
		s.admin.do("PATCH", "/odata/Leads("+lead+")", `{"City":"Oz"}`).want(409)
		s.admin.post("/odata/Leads("+lead+")/Route", nil).want(409)
		s.admin.post("/odata/Routings("+routing+")/Resend", nil).want(409)
		s.admin.get("/odata/Leads?$search=Zilpa&$count=true&$top=0").want(200).is(s.base,
			`{"@odata.context":"%BASE%/odata/$metadata#Leads","@odata.count":0,"value":[]}`)
		if got := s.admin.post("/odata/ExportPerson", `{"Phone":"0521234567","Email":"zilpa.q@example.com"}`).want(200); len(got.at("Leads").([]any)) != 0 {
			t.Errorf("%s", got.body)
		}
		acme.get("/odata/Feedback?$filter=RoutingID eq " + routing).want(200)
		if got := (command{dir: dir, args: []string{"person", "export", "--email", "zilpa.q@example.com", "--db", dsn}}).run(t); got.status != 0 || !strings.Contains(got.out, `"Leads": []`) {
			t.Errorf("%+v", got)
		}
	})
}

// complains refuses what it is sent, and repeats it.
func complains(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Leadloop-Test") == "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = io.WriteString(w, `{"message":"Zilpa Quxberg, zilpa.q@example.com, is known here"}`)
	}
}

// dump is every row of every table, as text. The words of a search index are
// kept apart from the leads, and not as they were written.
func dump(t *testing.T, dir, dsn string) string {
	t.Helper()
	db, err := store.Open(background, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables := `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fts%'`
	if db.Dialect() == store.Postgres {
		tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`
	}
	var names []string
	if err := db.Read(background).Raw(tables).Scan(&names).Error; err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	var b strings.Builder
	for _, name := range names {
		rows, err := db.Read(background).Raw(`SELECT * FROM "` + name + `"`).Rows()
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		for rows.Next() {
			values, places := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				places[i] = &values[i]
			}
			if err := rows.Scan(places...); err != nil {
				t.Fatal(err)
			}
			for i, v := range values {
				if text, ok := v.([]byte); ok {
					v = string(text)
				}
				fmt.Fprintf(&b, "%s.%s=%v\n", name, columns[i], v)
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return b.String()
}
