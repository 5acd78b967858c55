package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

// gate is a model of these tests: it has no table.
type gate struct {
	ID       int64 `gorm:"primaryKey"`
	Name     string
	Opens    *time.Time
	Tags     []string          `gorm:"serializer:json"`
	Settings map[string]string `gorm:"serializer:json"`
	Hash     []byte            `odata:"-"`
	Token    string            `audit:"secret"`
	Password string            `gorm:"-" odata:"writeonly"`
	Version  int64             `odata:"computed,etag"`
}

// audited runs f in a Write as a manager who came by the API.
func audited(t *testing.T, db *store.DB, changes ...store.Change) {
	t.Helper()
	ctx := store.WithActor(t.Context(), store.Actor{
		Kind: store.Staff, UserID: 7, Role: store.Manager, Name: "dana@example.com",
		Through: store.API, Remote: "192.0.2.1",
	})
	if err := db.Write(ctx, func(tx *gorm.DB) error {
		for _, c := range changes {
			if err := store.Audit(tx, c); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func events(t *testing.T, db *store.DB) []store.AuditEvent {
	t.Helper()
	var all []store.AuditEvent
	if err := db.Read(t.Context()).Order("id").Find(&all).Error; err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAudit(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	old := &gate{
		ID: 3, Name: "שער", Tags: []string{"a"}, Settings: map[string]string{"URL": "x", "Key": "sealed:abc", "Same": "1"},
		Hash: []byte("secret hash"), Token: "secret token", Version: 1,
	}
	next := &gate{
		ID: 3, Name: "gate <b>\x00\xff", Opens: &at, Tags: []string{"a"},
		Settings: map[string]string{"URL": "y", "Key": "sealed:def", "Same": "1"},
		Hash:     []byte("other hash"), Token: "secret token 2", Password: "secret password", Version: 2,
	}
	same := *next
	same.Version = 3
	for _, c := range []struct {
		name          string
		before, after any
		was, is       store.Facts
	}{
		{"create", nil, old, store.Facts{}, store.Facts{
			"ID": float64(3), "Name": "שער", "Tags": []any{"a"}, "Hash": "***", "Token": "***",
			"Settings": map[string]any{"URL": "x", "Key": "***", "Same": "1"},
		}},
		{
			"update", old, next,
			store.Facts{"Name": "שער", "Settings": map[string]any{"URL": "x", "Key": "***"}, "Hash": "***", "Token": "***"},
			store.Facts{
				"Name": "gate <b>\ufffd\ufffd", "Settings": map[string]any{"URL": "y", "Key": "***"}, "Hash": "***", "Token": "***",
				"Password": "***", "Opens": "2026-05-01T12:00:00Z",
			},
		},
		{"nothing", next, &same, store.Facts{}, store.Facts{}},
		{"delete", &gate{ID: 4, Name: "n"}, nil, store.Facts{"ID": float64(4), "Name": "n", "Tags": []any{}, "Settings": map[string]any{}}, store.Facts{}},
		{"facts", nil, store.Facts{"Found": 1e30, "Small": 1.50}, store.Facts{}, store.Facts{"Found": "1e+30", "Small": 1.5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				audited(t, db, store.Change{Action: c.name, Entity: "Gate", Key: 3, Before: c.before, After: c.after})
				e := events(t, db)[0]
				if e.At.IsZero() || len(e.Hash) != 32 {
					t.Errorf("%+v", e)
				}
				e.At, e.Hash = time.Time{}, nil
				want := store.AuditEvent{
					ID: 1, ActorKind: "staff", ActorID: "7", ActorName: "dana@example.com", Through: "API", RemoteAddress: "192.0.2.1",
					Action: c.name, Entity: "Gate", Key: "3", Before: c.was, After: c.is,
				}
				if diff := cmp.Diff(want, e); diff != "" {
					t.Error(diff)
				}
				if h, err := db.VerifyAudit(t.Context(), nil); err != nil || h.ID != 1 {
					t.Errorf("%v %v", h, err)
				}
			})
		})
	}
}

// An event is there exactly if the change is.
func TestAuditIsPartOfTheChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		oops := errors.New("oops")
		change := store.Change{Action: "x", Entity: "Gate", Key: 1}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error { return errors.Join(store.Audit(tx, change), oops) }); !errors.Is(err, oops) {
			t.Fatal(err)
		}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			_ = db.Write(tx.Statement.Context, func(tx *gorm.DB) error { return errors.Join(store.Audit(tx, change), oops) })
			return store.Audit(tx, change)
		}); err != nil {
			t.Fatal(err)
		}
		if all := events(t, db); len(all) != 1 || all[0].ID != 1 || all[0].ActorKind != "nobody" {
			t.Errorf("%+v", all)
		}
		if err := store.Audit(db.Read(t.Context()), change); err == nil {
			t.Error("outside of a Write")
		}
	})
}

// Many at once make one chain.
func TestAuditAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for range 5 {
					audited(t, db, store.Change{Action: "x", Entity: "Gate", Key: i})
				}
			})
		}
		all.Wait()
		if h, err := db.VerifyAudit(t.Context(), nil); err != nil || h.ID != 40 {
			t.Errorf("%v %v", h, err)
		}
	})
}

