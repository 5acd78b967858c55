package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// However a trail is damaged, a seal lets it go on, and what was damaged stays as
// it was found.
func TestSealAudit(t *testing.T) {
	admin := func(ctx context.Context) context.Context {
		return store.WithActor(ctx, store.Actor{Kind: store.Staff, UserID: 7, Role: store.Admin, Name: "dana@example.com"})
	}
	change := store.Change{Action: "x", Entity: "Gate", Key: 1}
	cases := []struct {
		name     string
		sql      []string
		brokenAt int64
		seal     int64 // the ID of its event
	}{
		{"changed", []string{"UPDATE audit_events SET action = 'y' WHERE id = 3"}, 3, 7},
		{"no JSON", []string{`UPDATE audit_events SET after = '{"b":1, "a":2}' WHERE id = 3`}, 3, 7},
		{"taken out", []string{"DELETE FROM audit_events WHERE id IN (2, 4)"}, 2, 7},
		{"cut off", []string{"DELETE FROM audit_events WHERE id > 4"}, 5, 7},
		{"all", []string{"DELETE FROM audit_events"}, 1, 7},
		{"added before", []string{"INSERT INTO audit_events (id, at, actor_kind, action, entity, hash) SELECT -5, at, actor_kind, action, entity, hash FROM audit_events WHERE id = 1"}, 1, 7},
		{"added behind", []string{"INSERT INTO audit_events (id, at, actor_kind, action, entity, hash) SELECT 9, at, actor_kind, action, entity, hash FROM audit_events WHERE id = 1"}, 7, 10},
		{"head", []string{"UPDATE settings SET value = 'x' WHERE name = 'audit_head'"}, 0, 7},
		{"no head", []string{"DELETE FROM settings WHERE name = 'audit_head'"}, 1, 7},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		audited(t, db, change, change, change, change, change, change)
		undo := errors.New("undo")
		for _, c := range cases {
			err := db.Write(t.Context(), func(tx *gorm.DB) error {
				ctx := tx.Statement.Context
				_, err := db.SealAudit(admin(ctx), "of a whole one")
				wantCode(t, c.name+": whole", err, fault.Conflict)
				if err := tamper(tx, c.sql...); err != nil {
					return err
				}
				_, err = db.SealAudit(admin(ctx), " ")
				wantCode(t, c.name+": no note", err, fault.Invalid)
				_, err = db.SealAudit(store.WithActor(ctx, store.Actor{Kind: store.Staff, Role: store.Manager}), "x")
				wantCode(t, c.name+": a manager", err, fault.Forbidden)
				before := everything(t, tx)
				seal, err := db.SealAudit(admin(ctx), "Dana restored a backup")
				if err != nil || seal.ID != c.seal || seal.BrokenAt != c.brokenAt || seal.By != "dana@example.com" {
					t.Errorf("%s: %+v %v", c.name, seal, err)
				}
				if after := everything(t, tx); !strings.HasPrefix(after, before) {
					t.Errorf("%s: history is another\n%s\n%s", c.name, before, after)
				}
				if err := store.Audit(tx, change); err != nil {
					t.Errorf("%s: it does not go on: %v", c.name, err)
				}
				p, err := db.ProveAudit(admin(ctx), nil, nil)
				if err != nil || !p.Whole || p.Events != c.seal+1 || len(p.Seals) != 1 || p.Seals[0].Note != "Dana restored a backup" || p.Seals[0].BrokenAt != c.brokenAt || p.Seals[0].Why == "" {
					t.Errorf("%s: %+v %v", c.name, p, err)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatalf("%s: %v", c.name, err)
			}
		}
	})
}

// A seal holds what it was put on, and can itself be sealed over.
func TestSealHolds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System, Name: "test"})
		change := store.Change{Action: "x", Entity: "Gate", Key: 1}
		audited(t, db, change, change, change)
		damage := func(sql string) {
			t.Helper()
			if err := db.Write(t.Context(), func(tx *gorm.DB) error { return tamper(tx, sql) }); err != nil {
				t.Fatal(err)
			}
		}
		damage("UPDATE audit_events SET action = 'y' WHERE id = 2")
		first, err := db.SealAudit(ctx, "one")
		if err != nil {
			t.Fatal(err)
		}
		audited(t, db, change)
		broken := func(at int64) {
			t.Helper()
			var b *store.Broken
			if _, err := db.VerifyAudit(t.Context(), nil); !errors.As(err, &b) || b.ID != at {
				t.Errorf("broken at %v, want %d", err, at)
			}
		}
		damage("UPDATE audit_events SET action = 'z' WHERE id = 2") // again, behind the seal
		broken(2)
		damage("UPDATE audit_events SET action = 'y' WHERE id = 2")
		head, err := db.VerifyAudit(t.Context(), nil)
		if err != nil || head.ID != first.ID+1 {
			t.Fatalf("%v %v", head, err)
		}
		damage("UPDATE audit_events SET actor_name = 'eve' WHERE id = 4") // the seal
		broken(2)
		if _, err := db.SealAudit(ctx, "two"); err != nil {
			t.Fatal(err)
		}
		audited(t, db, change)
		p, err := db.ProveAudit(ctx, nil, nil)
		if err != nil || !p.Whole || len(p.Seals) != 1 || p.Seals[0].Note != "two" || p.Seals[0].BrokenAt != 2 {
			t.Errorf("%+v %v", p, err)
		}
		damage("DELETE FROM audit_events WHERE id = 7") // the last
		broken(7)
	})
}

// What a head kept elsewhere speaks of is missed, whoever sealed that it is gone.
func TestSealHidesNoHead(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System, Name: "test"})
		change := store.Change{Action: "x", Entity: "Gate", Key: 1}
		audited(t, db, change, change, change)
		past, err := db.VerifyAudit(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			return tamper(tx, "DELETE FROM audit_events WHERE id > 1")
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SealAudit(ctx, "two are lost"); err != nil {
			t.Fatal(err)
		}
		next, err := db.VerifyAudit(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b *store.Broken
		if _, err := db.VerifyAudit(t.Context(), &past); !errors.As(err, &b) || b.ID != past.ID {
			t.Errorf("through the head of before: %v", err)
		}
		audited(t, db, change)
		if _, err := db.VerifyAudit(t.Context(), &next); err != nil {
			t.Errorf("through the head of the seal: %v", err)
		}
	})
}

func wantCode(t *testing.T, what string, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code || err == nil {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// everything is all events, as they are.
func everything(t *testing.T, tx *gorm.DB) string {
	t.Helper()
	var rows []string
	cast := "id || ' ' || CAST(at AS text) || actor_name || action || CAST(before AS text) || CAST(after AS text) || hex(hash)"
	if tx.Name() == store.Postgres {
		cast = strings.Replace(cast, "hex(hash)", "encode(hash, 'hex')", 1)
	}
	if err := tx.Raw("SELECT " + cast + " FROM audit_events ORDER BY id").Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, "\n")
}
