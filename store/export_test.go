package store

// Waiting is how many functions wait for the writer of a SQLite database.
func (db *DB) Waiting() int { return len(db.backend.(*sqliteBackend).writer.queue) }

// DSN is what the database was opened with.
func (db *DB) DSN() string { return db.dsn }
