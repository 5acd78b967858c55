// Package migrations holds the schema of the database as goose migrations: one
// folder a dialect, the same versions in both, embedded in the program.
//
// On SQLite a whole run is one transaction with foreign keys off and checked at
// the end, so a migration may rebuild a table by SQLite's own recipe. Deferred
// foreign keys must not be used there: they would fail the commit that many
// writes share.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
)

//go:embed sqlite/*.sql postgres/*.sql
var files embed.FS

// FS returns the migrations of dialect, "sqlite" or "postgres", as files named
// NNNNN_name.sql at its root.
func FS(dialect string) (fs.FS, error) {
	sub, err := fs.Sub(files, dialect)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	if _, err := fs.Stat(sub, "."); err != nil {
		return nil, fmt.Errorf("migrations: no dialect %q", dialect)
	}
	return sub, nil
}
