package routing

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadloop/store"
)

// mostHeld is how many leases a server holds at most, for routings that wait for
// their exchange and for those whose outcome is being written.
const mostHeld = 2048

// leastShare is how many routings of one rule a claim takes at most, where there
// are many rules.
const leastShare = 8

// Run sends routings as they become due, until ctx ends. Then it claims no more,
// gives back the leases of what it has not begun, waits for the exchanges under
// way to end (at most 15 seconds), and returns nil. Run it once per Service; any
// number of servers may run on one database.
//
// Run also sends what ResendRoutings asks for, and delivers notices.
func (s *Service) Run(ctx context.Context) error {
	ctx = store.WithActor(ctx, store.Actor{Kind: store.System, Name: "transmission", Through: store.Program})
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	d := s.newDispatcher(sending)
	var settled, others sync.WaitGroup
	settled.Go(func() { d.settleAll(context.WithoutCancel(ctx)) })
	others.Go(func() { s.hear(ctx) })
	others.Go(func() { s.deliverNotices(ctx) })
	others.Go(func() { s.resendAll(ctx) })
	more := true // what is due at start may be from before
	for ctx.Err() == nil {
		_, err := s.Broken(ctx) // so that routing knows too
		d.warn(ctx, err)
		more = d.fill(ctx, more)
		more = d.wait(ctx, more)
	}
	bound := time.AfterFunc(s.drain, cut)
	defer bound.Stop()
	d.giveBack(d.lanes.close())
	d.jobs.Wait()
	close(d.ended)
	settled.Wait()
	others.Wait()
	s.client.close()
	return nil
}

// dispatcher is one Run.
type dispatcher struct {
	*Service
	sending context.Context // ends when exchanges under way are to be cut off
	lanes   *lanes
	ended   chan outcome   // of jobs whose turn is over
	freed   chan struct{}  // holds a token when jobs were settled
	jobs    sync.WaitGroup // those that are not in ended yet
	average atomic.Int64   // how long an exchange takes of late, in nanoseconds

	after map[*queue]int64 // the rule, or source, that the last claim ended with
	rules int              // how many of them the last claim came upon
}

func (s *Service) newDispatcher(sending context.Context) *dispatcher {
	d := &dispatcher{
		Service: s, sending: sending, rules: leastShare, after: map[*queue]int64{},
		ended: make(chan outcome, mostHeld), freed: make(chan struct{}, 1),
	}
	d.lanes = newLanes(s.workers, d.turn, d.giveBack)
	d.average.Store(int64(s.timeout)) // until it is known better
	return d
}

// limit is how many leases to hold: what a quarter of a lease's time is enough
// to send, so that none runs out while it waits.
func (d *dispatcher) limit() int {
	n := int64(d.workers) * int64(d.lease/4) / max(1, d.average.Load())
	return int(min(max(n, int64(4*d.workers)), int64(max(mostHeld, 4*d.workers))))
}

// took counts an exchange into the average.
func (d *dispatcher) took(t time.Duration) {
	before := d.average.Load()
	d.average.Store(before + (int64(min(t, patience))-before)/16)
}

// fill claims what is due, as far as there is room, and starts it. sure says
// that a look whether there is anything can be spared. It reports whether more
// may be due than there was room for.
func (d *dispatcher) fill(ctx context.Context, sure bool) (more bool) {
	limit := d.limit()
	full, held := d.lanes.full(d.lease)
	room := limit - held
	if room < max(1, limit/4) {
		return true // a claim for one or two would cost as much as one for many
	}
	queues := d.queues(ctx)
	if !sure {
		if some, err := d.due(ctx, queues...); err != nil || !some {
			d.warn(ctx, err)
			return false
		}
	}
	want := demand{
		limit: room, share: min(max(leastShare, room/d.rules), mostOfLane),
		after: d.after, full: full, onward: len(queues) > 1,
	}
	jobs, err := d.claim(ctx, want)
	d.warn(ctx, err)
	if len(jobs) == 0 {
		return false
	}
	byOwner, onwards := map[int64]int{}, 0
	for _, j := range jobs {
		byOwner[j.owner()]++
		d.after[j.queue] = j.ruleID
		if j.isOnward() {
			onwards++
		}
	}
	d.rules = len(byOwner)
	d.jobs.Add(len(jobs))
	d.lanes.add(jobs, time.Duration(d.average.Load()))
	return len(jobs) >= room || len(full) > 0 || onwards >= want.onwards() || slices.Max(slices.Collect(maps.Values(byOwner))) >= want.share
}

// queues are those that there may be something in.
func (d *dispatcher) queues(ctx context.Context) []*queue {
	set, err := d.Service.rules(ctx)
	d.warn(ctx, err)
	if err == nil && len(set.onwards) == 0 {
		return []*queue{routingQueue}
	}
	return []*queue{routingQueue, onwardQueue}
}

func (d *dispatcher) warn(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		d.log.Error("transmission", "error", err)
	}
}

