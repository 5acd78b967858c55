package server

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/keys"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

// shareLeads is how many leads there are for TestMeasureCustomersReads, and shares
// how many of them the customers have.
const shareLeads = 200_000

var shares = []int{10, 1_000, 100_000}

// TestMeasureCustomersReads compares reads by the key of a customer with those by
// staff for the very same entities, for customers who have few, some and many of
// the leads.
func TestMeasureCustomersReads(t *testing.T) {
	if !*measure {
		t.Skip("measures only when asked to: make bench")
	}
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			b := newBenchOf(t, dialect, (*bench).fillShares)
			for i, share := range shares {
				for _, r := range customersReads {
					c := b.customersRead(t, r, i)
					if regexp.MustCompile(*only).MatchString(c.name) {
						c.name = fmt.Sprintf("%d leads: %s", share, c.name)
						c.run(t, t.Output())
					}
				}
			}
		})
	}
}

// customersReads are the reads; {own} is in its place what makes staff's the same.
var customersReads = []struct{ name, path, own string }{
	{"Leads", "Leads?$top=100&$select=ID,FirstName,Phone,City,ReceivedAt{own}", "Routings/any(r:r/CustomerID eq %d)"},
	{"Leads, $filter", "Leads?$top=100&$select=ID,FirstName&$filter=City eq 'Haifa'{own}", "Routings/any(r:r/CustomerID eq %d)"},
	{"Leads, $orderby", "Leads?$top=100&$select=ID,FirstName&$orderby=ReceivedAt desc{own}", "Routings/any(r:r/CustomerID eq %d)"},
	{"Leads/$count", "Leads/$count?{own}", "Routings/any(r:r/CustomerID eq %d)"},
	{"Leads, $expand", "Leads?$top=50&$select=ID&$expand=Routings($select=ID{own};$expand=Feedback($select=ID)){own}", "Routings/any(r:r/CustomerID eq %d)"},
	{"Routings", "Routings?$top=100&$select=ID,State,ReasonID{own}", "CustomerID eq %d"},
	{"Routings, $filter", "Routings?$top=100&$select=ID,State&$filter=State eq 'delivered' and ReasonID eq 3{own}", "CustomerID eq %d"},
	{"Routings, $orderby", "Routings?$top=100&$select=ID,State&$orderby=CreatedAt desc{own}", "CustomerID eq %d"},
	{"Routings/$count", "Routings/$count?{own}", "CustomerID eq %d"},
	{"Routings, $expand", "Routings?$top=50&$select=ID&$expand=Lead($select=ID,FirstName),Feedback($select=ID){own}", "CustomerID eq %d"},
	{"Feedback", "Feedback?$top=100&$select=ID,ReasonID,Comment{own}", "Routing/CustomerID eq %d"},
	{"Feedback, $filter", "Feedback?$top=100&$select=ID,ReasonID&$filter=ReasonID eq 3{own}", "Routing/CustomerID eq %d"},
	{"Feedback, $orderby", "Feedback?$top=100&$select=ID,ReasonID&$orderby=ReceivedAt desc{own}", "Routing/CustomerID eq %d"},
	{"Feedback/$count", "Feedback/$count?{own}", "Routing/CustomerID eq %d"},
	{"Feedback, $expand", "Feedback?$top=50&$select=ID&$expand=Routing($select=ID),Reason($select=Name){own}", "Routing/CustomerID eq %d"},
}

