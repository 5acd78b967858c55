package store_test

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

func TestTimeRoundTrip(t *testing.T) {
	jerusalem, err := time.LoadLocation("Asia/Jerusalem")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 22, 3, 39, 0, 123456789, time.UTC)
	want := at.Truncate(time.Microsecond)
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		for _, c := range []struct {
			name  string
			write func(tx *gorm.DB) error
		}{
			{"model", func(tx *gorm.DB) error { return tx.Create(&note{Name: "model", At: at, Till: &at}).Error }},
			{"other zone", func(tx *gorm.DB) error {
				there := at.In(jerusalem)
				return tx.Create(&note{Name: "other zone", At: there, Till: &there}).Error
			}},
			{"valuer", func(tx *gorm.DB) error {
				return tx.Exec("INSERT INTO notes (name, at, till) VALUES (?, ?, ?)", "valuer", at,
					sql.NullTime{Time: at, Valid: true}).Error
			}},
			{"map", func(tx *gorm.DB) error {
				return tx.Model(&note{}).Create(map[string]any{"name": "map", "at": at, "till": &at}).Error
			}},
			{"prepared", func(tx *gorm.DB) error {
				ctx, pool := tx.Statement.Context, tx.Statement.ConnPool
				stmt, err := pool.PrepareContext(ctx, "INSERT INTO notes (name, at, till) VALUES ($1, $2, $3)")
				if err != nil {
					return err
				}
				defer stmt.Close()
				_, err = stmt.ExecContext(ctx, "prepared", at, &at)
				return err
			}},
			{"pool", func(tx *gorm.DB) error {
				_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
					"INSERT INTO notes (name, at, till) VALUES ($1, $2, $2)", "pool", at)
				return err
			}},
		} {
			if err := db.Write(t.Context(), c.write); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var got note
			if err := db.Read(t.Context()).Where("name = ? AND at = ?", c.name, at).Take(&got).Error; err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if diff := cmp.Diff([]time.Time{want, want}, []time.Time{got.At, *got.Till}); diff != "" {
				t.Errorf("%s: %s", c.name, diff)
			}
			if got.At.Location() != time.UTC {
				t.Errorf("%s: in %v", c.name, got.At.Location())
			}
			if db.Dialect() == store.SQLite {
				var text string
				if err := db.Read(t.Context()).Raw("SELECT at || typeof(till) FROM notes WHERE name = ?", c.name).Scan(&text).Error; err != nil || text != "2026-11-22T03:39:00.123456Ztext" {
					t.Errorf("%s: stored as %q, %v", c.name, text, err)
				}
			}
		}
	})
}

func TestTimesSort(t *testing.T) {
	base := time.Date(2026, 11, 22, 3, 39, 0, 0, time.UTC)
	want := []time.Duration{-time.Hour, 0, time.Microsecond, time.Millisecond, 100 * time.Millisecond, time.Second, time.Hour}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		for _, i := range []int{3, 0, 6, 2, 5, 1, 4} {
			if err := db.Write(t.Context(), func(tx *gorm.DB) error {
				return tx.Create(&note{Name: "n", At: base.Add(want[i])}).Error
			}); err != nil {
				t.Fatal(err)
			}
		}
		var got []time.Duration
		var found []note
		if err := db.Read(t.Context()).Order("at").Find(&found).Error; err != nil {
			t.Fatal(err)
		}
		for _, n := range found {
			got = append(got, n.At.Sub(base))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNow(t *testing.T) {
	now := store.Now()
	if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
		t.Errorf("%v", now)
	}
	if d := time.Since(now); d < 0 || d > time.Minute {
		t.Errorf("off by %v", d)
	}
}

// JSON columns are never NULL for what OData calls a collection.
func TestJSONColumns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		for _, c := range []struct {
			name, want string
			tags       []string
		}{
			{"nil", `[]`, nil},
			{"empty", `[]`, []string{}},
			{"text", `["<b>&", "לא ענה"]`, []string{"<b>&", "לא ענה"}},
		} {
			if err := db.Write(t.Context(), func(tx *gorm.DB) error {
				return tx.Create(&note{Name: c.name, At: store.Now(), Tags: c.tags}).Error
			}); err != nil {
				t.Fatal(err)
			}
			query := "SELECT replace(tags, ',', ', ') FROM notes WHERE name = ?"
			if db.Dialect() == store.Postgres {
				query = "SELECT tags::text FROM notes WHERE name = ?"
			}
			var text string
			if err := db.Read(t.Context()).Raw(query, c.name).Scan(&text).Error; err != nil || text != c.want {
				t.Errorf("%s: %s %v", c.name, text, err)
			}
			var got note
			if err := db.Read(t.Context()).Where("name = ?", c.name).Take(&got).Error; err != nil || len(got.Tags) != len(c.tags) {
				t.Errorf("%s: %v %v", c.name, got.Tags, err)
			}
		}
	})
}
