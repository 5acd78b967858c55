package server

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"sync"
	"time"
)

// reports are what customers' systems tell of the leads they took, with their own
// keys.
type reports struct {
	day    *day
	reason []string // ReasonIDs to choose from
	queue  chan *arrival
	mu     sync.Mutex
	sent   map[string]feedbackSent // by RoutingID
	open   int
}

type feedbackSent struct {
	reason   string
	occurred time.Time
}

func (r *reports) begin(d *day) {
	r.day, r.sent, r.queue = d, map[string]feedbackSent{}, make(chan *arrival, 2*d.n+1000)
	list, _ := d.admin.get("/odata/FeedbackReasons?$filter=Active eq true&$select=ID").want(200).at("value").([]any)
	for _, reason := range list {
		r.reason = append(r.reason, fmt.Sprint(reason.(map[string]any)["ID"]))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for a := range r.queue {
			r.post(a)
		}
	}()
	d.t.Cleanup(func() {
		close(r.queue)
		<-done
	})
}

// perhaps has the customer report on a lead it has just taken, as one in ten is.
func (r *reports) perhaps(a *arrival) {
	h := fnv.New32()
	_, _ = h.Write([]byte(a.routing))
	if h.Sum32()%10 > 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.sent[a.routing]; known {
		return
	}
	// No two are of one moment, so the newest is one.
	occurred := r.day.began.Add(-time.Duration(len(r.sent)*37%9973) * time.Second).UTC().Truncate(time.Second)
	r.sent[a.routing] = feedbackSent{r.reason[int(h.Sum32()/10)%len(r.reason)], occurred}
	r.open++
	r.queue <- a
}

func (r *reports) post(a *arrival) {
	r.mu.Lock()
	sent := r.sent[a.routing]
	r.mu.Unlock()
	body := map[string]any{"RoutingID": a.routing, "ReasonID": number(sent.reason), "OccurredAt": sent.occurred, "Comment": "דווח מהמערכת של " + a.customer.name}
	for deadline := time.Now().Add(time.Minute); ; {
		base, _ := r.day.base.Load().(string)
		c := client{t: r.day.t, base: base, header: a.customer.header}
		got, err := c.try("POST", "/odata/Feedback", body)
		if base != "" && err == nil && (got.status == http.StatusCreated || got.status == http.StatusOK) {
			break
		}
		if err == nil && base != "" || time.Now().After(deadline) {
			r.day.t.Errorf("feedback of %s on %s: %d %s, %v", a.customer.name, a.routing, got.status, got.body, err)
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.mu.Lock()
	r.open--
	r.mu.Unlock()
}

func (r *reports) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open == 0
}

// made is what was reported until now, by RoutingID.
func (r *reports) made() map[string]feedbackSent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.sent)
}

// checkFeedback: what customers reported is on their routings, and the newest on
// the leads.
func (d *day) checkFeedback(f *faults, e *evidence) {
	newest := map[*seenLead]feedbackSent{}
	for id, sent := range d.reports.made() {
		r := e.routings[id]
		if r == nil || r.ReasonID == nil || fmt.Sprint(*r.ReasonID) != sent.reason {
			f.add("feedback", "", "reported on %s: %s, there: %+v", id, sent.reason, r)
			continue
		}
		if before, ok := newest[r.lead]; !ok || sent.occurred.After(before.occurred) {
			newest[r.lead] = sent
		}
	}
	for l, sent := range newest {
		if l.ReasonID == nil || fmt.Sprint(*l.ReasonID) != sent.reason || !l.FeedbackAt.Equal(sent.occurred) {
			f.add("feedback", l.story(), "the newest report is %+v, there is %v of %v", sent, l.ReasonID, l.FeedbackAt)
		}
	}
	for _, l := range e.leads {
		if _, reported := newest[l]; !reported && l.ReasonID != nil {
			f.add("feedback", l.story(), "nobody reported on it")
		}
	}
	if len(newest) == 0 {
		f.add("feedback", "", "there is none: the day proves nothing")
	}
}
