package routing

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// A word is a run of exchanges: F failed, s succeeded, P a failed probe.
func TestBreaker(t *testing.T) {
	now := newClock().Now()
	for _, c := range []struct {
		word  string
		state string
		wait  time.Duration
	}{
		{"", BreakerClosed, 0},
		{"FFFFFFFFF", BreakerClosed, 0},
		{"FFFFFFFFFF", BreakerOpen, 30 * time.Second},
		{"FFFFFFFFFFF", BreakerOpen, 30 * time.Second},
		{"FFFFFFFFFsF", BreakerClosed, 0},
		{"FFFFFFFFFsFFFFF", BreakerClosed, 0},               // 14 of 20
		{"FFFFFFFFFsFFFFFF", BreakerOpen, 30 * time.Second}, // 15 of 20
		{"FFFFFFFFFssssssFFFFF", BreakerClosed, 0},
		{"FFFFFFFFFFP", BreakerOpen, time.Minute},
		{"FFFFFFFFFFPP", BreakerOpen, 2 * time.Minute},
		{"FFFFFFFFFFPPPPP", BreakerOpen, 15 * time.Minute},
		{"FFFFFFFFFFPPPPPPP", BreakerOpen, 15 * time.Minute},
		{"FFFFFFFFFFPPs", BreakerClosed, 0},
		{"FFFFFFFFFFPPsFFFFFFFFF", BreakerClosed, 0},
		{"FFFFFFFFFFPPsFFFFFFFFFF", BreakerOpen, 30 * time.Second},
	} {
		b := breaker{state: BreakerClosed}
		for _, x := range c.word {
			if x == 's' {
				b.succeeded()
			} else {
				b.failed(x == 'P', now)
			}
		}
		var wait time.Duration
		if b.until != nil {
			wait = b.until.Sub(now)
		}
		if b.state != c.state || wait != c.wait {
			t.Errorf("%s: %s for %s, want %s for %s", c.word, b.state, wait, c.state, c.wait)
		}
	}
}

// While a breaker is open, routings wait, a probe is sent at its time, and two
// services on one database know of it.
func TestBreakerOpens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now), func(s *Service) { s.recheck = 0 })
		other := New(db, storetest.Vault(), WithClock(clock.Now), func(s *Service) { s.recheck = 0 })
		crm := newReceiver(t, status(500))
		rule := f.activated(crm.URL, nil)
		f.run()
		for range openStreak {
			f.lead(nil)
		}
		f.eventually("the breaker opens", func() bool { return f.reread(rule.ID).Breaker == BreakerOpen })
		r := f.reread(rule.ID)
		if !r.BreakerUntil.Equal(clock.Now().Add(firstProbe)) || !r.FailingSince.Equal(clock.Now()) || r.State != Active {
			t.Errorf("%+v", r)
		}
		if broken, err := other.Broken(f.ctx); err != nil || !broken[rule.ID].Equal(*r.BreakerUntil) {
			t.Errorf("another server knows %v, %v", broken, err)
		}
		if until := other.BrokenUntil(rule.ID); until == nil || !until.Equal(*r.BreakerUntil) || other.BrokenUntil(rule.ID+1) != nil {
			t.Errorf("another server knows %v", until)
		}
		waiting := f.lead(nil)
		jobs, err := other.claim(f.ctx, demand{limit: 100, share: 100})
		if f.ok(err); len(jobs) != 0 {
			t.Errorf("%d routings were claimed", len(jobs))
		}
		clock.forward(firstProbe - time.Second) // the retries are due
		if jobs, err = other.claim(f.ctx, demand{limit: 100, share: 100}); err != nil || len(jobs) != 0 {
			t.Errorf("%d routings were claimed, %v", len(jobs), err)
		}
		clock.forward(time.Second)
		f.eventually("a probe fails", func() bool {
			r := f.reread(rule.ID)
			return r.Breaker == BreakerOpen && r.BreakerUntil.Equal(clock.Now().Add(2*firstProbe))
		})
		if n := len(crm.leads()); n != openStreak+1 {
			t.Errorf("%d were sent", n)
		}
		crm.respond(nil)
		clock.forward(2 * firstProbe)
		f.becomes(waiting.ID, Delivered)
		if r := f.reread(rule.ID); r.Breaker != BreakerClosed || r.BreakerUntil != nil || r.FailingSince != nil {
			t.Errorf("%+v", r)
		}
	})
}

