package store_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Writers that read a number and write the next one: all succeed, none is lost.
func TestSerializable(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := store.Serializable(t.Context())
		if err := db.Write(ctx, func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO settings VALUES ('count', '0')").Error
		}); err != nil {
			t.Fatal(err)
		}
		const clients, each = 4, 5
		runs, hooks := 0, 0
		var mu sync.Mutex
		count := func(n *int) {
			mu.Lock()
			defer mu.Unlock()
			*n++
		}
		var all sync.WaitGroup
		for range clients {
			all.Go(func() {
				for range each {
					if err := db.Write(ctx, func(tx *gorm.DB) error {
						count(&runs)
						store.AfterCommit(tx.Statement.Context, func() { count(&hooks) })
						var n int
						if err := tx.Raw("SELECT value FROM settings WHERE name = 'count'").Scan(&n).Error; err != nil {
							return err
						}
						return tx.Exec("UPDATE settings SET value = ? WHERE name = 'count'", strconv.Itoa(n+1)).Error
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		var n int
		if err := db.Read(t.Context()).Raw("SELECT value FROM settings WHERE name = 'count'").Scan(&n).Error; err != nil {
			t.Fatal(err)
		}
		if n != clients*each || hooks != clients*each {
			t.Errorf("counted to %d with %d hooks, in %d runs", n, hooks, runs)
		}
	})
}

func TestDeadlock(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO settings VALUES ('a', '0'), ('b', '0')").Error
		}); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 8 {
			first, second := "a", "b"
			if i%2 == 0 {
				first, second = second, first
			}
			all.Go(func() {
				if err := db.Write(t.Context(), func(tx *gorm.DB) error {
					for _, name := range []string{first, second} {
						if err := tx.Exec("UPDATE settings SET value = 'x' WHERE name = ?", name).Error; err != nil {
							return err
						}
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestRetryIsBounded(t *testing.T) {
	const failing = "DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = '%s'; END $$"
	for _, c := range []struct {
		state string
		runs  int
		code  fault.Code
	}{
		{"40001", 10, fault.Unavailable},
		{"40P01", 10, fault.Unavailable},
		{"22012", 1, fault.Internal},
	} {
		t.Run(c.state, func(t *testing.T) {
			t.Parallel()
			db := storetest.Open(t, store.Postgres)
			runs := 0
			err := db.Write(t.Context(), func(tx *gorm.DB) error {
				runs++
				return tx.Exec(strings.Replace(failing, "%s", c.state, 1)).Error
			})
			if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), "as if") {
				t.Errorf("got %v", err)
			}
			if runs != c.runs {
				t.Errorf("ran %d times", runs)
			}
		})
	}
}

func TestContextOverInsidePostgres(t *testing.T) {
	db := storetest.Open(t, store.Postgres)
	ctx, cancel := context.WithCancel(t.Context())
	var failed error
	err := db.Write(ctx, func(tx *gorm.DB) error {
		cancel()
		failed = tx.Exec("SELECT pg_sleep(60)").Error
		return failed
	})
	if !errors.Is(err, context.Canceled) || failed == nil {
		t.Errorf("got %v, %v", err, failed)
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Without statistics the server takes an answer with a tree in it for costly, and
// would compile it for seconds to save milliseconds.
func TestNothingIsCompiled(t *testing.T) {
	db := storetest.Open(t, store.Postgres)
	var jit string
	if err := db.Read(t.Context()).Raw("SHOW jit").Scan(&jit).Error; err != nil {
		t.Fatal(err)
	}
	if jit != "off" {
		t.Errorf("jit is %s", jit)
	}
}
