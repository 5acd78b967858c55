package routing

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

func mac(key, signed string) []byte {
	m := hmac.New(sha256.New, []byte(key))
	m.Write([]byte(signed))
	return m.Sum(nil)
}

// The generic connectors prove who sends in each way, and nothing of the proof
// is kept.
func TestAuthentication(t *testing.T) {
	clock := newClock()
	timestamp := "1795338000" // of the clock
	newKey := base64.StdEncoding.EncodeToString([]byte("new key of 24 bytes long"))
	cases := []struct {
		name     string
		settings Settings
		header   func(h http.Header, body string) (got, want string)
		secrets  []string
	}{
		{"none", Settings{}, func(h http.Header, _ string) (string, string) { return h.Get("Authorization"), "" }, nil},
		{
			"header",
			Settings{"Authentication": "header", "HeaderName": "X-Key", "Token": "k&\"y<"},
			func(h http.Header, _ string) (string, string) { return h.Get("X-Key"), `k&"y<` },
			[]string{`k&"y<`},
		},
		{
			"basic",
			Settings{"Authentication": "basic", "Username": "ann", "Password": "pa:ss"},
			func(h http.Header, _ string) (string, string) { return h.Get("Authorization"), "Basic YW5uOnBhOnNz" },
			[]string{"pa:ss", "YW5uOnBhOnNz"},
		},
		{
			"bearer",
			Settings{"Authentication": "bearer", "Token": "tok-1"},
			func(h http.Header, _ string) (string, string) { return h.Get("Authorization"), "Bearer tok-1" },
			[]string{"tok-1"},
		},
		{
			"hmac",
			Settings{"Authentication": "hmac", "HeaderName": "X-Hub-Signature-256", "SigningSecret": "shh", "SignaturePrefix": "sha256="},
			func(h http.Header, body string) (string, string) {
				return h.Get("X-Hub-Signature-256"), "sha256=" + hex.EncodeToString(mac("shh", body))
			},
			[]string{"shh"},
		},
		{
			"hmac, another way",
			Settings{"Authentication": "hmac", "HeaderName": "Sig", "SigningSecret": "shh", "SigningAlgorithm": "sha512", "SigningEncoding": "base64"},
			func(h http.Header, body string) (string, string) {
				m := hmac.New(sha512.New, []byte("shh"))
				m.Write([]byte(body))
				return h.Get("Sig"), base64.StdEncoding.EncodeToString(m.Sum(nil))
			}, nil,
		},
		{
			"standard webhooks",
			Settings{"Authentication": "standard-webhooks", "SigningSecret": "whsec_" + newKey + " old-key"},
			func(h http.Header, body string) (string, string) {
				signed := h.Get("webhook-id") + "." + timestamp + "." + body
				want := timestamp + " v1," + base64.StdEncoding.EncodeToString(mac("new key of 24 bytes long", signed)) +
					" v1," + base64.StdEncoding.EncodeToString(mac("old-key", signed))
				return h.Get("webhook-timestamp") + " " + h.Get("webhook-signature"), want
			},
			[]string{newKey, "old-key", "v1,"},
		},
	}
	var header http.Header
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		read, _ := io.ReadAll(r.Body)
		header, body = r.Header, string(read)
		// A system may well say again what it was sent.
		_, _ = io.WriteString(w, r.Header.Get("Authorization")+r.Header.Get("X-Key")+r.Header.Get("webhook-signature"))
	}))
	defer server.Close()
	s := New(nil, storetest.Vault(), WithClock(clock.Now), WithAllowedNetworks(loopback))
	defer s.Close()
	connector := builtIn(t, s, "webhook-json")
	for _, c := range cases {
		c.settings["URL"] = server.URL
		p, err := s.sender(&RuleRevision{Settings: c.settings, Mapping: []MappingEntry{{Target: "id", Source: "RoutingID"}}}, connector)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		x, err := s.deliver(context.Background(), p, newDelivery(&leads.Lead{}, 0))
		if err != nil || !x.accepted() {
			t.Errorf("%s: %v %+v", c.name, err, x)
		}
		if got, want := c.header(header, body); got != want {
			t.Errorf("%s: %s, want %s", c.name, got, want)
		}
		for _, secret := range c.secrets {
			if strings.Contains(x.request+x.response, secret) {
				t.Errorf("%s: %s is shown in\n%s\n%s", c.name, secret, x.request, x.response)
			}
		}
	}
}

// builtIn gives a ready-made connector.
func builtIn(t *testing.T, s *Service, code string) *Connector {
	t.Helper()
	all, err := s.builtInConnectors()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].Code == code {
			return &all[i]
		}
	}
	t.Fatalf("no connector %s", code)
	return nil
}

