package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// keyID is the id inside a key.
func keyID(key string) string { return strings.Split(key, "_")[2] }

// TestKeysAreReplaced is the life of a key, as its connection's owner sees it.
func TestKeysAreReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		acme := s.join(t, "Acme", "leads:read", "feedback:write")
		status := func(key string) int { return s.anyone.with("X-API-Key", key).get("/odata/Customers").status }
		rotate := func(key, body string) string {
			t.Helper()
			return s.admin.post("/odata/Keys('"+keyID(key)+"')/Rotate", body).want(200).text("Key")
		}
		second := rotate(acme.key, `{}`)
		if status(acme.key) != 200 || status(second) != 200 {
			t.Errorf("in the overlap: old %d, new %d", status(acme.key), status(second))
		}
		ends := s.admin.get("/odata/Keys('" + keyID(acme.key) + "')").text("ExpiresAt")
		if at, err := time.Parse(time.RFC3339, ends); err != nil || time.Until(at) < 23*time.Hour || time.Until(at) > 24*time.Hour {
			t.Errorf("the old key ends at %s, want it in a day", ends)
		}
		third := rotate(second, `{"OverlapHours":0}`)
		if status(second) != 401 || status(third) != 200 || status(acme.key) != 200 {
			t.Errorf("at once: first %d, second %d, third %d", status(acme.key), status(second), status(third))
		}
		s.admin.post("/odata/Keys('"+keyID(second)+"')/Rotate", `{}`).want(409)
		s.admin.post("/odata/Keys('"+keyID(third)+"')/Rotate", `{"OverlapHours":-1}`).want(400)
		acme.post("/odata/Keys('"+keyID(third)+"')/Rotate", `{}`).want(403)

		issue := "/odata/Connections(" + acme.connection + ")/IssueKey"
		s.admin.post(issue, `{"ExpiresAt":"2020-01-01T00:00:00Z"}`).want(400)
		s.admin.post(issue, `{"Scopes":["everything"]}`).want(400)
		narrow := s.anyone.with("X-API-Key", s.admin.post(issue, `{"Scopes":["leads:read","routings:read"],"ExpiresAt":"2099-01-01T00:00:00Z"}`).want(200).text("Key"))
		narrow.get("/odata/Leads").want(200)
		narrow.post("/odata/Feedback", `{"RoutingID":"00000000-0000-7000-8000-000000000000","ReasonID":3}`).want(403)

		eventually(t, 15*time.Second, "the last use is shown", func() bool {
			row := s.admin.get("/odata/Keys('" + keyID(third) + "')").want(200)
			return row.at("LastUsedAt") != nil && row.at("LastUsedFrom") == "127.0.0.1"
		})
	})
}

// TestHoldersRevoke: whoever has a key can end it, by the key alone.
func TestHoldersRevoke(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		acme := s.join(t, "Acme", "leads:read")
		elsewhere, leaked := s.connect(t, acme.id, map[string]any{"AllowedNetworks": []string{"192.0.2.0/24"}})
		const revoke = "/auth/key/revoke"
		basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(elsewhere+":"+leaked))
		s.anyone.with("X-API-Key", leaked).get("/odata/Leads").want(401) // not from here
		s.anyone.with("X-API-Key", leaked).get(revoke).want(405)
		s.anyone.post(revoke, nil).want(401)
		s.anyone.with("X-API-Key", leaked[:len(leaked)-1]+"!").post(revoke, nil).want(401)
		s.admin.post(revoke, nil).want(401) // a staff token is no key
		s.anyone.with("Authorization", basic).post(revoke, nil).want(204)
		s.anyone.with("Authorization", "Bearer "+leaked).post(revoke, nil).want(204) // again: no harm
		if row := s.admin.get("/odata/Keys('" + keyID(leaked) + "')").want(200); row.at("RevokedAt") == nil {
			t.Errorf("the key is not revoked: %s", row.body)
		}
		acme.get("/odata/Leads").want(200)
		acme.with("X-API-Key", acme.key).post(revoke, nil).want(204)
		acme.get("/odata/Leads").want(401)
		if strings.Contains(s.log.String(), leaked) {
			t.Error("the log has the key")
		}
	})
}

