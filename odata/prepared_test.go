package odata_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"pgregory.net/rapid"

	"leadloop/odata"
	"leadloop/store/storetest"
)

var (
	literalText   = regexp.MustCompile(`'(?:[^']|'')*'`)
	literalNumber = regexp.MustCompile(`\b\d+\b`)
)

// vary is the text of a request with other literals, the more so the larger n is;
// 0 is as it was.
func vary(text string, n int) string {
	if n == 0 {
		return text
	}
	text = literalText.ReplaceAllStringFunc(text, func(s string) string {
		return [...]string{"'apple'", s[:len(s)-1] + "x'", "'5'"}[n%3]
	})
	return literalNumber.ReplaceAllStringFunc(text, func(s string) string {
		number, _ := strconv.ParseInt(s, 10, 64)
		return fmt.Sprintf("%0*d", len(s), number+int64(n*n))
	})
}

// agrees sends a read with several literals, at last as it was, and holds each
// answer to that of a service that plans every read anew.
func (s *shop) agrees(t tester, ctx context.Context, path func(n int) string, headers ...string) {
	t.Helper()
	bare := shop{Service: s.WithoutPlans(), db: s.db}
	for _, n := range []int{1, 2, 3, 0} {
		request := "GET " + path(n)
		got, want := s.do(t, ctx, request, "", headers...), bare.do(t, ctx, request, "", headers...)
		if got.status != want.status || got.body != want.body || !maps.EqualFunc(got.header, want.header, func(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
			t.Fatalf("%s %v: by a plan that was kept %d %v\n%s\nplanned anew %d %v\n%s", request, headers, got.status, got.header, got.body, want.status, want.header, want.body)
		}
	}
}

// by gives the requests for entities of a set by a filter.
func by(set, filter, more string) func(n int) string {
	return func(n int) string { return "/" + set + "?$filter=" + encode(vary(filter, n)) + more }
}

// like gives the requests that differ from path in their literals.
func like(path string) func(n int) string { return func(n int) string { return vary(path, n) } }

// hitting runs f, and fails if less than share of the reads were by plans kept.
func (s *shop) hitting(t *testing.T, share float64, f func()) {
	t.Helper()
	before := s.PlanStats()
	f()
	st := s.PlanStats()
	hits, misses := float64(st.Hits-before.Hits), float64(st.Misses-before.Misses)
	if hits/(hits+misses) < share {
		t.Errorf("%v reads by plans kept, %v planned anew", hits, misses)
	}
}

// preparedPaths are reads of every form that plans are kept for, and some of those
// that they are not.
var preparedPaths = []string{
	"/Products", "/Products?$top=2", "/Products?$top=2&$skip=1&$count=true", "/Products/$count", "/Products/$count?$filter=Stock gt 1",
	"/Products(00000000-0000-0000-0000-000000000001)", "/Products(ID=00000000-0000-0000-0000-000000000001)",
	"/Products(00000000-0000-0000-0000-000000000001)?$select=Name&$expand=Maker,Reviews", "/Makers(1)", "/Makers(1)/Products", "/Makers(1)/Products/$count",
	"/Makers(1)/Products?$count=true&$filter=Name eq 'apple'", "/Makers(1)/Products?$filter=Stock eq 77", "/Products(00000000-0000-0000-0000-000000000001)/Maker",
	"/Products(00000000-0000-0000-0000-000000000005)/Maker", "/Products(00000000-0000-0000-0000-000000000001)/Maker/Products?$select=Name",
	"/Makers(1)/Products(00000000-0000-0000-0000-000000000001)", "/Products(00000000-0000-0000-0000-000000000001)/Name", "/Makers(1)/Name/$value",
	"/Products?$filter=Maker/Name eq 'Aleph' and Stock ge 1", "/Makers?$filter=Products/any(p:p/Stock eq 10 and p/Name eq 'apple')", "/Makers?$filter=Products/$count gt 1",
	"/Makers?$filter=Products/$count($filter=Stock eq 10) gt 0", "/Products?$filter=At gt now() sub duration'P60D' and Stock lt 11", "/Products?$filter=At ge 2026-01-02",
	"/Products?$filter=At ge '2026-01-02T10:00:00Z'", "/Products?$filter=ID eq '00000000-0000-0000-0000-000000000002'", "/Products?$filter=year(At) eq 2026 and Stock gt 1",
	"/Products?$filter=Stock in (10,0) or Price in (1.5,2.25,1000)", "/Products?$filter=Price gt 1.5 and Price lt 1000", "/Products?$filter=Weight gt 99 and Color eq 'red'",
	"/Products?$filter=Name eq @n&@n='apple'", "/Products?$filter=matchesPattern(Name,'^a')", "/Products?$filter=concat(Name,'1') eq 'apple1'", "/Products?$filter=-5 lt Stock",
	"/Products?$filter=case(Stock gt 5:'many',true:'few') eq 'many'", "/Products?$filter=cast('5',Edm.Int64) eq 5", "/Products?$filter=substring(Name,1,2) eq 'pp'",
	"/Products?$filter=hassubset(Tags,['tapple'])", "/Products?$filter=$root/Makers(1)/Name eq 'Aleph'", "/Products?$filter=Stock eq 12345678901234567890",
	"/Products?$filter=Stock eq 1 2", "/Products?$filter=Name eq 5", "/Products?$filter=Stock eq 'x'", "/Products?$filter=At gt 2026-02-30", "/Products?$filter=Nothing eq 1",
	"/Products?$orderby=Name&$top=2&$filter=Stock gt -5", "/Products?$compute=Stock add 1 as More&$filter=More gt 5", "/Products?$orderby=Stock add 5 desc",
	"/Products?$expand=Maker($select=Name),Reviews($filter=Stars gt 2;$count=true)&$filter=Stock gt 1", "/Makers?$expand=Products($filter=Stock gt 1;$top=1)",
	"/Products/$filter(Stock gt 1)?$filter=Name ne 'x'", "/Products?$apply=filter(Stock gt 1)/groupby((Sold),aggregate(Price with sum as Sum))",
	"/Products/$ref?$filter=Stock gt 1", "/Products(00000000-0000-0000-0000-000000000001)/$ref", "/Products?$format=application/json;odata.metadata=full&$filter=Stock gt 1",
	"/Products?$format=application/json;odata.metadata=none;IEEE754Compatible=true&$filter=Stock gt 1", "/$entity?$id=Makers(1)", "/Products?$search=apple",
	"/Products?$filter=Name%20eq%20%27apple+x%27", "/Products?$filter=Name eq 'a%00b'", "/Products?$filter=Stock eq 1%26$top=1", "/Products?filter=Stock gt 1",
	"/Products?$filter=Parts/any(p:p/Count gt 2 and p/Label eq 'bolt')", "/Products?$filter=Sold has 'x'", "/Products?$skiptoken=x", "/Reviews?$filter=Stars gt 2",
}

// TestPlansAgree: an answer does not depend on what was asked before.
func TestPlansAgree(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.hitting(t, 0.5, func() {
			for _, e := range expressions {
				s.agrees(t, t.Context(), by("Products", e.filter, "&$select=ID"))
			}
			for _, a := range applied {
				s.agrees(t, t.Context(), like(a.path))
			}
		})
		for _, path := range preparedPaths {
			for _, header := range []string{"Accept: application/json;odata.metadata=full", "Prefer: maxpagesize=1, omit-values=nulls", "OData-MaxVersion: 4.0"} {
				s.agrees(t, t.Context(), like(path), header)
			}
			for _, maker := range []int64{1, 2} {
				s.agrees(t, as(t.Context(), maker), like(path))
			}
		}
	})
	for _, dialect := range storetest.Dialects {
		bank, items := newBank(t, dialect, odata.Limits{}), newStore(t, dialect)
		for _, c := range moneyFilters {
			bank.agrees(t, t.Context(), by("Deals", c.filter, ""))
		}
		for _, c := range itemFilters {
			items.agrees(t, t.Context(), by("Items", c.filter, "&@list="+encode(`["b","c"]`)))
		}
	}
}

