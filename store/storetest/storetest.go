// Package storetest gives tests databases of their own: SQLite files, and
// databases on a PostgreSQL server that it starts when the first test needs it.
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
//	func TestRule(t *testing.T) {
//		storetest.Each(t, func(t *testing.T, db *store.DB) { … })
//	}
package storetest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"leadloop/store"
)

// Dialects are the databases that every test of a database runs on.
var Dialects = []string{store.SQLite, store.Postgres}

// Each runs f as the subtests "sqlite" and "postgres", each with a fresh,
// migrated database that is closed at the end.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	for _, dialect := range Dialects {
		t.Run(dialect, func(t *testing.T) { f(t, Open(t, dialect)) })
	}
}

// Open returns a fresh, migrated database of dialect, its audit trail under
// Vault, closed when t ends.
func Open(t testing.TB, dialect string, opts ...store.Option) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), Migrated(t, dialect), append([]store.Option{store.WithVault(Vault())}, opts...)...)
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

// Migrated returns the DSN of a fresh, migrated database of dialect, gone when t
// ends.
func Migrated(t testing.TB, dialect string) string {
	t.Helper()
	if dialect == store.Postgres {
		return server(t).create(t, server(t).template(t))
	}
	dsn := DSN(t, dialect)
	if err := os.WriteFile(dsn, sqliteTemplate(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// DSN returns the DSN of a fresh, empty database of dialect, gone when t ends.
func DSN(t testing.TB, dialect string) string {
	t.Helper()
	if dialect == store.Postgres {
		return server(t).create(t, "template0")
	}
	return filepath.Join(t.TempDir(), "leadloop.db")
}

// Vault returns a vault under a key that every test shares.
func Vault() *store.Vault {
	v, err := store.OpenVault(bytes.Repeat([]byte("key for tests / "), 2))
	if err != nil {
		panic(err)
	}
	return v
}

// Main runs m's tests and then after, stops the PostgreSQL server if one was
// started, and exits.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	stop()
	os.Exit(code)
}

var sqliteFile struct {
	sync.Once
	content []byte
	err     error
}

// sqliteTemplate is the content of a migrated SQLite file, made once.
func sqliteTemplate(t testing.TB) []byte {
	t.Helper()
	sqliteFile.Do(func() {
		path := filepath.Join(t.TempDir(), "template.db")
		if sqliteFile.err = migrated(path); sqliteFile.err == nil {
			sqliteFile.content, sqliteFile.err = os.ReadFile(path)
		}
	})
	if sqliteFile.err != nil {
		t.Fatal(sqliteFile.err)
	}
	return sqliteFile.content
}

// migrated migrates the database dsn and leaves it closed.
func migrated(dsn string) error {
	ctx := context.Background()
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		db.Close()
		return err
	}
	return db.Close()
}
