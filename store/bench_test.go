package store_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3", as anyone would use it
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

const (
	benchClients = 64
	benchInsert  = "INSERT INTO notes (name, at) VALUES ($1, $2)"
)

// BenchmarkWrite is small durable writes from 64 goroutines. The ratio is to one
// transaction a write on a single connection of plain database/sql, with the
// same statement prepared and the same durability.
func BenchmarkWrite(b *testing.B) {
	baseline := onePerTransaction(b)
	b.ReportMetric(baseline, "baseline-writes/s")
	for _, bench := range []struct {
		name string
		fn   func(tx *gorm.DB) error
	}{
		{"ConnPool", func(tx *gorm.DB) error {
			_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, benchInsert, "a name", store.Now())
			return err
		}},
		{"Exec", func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO notes (name, at) VALUES (?, ?)", "a name", store.Now()).Error
		}},
		{"Create", func(tx *gorm.DB) error {
			return tx.Create(&note{Name: "a name", At: store.Now()}).Error
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			db := storetest.Open(b, store.SQLite)
			createNotes(b, db)
			rate := throughput(b, func() error { return db.Write(context.Background(), bench.fn) })
			b.ReportMetric(rate, "writes/s")
			b.ReportMetric(rate/baseline, "x-baseline")
		})
	}
}

// throughput runs write b.N times from many goroutines and returns how many a
// second were done.
func throughput(b *testing.B, write func() error) float64 {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var clients sync.WaitGroup
	for range benchClients {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if err := write(); err != nil {
					b.Error(err)
				}
			}
		})
	}
	clients.Wait()
	b.StopTimer()
	return float64(b.N) / b.Elapsed().Seconds()
}

// onePerTransaction is the baseline in writes a second.
func onePerTransaction(b *testing.B) float64 {
	b.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(b.TempDir(), "baseline.db")+
		"?_journal_mode=WAL&_synchronous=FULL&_txlock=immediate&_foreign_keys=on")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE notes (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL, at datetime)"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare(benchInsert)
	if err != nil {
		b.Fatal(err)
	}
	defer insert.Close()
	const writes = 2000
	var clients sync.WaitGroup
	begin := time.Now()
	for range benchClients {
		clients.Go(func() {
			for range writes / benchClients {
				tx, err := db.Begin()
				if err == nil {
					_, err = tx.Stmt(insert).Exec("a name", store.Now().Format(store.TimeLayout))
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	clients.Wait()
	return float64(writes/benchClients*benchClients) / time.Since(begin).Seconds()
}
