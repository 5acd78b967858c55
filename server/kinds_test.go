package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func hmacOf(secret, text string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// form is a client that sends forms.
func (c client) form() client { return c.with("Content-Type", "application/x-www-form-urlencoded") }

// TestMetaIntake has leads announced by Meta, which are read back from a Graph
// that is down at first, over a restart of the server.
func TestMetaIntake(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		var mu sync.Mutex
		up, asked := false, map[string]int{}
		graph := listen(t, func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
			asked[id]++
			if !up || r.URL.Query().Get("access_token") != "graph-token" {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprintf(w, `{"id":%q,"created_time":"2026-03-01T18:00:00+0000","field_data":[{"name":"full_name","values":["תמר אורן"]},{"name":"phone_number","values":["+972521234567"]}]}`, id)
		})
		intake := s.source(t, "meta", map[string]any{"Settings": map[string]any{
			"AppSecret": "app-secret", "VerifyToken": "knock-knock", "AccessToken": "graph-token", "GraphURL": strings.TrimSuffix(graph.url, "/leads"),
		}})
		src := s.admin.get("/odata/Sources(1)").want(200)
		for _, secret := range []string{"app-secret", "knock-knock", "graph-token"} {
			if strings.Contains(string(src.body), secret) {
				t.Errorf("the source shows %s", src.body)
			}
		}

		got := s.anyone.get(intake + "?hub.mode=subscribe&hub.verify_token=knock-knock&hub.challenge=1158201444").want(200)
		if string(got.body) != "1158201444" || !strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") || got.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("the challenge gave %s, %v", got.body, got.header)
		}
		s.anyone.get(intake + "?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=1").want(403)

		announce := func(ids ...string) string {
			var changes []string
			for _, id := range ids {
				changes = append(changes, `{"field":"leadgen","value":{"leadgen_id":`+id+`,"page_id":153125381133,"form_id":9007199254740995,"created_time":1772388000}}`)
			}
			return `{"object":"page","entry":[{"id":153125381133,"time":1772388000,"changes":[` + strings.Join(changes, ",") + `]}]}`
		}
		signed := func(body string) client {
			return s.anyone.with("X-Hub-Signature-256", "sha256="+hex.EncodeToString(hmacOf("app-secret", body)))
		}
		body := announce("9007199254740993", "18446744073709551617")
		s.anyone.post(intake, body).want(401)
		signed(body+" ").post(intake, body).want(401)
		first := signed(body).post(intake, body).want(200)
		if second := signed(body).post(intake, body).want(200); string(first.body) != string(second.body) {
			t.Errorf("the same notice gave %s, then %s", first.body, second.body)
		}
		eventually(t, 10*time.Second, "the Graph is asked", func() bool { mu.Lock(); defer mu.Unlock(); return len(asked) == 2 })
		s.stop()
		mu.Lock()
		up = true
		mu.Unlock()
		s.start(t, "--allow-networks", "127.0.0.0/8")
		eventually(t, 20*time.Second, "both leads are there", func() bool { return string(s.admin.get("/odata/Leads/$count").want(200).body) == "2" })
		lead := s.admin.get("/odata/Leads(" + first.text("ids", 1) + ")").want(200)
		if lead.text("ExternalID") != "18446744073709551617" || lead.text("FirstName") != "תמר" || lead.text("form_id") != "9007199254740995" {
			t.Errorf("stored %s", lead.body)
		}
		if last := signed(body).post(intake, body).want(200); string(first.body) != string(last.body) {
			t.Errorf("the same notice gave %s, at last %s", first.body, last.body)
		}
		if n := string(s.admin.get("/odata/Leads/$count").want(200).body); n != "2" {
			t.Errorf("%s leads", n)
		}
		if strings.Contains(s.log.String(), "graph-token") {
			t.Error("the access token is in the log")
		}
	})
}