// customersRead is r for the customer i.
func (b *bench) customersRead(t *testing.T, r struct{ name, path, own string }, i int) contest {
	own := fmt.Sprintf(r.own, b.customer+int64(i))
	path := func(own string) string {
		before, after, _ := strings.Cut(r.path, "{own}")
		if inner, rest, nested := strings.Cut(after, "{own}"); nested {
			if own != "" {
				before += fmt.Sprintf(";$filter=CustomerID eq %d", b.customer+int64(i))
			}
			before, after = before+inner, rest
		}
		switch {
		case own == "":
		case strings.Contains(r.path, "&$filter="):
			own = " and " + own
		default:
			own = "&$filter=" + own
		}
		return "/odata/" + strings.ReplaceAll(before+own+after, " ", "%20")
	}
	key := http.Header{"X-Api-Key": {b.keys[i]}}
	values := func(body string) string { _, v, _ := strings.Cut(body, `"value":`); return v }
	theirs, staffs := b.body(b.app.Handler(), key, path("")), b.body(b.app.Handler(), b.asStaff(), path(own))
	if strings.HasPrefix(theirs, "{") && (values(theirs) == "" || strings.Count(theirs, `"ID":`) != strings.Count(staffs, `"ID":`)) ||
		!strings.HasPrefix(theirs, "{") && theirs != staffs {
		t.Fatalf("%s: the customer gets %.300s, staff %.300s", r.name, theirs, staffs)
	}
	expected := 1 / 1.15
	if b.app.DB.Dialect() == store.Postgres || strings.Contains(r.path, "$expand") {
		expected = 0 // shown; within what is expanded a customer's sight is looked at again, which staff's is not
	}
	return contest{name: r.name, slice: 20 * time.Millisecond, entrants: []entrant{
		{name: "a customer's key", run: b.get(b.app.Handler(), key, path(""))},
		{name: "staff's token", run: b.get(b.app.Handler(), b.asStaff(), path(own)), expected: expected},
	}}
}

// fillShares makes customers with keys, who have as many of the leads as shares
// says, and have reported on each.
func (b *bench) fillShares(t *testing.T) error {
	ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System})
	var connector routing.Connector
	if err := b.app.DB.Read(ctx).Where("code = ?", "webhook-json").Take(&connector).Error; err != nil {
		return err
	}
	words := b.words(shareLeads, 0, 0, 0)
	statements := []string{words.Replace(benchRows[0])}
	for i, share := range shares {
		customer := routing.Customer{Name: fmt.Sprintf("Acme %d", i)}
		if err := b.app.Routing.CreateCustomer(ctx, &customer); err != nil {
			return err
		}
		rule := routing.Rule{
			CustomerID: customer.ID, ConnectorID: connector.ID, Name: "All", Settings: routing.Settings{"URL": "http://127.0.0.1:1/"},
			Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}},
		}
		if err := b.app.Routing.CreateRule(ctx, &rule); err != nil {
			return err
		}
		connection := &keys.Connection{CustomerID: customer.ID, Name: "CRM", RequestsPerMinute: 1_000_000_000, Scopes: everyScope}
		if err := b.app.Keys.CreateConnection(ctx, connection); err != nil {
			return err
		}
		issued, err := b.app.Keys.Issue(ctx, connection.ID, keys.Terms{})
		if err != nil {
			return err
		}
		b.keys = append(b.keys, issued.Key)
		if i == 0 {
			b.customer = customer.ID
		}
		if customer.ID != b.customer+int64(i) {
			return fmt.Errorf("customer %d has the id %d", i, customer.ID)
		}
		// Their leads are spread evenly; every fourth of all is from Haifa, so some of theirs are.
		each, id := shareLeads/share, func(k int, n string) string { return fmt.Sprintf("4 * (%s) + %d", n, k) }
		numbers := fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d - 1)", share)
		lead := fmt.Sprintf("(%d * i + i %% 4 %% %d)", each, each)
		statements = append(statements,
			words.Replace(`INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, state, created_at, delivered_at, reason_id, feedback_at) `+numbers+
				" SELECT "+b.idOf(routingIDs, id(i, lead))+", "+b.idOf(leadIDs, lead)+fmt.Sprintf(", %d, %d, 1, 'delivered', {at}, {at}, 3, {at} FROM n", customer.ID, rule.ID)),
			words.Replace(`INSERT INTO feedback (id, routing_id, reason_id, comment, occurred_at, received_at) `+numbers+
				" SELECT "+b.idOf(feedbackIDs, id(i, lead))+", "+b.idOf(routingIDs, id(i, lead))+", 3, 'לא ענה', {at}, {at} FROM n"))
	}
	err := b.app.DB.Write(ctx, func(tx *gorm.DB) error {
		for _, statement := range statements {
			if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && b.app.DB.Dialect() == store.Postgres {
		err = b.app.DB.Read(ctx).Exec("ANALYZE").Error
	}
	return err
}
