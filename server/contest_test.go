package server

import (
	"fmt"
	"io"
	"slices"
	"testing"
	"time"
)

// entrant is one way of doing a thing. Run does it n times.
type entrant struct {
	name string
	run  func(n int)
	// expected is how many times as fast ours must be; 0: it is only shown.
	expected float64
}

// margin is the part of what is expected that a noisy machine may take away.
const margin = 0.8

// contest measures entrants side by side: in turns, a number of rounds, so that
// a noisy machine is noisy for all of them. The first is ours.
type contest struct {
	name     string
	entrants []entrant
	rounds   int           // 0: five
	each     time.Duration // at least, of one round of one entrant; 0: 300 ms
}

func (c contest) run(t *testing.T, w io.Writer) {
	if c.rounds == 0 {
		c.rounds, c.each = 5, 300*time.Millisecond
	}
	times := make([][]float64, len(c.entrants))
	for range c.rounds {
		for i, e := range c.entrants {
			times[i] = append(times[i], c.round(e))
		}
	}
	ours, title := median(times[0]), c.name
	for i, e := range c.entrants {
		took := median(times[i])
		line := fmt.Sprintf("%-38s %-38s %10.1f µs", title, e.name, took/1e3)
		if i > 0 {
			ratio := took / ours
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

// round gives the nanoseconds that e takes for one, over c.each.
func (c contest) round(e entrant) float64 {
	n := 1
	for {
		start := time.Now()
		e.run(n)
		took := time.Since(start)
		if took >= c.each || n > 1<<24 {
			return float64(took.Nanoseconds()) / float64(n)
		}
		n = max(2*n, int(1.2*float64(n)*float64(c.each)/float64(max(took, time.Microsecond))))
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}
