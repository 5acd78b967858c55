// Package store opens the database, SQLite or PostgreSQL, and gives the rest of
// the program one way to write and one way to read, the same for both.
//
// # Writing
//
// Write runs a function in a transaction and returns when what it wrote is on
// disk. On SQLite one goroutine does all of it: it gathers the functions that
// wait, runs each under a savepoint in one transaction, commits once with
// synchronous=FULL, and only then answers all of them. Functions therefore run
// one after another, so they must be short: compute first, never wait for a
// network or another goroutine inside. On PostgreSQL every Write is a
// transaction of its own (READ COMMITTED, or see Serializable), run again after
// a serialization failure or deadlock.
//
// Inside, use the tx given, its context (tx.Statement.Context) for whatever
// takes one, and nothing from outside that reads or writes the database:
//
//	err := db.Write(ctx, func(tx *gorm.DB) error {
//		if err := tx.Create(&lead).Error; err != nil {
//			return err
//		}
//		return s.Route(tx, &lead) // may call db.Write(tx.Statement.Context, …): it joins
//	})
//
// A function may run more than once, so it assigns its results and never appends
// to them. After an SQL error PostgreSQL refuses all further statements of the
// transaction; to try something that may fail and go on, put it into a nested
// Write, which is a savepoint, or use ON CONFLICT.
//
// # Speed
//
// Every connection caches its prepared statements by their text, on both
// databases, so constant SQL is prepared once. A GORM Create takes twice as long
// as the statement it makes, and more for wide models (BenchmarkWrite); a path
// that must be fast writes the SQL itself:
//
//	tx.Exec("UPDATE routings SET state = ? WHERE id = ?", state, id)
//	tx.Statement.ConnPool.ExecContext(tx.Statement.Context, // past GORM altogether
//		"UPDATE routings SET state = $1 WHERE id = $2", state, id)
//
// Both databases understand $1, $2, … as long as they first appear in that order.
// Errors of the second form are the driver's own, not GORM's.
package store

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"leadloop/odata/fault"
)

// The names of the dialects.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect string
	dsn     string
	options options
	gorm    *gorm.DB // on the pool of readers
	backend backend
	counts  counts

	mu       sync.RWMutex
	closed   bool
	inflight sync.WaitGroup // Writes between entering and returning
}

// backend is what differs between the databases.
type backend interface {
	// write runs fn in a transaction of its own and returns the hooks it
	// registered once it has committed.
	write(ctx context.Context, fn func(tx *gorm.DB) error) (hooks []func(), err error)
	// migrate brings the schema up to date.
	migrate(ctx context.Context) error
	// close releases everything. No write is running, and none will come.
	close() error
}

type options struct {
	sqliteHook  func(*sqlite3.SQLiteConn) error
	busyTimeout time.Duration
	auditKey    []byte
}

// Option changes how Open opens.
type Option func(*options)

// SQLiteHook has f called with every new SQLite connection before its first use:
// the place to register functions and collations.
func SQLiteHook(f func(*sqlite3.SQLiteConn) error) Option {
	return func(o *options) {
		before := o.sqliteHook
		o.sqliteHook = func(c *sqlite3.SQLiteConn) error {
			if before != nil {
				if err := before(c); err != nil {
					return err
				}
			}
			return f(c)
		}
	}
}

// BusyTimeout is how long SQLite waits for another process that holds the write
// lock, 10 seconds unless set.
func BusyTimeout(d time.Duration) Option { return func(o *options) { o.busyTimeout = d } }

// Open opens the database dsn: the path of a SQLite file, made if it is not
// there (readable by its owner alone), or a postgres:// or postgresql:// URL. It
// fails when the database cannot be reached, or cannot be made durable. It does
// not migrate.
func Open(ctx context.Context, dsn string, opts ...Option) (*DB, error) {
	db := &DB{dsn: dsn, options: options{busyTimeout: 10 * time.Second}}
	for _, o := range opts {
		o(&db.options)
	}
	open := openSQLite
	db.dialect = SQLite
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		open = openPostgres
		db.dialect = Postgres
	}
	if err := open(ctx, db); err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	return db, nil
}

// Dialect is "sqlite" or "postgres".
func (db *DB) Dialect() string { return db.dialect }

// Write runs fn in a transaction and returns nil once that is durable. When fn
// returns an error or panics, nothing of it stays, others are not touched, and
// the error (for a panic, one with its stack) is returned.
//
// With the context of another Write's tx it joins that one as a savepoint, and
// is durable when that is. A context that ends before fn has started gives its
// error; once fn has started Write waits for the true outcome. On SQLite fn's
// statements are not interrupted by it: others are in the same transaction.
//
// After Close, and when the database cannot be had, the error is an Unavailable
// fault.
func (db *DB) Write(ctx context.Context, fn func(tx *gorm.DB) error) error {
	if t := db.transactionOf(ctx); t != nil {
		return t.join(ctx, fn)
	}
	if err := db.enter(); err != nil {
		return err
	}
	defer db.inflight.Done()
	hooks, err := db.backend.write(ctx, fn)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		hook()
	}
	return nil
}

// Read returns a *gorm.DB that reads: on SQLite from a pool of connections that
// cannot write. With the context of a Write's tx it is that transaction, and sees
// what it wrote.
func (db *DB) Read(ctx context.Context) *gorm.DB {
	if t := db.transactionOf(ctx); t != nil {
		return t.session(ctx)
	}
	return db.gorm.WithContext(ctx)
}

// Inside reports whether ctx is that of a Write's tx, which a Write joins.
func (db *DB) Inside(ctx context.Context) bool { return db.transactionOf(ctx) != nil }

// Close refuses further Writes, waits for those under way, and closes the
// database. Calling it again does nothing.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.mu.Unlock()
	db.inflight.Wait()
	if err := db.backend.close(); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// enter counts a Write in, or refuses it after Close.
func (db *DB) enter() error {
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return fault.New(fault.Unavailable, "The database is closed")
	}
	db.inflight.Add(1)
	return nil
}

// openGORM sets GORM on top of an open pool. GORM's own cache of prepared
// statements stays off: inside a transaction it prepares again at every use
// (a statement first prepared there dies with it), and its QueryRow panics when
// preparing fails; the connections of both drivers cache better.
func openGORM(d gorm.Dialector) (*gorm.DB, error) {
	return gorm.Open(d, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		TranslateError:         true,
		NowFunc:                Now,
		Logger:                 gormLog{},
	})
}

// unavailable marks err as the database's trouble, not the caller's.
func unavailable(op string, err error) error {
	return fmt.Errorf("store: %s: %w: %w", op, fault.New(fault.Unavailable, "The database is busy or cannot be reached"), err)
}
