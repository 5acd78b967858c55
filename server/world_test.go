package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/leads"
	"leadloop/routing"
	"leadloop/store"
)

// world is random data of a whole service: customers who share leads, what they
// reported, and all that the house keeps to itself.
type world struct {
	*rand.Rand
	customers   []routing.Customer
	connections []keys.Connection
	sources     []leads.Source
	connector   routing.Connector
	rules       []routing.Rule
	retired     []int32 // reasons no longer in use
	leads       []leads.Lead
	routings    []routing.Routing
	attempts    []routing.Attempt
	feedback    []feedback.Feedback
	statusMaps  []feedback.StatusMap
}

// Few values, so that rows share them and expressions hit them.
var (
	someCities   = []string{"Haifa", "Acre", "תל אביב", "Eilat", "haifa", ""}
	someNames    = []string{"Dana", "Noa", "נועה", "O'Neil", "Gal & Co", "50%", "a+b", "Ωmega", "İnci"}
	someComments = []string{"ours", "theirs", "called twice", "no answer", "ענתה", "100%"}
	someStatuses = []string{"won", "נסגר", "Lost", "on hold"}
	someFields   = []string{"Budget", "Score", "שם", "Nested", "Notes"}
	someInstant  = time.Date(2026, 2, 3, 4, 5, 6, 789000, time.UTC)
)

// newWorld makes the world of that number.
func newWorld(number uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(number, 1))}
	for i := range 2 + w.IntN(3) {
		w.customers = append(w.customers, routing.Customer{
			ID: int64(i + 1), Name: w.pick(someNames), Description: w.pick(someComments), CreatedAt: w.instant(), Version: w.Int64N(4),
		})
	}
	for _, c := range w.customers {
		for range 1 + w.IntN(3) {
			w.connections = append(w.connections, w.connection(c))
		}
	}
	w.house()
	for _, c := range w.customers {
		w.statusMap(c)
	}
	for range 8 + w.IntN(10) {
		w.lead()
	}
	return w
}

func (w *world) connection(of routing.Customer) keys.Connection {
	c := keys.Connection{
		ID: w.id(), CustomerID: of.ID, Name: w.pick(someNames), Description: w.pick(someComments), CreatedAt: w.instant(), Version: 1 + w.Int64N(3),
		Scopes: everyScope, AllowedNetworks: []string{}, RequestsPerMinute: 1_000_000_000,
	}
	if w.IntN(4) == 0 { // now and then it may not do everything
		c.Scopes = []string{}
		for _, scope := range everyScope {
			if w.IntN(2) == 0 {
				c.Scopes = append(c.Scopes, scope)
			}
		}
	}
	if w.IntN(2) == 0 {
		c.AllowedNetworks = []string{"192.0.2.0/24", "10.0.0.0/8"}
	}
	return c
}

// statusMap says what some of the customer's words stand for.
func (w *world) statusMap(of routing.Customer) {
	for _, status := range someStatuses {
		if w.IntN(2) == 0 {
			w.statusMaps = append(w.statusMaps, feedback.StatusMap{
				ID: int64(len(w.statusMaps) + 1), CustomerID: of.ID, Status: status, Folded: strings.ToLower(status), ReasonID: int32(1 + w.IntN(12)),
				CreatedAt: w.instant(), Version: 1 + w.Int64N(3),
			})
		}
	}
}

// house makes what customers never see.
func (w *world) house() {
	w.connector = routing.Connector{ID: 1000, Code: "a-crm", Name: "A CRM", Method: "POST", Format: "json", URL: "https://crm.example", Settings: []routing.Setting{}, Version: 1}
	for i := range 2 {
		w.sources = append(w.sources, leads.Source{
			ID: int64(i + 1), Name: w.pick(someNames), Kind: leads.KindJSON, Token: w.id().String(), Region: "IL", Enabled: true, Version: 1, CreatedAt: w.instant(),
		})
	}
	for i, c := range w.customers {
		w.rules = append(w.rules, routing.Rule{
			ID: int64(i + 1), CustomerID: c.ID, ConnectorID: w.connector.ID, Name: w.pick(someNames), Settings: routing.Settings{}, Priority: 1 + w.IntN(9),
			Mapping: []routing.MappingEntry{{Target: "ref", Source: "RoutingID"}}, State: routing.Active, Revision: 1, CreatedAt: w.instant(), Version: 1,
		})
	}
	for range w.IntN(4) {
		w.retired = append(w.retired, int32(1+w.IntN(12)))
	}
}