func TestTypeformIntake(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		intake := s.source(t, "typeform", map[string]any{"Secret": "tf-secret"})
		body := `{"event_id":"e1","event_type":"form_response","form_response":{"form_id":"f","token":"tok-1","submitted_at":"2026-03-01T18:17:02Z",
			"definition":{"fields":[{"id":"a","title":"שם מלא","ref":"r1","type":"short_text"},{"id":"b","title":"Rooms?","ref":"r2","type":"multiple_choice"}]},
			"answers":[{"type":"text","text":"נועה לוי","field":{"id":"a","ref":"r1"}},{"type":"choices","choices":{"labels":["2","3"]},"field":{"id":"b","ref":"r2"}}]}}`
		sign := func(text string) string {
			return "sha256=" + base64.StdEncoding.EncodeToString(hmacOf("tf-secret", text))
		}
		id := s.anyone.with("Typeform-Signature", sign(body)).post(intake, body).want(200).text("id")
		if again := s.anyone.with("Typeform-Signature", sign(body)).post(intake, body).want(200).text("id"); again != id {
			t.Errorf("the same response is %s, want %s", again, id)
		}
		s.anyone.with("Typeform-Signature", sign("x")).post(intake, body).want(401)
		s.anyone.post(intake, body).want(401)
		lead := s.admin.get("/odata/Leads(" + id + ")").want(200)
		if lead.text("FirstName") != "נועה" || lead.text("Rooms?") != "2, 3" || lead.text("ExternalID") != "tok-1" {
			t.Errorf("stored %s", lead.body)
		}
	})
}

func TestLinkedInIntake(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		intake := s.source(t, "linkedin", map[string]any{"Secret": "client-secret", "Settings": map[string]any{"AcceptUnsigned": true}, "Mapping": []map[string]any{
			{"Target": "FullName", "Source": "concat(_1,concat(' ',_2))"}, {"Target": "Email", "Field": "3"}, {"Target": "Size", "Field": "4", "Default": "unknown"},
		}})
		code := "890e4665-4dfe-4ab1-b689-ed553bceeed0"
		s.anyone.get(intake+"?challengeCode="+code).want(200).is(s.base, `{"challengeCode":"`+code+`","challengeResponse":"`+hex.EncodeToString(hmacOf("client-secret", code))+`"}`)
		body := `{"id":"r-1","leadType":"SPONSORED","testLead":false,"submittedAt":1772388000123,"formResponse":{"answers":[
			{"questionId":1,"answerDetails":{"textQuestionAnswer":{"answer":"Dana"}}},{"questionId":2,"answerDetails":{"textQuestionAnswer":{"answer":"Barak"}}},
			{"questionId":3,"answerDetails":{"textQuestionAnswer":{"answer":"Dana@Example.com"}}}]}}`
		id := s.anyone.post(intake, body).want(200).text("id")
		if again := s.anyone.post(intake, body).want(200).text("id"); again != id {
			t.Errorf("the same response is %s, want %s", again, id)
		}
		s.anyone.with("X-LI-Signature", "hmacsha256="+strings.Repeat("0", 64)).post(intake, body).want(401)
		lead := s.admin.get("/odata/Leads(" + id + ")").want(200)
		if lead.text("FirstName") != "Dana" || lead.text("LastName") != "Barak" || lead.text("Email") != "dana@example.com" || lead.text("Size") != "unknown" {
			t.Errorf("stored %s", lead.body)
		}
	})
}

