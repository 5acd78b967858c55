package odata_test

import (
	"testing"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// tenTerms is a filter of ten terms, of what people filter by.
const tenTerms = "Name eq 'apple' and Stock gt 10 and Price le 99.5 and Sold eq false and At ge 2026-01-01T00:00:00Z" +
	" and (contains(Name,'an') or startswith(Name,'B')) and Color eq 'red' and Weight gt 100 and Maker/Country eq 'IL'"

func shopModel(b *testing.B) (*edm.Model, *edm.Struct) {
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

// BenchmarkParseAndBind is expected to take less than 10 µs.
func BenchmarkParseAndBind(b *testing.B) {
	model, product := shopModel(b)
	b.ReportAllocs()
	for b.Loop() {
		e, err := uri.ParseExpr(tenTerms, "$filter", uri.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		binder := plan.Binder{Model: model, Limits: plan.DefaultLimits}
		if _, err := binder.Bind(e, plan.Root(product), "$filter", nil, edm.Boolean); err != nil {
			b.Fatal(err)
		}
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
