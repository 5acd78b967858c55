package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// manner is how a customer's system behaves.
type manner struct {
	name string
	// answer answers a transmission; nil: as a good system does.
	answer func(w http.ResponseWriter, r *http.Request, a *arrival)
	// ends are the states that its routings may be in when the day is over.
	ends string
	// outcomes are those that its exchanges may have.
	outcomes string
	// fails says that exchanges with it fail so often that its breaker may open.
	fails bool
	most  int // leads that each of its rules takes, for what takes long; 0: any number
}

const good = "good"

// sendTimeout is how long an exchange may take on the day.
const sendTimeout = 3 * time.Second

// manners are all of them but the good one.
var manners = []manner{
	{name: "down", ends: "pending", outcomes: "retry", fails: true}, // nobody listens
	{name: "slow", answer: slowAnswer, ends: "delivered", outcomes: "accepted", most: 8},
	{name: "hanging", answer: hangingAnswer, ends: "pending", outcomes: "retry", fails: true},
	{name: "dripping head", answer: drip("HTTP/1.1 200 OK\r\nX-Slow: "), ends: "pending", outcomes: "retry", fails: true},
	{name: "dripping body", answer: drip("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"), ends: "delivered", outcomes: "accepted", most: 4},
	{name: "garbage", answer: garbageAnswer, ends: "pending", outcomes: "retry", fails: true},
	{name: "garbage body", answer: garbageBody, ends: "delivered", outcomes: "accepted"},
	{name: "10 MB", answer: hugeAnswer, ends: "delivered", outcomes: "accepted"},
	{name: "gzip bomb", answer: bombAnswer, ends: "delivered", outcomes: "accepted"},
	{name: "302", answer: redirectAnswer, ends: "rejected", outcomes: "rejected"},
	{name: "410", answer: goneAnswer, ends: "parked delivered", outcomes: "rejected accepted"}, // delivered in the evening
	{name: "429", answer: busyAnswer, ends: "delivered pending", outcomes: "accepted retry", fails: true},
	{name: "wrong Content-Type", answer: mistypedAnswer, ends: "delivered", outcomes: "accepted"},
	{name: "reset in the head", answer: reset("HTTP/1.1 200 O"), ends: "pending", outcomes: "retry", fails: true},
	{name: "reset in the body", answer: reset("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"id\":"), ends: "delivered", outcomes: "accepted"},
}

// arrival is one transmission as it came in at a customer's system.
type arrival struct {
	at        time.Time
	customer  *dayCustomer
	rule      int // of the customer's rules, by its place among them
	webhookID string
	routing   string // the RoutingID in the body
	ref       string // of the enquiry
	body      string
}

// mailbox is what all customers' systems got.
type mailbox struct {
	mu   sync.Mutex
	all  []*arrival
	seen map[string]int // arrivals by webhook-id
	// report is told of what a customer's system has taken.
	report func(*arrival)
}

func (m *mailbox) add(a *arrival) (nth int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, a)
	m.seen[a.webhookID]++
	return m.seen[a.webhookID]
}

// arrivals is what came in until now: tries of what is still due come later.
func (m *mailbox) arrivals() []*arrival {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.all)
}

// system is a customer's system, which takes transmissions at a path a rule.
type system struct {
	customer *dayCustomer
	box      *mailbox
	url      string
	server   *http.Server
	open     atomic.Bool // the day has begun; until then it takes tests and is good
	well     atomic.Bool // it is good whatever its manner
}

// listenAs starts the customer's system.
func listenAs(t testing.TB, c *dayCustomer, box *mailbox) *system {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &system{customer: c, box: box, url: "http://" + l.Addr().String()}
	s.server = &http.Server{Handler: s}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.server.Serve(l) }()
	t.Cleanup(func() { _ = s.server.Close(); <-done })
	return s
}

// begin ends the tests of the rules: from now on the system has its manner.
func (s *system) begin() {
	s.open.Store(true)
	if s.customer.manner.name == "down" {
		_ = s.server.Close()
	}
}

func (s *system) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.arrived(r)
	if !s.open.Load() {
		wellAnswer(w, r, a)
		return
	}
	nth := s.box.add(a)
	switch answer := s.customer.manner.answer; {
	case answer == nil || s.well.Load() || nth > 1 && s.customer.manner.name == "429":
		wellAnswer(w, r, a)
		s.box.report(a)
	default:
		answer(w, r, a)
	}
}

