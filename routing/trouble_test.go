package routing

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

// trouble is a way for a customer's system to misbehave, and what is to become of
// a routing to it.
type trouble struct {
	name   string
	answer http.HandlerFunc
	want   turnOut
}

type turnOut struct {
	state, outcome, err string
	wait                time.Duration // till the next try
	rule                string        // the rule's state
}

// troubles are all of them; the answers end when stop does.
func troubles(stop <-chan struct{}) []trouble {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	hang := func(r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}
	drip := func(r *http.Request, f func()) {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-r.Context().Done():
				return
			case <-ticker.C:
				f()
			}
		}
	}
	raw := func(f func(c net.Conn, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				defer c.Close()
				f(c, r)
			}
		}
	}
	headed := func(code int, header, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set(header, value); w.WriteHeader(code) }
	}
	first := schedule[0]
	timedOut := turnOut{Pending, Retry, "no complete answer within 400ms", first, Active}
	return []trouble{
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-r.Context().Done():
			}
		}, turnOut{Delivered, Accepted, "", 0, Active}},
		{"hanging", func(_ http.ResponseWriter, r *http.Request) { hang(r) }, timedOut},
		{"dripping header", raw(func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX-Drip: ")
			for ticks := 0; ticks < 100; ticks++ {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}), timedOut},
		{"dripping body", func(w http.ResponseWriter, r *http.Request) {
			drip(r, func() { fmt.Fprint(w, "x"); w.(http.Flusher).Flush() })
		}, turnOut{Delivered, Accepted, "", 0, Active}},
		{
			"garbage", raw(func(c net.Conn, _ *http.Request) { fmt.Fprint(c, "\x16\x03\x01 what?\r\n\r\n") }),
			turnOut{Pending, Retry, `malformed HTTP status code "what?"`, first, Active},
		},
		{"endless header", raw(func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for range 100_000 {
				if _, err := fmt.Fprintf(c, "X-A: %s\r\n", strings.Repeat("a", 100)); err != nil {
					return
				}
			}
		}), turnOut{Pending, Retry, "net/http: server response headers exceeded 65536 bytes; aborted", first, Active}},
		{"10 MB", func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10<<20)) }, turnOut{Delivered, Accepted, "", 0, Active}},
		{
			"10 MB of error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); w.Write(make([]byte, 10<<20)) },
			turnOut{Pending, Retry, "HTTP 500 Internal Server Error", first, Active},
		},
		{"gzip bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, turnOut{Delivered, Accepted, "", 0, Active}},
		{
			"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			turnOut{Rejected, Refused, "HTTP 302 Found: redirects are not followed", 0, Active},
		},
		{"410", status(410), turnOut{Parked, Refused, errPaused, 0, Paused}},
		{"429", status(429), turnOut{Pending, Retry, "HTTP 429 Too Many Requests", first, Active}},
		{"429 in two minutes", headed(429, "Retry-After", "120"), turnOut{Pending, Retry, "HTTP 429 Too Many Requests", 2 * time.Minute, Active}},
		{"503 till a date", headed(503, "Retry-After", "Sun, 22 Nov 2026 09:10:00 GMT"), turnOut{Pending, Retry, "HTTP 503 Service Unavailable", 10 * time.Minute, Active}},
		{"429 next year", headed(429, "Retry-After", "31536000"), turnOut{Pending, Retry, "HTTP 429 Too Many Requests", longestRetryAfter, Active}},
		{"wrong type", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, `{"id":"A-1"}`)
		}, turnOut{Delivered, Accepted, "", 0, Active}},
		{"reset", raw(func(c net.Conn, _ *http.Request) { c.(*net.TCPConn).SetLinger(0) }), turnOut{Pending, Retry, "connection reset by peer", first, Active}},
		{"reset half-way", raw(func(c net.Conn, _ *http.Request) {
			fmt.Fprint(c, "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf")
		}), turnOut{Pending, Retry, "the connection was closed before the answer was complete", first, Active}},
	}
}

// TestTroubles has every kind of trouble at once, each at a customer of its own,
// and one customer in good order, who gets all leads in no more time than ever.
func TestTroubles(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock, stop := newClock(), make(chan struct{})
		f := newFixture(t, db, WithClock(clock.Now), WithTimeout(400*time.Millisecond), WithWorkers(4), WithJitter(func() float64 { return 0.5 }))
		t.Cleanup(func() { close(stop) })
		all := troubles(stop)
		down := newReceiver(t, nil)
		rules := map[string]*Rule{}
		add := func(name, url string) {
			rules[name] = f.activated(url, func(r *Rule) {
				r.CustomerID, r.Condition = f.newCustomer(name), fmt.Sprintf("City eq '%s'", name)
			})
		}
		for _, c := range all {
			add(c.name, newReceiver(t, c.answer).URL)
		}
		add("good", newReceiver(t, nil).URL)
		add("down", down.URL)
		down.Close()
		all = append(all, trouble{"down", nil, turnOut{Pending, Retry, "connection refused", schedule[0], Active}})
		made := map[string]*leads.Lead{}
		for _, c := range all {
			made[c.name] = f.lead(func(l *leads.Lead) { l.City = &c.name })
		}
		f.run()
		good := "good"
		for range 50 {
			f.becomes(f.lead(func(l *leads.Lead) { l.City = &good }).ID, Delivered)
		}
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				f := *f
				f.T = t
				var r Routing
				f.eventually("an attempt", func() bool { r = f.routing(made[c.name].ID); return r.AttemptCount > 0 })
				got := turnOut{state: r.State, outcome: r.Attempts[0].Outcome, rule: f.reread(rules[c.name].ID).State}
				if r.Error != nil {
					got.err = *r.Error
				}
				if r.NextAttemptAt != nil {
					got.wait = r.NextAttemptAt.Sub(clock.Now())
				}
				if strings.HasSuffix(got.err, c.want.err) {
					got.err = c.want.err // what comes before tells the address
				}
				if got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if n := len(r.Attempts[0].Response); n > captureLimit {
					t.Errorf("%d bytes of the answer are kept", n)
				}
			})
		}
	})
}

// A customer whose system hangs holds up nobody: neither by its many routings nor
// by the workers that wait for it.
func TestHangingCustomers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, WithWorkers(4), func(s *Service) { s.drain = 0 })
		hanging := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		for i := range 6 {
			f.activated(hanging.URL, func(r *Rule) {
				r.CustomerID, r.Condition, r.Priority = f.newCustomer(fmt.Sprint("hanging ", i)), "City eq 'Haifa'", 1
			})
		}
		source := &leads.Source{Name: "all", Kind: "json", Region: "IL", Enabled: true}
		f.ok(f.leads.CreateSource(f.ctx, source))
		for range 40 {
			f.lead(func(l *leads.Lead) { l.SourceID = &source.ID })
		}
		good, city := newReceiver(t, nil), "Eilat"
		f.activated(good.URL, func(r *Rule) { r.CustomerID, r.Condition = f.newCustomer("good"), "City eq 'Eilat'" })
		f.run()
		f.eventually("every worker has waited", func() bool { return len(hanging.leads()) > 4 })
		for range 20 {
			f.becomes(f.lead(func(l *leads.Lead) { l.City = &city }).ID, Delivered)
		}
	})
}
