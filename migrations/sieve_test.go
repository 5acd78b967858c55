package migrations_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"leadloop/migrations"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Rejections that were there keep their text, get their numbers, and go back.
func TestSieveKeepsRejections(t *testing.T) {
	for _, c := range []struct {
		dialect, driver, blob string
		goose                 goose.Dialect
	}{
		{store.SQLite, "sqlite3", "CAST('tel=***67 חיפה' AS blob)", goose.DialectSQLite3},
		{store.Postgres, "pgx", "convert_to('tel=***67 חיפה', 'UTF8')", goose.DialectPostgres},
	} {
		t.Run(c.dialect, func(t *testing.T) {
			dsn := storetest.DSN(t, c.dialect)
			if c.dialect == store.SQLite {
				dsn = "file:" + filepath.ToSlash(dsn) + "?_foreign_keys=on"
			}
			db, err := sql.Open(c.driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			files, err := migrations.FS(c.dialect)
			if err != nil {
				t.Fatal(err)
			}
			p, err := goose.NewProvider(c.goose, db, files, goose.WithLogger(goose.NopLogger()))
			if err != nil {
				t.Fatal(err)
			}
			do := func(query string) {
				t.Helper()
				if _, err := db.Exec(query); err != nil {
					t.Fatalf("%s: %v", query, err)
				}
			}
			if _, err := p.UpTo(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			do("INSERT INTO sources (id, name, kind, token, created_at) VALUES (1, 'a', 'json', 'x', '2026-01-01T00:00:00.000000Z'), (2, 'b', 'json', 'y', '2026-01-01T00:00:00.000000Z')")
			for _, v := range []string{"1, 1, " + c.blob, "2, 2, NULL", "3, 1, NULL"} {
				do("INSERT INTO rejections (id, source_id, body, received_at, reason, target) VALUES (" + v + ", '2026-01-01T00:00:00.000000Z', 'why', 'Phone')")
			}
			if _, err := p.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			type row struct {
				ID, Source, Number, Of int
				Code, Reason, Body     string
			}
			rows, err := db.Query(`SELECT r.id, source_id, number, rejected_count, code, reason, body
				FROM rejections r JOIN sources s ON s.id = r.source_id ORDER BY r.id`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			var got []row
			for rows.Next() {
				var r row
				if err := rows.Scan(&r.ID, &r.Source, &r.Number, &r.Of, &r.Code, &r.Reason, &r.Body); err != nil {
					t.Fatal(err)
				}
				got = append(got, r)
			}
			want := []row{{1, 1, 1, 2, "invalid", "why", "tel=***67 חיפה"}, {2, 2, 1, 1, "invalid", "why", ""}, {3, 1, 2, 2, "invalid", "why", ""}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			rows.Close()
			if _, err := p.DownTo(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			var body []byte
			if err := db.QueryRow("SELECT body FROM rejections WHERE id = 1").Scan(&body); err != nil || string(body) != "tel=***67 חיפה" {
				t.Errorf("back: %s, %v", body, err)
			}
		})
	}
}
