package odata_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/store/storetest"
)

// TestApplyAccess: what a caller may not see is in no sum and no group.
func TestApplyAccess(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		err := s.write(t.Context(), func(tx *gorm.DB) error {
			return errors.Join( // a product of one maker, linked by nobody else, without a visible maker
				tx.Exec("UPDATE products SET maker_id = 3 WHERE name = 'O''Neil'").Error,
			)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ path, want string }{
			{"/Products?$apply=aggregate(Price with sum as T,$count as N)", `{"N":2,"T":3.75}`},
			{"/Products?$apply=groupby((Maker/Name),aggregate($count as N))", `{"Maker":{"Name":"Aleph"},"N":2}`},
			{"/Products?$apply=groupby((MakerID))", `{"MakerID":1}`},
			{"/Products?$apply=concat(identity,aggregate($count as N))&$select=Name,N", `{"Name":"apple"} {"Name":"Banana"} {"N":2}`},
			{"/Products?$apply=topcount(1,Price)&$select=Name", `{"Name":"Banana"}`},
			{"/Products?$apply=aggregate(Maker/Products/Price with sum as T,Maker/$count as M)", `{"M":1,"T":3.75}`},
			{"/Makers?$apply=aggregate(Products/Price with sum as T,Products/$count as N,$count as M)", `{"M":1,"N":2,"T":3.75}`},
			{"/Makers?$apply=groupby((Name),aggregate(Products/Name with countdistinct as N))", `{"N":2,"Name":"Aleph"}`},
			{"/Makers?$apply=filter(Products/any(p:p/Name eq 'תפוח'))/aggregate($count as N)", `{"N":0}`},
			{"/Makers?$select=Name&$expand=Products($apply=aggregate($count as N))", `{"Name":"Aleph","Products":[{"N":2}]}`},
			{"/Products?$apply=groupby((Maker))", `{"Maker":{"Active":true,"Country":"IL","ID":1,"Name":"Aleph","Version":1}}`},
			{"/Makers(2)/Products?$apply=groupby((Name))", "404"},
			{"/Makers?$select=Name&$expand=Products($filter=$it/Country eq 'IL' and Price gt 2;$select=Name)", `{"Name":"Aleph","Products":[{"Name":"Banana"}]}`},
			{"/Makers?$expand=Products($filter=$it/Founded ne null)", "400"},
			{"/Makers?$expand=Products($filter=$it/Products/any(p:p/Name eq 'תפוח');$select=Name)&$select=Name", `{"Name":"Aleph","Products":[]}`},
			{"/Products?$expand=Maker($expand=Products($filter=$it/Maker/Founded ne null))", "400"},
			{"/Products?$expand=Maker($expand=Products($filter=$it/Reviews/any()))", "403"},
			{"/Products?$apply=aggregate(Reviews/$count as N)", "403"},
			{"/Products?$apply=aggregate(Reviews/Stars with sum as N)", "403"},
			{"/Products?$apply=filter(Reviews/any())", "403"},
			{"/Products?$apply=compute(Reviews/$count as N)", "403"},
			{"/Products?$apply=topcount(1,Reviews/$count)", "403"},
			{"/Reviews?$apply=aggregate($count as N)", "403"},
			{"/Makers?$apply=groupby((Founded))", "400"},
			{"/Makers?$apply=aggregate(Founded with max as F)", "400"},
			{"/Makers?$apply=compute(year(Founded) as F)", "400"},
			{"/Makers?$apply=filter(Name ne 'x')/top(9)/filter(Founded ne null)", "400"},
			{"/Makers?$apply=concat(identity,identity)/filter(Founded ne null)", "400"},
			{"/Makers?$apply=orderby(Founded)", "400"},
			{"/Products?$apply=groupby((Maker/Founded))", "400"},
			{"/Products?$apply=groupby((Maker))/filter(Maker/Founded ne null)", "400"},
			{"/Products?$apply=aggregate(Maker/Founded with max as F)", "400"},
			{"/Makers?$apply=compute(length(Name) as L)/top(1)", `{"Active":true,"Country":"IL","ID":1,"L":5,"Name":"Aleph","Version":1}`},
			{"/Makers?$apply=concat(top(1),filter(false))", `{"Active":true,"Country":"IL","ID":1,"Name":"Aleph","Version":1}`},
		} {
			a := s.do(t, as(t.Context(), 1), "GET "+c.path, "")
			got := a.bare(t)
			if len(c.want) == 3 {
				got = got[:3]
			}
			if got != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.path, got, c.want)
			}
		}
		// A product whose maker is another's to see groups as one without.
		a := s.do(t, as(t.Context(), 3), "GET /Products?$apply=groupby((Maker/Name),aggregate($count as N))", "")
		if want := `{"Maker":{"Name":"Gamma"},"N":1}`; a.bare(t) != want {
			t.Errorf("got %s, want %s", a.bare(t), want)
		}
	})
}

