package keys

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// clock is a Now that stands still until it is told otherwise.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

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
	ctx      = context.Background()
	asStaff  = actor(store.Actor{Kind: store.Staff, Role: store.Manager, UserID: 1})
	asViewer = actor(store.Actor{Kind: store.Staff, Role: store.Viewer, UserID: 2})
	asClient = actor(store.Actor{Kind: store.Machine, CustomerID: 1, Scopes: []string{FeedbackWrite}})
)

func actor(a store.Actor) context.Context { return store.WithActor(context.Background(), a) }

// newService returns a Service with random bytes that are always the same, its
// clock, and the id of a customer.
func newService(t testing.TB, db *store.DB) (*Service, *clock, int64) {
	t.Helper()
	s, c := New(db, storetest.Vault()), newClock()
	s.Now, s.Rand = c.Now, rand.NewChaCha8([32]byte{1})
	return s, c, newCustomer(t, db)
}

func newCustomer(t testing.TB, db *store.DB) (id int64) {
	t.Helper()
	err := db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Raw("INSERT INTO customers (name, created_at) VALUES ('Acme', ?) RETURNING id", store.Now()).Row().Scan(&id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newConnection(t testing.TB, s *Service, c Connection) *Connection {
	t.Helper()
	if c.Name == "" {
		c.Name = "Acme CRM"
	}
	if err := s.CreateConnection(asStaff, &c); err != nil {
		t.Fatal(err)
	}
	return &c
}

func issue(t testing.TB, s *Service, connection uuid.UUID) Issued {
	t.Helper()
	k, err := s.Issue(asStaff, connection, Terms{})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// wantFault checks the code and, unless it is "-", the target of an error.
func wantFault(t testing.TB, err error, code fault.Code, target string) {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Code != code || target != "-" && e.Target != target {
		t.Errorf("error %v, want code %s at %q", err, code, target)
	}
}

func reload(t testing.TB, s *Service, id uuid.UUID) Connection {
	t.Helper()
	var c Connection
	if err := s.DB.Read(ctx).Take(&c, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	return c
}
