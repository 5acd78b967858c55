package routing

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

// The notices of a minute are one message; a mail server that refuses it gets it
// again later.
func TestNoticeMail(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		server, pool := newMailServer(t, false)
		server.refuse = "451 4.7.1 come again"
		_, port, _ := net.SplitHostPort(server.Addr().String())
		m := NoticeMail{
			To: "ops@example.com, boss@example.com", From: "Leadloop <leads@example.com>",
			Server: "starttls://127.0.0.1:" + port, User: "ann", Password: "mail-pass",
		}
		if err := m.Check(); err != nil {
			t.Fatal(err)
		}
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now), WithNoticeMail(m), WithAllowedNetworks(), func(s *Service) { s.roots = pool })
		var rules []int64
		for _, name := range []string{"first", "second"} {
			r := f.rule("http://127.0.0.1:1/", func(r *Rule) { r.Name = name })
			f.ok(f.CreateRule(f.ctx, r))
			rules = append(rules, r.ID)
		}
		tell := func(rule int64) {
			f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
				return f.Notify(tx, Notice{Kind: NoticePaused, RuleID: &rule, CustomerID: &f.customer, Message: "a rule is paused: לקוח"})
			}))
		}
		f.run()
		tell(rules[0])
		tell(rules[1])
		tell(rules[0])
		clock.forward(mailSpan)
		var rows []Notice
		read := func() []Notice {
			rows = nil
			f.ok(db.Read(f.ctx).Order("id").Find(&rows).Error)
			return rows
		}
		f.eventually("it was refused", func() bool {
			r := read()
			return r[0].MailError != nil && strings.Contains(*r[0].MailError, "451") && *r[0].MailError == *r[1].MailError && r[0].MailedAt == nil
		})
		server.mu.Lock()
		server.refuse = ""
		server.mu.Unlock()
		clock.forward(2 * schedule[0])
		f.eventually("it was taken", func() bool { r := read(); return r[0].MailedAt != nil && r[1].MailedAt != nil })
		server.mu.Lock()
		got := server.got
		server.mu.Unlock()
		if len(got) != 1 || len(rows) != 2 || rows[0].MailError != nil || rows[0].MailNextAt != nil {
			t.Fatalf("%d messages, %+v", len(got), rows)
		}
		head, coded, _ := strings.Cut(got[0], "\r\n\r\n")
		text, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(strings.ReplaceAll(coded, "\r\n", ""))))
		f.ok(err)
		const want = "2026-11-22 09:00 UTC  rule paused\r\na rule is paused: לקוח\r\n2 times so far.\r\n\r\n" +
			"2026-11-22 09:00 UTC  rule paused\r\na rule is paused: לקוח\r\n\r\n"
		if string(text) != want {
			t.Errorf("%q", text)
		}
		for _, line := range []string{"Subject: Leadloop: 2 notices\r\n", "To: <ops@example.com>, <boss@example.com>\r\n", "Auto-Submitted: auto-generated"} {
			if !strings.Contains(head, line) {
				t.Errorf("no %s in\n%s", line, head)
			}
		}
		clock.forward(time.Hour)
		tell(rules[0])
		clock.forward(mailSpan)
		f.eventually("another hour, another message", func() bool {
			server.mu.Lock()
			defer server.mu.Unlock()
			return len(server.got) == 2 && strings.Contains(server.got[1], "Subject: Leadloop: rule paused")
		})
	})
}

func TestNoticeMailCheck(t *testing.T) {
	for m, want := range map[NoticeMail]string{
		{To: "ops", Server: "smtps://mail.example.com:465"}:                                            "receivers",
		{To: "ops@example.com", From: "x", Server: "smtps://mail.example.com:465"}:                     "sender",
		{To: "ops@example.com", Server: ""}:                                                            "mail server",
		{To: "ops@example.com", Server: "https://mail.example.com:465"}:                                "mail server",
		{To: "ops@example.com", Server: "smtp://mail.example.com:25", User: "ann", Password: "secret"}: "no TLS",
		{To: "ops@example.com", Server: "smtp://127.0.0.1:25"}:                                         "",
	} {
		err := m.Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}

// Each cap tells once in its period that it is reached, also when leads come on.
func TestNoticeCap(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		two, three := 2, 3
		rule := f.activated(newReceiver(t, nil).URL, func(r *Rule) { r.CapDay, r.CapTotal = &two, &three })
		messages := func() string {
			var rows []Notice
			f.ok(db.Read(f.ctx).Where("kind = ? AND rule_id = ?", NoticeCap, rule.ID).Order("id").Find(&rows).Error)
			var list []string
			for _, n := range rows {
				if n.Times != 1 {
					t.Errorf("%+v", n)
				}
				_, text, _ := strings.Cut(n.Message, "has reached its ")
				list = append(list, text)
			}
			return strings.Join(list, " | ")
		}
		const day, total = "cap, day: 2. It gets leads again from 2026-11-23 00:00 IST.", "cap, total: 3. It gets no more leads."
		for i, want := range []string{"", day, day, day} {
			f.lead(nil)
			if got := messages(); got != want {
				t.Errorf("after %d leads: %q", i+1, got)
			}
		}
		clock.forward(24 * time.Hour)
		f.lead(nil)
		f.lead(nil)
		if got := messages(); got != day+" | "+total {
			t.Error(got)
		}
	})
}

// A routing that is given up after its last try is told.
func TestNoticeOfDeadLetter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now), WithJitter(func() float64 { return 0.5 }))
		rule := f.activated(newReceiver(t, status(500)).URL, nil)
		f.run()
		lead := f.lead(nil)
		for i := range schedule {
			f.eventually("a try", func() bool { return f.routing(lead.ID).AttemptCount == i+1 })
			clock.forward(schedule[i] + time.Second)
		}
		r := f.becomes(lead.ID, Failed)
		n := f.notice(NoticeFailed, fmt.Sprintf("A routing of the rule %d was given up after 10 tries: HTTP 500 Internal Server Error. It is kept; Resend sends it again.", rule.ID))
		if *n.RoutingID != r.ID || n.Times != 1 {
			t.Errorf("%+v", n)
		}
	})
}
