package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"

	"gorm.io/gorm"
)

// errOver is what a transaction's *gorm.DB says after its function has returned.
var errOver = errors.New("store: used after its Write has ended")

// transaction is one run of one function given to Write, and the functions that
// joined it. Its own goroutine alone uses it.
type transaction struct {
	db    *DB
	pool  *pool
	hooks []func()
}

// transactionKey is where a context carries its transaction.
type transactionKey struct{}

// transactionOf returns the transaction of db that ctx is inside of, or nil.
func (db *DB) transactionOf(ctx context.Context) *transaction {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	if t == nil || t.db != db || t.pool.over.Load() {
		return nil
	}
	return t
}

// AfterCommit has f called once after the Write that ctx is inside of has
// committed: in the goroutine that called Write, before Write returns. It is
// dropped if the function, or the joined part of it that registered f, fails.
// Outside of a Write, f is called at once. Wake workers and purge caches with it.
func AfterCommit(ctx context.Context, f func()) {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	if t == nil || t.pool.over.Load() {
		f()
		return
	}
	t.hooks = append(t.hooks, f)
}

// session is the *gorm.DB through which fn sees t. Its context is ctx inside t.
func (t *transaction) session(ctx context.Context) *gorm.DB {
	tx := t.db.gorm.Session(&gorm.Session{NewDB: true, Context: context.WithValue(ctx, transactionKey{}, t)})
	tx.Statement.ConnPool = t.pool
	return tx
}

// join runs fn inside t as a savepoint of its own: when it fails, what it wrote
// and its hooks are undone, and t goes on.
func (t *transaction) join(ctx context.Context, fn func(tx *gorm.DB) error) error {
	plain := context.WithoutCancel(ctx)
	if _, err := t.pool.ExecContext(plain, "SAVEPOINT joined"); err != nil {
		return fmt.Errorf("store: savepoint: %w", err)
	}
	hooks := len(t.hooks)
	done := false
	defer func() { // a panic goes on to the function that was joined
		if !done {
			t.hooks = t.hooks[:hooks]
			_ = t.undo(plain)
		}
	}()
	if err := fn(t.session(ctx)); err != nil {
		return err
	}
	if _, err := t.pool.ExecContext(plain, "RELEASE SAVEPOINT joined"); err != nil {
		return fmt.Errorf("store: release savepoint: %w", err)
	}
	done = true
	return nil
}

func (t *transaction) undo(ctx context.Context) error {
	if _, err := t.pool.ExecContext(ctx, "ROLLBACK TO SAVEPOINT joined"); err != nil {
		return err
	}
	_, err := t.pool.ExecContext(ctx, "RELEASE SAVEPOINT joined")
	return err
}

// call runs fn with tx. A panic becomes an error, logged with its stack; it does
// not return when fn ends its goroutine (runtime.Goexit).
func call(fn func(tx *gorm.DB) error, tx *gorm.DB) (err error) {
	defer func() {
		if p := recover(); p != nil {
			stack := debug.Stack()
			slog.ErrorContext(tx.Statement.Context, "panic inside a Write", "panic", p, "stack", string(stack))
			err = fmt.Errorf("store: panic inside a Write: %v\n%s", p, stack)
		}
	}()
	return fn(tx)
}

// pool is the connection of one transaction as GORM sees it: statements only,
// no commit, and nothing at all once the transaction is over.
type pool struct {
	gorm.ConnPool
	// shared says that other functions' work is in the same transaction, so that
	// no statement may be interrupted by a context: that would roll back theirs.
	shared bool
	over   atomic.Bool
	rows   []*sql.Rows
}

// close ends the use of p, and closes the result sets its function left open.
func (p *pool) close() {
	p.over.Store(true)
	for _, rows := range p.rows {
		rows.Close()
	}
	p.rows = nil
}

func (p *pool) context(ctx context.Context) context.Context {
	if p.shared && ctx.Done() != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// PrepareContext implements gorm.ConnPool. Statements are cached by the
// connection; preparing them by hand gains nothing.
func (p *pool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	if p.over.Load() {
		return nil, errOver
	}
	return p.ConnPool.PrepareContext(p.context(ctx), query)
}

// ExecContext implements gorm.ConnPool.
func (p *pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if p.over.Load() {
		return nil, errOver
	}
	return p.ConnPool.ExecContext(p.context(ctx), query, args...)
}

// QueryContext implements gorm.ConnPool.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if p.over.Load() {
		return nil, errOver
	}
	rows, err := p.ConnPool.QueryContext(p.context(ctx), query, args...)
	if err == nil && p.shared {
		p.rows = append(p.rows, rows)
	}
	return rows, err
}

// QueryRowContext implements gorm.ConnPool.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if p.over.Load() {
		args = []any{refused{}} // the only way to a *sql.Row with an error of one's own
	}
	return p.ConnPool.QueryRowContext(p.context(ctx), query, args...)
}

// refused is an argument that turns its statement down.
type refused struct{}

// Value implements driver.Valuer.
func (refused) Value() (driver.Value, error) { return nil, errOver }

// Commit and Rollback let GORM see that this is a transaction, so that its own
// Transaction method nests; they belong to Write alone.
func (p *pool) Commit() error { return errEnd }

// Rollback is refused as Commit is.
func (p *pool) Rollback() error { return errEnd }

var errEnd = errors.New("store: a transaction ends with its function: return nil or an error")
