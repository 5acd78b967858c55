package odata_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// People is what is searched; each belongs to a town.
type (
	Person struct {
		ID     int64
		First  *string
		Last   *string
		Phone  *string
		Email  *string
		Age    int64
		TownID *int64
		Town   *Town `odata:"partner=People"`
	}

	Town struct {
		ID   int64
		Name string
	}
)

var people = sqlgen.SearchIndex{Table: "people", Key: "id", KeyType: "bigint", Columns: []string{"first", "last", "email"}, Digits: []string{"phone"}}

type townKey struct{}

func newPeople(t testing.TB, dialect string) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		if err := tx.AutoMigrate(&Town{}, &Person{}); err != nil {
			return err
		}
		// One that is there before its index.
		if err := tx.Create(&Person{First: ptr("Early"), Last: ptr("Bird")}).Error; err != nil {
			return err
		}
		for _, statement := range people.Create(sqlgen.Dialect(dialect)) {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Service = odata.New(odata.Options{
		Namespace: "Town", Prefix: "/shop", Read: db.Read, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	access := func(expr string) func(ctx context.Context) (odata.Predicate, error) {
		return func(ctx context.Context) (odata.Predicate, error) {
			if town, ok := ctx.Value(townKey{}).(int64); ok {
				p := odata.Predicate{Expr: expr, Args: map[string]any{"town": town}}
				if town == 2 {
					p.Hide = []string{"Phone"}
				}
				return p, nil
			}
			return odata.All, nil
		}
	}
	odata.Add(s.Service, odata.Set[Person]{Name: "People", Access: access("TownID eq @town"), Search: []string{"First", "Last", "Phone", "Email"}})
	odata.Add(s.Service, odata.Set[Town]{Name: "Towns", Access: access("ID eq @town")})
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	one, two := ptr(int64(1)), ptr(int64(2))
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		if err := tx.Create([]Town{{Name: "Haifa"}, {Name: "Eilat"}}).Error; err != nil {
			return err
		}
		return tx.Omit("Town").Create([]Person{
			{First: ptr("נועה"), Last: ptr("לוי"), Phone: ptr("+972 50-123-4567"), Email: ptr("noa@example.com"), TownID: one},
			{First: ptr("Noah"), Last: ptr("Levi"), Phone: ptr("(03) 765.4321"), TownID: two},
			{First: ptr("JOSÉ"), Last: ptr("Ñandú O'Brien"), Email: ptr("jose.o-brien@EXAMPLE.org"), TownID: one},
			{First: ptr("ΟΔΟΣ"), Last: ptr("Ayşe"), Phone: ptr("12345"), TownID: two},
			{First: ptr(""), Phone: ptr("123")},
		}).Error
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSearch(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newPeople(t, dialect)
			for _, c := range []struct{ search, want string }{
				{"early", "1"},
				{"BIRD", "1"},
				{"נועה", "2"},
				{"נוע", "2"},
				{"נועה לוי", "2"},
				{`"נועה לוי"`, "2"},
				{`"לוי נועה"`, ""},
				{`"נוע"`, ""},
				{"no", "2 3"},
				{"NOA", "2 3"},
				{"noah", "3"},
				{"noah OR early", "1 3"},
				{"noa AND levi", "3"},
				{"noa levi", "3"},
				{"noa NOT levi", "2"},
				{"noa AND NOT levi", "2"},
				{"NOT noa", "1 4 5 6"},
				{"NOT (noa OR early)", "4 5 6"},
				{"(noa OR early) AND NOT (levi OR bird)", "2"},
				{"early OR noa levi", "1 3"},
				{"NOT NOT levi", "3"},
				{"noa@example.com", "2"},
				{"example", "2 4"},
				{"o'brien", "4"},
				{"josé", "4"},
				{"ñan", "4"},
				{"οδος", "5"},
				{"οδοσ", "5"},
				{"AYŞE", "5"},
				{"1234", "2 5"},
				{"0123", "2"},
				{"972501234567", "2"},
				{"050-123", ""},
				{"50-123-4567", "2"},
				{"50-1234", "2"},
				{`"50 1234567"`, "2"},
				{"4567", "2"},
				{"654321", "3"},
				{"7654321", "3"},
				{"037654321", "3"},
				{"03", "3"},
				{"+97250", "2"},
				{"123", "2 5 6"},
				{"345", "2"},
				{"nobody", ""},
				{`"AND"`, ""},
				{"or", "4"},
				{`"a \" b"`, ""},
				{"noa-", "2 3"},
			} {
				path := "/People?$orderby=ID&$select=ID&$search=" + strings.NewReplacer("+", "%2B", "&", "%26").Replace(c.search)
				if a := s.get(t, path); a.status != 200 || a.names("ID") != c.want {
					t.Errorf("%s: got %q, want %q %s", c.search, a.names("ID"), c.want, a.body)
				}
			}
			s.wanted(t, []wanted{
				{"/People/$count?$search=noa", "2"},
				{"/People?$search=noa&$count=true&$top=1&$select=ID", `{"@odata.count":2,"value":[{"ID":2}]}`},
				{"/People?$search=noa&$orderby=Town/Name&$select=ID&$expand=Town($select=Name)", `{"value":[{"ID":3,"Town":{"@odata.id":"Towns(2)","Name":"Eilat"}},{"ID":2,"Town":{"@odata.id":"Towns(1)","Name":"Haifa"}}]}`},
				{"/People?$search=noa&$compute=ID mul -1 as Less&$orderby=Less&$select=ID&$filter=Town/Name ne 'x'", `{"value":[{"ID":3},{"ID":2}]}`},
				{"/People?$apply=filter(Town/Name eq 'Haifa')/search(noa)&$select=ID&$count=true", `{"@odata.count":1,"value":[{"ID":2}]}`},
				{"/People?$search=noa&$filter=TownID eq 1&$select=ID", `{"value":[{"ID":2}]}`},
				{"/Towns?$select=Name&$expand=People($search=noa;$select=ID)", `{"value":[{"@odata.id":"Towns(1)","Name":"Haifa","People":[{"ID":2}]},{"@odata.id":"Towns(2)","Name":"Eilat","People":[{"ID":3}]}]}`},
				{"/Towns?$select=Name&$expand=People/$count($search=1234)", `{"value":[{"@odata.id":"Towns(1)","Name":"Haifa","People@odata.count":1},{"@odata.id":"Towns(2)","Name":"Eilat","People@odata.count":1}]}`},
				{"/Towns?$select=Name&$filter=People/$count($search=noa AND levi) eq 1", `{"value":[{"@odata.id":"Towns(2)","Name":"Eilat"}]}`},
				{"/Towns?$select=Name&$filter=People/$count($filter=ID gt 4;$search=NOT levi) eq 1", `{"value":[{"@odata.id":"Towns(2)","Name":"Eilat"}]}`},
				{"/Towns(1)/People?$search=example&$orderby=ID desc&$select=ID", `{"value":[{"ID":4},{"ID":2}]}`},
				{"/Towns?$search=haifa", "501 $search over Town is not served, as it has no index"},
				{"/People?$search=", "400 expected a word"},
				{"/People?$search=a AND", "400 expected a word"},
				{"/People?$search=OR a", "400 expected a word"},
				{"/People?$search=NOT", "400 expected a word"},
				{"/People?$search=(a", `400 expected ")"`},
				{"/People?$search=a)", "400 position 2"},
				{`/People?$search="a`, "400 the quote opened here is not closed"},
				{"/People?$search=%26", "400 has no letter or digit"},
				{"/People?$search=" + strings.Repeat("(", 20000) + "a", "400 limit Depth"},
				{"/People?$search=" + strings.Repeat("NOT ", 20000) + "a", "400 limit Depth"},
				{"/People?$search=a" + strings.Repeat(" a", 3000), "400 limit Nodes"},
			})
			s.searchAccess(t)
			s.searchChanges(t)
		})
	}
}

