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

// Sources that took unsigned deliveries go on doing so, and the others as they did;
// back, each does as before.
func TestSignedKeepsSources(t *testing.T) {
	for _, c := range []struct {
		dialect, driver, secret, setting string
		goose                            goose.Dialect
	}{
		{store.SQLite, "sqlite3", "X'01'", "json_extract(settings, '$.' || $1)", goose.DialectSQLite3},
		{store.Postgres, "pgx", `'\x01'`, "settings ->> $1", goose.DialectPostgres},
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
			if _, err := p.UpTo(t.Context(), 19); err != nil {
				t.Fatal(err)
			}
			sources := []struct{ kind, secret, settings, accepts, requires string }{
				{"json", "NULL", `{}`, "", ""},
				{"meta", "NULL", `{"AppSecret":"sealed:x","GraphURL":"https://example.com"}`, "", ""},
				{"meta", "NULL", `{"VerifyToken":"sealed:x"}`, "true", ""},
				{"typeform", c.secret, `{}`, "", ""},
				{"typeform", "NULL", `{}`, "true", ""},
				{"linkedin", c.secret, `{"RequireSignature":"true"}`, "", "true"},
				{"linkedin", c.secret, `{"RequireSignature":"1"}`, "", "true"},
				{"linkedin", c.secret, `{"RequireSignature":"false"}`, "true", ""},
				{"linkedin", c.secret, `{}`, "true", ""},
				{"linkedin", "NULL", `{"RequireSignature":"true"}`, "true", ""},
			}
			for i, s := range sources {
				if _, err := db.Exec("INSERT INTO sources (id, name, kind, token, created_at, settings, sealed_secret) VALUES ($1, 'a', $2, 't' || $3, '2026-01-01T00:00:00.000000Z', $4, "+s.secret+")",
					i+1, s.kind, string(rune('a'+i)), s.settings); err != nil {
					t.Fatal(err)
				}
			}
			// said gives a setting of each source.
			said := func(name string) (list []string) {
				t.Helper()
				rows, err := db.Query("SELECT coalesce("+c.setting+", '') FROM sources ORDER BY id", name)
				if err != nil {
					t.Fatal(err)
				}
				defer rows.Close()
				for rows.Next() {
					var value string
					if err := rows.Scan(&value); err != nil {
						t.Fatal(err)
					}
					list = append(list, value)
				}
				return list
			}
			var accepts, requires []string
			none := make([]string, len(sources))
			for _, s := range sources {
				accepts, requires = append(accepts, s.accepts), append(requires, s.requires)
			}
			if _, err := p.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{accepts, none}, [][]string{said("AcceptUnsigned"), said("RequireSignature")}); diff != "" {
				t.Error(diff)
			}
			if _, err := p.DownTo(t.Context(), 19); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([][]string{none, requires}, [][]string{said("AcceptUnsigned"), said("RequireSignature")}); diff != "" {
				t.Errorf("back: %s", diff)
			}
		})
	}
}
