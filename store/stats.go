package store

import (
	"database/sql"
	"sync/atomic"
)

// Stats is what a database has done since it was opened, and is doing.
type Stats struct {
	Batches int64 // transactions of Write that ended; on SQLite several Writes share one
	Writes  int64 // functions run in them
	Waiting int   // functions that wait for the writer, on SQLite
	Pool    sql.DBStats
}

// counts are the parts of Stats that are counted.
type counts struct{ batches, writes atomic.Int64 }

func (c *counts) batch(writes int) {
	c.batches.Add(1)
	c.writes.Add(int64(writes))
}

// Stats gives the numbers as they are now.
func (db *DB) Stats() Stats {
	s := Stats{Batches: db.counts.batches.Load(), Writes: db.counts.writes.Load()}
	switch b := db.backend.(type) {
	case *sqliteBackend:
		s.Waiting, s.Pool = len(b.writer.queue), b.readers.Stats()
	case *postgresBackend:
		s.Pool = b.pool.Stats()
	}
	return s
}
