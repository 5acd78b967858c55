package routing

import (
	"sync"
	"time"
)

// clockStep is how far the machine's clock may be off what is expected of it
// before that is taken for a jump; clockSlew is the part of the time that passes
// by which a jump is made up for.
const (
	clockStep = 2 * time.Second
	clockSlew = 10
)

// steadyClock is a clock that does not jump. It goes by the machine's clock while
// that goes on evenly. After a jump it goes on as before, a tenth faster or slower
// until both are together: no retry is early and no lease ends because a clock was
// set, and nothing waits for an hour because it was set back.
type steadyClock struct {
	wall    func() time.Time
	elapsed func() time.Duration // never jumps

	mu   sync.Mutex
	last time.Time     // what it said
	at   time.Duration // when
}

func newSteadyClock(wall func() time.Time, elapsed func() time.Duration) *steadyClock {
	return &steadyClock{wall: wall, elapsed: elapsed, last: wall(), at: elapsed()}
}

// Now gives the time in UTC, in whole microseconds.
func (c *steadyClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	wall, at := c.wall(), c.elapsed()
	passed := at - c.at
	expected := c.last.Add(passed)
	off := wall.Sub(expected)
	if off > clockStep || off < -clockStep {
		off = min(max(off, -passed/clockSlew), passed/clockSlew)
	}
	c.last, c.at = expected.Add(off), at
	return c.last.Truncate(time.Microsecond)
}

// uptime is the time since the program started; setting the clock does not change it.
func uptime() time.Duration { return time.Since(started) }
