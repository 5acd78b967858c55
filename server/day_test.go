package server

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

var (
	dayLeads = flag.Int("day-leads", 250, "how many leads come in on the day of TestDay")
	daySeed  = flag.Uint64("day-seed", 20261122, "what the leads, rules and deliveries of TestDay are drawn from")
)

// What there is on the day besides the leads.
const (
	dayCustomers = 40
	rulesEach    = 5
	dayPosters   = 8
)

// day is a day's work of a server: what was sent to it, what it was told to do
// and what the customers' systems saw of that. It is judged by what the server
// shows over OData; see dayCheck.
type day struct {
	*stage
	t         *testing.T
	n         int
	began     time.Time
	customers []*dayCustomer
	rules     map[int64]*dayRule
	enquiries []*enquiry
	box       *mailbox
	reports   reports

	base    atomic.Value // string: the server's address, "" while it is down
	posted  atomic.Int64 // enquiries whose delivery was acknowledged
	mu      sync.Mutex
	ids     map[string]string // of leads, as they were acknowledged, by ref
	unheard map[string]int    // deliveries with no answer, by ref

	killed, restarted time.Time
	open              map[string]bool // routings being sent at the kill
	evening           time.Time       // from when the systems that were gone are back
	peak              int64           // of the server's memory, in bytes
}

// TestDay plays a day: leads in two languages in every format, while some
// customers' systems misbehave in every way there is, and the server is killed in
// the middle. In the end every lead is where its explanation, and a model of the
// rules, says it is; caps are exact; nothing is lost, and nothing is sent twice
// but under the same webhook-id.
//
// The server is the program without the race detector, with which the day would
// take minutes. The day of make soak has 5,000 leads. That of make test has fewer, for it asks
// for the explanation of each, which for 200 rules is 180 kB; all else that makes a
// day is in it.
func TestDay(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	onBoth(t, func(t *testing.T, dir, dsn string) {
		t.Logf("-day-leads=%d -day-seed=%d", *dayLeads, *daySeed)
		d := dawn(t, dir, dsn)
		d.work()
		d.rest("by the end of the day")
		d.repair()
		d.rest("in the evening")
		d.memory()
		d.check()
	})
}

// dawn sets the server up as staff would, with everybody's rules tested and
// active.
func dawn(t *testing.T, dir, dsn string) *day {
	r := rand.New(rand.NewPCG(*daySeed, 1))
	d := &day{
		t: t, n: *dayLeads, stage: newStageBy(t, program(t), dir, dsn, "--send-timeout", sendTimeout.String()),
		rules: map[int64]*dayRule{}, ids: map[string]string{}, unheard: map[string]int{}, box: &mailbox{seen: map[string]int{}},
	}
	d.enquiries = enquiries(d.n, r)
	d.reports.begin(d)
	d.box.report = d.reports.perhaps
	d.customers = drawCustomers(r, d.n, time.Now())
	for _, c := range d.customers {
		c.party = d.join(t, c.name, "feedback:write")
		c.system = listenAs(t, c, d.box)
		for _, rule := range c.rules {
			rule.id = idOf(d.rule(t, c.id, c.system.url, rule.body(d)))
			d.rules[rule.id] = rule
		}
	}
	bomb() // it takes a second to make
	for _, c := range d.customers {
		c.system.begin()
	}
	d.base.Store(d.stage.base)
	d.began = time.Now()
	t.Logf("set up: %d customers, %d rules", len(d.customers), len(d.rules))
	return d
}

// work has the leads come in, and the server killed and started again when half
// of them are there.
func (d *day) work() {
	g := newGraph(d.enquiries)
	meta := listen(d.t, g.ServeHTTP)
	intakes := map[string]string{}
	for _, s := range share {
		intakes[s.kind] = d.source(d.t, s.kind, sourceOf(s.kind, strings.TrimSuffix(meta.url, "/leads"), s.places))
	}
	parcels := make(chan *parcel)
	var people sync.WaitGroup
	for range dayPosters {
		people.Go(func() {
			for p := range parcels {
				d.deliver(p, intakes[p.kind])
			}
		})
	}
	people.Go(func() {
		defer close(parcels)
		for _, p := range pack(d.enquiries, rand.New(rand.NewPCG(*daySeed, 2))) {
			parcels <- p
		}
	})
	people.Go(func() { d.load("csv", csvFile) })
	d.until(int64(d.n / 2))
	d.powerCut()
	people.Go(func() { d.load("xlsx", xlsxFile) })
	people.Wait()
	d.t.Logf("all leads came in within %v", time.Since(d.began).Round(time.Millisecond))
}

