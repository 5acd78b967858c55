package keys

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestCreateConnection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		jerusalem := time.FixedZone("", 2*60*60)
		start := time.Date(2026, 3, 1, 10, 0, 0, 123456789, jerusalem)
		got := Connection{CustomerID: customer, Name: "מערכת לידים", StartsAt: &start, AllowedNetworks: []string{"192.0.2.0/24"}}
		if err := s.CreateConnection(asStaff, &got); err != nil {
			t.Fatal(err)
		}
		utc := time.Date(2026, 3, 1, 8, 0, 0, 123456000, time.UTC)
		want := Connection{
			ID: got.ID, CustomerID: customer, Name: "מערכת לידים", StartsAt: &utc, Scopes: []string{FeedbackWrite},
			AllowedNetworks: []string{"192.0.2.0/24"}, TimeZone: "Asia/Jerusalem", RequestsPerMinute: 1200, CreatedAt: c.Now(), Version: 1,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("created (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, reload(t, s, got.ID)); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if got.ID.Version() != 7 {
			t.Errorf("ID %v is not a UUIDv7", got.ID)
		}
		none := newConnection(t, s, Connection{CustomerID: customer, Scopes: []string{}})
		if n := len(reload(t, s, none.ID).Scopes); n != 0 {
			t.Errorf("an empty list of scopes became %d scopes", n)
		}
	})
}

func TestConnectionValidation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		now, past := c.Now(), c.Now().Add(-time.Hour)
		tests := []struct {
			name   string
			change func(*Connection)
			target string
		}{
			{"no name", func(c *Connection) { c.Name = "" }, "Name"},
			{"long name", func(c *Connection) { c.Name = strings.Repeat("x", 201) }, "Name"},
			{"no customer", func(c *Connection) { c.CustomerID = 0 }, "CustomerID"},
			{"unknown customer", func(c *Connection) { c.CustomerID = 999 }, "CustomerID"},
			{"unknown scope", func(c *Connection) { c.Scopes = []string{FeedbackWrite, "everything"} }, "Scopes[1]"},
			{"not a network", func(c *Connection) { c.AllowedNetworks = []string{"here"} }, "AllowedNetworks[0]"},
			{"an address", func(c *Connection) { c.AllowedNetworks = []string{"192.0.2.1"} }, "AllowedNetworks[0]"},
			{"end before start", func(c *Connection) { c.StartsAt, c.EndsAt = &now, &past }, "EndsAt"},
			{"end at start", func(c *Connection) { c.StartsAt, c.EndsAt = &now, &now }, "EndsAt"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				bad := Connection{CustomerID: customer, Name: "x"}
				tt.change(&bad)
				wantFault(t, s.CreateConnection(asStaff, &bad), fault.Invalid, tt.target)
			})
		}
	})
}

func TestUpdateConnection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		stale := *conn
		end := c.Now().Add(time.Hour)
		conn.Name, conn.EndsAt, conn.Scopes = "New name", &end, []string{LeadsRead, FeedbackWrite}
		if err := s.UpdateConnection(asStaff, conn); err != nil {
			t.Fatal(err)
		}
		if conn.Version != 2 {
			t.Errorf("version %d after one update, want 2", conn.Version)
		}
		if diff := cmp.Diff(*conn, reload(t, s, conn.ID)); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		wantFault(t, s.UpdateConnection(asStaff, &stale), fault.PreconditionFailed, "")
		stale.ID = uuid.New()
		wantFault(t, s.UpdateConnection(asStaff, &stale), fault.NotFound, "")
		conn.EndsAt = nil
		if err := s.UpdateConnection(asStaff, conn); err != nil || reload(t, s, conn.ID).EndsAt != nil {
			t.Errorf("the end was not taken away: %v", err)
		}
	})
}

func TestDeleteConnection(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		k := issue(t, s, conn.ID)
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteConnection(asStaff, conn.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != errRefused {
			t.Errorf("the key of a deleted connection: %v, want it refused at once", err)
		}
		wantFault(t, s.DeleteConnection(asStaff, conn.ID), fault.NotFound, "")
	})
}

func TestDeleteConnectionWithFeedback(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		k := issue(t, s, conn.ID)
		reportThrough(t, db, conn)
		wantFault(t, s.DeleteConnection(asStaff, conn.ID), fault.Conflict, "")
		if _, err := s.Authenticate(ctx, k.Key, nil, local); err != nil {
			t.Errorf("the key no longer works after a refused deletion: %v", err)
		}
	})
}

// reportThrough stores the rows of one report that came through c.
func reportThrough(t *testing.T, db *store.DB, c *Connection) {
	t.Helper()
	lead, routing, now := uuid.New(), uuid.New(), store.Now()
	statements := []struct {
		sql  string
		args []any
	}{
		{"INSERT INTO leads (id, received_at) VALUES (?, ?)", []any{lead, now}},
		{"INSERT INTO connectors (id, code, name, format, url, created_at) VALUES (9000, 'x', 'x', 'json', 'x', ?)", []any{now}},
		{"INSERT INTO rules (id, customer_id, connector_id, name, created_at) VALUES (9000, ?, 9000, 'x', ?)", []any{c.CustomerID, now}},
		{"INSERT INTO routings (id, lead_id, customer_id, rule_id, rule_revision, created_at) VALUES (?, ?, ?, 9000, 1, ?)", []any{routing, lead, c.CustomerID, now}},
		{"INSERT INTO feedback (id, routing_id, reason_id, received_at, connection_id) VALUES (?, ?, 1, ?, ?)", []any{uuid.New(), routing, now, c.ID}},
	}
	err := db.Write(ctx, func(tx *gorm.DB) error {
		for _, st := range statements {
			if err := tx.Exec(st.sql, st.args...).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyManagersWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, _, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer})
		k := issue(t, s, conn.ID)
		for name, call := range map[string]func() error{
			"create as viewer":   func() error { return s.CreateConnection(asViewer, &Connection{CustomerID: customer, Name: "x"}) },
			"create as customer": func() error { return s.CreateConnection(asClient, &Connection{CustomerID: customer, Name: "x"}) },
			"update":             func() error { return s.UpdateConnection(asViewer, conn) },
			"delete":             func() error { return s.DeleteConnection(asViewer, conn.ID) },
			"issue":              func() error { _, err := s.Issue(asViewer, conn.ID, Terms{}); return err },
			"revoke":             func() error { return s.Revoke(asViewer, k.KeyID) },
			"list":               func() error { _, err := s.List(asClient, conn.ID); return err },
		} {
			t.Run(name, func(t *testing.T) { wantFault(t, call(), fault.Forbidden, "") })
		}
		wantFault(t, s.Revoke(ctx, k.KeyID), fault.Unauthorized, "")
		if _, err := s.List(asViewer, conn.ID); err != nil {
			t.Errorf("a viewer cannot list keys: %v", err)
		}
	})
}