// TestScopes is what each scope allows, and nothing more.
func TestScopes(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		customer := s.admin.post("/odata/Customers", `{"Name":"Acme"}`).want(201).text("ID")
		by := map[string]client{}
		order := []string{"", "feedback:write", "leads:read", "routings:read", "reasons:read"}
		for _, scope := range order {
			_, key := s.connect(t, customer, map[string]any{"Scopes": strings.Fields(scope)})
			by[scope] = s.anyone.with("X-API-Key", key)
		}
		const nothing = "00000000-0000-7000-8000-000000000000"
		for _, tt := range []struct {
			method, path, body string
			want               [5]int
		}{
			{"GET", "/odata/Customers", "", [5]int{403, 200, 200, 200, 200}},
			{"GET", "/odata/Connections", "", [5]int{403, 200, 200, 200, 200}},
			{"GET", "/odata/FeedbackReasons", "", [5]int{403, 200, 200, 200, 200}},
			{"GET", "/odata/Leads", "", [5]int{403, 403, 200, 403, 403}},
			{"GET", "/odata/Routings", "", [5]int{403, 403, 200, 200, 403}},
			{"GET", "/odata/Feedback", "", [5]int{403, 200, 403, 200, 403}},
			{"GET", "/odata/Routings?$expand=Lead", "", [5]int{403, 403, 200, 403, 403}},
			{"GET", "/odata/Routings?$expand=Feedback", "", [5]int{403, 403, 403, 200, 403}},
			{"GET", "/odata/Routings?$filter=Lead/City eq 'x'", "", [5]int{403, 403, 200, 403, 403}},
			{"GET", "/odata/Customers?$expand=Routings", "", [5]int{403, 403, 200, 200, 403}},
			{"POST", "/odata/Feedback", `{"RoutingID":"` + nothing + `","ReasonID":3}`, [5]int{403, 404, 403, 403, 403}},
			{"POST", "/odata/Routings(" + nothing + ")/Feedback", `{"ReasonID":3}`, [5]int{403, 403, 404, 404, 403}},
			{"GET", "/odata/Keys", "", [5]int{403, 403, 403, 403, 403}},
			{"GET", "/odata/Rules", "", [5]int{403, 403, 403, 403, 403}},
			{"GET", "/odata/Sources", "", [5]int{403, 403, 403, 403, 403}},
			{"GET", "/odata/Users", "", [5]int{403, 403, 403, 403, 403}},
			{"GET", "/odata/Groups", "", [5]int{403, 403, 403, 403, 403}},
			{"GET", "/odata/RuleViewers", "", [5]int{403, 403, 403, 403, 403}},
			{"GET", "/odata/Attempts", "", [5]int{403, 403, 403, 403, 403}},
		} {
			for i, scope := range order {
				c := by[scope]
				c.t = t
				if got := c.do(tt.method, tt.path, map[bool]any{true: nil, false: tt.body}[tt.body == ""]); got.status != tt.want[i] {
					t.Errorf("%s %s with %q: %d, want %d: %s", tt.method, tt.path, scope, got.status, tt.want[i], got.body)
				}
				if tt.method == "GET" {
					part := c.post("/odata/$batch", `{"requests":[{"id":"1","method":"get","url":"`+strings.ReplaceAll(tt.path, `"`, `\"`)+`"}]}`).want(200)
					if got := part.text("responses", 0, "status"); got != strconv.Itoa(tt.want[i]) {
						t.Errorf("%s in a batch with %q: %s, want %d", tt.path, scope, got, tt.want[i])
					}
				}
			}
		}
	})
}

