package feedback

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"leadloop/store"
)

// mostGathered is how many reports share a transaction by being gathered: they
// hold the writer for a few milliseconds.
const mostGathered = 128

// gathering is where single reports wait for each other. While one of them is
// leading, and writes those that it found, the others that come meanwhile wait,
// and are then written together: at once where there is one alone, and in a few
// statements where there are many. The zero value is ready.
type gathering struct {
	mu      sync.Mutex
	led     bool // somebody is leading
	waiting []*gathered
}

// gathered is a report that waits.
type gathered struct {
	report Outcome
	party  party
	turn   chan turn // holds one
}

// turn is what a waiting report is told.
type turn int

const (
	written turn = iota // report is as it became
	lead                // write those who wait, yourself among them
	alone               // together it failed: write yourself
)

// gathers reports whether single reports of the actor in ctx are written together
// with others'. That is for customers' systems, which see what is their customer's
// and nothing is hidden from; and on SQLite, where one waits for the other anyway.
func (s *Service) gathers(ctx context.Context) bool {
	return s.DB.Dialect() == store.SQLite && store.ActorOf(ctx).Kind == store.Machine && !s.DB.Inside(ctx)
}

// gather stores one prepared report, together with what others report meanwhile.
// Where that fails for all of them each tries for itself, as what is wrong may be
// one's alone. A ctx that ends takes the report back while nobody is writing it.
func (s *Service) gather(ctx context.Context, report Outcome, p party) ([]Outcome, error) {
	g := &s.gathering
	one := &gathered{report: report, party: p, turn: make(chan turn, 1)}
	if g.join(one) {
		return s.leading(ctx, one)
	}
	var told turn
	select {
	case told = <-one.turn:
	case <-ctx.Done():
		if g.leave(one) {
			return nil, ctx.Err()
		}
		told = <-one.turn
	}
	switch told {
	case lead:
		return s.leading(ctx, one)
	case alone:
		return s.write(ctx, []Outcome{report}, batch{parties: []party{p}})
	}
	return []Outcome{one.report}, nil
}

// leading writes those who wait, one among them, and tells the others. Until then
// nobody else leads, so that they gather.
func (s *Service) leading(ctx context.Context, one *gathered) ([]Outcome, error) {
	defer s.gathering.pass()
	runtime.Gosched() // those just answered may want to report again
	all := s.gathering.take()
	if len(all) > 1 {
		told := alone
		if s.together(ctx, all) == nil {
			told = written
		}
		for _, w := range all {
			if w != one {
				w.turn <- told
			}
		}
		if told == written {
			return []Outcome{one.report}, nil
		}
	}
	return s.write(ctx, []Outcome{one.report}, batch{parties: []party{one.party}})
}

// together writes the reports in one transaction.
func (s *Service) together(ctx context.Context, all []*gathered) error {
	list, parties := make([]Outcome, len(all)), make([]party, len(all))
	for i, w := range all {
		list[i], parties[i] = w.report, w.party
	}
	// Not with the context of one of them, which may end before the others'.
	done, err := s.write(context.WithoutCancel(ctx), list, batch{parties: parties})
	if err != nil {
		return err
	}
	for i, w := range all {
		w.report = done[i]
	}
	return nil
}

// join has one wait, or lead where nobody does.
func (g *gathering) join(one *gathered) (leads bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting = append(g.waiting, one)
	leads, g.led = !g.led, true
	return leads
}

// leave takes one back, false where somebody is writing it.
func (g *gathering) leave(one *gathered) bool {
	g.mu.Lock()
	i := slices.Index(g.waiting, one)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	g.mu.Unlock()
	if i < 0 {
		return false
	}
	select {
	case <-one.turn: // to lead, as nobody has written it
		g.pass()
	default:
	}
	return true
}

// take gives those to be written now, oldest first.
func (g *gathering) take() []*gathered {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), mostGathered)
	all := slices.Clone(g.waiting[:n])
	g.waiting = slices.Delete(g.waiting, 0, n)
	return all
}

// pass lets the one who waits longest lead.
func (g *gathering) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.led = len(g.waiting) > 0; g.led {
		g.waiting[0].turn <- lead
	}
}
