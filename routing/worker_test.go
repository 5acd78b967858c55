package routing

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestDelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, WithVersion("1.2.3"))
		crm := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"ok":true,"id":4711}`)
		})
		rule := f.activated(crm.URL+"/leads", func(r *Rule) { r.Condition = "City eq 'Haifa' and Budget gt 1000" })
		f.run()
		begun := time.Now()
		lead := f.lead(func(l *leads.Lead) { l.Properties = map[string]any{"Budget": int64(5000)} })
		r := f.becomes(lead.ID, Delivered)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("took %s", took)
		}
		got := crm.leads()
		if len(got) != 1 {
			t.Fatalf("%d requests", len(got))
		}
		want := fmt.Sprintf(`{"ref":"%s","full_name":"נועה לוי","tel":"+972501234567","origin":"unknown"}`, r.ID)
		if got[0].body != want {
			t.Errorf("body\n got %s\nwant %s", got[0].body, want)
		}
		for name, value := range map[string]string{
			"webhook-id": r.ID.String(), "User-Agent": "Leadloop/1.2.3", "Content-Type": "application/json",
		} {
			if v := got[0].header.Get(name); v != value {
				t.Errorf("%s: %s, want %s", name, v, value)
			}
		}
		if lead.State != leads.StateRouted || r.RuleID != rule.ID || r.CustomerID != f.customer || r.RuleRevision != 1 {
			t.Errorf("lead %s, routing %+v", lead.State, r)
		}
		if r.AttemptCount != 1 || r.NextAttemptAt != nil || r.LeaseToken != nil || r.DeliveredAt == nil || r.Error != nil ||
			r.ExternalID == nil || *r.ExternalID != "4711" {
			t.Errorf("routing %+v", r)
		}
		a := r.Attempts[0]
		if a.Outcome != Accepted || *a.StatusCode != 201 || a.Error != nil ||
			!strings.HasPrefix(a.Request, "POST "+crm.URL+"/leads\n") || !strings.HasSuffix(a.Request, "\n\n"+want) ||
			!strings.HasPrefix(a.Response, "HTTP 201 Created\n") || !strings.HasSuffix(a.Response, "\n\n"+`{"ok":true,"id":4711}`) {
			t.Errorf("attempt %+v", a)
		}
	})
}

func TestFormDelivery(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		f.activated(crm.URL, func(r *Rule) {
			r.ConnectorID = f.form
			r.Mapping = []MappingEntry{
				{Target: "z", Source: "RoutingID"},
				{Target: "name & all", Source: "FirstName"},
				{Target: "none", Source: "Email"},
				{Target: "budget", Source: "Budget"},
			}
		})
		f.run()
		lead := f.lead(func(l *leads.Lead) { l.Properties = map[string]any{"Budget": 12.5} })
		r := f.becomes(lead.ID, Delivered)
		got := crm.leads()[0]
		if want := "z=" + r.ID.String() + "&name+%26+all=%D7%A0%D7%95%D7%A2%D7%94&budget=12.5"; got.body != want {
			t.Errorf("body %s, want %s", got.body, want)
		}
		if ct := got.header.Get("Content-Type"); ct != "application/x-www-form-urlencoded" {
			t.Errorf("Content-Type %s", ct)
		}
	})
}

func TestOutcomes(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	hang := make(chan struct{})
	defer close(hang)
	type want struct {
		state, outcome, err string
		attempts            int
	}
	cases := []struct {
		name   string
		answer http.HandlerFunc
		want
	}{
		{"204", status(204), want{Delivered, Accepted, "", 1}},
		{"400", status(400), want{Rejected, Refused, "HTTP 400 Bad Request", 1}},
		{
			"302", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			want{Rejected, Refused, "HTTP 302 Found: redirects are not followed", 1},
		},
		{"408", status(408), want{Pending, Retry, "HTTP 408 Request Timeout", 1}},
		{"425", status(425), want{Pending, Retry, "HTTP 425 Too Early", 1}},
		{"429", status(429), want{Pending, Retry, "HTTP 429 Too Many Requests", 1}},
		{"500", status(500), want{Pending, Retry, "HTTP 500 Internal Server Error", 1}},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}, want{Pending, Retry, "no complete answer within 300ms", 1}},
		{
			"reset", func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
			want{Pending, Retry, "the connection was closed before the answer was complete", 1},
		},
		{"huge", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, big) }, want{Delivered, Accepted, "", 1}},
		{
			"huge refusal", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(422); fmt.Fprint(w, big) },
			want{Rejected, Refused, "HTTP 422 Unprocessable Entity", 1},
		},
		{"not text", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("a\x00b\xff\xfec")) }, want{Delivered, Accepted, "", 1}},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "ten bytes.")
		}, want{Delivered, Accepted, "", 1}},
		{"dripping", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				fmt.Fprint(w, "x")
				w.(http.Flusher).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}, want{Delivered, Accepted, "", 1}},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithTimeout(300*time.Millisecond), WithClock(clock.Now))
		crm := newReceiver(t, nil)
		f.activated(crm.URL, nil)
		f.run()
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := *f
				f.T = t
				crm.respond(c.answer)
				lead := f.lead(nil)
				var r Routing
				f.eventually("an attempt", func() bool { r = f.routing(lead.ID); return r.AttemptCount > 0 })
				a := r.Attempts[0]
				got := want{r.State, a.Outcome, "", r.AttemptCount}
				if r.Error != nil {
					got.err = *r.Error
				}
				if got != c.want {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				if len(a.Response) > captureLimit || (r.State == Pending) != (r.NextAttemptAt != nil) {
					t.Errorf("answer of %d bytes kept; next %v", len(a.Response), r.NextAttemptAt)
				}
			})
		}
	})
}

func TestRetry(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now), WithJitter(func() float64 { return 0.5 }))
		crm := newReceiver(t, status(503))
		f.activated(crm.URL, nil)
		f.run()
		lead := f.lead(nil)
		for i, wait := range schedule {
			f.eventually(fmt.Sprintf("attempt %d", i+1), func() bool { return f.routing(lead.ID).AttemptCount == i+1 })
			r := f.routing(lead.ID)
			if r.State != Pending || !r.NextAttemptAt.Equal(clock.Now().Add(wait)) {
				t.Fatalf("attempt %d: %s, next in %s, want %s", i+1, r.State, r.NextAttemptAt.Sub(clock.Now()), wait)
			}
			if i == len(schedule)-1 {
				crm.respond(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Id":"C-9"}`) })
			}
			clock.forward(wait)
		}
		r := f.becomes(lead.ID, Delivered)
		if *r.ExternalID != "C-9" || r.Error != nil || r.AttemptCount != len(schedule)+1 || len(r.Attempts) != len(schedule)+1 {
			t.Errorf("%+v", r)
		}
		for _, got := range crm.leads() {
			if got.header.Get("webhook-id") != r.ID.String() {
				t.Errorf("webhook-id %s, want %s", got.header.Get("webhook-id"), r.ID)
			}
		}
	})
}

