package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"leadloop/routing"
)

// loopback is where the demo's stand-in CRM is.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// crm plays the customers' systems in the demo: it takes transmissions in, and
// reports back over OData with each customer's own key.
type crm struct {
	leadloop string // address of the server
	base     string
	server   *http.Server
	tenants  []tenant
	reports  sync.WaitGroup
	ctx      context.Context
	cancel   context.CancelFunc

	mu    sync.Mutex
	count int
}

// tenant is one customer in the CRM.
type tenant struct{ name, key string }

func startCRM(leadloop string) (*crm, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &crm{leadloop: leadloop, base: "http://" + l.Addr().String()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.server = &http.Server{Handler: c, ReadHeaderTimeout: 5 * time.Second}
	c.reports.Go(func() { _ = c.server.Serve(l) }) // ends when it is closed
	return c, nil
}

func (c *crm) stop() {
	c.cancel()
	_ = c.server.Close()
	c.reports.Wait()
}

// add makes a customer and returns the address that takes its leads.
func (c *crm) add(name, key string) string {
	c.tenants = append(c.tenants, tenant{name, key})
	return fmt.Sprintf("%s/%d/leads", c.base, len(c.tenants)-1)
}

// connector sends to the CRM what a rule of one's own maps, to a place where
// nobody reports: who added the rule has the key for that.
func (c *crm) connector() *routing.Connector {
	return &routing.Connector{Code: "demo-crm", Name: "Demo CRM", Method: http.MethodPost, Format: "json", URL: c.base + "/leads"}
}

// has reports whether this customer's system is played here.
func (c *crm) has(name string) bool {
	return slices.ContainsFunc(c.tenants, func(t tenant) bool { return t.name == name })
}

func (c *crm) first() tenant { return c.tenants[0] }

// ServeHTTP takes a lead and, unless it is a test, reports on it a moment later.
func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/leads" {
		c.take(w)
		return
	}
	var i int
	var lead struct {
		Ref string `json:"ref"`
	}
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/leads", &i); err != nil || i < 0 || i >= len(c.tenants) {
		http.NotFound(w, r)
		return
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&lead); err != nil || lead.Ref == "" {
		http.Error(w, "a lead needs a ref", http.StatusBadRequest)
		return
	}
	n := c.take(w)
	if r.Header.Get("X-Leadloop-Test") == "" {
		c.reports.Go(func() { c.report(c.tenants[i], lead.Ref, sampleReports[n%len(sampleReports)]) })
	}
}

// take answers that a lead is stored, and returns its number.
func (c *crm) take(w http.ResponseWriter) int {
	c.mu.Lock()
	c.count++
	n := c.count
	c.mu.Unlock()
	send(w, http.StatusCreated, map[string]string{"id": fmt.Sprintf("CRM-%04d", n)})
	return n
}

// report sends feedback on a routing, as the customer's own system would.
func (c *crm) report(t tenant, ref string, report map[string]any) {
	if !wait(c.ctx, 700*time.Millisecond) {
		return
	}
	body := map[string]any{"RoutingID": ref, "OccurredAt": time.Now().UTC().Format(time.RFC3339)}
	for name, value := range report {
		body[name] = value
	}
	err := call(c.ctx, http.MethodPost, c.leadloop+"/odata/Feedback", http.Header{"X-Api-Key": {t.key}}, body, nil)
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Println("the stand-in CRM could not report:", err)
	}
}
