package store

import "time"

// Waiting is how many functions wait for the writer of a SQLite database.
func (db *DB) Waiting() int { return len(db.backend.(*sqliteBackend).writer.queue) }

// DSN is what the database was opened with.
func (db *DB) DSN() string { return db.dsn }

// Unhurry has all functions that wait for the writer of a SQLite database run in
// one transaction, however busy the machine is. Call it while nobody writes.
func (db *DB) Unhurry() { db.backend.(*sqliteBackend).writer.longest = time.Hour }
