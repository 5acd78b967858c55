package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"
)

// The bounds of one shared transaction: so many functions, or so much time.
const (
	maxBatch  = 256
	batchTime = 20 * time.Millisecond
)

// carefulFor is how many transactions run their functions under savepoints after
// one of them failed. Until one does, savepoints would only cost time.
const carefulFor = 64

// selfWait is how long a Write waits before it asks whether it waits for itself.
const selfWait = time.Second

var (
	errGoexit = errors.New("store: the function ended its goroutine (runtime.Goexit)")
	errSelf   = errors.New("store: Write inside a Write, not with its tx's context: it would wait for itself")
)

// writer is the goroutine through which all writes of a SQLite file go, and its
// connection.
type writer struct {
	db   *DB
	pool *sql.DB
	conn *sql.Conn

	begin, commit, rollback        *sqlite3.SQLiteStmt
	savepoint, release, rollbackTo *sqlite3.SQLiteStmt

	queue   chan *job
	done    chan struct{} // closed when the goroutine has ended
	current *job          // the function that is running
	ran     []*job        // functions of the open transaction that have run
	careful int           // transactions whose functions still run under savepoints; see repeat
	longest time.Duration // of a transaction, but for the function that begins within it
}

// job is one function that waits for its turn.
type job struct {
	ctx   context.Context
	fn    func(tx *gorm.DB) error
	taken atomic.Bool   // by the writer, to run it; or by its caller, to give up
	done  chan struct{} // closed when err and hooks are final
	err   error
	hooks []func()
}

func newWriter(db *DB, pool *sql.DB, conn *sql.Conn) (*writer, error) {
	w := &writer{db: db, pool: pool, conn: conn, queue: make(chan *job, maxBatch), done: make(chan struct{}), longest: batchTime}
	for _, s := range []struct {
		stmt **sqlite3.SQLiteStmt
		sql  string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.savepoint, "SAVEPOINT own"},
		{&w.release, "RELEASE own"},
		{&w.rollbackTo, "ROLLBACK TO own"},
	} {
		err := conn.Raw(func(c any) error {
			stmt, err := c.(*sqliteConn).Prepare(s.sql)
			if err == nil {
				*s.stmt = stmt.(*sqlite3.SQLiteStmt)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", s.sql, err)
		}
	}
	go w.run()
	return w, nil
}

// close ends the goroutine, which has nothing left to do, and waits for it.
func (w *writer) close() error {
	close(w.queue)
	<-w.done
	var errs []error
	for _, s := range []*sqlite3.SQLiteStmt{w.begin, w.commit, w.rollback, w.savepoint, w.release, w.rollbackTo} {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close(), w.pool.Close())...)
}

// write queues fn and waits for its outcome.
func (w *writer) write(ctx context.Context, fn func(tx *gorm.DB) error) ([]func(), error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j := &job{ctx: ctx, fn: fn, done: make(chan struct{})}
	suspect := time.NewTimer(selfWait)
	defer suspect.Stop()
	queue := w.queue
	for {
		select {
		case queue <- j:
			queue = nil // once
		case <-j.done:
			return j.hooks, j.err
		case <-ctx.Done():
			if j.taken.CompareAndSwap(false, true) {
				return nil, ctx.Err()
			}
			<-j.done
			return j.hooks, j.err
		case <-suspect.C:
			if insideWriter() && j.taken.CompareAndSwap(false, true) {
				return nil, errSelf
			}
		}
	}
}

// insideWriter reports whether the calling goroutine is the writer's own.
func insideWriter() bool {
	pcs := make([]uintptr, 256)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.Function, "store.(*writer).attempt") {
			return true
		}
		if !more {
			return false
		}
	}
}

// run is the goroutine.
func (w *writer) run() {
	drained := false
	defer func() {
		if drained {
			close(w.done)
			return
		}
		// A function ended this goroutine (t.FailNow does that): it alone fails.
		if w.current != nil {
			w.answer(w.current, errGoexit)
			w.current = nil
		}
		go w.run()
	}()
	w.again()
	for j := range w.queue {
		w.serve(j)
	}
	drained = true
}

// serve runs first and whatever else is waiting in one transaction, commits,
// and answers them all.
func (w *writer) serve(first *job) {
	if !first.start() {
		return
	}
	if err := w.do(w.begin); err != nil {
		w.answer(first, unavailable("begin", err))
		return
	}
	deadline := time.Now().Add(w.longest)
	w.careful = max(0, w.careful-1)
	for j := first; j != nil; j = w.next(deadline) {
		if lost := w.attempt(j); lost {
			w.answer(j, j.err)
			w.again()
			return
		}
		w.ran = append(w.ran, j)
		if j.err != nil && w.careful == 0 {
			if lost := w.repeat(); lost {
				w.again()
				return
			}
		}
	}
	w.finish()
}

