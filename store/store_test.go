package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-sqlite3"
	"go.uber.org/goleak"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestFailuresStayAlone(t *testing.T) {
	failed := errors.New("failed")
	for _, c := range []struct {
		name string
		fail func() error
		want string
	}{
		{"error", func() error { return failed }, "failed"},
		{"panic", func() error { panic("oh no") }, "oh no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				createNotes(t, db)
				want := []string{}
				var clients sync.WaitGroup
				for i := range 40 {
					name := fmt.Sprintf("note %02d", i)
					bad := i%3 == 0
					if !bad {
						want = append(want, name)
					}
					clients.Go(func() {
						err := db.Write(t.Context(), func(tx *gorm.DB) error {
							if err := insert(name)(tx); err != nil || !bad {
								return err
							}
							return c.fail()
						})
						if bad && (err == nil || !strings.Contains(err.Error(), c.want)) || !bad && err != nil {
							t.Errorf("%s: %v", name, err)
						}
					})
				}
				clients.Wait()
				if diff := cmp.Diff(want, names(t, db)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestErrorIsTheFunctionsOwn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		want := fault.New(fault.Conflict, "Already there").At("Name")
		err := db.Write(t.Context(), func(*gorm.DB) error { return want })
		if !errors.Is(err, want) {
			t.Errorf("got %v", err)
		}
	})
}

// What was acknowledged is in the files, though nothing was closed.
func TestAcknowledgedIsOnDisk(t *testing.T) {
	path := storetest.DSN(t, store.SQLite)
	db := open(t, path)
	createNotes(t, db)
	if err := db.Write(t.Context(), insert("kept")); err != nil {
		t.Fatal(err)
	}
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"kept"}, names(t, open(t, crashed))); diff != "" {
		t.Error(diff)
	}
}

func TestContextOverBeforehand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Write(ctx, func(*gorm.DB) error {
			t.Error("ran")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// Once a function has started, its Write tells how it ended.
func TestContextOverMeanwhile(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(tx *gorm.DB) error {
			err := insert("stays")(tx)
			cancel()
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"stays"}, names(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestContextCarriesValues(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := store.WithActor(t.Context(), store.Actor{Kind: store.System, Name: "test"})
		err := db.Write(ctx, func(tx *gorm.DB) error {
			if got := store.ActorOf(tx.Statement.Context); got.Name != "test" {
				t.Errorf("got %+v", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestUsedAfterItsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		var kept *gorm.DB
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			kept = tx
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var n int
		for name, err := range map[string]error{
			"create": insert("late")(kept),
			"query":  kept.Raw("SELECT 1").Find(&n).Error,
			"row":    kept.Statement.ConnPool.QueryRowContext(t.Context(), "SELECT 1").Scan(&n),
			"commit": kept.Commit().Error,
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		// Its context no longer means the transaction.
		if err := db.Write(kept.Statement.Context, insert("fresh")); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]string{"fresh"}, names(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		const clients, each = 32, 20
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				for i := range each {
					name := fmt.Sprintf("%d/%d", c, i)
					if err := db.Write(t.Context(), insert(name)); err != nil {
						t.Error(err)
						return
					}
					var found note
					if err := db.Read(t.Context()).Where("name = ?", name).Take(&found).Error; err != nil {
						t.Errorf("%s was acknowledged: %v", name, err)
					}
				}
			})
		}
		all.Wait()
		if got := len(names(t, db)); got != clients*each {
			t.Errorf("%d notes", got)
		}
	})
}

func TestClose(t *testing.T) {
	storetest.Each(t, func(t *testing.T, _ *store.DB) {
		dialect := t.Name()[strings.LastIndex(t.Name(), "/")+1:]
		before := goleak.IgnoreCurrent()
		db := open(t, storetest.DSN(t, dialect))
		createNotes(t, db)
		var mu sync.Mutex
		acknowledged := 0
		first := make(chan struct{})
		var clients sync.WaitGroup
		for c := range 16 {
			clients.Go(func() {
				for i := 0; ; i++ {
					err := db.Write(t.Context(), insert(fmt.Sprintf("%d/%d", c, i)))
					if fault.CodeOf(err) == fault.Unavailable {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					if acknowledged++; acknowledged == 50 {
						close(first)
					}
					mu.Unlock()
				}
			})
		}
		<-first
		for range 2 {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
		clients.Wait()
		goleak.VerifyNone(t, before)
		if dialect == store.SQLite { // the PostgreSQL database is gone by its own clean-up
			if got := len(names(t, open(t, db.DSN()))); got != acknowledged {
				t.Errorf("%d notes, %d were acknowledged", got, acknowledged)
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	for _, c := range []struct{ name, dsn, want string }{
		{"nothing", "", "plain path"},
		{"memory", ":memory:", "plain path"},
		{"URI", "file:x.db?mode=ro", "plain path"},
		{"no folder", filepath.Join(t.TempDir(), "none", "x.db"), "no such file"},
		{"no server", "postgres://nobody@127.0.0.1:1/none", "refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := store.Open(t.Context(), c.dsn)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A file name may hold what means something in a URI.
func TestOpenOddPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), "חנות 100%?#&=.db")
	createNotes(t, open(t, path))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestOpenAssertsDurability(t *testing.T) {
	for _, pragma := range []string{"synchronous = NORMAL", "foreign_keys = OFF", "journal_mode = DELETE"} {
		t.Run(pragma, func(t *testing.T) {
			spoil := store.SQLiteHook(func(c *sqlite3.SQLiteConn) error {
				_, err := c.Exec("PRAGMA "+pragma, nil)
				return err
			})
			db, err := store.Open(t.Context(), storetest.DSN(t, store.SQLite), spoil)
			if err == nil {
				db.Close()
				t.Error("opened")
			}
		})
	}
}

func TestReadersCannotWrite(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	err := db.Read(t.Context()).Exec("INSERT INTO settings VALUES ('a', 'b')").Error
	if err == nil || !strings.Contains(err.Error(), "readonly") {
		t.Errorf("got %v", err)
	}
}

func TestSQLiteHook(t *testing.T) {
	hook := func(name string) store.Option {
		return store.SQLiteHook(func(c *sqlite3.SQLiteConn) error {
			return c.RegisterFunc(name, func() string { return name }, true)
		})
	}
	db := storetest.Open(t, store.SQLite, hook("one"), hook("two"))
	var got string
	if err := db.Read(t.Context()).Raw("SELECT one() || two()").Scan(&got).Error; err != nil || got != "onetwo" {
		t.Errorf("reading: %q %v", got, err)
	}
	if err := db.Write(t.Context(), func(tx *gorm.DB) error {
		return tx.Raw("SELECT two() || one()").Scan(&got).Error
	}); err != nil || got != "twoone" {
		t.Errorf("writing: %q %v", got, err)
	}
}

func TestConstraintErrors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, c := range []struct {
			sql  string
			want error
		}{
			{"INSERT INTO settings VALUES ('a', 'b'), ('a', 'c')", gorm.ErrDuplicatedKey},
			{"INSERT INTO leads (id, source_id, received_at) VALUES ('00000000-0000-0000-0000-000000000001', 99, '2026-01-01T00:00:00.000000Z')", gorm.ErrForeignKeyViolated},
			{"UPDATE feedback_reasons SET category = 'odd'", gorm.ErrCheckConstraintViolated},
		} {
			err := db.Write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(c.sql).Error })
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.sql, err)
			}
		}
	})
}

func open(t testing.TB, dsn string, opts ...store.Option) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), dsn, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
