package odata_test

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// TestTooMuch: what would take too much room or time to read is refused before it
// does, with the name of the limit.
func TestTooMuch(t *testing.T) {
	list := "ID in (1" + strings.Repeat(",1", 99_999) + ")"
	for _, dialect := range storetest.Dialects {
		roomy := odata.Limits{}
		roomy.Expr.Length, roomy.URL = 1<<20, 1<<21
		usual, large := newShop(t, dialect, odata.Limits{}), newShop(t, dialect, roomy)
		for _, c := range []struct {
			filter string
			s      *shop
			want   string
		}{
			{strings.Repeat("(", 20_000) + "Active" + strings.Repeat(")", 20_000), usual, "limit Depth"},
			{strings.Repeat("(", 20_000), usual, "limit Depth"},
			{strings.Repeat("not (", 20_000) + "Active" + strings.Repeat(")", 20_000), usual, "limit Depth"},
			{strings.Repeat("-", 20_000) + "ID eq 1", usual, "limit Depth"},
			{"Active" + strings.Repeat(" and Active", 2_999), usual, "limit Nodes"},
			{"ID" + strings.Repeat(" add ID", 2_999) + " gt 1", usual, "limit Nodes"},
			{`{"a":` + strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000) + "} eq null", usual, "limit Depth"},
			{strings.Repeat("[", 20_000), usual, "expected a value"},
			{list, usual, "limit Length"},
			{list, large, "limit List"},
			{"hassubset([1" + strings.Repeat(",1", 99_999) + "],[1])", large, "limit List"},
			{strings.Repeat("Name eq 'x' or ", 60_000) + "Active", large, "limit Nodes"},
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			a := c.s.get(t, "/Makers?$filter="+c.filter)
			runtime.ReadMemStats(&after)
			if a.status != 400 || !strings.Contains(a.body, c.want) {
				t.Errorf("%s: %.40s…: %d %.300s, want %s", dialect, c.filter, a.status, a.body, c.want)
			}
			// The text itself is copied a few times on its way to the parser.
			if used, most := after.TotalAlloc-before.TotalAlloc, uint64(8<<20+16*len(c.filter)); used > most {
				t.Errorf("%s: %.40s…: took %d bytes of %d", dialect, c.filter, used, most)
			}
		}
	}
}

// TestManyColumns reads and expands entities of more columns than PostgreSQL's
// functions take arguments.
func TestManyColumns(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		s := newShop(t, dialect, odata.Limits{})
		err := s.write(t.Context(), func(tx *gorm.DB) error {
			if err := tx.AutoMigrate(&Wide{}, &Narrow{}); err != nil {
				return err
			}
			return tx.Exec("INSERT INTO wides (id, a07, g07) VALUES (1, 'seven', 'last'); INSERT INTO narrows (id, wide_id) VALUES (5, 1)").Error
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Service = odata.New(odata.Options{Namespace: "Shop", Prefix: "/shop", Read: s.db.Read})
		odata.Add(s.Service, odata.Set[Wide]{Name: "Wides", Access: own("ID eq @maker")})
		odata.Add(s.Service, odata.Set[Narrow]{Name: "Narrows", Access: own("ID eq @maker")})
		if err := s.Build(); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/Wides", "/Wides?$expand=Narrows", "/Narrows?$expand=Wide", "/Narrows?$expand=Wide($expand=Narrows($expand=Wide))"} {
			a := s.get(t, path)
			if a.status != 200 || strings.Count(a.body, "G07") != strings.Count(a.body, "A07") || !strings.Contains(a.body, "seven") || !strings.Contains(a.body, "last") {
				t.Errorf("%s: %s: %d %.300s", dialect, path, a.status, a.body)
			}
		}
		if n := reflect.TypeFor[Columns]().NumField(); n < 60 {
			t.Errorf("only %d columns", n)
		}
	}
}

type (
	// Wide is an entity of many columns.
	Wide struct {
		ID int64
		Columns
		Narrows []Narrow
	}

	// Narrow belongs to a Wide.
	Narrow struct {
		ID     int64
		WideID int64
		Wide   *Wide `odata:"partner=Narrows"`
	}

	// Columns are more than fifty: two arguments each are more than a hundred.
	Columns struct {
		A01, A02, A03, A04, A05, A06, A07, A08, A09 *string
		B01, B02, B03, B04, B05, B06, B07, B08, B09 *string
		C01, C02, C03, C04, C05, C06, C07, C08, C09 *string
		D01, D02, D03, D04, D05, D06, D07, D08, D09 *string
		E01, E02, E03, E04, E05, E06, E07, E08, E09 *string
		F01, F02, F03, F04, F05, F06, F07, F08, F09 *string
		G01, G02, G03, G04, G05, G06, G07, G08, G09 *string
	}
)

// TestNullsInOrder: a filtered count, and what is null, order as they are said to.
func TestNullsInOrder(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		for size := 1; size <= 7; size++ {
			limits := odata.Limits{}
			limits.PageSize = size
			s := newShop(t, dialect, limits)
			s.fill(t)
			for _, c := range []struct{ order, want string }{
				{"Reviews/$count($filter=Stars gt 2) desc,Name", "2 4 1 5 3"},
				{"Reviews/$count($filter=Text eq null),Name desc", "3 5 2 1 4"},
				{"Maker/Country desc,ID", "1 2 3 4 5"},
				{"Maker/Country,ID desc", "5 4 3 2 1"},
				{"Stock mul 0.1,ID desc", "2 3 4 5 1"},
				{"case(Sold:1,Stock gt 0:2) desc,ID", "1 5 2 4 3"},
				{"length(Color) desc,ID", "2 1 5 3 4"},
			} {
				if got := s.walk(t, "/Products?$select=Name,ID&$orderby="+encode(c.order)); got != c.want {
					t.Errorf("%s, pages of %d by %s: got %q, want %q", dialect, size, c.order, got, c.want)
				}
			}
		}
	}
}