func TestGivenUpAndResent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, status(500))
		f.activated(crm.URL, nil)
		f.run()
		lead := f.lead(nil)
		for i, wait := range schedule {
			f.eventually("another attempt", func() bool { return f.routing(lead.ID).AttemptCount == i+1 })
			clock.forward(wait * 11 / 10)
		}
		r := f.becomes(lead.ID, Failed)
		if r.NextAttemptAt != nil || *r.Error != "HTTP 500 Internal Server Error" {
			t.Errorf("%+v", r)
		}
		crm.respond(nil)
		f.ok(f.Resend(f.ctx, r.ID))
		clock.forward(firstProbe) // ten failures in a row opened the breaker
		r = f.becomes(lead.ID, Delivered)
		if r.AttemptCount != 1 || len(r.Attempts) != len(schedule)+2 {
			t.Errorf("%d attempts counted, %d kept", r.AttemptCount, len(r.Attempts))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		})
		f.activated(crm.URL, nil)
		f.run()
		lead := f.lead(nil)
		f.eventually("an attempt", func() bool { return f.routing(lead.ID).AttemptCount == 1 })
		if next := f.routing(lead.ID).NextAttemptAt; !next.Equal(clock.Now().Add(time.Hour)) {
			t.Errorf("next %s", next)
		}
	})
}