// TestSearchMany finds the same in the same order whether few have a word or many,
// and reads few rows for a word that few have.
func TestSearchMany(t *testing.T) {
	const rows = 5000
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newPeople(t, dialect)
			err := s.write(t.Context(), func(tx *gorm.DB) error {
				err := tx.Exec(`INSERT INTO people (id, first, last, email, age, town_id)
					WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
					SELECT i, 'Everybody', CASE WHEN i <= 102 THEN 'Rarity' END, CASE WHEN i <= 2099 THEN 'edge over' WHEN i = 2100 THEN 'over' END, i % 7, 1 + i % 2 FROM n`, rows+99).Error
				if err != nil {
					return err
				}
				if dialect == "postgres" { // as autovacuum would
					if err := tx.Exec("SELECT gin_clean_pending_list('people_search_words')").Error; err != nil {
						return err
					}
				}
				return tx.Exec("ANALYZE").Error
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Limits.PageSize = 700
			bare := shop{Service: s.WithoutPlans(), db: s.db}
			haifa := context.WithValue(t.Context(), townKey{}, int64(1))
			for _, c := range []struct {
				search string
				last   int
			}{
				{"rar", 102},
				{"edg", 2099},
				{"ove", 2100},
				{"every", rows + 99},
				{"every AND (rarity OR edge)", 2099},
			} {
				var want, filtered, inHaifa []string
				for age := 6; age >= 0; age-- {
					for id := c.last; id >= 100; id-- {
						if id%7 != age {
							continue
						}
						want = append(want, strconv.Itoa(id))
						if age < 4 {
							filtered = append(filtered, strconv.Itoa(id))
						}
						if id%2 == 0 && len(inHaifa) < 40 {
							inHaifa = append(inHaifa, strconv.Itoa(id))
						}
					}
				}
				path := "/People?$select=ID&$orderby=Age desc,ID desc&$search=" + c.search
				for range 2 { // by a plan that was made for it, and by one that was kept
					if got := s.walk(t, path); got != strings.Join(want, " ") {
						t.Errorf("%s: got %s", c.search, got)
					}
					if got := s.walk(t, path+"&$filter=Age lt 4"); got != strings.Join(filtered, " ") {
						t.Errorf("%s, filtered: got %s", c.search, got)
					}
				}
				if a := s.get(t, "/People/$count?$filter=Age lt 4&$search="+c.search); a.body != strconv.Itoa(len(filtered)) {
					t.Errorf("%s, counted: %s", c.search, a.body)
				}
				if got := bare.walk(t, path+"&$filter=Age lt 4"); got != strings.Join(filtered, " ") {
					t.Errorf("%s, planned anew: got %s", c.search, got)
				}
				if a := s.do(t, haifa, "GET "+path+"&$top=40&$expand=Town&$count=true", ""); a.names("ID") != strings.Join(inHaifa, " ") {
					t.Errorf("%s in Haifa: %s", c.search, a.body)
				}
				if a := s.get(t, path+"&$skip=1&$top=2&$count=true"); a.names("ID") != strings.Join(want[1:3], " ") || fmt.Sprint(a.json["@odata.count"]) != strconv.Itoa(len(want)) {
					t.Errorf("%s: from the second on %s", c.search, a.body)
				}
			}
			if dialect == "postgres" {
				s.readsFew(t, "/People?$select=ID&$orderby=ID desc&$top=2&$count=true&$search=rarity")
			}
		})
	}
}

