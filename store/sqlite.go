package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/mattn/go-sqlite3"
	gormsqlite "gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// logLimit is the size in bytes that the write-ahead log is cut back to after it
// had to grow, for a reader that stayed long, say.
const logLimit = 64 << 20

// foldAfter is after how many pages the write-ahead log is folded into the file:
// pages that many transactions change, as those of indexes, are folded once.
const foldAfter = 4000

// statementCache is how many prepared statements a SQLite connection keeps.
const statementCache = 128

// writerCache is how many kilobytes of pages the connection that writes keeps: what
// thousands of rows in one transaction touch.
const writerCache = 32 << 10

func init() {
	// A text of TimeLayout is tried against these in turn, the Z taken off; ours
	// first saves three failed parses a value. (The first is also how the driver
	// would write a time.Time, which sqliteConn never lets it see.)
	const ours = "2006-01-02T15:04:05.999999999"
	sqlite3.SQLiteTimestampFormats = append([]string{ours}, sqlite3.SQLiteTimestampFormats...)
}

// sqliteBackend is a SQLite file: one connection that writes, several that read.
type sqliteBackend struct {
	db      *DB
	path    string
	readers *sql.DB
	writer  *writer
}

func openSQLite(ctx context.Context, db *DB) (err error) {
	path, err := sqliteFile(db.dsn)
	if err != nil {
		return err
	}
	b := &sqliteBackend{db: db, path: path}
	writing := sql.OpenDB(b.connector(writerMode))
	writing.SetMaxOpenConns(1)
	conn, err := writing.Conn(ctx)
	if err != nil {
		return errors.Join(err, writing.Close())
	}
	if err := assertPragmas(ctx, conn); err != nil {
		return errors.Join(err, conn.Close(), writing.Close())
	}
	pragmas := fmt.Sprintf("PRAGMA journal_size_limit = %d; PRAGMA wal_autocheckpoint = %d", logLimit, foldAfter)
	if _, err := conn.ExecContext(ctx, pragmas); err != nil {
		return errors.Join(err, conn.Close(), writing.Close())
	}

	b.readers = sql.OpenDB(b.connector(readerMode))
	readers := max(4, 2*runtime.GOMAXPROCS(0))
	b.readers.SetMaxOpenConns(readers)
	b.readers.SetMaxIdleConns(readers)
	dialect := sqliteDialector{gormsqlite.New(gormsqlite.Config{Conn: b.readers}).(*gormsqlite.Dialector)}
	if db.gorm, err = openGORM(dialect); err != nil {
		return errors.Join(err, b.readers.Close(), conn.Close(), writing.Close())
	}
	if b.writer, err = newWriter(db, writing, conn); err != nil {
		return errors.Join(err, b.readers.Close(), conn.Close(), writing.Close())
	}
	db.backend = b
	return nil
}

// sqliteFile makes the file where there is none, with access for its owner only
// (SQLite gives its side files the same), and returns its absolute path.
func sqliteFile(dsn string) (string, error) {
	if dsn == "" || strings.HasPrefix(dsn, ":memory:") || strings.HasPrefix(dsn, "file:") {
		return "", fmt.Errorf("%q: want the plain path of a file, or a postgres:// URL", dsn)
	}
	path, err := filepath.Abs(dsn)
	if err != nil {
		return "", err
	}
	// Only where it is new: closing any handle on a file drops the locks that
	// this process holds on it through others.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return path, nil
	}
	if err != nil {
		return "", err
	}
	return path, f.Close()
}

func (b *sqliteBackend) write(ctx context.Context, fn func(tx *gorm.DB) error) ([]func(), error) {
	return b.writer.write(ctx, fn)
}

func (b *sqliteBackend) close() error {
	return errors.Join(b.readers.Close(), b.writer.close()) // the last one out folds the log into the file
}

// sqliteMode is what a connection is for.
type sqliteMode int

const (
	writerMode sqliteMode = iota
	readerMode
	migrationMode // writes, with foreign keys off so that tables can be rebuilt
)

func (b *sqliteBackend) connector(mode sqliteMode) *sqliteConnector {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.FormatInt(b.db.options.busyTimeout.Milliseconds(), 10))
	q.Set("_foreign_keys", "on")
	q.Set("_stmt_cache_size", strconv.Itoa(statementCache))
	switch mode {
	case readerMode:
		q.Set("mode", "rw") // WAL readers need to write its index; query_only guards the data
		q.Set("_query_only", "on")
		q.Set("_txlock", "deferred")
	case migrationMode:
		q.Set("_foreign_keys", "off")
		fallthrough
	case writerMode:
		q.Set("mode", "rw")
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", "FULL")
		q.Set("_txlock", "immediate")
		q.Set("_cache_size", strconv.Itoa(-writerCache))
		q.Set("_mutex", "no")
		q.Set("_secure_delete", "fast") // what is erased is to be gone from the file as well
	}
	dsn := "file:" + (&url.URL{Path: b.path}).EscapedPath() + "?" + q.Encode()
	return &sqliteConnector{
		dsn:    dsn,
		driver: &sqlite3.SQLiteDriver{ConnectHook: b.db.options.sqliteHook},
		wait:   b.db.options.busyTimeout,
	}
}