func TestForbiddenAddress(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		f.activated(crm.URL, nil)
		guarded := New(db, storetest.Vault(), WithPoll(10*time.Millisecond), WithLog(f.log))
		f.Service, f.leads.Route = guarded, guarded.Route
		f.run()
		lead := f.lead(nil)
		f.eventually("an attempt", func() bool { return f.routing(lead.ID).AttemptCount == 1 })
		r := f.routing(lead.ID)
		if r.State != Pending || *r.Error != "127.0.0.1 is not in an allowed network; see --allow-networks" {
			t.Errorf("%s: %s", r.State, *r.Error)
		}
		if len(crm.leads()) > 0 {
			t.Error("the address was reached")
		}
	})
}

func TestMissingRequiredValueParks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		f.activated(crm.URL, func(r *Rule) {
			r.Mapping = append(r.Mapping, MappingEntry{Target: "mail", Source: "Email", Required: true})
		})
		f.run()
		lead := f.lead(nil)
		r := f.becomes(lead.ID, Parked)
		if *r.Error != "there is no value for the required field mail" || r.AttemptCount != 0 || len(r.Attempts) != 0 || r.NextAttemptAt != nil {
			t.Errorf("%+v", r)
		}
		f.ok(f.leads.UpdateLead(f.ctx, func() *leads.Lead {
			var l leads.Lead
			f.ok(db.Read(f.ctx).Where("id = ?", lead.ID).Take(&l).Error)
			l.Email = text("noa@example.com")
			return &l
		}()))
		f.ok(f.Resend(f.ctx, r.ID))
		f.becomes(lead.ID, Delivered)
	})
}

func TestLostWorker(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, nil)
		f.activated(crm.URL, nil)
		lead := f.lead(nil)
		// A worker claims the routing, sends it, and is gone before it settles.
		jobs, err := f.claim(f.ctx, demand{limit: 10, share: 10})
		f.ok(err)
		if len(jobs) != 1 || f.routing(lead.ID).State != Sending {
			t.Fatalf("%d jobs", len(jobs))
		}
		again, err := f.claim(f.ctx, demand{limit: 10, share: 10})
		f.ok(err)
		if len(again) != 0 {
			t.Fatal("a leased routing was claimed")
		}
		f.run()
		clock.forward(f.lease)
		r := f.becomes(lead.ID, Delivered)
		if got := crm.leads(); len(got) != 1 || got[0].header.Get("webhook-id") != r.ID.String() {
			t.Errorf("received %+v", got)
		}
		// The lost worker comes back: it no longer decides, but its exchange is kept.
		x := exchange{status: 500}
		f.settle(f.ctx, outcome{jobs[0], f.judge(jobs[0], 1, &x, clock.Now())})
		if r = f.routing(lead.ID); r.State != Delivered || r.AttemptCount != 1 || len(r.Attempts) != 2 {
			t.Errorf("after the late result: %+v", r)
		}
	})
}

func TestPause(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		rule := f.activated(crm.URL, nil)
		before := f.lead(nil)
		f.ok(f.Pause(f.ctx, rule.ID))
		if err := f.Pause(f.ctx, rule.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("second pause: %v", err)
		}
		f.run()
		r := f.becomes(before.ID, Parked)
		if *r.Error != errPaused || r.NextAttemptAt != nil {
			t.Errorf("%+v", r)
		}
		during := f.lead(nil)
		if during.State != leads.StateUnmatched || len(crm.leads()) != 0 {
			t.Errorf("while paused: lead %s, %d sent", during.State, len(crm.leads()))
		}
		f.ok(f.Activate(f.ctx, rule.ID))
		f.becomes(before.ID, Delivered)
		f.becomes(f.lead(nil).ID, Delivered)
	})
}

