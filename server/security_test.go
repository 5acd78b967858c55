package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// tricks are paths that might be taken for others.
var tricks = []string{
	"//odata/Leads", "/odata//Leads", "/./odata/Leads", "/x/../odata/Leads", "/odata/./Leads", "/odata/x/../Leads", "/%6fdata/Leads", "/odata%2fLeads",
	"/odata/%2e%2e/odata/Leads", "/odata/Leads%00", "/odata%00/Leads", "/odata/Leads/", "/ODATA/Leads", "/odata\\Leads", "/odata;x=y/Leads", "/odata/Leads;x",
	"/healthz/../odata/Leads", "/healthz/%2e%2e/odata/Leads", "/intake/../odata/Leads", "/intake/%2e%2e%2fodata%2fLeads", "/auth/token/../../odata/Leads",
	"/odata/Leads%2f", "/odata/%4ceads", "/odata/Leads%c0%ae", "/odata/Leads?%00", "/odata/%u004ceads", "/console/../odata/Leads", "/..%2fodata/Leads", "/odata/..;/odata/Leads",
}

// newLiteStage is a stage on SQLite, for what has nothing to do with the database.
func newLiteStage(t *testing.T, args ...string) *stage {
	t.Helper()
	dsn := storetest.Migrated(t, store.SQLite)
	return newStage(t, filepath.Dir(dsn), dsn, args...)
}

// No spelling of a path leads past the key check, or anywhere at all but to an
// error; and no spelling makes the server fail.
func TestPathTricks(t *testing.T) {
	s := newLiteStage(t)
	s.admin.post("/odata/Leads", `{"FirstName":"Zilpa"}`).want(201)
	for _, path := range tricks {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			status, body := sendRaw(t, s.base, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
			if status < 400 || status >= 500 || strings.Contains(body, "Zilpa") {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
}

// sendRaw sends bytes and gives the status and whole text of the answer; 0 for none.
func sendRaw(t *testing.T, base, request string) (status int, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(conn)
	_, _ = fmt.Sscanf(string(answer), "HTTP/1.1 %d", &status)
	return status, string(answer)
}

// A method is the one in the request line, whatever a header or a field says.
func TestMethodOverride(t *testing.T) {
	s := newLiteStage(t)
	s.join(t, "Acme")
	for _, header := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"} {
		c := s.admin.with(header, "DELETE")
		c.get("/odata/Customers(1)").want(200)
		c.post("/odata/Customers(1)", `{}`).want(405)
		c.get("/odata/Customers(1)?_method=DELETE").want(200)
	}
	s.admin.get("/odata/Customers(1)").want(200)
}

// What a caller sends comes to the log as one line of text, and to a header as
// nothing but its value.
func TestInjection(t *testing.T) {
	s := newLiteStage(t, "--log-level", "debug")
	const forged = "time=2000-01-01T00:00:00Z level=ERROR msg=forged"
	for _, path := range []string{"/odata/x%0a" + escape(forged), "/x%0d%0a" + escape(forged), "/intake/%0a" + escape(forged), "/odata/Leads?$filter=%0a" + escape(forged)} {
		s.anyone.get(path)
		s.admin.get(path)
	}
	s.anyone.post("/auth/token", map[string]string{"email": "\n" + forged + "@example.com", "password": "x\n" + forged}).want(401)
	s.admin.post("/odata/Customers", map[string]string{"Name": "\n" + forged}).want(201)
	s.anyone.post(s.source(t, "json", nil), map[string]string{"FirstName": "\n" + forged, "a\nb": forged}).want(201)
	web := s.source(t, "salesforce-web-to-lead", map[string]any{"Settings": map[string]any{"ReturnHosts": "example.com"}})
	for _, address := range []string{"https://example.com/%0d%0aX-Forged:1", "https://example.com/\r\nX-Forged: 1", "https://evil.example/", "javascript:alert(1)", "//evil.example"} {
		form := "first_name=Dana&retURL=" + escape(strings.ReplaceAll(strings.ReplaceAll(address, "%", "%25"), "\r\n", "%0d%0a"))
		got := s.anyone.with("Content-Type", "application/x-www-form-urlencoded").post(web, form)
		if got.header.Get("X-Forged") != "" || strings.Contains(got.header.Get("Location"), "evil") || strings.HasPrefix(got.header.Get("Location"), "javascript") {
			t.Errorf("%s: %v", address, got.header)
		}
	}
	s.stop()
	if regexp.MustCompile(`(?m)^time=2000`).MatchString(s.log.String()) {
		t.Error(s.log.String())
	}
}

// Markup in every field of a lead comes back as data: with a type that no browser
// takes for a page, and told not to guess another.
func TestMarkupIsData(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		intake := s.source(t, "json", nil)
		id := s.anyone.post(intake, leadOf(markup)).want(201).text("id")
		refused := s.anyone.post(intake, `{"IsTest":"<script>","<script>":1}`).want(400)
		for _, got := range []answer{
			refused, s.admin.get("/odata/Leads(" + id + ")").want(200), s.admin.get("/odata/Leads(" + id + ")/FirstName").want(200),
			s.admin.get("/odata/Leads(" + id + ")/FirstName/$value").want(200), s.admin.get("/odata/Leads?$filter=FirstName eq '<script>'").want(200),
			s.admin.get("/odata/<script>alert(1)</script>").want(404), s.anyone.get("/<script>alert(1)</script>").want(404), s.admin.get("/odata/Rejections").want(200),
			s.admin.with("Accept", "text/html").get("/odata/Leads(" + id + ")"),
		} {
			kind := got.header.Get("Content-Type")
			if !strings.HasPrefix(kind, "application/json") && !strings.HasPrefix(kind, "text/plain") {
				t.Errorf("%s: %s", got.request, kind)
			}
			protected(t, got)
		}
		var kept struct{ FirstName, Message, Own string }
		if err := json.Unmarshal(s.admin.get("/odata/Leads("+id+")").body, &kept); err != nil || kept.FirstName != markup || kept.Message != markup || kept.Own != markup {
			t.Errorf("%+v %v", kept, err)
		}
	})
}