func TestFormIntakes(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		lead := func(id string) answer { return s.admin.get("/odata/Leads(" + id + ")").want(200) }

		intake := s.source(t, "elementor", nil)
		id := s.anyone.form().post(intake, url.Values{
			"form[id]": {"3c"}, "fields[x1][type]": {"tel"}, "fields[x1][title]": {"איפה?"}, "fields[x1][value]": {"050-7654321"},
			"fields[x2][title]": {"שם מלא"}, "fields[x2][value]": {"יעל בן דוד"}, "meta[remote_ip][value]": {"2001:db8::1"},
		}.Encode()).want(200).text("id")
		if got := lead(id); got.text("Phone") != "+972507654321" || got.text("FirstName") != "יעל" || got.text("remote_ip") != "2001:db8::1" {
			t.Errorf("elementor: %s", got.body)
		}

		intake = s.source(t, "salesforce-web-to-lead", map[string]any{"Settings": map[string]any{"ReturnHosts": "thanks.example.com"}})
		sent := url.Values{"oid": {"00D"}, "retURL": {"https://thanks.example.com/ok"}, "first_name": {"Avi"}, "last_name": {"Cohen"}, "00N5g0": {"4"}}
		if got := s.anyone.form().post(intake, sent.Encode()).want(302).header.Get("Location"); got != "https://thanks.example.com/ok" {
			t.Errorf("sent on to %s", got)
		}
		sent.Set("retURL", "https://evil.example/")
		if got := lead(s.anyone.form().post(intake, sent.Encode()).want(200).text("id")); got.text("LastName") != "Cohen" || got.text("00N5g0") != "4" {
			t.Errorf("salesforce-web-to-lead: %s", got.body)
		}

		intake = s.source(t, "leadmanager", map[string]any{"Secret": "k3y"})
		for _, got := range []answer{
			s.anyone.form().post(intake, url.Values{"lm_key": {"k3y"}, "subscribers_name": {"רונית גל"}, "fld_77": {"x"}, "fields[REF]": {"A"}}.Encode()),
			s.anyone.get(intake + "?" + url.Values{"lm_key": {"k3y"}, "name": {"רונית"}, "msg": {"שלום"}, "lm_redirect": {"no"}}.Encode()),
		} {
			if l := lead(got.want(200).text("result")); l.text("FirstName") != "רונית" {
				t.Errorf("leadmanager: %s", l.body)
			}
		}
		bad := s.anyone.form().post(intake, "lm_key=key&name=x").want(401)
		if bad.text("error", "target") != "lm_key" {
			t.Errorf("refused with %s", bad.body)
		}
	})
}

// TestSourceMapping is what staff are told of a mapping that does not hold, and
// that settings and mapping come back as they were.
func TestSourceMapping(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		mapping := []map[string]any{{"Target": "City", "Field": "עיר מגורים בפועל"}, {"Target": "Rooms", "Source": "trim(rooms)", "Default": "?"}, {"Target": "A", "Source": "concat(x,"}}
		bad := s.admin.post("/odata/Sources", map[string]any{"Name": "x", "Kind": "json", "Mapping": mapping}).want(400)
		if bad.text("error", "target") != "Mapping/2/Source" || !strings.Contains(bad.text("error", "message"), "position 10") {
			t.Errorf("refused with %s", bad.body)
		}
		several := s.admin.post("/odata/Sources", map[string]any{"Name": "x", "Kind": "json", "Mapping": []map[string]any{{"Target": "ID", "Field": "x"}, {"Target": "A"}}}).want(400)
		if several.text("error", "details", 1, "target") != "Mapping/1/Field" {
			t.Errorf("refused with %s", several.body)
		}
		s.admin.post("/odata/Sources", map[string]any{"Name": "x", "Kind": "meta", "Settings": map[string]any{"GraphURL": "nowhere"}}).want(400)
		if n := string(s.admin.get("/odata/Sources/$count").want(200).body); n != "0" {
			t.Errorf("%s sources were stored", n)
		}
		intake := s.source(t, "json", map[string]any{"Mapping": mapping[:2]})
		got := s.admin.get("/odata/Sources(1)?$select=Mapping").want(200)
		if got.text("Mapping", 1, "Default") != "?" || got.text("Mapping", 0, "Field") != "עיר מגורים בפועל" || got.at("Mapping", 0, "Default") != nil {
			t.Errorf("the mapping is %s", got.body)
		}
		id := s.anyone.post(intake, `{"name":"Dana","עיר מגורים בפועל":"חיפה","rooms":" 4 "}`).want(201).text("id")
		if lead := s.admin.get("/odata/Leads(" + id + ")").want(200); lead.text("City") != "חיפה" || lead.text("Rooms") != "4" {
			t.Errorf("stored %s", lead.body)
		}
		s.admin.do("PATCH", "/odata/Sources(1)", map[string]any{"Mapping": []any{}}).want(200)
		id = s.anyone.post(intake, `{"name":"Dana","עיר מגורים בפועל":"חיפה"}`).want(201).text("id")
		if lead := s.admin.get("/odata/Leads(" + id + ")").want(200); lead.at("City") != nil {
			t.Errorf("stored %s by the old mapping", lead.body)
		}
	})
}