// A probe that comes to no exchange leaves the breaker open, and the next routing
// is the probe.
func TestProbeWithoutExchange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, status(500))
		rule := f.activated(crm.URL, func(r *Rule) { r.Mapping[2].Required = true })
		stop := f.run()
		for range openStreak {
			f.lead(nil)
		}
		f.eventually("the breaker opens", func() bool { return f.reread(rule.ID).Breaker == BreakerOpen })
		stop()
		f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
			return tx.Exec("UPDATE routings SET next_attempt_at = NULL, state = 'failed'").Error
		}))
		lacking := f.lead(func(l *leads.Lead) { l.Phone = nil })
		clock.forward(time.Second)
		fine := f.lead(nil)
		crm.respond(nil)
		clock.forward(firstProbe)
		f.run()
		f.becomes(lacking.ID, Parked)
		f.becomes(fine.ID, Delivered)
	})
}

// A rule whose customer's system is gone, or fails for five days, pauses with a
// notice; its routings wait for staff.
func TestPausedByProgram(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		var posts atomic.Int64
		staff := newReceiver(t, func(http.ResponseWriter, *http.Request) { posts.Add(1) })
		f := newFixture(t, db, WithClock(clock.Now), WithNoticeURL(staff.URL))
		crm := newReceiver(t, status(410))
		rule := f.activated(crm.URL, nil)
		f.run()
		lead := f.lead(nil)
		f.becomes(lead.ID, Parked)
		r := f.reread(rule.ID)
		if r.State != Paused || r.PauseReason == nil || *r.PauseReason != "the customer's system answered 410 Gone: the address is not in use any more" {
			t.Errorf("%+v", r)
		}
		f.notice(NoticePaused, fmt.Sprintf("The rule %s (%d) is paused: %s", r.Name, r.ID, *r.PauseReason))
		f.eventually("the notice is delivered", func() bool { return posts.Load() == 1 })

		crm.respond(nil)
		f.ok(f.Activate(f.ctx, rule.ID))
		f.becomes(lead.ID, Delivered)
		if r := f.reread(rule.ID); r.PauseReason != nil {
			t.Errorf("resumed: %s", *r.PauseReason)
		}

		crm.respond(status(503))
		begun := clock.Now()
		for range 20 { // a day each
			l := f.lead(nil)
			f.eventually("an attempt", func() bool {
				now := f.reread(rule.ID)
				return f.routing(l.ID).AttemptCount > 0 || now.State == Paused || now.Breaker == BreakerOpen && now.BreakerUntil.After(clock.Now())
			})
			if f.reread(rule.ID).State == Paused {
				break
			}
			clock.forward(24 * time.Hour)
		}
		r = f.reread(rule.ID)
		if took := clock.Now().Sub(begun); r.State != Paused || took < longestFailure {
			t.Errorf("%s after %s", r.State, took)
		}
		crm.respond(nil)
		f.ok(f.Activate(f.ctx, rule.ID))
		clock.forward(24 * time.Hour)
		f.eventually("all are delivered", func() bool {
			var left int64
			f.ok(db.Read(f.ctx).Model(&Routing{}).Where("state IN ?", []string{Pending, Sending, Parked}).Count(&left).Error)
			return left == 0
		})
	})
}