// lead makes a lead that none, one or several of the customers have.
func (w *world) lead() {
	lead := leads.Lead{
		ID: w.id(), ReceivedAt: w.instant(), SourceID: maybe(w, 1+w.Int64N(2)), State: leads.StateRouted, Version: 1 + w.Int64N(5), IsTest: w.IntN(4) == 0,
		FirstName: maybe(w, w.pick(someNames)), LastName: maybe(w, w.pick(someNames)), City: maybe(w, w.pick(someCities)),
		Phone: maybe(w, fmt.Sprintf("+9725010000%02d", w.IntN(5))), Email: maybe(w, fmt.Sprintf("p%d@example.com", w.IntN(5))),
		Message: maybe(w, w.pick(someComments)), Campaign: maybe(w, w.pick(someCities)), ReasonID: maybe(w, int32(1+w.IntN(12))), FeedbackAt: maybe(w, w.instant()),
		Properties: map[string]any{},
	}
	if n := len(w.leads); n > 0 && w.IntN(3) == 0 {
		lead.DuplicateOfID = &w.leads[w.IntN(n)].ID
	}
	for _, name := range someFields {
		if w.IntN(2) == 0 {
			lead.Properties[name] = w.dynamic()
		}
	}
	w.leads = append(w.leads, lead)
	for _, c := range w.customers {
		if w.IntN(2) == 0 {
			w.routing(lead, c)
		}
	}
}

func (w *world) dynamic() any {
	return []any{nil, true, w.pick(someCities), w.Int64N(5), 0.5, int64(1) << 53, map[string]any{"a": w.Int64N(3), "b": nil}, []any{w.Int64N(3), "x"}}[w.IntN(8)]
}

// routing gives the lead to the customer, who may have reported on it.
func (w *world) routing(lead leads.Lead, c routing.Customer) {
	states := []string{routing.Pending, routing.Delivered, routing.Rejected, routing.Failed, routing.Parked}
	r := routing.Routing{
		ID: w.id(), LeadID: lead.ID, CustomerID: c.ID, RuleID: c.ID, RuleRevision: 1, State: w.pick(states), AttemptCount: w.IntN(4), NextAttemptAt: maybe(w, w.instant()),
		CreatedAt: w.instant(), DeliveredAt: maybe(w, w.instant()), ExternalID: maybe(w, fmt.Sprint("x", w.IntN(5))), ExternalLink: maybe(w, "https://crm.example/1"),
		Error: maybe(w, w.pick(someComments)), ReasonID: maybe(w, int32(1+w.IntN(12))), FeedbackAt: maybe(w, w.instant()), Version: 1 + w.Int64N(5),
	}
	w.routings = append(w.routings, r)
	for range w.IntN(3) {
		w.attempts = append(w.attempts, routing.Attempt{RoutingID: r.ID, StartedAt: w.instant(), Request: "{}", Response: w.pick(someComments), Outcome: routing.Accepted})
	}
	own := w.connectionsOf(c.ID)
	for range w.IntN(3) {
		f := feedback.Feedback{
			ID: w.id(), RoutingID: r.ID, ReasonID: maybe(w, int32(1+w.IntN(12))), Comment: maybe(w, w.pick(someComments)), OccurredAt: maybe(w, w.instant()), ReceivedAt: w.instant(),
			ExternalID: maybe(w, fmt.Sprint("x", w.IntN(5))), Owner: maybe(w, w.pick(someNames)), ConnectionID: maybe(w, own[w.IntN(len(own))].ID),
		}
		if f.ReasonID == nil || w.IntN(3) == 0 {
			status := w.pick(someStatuses)
			f.Status, f.Folded = &status, new(strings.ToLower(status))
		}
		w.feedback = append(w.feedback, f)
	}
}

func (w *world) connectionsOf(customer int64) (list []keys.Connection) {
	for _, c := range w.connections {
		if c.CustomerID == customer {
			list = append(list, c)
		}
	}
	return list
}

// store puts the world into an empty database.
func (w *world) store(db *store.DB) error {
	return db.Write(asSystem, func(tx *gorm.DB) error {
		// Two random reports may be equal, of which there is only one.
		tx = tx.Omit(clause.Associations).Clauses(clause.OnConflict{DoNothing: true}).Session(&gorm.Session{})
		var failed []error
		for _, rows := range []any{
			&w.customers, &w.connections, &w.sources, &w.connector, &w.rules, &w.leads, &w.routings, &w.attempts, &w.feedback, &w.statusMaps,
		} {
			failed = append(failed, tx.Create(rows).Error)
		}
		if len(w.retired) > 0 {
			failed = append(failed, tx.Model(&feedback.Reason{}).Where("id IN ?", w.retired).Update("active", false).Error)
		}
		return errors.Join(failed...)
	})
}

func (w *world) pick(list []string) string { return list[w.IntN(len(list))] }

func (w *world) instant() time.Time {
	return someInstant.Add(time.Duration(w.IntN(6)-3) * 36 * time.Hour).Add(time.Duration(w.IntN(3)) * time.Microsecond)
}

func (w *world) id() (id uuid.UUID) {
	for i := range id {
		id[i] = byte(w.Uint32())
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	return id
}

func maybe[T any](w *world, v T) *T {
	if w.IntN(3) == 0 {
		return nil
	}
	return &v
}
