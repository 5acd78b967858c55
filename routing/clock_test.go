package routing

import (
	"sync/atomic"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

func TestSteadyClock(t *testing.T) {
	wall := newClock()
	var passed time.Duration
	c := newSteadyClock(wall.Now, func() time.Duration { return passed })
	start := wall.Now()
	for i, step := range []struct{ passed, jump, want time.Duration }{
		{time.Minute, 0, time.Minute},
		{time.Minute, time.Second, 2*time.Minute + time.Second}, // a correction
		{0, time.Hour, 2*time.Minute + time.Second},
		{10 * time.Minute, 0, 13*time.Minute + time.Second},
		{10 * time.Hour, 0, 11*time.Hour + 12*time.Minute + time.Second}, // together again
		{0, -time.Hour, 11*time.Hour + 12*time.Minute + time.Second},
		{10 * time.Minute, 0, 11*time.Hour + 21*time.Minute + time.Second},
	} {
		passed += step.passed
		wall.forward(step.passed + step.jump)
		if got := c.Now().Sub(start); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}

// The machine's clock jumps by an hour, either way: leases hold, retries come when
// their time has passed, and new routings at once.
func TestClockJumps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, jump := range []time.Duration{time.Hour, -time.Hour} {
			wall := newClock()
			var passed atomic.Int64
			pass := func(d time.Duration) { passed.Add(int64(d)); wall.forward(d) }
			steady := newSteadyClock(wall.Now, func() time.Duration { return time.Duration(passed.Load()) })
			f := newFixture(t, db, WithClock(steady.Now), WithJitter(func() float64 { return 0.5 }))
			crm := newReceiver(t, status(500))
			rule := f.activated(crm.URL, nil)
			stop := f.run()
			retry := f.lead(nil)
			f.eventually("a try", func() bool { return f.routing(retry.ID).AttemptCount == 1 })
			stop()
			leased := f.lead(nil)
			jobs, err := f.claim(f.ctx, demand{limit: 10, share: 10})
			if f.ok(err); len(jobs) != 1 || jobs[0].leadID != leased.ID {
				t.Fatalf("%d claimed", len(jobs))
			}
			wall.forward(jump)
			again, err := f.claim(f.ctx, demand{limit: 10, share: 10})
			if f.ok(err); len(again) != 0 {
				t.Errorf("after a jump of %s, %d were claimed early", jump, len(again))
			}
			crm.respond(nil)
			stop = f.run()
			f.becomes(f.lead(nil).ID, Delivered)
			pass(2 * schedule[0])
			f.becomes(retry.ID, Delivered)
			pass(2 * f.lease)
			f.becomes(leased.ID, Delivered)
			stop()
			f.ok(f.Pause(f.ctx, rule.ID))
		}
	})
}
