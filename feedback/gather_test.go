package feedback

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// crowd is reports that gather while the writer is busy, one of them leading. It is
// for SQLite: elsewhere reports do not wait for each other.
type crowd struct {
	*world
	release chan struct{}
	all     sync.WaitGroup
}

// attempt is a report of a crowd; it is to be read when the crowd has finished.
type attempt struct {
	Feedback
	err error
}

// newCrowd keeps the writer busy and has one report lead.
func newCrowd(t *testing.T, w *world, id uuid.UUID) *crowd {
	c := &crowd{world: w, release: make(chan struct{})}
	running := make(chan struct{})
	c.all.Go(func() {
		_ = w.DB.Write(background, func(*gorm.DB) error {
			close(running)
			<-c.release
			return nil
		})
	})
	<-running
	c.report(w.acme.asClient, id)
	c.wait(t, func(g *gathering) bool { return g.led && len(g.waiting) == 0 })
	return c
}

func (c *crowd) report(ctx context.Context, id uuid.UUID) *attempt {
	a := &attempt{Feedback: Feedback{RoutingID: id, ReasonID: new(int32(3)), OccurredAt: new(c.Now())}}
	c.all.Go(func() { a.err = c.Report(ctx, &a.Feedback) })
	return a
}

// join is report, and returns when that waits as the nth.
func (c *crowd) join(t *testing.T, ctx context.Context, id uuid.UUID, n int) *attempt {
	t.Helper()
	a := c.report(ctx, id)
	c.wait(t, func(g *gathering) bool { return len(g.waiting) == n })
	return a
}

func (c *crowd) wait(t *testing.T, until func(g *gathering) bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for tick := time.Tick(time.Millisecond); ; {
		c.gathering.mu.Lock()
		reached := until(&c.gathering)
		c.gathering.mu.Unlock()
		if reached {
			return
		}
		select {
		case <-tick:
		case <-deadline:
			t.Fatal("they do not gather")
		}
	}
}

func (c *crowd) finish() {
	close(c.release)
	c.all.Wait()
}

func TestReportsGather(t *testing.T) {
	w := newWorld(t, storetest.Open(t, store.SQLite))
	first := w.newRouting(t, w.acme)[0]
	ids := w.newRouting(t, w.acme, w.zenith)
	before := w.DB.Stats().Writes
	c := newCrowd(t, w, first)
	leaving, leave := context.WithCancel(w.acme.asClient)
	good := c.join(t, w.acme.asClient, ids[0], 1)
	others := c.join(t, w.zenith.asClient, ids[1], 2)
	foreign := c.join(t, w.acme.asClient, ids[1], 3)
	left := c.join(t, leaving, ids[0], 4)
	again := c.join(t, w.acme.asClient, ids[0], 5)
	leave()
	c.wait(t, func(g *gathering) bool { return len(g.waiting) == 4 })
	c.finish()
	if good.err != nil || others.err != nil || again.err != nil {
		t.Errorf("errors %v, %v, %v", good.err, others.err, again.err)
	}
	if again.ID != good.ID || others.ID == good.ID {
		t.Errorf("ids %v, the same again %v, another %v", good.ID, again.ID, others.ID)
	}
	wantFault(t, foreign.err, fault.NotFound, "RoutingID")
	if !errors.Is(left.err, context.Canceled) {
		t.Errorf("who left got %v", left.err)
	}
	if n := w.count(t); n != 3 {
		t.Errorf("%d reports are stored, want 3", n)
	}
	if got := w.current(t, ids[0]); got != (current{3, 3}) {
		t.Errorf("current %+v", got)
	}
	if n := w.DB.Stats().Writes - before; n != 3 { // what kept the writer busy, the leading one, the others
		t.Errorf("%d writes, want 3", n)
	}
	if w.gathering.led {
		t.Error("somebody leads for ever")
	}
}

func TestOneSpoilsNothingForTheOthers(t *testing.T) {
	w := newWorld(t, storetest.Open(t, store.SQLite))
	first := w.newRouting(t, w.acme)[0]
	ids := w.newRouting(t, w.acme, w.zenith)
	spare := w.newRouting(t, w.acme)[0]
	c := newCrowd(t, w, first)
	gone := actor(store.Actor{Kind: store.Machine, ConnectionID: uuid.New(), CustomerID: w.acme.customer, Scopes: []string{writeScope}})
	good := c.join(t, w.acme.asClient, ids[0], 1)
	deleted := c.join(t, gone, spare, 2)
	others := c.join(t, w.zenith.asClient, ids[1], 3)
	c.finish()
	if good.err != nil || others.err != nil {
		t.Errorf("errors %v, %v", good.err, others.err)
	}
	wantFault(t, deleted.err, fault.Conflict, "")
	if n := w.count(t); n != 3 {
		t.Errorf("%d reports are stored, want 3", n)
	}
}
