package feedback

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/keys"
	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// clock is a Now that stands still until it is told otherwise.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

var (
	background = context.Background()
	asManager  = actor(store.Actor{Kind: store.Staff, Role: store.Manager, UserID: 1})
	asViewer   = actor(store.Actor{Kind: store.Staff, Role: store.Viewer, UserID: 2})
)

func actor(a store.Actor) context.Context { return store.WithActor(background, a) }

// world is two customers, each with a connection, and routings of the first.
type world struct {
	*Service
	clock        *clock
	acme, zenith *side
}

type side struct {
	customer   int64
	connection uuid.UUID
	rule       int64
	asClient   context.Context // its system, which may report
}

func newWorld(t testing.TB, db *store.DB) *world {
	t.Helper()
	w := &world{Service: New(db, routing.New(db, storetest.Vault())), clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	w.Now = w.clock.Now
	w.acme, w.zenith = w.newSide(t, "Acme"), w.newSide(t, "Zenith")
	return w
}

func (w *world) newSide(t testing.TB, name string) *side {
	t.Helper()
	now := w.Now()
	customer := routing.Customer{Name: name, CreatedAt: now, Version: 1}
	w.create(t, &customer)
	connection := keys.Connection{ID: uuid.New(), CustomerID: customer.ID, Name: name, CreatedAt: now, Version: 1}
	w.create(t, &connection)
	connector := routing.Connector{Name: name, Method: "POST", Format: "json", URL: "{URL}", CreatedAt: now, Version: 1}
	w.create(t, &connector)
	rule := routing.Rule{CustomerID: customer.ID, ConnectorID: connector.ID, Name: name, State: "active", Revision: 1, CreatedAt: now, Version: 1}
	w.create(t, &rule)
	return &side{
		customer: customer.ID, connection: connection.ID, rule: rule.ID,
		asClient: actor(store.Actor{
			Kind: store.Machine, ConnectionID: connection.ID, CustomerID: customer.ID, Scopes: []string{keys.FeedbackWrite}, Name: name,
		}),
	}
}

func (w *world) create(t testing.TB, row any) {
	t.Helper()
	err := w.DB.Write(background, func(tx *gorm.DB) error { return tx.Omit(clause.Associations).Create(row).Error })
	if err != nil {
		t.Fatal(err)
	}
}

// newRouting gives a new lead to each side and returns the routings' ids.
func (w *world) newRouting(t testing.TB, sides ...*side) (ids []uuid.UUID) {
	t.Helper()
	lead := leads.Lead{ID: uuid.New(), ReceivedAt: w.Now(), State: leads.StateRouted, Version: 1, Properties: map[string]any{}}
	w.create(t, &lead)
	for _, s := range sides {
		r := routing.Routing{
			ID: uuid.New(), LeadID: lead.ID, CustomerID: s.customer, RuleID: s.rule, RuleRevision: 1,
			State: routing.Delivered, CreatedAt: w.Now(), Version: 1,
		}
		w.create(t, &r)
		ids = append(ids, r.ID)
	}
	return ids
}

// current is the current feedback of a routing and of its lead.
type current struct{ routing, lead int32 }

func (w *world) current(t testing.TB, id uuid.UUID) current {
	t.Helper()
	var r routing.Routing
	if err := w.DB.Read(background).Preload("Lead").Take(&r, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	of := func(reason *int32, at *time.Time) int32 {
		if (reason == nil) != (at == nil) {
			t.Errorf("reason %v at %v", reason, at)
		}
		if reason == nil {
			return 0
		}
		return *reason
	}
	return current{of(r.ReasonID, r.FeedbackAt), of(r.Lead.ReasonID, r.Lead.FeedbackAt)}
}

func (w *world) count(t testing.TB) (n int64) {
	t.Helper()
	if err := w.DB.Read(background).Model(&Feedback{}).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// wantFault checks the code and, unless it is "-", the target of an error.
func wantFault(t testing.TB, err error, code fault.Code, target string) *fault.Error {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code || target != "-" && e.Target != target {
		t.Errorf("error %v, want code %s at %q", err, code, target)
		return fault.New("", "")
	}
	return e
}

func (w *world) exec(query string, args ...any) error {
	return w.DB.Write(background, func(tx *gorm.DB) error { return tx.Exec(query, args...).Error })
}

// limit says how late the side's system may report.
func (w *world) limit(s *side, age time.Duration) error {
	return w.exec("UPDATE connections SET max_feedback_age = ? WHERE id = ?", age, s.connection)
}