// TestPlansAgreeAtRandom does so with filters that were drawn.
func TestPlansAgreeAtRandom(t *testing.T) {
	c := newCrowd(t, 40, odata.Limits{})
	rapid.Check(t, func(t *rapid.T) {
		filter := filters{t, 2}.condition()
		for _, s := range c.shops {
			s.agrees(t, t.Context(), by("Products", filter, "&$select=ID&$orderby=Stock&$top=9"))
		}
	})
}

// TestPlansAreFound tells which requests are answered by the plan of another one.
func TestPlansAreFound(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	for _, c := range []struct {
		first, second string
		want          bool
	}{
		{"/Products(00000000-0000-0000-0000-000000000001)", "/Products(00000000-0000-0000-0000-000000000002)", true},
		{"/Makers(1)/Products", "/Makers(2)/Products", true},
		{"/Makers(1)/Products?$top=5", "/Makers(99)/Products?$top=5", false}, // whether it is there has to be asked
		{"/Products/$count?$filter=Stock eq 1", "/Products/$count?$filter=Stock eq 2", true},
		{"/Products?$filter=Name eq 'a' and Stock gt 5", "/Products?$filter=Name eq 'b' and Stock gt -6", true},
		{"/Products?$filter=Name eq 'a'", "/Products?$filter=Name eq null", false},
		{"/Products?$filter=At ge 2026-01-01", "/Products?$filter=At ge 2025-01-01", true},
		{"/Products?$filter=ID eq '00000000-0000-0000-0000-000000000001'", "/Products?$filter=ID eq '00000000-0000-0000-0000-000000000002'", true},
		{"/Products?$filter=Stock in (1,2)", "/Products?$filter=Stock in (3,4)", true},
		{"/Products?$filter=Stock in (1,2,3)", "/Products?$filter=Stock in (3,4,5,6)", false},
		{"/Products?$filter=matchesPattern(Name,'a')", "/Products?$filter=matchesPattern(Name,'b')", false},
		{"/Products?$top=3", "/Products?$top=4", false},
		{"/Makers?$filter=Version gt 1&$select=ID", "/Makers?$filter=Version gt 1&$select=Name", false},
		{"/Products?$expand=Reviews($filter=Stars gt 1)", "/Products?$expand=Reviews($filter=Stars gt 2)", false},
		{"/Products?$filter=At gt now()", "/Products?$filter=At gt now()", true},
	} {
		s.get(t, c.first)
		before := s.PlanStats()
		s.get(t, c.second)
		if after := s.PlanStats(); (after.Hits > before.Hits) != c.want {
			t.Errorf("%s after %s: by a plan kept: %v, want %v", c.second, c.first, !c.want, c.want)
		}
	}
}

