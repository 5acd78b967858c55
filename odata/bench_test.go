package odata_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// tenTerms is a filter of ten terms, of what people filter by.
const tenTerms = "Name eq 'apple' and Stock gt 10 and Price le 99.5 and Sold eq false and At ge 2026-01-01T00:00:00Z" +
	" and (contains(Name,'an') or startswith(Name,'B')) and Color eq 'red' and Weight gt 100 and Maker/Country eq 'IL'"

func shopModel(b testing.TB) (*edm.Model, *edm.Struct) {
	builder := edm.NewBuilder("Shop")
	var product *edm.Struct
	for _, s := range []struct {
		name  string
		model any
	}{{"Makers", &Maker{}}, {"Products", &Product{}}, {"Reviews", &Review{}}} {
		set, err := builder.EntitySet(s.name, "", s.model)
		if err != nil {
			b.Fatal(err)
		}
		if s.name == "Products" {
			product = set.Type
		}
	}
	model, err := builder.Build()
	if err != nil {
		b.Fatal(err)
	}
	return model, product
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := uri.ParseExpr(tenTerms, "$filter", uri.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

// parseAndBind does what a request with tenTerms has done.
func parseAndBind(tb testing.TB, model *edm.Model, product *edm.Struct) {
	e, err := uri.ParseExpr(tenTerms, "$filter", uri.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	binder := plan.Binder{Model: model, Limits: plan.DefaultLimits}
	if _, err := binder.Bind(e, plan.Root(product), "$filter", nil, edm.Boolean); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkParseAndBind is expected to take less than 8 µs on an idle machine, and 40
// allocations at most.
func BenchmarkParseAndBind(b *testing.B) {
	model, product := shopModel(b)
	b.ReportAllocs()
	for b.Loop() {
		parseAndBind(b, model, product)
	}
}

// TestParseAndBindAllocates holds how often memory is allocated for a filter.
func TestParseAndBindAllocates(t *testing.T) {
	model, product := shopModel(t)
	if n := testing.AllocsPerRun(100, func() { parseAndBind(t, model, product) }); n > 40 {
		t.Errorf("%v allocations for a filter of ten terms, expected 40 at most", n)
	}
}

func BenchmarkSQL(b *testing.B) {
	model, product := shopModel(b)
	query, err := uri.ParseQuery("$filter="+encode(tenTerms)+"&$orderby=Price&$top=100&$count=true&$expand=Maker,Reviews", uri.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	binder := plan.Binder{Model: model, Limits: plan.DefaultLimits}
	r, err := binder.Collection(plan.Root(product), query)
	if err != nil {
		b.Fatal(err)
	}
	for _, d := range []sqlgen.Dialect{sqlgen.SQLite, sqlgen.Postgres} {
		b.Run(string(d), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = sqlgen.Select(d, r)
			}
		})
	}
}

// BenchmarkRead is whole reads: by a plan that was kept, and planned anew.
func BenchmarkRead(b *testing.B) {
	s := newShop(b, "sqlite", odata.Limits{})
	s.fill(b)
	for _, read := range []struct{ name, path string }{
		{"key", "/shop/Products(00000000-0000-0000-0000-000000000001)"},
		{"columns", "/shop/Products?$top=100&$select=ID,Name,Price"},
		{"filter", "/shop/Products?$filter=Stock%20eq%2010%20and%20Name%20eq%20'apple'&$orderby=Name"},
	} {
		for _, way := range []struct {
			name    string
			service *odata.Service
		}{{"kept", s.Service}, {"anew", s.WithoutPlans()}} {
			b.Run(read.name+"/"+way.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w := httptest.NewRecorder()
					way.service.ServeHTTP(w, httptest.NewRequest(http.MethodGet, read.path, nil))
					if w.Code != http.StatusOK {
						b.Fatal(w.Body)
					}
				}
			})
		}
	}
}
