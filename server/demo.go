package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"leadloop/server/staff"

	"leadloop/keys"
	"leadloop/leads"
	"leadloop/routing"
)

type demoCommand struct {
	logging
	Addr  string        `help:"Address to listen on; ${default} unless given." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Turns int           `help:"Stop after so many turns of the loop; 0 goes on until interrupted." default:"0"`
	Every time.Duration `help:"Time between leads." default:"3s"`
}

// Run runs the command: a server of its own in a temporary folder, customers
// whose systems are played by a small stand-in CRM, and a site whose form sends
// leads. All of them meet only over HTTP.
func (c *demoCommand) Run(ctx context.Context, s streams) (err error) {
	dir, err := os.MkdirTemp("", "leadloop-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if c.LogLevel == "info" {
		c.LogLevel = "warn" // the demo tells its own story
	}
	d := database{DB: filepath.Join(dir, "demo.db")}
	a, err := open(ctx, d, serving{AllowNetworks: loopback, Workers: 4, SendTimeout: 5 * time.Second}, c.logger(s.err), true)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- a.Run(ctx, listener) }()

	demo := &demo{app: a, out: s.out, base: "http://" + listener.Addr().String()}
	err = demo.play(ctx, c.Turns, c.Every)
	stop()
	return errors.Join(err, <-served, a.Close())
}

// demo is a demo that runs.
type demo struct {
	app    *App
	out    io.Writer
	base   string // address of the server
	intake string // address for the form's leads
	email  string
	pass   string
	token  string // of the staff member the demo watches the loop as
}

// play sets the demo up and turns the loop.
func (d *demo) play(ctx context.Context, turns int, every time.Duration) error {
	crm, err := startCRM(d.base)
	if err != nil {
		return err
	}
	defer crm.stop()
	if err := d.seed(ctx, crm); err != nil {
		return fmt.Errorf("sample data: %w", err)
	}
	d.introduce(crm)
	d.loop(ctx, turns, every, crm)
	return nil
}

// loop turns the loop. It tells what goes wrong and goes on, as who tries things out
// may change what they like.
func (d *demo) loop(ctx context.Context, turns int, every time.Duration, crm *crm) {
	for turn := 0; turns == 0 || turn < turns; turn++ {
		if turn > 0 && !wait(ctx, every) {
			return
		}
		err := d.turn(ctx, sampleLeads[turn%len(sampleLeads)], crm)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			fmt.Fprintf(d.out, "          %v\n\n", err)
		}
	}
}

// wait waits; false if ctx ended before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// seed makes the staff member, the source, and the customers with their
// connections, keys and rules.
func (d *demo) seed(ctx context.Context, crm *crm) error {
	ctx = asProgram(ctx, "demo")
	d.email, d.pass = "demo@example.com", rand.Text()
	if err := d.app.Staff.CreateUser(ctx, &staff.User{Email: d.email, Name: "Demo", Role: "admin", Password: d.pass, Active: true}); err != nil {
		return err
	}
	source := leads.NewSource()
	source.Name, source.Kind = "Site form", leads.KindJSON
	if err := d.app.Leads.CreateSource(ctx, source); err != nil {
		return err
	}
	d.intake = d.base + "/intake/" + source.Token
	var webhook routing.Connector
	if err := d.app.DB.Read(ctx).Where("code = ?", "webhook-json").Take(&webhook).Error; err != nil {
		return err
	}
	if err := d.app.Routing.CreateConnector(ctx, crm.connector()); err != nil {
		return err
	}
	for i, c := range sampleCustomers {
		if err := d.customer(ctx, c, i+1, webhook.ID, crm); err != nil {
			return err
		}
	}
	return d.signIn(ctx)
}

// signIn gets the staff member a token, which holds for some minutes.
func (d *demo) signIn(ctx context.Context) error {
	var tokens staff.Tokens
	err := call(ctx, http.MethodPost, d.base+"/auth/token", nil, map[string]string{"email": d.email, "password": d.pass}, &tokens)
	d.token = tokens.AccessToken
	return err
}

// customer makes one customer whose rule sends to the stand-in CRM.
func (d *demo) customer(ctx context.Context, c sampleCustomer, n int, connector int64, crm *crm) error {
	customer := &routing.Customer{Name: c.name}
	if err := d.app.Routing.CreateCustomer(ctx, customer); err != nil {
		return err
	}
	connection := &keys.Connection{
		CustomerID: customer.ID, Name: c.name + " CRM",
		Scopes: []string{keys.FeedbackWrite, keys.LeadsRead, keys.ReasonsRead},
	}
	if err := d.app.Keys.CreateConnection(ctx, connection); err != nil {
		return err
	}
	issued, err := d.app.Keys.Issue(ctx, connection.ID, keys.Terms{})
	if err != nil {
		return err
	}
	rule := &routing.Rule{
		CustomerID: customer.ID, ConnectorID: connector, Name: "Leads for " + c.name, Condition: c.condition, Priority: n * 10,
		IsDefault: c.condition == "", // or a rule that is added would never get a lead
		Settings:  routing.Settings{"URL": crm.add(c.name, issued.Key)},
		Mapping: []routing.MappingEntry{
			{Target: "ref", Source: "RoutingID"},
			{Target: "full_name", Source: "concat(FirstName,concat(' ',LastName))"},
			{Target: "tel", Source: "Phone"},
			{Target: "city", Source: "City"},
			{Target: "budget", Source: "Budget"},
			{Target: "origin", Source: "UtmSource", Default: new("unknown")},
		},
	}
	if err := d.app.Routing.CreateRule(ctx, rule); err != nil {
		return err
	}
	result, err := d.app.Routing.Test(ctx, rule.ID, nil)
	if err == nil && !result.Succeeded {
		err = fmt.Errorf("the rule's test failed: %s", result.Error)
	}
	if err != nil {
		return err
	}
	return d.app.Routing.Activate(ctx, rule.ID)
}

// introduce prints what there is to look at.
func (d *demo) introduce(crm *crm) {
	fmt.Fprintf(d.out, `Leadloop demo. Data is in a temporary folder and gone when it stops (Ctrl-C).

  console        %[1]s/console/
  OData service  %[1]s/odata/
  sign in        %[2]s   %[3]s

Paste into another terminal:

  # a staff token, then the leads with what became of them
  TOKEN=$(curl -s %[1]s/auth/token -d '{"email":"%[2]s","password":"%[3]s"}' | sed 's/.*"access_token":"\([^"]*\).*/\1/')
  curl -sG -H "Authorization: Bearer $TOKEN" %[1]s/odata/Leads --data-urlencode '$expand=Routings($expand=Feedback($expand=Reason))' --data-urlencode '$top=2'

  # a lead of your own
  curl -s %[4]s -H 'Content-Type: application/json' -d '{"FirstName":"Dana","LastName":"Levi","Phone":"052-7654321","City":"Haifa","Budget":2500}'

  # what %[5]s sees, with its own key
  curl -s -H 'X-API-Key: %[6]s' '%[1]s/odata/Leads?$select=FirstName,City,Budget'

In the console, add a customer, get it an API key, and add a rule: under Lead transmission the big plus, with the connector “Demo CRM”

The loop:

`, d.base, d.email, d.pass, d.intake, crm.first().name, crm.first().key)
}

// turn sends one lead in and follows it until its feedback is back.
func (d *demo) turn(ctx context.Context, lead map[string]any, crm *crm) error {
	var receipt struct{ ID string }
	if err := call(ctx, http.MethodPost, d.intake, nil, lead, &receipt); err != nil {
		return fmt.Errorf("intake: %w", err)
	}
	fmt.Fprintf(d.out, "lead      %s  %v %v, %v, budget %v\n", short(receipt.ID), lead["FirstName"], lead["LastName"], lead["City"], lead["Budget"])
	deadline := time.Now().Add(15 * time.Second)
	address := d.base + "/odata/Leads(" + receipt.ID + ")?$expand=Routings($expand=Customer,Feedback($expand=Reason))"
	for {
		now, err := d.look(ctx, address)
		if err != nil {
			return fmt.Errorf("follow the lead: %w", err)
		}
		if now.done(crm) {
			now.tell(d.out)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("lead %s did not come round; its state: %+v", receipt.ID, now)
		}
		if !wait(ctx, 100*time.Millisecond) {
			return ctx.Err()
		}
	}
}

// look reads a lead, signing in again where the token has ended.
func (d *demo) look(ctx context.Context, address string) (f followed, err error) {
	read := func() error {
		return call(ctx, http.MethodGet, address, http.Header{"Authorization": {"Bearer " + d.token}}, nil, &f)
	}
	err = read()
	var r *refused
	if errors.As(err, &r) && r.status == http.StatusUnauthorized {
		if err = d.signIn(ctx); err == nil {
			err = read()
		}
	}
	return f, err
}

// followed is a lead as the OData service shows it.
type followed struct {
	State    string
	Routings []struct {
		ID, State  string
		ExternalID string
		Customer   struct{ Name string }
		Feedback   []struct {
			Comment string
			Reason  struct{ Name, Category string }
		}
	}
}

// done reports whether all has become of it that will. Only the CRM's own customers
// are sure to report.
func (f followed) done(crm *crm) bool {
	for _, r := range f.Routings {
		if crm.has(r.Customer.Name) && (r.State != routing.Delivered || len(r.Feedback) == 0) {
			return false
		}
	}
	return f.State != leads.StateNew
}

func (f followed) tell(w io.Writer) {
	if len(f.Routings) == 0 {
		fmt.Fprintf(w, "          no rule took it: %s\n\n", f.State)
	}
	for _, r := range f.Routings {
		fmt.Fprintf(w, "%-9s %s  to %s", r.State, short(r.ID), r.Customer.Name)
		if r.ExternalID != "" {
			fmt.Fprintf(w, ", there it is %s", r.ExternalID)
		}
		fmt.Fprintln(w)
		for _, b := range r.Feedback {
			fmt.Fprintf(w, "feedback  %s  %s (%s): %s\n", short(r.ID), b.Reason.Name, b.Reason.Category, b.Comment)
		}
		fmt.Fprintln(w)
	}
}

// short is the end of an id, which tells UUIDs of one moment apart.
func short(id string) string { return "…" + id[max(0, len(id)-8):] }

// refused is the error of a request that was answered, but not as it should be.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return r.text }

// call makes a JSON request and reads the answer into out, where it is not nil.
func call(ctx context.Context, method, url string, header http.Header, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if in == nil {
		body = nil
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return &refused{answer.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, url, answer.Status, text)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
