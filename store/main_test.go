package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"leadloop/store"
	"leadloop/store/storetest"
)

// migrateEnv makes the test program a process that migrates the database it
// names, and nothing else.
const migrateEnv = "LEADLOOP_TEST_MIGRATE"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(migrateEnv); dsn != "" {
		if err := migrate(dsn); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // these tests panic and fail on purpose
	storetest.Main(m)
}

func migrate(dsn string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Migrate(ctx)
}
