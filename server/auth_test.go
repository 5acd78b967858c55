package server

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestKeys is who is let in with a key, and that every other one is turned away
// with the same answer.
func TestKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		acme := s.join(t, "Acme", "leads:read")
		at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
		_, future := s.connect(t, acme.id, map[string]any{"StartsAt": at(time.Hour)})
		_, expired := s.connect(t, acme.id, map[string]any{"StartsAt": at(-2 * time.Hour), "EndsAt": at(-time.Hour)})
		_, current := s.connect(t, acme.id, map[string]any{"StartsAt": at(-time.Hour), "EndsAt": at(time.Hour)})
		_, elsewhere := s.connect(t, acme.id, map[string]any{"AllowedNetworks": []string{"192.0.2.0/24"}})
		_, here := s.connect(t, acme.id, map[string]any{"AllowedNetworks": []string{"192.0.2.0/24", "127.0.0.0/8"}})
		other, revoked := s.connect(t, acme.id, nil)
		s.admin.post("/odata/Keys('"+strings.Split(revoked, "_")[2]+"')/Revoke", nil).want(204)
		gone, deleted := s.connect(t, acme.id, nil)
		s.admin.do("DELETE", "/odata/Connections("+gone+")", nil).want(204)
		last := acme.key[len(acme.key)-1:]
		misspelt := strings.TrimSuffix(acme.key, last) + map[bool]string{true: "b", false: "a"}[last == "a"]

		basic := func(user, password string) string {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
		}
		tests := []struct {
			name, header, value string
			in                  bool
		}{
			{"header", "X-API-Key", acme.key, true},
			{"bearer", "Authorization", "Bearer " + acme.key, true},
			{"scheme in small letters", "Authorization", "bearer " + acme.key, true},
			{"basic", "Authorization", basic(acme.connection, acme.key), true},
			{"basic in capitals", "Authorization", basic(strings.ToUpper(acme.connection), acme.key), true},
			{"current", "X-API-Key", current, true},
			{"from here", "X-API-Key", here, true},
			{"none", "", "", false},
			{"empty", "X-API-Key", "", false},
			{"junk", "X-API-Key", "junk", false},
			{"misspelt", "X-API-Key", misspelt, false},
			{"future", "X-API-Key", future, false},
			{"expired", "X-API-Key", expired, false},
			{"revoked", "X-API-Key", revoked, false},
			{"deleted", "X-API-Key", deleted, false},
			{"from elsewhere", "X-API-Key", elsewhere, false},
			{"basic of another connection", "Authorization", basic(other, acme.key), false},
			{"basic of nobody", "Authorization", basic("", acme.key), false},
			{"basic of a name", "Authorization", basic("acme", acme.key), false},
			{"basic without a key", "Authorization", basic(acme.connection, ""), false},
			{"bearer of nothing", "Authorization", "Bearer ", false},
			{"token that is none", "Authorization", "Bearer a.b.c", false},
			{"unknown scheme", "Authorization", "Digest " + acme.key, false},
		}
		refused := s.anyone.get("/odata/FeedbackReasons").want(401)
		if refused.text("error", "code") != "unauthorized" || refused.header.Get("WWW-Authenticate") == "" {
			t.Errorf("refused: %v %s", refused.header, refused.body)
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				c := client{t: t, base: s.base, header: http.Header{}}
				if tt.name != "none" {
					c = c.with(tt.header, tt.value)
				}
				got := c.get("/odata/FeedbackReasons?$top=1")
				if tt.in {
					got.want(200)
				} else if got.want(401); string(got.body) != string(refused.body) {
					t.Errorf("body %s differs from that of others, %s", got.body, refused.body)
				}
			})
		}
		t.Run("not in the address", func(t *testing.T) {
			s.anyone.get("/odata/FeedbackReasons?X-API-Key=" + acme.key).want(401)
		})
		t.Run("secrets are not logged", func(t *testing.T) {
			for _, secret := range []string{acme.key, adminPassword, s.admin.header.Get("Authorization")[7:]} {
				if strings.Contains(s.log.String(), secret) {
					t.Errorf("the log has %s", secret)
				}
			}
		})
	})
}