// Markup in every field of a lead, in what a customer reports of it, and in what a
// page is asked for, is text on every page of the console that shows it.
func TestMarkupInPages(t *testing.T) {
	s := newLiteStage(t)
	acme := s.join(t, "Acme "+markup, "feedback:write")
	s.rule(t, acme.id, listen(t, nil).url, map[string]any{"Name": "Rule " + markup})
	intake := s.source(t, "json", map[string]any{"Name": "Source " + markup})
	lead := s.anyone.with("User-Agent", markup).post(intake, leadOf(markup)).want(201).text("id")
	s.anyone.post(intake, `{"IsTest":"`+strings.ReplaceAll(markup, `"`, `\"`)+`"}`).want(400)
	routing := s.routingOf(lead)
	acme.post("/odata/Feedback", map[string]any{
		"RoutingID": routing, "Status": markup, "Comment": markup, "Owner": markup, "ExternalID": markup,
	}).want(201)
	acme.post("/odata/Feedback", map[string]any{"RoutingID": routing, "ReasonID": 3, "ExternalLink": "javascript:alert(1)"}).want(400)
	form := s.anyone.with("Content-Type", "application/x-www-form-urlencoded")
	signedIn := form.post("/console/signin", "email="+escape(adminEmail)+"&password="+escape(adminPassword)).want(303)
	cookie, _, _ := strings.Cut(signedIn.header.Get("Set-Cookie"), ";")
	staff := s.anyone.with("Cookie", cookie)
	rejection := s.admin.get("/odata/Rejections").want(200).text("value", 0, "ID")
	shown := 0
	for _, path := range []string{
		"/console/leads", "/console/leads?q=" + escape(markup), "/console/leads?filter=" + escape("FirstName eq '"+markup+"'"), "/console/leads?col=" + escape(markup),
		"/console/leads/" + lead, "/console/leads/" + lead + "/edit", "/console/today", "/console/transmissions", "/console/transmissions/" + routing,
		"/console/sources", "/console/sources/1", "/console/sources/1/mapping", "/console/sources/1/rejections", "/console/sources/1/rejections/" + rejection,
		"/console/customers", "/console/customers/" + acme.id, "/console/customers?q=" + escape(markup), "/console/" + escape(markup),
		"/console/signin?next=" + escape("/console/\"><script>alert(\"1\")</script>"),
	} {
		got := staff.get(path)
		body := string(got.body)
		for _, live := range []string{`<script>alert`, "<img src=x", "onerror=alert(1)>'\"", "javascript:alert"} {
			if strings.Contains(body, live) {
				t.Errorf("%s has %s", path, live)
			}
		}
		if strings.Contains(body, "&lt;script&gt;alert(") {
			shown++
		}
		if !strings.Contains(got.header.Get("Content-Security-Policy"), "script-src 'self'") {
			t.Errorf("%s: %s", path, got.header.Get("Content-Security-Policy"))
		}
	}
	if shown < 8 {
		t.Errorf("only %d pages show what was looked for", shown)
	}
}

// markup would do something on a page that took it for its own.
const markup = `<script>alert("1")</script><img src=x onerror=alert(1)>'";--`

// leadOf is a lead with a text in every field.
func leadOf(text string) map[string]any {
	lead := map[string]any{"Own": text, `<b>"name"</b>`: text}
	for _, name := range strings.Fields("FirstName LastName Phone Email City Message Campaign UtmSource UtmMedium UtmCampaign UtmTerm UtmContent ExternalID ConsentText") {
		lead[name] = text
	}
	return lead
}

