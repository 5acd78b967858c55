package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/gorm"

	"leadloop/migrations"
	"leadloop/odata/fault"
)

// Migrate brings the schema up to date. Of several processes that migrate at
// once, one does it and the others wait for it. A database newer than this
// program is left as it is.
func (db *DB) Migrate(ctx context.Context) error {
	n, err := db.Pending(ctx)
	if err != nil || n == 0 {
		return err
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.inflight.Done()
	if err := db.backend.migrate(ctx); err != nil {
		return fmt.Errorf("store: migrate: %w", err)
	}
	return nil
}

// Pending is the number of migrations that this program has and the database
// has not.
func (db *DB) Pending(ctx context.Context) (int, error) {
	known, err := db.knownVersions()
	if err != nil {
		return 0, fmt.Errorf("store: pending: %w", err)
	}
	applied, err := db.appliedVersions(ctx)
	if err != nil {
		return 0, fmt.Errorf("store: pending: %w", err)
	}
	pending := 0
	for _, v := range known {
		if !applied[v] {
			pending++
		}
	}
	return pending, nil
}

// Ping returns nil when the database can be reached, has every migration, and
// takes a durable write; an Unavailable fault otherwise.
func (db *DB) Ping(ctx context.Context) error {
	n, err := db.Pending(ctx)
	if err != nil {
		return unavailable("ping", err)
	}
	if n > 0 {
		return fault.Newf(fault.Unavailable, "The database lacks %d migrations", n)
	}
	err = db.Write(ctx, func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO settings (name, value) VALUES ('ping', ?) "+
			"ON CONFLICT (name) DO UPDATE SET value = excluded.value", Now().Format(TimeLayout)).Error
	})
	if err != nil {
		return unavailable("ping", err)
	}
	return nil
}

func (db *DB) knownVersions() ([]int64, error) {
	files, err := migrations.FS(db.dialect)
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	versions := make([]int64, len(names))
	for i, name := range names {
		if versions[i], err = goose.NumericComponent(name); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

func (db *DB) appliedVersions(ctx context.Context) (map[int64]bool, error) {
	table := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'goose_db_version'"
	if db.dialect == Postgres {
		table = "SELECT count(to_regclass('goose_db_version'))"
	}
	var there int
	if err := db.Read(ctx).Raw(table).Scan(&there).Error; err != nil || there == 0 {
		return nil, err
	}
	var versions []int64
	err := db.Read(ctx).Raw("SELECT version_id FROM goose_db_version WHERE is_applied").Scan(&versions).Error
	applied := make(map[int64]bool, len(versions))
	for _, v := range versions {
		applied[v] = true
	}
	return applied, err
}

func (db *DB) goose(pool *sql.DB, dialect goose.Dialect, locking goose.ProviderOption) (*goose.Provider, error) {
	files, err := migrations.FS(db.dialect)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, pool, files,
		locking, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// migrate on PostgreSQL locks by a row with a lease, which unlike an advisory
// lock passes through connection poolers.
func (p *postgresBackend) migrate(ctx context.Context) error {
	const every, tries = 250 * time.Millisecond, 4 * 60 * 10 // ten minutes
	locker, err := lock.NewPostgresTableLocker(lock.WithTableLockTimeout(every, tries))
	if err != nil {
		return err
	}
	provider, err := p.db.goose(p.pool, goose.DialectPostgres, goose.WithLocker(locker))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// migrate on SQLite runs in one transaction on a connection of its own.
func (b *sqliteBackend) migrate(ctx context.Context) (err error) {
	pool := sql.OpenDB(b.connector(migrationMode))
	pool.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, pool.Close()) }()
	provider, err := b.db.goose(pool, goose.DialectSQLite3, goose.WithSessionLocker(sqliteLock{}))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// sqliteLock is goose's lock by SQLite's own: a transaction around the whole run,
// in which goose's transactions are savepoints (sqliteConn.BeginTx). A second
// process waits at SessionLock and then finds everything done.
type sqliteLock struct{}

// SessionLock implements lock.SessionLocker.
func (sqliteLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	const pause = 50 * time.Millisecond // on top of the connection's busy timeout
	for {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		if !isBusy(err) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// SessionUnlock implements lock.SessionLocker. Migrations that succeeded stay,
// unless rows are left that refer to nothing.
func (sqliteLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	err := orphans(ctx, conn)
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, undo := conn.ExecContext(ctx, "ROLLBACK")
		return errors.Join(err, undo)
	}
	return nil
}

// orphans is an error when a row refers to one that is not there.
func orphans(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, "SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 1")
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Next() {
		var table, parent string
		var rowid sql.NullInt64
		if err := rows.Scan(&table, &rowid, &parent); err != nil {
			return err
		}
		return fmt.Errorf("row %d of %s refers to nothing in %s", rowid.Int64, table, parent)
	}
	return rows.Err()
}
