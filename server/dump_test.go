package server

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hoard is the secrets of a test, by what they are.
type hoard map[string]string

// After a round of all traffic, with everything logged, neither the database nor
// the log holds a key, a token, a password or a customer's secret.
func TestDumpHoldsNoSecrets(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		secrets := hoard{"mail password": "mail-secret-1", "notice address": "notice-secret-1", "mail password, packed": packed("mail-secret-1")}
		echo := listen(t, echoes)
		s := newStage(t, dir, dsn, "--log-level", "debug", "--notice-url", "http://127.0.0.1:9/"+secrets["notice address"],
			"--notice-email", "ops@example.com", "--smtp-server", "smtps://127.0.0.1:9", "--smtp-user", "ops", "--smtp-password", secrets["mail password"])
		acme := s.join(t, "Acme", "feedback:write", "leads:read", "routings:read")
		secrets["key"] = acme.key
		secrets["access token"] = s.admin.header.Get("Authorization")[len("Bearer "):]
		s.spillTransmissions(t, secrets, acme.id, echo)
		s.spillIntake(t, secrets)
		s.spillKeys(t, secrets, acme)
		s.spillStaff(t, secrets, acme)
		eventually(t, 10*time.Second, "a notice did not get through", func() bool {
			return len(s.admin.get("/odata/Notices?$filter=Error ne null").want(200).at("value").([]any)) > 0
		})
		s.stop()
		for where, text := range dumps(t, s) {
			for what, secret := range secrets {
				if i := strings.Index(text, secret); len(secret) < 8 || i >= 0 {
					t.Errorf("the %s holds the %s: %s", where, what, text[max(0, i-200):min(len(text), max(i, 0)+100)])
				}
			}
		}
	})
}

// dumps are the database as text, its file as it is, and the log.
func dumps(t *testing.T, s *stage) map[string]string {
	t.Helper()
	all := map[string]string{"database": dump(t, s.dir, s.dsn), "log": s.log.String()}
	files, err := filepath.Glob(filepath.Join(s.dir, "*.db*"))
	if err != nil || len(files) == 0 && !strings.Contains(s.dsn, "://") {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all["file "+filepath.Base(file)] = string(text)
	}
	return all
}

// packed is a secret as it stands in Basic credentials, of the user ops.
func packed(secret string) string { return base64.StdEncoding.EncodeToString([]byte("ops:" + secret)) }

// echoes answers with all it was sent, as unfriendly systems do. At /token it
// gives access tokens, at /refuse it lets nobody in.
func echoes(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if strings.HasSuffix(r.URL.Path, "/token") {
		_, _ = w.Write([]byte(`{"access_token":"far-token-12345","expires_in":3600}`))
		return
	}
	sent := map[string]any{"url": r.URL.String(), "error": r.Header.Get("Authorization") + " of " + r.URL.RawQuery}
	for name := range r.Header {
		sent[name] = r.Header.Get(name)
		w.Header().Set("X-Echo-"+name, r.Header.Get(name))
	}
	if strings.HasSuffix(r.URL.Path, "/refuse") && r.Header.Get("X-Leadloop-Test") == "" {
		w.WriteHeader(http.StatusForbidden)
	}
	var b bytes.Buffer
	_ = json.NewEncoder(&b).Encode(sent)
	_, _ = w.Write(b.Bytes())
}