// protected looks for the headers that every answer has.
func protected(t *testing.T, got answer) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s: %s is %q", got.request, name, got.header.Get(name))
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := newLiteStage(t, "--trusted-proxies", "127.0.0.0/8")
	for _, path := range []string{"/", "/healthz", "/readyz", "/odata/", "/odata/$metadata", "/odata/Leads", "/intake/x", "/auth/token", "/nothing"} {
		protected(t, s.anyone.get(path))
		protected(t, s.admin.get(path))
		protected(t, s.admin.do("TRACE", path, nil))
	}
	if got := s.anyone.with("X-Forwarded-Proto", "https").get("/healthz"); got.header.Get("Strict-Transport-Security") == "" {
		t.Error("no Strict-Transport-Security behind TLS")
	}
	if got := s.anyone.get("/healthz"); got.header.Get("Strict-Transport-Security") != "" {
		t.Error("Strict-Transport-Security without TLS")
	}
}

// What is too large is refused, packed or not, without being unpacked.
func TestLargeRequests(t *testing.T) {
	s := newLiteStage(t)
	intake := s.source(t, "json", nil)
	large := `{"FirstName":"` + strings.Repeat("a", 40<<20) + `"}`
	s.anyone.post(intake, large).want(413)
	s.anyone.post("/auth/token", large).want(413)
	s.admin.post("/odata/Leads", large).want(413)
	acme := s.join(t, "Acme", "feedback:write")
	acme.post("/feedback", large).want(413)
	acme.post("/odata/SubmitFeedback", large).want(413)
	s.anyone.with("Content-Type", "application/x-www-form-urlencoded").post("/console/signin", "email="+strings.Repeat("a", 40<<20)).want(422) // nothing of it was read
	var packed bytes.Buffer
	z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	_, _ = z.Write(bytes.Repeat([]byte{0}, 64<<20))
	_ = z.Close()
	for _, coding := range []string{"gzip", "deflate", "br", "gzip, gzip"} {
		bomb := func(c client) client { return c.with("Content-Encoding", coding) }
		if got := bomb(s.admin).post("/odata/Leads", packed.String()); got.status != 415 {
			t.Errorf("%s: %d %s", coding, got.status, got.body)
		}
		for _, path := range []string{"/feedback", "/odata/Feedback", "/odata/$batch"} {
			if got := bomb(acme.client).post(path, packed.String()); got.status < 400 || got.status >= 500 {
				t.Errorf("%s of %s: %d %s", coding, path, got.status, got.body)
			}
		}
		if got := bomb(s.anyone).post(intake, packed.String()); got.status < 400 || got.status >= 500 {
			t.Errorf("%s: %d %s", coding, got.status, got.body)
		}
	}
	status, _ := sendRaw(t, s.base, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 100<<10)+"\r\n\r\n")
	if status != 431 && status != 0 { // it may hang up while we send
		t.Errorf("large headers: %d", status)
	}
	s.anyone.get("/odata/Leads?$filter=" + strings.Repeat("(", 50_000)).want(401)
	if got := s.admin.get("/odata/Leads?$filter=" + strings.Repeat("(", 50_000)); got.status < 400 || got.status >= 500 {
		t.Errorf("deep filter: %d", got.status)
	}
	s.anyone.get("/healthz").want(200)
}

// A caller who sends a byte now and then is cut off, in the head and in the body.
// The times are those of the program by the thirtieth.
func TestSlowRequests(t *testing.T) {
	db := storetest.Open(t, store.SQLite, store.SQLiteHook(sqlgen.RegisterSQLite))
	a, err := wire(asSystem, db, storetest.Vault(), serving{Workers: 1, SendTimeout: time.Second}, slog.New(slog.NewTextHandler(io.Discard, nil)), true)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Routing.Close()
	own := a.server()
	server := httptest.NewUnstartedServer(nil)
	server.Config = own
	own.ReadHeaderTimeout /= 30
	own.ReadTimeout /= 30
	own.IdleTimeout /= 120
	server.Start()
	defer server.Close()
	for name, begin := range map[string]string{
		"head": "POST /auth/token HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"body": "POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
		"idle": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, begin); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, conn)
		}()
		drip := time.NewTicker(20 * time.Millisecond)
		deadline := time.After(8 * time.Second)
	dripping:
		for {
			select {
			case <-ended:
				break dripping
			case <-drip.C:
				if name != "idle" {
					_, _ = conn.Write([]byte("a"))
				}
			case <-deadline:
				t.Errorf("%s: the server still waits", name)
				break dripping
			}
		}
		drip.Stop()
		conn.Close()
		<-ended
	}
}