// What an authentication lacks, or a setting that is none of the choices, is
// found when the rule is saved.
func TestSettingsOfAuthentication(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		cases := []struct {
			settings Settings
			target   string
		}{
			{Settings{"Authentication": "magic"}, "Settings/Authentication"},
			{Settings{"Method": "DELETE"}, "Settings/Method"},
			{Settings{"Authentication": "header"}, "Settings/Token"},
			{Settings{"Authentication": "basic"}, "Settings/Username"},
			{Settings{"Authentication": "oauth2", "ClientID": "x", "ClientSecret": "y"}, "Settings/TokenURL"},
			{Settings{"Authentication": "hmac", "SigningSecret": "x", "HeaderName": "a b"}, "Settings"},
			{Settings{"Authentication": "standard-webhooks", "SigningSecret": "whsec_?"}, "Settings"},
			{Settings{"TokenURL": "ftp://x"}, "Settings/TokenURL"},
		}
		for _, c := range cases {
			c.settings["URL"] = "https://crm.example.com"
			r := f.rule("", func(r *Rule) { r.Settings = c.settings })
			if got := wrong(f.CreateRule(f.ctx, r)); got[c.target] == "" {
				t.Errorf("%v: %v, want a problem at %s", c.settings, got, c.target)
			}
		}
		r := f.rule("https://crm.example.com", func(r *Rule) {
			r.ConnectorID = f.connector("webhook-xml")
			r.Mapping = append(r.Mapping, MappingEntry{Target: "a b", Source: "City"})
		})
		if got := wrong(f.CreateRule(f.ctx, r)); got["Mapping"] == "" {
			t.Errorf("a target that XML cannot hold: %v", got)
		}
	})
}

// The generic connectors write XML and queries, and send by the method chosen;
// Dry shows the request and sends nothing.
func TestGenericConnectors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, WithPublicURL("https://leads.example.com/"))
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("Content-Type") + " " + string(body)
		}))
		defer server.Close()
		mapping := []MappingEntry{
			{Target: "id", Source: "length(cast(RoutingID,Edm.String))"},
			{Target: "who.name", Source: "FirstName"},
			{Target: "who.phone", Source: "Phone", Format: "local"},
			{Target: "by", Source: "CustomerName"},
			{Target: "back", Source: "FeedbackURL"},
		}
		cases := []struct {
			connector string
			settings  Settings
			want      string
		}{
			{
				"webhook-xml",
				Settings{"Root": "leads.lead", "Method": "PUT"},
				`PUT /in application/xml; charset=utf-8 <?xml version="1.0" encoding="UTF-8"?>` + "\n" +
					`<leads><lead><id>36</id><who><name>נועה</name><phone>0501234567</phone></who><by>Acme</by><back>https://leads.example.com/odata/Feedback</back></lead></leads>`,
			},
			{
				"webhook-json",
				Settings{"Method": "PATCH"},
				`PATCH /in application/json {"id":36,"who":{"name":"נועה","phone":"0501234567"},"by":"Acme","back":"https://leads.example.com/odata/Feedback"}`,
			},
			{
				"webhook-get",
				Settings{},
				"GET /in?id=36&who.name=%D7%A0%D7%95%D7%A2%D7%94&who.phone=0501234567&by=Acme&back=https%3A%2F%2Fleads.example.com%2Fodata%2FFeedback  ",
			},
			{
				"webhook-form",
				Settings{},
				"POST /in application/x-www-form-urlencoded id=36&who.name=%D7%A0%D7%95%D7%A2%D7%94&who.phone=0501234567&by=Acme&back=https%3A%2F%2Fleads.example.com%2Fodata%2FFeedback",
			},
		}
		for _, c := range cases {
			c.settings["URL"] = server.URL + "/in"
			r := f.rule("", func(r *Rule) { r.ConnectorID, r.Settings, r.Mapping = f.connector(c.connector), c.settings, mapping })
			f.ok(f.CreateRule(f.ctx, r))
			got = ""
			dry, err := f.Try(f.ctx, r.ID, Trial{Dry: true})
			f.ok(err)
			if got != "" || !dry.Succeeded || f.reread(r.ID).TestedRevision != nil || !strings.HasSuffix(c.want, " "+dry.Body) {
				t.Errorf("%s, dry: %+v, sent %q", c.connector, dry, got)
			}
			if _, err := f.Test(f.ctx, r.ID, nil); err != nil || got != c.want {
				t.Errorf("%s: %v\n got %s\nwant %s", c.connector, err, got, c.want)
			}
			dry, err = f.Try(f.ctx, r.ID, Trial{Dry: true, Mapping: []MappingEntry{{Target: "r", Source: "concat('x',cast(RoutingID eq null,Edm.String))"}}})
			if err != nil || !strings.Contains(dry.Request, "xfalse") {
				t.Errorf("%s, another mapping: %+v %v", c.connector, dry, err)
			}
		}
	})
}