// spillTransmissions sends leads by connectors that prove themselves in each way,
// to a system that repeats what it was sent.
func (s *stage) spillTransmissions(t *testing.T, secrets hoard, customer string, echo *receiver) {
	t.Helper()
	intake := s.source(t, "json", map[string]any{"MaxRoutings": 0})
	secrets["intake token of transmissions"] = strings.TrimPrefix(intake, "/intake/")
	secrets["access token of a system"] = "far-token-12345"
	rule := func(name, path string, definition map[string]any) string {
		secret := "customer/secret+" + name
		secrets["setting of "+name], secrets["setting of "+name+", packed"] = secret, packed(secret)
		body := map[string]any{
			"Code": "own-" + name, "Name": name, "Method": "POST", "Format": "json", "URL": "{URL}",
			"Settings": []map[string]any{{"Name": "URL", "Type": "url", "Required": true}, {"Name": "Key", "Type": "secret"}},
		}
		for property, value := range definition {
			body[property] = value
		}
		connector := s.admin.post("/odata/Connectors", body).want(201).text("ID")
		if name != "header" { // one customer gets a lead once
			customer = s.admin.post("/odata/Customers", map[string]any{"Name": "Customer of " + name}).want(201).text("ID")
		}
		return s.rule(t, customer, echo.url, map[string]any{
			"Name": name, "ConnectorID": number(connector), "Settings": map[string]any{"URL": echo.url + path, "Key": secret},
		})
	}
	rule("header", "", map[string]any{"Headers": []map[string]any{{"Name": "X-Secret", "Value": "{Key}"}}})
	rule("query", "", map[string]any{"URL": "{URL}?key={Key}"})
	rule("path", "", map[string]any{"URL": "{URL}/{Key}"})
	rule("bearer", "/refuse", map[string]any{"Auth": map[string]any{"Type": "bearer", "Value": "{Key}"}})
	rule("basic", "", map[string]any{"Auth": map[string]any{"Type": "basic", "User": "ops", "Password": "{Key}"}})
	rule("oauth", "", map[string]any{"Auth": map[string]any{
		"Type": "oauth2", "TokenURL": "{URL}/token", "ClientID": "ops", "ClientSecret": "{Key}",
	}})
	lead := s.anyone.post(intake, `{"FirstName":"Dana"}`).want(201).text("id")
	eventually(t, 20*time.Second, "all is sent", func() bool {
		return string(s.admin.get("/odata/Leads("+lead+")/Routings/$count?$filter=Attempts/any()").want(200).body) == "6"
	})
}

// spillIntake makes sources of each kind that has secrets, and deliveries with
// them, right and wrong.
func (s *stage) spillIntake(t *testing.T, secrets hoard) {
	t.Helper()
	keep := func(what, secret string) string {
		secrets[what] = secret
		return secret
	}
	at := func(kind string, more map[string]any) string {
		address := s.source(t, kind, more)
		keep("intake token of "+kind, strings.TrimPrefix(address, "/intake/"))
		return address
	}
	google := at("google-ads", map[string]any{"Secret": keep("google_key", "google-secret-1")})
	s.anyone.post(google, `{"google_key":"google-secret-1","lead_id":"1","user_column_data":[{"column_id":"EMAIL","string_value":"a@example.com"}]}`).want(200)
	s.anyone.post(google, `{"google_key":"`+keep("wrong google_key", "google-secret-2")+`","lead_id":"2"}`).want(401)
	s.anyone.post(google, `{"google_key":"google-secret-1","lead_id":"3","user_column_data":"none"}`).want(400)
	manager := at("leadmanager", map[string]any{"Secret": keep("lm_key", "lm/secret 1")})
	secrets["lm_key, escaped"] = escape("lm/secret 1")
	form := s.anyone.with("Content-Type", "application/x-www-form-urlencoded")
	form.post(manager, "lm_key="+escape("lm/secret 1")+"&lm_name=Dana&lm_phone=0501234567")
	form.post(manager, "lm_key="+keep("wrong lm_key", "lm-secret-2")+"&lm_name=Dana")
	meta := at("meta", map[string]any{"Settings": map[string]any{
		"AppSecret": keep("AppSecret", "app-secret-1"), "AccessToken": keep("AccessToken", "access-secret-1"),
		"VerifyToken": keep("VerifyToken", "verify-secret-1"), "GraphURL": "http://127.0.0.1:9/graph",
	}})
	handshake := "?hub.mode=subscribe&hub.challenge=7&hub.verify_token="
	s.anyone.get(meta + handshake + "verify-secret-1").want(200)
	s.anyone.get(meta + handshake + keep("wrong VerifyToken", "verify-secret-2")).want(403)
	s.anyone.with("X-Hub-Signature-256", "sha256=0").post(meta, `{"object":"page"}`).want(401)
	at("typeform", map[string]any{"Secret": keep("secret of typeform", "typeform-secret-1")})
	linkedIn := at("linkedin", map[string]any{"Secret": keep("secret of linkedin", "linkedin-secret-1")})
	s.anyone.get(linkedIn + "?challengeCode=890e4665-4dfe-4ab1-b689-ed553bceeed0").want(200)
	first := at("json", nil)
	id := s.admin.get("/odata/Sources?$orderby=ID desc&$top=1").want(200).text("value", 0, "ID")
	rotated := keep("rotated intake token", s.admin.post("/odata/Sources("+id+")/RotateToken", `{"OverlapHours":1}`).want(200).text("Token"))
	s.anyone.post(first, `{"FirstName":"Noa"}`).want(201)
	for _, path := range []string{"/intake/" + rotated + "/", "//intake/" + rotated, "/Intake/" + rotated, "/x/../intake/" + rotated, "/intake//" + rotated, "/odata/intake/" + rotated} {
		s.anyone.post(path, `{}`)
	}
	s.admin.get("/odata/Sources(" + id + ")/IntakeToken()").want(200)
}