// TestApplyTooLarge: a sum that does not fit is the caller's to know.
func TestApplyTooLarge(t *testing.T) {
	each(t, func(t *testing.T, s *shop) {
		err := s.write(t.Context(), func(tx *gorm.DB) error {
			return tx.Exec("UPDATE products SET stock = 9223372036854775807").Error
		})
		if err != nil {
			t.Fatal(err)
		}
		if a := s.get(t, "/Products?$apply=aggregate(Stock with sum as S)"); a.status != http.StatusBadRequest || !strings.Contains(a.body, "out of range") {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := s.get(t, "/Products?$apply=aggregate(Stock with max as S)"); !strings.Contains(a.body, "9223372036854775807") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

// stall is a random shop, kept in Go as well.
type stall struct {
	makers   []Maker
	products []Product
	reviews  []Review
}

func newStall(r *rand.Rand) *stall {
	s := &stall{makers: []Maker{{ID: 1, Name: "A", Country: ptr("IL")}, {ID: 2, Name: "B"}, {ID: 3, Name: "A", Country: ptr("GR")}}}
	for n := range 40 {
		p := Product{ID: uuid.UUID{15: byte(n + 1)}, Name: string(rune('a' + r.IntN(4))), Sold: r.IntN(2) == 0}
		if m := r.Int64N(4); m > 0 {
			p.MakerID = &m
		}
		if r.IntN(4) > 0 {
			p.Price = ptr(float64(r.IntN(40)) / 4)
		}
		if r.IntN(4) > 0 {
			p.Stock = ptr(r.Int64N(4))
		}
		if r.IntN(3) > 0 {
			p.Properties = map[string]any{"Color": []string{"red", "green"}[r.IntN(2)]}
		}
		s.products = append(s.products, p)
		for range r.IntN(3) {
			s.reviews = append(s.reviews, Review{ProductID: p.ID, Stars: 1 + r.Int32N(5)})
		}
	}
	return s
}

func (st *stall) save(t *testing.T, s *shop) {
	t.Helper()
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		return errors.Join(tx.Create(&st.makers).Error, tx.Omit("Maker").Create(&st.products).Error, tx.Omit("Product").Create(&st.reviews).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// keysOf are what the random requests group by.
var keysOf = map[string]func(st *stall, p *Product) any{
	"Sold":  func(_ *stall, p *Product) any { return p.Sold },
	"Name":  func(_ *stall, p *Product) any { return p.Name },
	"Stock": func(_ *stall, p *Product) any { return p.Stock },
	"Color": func(_ *stall, p *Product) any { return p.Properties["Color"] },
	"Maker/Name": func(st *stall, p *Product) any {
		if p.MakerID == nil {
			return nil
		}
		return map[string]any{"Name": st.makers[*p.MakerID-1].Name}
	},
}

// valuesOf are what they aggregate: the numbers that one product brings.
var valuesOf = map[string]func(st *stall, p *Product) []float64{
	"Price": func(_ *stall, p *Product) []float64 {
		if p.Price == nil {
			return nil
		}
		return []float64{*p.Price}
	},
	"Stock": func(_ *stall, p *Product) []float64 {
		if p.Stock == nil {
			return nil
		}
		return []float64{float64(*p.Stock)}
	},
	"length(Name)": func(_ *stall, p *Product) []float64 { return []float64{float64(len(p.Name))} },
	"Reviews/Stars": func(st *stall, p *Product) (stars []float64) {
		for _, r := range st.reviews {
			if r.ProductID == p.ID {
				stars = append(stars, float64(r.Stars))
			}
		}
		return stars
	},
}

var methodsOf = map[string]func(values []float64) any{
	"sum": func(v []float64) any { return whenAny(v, total(v)) },
	"min": func(v []float64) any { return whenAny(v, slices.Min(append([]float64{1e9}, v...))) },
	"max": func(v []float64) any { return whenAny(v, slices.Max(append([]float64{-1e9}, v...))) },
	"average": func(v []float64) any {
		return whenAny(v, total(v)/float64(max(1, len(v))))
	},
	"countdistinct": func(v []float64) any {
		v = slices.Clone(v)
		slices.Sort(v)
		return len(slices.Compact(v))
	},
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

func whenAny(v []float64, x float64) any {
	if len(v) == 0 {
		return nil
	}
	return x
}

// sorted are the keys of a map, so that a seed gives one request.
func sorted[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// pick chooses some of names.
func pick(r *rand.Rand, names []string, n int) []string {
	names = slices.Clone(names)
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names[:n]
}

// TestApplyRandom compares random groups with what Go computes.
func TestApplyRandom(t *testing.T) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, 11))
			whole := newShop(t, dialect, odata.Limits{})
			st := newStall(r)
			st.save(t, whole)
			for range 150 {
				var maker int64 // 0: sees all
				if r.IntN(3) == 0 {
					maker = 1 + r.Int64N(3)
				}
				keys := pick(r, sorted(keysOf), r.IntN(4))
				var values, methods []string
				for range r.IntN(4) {
					value := sorted(valuesOf)[r.IntN(len(valuesOf))]
					if maker > 0 && strings.HasPrefix(value, "Reviews") {
						value = "Price" // makers read no reviews
					}
					values, methods = append(values, value), append(methods, sorted(methodsOf)[r.IntN(len(methodsOf))])
				}
				st.check(t, whole, maker, r.IntN(3) == 0, keys, values, methods)
			}
		})
	}
}

// check asks for one grouping and computes it.
func (st *stall) check(t *testing.T, s *shop, maker int64, sold bool, keys, values, methods []string) {
	t.Helper()
	items := []string{"$count as N"}
	for i, value := range values {
		items = append(items, value+" with "+methods[i]+" as X"+string(rune('0'+i)))
	}
	apply := "aggregate(" + strings.Join(items, ",") + ")"
	if len(keys) > 0 {
		apply = "groupby((" + strings.Join(keys, ",") + ")," + apply + ")"
	}
	if sold {
		apply = "filter(Sold)/" + apply
	}
	ctx := t.Context()
	if maker > 0 {
		ctx = as(context.WithoutCancel(ctx), maker)
	}
	got := strings.Split(s.do(t, ctx, "GET /Products?$apply="+apply, "").bare(t), " {")
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], "{")
	}
	want := st.grouped(maker, sold, keys, values, methods)
	slices.Sort(got)
	slices.Sort(want)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("maker %d, %s\n got %s\nwant %s", maker, apply, got, want)
	}
}

// grouped computes what check asks for.
func (st *stall) grouped(maker int64, sold bool, keys, values, methods []string) []string {
	groups := map[string][]*Product{}
	if len(keys) == 0 {
		groups["{}"] = nil
	}
	for i := range st.products {
		p := &st.products[i]
		if sold && !p.Sold || maker > 0 && (p.MakerID == nil || *p.MakerID != maker) {
			continue
		}
		key := map[string]any{}
		for _, k := range keys {
			name, _, _ := strings.Cut(k, "/")
			key[name] = keysOf[k](st, p)
		}
		text, _ := json.Marshal(key)
		groups[string(text)] = append(groups[string(text)], p)
	}
	rows := []string{}
	for key, products := range groups {
		var row map[string]any
		_ = json.Unmarshal([]byte(key), &row)
		row["N"] = len(products)
		for i, value := range values {
			var all []float64
			for _, p := range products {
				all = append(all, valuesOf[value](st, p)...)
			}
			x := methodsOf[methods[i]](all)
			row["X"+string(rune('0'+i))] = x
		}
		text, _ := json.Marshal(row)
		rows = append(rows, strings.TrimPrefix(string(text), "{"))
	}
	if len(rows) == 0 {
		return []string{""}
	}
	return rows
}