// TestTokens is the staff's sign-in over HTTP.
func TestTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		tokens := s.anyone.post("/auth/token", map[string]string{"email": " Admin@Example.com", "password": adminPassword}).want(200)
		wantHeader(tokens, "Cache-Control", "no-store")
		next := s.anyone.post("/auth/token", map[string]string{"refresh_token": tokens.text("refresh_token")}).want(200)
		staff := func(a answer) client { return s.anyone.with("Authorization", "Bearer "+a.text("access_token")) }
		staff(next).get("/odata/Users").want(200)

		s.anyone.post("/auth/token", map[string]string{"refresh_token": tokens.text("refresh_token")}).want(401)
		s.anyone.post("/auth/token", map[string]string{"refresh_token": next.text("refresh_token")}).want(401)
		staff(next).get("/odata/Users").want(401) // used twice: the whole sign-in has ended

		wrong := s.anyone.post("/auth/token", map[string]string{"email": adminEmail, "password": "wrong"}).want(401)
		nobody := s.anyone.post("/auth/token", map[string]string{"email": "nobody@example.com", "password": "wrong"}).want(401)
		if string(wrong.body) != string(nobody.body) {
			t.Errorf("a known address is told apart: %s and %s", wrong.body, nobody.body)
		}
	})
}

// TestRoles is who may do what.
func TestRoles(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		by := map[string]client{"nobody": s.anyone, "admin": s.admin, "customer": s.join(t, "Acme", "feedback:write", "leads:read", "routings:read").client}
		for _, role := range []string{"manager", "viewer"} {
			email := role + "@example.com"
			s.admin.post("/odata/Users", map[string]any{"Email": email, "Role": role, "Password": adminPassword}).want(201)
			by[role] = s.signIn(t, email, adminPassword)
		}
		rule := s.rule(t, "1", crm.url, nil)
		intake := s.source(t, "json", nil)
		lead := s.anyone.post(intake, `{"FirstName":"Dana"}`).want(201).text("id")
		routing := s.routingOf(lead)

		// The statuses for nobody, a customer, a viewer, a manager and an admin.
		order := []string{"nobody", "customer", "viewer", "manager", "admin"}
		tests := []struct {
			method, path string
			body         any
			want         [5]int
		}{
			{"GET", "/odata/", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/$metadata", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Customers", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Connections", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Keys", nil, [5]int{401, 403, 200, 200, 200}},
			{"GET", "/odata/Sources", nil, [5]int{401, 403, 200, 200, 200}},
			{"GET", "/odata/Leads", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Connectors", nil, [5]int{401, 403, 200, 200, 200}},
			{"GET", "/odata/Rules", nil, [5]int{401, 403, 200, 200, 200}},
			{"GET", "/odata/Routings", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Attempts", nil, [5]int{401, 403, 200, 200, 200}},
			{"GET", "/odata/FeedbackReasons", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Feedback", nil, [5]int{401, 200, 200, 200, 200}},
			{"GET", "/odata/Users", nil, [5]int{401, 403, 403, 403, 200}},
			{"POST", "/odata/Customers", `{"Name":"B"}`, [5]int{401, 403, 403, 201, 201}},
			{"PATCH", "/odata/Customers(1)", `{"Description":"x"}`, [5]int{401, 403, 403, 200, 200}},
			{"DELETE", "/odata/Customers(1)", nil, [5]int{401, 403, 403, 409, 409}},
			{"POST", "/odata/Connections", `{"CustomerID":1,"Name":"B"}`, [5]int{401, 403, 403, 201, 201}},
			{"POST", "/odata/Sources", `{"Name":"B","Kind":"json"}`, [5]int{401, 403, 403, 201, 201}},
			{"PATCH", "/odata/Sources(1)", `{"Name":"C"}`, [5]int{401, 403, 403, 200, 200}},
			{"POST", "/odata/Leads", `{"FirstName":"Eve"}`, [5]int{401, 403, 403, 201, 201}},
			{"PATCH", "/odata/Leads(" + lead + ")", `{"City":"Lod"}`, [5]int{401, 403, 403, 200, 200}},
			{"POST", "/odata/Connectors", `{"Name":"Mine","Method":"POST","Format":"json","URL":"https://example.com/x"}`, [5]int{401, 403, 403, 201, 201}},
			{"POST", "/odata/Rules", s.ruleFor("1", crm.url, nil), [5]int{401, 403, 403, 201, 201}},
			{"PATCH", "/odata/Rules(" + rule + ")", `{"Name":"C"}`, [5]int{401, 403, 403, 200, 200}},
			{"POST", "/odata/Rules(" + rule + ")/Test", nil, [5]int{401, 403, 403, 200, 200}},
			{"POST", "/odata/Rules(" + rule + ")/Activate", nil, [5]int{401, 403, 403, 200, 200}},
			{"POST", "/odata/Routings(" + routing + ")/Resend", nil, [5]int{401, 403, 403, 200, 200}},
			{"POST", "/odata/FeedbackReasons", `{"Name":"B","Category":"positive"}`, [5]int{401, 403, 403, 201, 201}},
			{"POST", "/odata/Feedback", `{"RoutingID":"` + routing + `","ReasonID":2}`, [5]int{401, 201, 403, 201, 201}},
			{"POST", "/odata/Users", `{"Email":"new-%@example.com","Role":"viewer","Password":"long enough, surely"}`, [5]int{401, 403, 403, 403, 201}},
			{"PATCH", "/odata/Users(1)", `{"Name":"C"}`, [5]int{401, 403, 403, 403, 200}},
			{"DELETE", "/odata/Users(1)", nil, [5]int{401, 403, 403, 403, 409}},
			{"GET", "/odata/Groups", nil, [5]int{401, 403, 403, 200, 200}},
			{"GET", "/odata/GroupMembers", nil, [5]int{401, 403, 403, 403, 200}},
			{"GET", "/odata/RuleViewers", nil, [5]int{401, 403, 200, 200, 200}},
			{"POST", "/odata/Groups", `{"Name":"New %"}`, [5]int{401, 403, 403, 403, 201}},
			{"POST", "/odata/GroupMembers", `{"GroupID":1,"UserID":2}`, [5]int{401, 403, 403, 403, 201}},
			{"POST", "/odata/Rules(" + rule + ")/Viewers", `{"GroupID":1}`, [5]int{401, 403, 403, 201, 409}},
			{"PATCH", "/odata/Groups(1)", `{"Description":"x"}`, [5]int{401, 403, 403, 403, 200}},
			{"DELETE", "/odata/GroupMembers(GroupID=1,UserID=2)", nil, [5]int{401, 403, 403, 403, 204}},
			{"DELETE", "/odata/Groups(1)", nil, [5]int{401, 403, 403, 403, 204}},
		}
		for _, tt := range tests {
			t.Run(tt.method+" "+tt.path, func(t *testing.T) {
				for i, who := range order {
					c := by[who]
					c.t = t
					body := tt.body
					if text, ok := body.(string); ok {
						body = strings.ReplaceAll(text, "%", who)
					}
					if strings.HasSuffix(tt.path, "/Resend") {
						s.routingOf(lead)
					}
					if got := c.do(tt.method, tt.path, body); got.status != tt.want[i] {
						t.Errorf("%s: %d, want %d: %s", who, got.status, tt.want[i], got.body)
					}
				}
			})
		}
		t.Run("a viewer sees no token", func(t *testing.T) {
			c := by["viewer"]
			if got := c.get("/odata/Sources"); strings.Contains(string(got.body), strings.TrimPrefix(intake, "/intake/")) {
				t.Errorf("sources: %s", got.body)
			}
			c.get("/odata/Sources?$filter=startswith(Token,'a')").want(400)
			c.get("/odata/Sources?$orderby=Token").want(400)
		})
	})
}