// notice waits for the only notice of the kind, and checks what it says.
func (f *fixture) notice(kind, message string) Notice {
	f.Helper()
	var found []Notice
	f.eventually("a notice", func() bool {
		found = nil
		f.ok(f.db.Read(f.ctx).Where("kind = ?", kind).Find(&found).Error)
		return len(found) > 0
	})
	if len(found) != 1 || found[0].Message != message {
		f.Errorf("%d notices: %+v", len(found), found)
	}
	return found[0]
}

// Two of the same within the hour are one notice.
func TestNoticesOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		rule := f.activated(newReceiver(t, nil).URL, nil)
		full := func() {
			f.ok(db.Write(f.ctx, func(tx *gorm.DB) error {
				return f.Notify(tx, Notice{Kind: NoticeCap, RuleID: &rule.ID, CustomerID: &f.customer, Message: "10 of 10 today"})
			}))
		}
		full()
		clock.forward(time.Minute)
		full()
		if n := f.notice(NoticeCap, "10 of 10 today"); n.Times != 2 || !n.LastAt.Equal(clock.Now()) || n.CreatedAt.Equal(n.LastAt) {
			t.Errorf("%+v", n)
		}
		clock.forward(time.Hour)
		full()
		var n int64
		if f.ok(db.Read(f.ctx).Model(&Notice{}).Count(&n).Error); n != 2 {
			t.Errorf("%d notices", n)
		}
	})
}

func TestResendRoutings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		clock := newClock()
		f := newFixture(t, db, WithClock(clock.Now))
		crm := newReceiver(t, status(400))
		mine := f.activated(crm.URL, func(r *Rule) { r.Condition = "City ne 'Eilat'" }) // what other turns down is not for it
		other := f.activated(crm.URL, func(r *Rule) { r.CustomerID, r.Priority, r.Condition = f.newCustomer("other"), 1, "City eq 'Eilat'" })
		f.run()
		city := "Eilat"
		for range 30 {
			f.becomes(f.lead(nil).ID, Rejected)
		}
		f.becomes(f.lead(func(l *leads.Lead) { l.City = &city }).ID, Rejected)
		crm.respond(nil)
		filter := fmt.Sprintf("RuleID eq %d and State eq 'rejected' and Rule/Name eq 'All to Acme'", mine.ID)
		for _, wrong := range []string{"", "RuleID eq", "Nonsense eq 1", "RuleID"} {
			if _, err := f.ResendRoutings(f.ctx, wrong, nil, false); fault.CodeOf(err) != fault.Invalid {
				t.Errorf("%q: %v", wrong, err)
			}
		}
		ten := int64(10)
		r, err := f.ResendRoutings(f.ctx, filter, &ten, false)
		f.ok(err)
		ended := func(r *Resend) *Resend {
			f.eventually("it is done", func() bool {
				row, err := load[Resend](db.Read(f.ctx), "resend", r.ID)
				f.ok(err)
				*r = *row
				return r.State == ResendDone
			})
			return r
		}
		if ended(r); r.Found != 10 || r.Resent != 10 || r.EndedAt == nil {
			t.Errorf("%+v", r)
		}
		if err := f.CancelResend(f.ctx, r.ID); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("cancel: %v", err)
		}
		delivered := func() (n int64) {
			f.ok(db.Read(f.ctx).Model(&Routing{}).Where("state = ?", Delivered).Count(&n).Error)
			return n
		}
		f.eventually("ten are delivered", func() bool { return delivered() == 10 })
		r, err = f.ResendRoutings(f.ctx, filter, nil, false)
		f.ok(err)
		if ended(r); r.Found != 20 || r.Resent != 20 {
			t.Errorf("%+v", r)
		}
		f.eventually("all of the rule are delivered", func() bool { return delivered() == 30 })
		var left Routing
		f.ok(db.Read(f.ctx).Where("state = ?", Rejected).Take(&left).Error)
		if left.RuleID != other.ID {
			t.Errorf("%+v", left)
		}
	})
}
