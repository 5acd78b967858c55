package server

import (
	"fmt"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"
)

// entrant is one way of doing a thing. Run does it n times.
type entrant struct {
	name string
	run  func(n int)
	// ready, unless nil, gets things ready for n; it is not measured.
	ready func(n int)
	each  int // how many things one run does, for what is shown; 0: one
	// expected is how many times as fast ours must be; 0: it is only shown.
	expected float64
}

// margin is the part of what is expected that a noisy machine may take away.
const margin = 0.8

// contest measures entrants side by side: in turns, in many short rounds, so that
// a noisy machine is noisy for all of them, and by the quarter of each one's
// rounds that was disturbed least. The first is ours.
type contest struct {
	name     string
	entrants []entrant
	slice    time.Duration // of a round; 0: slice
	most     time.Duration // that ours is expected to take; 0: any
	enough   time.Duration // ours may take this of a processor whatever the others do; 0: nothing
}

// A contest has most rounds, each of which gives every entrant at least slice;
// those of slow entrants are fewer, though least.
const (
	mostRounds, leastRounds = 12, 4
	slice                   = 100 * time.Millisecond
	contestTime             = 5 * time.Second
)

func (c contest) run(t *testing.T, w io.Writer) {
	times, at := make([][]float64, len(c.entrants)), make([]int, len(c.entrants))
	cpus := make([][]float64, len(c.entrants))
	if c.slice == 0 {
		c.slice = slice
	}
	start := time.Now()
	for n := range mostRounds {
		if n >= leastRounds && time.Since(start) > contestTime {
			break
		}
		for i, e := range c.entrants {
			var took, cpu float64
			took, cpu, at[i] = round(e, max(at[i], 1), c.slice)
			times[i], cpus[i] = append(times[i], took), append(cpus[i], cpu)
		}
	}
	ours, title := undisturbed(times[0])/float64(max(c.entrants[0].each, 1)), c.name
	if c.most > 0 && margin*ours > float64(c.most.Nanoseconds()) {
		t.Errorf("%s takes %.1f µs, expected at most %v", c.name, ours/1e3, c.most)
	}
	for i, e := range c.entrants {
		took := undisturbed(times[i]) / float64(max(e.each, 1))
		cpu := undisturbed(cpus[i]) / float64(max(e.each, 1))
		line := fmt.Sprintf("%-38s %-38s %10.1f µs (%.1f µs of a processor)", title, e.name, took/1e3, cpu/1e3)
		if i > 0 {
			ratio := took / ours
			if undisturbed(cpus[0]) <= float64(c.enough.Nanoseconds()) {
				e.expected = 0
			}
			line += fmt.Sprintf("   ours is %.2f times as fast", ratio)
			switch {
			case ratio < margin*e.expected:
				t.Errorf("%s: ours is %.2f times as fast as %s, expected %.2f", c.name, ratio, e.name, e.expected)
				fallthrough
			case ratio < e.expected:
				line += fmt.Sprintf(", expected %.2f", e.expected)
			}
		}
		fmt.Fprintln(w, line)
		title = ""
	}
}

// round gives the nanoseconds that e takes for one, and those of a processor,
// measured over a slice, and how many that was. It tries n at first.
func round(e entrant, n int, slice time.Duration) (took, cpu float64, at int) {
	for {
		if e.ready != nil {
			e.ready(n)
		}
		start, used := time.Now(), processorTime()
		e.run(n)
		took, used := time.Since(start), processorTime()-used
		if took >= slice*3/4 || n > 1<<24 {
			each := float64(took.Nanoseconds()) / float64(n)
			return each, float64(used.Nanoseconds()) / float64(n), max(1, int(float64(slice.Nanoseconds())/each))
		}
		n = max(2*n, int(float64(n)*float64(slice)/float64(max(took, time.Microsecond))))
	}
}

// processorTime is what this process has used so far, all of its threads together.
func processorTime() time.Duration {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// undisturbed is the quarter of x from its least.
func undisturbed(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/4]
}