// TestPlansAreOfTheirCallers: callers with different access, and those whose
// access differs by its arguments alone, see each their own, at once too.
func TestPlansAreOfTheirCallers(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		wants := map[int64]string{0: "apple Banana תפוח O'Neil ΟΔΟΣ", 1: "apple Banana", 2: "תפוח O'Neil", 9: ""}
		var wait sync.WaitGroup
		for maker, want := range wants {
			wait.Go(func() {
				ctx := t.Context()
				if maker > 0 {
					ctx = as(ctx, maker)
				}
				for range 20 {
					r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/shop/Products?$select=Name&$filter=Name%20ne%20'x'", nil)
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					for _, name := range strings.Fields(wants[0]) {
						if strings.Contains(w.Body.String(), `"`+name+`"`) != strings.Contains(want, name) {
							t.Errorf("maker %d: %s", maker, w.Body)
						}
					}
				}
			})
		}
		wait.Wait()
		if st := s.PlanStats(); st.Hits < 60 {
			t.Errorf("%+v", st)
		}
		// What is hidden from makers was shown to the staff.
		for range 2 {
			if a := s.get(t, "/Makers(1)"); !strings.Contains(a.body, "Founded") {
				t.Errorf("staff: %s", a.body)
			}
			if a := s.do(t, as(t.Context(), 1), "GET /Makers(1)", ""); a.status != http.StatusOK || strings.Contains(a.body, "Founded") {
				t.Errorf("maker: %s", a.body)
			}
			if a := s.do(t, as(t.Context(), 2), "GET /Makers(1)", ""); a.status != http.StatusNotFound {
				t.Errorf("another maker: %s", a.body)
			}
		}
	})
}

// TestPlansFollowTheClock: a plan does not keep the time, nor the address that the
// service was called by.
func TestPlansFollowTheClock(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{})
	s.fill(t)
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	s.Now = func() time.Time { return now }
	const path = "/Products?$filter=At lt now()&$select=Name"
	if got := s.get(t, path).names("Name"); got != "apple Banana" {
		t.Error(got)
	}
	now = now.AddDate(0, 0, -1)
	if got := s.get(t, path).names("Name"); got != "apple" {
		t.Error(got)
	}
	for _, host := range []string{"one.test", "two.test"} {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/shop/Makers?$format=application/json;odata.metadata=full", nil)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if body := w.Body.String(); strings.Count(body, "http://"+host+"/shop/") < 4 || strings.Contains(strings.ReplaceAll(body, host, ""), ".test") {
			t.Errorf("%s: %s", host, body)
		}
	}
	if st := s.PlanStats(); st.Hits != 2 {
		t.Errorf("%+v", st)
	}
}