// assertPragmas refuses a connection whose commits would not be durable: a
// driver or a file system may quietly give less than was asked for.
func assertPragmas(ctx context.Context, conn *sql.Conn) error {
	for _, p := range []struct{ name, want string }{
		{"journal_mode", "wal"},
		{"synchronous", "2"}, // FULL
		{"foreign_keys", "1"},
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("pragma %s: %w", p.name, err)
		}
		if got != p.want {
			return fmt.Errorf("pragma %s is %q and will not be %q here", p.name, got, p.want)
		}
	}
	return nil
}

// sqliteConnector makes the connections of one pool.
type sqliteConnector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
	wait   time.Duration
}

// Connect implements driver.Connector. Turning a new file to WAL takes the whole
// file for a moment, and SQLite does not wait for that: Connect does.
func (c *sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	const pause = 5 * time.Millisecond
	for deadline := time.Now().Add(c.wait); ; {
		conn, err := c.driver.Open(c.dsn)
		if err == nil {
			return &sqliteConn{conn.(*sqlite3.SQLiteConn)}, nil
		}
		if !isBusy(err) || time.Now().After(deadline) {
			return nil, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Driver implements driver.Connector.
func (c *sqliteConnector) Driver() driver.Driver { return c.driver }

// sqliteConn is the driver's connection with two changes: instants are bound as
// text of TimeLayout, and a transaction begun inside another is a savepoint
// (goose begins one a migration, inside the one that is our lock).
type sqliteConn struct {
	*sqlite3.SQLiteConn
}

// The driver's connection and what database/sql takes its short ways by.
var _ interface {
	driver.Conn
	driver.Pinger
	driver.ExecerContext
	driver.QueryerContext
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.NamedValueChecker
} = (*sqliteConn)(nil)

// CheckNamedValue implements driver.NamedValueChecker. The driver's statements
// have no checker of their own, so prepared ones come here too.
func (*sqliteConn) CheckNamedValue(nv *driver.NamedValue) error {
	switch v := nv.Value.(type) { // those that come most; the converter looks at types by reflection
	case nil, string, int64:
		return nil
	case *string:
		nv.Value = nil
		if v != nil {
			nv.Value = *v
		}
		return nil
	case int32:
		nv.Value = int64(v)
		return nil
	case uuid.UUID:
		nv.Value = v.String()
		return nil
	case time.Time:
		nv.Value = v.UTC().Format(TimeLayout)
		return nil
	}
	v, err := driver.DefaultParameterConverter.ConvertValue(nv.Value)
	if err != nil {
		return err
	}
	if t, ok := v.(time.Time); ok {
		v = t.UTC().Format(TimeLayout)
	}
	nv.Value = v
	return nil
}

// BeginTx implements driver.ConnBeginTx.
func (c *sqliteConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if c.AutoCommit() {
		return c.SQLiteConn.BeginTx(ctx, opts)
	}
	return savepoint{c}, c.command("SAVEPOINT begun")
}

func (c *sqliteConn) command(sql string) error {
	_, err := c.ExecContext(context.Background(), sql, nil)
	return err
}

// savepoint is a driver.Tx inside a transaction.
type savepoint struct{ c *sqliteConn }

// Commit implements driver.Tx.
func (s savepoint) Commit() error { return s.c.command("RELEASE begun") }

// Rollback implements driver.Tx.
func (s savepoint) Rollback() error {
	return errors.Join(s.c.command("ROLLBACK TO begun"), s.c.command("RELEASE begun"))
}

// sqliteDialector is GORM's with errors translated as on PostgreSQL: the cause
// kept, and check constraints among them.
type sqliteDialector struct{ *gormsqlite.Dialector }

// Translate implements gorm.ErrorTranslator.
func (sqliteDialector) Translate(err error) error {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.ExtendedCode {
	case sqlite3.ErrConstraintPrimaryKey, sqlite3.ErrConstraintUnique:
		return fmt.Errorf("%w: %w", gorm.ErrDuplicatedKey, err)
	case sqlite3.ErrConstraintForeignKey:
		return fmt.Errorf("%w: %w", gorm.ErrForeignKeyViolated, err)
	case sqlite3.ErrConstraintCheck:
		return fmt.Errorf("%w: %w", gorm.ErrCheckConstraintViolated, err)
	}
	return err
}

// isBusy reports whether another process holds the lock that was wanted.
func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked)
}