func (s *system) arrived(r *http.Request) *arrival {
	body, _ := io.ReadAll(r.Body)
	a := &arrival{at: time.Now(), customer: s.customer, webhookID: r.Header.Get("Webhook-Id"), body: string(body)}
	_, _ = fmt.Sscanf(r.URL.Path, "/rules/%d", &a.rule)
	switch contentType := r.Header.Get("Content-Type"); {
	case strings.HasPrefix(contentType, "application/json"):
		var sent struct{ Ref, Enquiry string }
		_ = json.Unmarshal(body, &sent)
		a.routing, a.ref = sent.Ref, sent.Enquiry
	default:
		r.Body = io.NopCloser(bytes.NewReader(body))
		a.routing, a.ref = r.FormValue("Ref"), r.FormValue("Enquiry") // of the query too
	}
	return a
}

func wellAnswer(w http.ResponseWriter, _ *http.Request, a *arrival) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"id":"crm-%s"}`, a.webhookID)
}

// slowAnswer takes longer than the server lets one hold up a worker, and not
// quite as long as it lets an exchange take.
func slowAnswer(w http.ResponseWriter, r *http.Request, a *arrival) {
	select {
	case <-time.After(1200 * time.Millisecond):
		wellAnswer(w, r, a)
	case <-r.Context().Done():
	}
}

func hangingAnswer(_ http.ResponseWriter, r *http.Request, _ *arrival) { <-r.Context().Done() }

// raw gives the connection of a request, to answer without HTTP's rules.
func raw(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter) {
	conn, b, err := w.(http.Hijacker).Hijack()
	must(err)
	return conn, b
}

// drip begins an answer so and then sends a byte at a time, with no end.
func drip(begin string) func(http.ResponseWriter, *http.Request, *arrival) {
	return func(w http.ResponseWriter, _ *http.Request, _ *arrival) {
		conn, _ := raw(w)
		defer conn.Close()
		_, err := conn.Write([]byte(begin))
		tick := time.NewTicker(sendTimeout / 20)
		defer tick.Stop()
		for range 100 { // five times as long as anybody waits
			if err != nil {
				return
			}
			<-tick.C
			_, err = conn.Write([]byte("a"))
		}
	}
}

// reset begins an answer so and then breaks the connection off.
func reset(begin string) func(http.ResponseWriter, *http.Request, *arrival) {
	return func(w http.ResponseWriter, _ *http.Request, _ *arrival) {
		conn, _ := raw(w)
		_, _ = conn.Write([]byte(begin))
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}

func garbageAnswer(w http.ResponseWriter, _ *http.Request, _ *arrival) {
	conn, _ := raw(w)
	defer conn.Close()
	_, _ = conn.Write(noise)
}

func garbageBody(w http.ResponseWriter, _ *http.Request, _ *arrival) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(noise)
}

func hugeAnswer(w http.ResponseWriter, _ *http.Request, _ *arrival) {
	w.Header().Set("Content-Type", "text/plain")
	for range 10 << 20 / len(noise) {
		if _, err := w.Write(noise); err != nil {
			return
		}
	}
}

func bombAnswer(w http.ResponseWriter, _ *http.Request, _ *arrival) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	_, _ = w.Write(bomb())
}

func redirectAnswer(w http.ResponseWriter, _ *http.Request, _ *arrival) {
	w.Header().Set("Location", "http://127.0.0.1:1/elsewhere")
	w.WriteHeader(http.StatusFound)
}

func goneAnswer(w http.ResponseWriter, _ *http.Request, _ *arrival) { w.WriteHeader(http.StatusGone) }

// busyAnswer asks every third to come again, the first time.
func busyAnswer(w http.ResponseWriter, r *http.Request, a *arrival) {
	h := fnv.New32()
	_, _ = h.Write([]byte(a.webhookID))
	if h.Sum32()%3 > 0 {
		wellAnswer(w, r, a)
		return
	}
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusTooManyRequests)
}

func mistypedAnswer(w http.ResponseWriter, _ *http.Request, a *arrival) {
	w.Header().Set("Content-Type", "image/png")
	_, _ = fmt.Fprintf(w, `{"id":"crm-%s"}`, a.webhookID)
}

// noise is 64 kB of no meaning.
var noise = func() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 64<<10)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

// bomb is 256 MB of nothing, compressed to 256 kB.
var bomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.DefaultCompression)
	must(err)
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, err := w.Write(zeros)
		must(err)
	}
	must(w.Close())
	return b.Bytes()
})