// TestRateOfConnections: a connection's requests of a minute are bounded, all its
// keys and the parts of its batches together.
func TestRateOfConnections(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		customer := s.admin.post("/odata/Customers", `{"Name":"Acme"}`).want(201).text("ID")
		connection, key := s.connect(t, customer, map[string]any{"RequestsPerMinute": 3, "Scopes": []string{"leads:read"}})
		again := s.admin.post("/odata/Connections("+connection+")/IssueKey", nil).want(200).text("Key")
		_, free := s.connect(t, customer, map[string]any{"Scopes": []string{"leads:read"}})
		c, other := s.anyone.with("X-API-Key", key), s.anyone.with("X-API-Key", again)
		c.get("/odata/Leads").want(200)
		other.get("/odata/Leads").want(200)
		c.get("/odata/Leads/$count").want(200)
		limited := other.get("/odata/Leads").want(429)
		if after, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || after < 1 || after > 20 || limited.text("error", "code") != "rate_limited" {
			t.Errorf("Retry-After %q: %s", limited.header.Get("Retry-After"), limited.body)
		}
		c.post("/odata/$batch", `{"requests":[]}`).want(429)
		s.anyone.with("X-API-Key", free).get("/odata/Leads").want(200)
		s.admin.get("/odata/Leads").want(200)

		connection, key = s.connect(t, customer, map[string]any{"RequestsPerMinute": 3, "Scopes": []string{"leads:read"}})
		c = s.anyone.with("X-API-Key", key)
		var parts []string
		for i := range 30 {
			parts = append(parts, fmt.Sprintf(`{"id":"%d","method":"get","url":"Leads"}`, i))
		}
		c.post("/odata/$batch", `{"requests":[`+strings.Join(parts, ",")+`]}`).want(200) // let in, and paid for
		limited = c.get("/odata/Leads").want(429)
		if after, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || after < 9*60 {
			t.Errorf("after a batch of ten minutes' requests, Retry-After is %q", limited.header.Get("Retry-After"))
		}
		s.admin.do("PATCH", "/odata/Connections("+connection+")", `{"RequestsPerMinute":6000}`).want(200)
		c.get("/odata/Leads").want(200)
	})
}

// TestGuessesAreBounded: who sends wrong keys is not heard any more, and who has
// used a good one from the same address is.
func TestGuessesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn, "--trusted-proxies", "127.0.0.0/8")
		acme := s.join(t, "Acme", "leads:read")
		_, unused := s.connect(t, acme.id, map[string]any{"Scopes": []string{"leads:read"}})
		acme.get("/odata/Leads").want(200)
		wrong := acme.key[:len(acme.key)-3] + "000"
		guess := s.anyone.with("X-API-Key", wrong)
		statuses := map[int]int{}
		for range guessesMost + 10 {
			statuses[guess.get("/odata/Leads").status]++
		}
		if statuses[http.StatusUnauthorized] != guessesMost || statuses[http.StatusTooManyRequests] != 10 {
			t.Errorf("answers to guesses: %v", statuses)
		}
		over := guess.get("/odata/Leads").want(429)
		if over.header.Get("Retry-After") == "" {
			t.Errorf("no Retry-After: %v", over.header)
		}
		s.anyone.with("X-API-Key", unused).get("/odata/Leads").want(429) // a right guess is not told from a wrong one
		s.anyone.with("X-API-Key", wrong).post("/auth/key/revoke", nil).want(429)
		acme.get("/odata/Leads").want(200)
		s.admin.get("/odata/Leads").want(200)
		s.anyone.get("/odata/Leads").want(401) // no credentials are no guess: clients ask first how to sign in
		from := s.anyone.with("X-Forwarded-For", "198.51.100.7")
		from.with("X-API-Key", unused).get("/odata/Leads").want(200)
		from.with("X-API-Key", wrong).get("/odata/Leads").want(401)
	})
}
