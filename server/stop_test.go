package server

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

// flood is many leads posted at once, and those of them that were acknowledged.
type flood struct {
	posters sync.WaitGroup
	mu      sync.Mutex
	ids     []string
}

// begin posts leads from several senders until the server is gone.
func (f *flood) begin(c client, intake string) {
	for range 8 {
		f.posters.Go(func() {
			for {
				got, err := c.try("POST", intake, `{"FirstName":"Lead"}`)
				if err != nil {
					return
				}
				if got.status != http.StatusCreated {
					c.t.Errorf("intake: %d %s", got.status, got.body)
					return
				}
				id, _ := got.at("id").(string)
				f.mu.Lock()
				f.ids = append(f.ids, id)
				f.mu.Unlock()
			}
		})
	}
}

func (f *flood) acknowledged() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.ids...)
}

// routings waits until every lead is delivered and gives their RoutingIDs.
func (f *flood) routings(s *stage) map[string]bool {
	s.t.Helper()
	s.deliverAll()
	ids := map[string]bool{}
	for _, lead := range f.acknowledged() {
		got := s.admin.get("/odata/Leads(" + lead + ")?$select=State&$expand=Routings($select=ID,State)").want(200)
		if got.text("State") != "routed" || got.text("Routings", 0, "State") != "delivered" {
			s.t.Errorf("lead %s: %s", lead, got.body)
		}
		ids[got.text("Routings", 0, "ID")] = true
	}
	return ids
}

func (s *stage) deliverAll() {
	s.t.Helper()
	eventually(s.t, 2*time.Minute, "all routings are delivered", func() bool {
		return string(s.admin.get("/odata/Routings/$count?$filter=State ne 'delivered'").want(200).body) == "0"
	})
}

// arrivals counts what a receiver got, by webhook-id.
func (r *receiver) arrivals() map[string]int {
	n := map[string]int{}
	for {
		select {
		case d := <-r.received:
			n[d.header.Get("Webhook-Id")]++
		default:
			return n
		}
	}
}

// slowly is a customer's system that takes its time, and after some leads gives no
// answer at all. Once it is released it is quick.
type slowly struct {
	begun    atomic.Int32 // exchanges that arrived
	held     atomic.Int32 // exchanges that get no answer
	most     int32        // as many are answered until it is released
	released atomic.Bool
}

func (s *slowly) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	hold := s.begun.Add(1) > s.most && !s.released.Load()
	if hold {
		s.held.Add(1)
		<-r.Context().Done() // the sender hangs up
		return
	}
	if s.released.Load() {
		return
	}
	select {
	case <-time.After(40 * time.Millisecond):
	case <-r.Context().Done():
	}
}

// floodWorkers are the workers that one customer may have: half of the server's.
const floodWorkers = 4

// floodedStage is a server in the middle of a flood, and the customer's system.
func floodedStage(t *testing.T, dir, dsn string, crm http.Handler) (*stage, *flood, *receiver) {
	// On a busy machine the kill may be long in coming: no exchange gives up before.
	s := newStage(t, dir, dsn, "--workers", strconv.Itoa(2*floodWorkers), "--send-timeout", "2m")
	r := listen(t, crm.ServeHTTP)
	s.rule(t, s.join(t, "Acme").id, r.url, nil)
	r.next(t, time.Second) // the rule's test
	f := &flood{}
	f.begin(s.anyone, s.source(t, "json", nil))
	eventually(t, time.Minute, "leads come in and go out", func() bool { return len(f.acknowledged()) >= 60 && len(r.received) >= 8 })
	return s, f, r
}

// TestStopLosesNothing ends a server the polite way while leads pour in.
func TestStopLosesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		system := &slowly{most: math.MaxInt32}
		s, f, crm := floodedStage(t, dir, dsn, system)
		s.stop()
		f.posters.Wait()
		system.released.Store(true)
		arrived := len(crm.received)
		s.start(t, "--allow-networks", "127.0.0.0/8")
		ids := f.routings(s)
		t.Logf("%d leads acknowledged; %d delivered before the restart", len(ids), arrived)
		got := crm.arrivals()
		for id := range ids {
			if got[id] != 1 {
				t.Errorf("routing %s arrived %d times", id, got[id])
			}
		}
	})
}

// TestKillLosesNothing ends a server as a power cut does, while it waits for
// answers.
func TestKillLosesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		system := &slowly{most: 12}
		s, f, crm := floodedStage(t, dir, dsn, system)
		eventually(t, time.Minute, "every worker waits for an answer", func() bool { return system.held.Load() == floodWorkers })
		s.kill()
		system.released.Store(true)
		f.posters.Wait()
		open := beingSent(t, dsn)
		expireLeases(t, dsn)
		s.start(t, "--allow-networks", "127.0.0.0/8")
		ids := f.routings(s)
		got := crm.arrivals()
		again := 0
		for id := range ids {
			if got[id] < 1 || got[id] > 2 {
				t.Errorf("routing %s arrived %d times", id, got[id])
			}
			if got[id] == 2 {
				again++
				if !open[id] {
					t.Errorf("routing %s was settled, and sent again", id)
				}
			}
			delete(got, id)
		}
		t.Logf("%d leads acknowledged; %d delivered twice, under the same webhook-id", len(ids), again)
		if again < floodWorkers { // each of them was waiting for its answer
			t.Errorf("%d delivered twice", again)
		}
		for id := range got { // stored, but the power went before it was acknowledged
			s.admin.get("/odata/Routings(" + id + ")").want(200)
		}
	})
}

// expireLeases is the minute after which what a lost server was sending is due
// again.
func expireLeases(t *testing.T, dsn string) {
	t.Helper()
	ctx := context.Background()
	db, err := store.Open(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE routings SET next_attempt_at = ? WHERE state = 'sending'", store.Now()).Error
	})
	if err != nil {
		t.Fatal(err)
	}
}