// until waits for so many enquiries to be acknowledged.
func (d *day) until(n int64) {
	eventually(d.t, 5*time.Minute, fmt.Sprintf("%d leads are acknowledged", n), func() bool { return d.posted.Load() >= n || d.t.Failed() })
}

// deliver posts a parcel, again where the server is not there, as its sender
// would.
func (d *day) deliver(p *parcel, intake string) {
	deadline := time.Now().Add(time.Minute)
	for {
		base, _ := d.base.Load().(string)
		if time.Now().After(deadline) {
			d.t.Errorf("a delivery of %s was not answered in a minute: %s", p.kind, p.body)
			return
		}
		if base == "" {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		var body any
		if p.method == "POST" {
			body = p.body
		}
		got, err := client{t: d.t, base: base, header: p.header}.try(p.method, intake+p.query, body)
		if err != nil || got.status >= 500 {
			d.mu.Lock()
			for _, e := range p.holds {
				d.unheard[e.ref]++
			}
			d.mu.Unlock()
			if err == nil && got.status != http.StatusServiceUnavailable {
				d.t.Errorf("intake of %s: %d %s", p.kind, got.status, got.body)
			}
			continue
		}
		d.acknowledged(p, got)
		return
	}
}

// acknowledged takes down which leads the server says it has.
func (d *day) acknowledged(p *parcel, got answer) {
	if got.status != p.status && (p.status == http.StatusUnauthorized || got.status != http.StatusOK) {
		d.t.Errorf("intake of %s: %d, want %d: %s\nto %s", p.kind, got.status, p.status, got.body, p.body)
		return
	}
	d.posted.Add(int64(len(p.holds)))
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, e := range p.holds {
		var id any
		switch {
		case p.kind == "google-ads":
			id = "" // it says nothing
		case p.kind == "leadmanager":
			id = got.at("result")
		case len(p.holds) > 1:
			id = got.at("ids", i)
		default:
			id = got.at("id")
		}
		text, ok := id.(string)
		if before := d.ids[e.ref]; !ok || before != "" && e.far != "" && before != text {
			d.t.Errorf("intake of %s: lead %d of the answer %s to %s, known as %q", p.kind, i, got.body, p.body, before)
		}
		d.ids[e.ref] = text
	}
}

// load imports the enquiries of a kind from a file, with the command for it.
// The file is given twice; the second time adds nothing.
func (d *day) load(kind string, file func([]*enquiry) string) {
	var own []*enquiry
	for _, e := range d.enquiries {
		if e.kind == kind {
			own = append(own, e)
		}
	}
	name := filepath.Join(d.dir, "leads."+kind)
	if err := os.WriteFile(name, []byte(file(own)), 0o600); err != nil {
		d.t.Error(err)
		return
	}
	source := "0"
	for i, s := range share {
		if s.kind == kind {
			source = strconv.Itoa(i + 1)
		}
	}
	for i, want := range []string{fmt.Sprintf("added %d, there already 0", len(own)), fmt.Sprintf("added 0, there already %d", len(own))} {
		got := command{dir: d.dir, env: []string{"LEADLOOP_DB=" + d.dsn}, args: []string{"lead", "import", name, "--source", source}}.run(d.t)
		if got.status != 0 || !strings.Contains(got.out, want) {
			d.t.Errorf("import %d of %s: %d %s %s, want %s", i+1, name, got.status, got.out, got.err, want)
			return
		}
	}
	d.posted.Add(int64(len(own)))
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range own {
		d.ids[e.ref] = ""
	}
}

// powerCut kills the server in the middle of everything, and starts it again a
// minute later, as far as leases know.
func (d *day) powerCut() {
	d.memory()
	d.base.Store("")
	d.kill()
	d.killed = time.Now()
	d.open = beingSent(d.t, d.dsn)
	expireLeases(d.t, d.dsn)
	d.restarted = time.Now()
	d.start(d.t, "--allow-networks", "127.0.0.0/8", "--send-timeout", sendTimeout.String())
	for _, c := range d.customers {
		c.client.base = d.stage.base
	}
	d.base.Store(d.stage.base)
	d.t.Logf("killed after %v with %d routings being sent", d.killed.Sub(d.began).Round(time.Millisecond), len(d.open))
}

// beingSent are the routings that a server was sending when it was killed. What
// it was reading from Meta is due again, as it is after two minutes.
func beingSent(t *testing.T, dsn string) map[string]bool {
	t.Helper()
	db, err := store.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var ids []string
	must(db.Write(context.Background(), func(tx *gorm.DB) error {
		if err := tx.Exec("UPDATE retrievals SET next_attempt_at = ? WHERE lease_token IS NOT NULL", store.Now()).Error; err != nil {
			return err
		}
		return tx.Raw("SELECT CAST(id AS text) FROM routings WHERE state = 'sending'").Scan(&ids).Error
	}))
	open := map[string]bool{}
	for _, id := range ids {
		open[id] = true
	}
	return open
}

// rest waits until all that is left to do lies ahead: the next retries in
// minutes, probes of systems that are down.
func (d *day) rest(when string) {
	const soon = 15 * time.Second
	left := ""
	undone := ""
	defer func() {
		if d.t.Failed() {
			d.t.Logf("still to do: %s", left)
			if undone != "" {
				d.t.Logf("%s", d.admin.get("/odata/Routings?$top=5&$expand=Rule($select=Name,State,Breaker,BreakerUntil),Attempts($select=StartedAt,DurationMs,StatusCode,Outcome,Error)&$filter="+undone).body)
			}
		}
	}()
	eventually(d.t, 5*time.Minute, "all is done that can be, "+when, func() bool {
		if n := d.count("Leads"); n < d.n {
			left = fmt.Sprintf("%d leads of %d are stored", n, d.n)
			return false
		}
		at := time.Now().Add(soon).UTC().Format(time.RFC3339)
		undone = "(State eq 'sending' or State eq 'pending' and NextAttemptAt le " + at + ") and Rule/Breaker eq 'closed'"
		n := d.count("Routings", undone)
		left = fmt.Sprintf("%d routings", n)
		return n == 0 && d.reports.done()
	})
	d.t.Logf("at rest %s, after %v", when, time.Since(d.began).Round(time.Millisecond))
}

// count is how many of a set satisfy a filter.
func (d *day) count(set string, filter ...string) int {
	path := "/odata/" + set + "/$count"
	if len(filter) > 0 {
		path += "?$filter=" + filter[0]
	}
	n, err := strconv.Atoi(strings.TrimPrefix(string(d.admin.get(path).want(200).body), "\ufeff"))
	must(err)
	return n
}

// repair is the evening: the systems that were gone are back, and staff set
// their rules going again.
func (d *day) repair() {
	d.evening = time.Now()
	for _, c := range d.customers {
		if c.manner.name != "410" {
			continue
		}
		c.system.well.Store(true)
		for _, rule := range c.rules {
			state := d.admin.get(fmt.Sprintf("/odata/Rules(%d)?$select=State,PauseReason", rule.id)).want(200)
			if state.text("State") != "paused" {
				continue // it got no lead
			}
			if !strings.Contains(state.text("PauseReason"), "410") {
				d.t.Errorf("rule %d is paused for %s", rule.id, state.body)
			}
			d.admin.post(fmt.Sprintf("/odata/Rules(%d)/Activate", rule.id), nil).want(200)
		}
	}
}

// memory notes the most memory that the server ever had.
func (d *day) memory() {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	var kB int64
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &kB)
	}
	d.peak = max(d.peak, kB<<10)
}

// idOf is a whole number as an id.
func idOf(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return n
}
