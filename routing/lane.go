package routing

import (
	"sync"
	"time"
)

// patience is how long an exchange counts as one of the server's workers. One
// that takes longer only waits, and somebody else works meanwhile: a customer's
// system that hangs holds up no other.
const patience = time.Second

// mostUnderWay bounds the exchanges under way, those that only wait among them,
// for each worker.
const mostUnderWay = 32

// mostOfLane is how many leases of one customer a server holds at most.
const mostOfLane = 1024

// lanes hold the jobs that wait for their exchange, by customer, and say which
// one is next: the customers take turns.
type lanes struct {
	workers int
	start   func(*running) // in a goroutine of its own
	back    func([]*job)   // gives leases back

	mu       sync.Mutex
	free     int // workers
	underWay int
	all      map[int64]*lane
	turns    []*lane // those that have jobs waiting, the next one first
	timer    *time.Timer
	closed   bool
}

// lane is one customer's share of a server.
type lane struct {
	customer  int64
	limit     int           // exchanges at once
	spacing   time.Duration // least time from one to the next; 0: none
	next      time.Time     // no exchange begins earlier, for spacing
	waiting   []*job
	inTurns   bool
	underWay  int
	slow      int           // exchanges under way for longer than patience
	unsettled int           // jobs whose outcome is not written
	average   time.Duration // of an exchange of late
}

// running is an exchange under way.
type running struct {
	*job
	lane    *lane
	patient bool // it is no longer one of the workers'
	timer   *time.Timer
}

func newLanes(workers int, start func(*running), back func([]*job)) *lanes {
	return &lanes{workers: workers, free: workers, start: start, back: back, all: map[int64]*lane{}}
}

// add puts claimed jobs into their lanes. average is how long an exchange of a
// customer not known yet may take.
func (l *lanes) add(jobs []*job, average time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range jobs {
		x := l.all[j.customerID]
		if x == nil {
			x = &lane{customer: j.customerID, average: average}
			l.all[j.customerID] = x
		}
		x.limit, x.spacing = max(1, l.workers/2), 0
		if j.maxConcurrent.Valid {
			x.limit = max(1, int(j.maxConcurrent.Int64))
		}
		if j.maxPerMinute.Valid {
			x.spacing = time.Minute / time.Duration(max(1, j.maxPerMinute.Int64))
		}
		x.waiting = append(x.waiting, j)
		x.unsettled++
		l.queue(x)
	}
	l.pump()
}

// queue gives x a turn if it has anything to do.
func (l *lanes) queue(x *lane) {
	if !x.inTurns && len(x.waiting) > 0 && x.underWay < x.limit {
		x.inTurns = true
		l.turns = append(l.turns, x)
	}
}

// pump starts what may start. l is locked.
func (l *lanes) pump() {
	now := time.Now()
	var soonest time.Time
	for left := len(l.turns); left > 0 && l.free > 0 && l.underWay < mostUnderWay*l.workers && !l.closed; left-- {
		x := l.turns[0]
		l.turns = l.turns[1:]
		x.inTurns = false
		if len(x.waiting) == 0 || x.underWay >= x.limit {
			continue // it comes back when that changes
		}
		if x.spacing > 0 && now.Before(x.next) {
			if soonest.IsZero() || x.next.Before(soonest) {
				soonest = x.next
			}
			l.queue(x)
			continue
		}
		l.begin(x, now)
		l.queue(x)
		left = len(l.turns) + 1
	}
	if !soonest.IsZero() {
		l.later(soonest.Sub(now))
	}
}

// later has pump called again.
func (l *lanes) later(d time.Duration) {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = time.AfterFunc(d, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.pump()
	})
}

func (l *lanes) begin(x *lane, now time.Time) {
	r := &running{job: x.waiting[0], lane: x}
	x.waiting[0] = nil
	x.waiting = x.waiting[1:]
	x.underWay++
	l.underWay++
	l.free--
	if x.spacing > 0 {
		x.next = now.Add(x.spacing)
	}
	r.timer = time.AfterFunc(patience, func() { l.wait(r) })
	go l.start(r)
}

// wait lets others work while r waits for its customer's system, and gives back
// what else the customer has waiting here: it would only grow old.
func (l *lanes) wait(r *running) {
	l.mu.Lock()
	if r.timer == nil {
		l.mu.Unlock()
		return // it has just ended
	}
	r.patient = true
	r.lane.slow++
	l.free++
	surplus := r.lane.waiting
	r.lane.waiting = nil
	l.pump()
	l.mu.Unlock()
	l.back(surplus)
}

// end is called when an exchange is over, which took so long.
func (l *lanes) end(r *running, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.timer.Stop()
	r.timer = nil
	x := r.lane
	x.average += (took - x.average) / 8
	x.underWay--
	l.underWay--
	if r.patient {
		x.slow--
	} else {
		l.free++
	}
	l.queue(x)
	l.pump()
}

// busy reports whether exchanges are under way that will not take long, as far as
// is known.
func (l *lanes) busy() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.free < l.workers
}

// settled is called when the outcomes of jobs are written.
func (l *lanes) settled(jobs []outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range jobs {
		x := l.all[o.job.customerID]
		x.unsettled--
		if x.unsettled == 0 && x.spacing == 0 && len(l.all) > mostLanes {
			delete(l.all, x.customer) // what is known of it is learnt again soon
		}
	}
}

// mostLanes is how many idle customers are remembered.
const mostLanes = 4096

// full gives the customers of whom enough is held, which is what a part of a
// lease's time is enough to send, and how many leases are held in all. Those of
// customers that keep the server waiting do not count: they are few each.
func (l *lanes) full(lease time.Duration) (customers []int64, held int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range l.all {
		if x.unsettled >= x.ahead(lease/4) {
			customers = append(customers, x.customer)
		}
		if x.slow == 0 {
			held += x.unsettled
		}
	}
	return customers, held
}

// ahead is how many leases to hold for what can be sent within d.
func (x *lane) ahead(d time.Duration) int {
	if x.slow > 0 {
		return x.limit
	}
	n := int(int64(x.limit) * int64(d) / max(int64(x.average), int64(100*time.Microsecond)))
	if x.spacing > 0 {
		n = min(n, 1+int(d/x.spacing))
		return max(1, min(n, mostOfLane))
	}
	return max(2*x.limit, min(n, mostOfLane))
}

// close starts no more, and gives what has not begun.
func (l *lanes) close() []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.timer != nil {
		l.timer.Stop()
	}
	var left []*job
	for _, x := range l.all {
		left = append(left, x.waiting...)
		x.waiting = nil
	}
	return left
}