// A worker that took a routing while its rule was paused does not park it for
// good when the rule has been resumed since.
func TestResumedBeforeParked(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, nil)
		rule := f.activated(crm.URL, nil)
		lead := f.lead(nil)
		f.ok(f.Pause(f.ctx, rule.ID))
		jobs, err := f.claim(f.ctx, demand{limit: 10, share: 10})
		f.ok(err)
		f.ok(f.Activate(f.ctx, rule.ID))
		f.settle(f.ctx, outcome{jobs[0], &result{state: Parked, err: errPaused, revision: 1}})
		if r := f.routing(lead.ID); r.State != Pending || r.Error != nil {
			t.Errorf("%+v", r)
		}
		f.run()
		f.becomes(lead.ID, Delivered)
	})
}

func TestGracefulStop(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, WithWorkers(1))
		arrived, answer := make(chan struct{}, 10), make(chan struct{})
		crm := newReceiver(t, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-answer })
		f.activated(crm.URL, nil)
		var ids []*leads.Lead
		for range 4 {
			ids = append(ids, f.lead(nil))
		}
		stop := f.run()
		<-arrived
		f.eventually("all are claimed", func() bool {
			var n int64
			f.ok(db.Read(f.ctx).Model(&Routing{}).Where("state = ?", Sending).Count(&n).Error)
			return n == 4
		})
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		f.eventually("leases are given back", func() bool {
			var n int64
			f.ok(db.Read(f.ctx).Model(&Routing{}).Where("state = ? AND lease_token IS NULL", Pending).Count(&n).Error)
			return n == 3
		})
		select {
		case <-stopped:
			t.Error("Run returned with an exchange under way")
		default:
		}
		close(answer)
		<-stopped
		states := map[string]int{}
		for _, l := range ids {
			r := f.routing(l.ID)
			states[r.State]++
			if r.State == Pending && r.NextAttemptAt.After(f.now()) {
				t.Errorf("given back, but due only at %s", r.NextAttemptAt)
			}
		}
		if states[Delivered] != 1 || states[Pending] != 3 || len(crm.leads()) != 1 {
			t.Errorf("states %v, %d sent", states, len(crm.leads()))
		}
	})
}

// An exchange that outlasts the patience of a stop is cut off, and its routing
// is sent again by the next server.
func TestStopCutsOff(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db, func(s *Service) { s.drain = 10 * time.Millisecond })
		arrived := make(chan struct{}, 10)
		crm := newReceiver(t, func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; <-r.Context().Done() })
		f.activated(crm.URL, nil)
		lead := f.lead(nil)
		stop := f.run()
		<-arrived
		stop()
		if r := f.routing(lead.ID); r.State != Pending || r.AttemptCount != 0 || r.LeaseToken != nil {
			t.Errorf("%+v", r)
		}
	})
}

func TestTwoServers(t *testing.T) {
	dsn := storetest.DSN(t, store.Postgres)
	var servers []*fixture
	for range 2 {
		db, err := store.Open(context.Background(), dsn, store.WithVault(storetest.Vault()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if err := db.Migrate(context.Background()); err != nil {
			t.Fatal(err)
		}
		servers = append(servers, newFixture(t, db))
	}
	var sent atomic.Int64
	crm := newReceiver(t, func(http.ResponseWriter, *http.Request) { sent.Add(1) })
	servers[0].activated(crm.URL, nil)
	servers[1].eventually("the other server knows the rule", func() bool {
		return servers[1].lead(nil).State == leads.StateRouted
	})
	const n = 200
	for i := range n {
		servers[i%2].lead(nil)
	}
	for _, s := range servers {
		s.run()
	}
	var total, delivered int64
	servers[0].eventually("all are delivered", func() bool {
		read := servers[0].db.Read(context.Background()).Model(&Routing{})
		servers[0].ok(read.Session(&gorm.Session{}).Count(&total).Error)
		servers[0].ok(read.Session(&gorm.Session{}).Where("state = ?", Delivered).Count(&delivered).Error)
		return total == delivered
	})
	if got := sent.Load(); got != total || total <= n {
		t.Errorf("%d routings were sent %d times", total, got)
	}
}