// wait returns when there may be something to do; sure as fill takes it.
func (d *dispatcher) wait(ctx context.Context, more bool) (sure bool) {
	timer := time.NewTimer(d.poll)
	defer timer.Stop()
	freed := d.freed
	if !more {
		freed = nil
	}
	select {
	case <-ctx.Done():
	case <-d.wake:
		return true
	case <-freed:
		return true
	case <-timer.C:
	}
	return false
}

// settleAll records the outcomes as they come, many in one transaction: a commit
// costs as much for one. One transaction at a time leaves the database's
// connections to others.
func (d *dispatcher) settleAll(ctx context.Context) {
	for first := range d.ended {
		batch := d.gather(first)
		d.settle(ctx, batch...)
		d.lanes.settled(batch)
		ring(d.freed)
	}
}

// gather waits for further outcomes, no longer than gatherTime and only where
// there are some to come.
func (d *dispatcher) gather(first outcome) []outcome {
	batch := append(make([]outcome, 0, settleMost), first)
	timer := time.NewTimer(gatherTime)
	defer timer.Stop()
	for len(batch) < settleMost && (len(d.ended) > 0 || d.lanes.busy()) {
		select {
		case o, ok := <-d.ended:
			if !ok {
				return batch
			}
			batch = append(batch, o)
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// settleMost is how many outcomes go into one transaction, which others wait for;
// gatherTime is how long the first of them waits for the others.
const (
	settleMost = 256
	gatherTime = 20 * time.Millisecond
)

// turn sends one claimed job, or gives its lease back where too little of it
// is left.
func (d *dispatcher) turn(r *running) {
	o := outcome{job: r.job}
	begun := time.Now()
	if r.until.Sub(d.now()) > 2*d.timeout {
		o.result = d.transmit(r.job)
	}
	d.lanes.end(r, time.Since(begun))
	d.end(o)
}

// giveBack ends the turns of jobs that did not come to it.
func (d *dispatcher) giveBack(jobs []*job) {
	for _, j := range jobs {
		d.end(outcome{job: j})
	}
}

func (d *dispatcher) end(o outcome) {
	d.ended <- o
	d.jobs.Done()
}

// transmit makes the exchange of j. There is no result when it was cut off by
// the program's end.
func (d *dispatcher) transmit(j *job) (r *result) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("panic in transmission", j.queue.table, j.id, "panic", p, "stack", string(debug.Stack()))
			r = parked(j, errors.New("the program failed on this; see its log"))
		}
	}()
	out, what, r := d.prepare(j)
	if r != nil {
		return r
	}
	if broken, err := d.Broken(d.sending); err == nil && !j.probe && !broken[j.owner()].IsZero() {
		return nil // the breaker opened since the claim: it waits as the others do
	}
	begun := d.now()
	x, err := d.deliver(d.sending, out, what)
	if err != nil {
		return parked(j, err)
	}
	d.took(x.duration)
	if x.status == 0 && d.sending.Err() != nil {
		return nil
	}
	return d.judge(j, what.revision, &x, begun)
}

// prepare gives what job j sends and by what, or the result of there being nothing
// to send.
func (d *dispatcher) prepare(j *job) (*sender, delivery, *result) {
	if j.isOnward() {
		return d.prepareOnward(j)
	}
	rule, r := d.ruleOf(j)
	if r != nil {
		return nil, delivery{}, r
	}
	return rule.plan.sender, delivery{lead: j.lead, id: j.id, routingID: j.id, customerID: rule.customerID, revision: rule.revision}, nil
}

// ruleOf gives the live rule of j, or the result of there being none to send by.
func (d *dispatcher) ruleOf(j *job) (*liveRule, *result) {
	set, err := d.Service.rules(d.sending)
	if err == nil && set.byID[j.ruleID] == nil {
		set, err = d.reload(d.sending, set, set.purges) // activated a moment ago on another server
	}
	if err != nil {
		d.log.Error("transmission", "routing", j.id, "error", err)
		at := d.now().Add(schedule[0])
		return nil, &result{state: Pending, next: &at, err: "the rules could not be read", revision: j.revision}
	}
	rule := set.byID[j.ruleID]
	switch {
	case rule == nil:
		return nil, parked(j, errors.New("the rule is not active"))
	case !rule.active:
		return nil, parked(j, errors.New(errPaused))
	case rule.err != nil:
		return nil, parked(j, fmt.Errorf("the rule does not compile: %w", rule.err))
	case j.lead == nil:
		return nil, parked(j, errors.New("the lead is no longer there"))
	}
	late, err := d.outOfTime(d.sending, j, rule)
	if err != nil {
		d.log.Error("transmission", "routing", j.id, "error", err) // sending is better than not
	}
	if late {
		return nil, parked(j, errors.New(errMissed))
	}
	return rule, nil
}

func parked(j *job, why error) *result {
	return &result{state: Parked, err: clip(why.Error(), 1000), revision: j.revision}
}
