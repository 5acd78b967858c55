package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
)

// A Write on PostgreSQL runs at most maxTries times. It waits for firstPause,
// twice that, and so on in between, up to maxPause, each shortened at random by
// up to a half.
const (
	maxTries   = 10
	firstPause = 5 * time.Millisecond
	maxPause   = 500 * time.Millisecond
)

// commitTime is how long a commit may stay unanswered before its connection is
// given up.
const commitTime = 30 * time.Second

// postgresBackend is a PostgreSQL database.
type postgresBackend struct {
	db     *DB
	pool   *sql.DB
	jitter func() float64 // from 0 up to 1
}

func openPostgres(ctx context.Context, db *DB) error {
	config, err := pgx.ParseConfig(db.dsn)
	if err != nil {
		return err
	}
	config.RuntimeParams["timezone"] = "UTC"
	// To compile a plan takes seconds, which no statement of ours runs for: they
	// begin at an index. Estimates of nested ones are far too high, so it would be done.
	if config.RuntimeParams["jit"] == "" {
		config.RuntimeParams["jit"] = "off"
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "leadloop"
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(readUTC))
	size := max(16, 4*runtime.GOMAXPROCS(0))
	pool.SetMaxOpenConns(size)
	pool.SetMaxIdleConns(size)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	pool.SetConnMaxLifetime(30 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		return errors.Join(err, pool.Close())
	}
	if db.gorm, err = openGORM(gormpostgres.New(gormpostgres.Config{Conn: pool})); err != nil {
		return errors.Join(err, pool.Close())
	}
	db.backend = &postgresBackend{db: db, pool: pool, jitter: rand.Float64}
	return nil
}

// readUTC has instants come back in UTC, where the driver would give them the
// machine's own zone.
func readUTC(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name:  "timestamptz",
		OID:   pgtype.TimestamptzOID,
		Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func (p *postgresBackend) close() error { return p.pool.Close() }

type serializableKey struct{}

// Serializable returns ctx changed so that Writes with it run at PostgreSQL's
// SERIALIZABLE: what they read is as protected as what they write, at the price
// of being run again when others interfere. On SQLite every Write is like that.
func Serializable(ctx context.Context) context.Context {
	return context.WithValue(ctx, serializableKey{}, true)
}

func (p *postgresBackend) write(ctx context.Context, fn func(tx *gorm.DB) error) ([]func(), error) {
	pause := firstPause
	for try := 1; ; try++ {
		hooks, err := p.once(ctx, fn)
		if err == nil || !retryable(err) {
			return hooks, err
		}
		if try == maxTries {
			return nil, unavailable(fmt.Sprintf("write, %d times", maxTries), err)
		}
		wait := time.NewTimer(pause - time.Duration(p.jitter()*float64(pause)/2))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, ctx.Err()
		}
		pause = min(2*pause, maxPause)
	}
}

// once runs fn in a transaction. ctx reaches the statements of fn but not the
// commit: one that is interrupted leaves nobody knowing how it ended.
func (p *postgresBackend) once(ctx context.Context, fn func(tx *gorm.DB) error) ([]func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	opts := &sql.TxOptions{}
	if ctx.Value(serializableKey{}) != nil {
		opts.Isolation = sql.LevelSerializable
	}
	whole, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, cancel) // while it waits for a connection
	sqltx, err := p.pool.BeginTx(whole, opts)
	interrupted := !stop()
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unavailable("begin", err)
	}
	defer sqltx.Rollback() // after a commit it does nothing
	if interrupted {
		return nil, ctx.Err()
	}
	t := &transaction{db: p.db, pool: &pool{ConnPool: sqltx}}
	defer t.pool.close()
	if err := call(fn, t.session(ctx)); err != nil {
		return nil, err
	}
	t.pool.close()
	giveUp := time.AfterFunc(commitTime, cancel)
	defer giveUp.Stop()
	if err := sqltx.Commit(); err != nil {
		return nil, fmt.Errorf("store: commit: %w", err)
	}
	p.db.counts.batch(1)
	return t.hooks, nil
}

// retryable reports whether err says that the transaction lost against another
// and may well succeed if run again.
func retryable(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
}