// TestPlansAndPages: a next link is of the request that it answers to.
func TestPlansAndPages(t *testing.T) {
	limits := odata.Limits{}
	limits.PageSize = 2
	s := newShop(t, "sqlite", limits)
	s.fill(t)
	for _, stock := range []string{"-100", "-5", "-4"} {
		path := "/Products?$select=Name&$orderby=Name&$filter=" + encode("Stock gt "+stock)
		if got := s.walk(t, path); len(strings.Fields(got)) != 4 {
			t.Errorf("%s: %q", path, got)
		}
	}
	// Deleting rows between requests does not make a plan another one.
	if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.Exec("DELETE FROM reviews").Error }); err != nil {
		t.Fatal(err)
	}
	s.agrees(t, t.Context(), like("/Products?$expand=Reviews"))
}

// TestNoPlans: a service may keep none.
func TestNoPlans(t *testing.T) {
	s := newShop(t, "sqlite", odata.Limits{Plans: -1})
	s.fill(t)
	for range 3 {
		if a := s.get(t, "/Makers(1)"); a.status != http.StatusOK {
			t.Errorf("%s", a.body)
		}
	}
	if st := s.PlanStats(); st != (odata.PlanStats{}) {
		t.Errorf("%+v", st)
	}
}

type predicateKey struct{}

// TestPlansAreOfAccess: a plan is for callers with the same predicate, in each of
// its parts.
func TestPlansAreOfAccess(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.Service = odata.New(odata.Options{Namespace: "Shop", Prefix: "/shop", Read: s.db.Read})
		odata.Add(s.Service, odata.Set[Maker]{Name: "Makers", Access: func(ctx context.Context) (odata.Predicate, error) {
			return ctx.Value(predicateKey{}).(odata.Predicate), nil
		}})
		if err := s.Build(); err != nil {
			t.Fatal(err)
		}
		type args = map[string]any
		predicates := []struct {
			p         odata.Predicate
			names     string
			countries bool
		}{
			{odata.All, "Aleph Beta Gamma", true},
			{odata.Predicate{Hide: []string{"Country"}}, "Aleph Beta Gamma", false},
			{odata.Predicate{Hide: []string{"Founded"}}, "Aleph Beta Gamma", true},
			{odata.Predicate{Expr: "Active eq true"}, "Aleph Gamma", true},
			{odata.Predicate{Expr: "Active eq false"}, "Beta", true},
			{odata.Predicate{Expr: "Country eq @c", Args: args{"c": "IL"}}, "Aleph", true},
			{odata.Predicate{Expr: "Country eq @c", Args: args{"c": "GR"}}, "Gamma", true},
			{odata.Predicate{Expr: "Country eq @c", Args: args{"c": nil}}, "Beta", true},
			{odata.Predicate{Expr: "Country eq @c", Args: args{}}, "Beta", true},
			{odata.Predicate{Expr: "@x eq 1", Args: args{"x": int64(1)}}, "Aleph Beta Gamma", true},
			{odata.Predicate{Expr: "@x eq 1", Args: args{"x": "1"}}, "Aleph Beta Gamma", true},
			{odata.Predicate{Expr: "@x eq 1", Args: args{"x": "2"}}, "", true},
			{odata.Predicate{Expr: "matchesPattern(Name,@x)", Args: args{"x": "^A"}}, "Aleph", true},
			{odata.Predicate{Expr: "matchesPattern(Name,@x)", Args: args{"x": "^B"}}, "Beta", true},
		}
		for range 2 {
			for _, c := range predicates {
				ctx := context.WithValue(t.Context(), predicateKey{}, c.p)
				a := s.do(t, ctx, "GET /Makers", "")
				if a.names("Name") != c.names || c.names != "" && strings.Contains(a.body, `"Country"`) != c.countries {
					t.Errorf("%+v: %s", c.p, a.body)
				}
			}
		}
	})
}

// TestPagesOfOnePlan: the pages after the first share a plan, whatever their tokens hold.
func TestPagesOfOnePlan(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		s.hitting(t, 0.5, func() {
			for _, c := range []struct {
				query string
				pages int
			}{{"$orderby=Name", 5}, {"$orderby=Name desc", 5}, {"$orderby=Sold,ID desc", 5}, {"$orderby=At desc&$filter=At ne null", 4}, {"$filter=Stock ge 0&$orderby=Stock", 3}} {
				pages, next := 0, "/Products?$select=Name&"+strings.ReplaceAll(c.query, " ", "%20")
				for ; next != ""; pages++ {
					link := ""
					s.agrees(t, t.Context(), func(int) string { return next }, "Prefer: maxpagesize=1")
					a := s.do(t, t.Context(), "GET "+next, "", "Prefer: maxpagesize=1")
					link, _ = a.json["@odata.nextLink"].(string)
					next = strings.TrimPrefix(link, "http://shop.test/shop")
				}
				if pages != c.pages {
					t.Errorf("%s: %d pages, expected %d", c.query, pages, c.pages)
				}
			}
		})
	})
}
