package server

import (
	"testing"
	"time"
)

// TestChangesReachOtherServers: what one server takes away is gone on another one
// of the same database: keys within five seconds, rights of staff within two.
func TestChangesReachOtherServers(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		there := serve(t, dir, dsn).base
		acme := s.join(t, "Acme", "leads:read")
		id := s.admin.post("/odata/Users", map[string]any{"Email": "dana@example.com", "Role": "admin", "Password": adminPassword}).want(201).text("ID")
		dana := s.signIn(t, "dana@example.com", adminPassword)
		at := func(c client) client { c.base = there; return c }
		at(acme.client).get("/odata/Leads").want(200)
		at(dana).get("/odata/Users").want(200)
		within := func(limit time.Duration, what string, gone func() bool) {
			t.Helper()
			eventually(t, limit+time.Second, what, gone) // a second for a machine that is busy
		}
		s.admin.do("PATCH", "/odata/Users("+id+")", `{"Role":"viewer"}`).want(200)
		dana.get("/odata/Users").want(403)
		within(2*time.Second, "the role is known elsewhere", func() bool { return at(dana).get("/odata/Users").status == 403 })
		s.admin.do("PATCH", "/odata/Users("+id+")", `{"Active":false}`).want(200)
		dana.get("/odata/Leads").want(401)
		within(2*time.Second, "the user is out elsewhere", func() bool { return at(dana).get("/odata/Leads").status == 401 })
		s.admin.post("/odata/Keys('"+keyID(acme.key)+"')/Revoke", nil).want(204)
		acme.get("/odata/Leads").want(401)
		within(5*time.Second, "the key is revoked elsewhere", func() bool { return at(acme.client).get("/odata/Leads").status == 401 })
	})
}
