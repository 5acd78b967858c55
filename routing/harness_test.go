package routing

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// fixture is a Service over a database, with the leads that feed it.
type fixture struct {
	*testing.T
	*Service
	leads    *leads.Service
	ctx      context.Context // of a manager
	customer int64
	json     int64 // the connector "Webhook, JSON"
	form     int64
}

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// newFixture makes a Service that may send to 127.0.0.0/8 and looks for work
// every 10 ms, one customer, and checks at the end that no goroutine is left.
func newFixture(t *testing.T, db *store.DB, options ...Option) *fixture {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	options = append([]Option{
		WithAllowedNetworks(loopback), WithPoll(10 * time.Millisecond), WithLog(slog.New(slog.DiscardHandler)),
	}, options...)
	f := &fixture{T: t, Service: New(db, storetest.Vault(), options...)}
	t.Cleanup(f.Close)
	f.ctx = store.WithActor(context.Background(), store.Actor{Kind: store.Staff, Role: store.Manager, UserID: 1})
	f.leads = leads.New(db, storetest.Vault())
	f.leads.Route, f.leads.Together, f.leads.Onward = f.Route, f.Together, f.CheckOnward
	f.ok(f.SyncConnectors(f.ctx))
	f.customer = f.newCustomer("Acme")
	f.json, f.form = f.connector("webhook-json"), f.connector("webhook-form")
	return f
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) newCustomer(name string) int64 {
	f.Helper()
	c := Customer{Name: name}
	f.ok(f.CreateCustomer(f.ctx, &c))
	return c.ID
}

func (f *fixture) connector(code string) int64 {
	f.Helper()
	var c Connector
	f.ok(f.db.Read(f.ctx).Where("code = ?", code).Take(&c).Error)
	return c.ID
}

// rule is a valid rule that sends to url; change, if not nil, changes it.
func (f *fixture) rule(url string, change func(*Rule)) *Rule {
	r := &Rule{
		CustomerID: f.customer, ConnectorID: f.json, Name: "All to Acme", Settings: Settings{"URL": url},
		Mapping: []MappingEntry{
			{Target: "ref", Source: "RoutingID"},
			{Target: "full_name", Source: "concat(FirstName,concat(' ',LastName))"},
			{Target: "tel", Source: "Phone"},
			{Target: "origin", Source: "UtmSource", Default: text("unknown")},
		},
	}
	if change != nil {
		change(r)
	}
	return r
}

// activated creates the rule, tests it and activates it.
func (f *fixture) activated(url string, change func(*Rule)) *Rule {
	f.Helper()
	r := f.rule(url, change)
	f.ok(f.CreateRule(f.ctx, r))
	f.activate(r.ID)
	return f.reread(r.ID)
}

func (f *fixture) activate(id int64) {
	f.Helper()
	result, err := f.Test(f.ctx, id, nil)
	f.ok(err)
	if !result.Succeeded {
		f.Fatalf("test of rule %d: %+v", id, result)
	}
	f.ok(f.Activate(f.ctx, id))
}

func (f *fixture) reread(id int64) *Rule {
	f.Helper()
	r, err := load[Rule](f.db.Read(f.ctx), "rule", id)
	f.ok(err)
	return r
}

// lead stores a lead, which routes it.
func (f *fixture) lead(change func(*leads.Lead)) *leads.Lead {
	f.Helper()
	l := &leads.Lead{FirstName: text("נועה"), LastName: text("לוי"), Phone: text("050-1234567"), City: text("Haifa")}
	if change != nil {
		change(l)
	}
	f.ok(f.leads.CreateLead(f.ctx, l))
	return l
}

// routings are those of a lead, in order of their customers.
func (f *fixture) routings(lead uuid.UUID) []Routing {
	f.Helper()
	var rows []Routing
	f.ok(f.db.Read(f.ctx).Preload("Attempts").Where("lead_id = ?", lead).Order("customer_id").Find(&rows).Error)
	return rows
}

// routing is the one routing of a lead.
func (f *fixture) routing(lead uuid.UUID) Routing {
	f.Helper()
	rows := f.routings(lead)
	if len(rows) != 1 {
		f.Fatalf("%d routings, want 1", len(rows))
	}
	return rows[0]
}

// becomes waits until the lead's routing is in the state, and returns it.
func (f *fixture) becomes(lead uuid.UUID, state string) Routing {
	f.Helper()
	var r Routing
	f.eventually("the routing becomes "+state, func() bool {
		r = f.routing(lead)
		return r.State == state
	})
	return r
}

func (f *fixture) eventually(what string, condition func() bool) {
	f.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			f.Fatalf("in vain: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// run starts the workers; stop ends them, and so does the end of the test.
func (f *fixture) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Service.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			f.Error(err)
		}
	})
	f.Cleanup(stop)
	return stop
}

func text(s string) *string { return &s }

// clock is a clock that stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// receiver is a customer's system. It answers by answer, 200 without one.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer http.HandlerFunc
}

type received struct {
	header http.Header
	body   string
}

func newReceiver(t testing.TB, answer http.HandlerFunc) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	answer := r.answer
	if req.Header.Get("X-Leadloop-Test") == "" {
		r.got = append(r.got, received{req.Header, string(body)})
	} else {
		answer = nil
	}
	r.mu.Unlock()
	if answer != nil {
		answer(w, req)
	}
}

// leads are the requests that came, but for tests.
func (r *receiver) leads() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// respond changes how it answers from now on.
func (r *receiver) respond(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
