package migrations_test

import (
	"database/sql"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"
	"gorm.io/gorm"

	"leadloop/migrations"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestSameVersions(t *testing.T) {
	var all [][]string
	for _, dialect := range storetest.Dialects {
		files, err := migrations.FS(dialect)
		if err != nil {
			t.Fatal(err)
		}
		names, err := fs.Glob(files, "*.sql")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v %v", dialect, names, err)
		}
		all = append(all, names)
	}
	if diff := cmp.Diff(all[0], all[1]); diff != "" {
		t.Error(diff)
	}
	if _, err := migrations.FS("mysql"); err == nil {
		t.Error("an unknown dialect went through")
	}
}

// Both dialects have the same tables with the same columns, nullable alike, and
// the same indexes, but for those of full-text search and change logs, which
// differ by nature.
func TestSameSchema(t *testing.T) {
	queries := map[string][2]string{
		"columns": {
			`SELECT m.name || '.' || c.name || CASE WHEN c."notnull" OR c.pk THEN ' NOT NULL' ELSE '' END
			 FROM sqlite_master m, pragma_table_info(m.name) c
			 WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'goose%' AND m.name NOT LIKE '%\_search%' ESCAPE '\' AND m.name NOT LIKE '%changes' ORDER BY 1`,
			`SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END COLLATE "C"
			 FROM information_schema.columns
			 WHERE table_schema = 'public' AND table_name NOT IN (SELECT viewname FROM pg_views) AND table_name NOT LIKE 'goose%' AND table_name NOT LIKE '%\_search%' AND table_name NOT LIKE '%changes' ORDER BY 1`,
		},
		"indexes": {
			`SELECT name FROM sqlite_master WHERE type = 'index' AND name NOT LIKE 'sqlite%' ORDER BY 1`,
			`SELECT i.relname::text COLLATE "C" FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
			 WHERE i.relnamespace = 'public'::regnamespace AND i.relname NOT LIKE 'goose%' AND i.relname NOT LIKE '%\_search%' AND i.relname NOT LIKE '%changes%'
			 AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = x.indexrelid AND c.contype IN ('p', 'u')) ORDER BY 1`,
		},
		"foreign keys": {
			`SELECT m.name || '.' || f."from" || ' ' || f."table" || ' ' || f.on_delete
			 FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND m.name NOT LIKE '%\_search%' ESCAPE '\' AND m.name NOT LIKE '%changes' ORDER BY 1`,
			`SELECT conrelid::regclass::text || '.' || a.attname || ' ' || confrelid::regclass::text || ' ' ||
			 CASE confdeltype WHEN 'c' THEN 'CASCADE' ELSE 'NO ACTION' END COLLATE "C"
			 FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE contype = 'f' AND conname NOT LIKE '%\_search%' ORDER BY 1`,
		},
	}
	dbs := [2]*store.DB{storetest.Open(t, store.SQLite), storetest.Open(t, store.Postgres)}
	for what, query := range queries {
		var got [2][]string
		for i, db := range dbs {
			if err := db.Read(t.Context()).Raw(query[i]).Scan(&got[i]).Error; err != nil || len(got[i]) == 0 {
				t.Fatalf("%s: %v", what, err)
			}
			slices.Sort(got[i])
		}
		if diff := cmp.Diff(got[0], got[1]); diff != "" {
			t.Errorf("%s (-sqlite +postgres):\n%s", what, diff)
		}
	}
}

func TestReasons(t *testing.T) {
	type reason struct {
		ID                       int32
		Name                     string
		Names                    map[string]string `gorm:"serializer:json"`
		Category                 string
		ClosesLead, CountsAsSale bool
		Active                   bool
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		var got []reason
		if err := db.Read(t.Context()).Table("feedback_reasons").Order("position").Find(&got).Error; err != nil {
			t.Fatal(err)
		}
		if len(got) != 12 {
			t.Fatalf("%d reasons", len(got))
		}
		for i, r := range got {
			if r.ID != int32(i+1) || r.Name != r.Names["en"] || r.Names["he"] == "" || !r.Active {
				t.Errorf("%+v", r)
			}
		}
		if got[2].Name != "No answer" || got[2].Names["he"] != "לא ענה" {
			t.Errorf("the third is %+v", got[2])
		}
		// A new one comes after those kept for the program.
		added := map[string]any{"name": "Own", "names": "{}", "category": "positive", "created_at": store.Now()}
		var id int32
		if err := db.Write(t.Context(), func(tx *gorm.DB) error {
			if err := tx.Table("feedback_reasons").Create(added).Error; err != nil {
				return err
			}
			return tx.Raw("SELECT max(id) FROM feedback_reasons").Scan(&id).Error
		}); err != nil || id != 101 {
			t.Errorf("the next id is %d, %v", id, err)
		}
	})
}

// Down undoes what Up did, and Up works again.
func TestDownAndUp(t *testing.T) {
	for _, c := range []struct {
		dialect, driver string
		goose           goose.Dialect
	}{
		{store.SQLite, "sqlite3", goose.DialectSQLite3},
		{store.Postgres, "pgx", goose.DialectPostgres},
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
			for range 2 {
				if _, err := p.Up(t.Context()); err != nil {
					t.Fatal(err)
				}
				if _, err := p.DownTo(t.Context(), 0); err != nil {
					t.Fatal(err)
				}
			}
			count := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
			if c.dialect == store.Postgres {
				count = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
			}
			var left int
			if err := db.QueryRow(count).Scan(&left); err != nil || left != 1 { // goose's own
				t.Error(fmt.Errorf("%d tables are left, %w", left, err))
			}
		})
	}
}
