package routing

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// mailServer is a mail server as RFC 5321 has it, with log-in by PLAIN.
type mailServer struct {
	net.Listener
	secure   *tls.Config
	implicit bool
	mu       sync.Mutex
	got      []string // messages
	envelope []string
	refuse   string // the reply to the message, instead of taking it
	done     sync.WaitGroup
}

// newMailServer starts one, and gives the pool that trusts its certificate.
func newMailServer(t *testing.T, implicit bool) (*mailServer, *x509.CertPool) {
	certified := httptest.NewTLSServer(nil)
	pool := x509.NewCertPool()
	pool.AddCert(certified.Certificate())
	m := &mailServer{implicit: implicit, secure: &tls.Config{Certificates: certified.TLS.Certificates}}
	certified.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.Listener = l
	m.done.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.done.Go(func() { m.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); m.done.Wait() })
	return m, pool
}

func (m *mailServer) serve(conn net.Conn) {
	defer func() { conn.Close() }()
	encrypted := m.implicit
	if m.implicit {
		conn = tls.Server(conn, m.secure)
	}
	r, loggedIn := bufio.NewReader(conn), false
	say := func(line string) { fmt.Fprint(conn, line+"\r\n") }
	say("220 mail.example.com ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case verb == "EHLO" && encrypted:
			say("250-mail.example.com\r\n250 AUTH PLAIN")
		case verb == "EHLO":
			say("250-mail.example.com\r\n250 STARTTLS")
		case verb == "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, m.secure)
			r, encrypted = bufio.NewReader(conn), true
		case verb == "AUTH":
			if line != "AUTH PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00ann\x00mail-pass")) {
				say("535 5.7.8 authentication failed for mail-pass")
				continue
			}
			loggedIn = true
			say("235 welcome")
		case verb == "QUIT":
			say("221 bye")
			return
		case !loggedIn:
			say("530 log in first")
		case verb == "MAIL", verb == "RCPT":
			m.mu.Lock()
			m.envelope = append(m.envelope, line)
			m.mu.Unlock()
			say("250 ok")
		case verb == "DATA":
			say("354 go on")
			say(m.take(r))
		default:
			say("500 what?")
		}
	}
}

func (m *mailServer) take(r *bufio.Reader) (reply string) {
	var message strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil || line == ".\r\n" {
			break
		}
		message.WriteString(strings.TrimPrefix(line, "."))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse != "" {
		return m.refuse
	}
	m.got = append(m.got, message.String())
	return "250 2.0.0 queued as 4FzQ"
}

func TestMail(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, security := range []string{"smtps", "starttls"} {
			m, pool := newMailServer(t, security == "smtps")
			f := newFixture(t, db, func(s *Service) { s.roots = pool })
			_, port, _ := net.SplitHostPort(m.Addr().String())
			settings := Settings{
				"Host": "127.0.0.1", "Port": port, "Security": security, "Username": "ann", "Password": "mail-pass",
				"From": "לידים <leads@example.com>", "To": "crm@example.com, boss@example.com", "Subject": "ליד חדש",
			}
			r := f.activated("", func(r *Rule) {
				r.ConnectorID, r.Settings = f.connector("email"), settings
				r.Mapping = []MappingEntry{
					{Target: "מזהה", Source: "RoutingID"},
					{Target: "שם", Source: "FirstName"},
					{Target: "Reply-To", Source: "Email"},
					{Target: "Message", Source: "Message"},
				}
			})
			f.run()
			lead := f.lead(func(l *leads.Lead) {
				l.Email, l.Message = text(noa), text("line\n.\nBcc: all@example.com")
			})
			row := f.becomes(lead.ID, Delivered)
			m.mu.Lock()
			message, envelope := m.got[len(m.got)-1], m.envelope[len(m.envelope)-3:]
			m.mu.Unlock()
			head, coded, _ := strings.Cut(message, "\r\n\r\n")
			body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.ReplaceAll(coded, "\r\n", ""))))
			f.ok(err)
			want := fmt.Sprintf("מזהה: %s\r\nשם: נועה\r\nMessage: line\r\n.\r\nBcc: all@example.com\r\n", row.ID)
			if string(body) != want {
				t.Errorf("%s: text %q, want %q", security, body, want)
			}
			for _, line := range []string{
				"From: =?utf-8?q?=D7=9C=D7=99=D7=93=D7=99=D7=9D?= <leads@example.com>", "To: <crm@example.com>, <boss@example.com>",
				"Reply-To: <noa@example.com>", "Message-ID: <" + row.ID.String() + "@example.com>",
				"Subject: =?utf-8?q?=D7=9C=D7=99=D7=93_=D7=97=D7=93=D7=A9?=",
			} {
				if !strings.Contains(head, line+"\r\n") {
					t.Errorf("%s: no %s in\n%s", security, line, head)
				}
			}
			if got := strings.Join(envelope, " "); !strings.Contains(got, "MAIL FROM:<leads@example.com>") || !strings.Contains(got, "RCPT TO:<boss@example.com>") {
				t.Errorf("%s: envelope %s", security, got)
			}
			if a := row.Attempts[0]; *a.StatusCode != 250 || !strings.Contains(a.Response, "queued as 4FzQ") || strings.Contains(a.Request, "mail-pass") {
				t.Errorf("%s: %+v", security, a)
			}
			f.refusals(t, m, r, settings)
		}
	})
}

// refusals are what becomes of replies that are not 250.
func (f *fixture) refusals(t *testing.T, m *mailServer, r *Rule, settings Settings) {
	t.Helper()
	for reply, want := range map[string]string{"451 4.7.1 greylisted": Retry, "550 5.1.1 no such user": Refused, "": Accepted} {
		m.mu.Lock()
		m.refuse = reply
		m.mu.Unlock()
		result, err := f.Test(f.ctx, r.ID, nil)
		f.ok(err)
		if result.Outcome != want || reply != "" && !strings.Contains(result.Error, reply[4:]) {
			t.Errorf("%q: %+v", reply, result)
		}
	}
	r = f.reread(r.ID)
	r.Settings = Settings{}
	for name, v := range settings {
		r.Settings[name] = v
	}
	r.Settings["Username"] = "bob"
	f.ok(f.UpdateRule(f.ctx, r))
	result, err := f.Test(f.ctx, r.ID, nil)
	f.ok(err)
	if result.Outcome != Retry || result.StatusCode != 535 || strings.Contains(result.Response+result.Error, "mail-pass") {
		t.Errorf("a wrong password: %+v", result)
	}
	guarded := New(f.db, storetest.Vault())
	guarded.roots = f.roots
	defer guarded.Close()
	if result, err = guarded.Test(f.ctx, r.ID, nil); err != nil || !strings.Contains(result.Error, "not in an allowed network") {
		t.Errorf("a forbidden address: %+v %v", result, err)
	}
	f.ok(f.Pause(f.ctx, r.ID)) // the next round has a rule of its own
}