// spillKeys calls with keys, right and wrong, in their place and out of it.
func (s *stage) spillKeys(t *testing.T, secrets hoard, acme party) {
	t.Helper()
	lead := acme.get("/odata/Routings").want(200).text("value", 0, "ID")
	report := `{"RoutingID":"` + lead + `","ReasonID":3}`
	acme.post("/odata/Feedback", report).want(201)
	repeatably := func(c client, id string) client {
		return c.with("Repeatability-Request-ID", "a6a2a3a0-0000-4000-8000-00000000000"+id).with("Repeatability-First-Sent", time.Now().UTC().Format(http.TimeFormat))
	}
	repeatably(acme.client, "1").post("/odata/Feedback", strings.Replace(report, "3", "4", 1))
	secrets["repeated key"] = repeatably(s.admin, "2").post("/odata/Connections("+acme.connection+")/IssueKey", nil).want(200).text("Key")
	s.anyone.with("X-API-Key", acme.key+"x").get("/odata/Leads").want(401)
	s.anyone.with("Authorization", "Bearer "+acme.key[:20]+"000").get("/odata/Leads").want(401)
	// Those who put it where it does not belong.
	acme.get("/odata/Leads?key=" + acme.key)
	acme.get("/odata/Leads('" + acme.key + "')")
	acme.get("/odata/" + acme.key)
	acme.post("/odata/Feedback", `{"RoutingID":"`+acme.key+`","ReasonID":3}`).want(400)
	acme.post("/odata/Feedback", `{"RoutingID":"`+lead+`","`+acme.key+`":3}`).want(400)
	s.anyone.get("/" + acme.key).want(404)
	guide := s.admin.post("/odata/Connections("+acme.connection+")/OfferGuide", nil).want(200).text("Token")
	secrets["guide's token"] = guide
	for _, path := range []string{"/guide/" + guide, "/guide/" + guide + "/leadloop.openapi.json", "//guide/" + guide, "/guide/x/" + guide} {
		s.anyone.get(path)
	}
}

// spillStaff signs in and out, changes a password and saves a view.
func (s *stage) spillStaff(t *testing.T, secrets hoard, acme party) {
	t.Helper()
	signed := s.anyone.post("/auth/token", map[string]string{"email": adminEmail, "password": adminPassword}).want(200)
	secrets["password"], secrets["refresh token"] = adminPassword, signed.text("refresh_token")
	refreshed := s.anyone.post("/auth/token", map[string]string{"refresh_token": signed.text("refresh_token")}).want(200)
	secrets["next refresh token"], secrets["next access token"] = refreshed.text("refresh_token"), refreshed.text("access_token")
	secrets["wrong password"] = "wrong-password-1"
	s.anyone.post("/auth/token", map[string]string{"email": adminEmail, "password": secrets["wrong password"]}).want(401)
	secrets["password of another"], secrets["changed password"] = "first-password-1", "second-password-1"
	user := s.admin.post("/odata/Users", map[string]any{"Email": "noa@example.com", "Role": "manager", "Password": secrets["password of another"]}).want(201).text("ID")
	s.admin.do("PATCH", "/odata/Users("+user+")", map[string]any{"Password": secrets["changed password"]}).want(200)
	s.anyone.post("/auth/setup", map[string]string{"token": "A-wrong-setup-token", "email": adminEmail, "name": "x", "password": secrets["wrong password"]}).want(401)
	secrets["wrong token of the first link"] = "A-wrong-setup-token"
	page := s.signIn(t, "noa@example.com", secrets["changed password"])
	page.post("/odata/Rules(1)/Test", nil).want(200)
	page.get("/odata/Rules(1)").want(200)
}
