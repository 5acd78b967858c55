package store_test

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMigrate(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			db := open(t, storetest.DSN(t, dialect))
			if n, err := db.Pending(t.Context()); err != nil || n == 0 {
				t.Errorf("new: %d pending, %v", n, err)
			}
			if err := db.Ping(t.Context()); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("new: ping gives %v", err)
			}
			for range 2 {
				if err := db.Migrate(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if n, err := db.Pending(t.Context()); err != nil || n != 0 {
				t.Errorf("migrated: %d pending, %v", n, err)
			}
			if err := db.Ping(t.Context()); err != nil {
				t.Errorf("migrated: %v", err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			if err := db.Ping(t.Context()); fault.CodeOf(err) != fault.Unavailable {
				t.Errorf("closed: ping gives %v", err)
			}
		})
	}
}

// Several processes, and several handles in one, start on an empty database.
func TestMigrateAtOnce(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			dsn := storetest.DSN(t, dialect)
			var all sync.WaitGroup
			for range 3 {
				all.Go(func() {
					cmd := exec.Command(os.Args[0])
					cmd.Env = append(os.Environ(), migrateEnv+"="+dsn)
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%v: %s", err, out)
					}
				})
				all.Go(func() {
					if err := migrate(dsn); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			db := open(t, dsn)
			if err := db.Ping(t.Context()); err != nil {
				t.Error(err)
			}
			var reasons int64
			if err := db.Read(t.Context()).Table("feedback_reasons").Count(&reasons).Error; err != nil || reasons != 12 {
				t.Errorf("%d reasons, %v", reasons, err)
			}
			// The writer that was open all the while sees the new schema.
			if err := db.Write(t.Context(), func(tx *gorm.DB) error {
				return tx.Exec("INSERT INTO customers (name, created_at) VALUES ('Acme', ?)", store.Now()).Error
			}); err != nil {
				t.Error(err)
			}
		})
	}
}