// The tables refuse what is not an insert.
func TestAuditIsOnlyAddedTo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		audited(t, db, store.Change{Action: "x", Entity: "Gate", Key: 1})
		statements := []string{"UPDATE audit_events SET action = 'y'", "DELETE FROM audit_events"}
		if db.Dialect() == store.Postgres {
			statements = append(statements, "TRUNCATE audit_events")
		}
		for _, sql := range statements {
			err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(sql).Error })
			if err == nil || !strings.Contains(err.Error(), "only added to") {
				t.Errorf("%s: %v", sql, err)
			}
		}
	})
}

// Who has the whole database in his hands, but not the key, is found out.
func TestVerifyAudit(t *testing.T) {
	const rows = 1_003 // more than are read at once
	cases := []struct {
		name   string
		sql    []string
		broken int64
	}{
		{"action", []string{"UPDATE audit_events SET action = 'y' WHERE id = 700"}, 700},
		{"actor", []string{"UPDATE audit_events SET actor_name = 'eve' WHERE id = 1"}, 1},
		{"moved text", []string{"UPDATE audit_events SET actor_name = '', through = actor_name || through WHERE id = 2"}, 2},
		{"time", []string{"UPDATE audit_events SET at = '2020-01-01T00:00:00.000000Z' WHERE id = 3"}, 3},
		{"before", []string{`UPDATE audit_events SET before = '{"Name":"x"}' WHERE id = 1003`}, 1003},
		{"after", []string{`UPDATE audit_events SET after = '{}' WHERE id = 1003`}, 1003},
		{"hash", []string{`UPDATE audit_events SET hash = (SELECT hash FROM audit_events WHERE id = 9) WHERE id = 8`}, 8},
		{"taken out", []string{"DELETE FROM audit_events WHERE id = 600"}, 600},
		{"taken out and closed up", []string{"DELETE FROM audit_events WHERE id = 600", "UPDATE audit_events SET id = -id WHERE id > 600", "UPDATE audit_events SET id = -id - 1 WHERE id < 0"}, 600},
		{"the first", []string{"DELETE FROM audit_events WHERE id = 1"}, 1},
		{"the last", []string{"DELETE FROM audit_events WHERE id = 1003"}, 1003},
		{"all", []string{"DELETE FROM audit_events"}, 1},
		{"swapped", []string{
			"UPDATE audit_events SET id = 0 WHERE id = 5", "UPDATE audit_events SET id = 5 WHERE id = 6", "UPDATE audit_events SET id = 6 WHERE id = 0",
		}, 5},
		{"added", []string{`INSERT INTO audit_events (id, at, actor_kind, action, entity, hash)
			SELECT 1004, at, actor_kind, action, entity, hash FROM audit_events WHERE id = 1003`}, 1004},
		{"head", []string{"UPDATE settings SET value = replace(value, '1003:', '1002:') WHERE name = 'audit_head'"}, 0},
		{"no head", []string{"DELETE FROM settings WHERE name = 'audit_head'"}, 1},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		changes := make([]store.Change, rows)
		for i := range changes {
			changes[i] = store.Change{Action: "x", Entity: "Gate", Key: i, After: store.Facts{"I": i}}
		}
		audited(t, db, changes...)
		if head, err := db.VerifyAudit(t.Context(), nil); err != nil || head.ID != rows {
			t.Fatalf("%v %v", head, err)
		}
		undo := errors.New("undo")
		for _, c := range cases {
			var found error
			if err := db.Write(t.Context(), func(tx *gorm.DB) error {
				if err := tamper(tx, c.sql...); err != nil {
					return err
				}
				_, found = db.VerifyAudit(tx.Statement.Context, nil)
				return undo
			}); !errors.Is(err, undo) {
				t.Fatalf("%s: %v", c.name, err)
			}
			var broken *store.Broken
			if !errors.As(found, &broken) || broken.ID != c.broken {
				t.Errorf("%s: %v, want %d", c.name, found, c.broken)
			}
		}
	})
}

// A head kept elsewhere shows that the trail was begun anew.
func TestVerifyAuditFromAHead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		change := store.Change{Action: "x", Entity: "Gate", Key: 1}
		audited(t, db, change, change)
		head, err := db.VerifyAudit(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		past, err := store.ParseHead(head.String())
		if err != nil || past.ID != 2 || !bytes.Equal(past.Hash, head.Hash) {
			t.Fatalf("%v %v", past, err)
		}
		audited(t, db, change)
		if h, err := db.VerifyAudit(t.Context(), &past); err != nil || h.ID != 3 {
			t.Errorf("%v %v", h, err)
		}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			return tamper(tx, "DELETE FROM audit_events", "DELETE FROM settings WHERE name = 'audit_head'")
		}); err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			var broken *store.Broken
			if _, err := db.VerifyAudit(t.Context(), &past); !errors.As(err, &broken) {
				t.Errorf("%d events: %v", n, err)
			}
			audited(t, db, change)
		}
		for _, text := range []string{"", "1", "1:", "x:00", "-1:" + fmt.Sprintf("%064d", 0), "1:00"} {
			if _, err := store.ParseHead(text); err == nil {
				t.Errorf("%q is a head", text)
			}
		}
	})
}

// tamper runs statements past the triggers.
func tamper(tx *gorm.DB, statements ...string) error {
	off := []string{"DROP TRIGGER IF EXISTS audit_events_update", "DROP TRIGGER IF EXISTS audit_events_delete"}
	if tx.Name() == store.Postgres {
		off = []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL"}
	}
	for _, sql := range append(off, statements...) {
		if err := tx.Exec(sql).Error; err != nil {
			return err
		}
	}
	return nil
}