// repeat takes back the whole transaction, in which a function failed without a
// savepoint to go back to, and runs its functions again, each under a savepoint,
// as those of the next transactions will be: where one fails, more do. It reports
// whether the new transaction is lost.
func (w *writer) repeat() (lost bool) {
	w.careful = carefulFor
	w.abandon()
	if w.do(w.begin) != nil {
		return true
	}
	for _, j := range w.ran {
		if w.attempt(j) {
			return true
		}
	}
	return false
}

// next is the next waiting function of this transaction, nil when it is time to
// commit.
func (w *writer) next(deadline time.Time) *job {
	if len(w.ran) == maxBatch || time.Now().After(deadline) {
		return nil
	}
	for yielded := false; ; {
		select {
		case j, ok := <-w.queue:
			if !ok {
				return nil
			}
			if j.start() {
				return j
			}
		default:
			if yielded {
				return nil
			}
			runtime.Gosched() // those just answered may want to write again
			yielded = true
		}
	}
}

// finish ends the transaction and answers its functions. An error is answered
// only now too: it may rest on what others wrote in the same transaction.
func (w *writer) finish() {
	end := w.rollback
	if slices.ContainsFunc(w.ran, func(j *job) bool { return j.err == nil }) {
		end = w.commit
	}
	var lost error
	if err := w.do(end); err != nil {
		lost = fmt.Errorf("store: commit failed, nothing was written: %w", err)
		w.abandon()
	}
	w.db.counts.batch(len(w.ran))
	for _, j := range w.ran {
		if lost != nil {
			j.hooks = nil
			w.answer(j, lost)
		} else {
			w.answer(j, j.err)
		}
	}
	clear(w.ran)
	w.ran = w.ran[:0]
}

// again gives up the open transaction, if there is one, which the database has
// rolled back or which cannot be trusted; the functions that have run in it run
// again, each in a transaction of its own.
func (w *writer) again() {
	w.abandon()
	redo := append([]*job(nil), w.ran...)
	clear(w.ran)
	w.ran = w.ran[:0]
	for i, j := range redo {
		// Should this one end the goroutine, the next one goes on with the rest.
		w.ran = append(w.ran, redo[i+1:]...)
		err := w.alone(j)
		w.ran = w.ran[:0]
		w.answer(j, err)
	}
}

// alone runs j in a transaction of its own and returns its outcome.
func (w *writer) alone(j *job) error {
	if err := w.do(w.begin); err != nil {
		return unavailable("begin", err)
	}
	lost := w.attempt(j)
	if lost || j.err != nil {
		w.abandon()
		return j.err
	}
	if err := w.do(w.commit); err != nil {
		w.abandon()
		j.hooks = nil
		return fmt.Errorf("store: commit failed, nothing was written: %w", err)
	}
	return nil
}

// attempt runs j, under a savepoint where the writer is careful, and sets its err
// and hooks. It reports whether the transaction around it is lost.
func (w *writer) attempt(j *job) (lost bool) {
	j.hooks = nil
	if w.careful > 0 {
		if j.err = w.do(w.savepoint); j.err != nil {
			return true
		}
	}
	t := &transaction{db: w.db, pool: &pool{ConnPool: w.conn, shared: true}}
	defer t.pool.close()
	w.current = j
	j.err = call(j.fn, t.session(context.WithoutCancel(j.ctx)))
	w.current = nil
	t.pool.close()
	if w.careful == 0 {
		lost = w.ended() // by the engine itself
		if lost && j.err == nil {
			j.err = errors.New("store: the transaction was lost")
		}
		if j.err == nil {
			j.hooks = t.hooks
		}
		return lost
	}
	if j.err == nil {
		if err := w.do(w.release); err != nil {
			j.err = fmt.Errorf("store: the transaction was lost: %w", err)
			return true
		}
		j.hooks = t.hooks
		return false
	}
	return w.do(w.rollbackTo) != nil || w.do(w.release) != nil
}

// ended reports whether no transaction is open.
func (w *writer) ended() (ended bool) {
	_ = w.conn.Raw(func(c any) error { // fails only where conn is closed
		ended = c.(*sqliteConn).AutoCommit()
		return nil
	})
	return ended
}

// abandon rolls back whatever transaction is open.
func (w *writer) abandon() {
	if w.ended() {
		return
	}
	if err := w.do(w.rollback); err != nil {
		slog.Error("rollback failed", "error", err)
	}
}

// do runs one of the writer's own statements.
func (w *writer) do(s *sqlite3.SQLiteStmt) error {
	return w.conn.Raw(func(any) error {
		_, err := s.Exec(nil)
		return err
	})
}

// start claims j for running. Where its caller has given up, or its context is
// done, it answers j and reports false.
func (j *job) start() bool {
	if err := j.ctx.Err(); err != nil {
		if j.taken.CompareAndSwap(false, true) {
			j.err = err
			close(j.done)
		}
		return false
	}
	return j.taken.CompareAndSwap(false, true)
}

func (w *writer) answer(j *job, err error) {
	j.err = err
	close(j.done)
}
