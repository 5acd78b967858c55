package odata_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// orders are orders over nullable, unselected, descending and computed terms, and
// over terms of every type, with the products in that order.
var orders = []struct{ query, want string }{
	{"$orderby=Sold desc,Name desc", "4 2 3 5 1"},
	{"$orderby=At desc,Price", "4 3 2 1 5"},
	{"$compute=Stock mul -0.3 as Less&$orderby=Less,Name", "2 1 5 4 3"},
	{"$compute=Stock mul -0.3 as Less&$orderby=Less desc,Name desc", "3 4 5 1 2"},
	{"$compute=Price div 3 as Third&$orderby=Third desc", "4 2 1 5 3"},
	{"$orderby=date(At) desc,time(At)", "4 3 2 1 5"},
	{"$orderby=At sub 2026-01-03T00:00:00Z", "5 1 2 3 4"},
	{"$orderby=At sub 2026-01-03T00:00:00Z desc", "4 3 2 1 5"},
	{"$orderby=MakerID desc,ID desc", "4 3 2 1 5"},
	{"$orderby=Color desc,Weight desc", "2 1 5 3 4"},
	{"$orderby=case(Stock gt 5:INF,Stock lt 0:-INF,Sold:1.5e0)", "3 2 4 1 5"},
	{"$orderby=Maker/Founded desc,Maker/Name,Name", "2 1 5 4 3"},
	{"$orderby=Stock eq 10 desc,Reviews/$count,length(Name)", "5 1 3 2 4"},
	{"$orderby=Reviews/$count($filter=Stars gt 2) desc,Tags/$count,Name desc", "1 4 2 3 5"},
	{"$orderby=null,concat(Name,Color) desc", "5 1 2 3 4"},
	{"$orderby=Stock&$filter=Stock ne 0&$top=3", "2 3 1"},
}

func TestPagingOrders(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			limits := odata.Limits{}
			s := newShop(t, dialect, limits)
			s.fill(t)
			for size := 1; size <= 7; size++ {
				s.Limits.PageSize = size
				for _, c := range orders {
					if got := s.walk(t, "/Products?$select=ID&"+c.query); got != c.want {
						t.Errorf("pages of %d, %s: got %q, want %q", size, c.query, got, c.want)
					}
				}
			}
		})
	}
}

// TestPagingWhileRowsChange walks random orders with random page sizes while rows
// come and go: none comes twice, and each that was there all along comes once.
func TestPagingWhileRowsChange(t *testing.T) {
	fields := []string{"Stock", "Price", "At", "Sold", "Name", "Color", "Stock mul 0.5", "MakerID", "Weight", "Maker/Name"}
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newShop(t, dialect, odata.Limits{})
			s.fill(t)
			if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.Exec("DELETE FROM reviews").Error }); err != nil {
				t.Fatal(err)
			}
			seed := rand.Uint64()
			r := rand.New(rand.NewPCG(1, seed))
			for round := range 40 {
				s.Limits.PageSize = 1 + r.IntN(7)
				var order []string
				for range 1 + r.IntN(3) {
					order = append(order, fields[r.IntN(len(fields))]+[]string{"", " desc"}[r.IntN(2)])
				}
				if problem := s.walkChanging(t, r, "/Products?$select=Name&$expand=Maker($select=ID)&$orderby="+strings.Join(order, ",")); problem != "" {
					t.Errorf("seed %d, round %d, pages of %d, %s: %s", seed, round, s.Limits.PageSize, order, problem)
				}
			}
		})
	}
}

// walkChanging says what went wrong on a walk, "" if nothing did.
func (s *shop) walkChanging(t *testing.T, r *rand.Rand, path string) string {
	t.Helper()
	stay := map[string]bool{}
	for _, name := range s.productNames(t) {
		stay[name] = true
	}
	seen := map[string]int{}
	for range 200 {
		a := s.get(t, path)
		if a.status != 200 {
			return a.body
		}
		for _, x := range a.json["value"].([]any) {
			seen[x.(map[string]any)["Name"].(string)]++
		}
		next, ok := a.json["@odata.nextLink"].(string)
		if !ok {
			for name, n := range seen {
				if n > 1 {
					return name + " came twice"
				}
			}
			for name := range stay {
				if seen[name] == 0 {
					return name + " did not come"
				}
			}
			return ""
		}
		path = strings.TrimPrefix(next, "http://shop.test/shop")
		if gone := s.changeProducts(t, r); gone != "" {
			delete(stay, gone)
		}
	}
	return "endless"
}

