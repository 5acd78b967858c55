package server

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestTrustedProxies: behind a proxy that is trusted the client's own address
// counts, and the addresses in answers are those the client knows.
func TestTrustedProxies(t *testing.T) {
	dir := t.TempDir()
	s := newStage(t, dir, filepath.Join(dir, "leadloop.db"), "--trusted-proxies", "127.0.0.0/8")
	acme := s.join(t, "Acme", "reasons:read")
	_, key := s.connect(t, acme.id, map[string]any{"AllowedNetworks": []string{"198.51.100.0/24"}})
	c := client{t: t, base: s.base}.with("X-API-Key", key)

	c.get("/odata/FeedbackReasons?$top=1").want(401)
	c.with("X-Forwarded-For", "203.0.113.5").get("/odata/FeedbackReasons?$top=1").want(401)
	c.with("X-Forwarded-For", "198.51.100.7, 203.0.113.5").get("/odata/FeedbackReasons?$top=1").want(401)
	c = c.with("X-Forwarded-For", "203.0.113.5, 198.51.100.7").with("X-Forwarded-Proto", "https").with("X-Forwarded-Host", "crm.example")
	got := c.get("/odata/FeedbackReasons?$top=1&$select=ID").want(200)
	if context := got.text("@odata.context"); context != "https://crm.example/odata/$metadata#FeedbackReasons(ID)" {
		t.Error(context)
	}

	// Who is not let in gets an answer of the service's own kind.
	for version, want := range map[string]string{"": "4.01", "4.0": "4.0"} {
		refused := s.anyone.with("OData-MaxVersion", version).get("/odata/FeedbackReasons").want(401)
		wantHeader(refused, "OData-Version", want)
		if !strings.HasPrefix(refused.header.Get("WWW-Authenticate"), "Basic ") {
			t.Errorf("%v", refused.header)
		}
	}
	refused := s.anyone.post("/auth/token", `{"email":"nobody@example.com","password":"x"}`).want(401)
	if got := refused.header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
		t.Errorf("%v", refused.header)
	}
}
