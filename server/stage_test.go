package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"leadloop/server/staff"

	"leadloop/store"
)

const (
	adminEmail    = "admin@example.com"
	adminPassword = "correct horse battery"
)

// stage is a running server with an admin who is signed in.
type stage struct {
	*instance
	dir, dsn string
	path     string // of the program
	admin    client
	anyone   client      // with no credentials
	webhook  json.Number // ConnectorID of "Webhook, JSON"
}

// newStage starts a server on an empty database, which may send to this machine.
func newStage(t *testing.T, dir, dsn string, args ...string) *stage {
	t.Helper()
	return newStageBy(t, server(t), dir, dsn, args...)
}

// newStageBy is newStage with the program at a path.
func newStageBy(t *testing.T, path, dir, dsn string, args ...string) *stage {
	t.Helper()
	s := &stage{dir: dir, dsn: dsn, path: path}
	s.admin = client{header: http.Header{"Authorization": {"Bearer " + hire(t, dir, dsn)}}}
	s.start(t, append([]string{"--allow-networks", "127.0.0.0/8"}, args...)...)
	s.webhook = number(s.admin.get("/odata/Connectors?$filter=Code eq 'webhook-json'").want(200).text("value", 0, "ID"))
	return s
}

// hire makes the admin in the database and returns their access token. It does
// what user add and /auth/token do, with a hash that is quickly made.
func hire(t *testing.T, dir, dsn string) (token string) {
	t.Helper()
	vault, err := database{DB: dsn, SecretKeyFile: filepath.Join(dir, "leadloop.key")}.vault()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(asSystem, dsn, store.WithVault(vault))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(asSystem); err != nil {
		t.Fatal(err)
	}
	people := staff.New(db, vault)
	people.Cost = staff.Cost{Memory: 64, Passes: 1, Threads: 1}
	if err := people.CreateUser(asSystem, &staff.User{Email: adminEmail, Role: "admin", Password: adminPassword, Active: true}); err != nil {
		t.Fatal(err)
	}
	tokens, err := people.SignIn(asSystem, adminEmail, adminPassword, netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		t.Fatal(err)
	}
	return tokens.AccessToken
}

// start starts the server of the stage, again if it was stopped.
func (s *stage) start(t *testing.T, args ...string) {
	t.Helper()
	s.instance = serveBy(t, s.path, s.dir, s.dsn, args...)
	s.anyone = client{t: t, base: s.base}
	s.admin.t, s.admin.base = t, s.base
}

// signIn gives a client who is a member of the staff.
func (s *stage) signIn(t *testing.T, email, password string) client {
	t.Helper()
	token := s.anyone.post("/auth/token", map[string]string{"email": email, "password": password}).want(200).text("access_token")
	return client{t: t, base: s.base, header: http.Header{"Authorization": {"Bearer " + token}}}
}

// party is a customer with a connection and its key.
type party struct {
	id, connection, key string
	client              // calls with the key
}

// join makes a customer whose connection has the scopes.
func (s *stage) join(t *testing.T, name string, scopes ...string) party {
	t.Helper()
	id := s.admin.post("/odata/Customers", map[string]any{"Name": name}).want(201).text("ID")
	p := party{id: id}
	p.connection, p.key = s.connect(t, id, map[string]any{"Scopes": append([]string{}, scopes...)})
	p.client = client{t: t, base: s.base, header: http.Header{"X-Api-Key": {p.key}}}
	return p
}

// connect makes a connection with these properties, and a key.
func (s *stage) connect(t *testing.T, customer string, more map[string]any) (connection, key string) {
	t.Helper()
	body := map[string]any{"CustomerID": number(customer), "Name": "CRM"}
	for name, value := range more {
		body[name] = value
	}
	connection = s.admin.post("/odata/Connections", body).want(201).text("ID")
	return connection, s.admin.post("/odata/Connections("+connection+")/IssueKey", nil).want(200).text("Key")
}

// source makes a source and returns its intake address.
func (s *stage) source(t *testing.T, kind string, more map[string]any) string {
	t.Helper()
	body := map[string]any{"Name": "Source of " + kind, "Kind": kind}
	for name, value := range more {
		body[name] = value
	}
	return "/intake/" + s.admin.post("/odata/Sources", body).want(201).text("Token")
}

// ruleFor is the body of a rule that sends to url.
func (s *stage) ruleFor(customer, url string, more map[string]any) map[string]any {
	body := map[string]any{
		"CustomerID": number(customer), "ConnectorID": s.webhook, "Name": "Rule", "Settings": map[string]any{"URL": url},
		"Mapping": []map[string]any{{"Target": "ref", "Source": "RoutingID"}, {"Target": "name", "Source": "FirstName"}},
	}
	for name, value := range more {
		body[name] = value
	}
	return body
}

// rule makes a rule, tests it and activates it. The test is delivered to url.
func (s *stage) rule(t *testing.T, customer, url string, more map[string]any) (id string) {
	t.Helper()
	id = s.admin.post("/odata/Rules", s.ruleFor(customer, url, more)).want(201).text("ID")
	if got := s.admin.post("/odata/Rules("+id+")/Test", nil).want(200); got.at("Succeeded") != true {
		t.Fatalf("test: %s", got.body)
	}
	s.admin.post("/odata/Rules("+id+")/Activate", nil).want(200)
	return id
}

// counts is how many entities each set has, by which it is seen that nothing was
// stored.
func (s *stage) counts() string {
	s.t.Helper()
	var b strings.Builder
	for _, set := range strings.Fields("Customers Connections Keys Sources Leads Connectors Rules Routings Attempts FeedbackReasons Feedback Users") {
		fmt.Fprintf(&b, "%s %s\n", set, s.admin.get("/odata/"+set+"/$count").want(200).body)
	}
	return b.String()
}

// number is a number as JSON has it.
func number(text string) json.Number { return json.Number(text) }