func (s *shop) productNames(t *testing.T) []string {
	t.Helper()
	var names []string
	if err := s.db.Read(t.Context()).Model(&Product{}).Order("name").Pluck("name", &names).Error; err != nil {
		t.Fatal(err)
	}
	return names
}

// changeProducts adds a product like another, or removes one and returns its name.
func (s *shop) changeProducts(t *testing.T, r *rand.Rand) (gone string) {
	t.Helper()
	names := s.productNames(t)
	var err error
	if len(names) > 12 || len(names) > 4 && r.IntN(2) == 0 {
		gone = names[r.IntN(len(names))]
		err = s.write(t.Context(), func(tx *gorm.DB) error { return tx.Exec("DELETE FROM products WHERE name = ?", gone).Error })
	} else {
		stock, price := int64(r.IntN(3)), float64(r.IntN(3))/2
		p := Product{ID: uuid.New(), Name: fmt.Sprintf("n%x", r.Uint32()), Stock: &stock, Price: &price, MakerID: ptr(int64(1 + r.IntN(2)))}
		if r.IntN(2) == 0 {
			p.Stock, p.MakerID, p.Properties = nil, nil, map[string]any{"Color": "red", "Weight": r.IntN(3)}
		}
		err = s.write(t.Context(), func(tx *gorm.DB) error { return tx.Omit("Maker").Create(&p).Error })
	}
	if err != nil {
		t.Fatal(err)
	}
	return gone
}

// TestSkipTokens: a token belongs to its request.
func TestSkipTokens(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.Limits.PageSize = 2
		first := s.get(t, "/Products?$orderby=Stock&$filter=Stock ne @n&@n=7").json["@odata.nextLink"].(string)
		_, token, _ := strings.Cut(first, "$skiptoken=")
		mark, _, _ := strings.Cut(token, ".")
		values := func(json string) string { return mark + ".0." + hex.EncodeToString([]byte(json)) }
		for _, c := range []struct {
			query  string
			status int
		}{
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + token, 200},
			{"orderby=Stock&filter=Stock ne @n&@n=7&$select=Name&$count=true&skiptoken=" + token, 200},
			{"$orderby=Stock&$filter=Stock ne @n&@n=8&$skiptoken=" + token, 400},
			{"$orderby=Stock&$skiptoken=" + token, 400},
			{"$orderby=Stock desc&$filter=Stock ne @n&@n=7&$skiptoken=" + token, 400},
			{"$orderby=Price&$filter=Stock ne @n&@n=7&$skiptoken=" + token, 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$top=3&$skiptoken=" + token, 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + token + "00", 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + token[:len(token)-2], 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + values(`["1"]`), 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + values(`["x","00000000-0000-0000-0000-000000000001"]`), 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + values(`["1","' OR 1=1 --"]`), 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + values(`["1","00000000-0000-0000-0000-000000000001"]`), 200},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + values(`[null,"00000000-0000-0000-0000-000000000001"]`), 200},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=" + strings.Replace(token, ".0.", ".-1.", 1), 400},
			{"$orderby=Stock&$filter=Stock ne @n&@n=7&$skiptoken=", 200},
		} {
			if a := s.get(t, "/Products?"+c.query); a.status != c.status {
				t.Errorf("%s: %d %s", c.query, a.status, a.body)
			}
		}
		if a := s.get(t, "/Makers?$orderby=Stock&$skiptoken="+token); a.status != 400 {
			t.Error(a.body)
		}
	})
}

func TestOtherOptions(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	s.SchemaVersion = "7"
	for _, c := range []struct {
		path   string
		status int
	}{
		{"/Makers?$schemaversion=*", 200},
		{"/Makers?$schemaversion=7", 200},
		{"/Makers(1)?schemaversion=7", 200},
		{"/Makers/$count?$schemaversion=7", 200},
		{"/Makers?$schemaversion=6", 404},
		{"/$metadata?$schemaversion=7", 200},
		{"/$metadata?$schemaversion=6", 404},
		{"/Makers?$index=1", 501},
		{"/Makers?$id=Makers(1)", 400},
		{"/Makers(1)?$id=Makers(1)", 400},
		{"/Makers?$levels=1", 400},
		{"/Makers(1)?$search=x", 400},
	} {
		if a := s.get(t, c.path); a.status != c.status {
			t.Errorf("%s: %d %s", c.path, a.status, a.body)
		}
	}
}
