package store

import (
	"context"
	"fmt"
)

// About is what there is to know of a database.
type About struct {
	Dialect string // SQLite or Postgres
	Version string // of SQLite, or of the PostgreSQL server
	Bytes   int64  // on disk
	Schema  int64  // the newest migration that was applied
	Pending int    // migrations that were not
}

// About gives what there is to know of the database. Needs a viewer.
func (db *DB) About(ctx context.Context) (About, error) {
	if err := Require(ctx, Viewer); err != nil {
		return About{}, err
	}
	a := About{Dialect: db.dialect}
	query := "SELECT sqlite_version() AS version, page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()"
	if db.dialect == Postgres {
		query = "SELECT current_setting('server_version') AS version, pg_database_size(current_database()) AS bytes"
	}
	if err := db.Read(ctx).Raw(query).Row().Scan(&a.Version, &a.Bytes); err != nil {
		return a, fmt.Errorf("store: about: %w", err)
	}
	applied, err := db.appliedVersions(ctx)
	if err != nil {
		return a, fmt.Errorf("store: about: %w", err)
	}
	for v, yes := range applied {
		if yes {
			a.Schema = max(a.Schema, v)
		}
	}
	a.Pending, err = db.Pending(ctx)
	return a, err
}