// readsFew reads path often enough for the server to try a plan for any word.
func (s *shop) readsFew(t *testing.T, path string) {
	t.Helper()
	for range 8 {
		err := s.write(t.Context(), func(tx *gorm.DB) error {
			var before, after int64
			const read = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables WHERE relname IN ('people', 'people_search')"
			if err := tx.Raw(read).Scan(&before).Error; err != nil {
				return err
			}
			if a := s.do(t, tx.Statement.Context, "GET "+path, ""); a.names("ID") != "102 101" {
				t.Error(a.body)
			}
			err := tx.Raw(read).Scan(&after).Error
			if n := after - before; n == 0 || n > 1000 { // some pages are sampled
				t.Errorf("%s reads %d rows", path, n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// searchAccess: a search finds only what its caller may see, by any road.
func (s *shop) searchAccess(t *testing.T) {
	haifa := context.WithValue(t.Context(), townKey{}, int64(1))
	if a := s.do(t, haifa, "GET /People?$search=noa OR levi&$select=ID", ""); a.names("ID") != "2" {
		t.Error(a.body)
	}
	if a := s.do(t, haifa, "GET /People/$count?$search=NOT early", ""); a.body != "2" {
		t.Error(a.body)
	}
	if a := s.do(t, haifa, "GET /Towns?$expand=People($search=noa OR levi;$select=ID)", ""); !strings.Contains(a.body, `"ID":2`) || strings.Contains(a.body, `"ID":3`) {
		t.Error(a.body)
	}
	eilat := context.WithValue(t.Context(), townKey{}, int64(2))
	if a := s.do(t, eilat, "GET /People?$search=765", ""); a.status != 403 {
		t.Errorf("a hidden number was searched: %d %s", a.status, a.body)
	}
}

// searchChanges: the index follows the table.
func (s *shop) searchChanges(t *testing.T) {
	t.Helper()
	change := func(statement string) {
		if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.Exec(statement).Error }); err != nil {
			t.Fatal(statement, err)
		}
	}
	finds := func(search, want string) {
		t.Helper()
		if a := s.get(t, "/People?$orderby=ID&$select=ID&$search="+search); a.names("ID") != want {
			t.Errorf("%s: got %q, want %q", search, a.names("ID"), want)
		}
	}
	change("UPDATE people SET age = 5 WHERE id = 2")
	finds("נועה", "2")
	change("UPDATE people SET first = 'Ruth', phone = '099-8888' WHERE id = 2")
	finds("נועה", "")
	finds("ruth", "2")
	finds("1234", "5")
	finds("998888", "2")
	change("UPDATE people SET id = 77 WHERE id = 2")
	finds("ruth", "77")
	change("DELETE FROM people WHERE id = 77")
	finds("ruth", "")
	change("DELETE FROM people")
	finds("NOT x", "")
	var n int
	if err := s.db.Read(t.Context()).Raw("SELECT count(*) FROM people_search").Scan(&n).Error; err != nil || n != 0 {
		t.Errorf("%d rows left in the index, %v", n, err)
	}
}
