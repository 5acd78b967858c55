package odata_test

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/store/storetest"
)

// What follows makes random products and random filters over them, to hold
// SQLite, PostgreSQL and the Go closures to one answer.

var (
	someTexts = []string{
		"", "a", "A", "apple", "Apple", "APPLE", "O'Neil", "תפוח", "שָׁלוֹם", "ΟΔΟΣ", "οδος", "οδοσ", "ΣΑΣ ΣΑ.Σ", "İstanbul", "istanbul",
		"ISTANBUL", "ı", "I", "i", "straße", "STRASSE", "ẞ", "ﬁsh", "é", "e\u0301", "😀", "\ufffd", " x ", "\tx\n", "\u00a0x", "5", "5.0", "05", "true", "false", "null",
		"%", "_", "\\", `"`, "{}", "}", "x}}", "a,b;c", "$0", "?", "2026-01-02", "2026-01-02T10:00:00Z", "00000000-0000-0000-0000-00000000000a", "ab", "ba", "aba",
	}
	someInts   = []int64{0, 1, -1, 5, 10, 100, 250, 1 << 53, 1<<53 + 1, 1<<53 - 1, -1<<53 - 1, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1}
	someFloats = []float64{0, 0.1, -0.1, 0.5, 1.5, 5, 99.5, 100, 1e3, 1e-7, 1e15, 1e16, 1 << 53, 1e21, -1e21, 1.7e308, 5e-300, 0.1 + 0.2, 1.0 / 3}
	// someInstants are good and bad ones.
	someInstants = []string{
		"2026-01-02T10:00:00Z", "2026-01-02T12:00:00+02:00", "2026-01-02T10:00Z", "2026-01-02t10:00:00z", "2026-01-02T10:00:00.123456Z",
		"2026-01-02T10:00:00.1234569Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "2024-02-29T23:59:59-14:59",
		"2026-02-29T10:00:00Z", "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z", "0000-01-01T10:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
		"2026-01-02T24:00:00Z", "2026-01-02T10:00:60Z", "2026-01-02T1:00:00Z", "2026-01-02T10:00:00,5Z", "2026-01-02T10:00:00", "2026-01-02 10:00:00Z",
		"2026-01-02", "2026-01-02T10:00:00+15:00", "2026-01-02T10:00:00+02", "2026-01-02T10:00:00.Z", "2026-01-31T10:00:00Z", "2026-04-31T10:00:00Z",
	}
	someNumberTexts = []string{"5", "-5", "05", "5.0", "0.1", "99.5", "1e3", " 5", "5 ", "+5", "5.", ".5", "9007199254740993", "123456789012345678", "1234567890123456789", "0.1234567", "٥", "0x5", "Infinity", "NaN"}
	someGuids       = []string{"00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000A", "ffffffff-ffff-ffff-ffff-ffffffffffff", "{00000000-0000-0000-0000-00000000000a}", "0000000000000000000000000000000a"}
	dynamicNames    = []string{"D1", "D2", "D3", "שם", "a.b", "_x"}
)

func text() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(someTexts), rapid.StringOfN(rapid.SampledFrom([]rune("aAbBiIıİσςΣאבéß .'%")), 0, 6, -1))
}

func orNull[T any](g *rapid.Generator[T]) *rapid.Generator[*T] { return rapid.Ptr(g, true) }

func instant() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		base := rapid.SampledFrom([]time.Time{
			time.Date(2026, 1, 2, 10, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 23, 59, 59, 999999000, time.UTC),
			time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC),
		}).Draw(t, "base")
		return base.Add(time.Duration(rapid.IntRange(0, 999).Draw(t, "µs")) * time.Microsecond)
	})
}

func dynamicValue() *rapid.Generator[any] {
	asAny := func(v any) any { return v }
	return rapid.OneOf(
		rapid.Map(rapid.SampledFrom(someInts), func(v int64) any { return asAny(v) }),
		rapid.Map(rapid.SampledFrom(someFloats), func(v float64) any { return asAny(v) }),
		rapid.Map(rapid.Float64Range(-1e6, 1e6), func(v float64) any { return asAny(v) }),
		rapid.Map(text(), func(v string) any { return asAny(v) }),
		rapid.Map(rapid.SampledFrom(someNumberTexts), func(v string) any { return asAny(v) }),
		rapid.Map(rapid.SampledFrom(someInstants), func(v string) any { return asAny(v) }),
		rapid.Map(rapid.SampledFrom(someGuids), func(v string) any { return asAny(v) }),
		rapid.Map(rapid.Bool(), func(v bool) any { return asAny(v) }),
		rapid.SampledFrom([]any{nil, map[string]any{"b": 1, "a": nil}, []any{1, "x"}, map[string]any{}, []any{}}),
	)
}

func product() *rapid.Generator[Product] {
	return rapid.Custom(func(t *rapid.T) Product {
		p := Product{
			Name:  text().Draw(t, "Name"),
			Price: orNull(rapid.OneOf(rapid.SampledFrom(someFloats), rapid.Float64Range(-1000, 1000))).Draw(t, "Price"),
			Stock: orNull(rapid.SampledFrom(someInts)).Draw(t, "Stock"),
			Sold:  rapid.Bool().Draw(t, "Sold"),
			At:    orNull(instant()).Draw(t, "At"),
		}
		for _, name := range dynamicNames {
			if rapid.IntRange(0, 3).Draw(t, "has") > 0 {
				if p.Properties == nil {
					p.Properties = map[string]any{}
				}
				p.Properties[name] = dynamicValue().Draw(t, name)
			}
		}
		return p
	})
}

// crowd is a shop on each database and records for closures, all of the same
// random products.
type crowd struct {
	shops    []*shop
	env      *eval.Env
	ids      []string
	products []Product
	records  []*eval.Record
}

func newCrowd(t *testing.T, n int, limits odata.Limits) *crowd {
	c := &crowd{}
	products := make([]Product, n)
	generate := product()
	for i := range products {
		products[i] = generate.Example(i)
		products[i].ID = uuid.UUID{14: byte(i >> 8), 15: byte(i)}
		c.ids = append(c.ids, products[i].ID.String())
	}
	c.products = products
	var err error
	if c.env, err = eval.NewEnv(Product{}); err != nil {
		t.Fatal(err)
	}
	c.env.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	for i := range products {
		c.records = append(c.records, c.env.Record(&products[i], nil))
	}
	for _, dialect := range storetest.Dialects {
		s := newShop(t, dialect, limits)
		if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.CreateInBatches(&products, 100).Error }); err != nil {
			t.Fatal(err)
		}
		c.shops = append(c.shops, s)
	}
	return c
}

// encode makes a query option's value.
func encode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// inGo lists the products that satisfy filter by a closure.
func (c *crowd) inGo(filter string) (string, error) {
	p, err := eval.Compile(c.env, "$filter", filter, edm.Boolean)
	if err != nil {
		return "", err
	}
	var ids []string
	for i, r := range c.records {
		if p.Bool(r) {
			ids = append(ids, c.ids[i])
		}
	}
	return strings.Join(ids, " "), nil
}

// difference shows the first of the products that are in one list only.
func (c *crowd) difference(a, b string) string {
	for i, id := range c.ids {
		if strings.Contains(a, id) != strings.Contains(b, id) {
			p := c.products[i]
			price, stock := "null", "null"
			if p.Price != nil {
				price = fmt.Sprint(*p.Price)
			}
			if p.Stock != nil {
				stock = fmt.Sprint(*p.Stock)
			}
			return fmt.Sprintf(" %s, which Go selects: %v\nName %q, Price %s, Stock %s, Sold %v, At %v, %#v", id, strings.Contains(b, id), p.Name, price, stock, p.Sold, p.At, p.Properties)
		}
	}
	return " the order"
}

func (c *crowd) check(t tester, filter string) {
	t.Helper()
	want, err := c.inGo(filter)
	if err != nil {
		t.Fatalf("%s: in Go: %v", filter, err)
	}
	for i, s := range c.shops {
		a := s.get(t, "/Products?$select=ID&$filter="+encode(filter))
		if a.status != http.StatusOK {
			t.Fatalf("%s: on %s: %s", filter, storetest.Dialects[i], a.body)
		}
		if got := a.names("ID"); got != want {
			t.Fatalf("%s: %s and Go disagree about%s", filter, storetest.Dialects[i], c.difference(got, want))
		}
	}
}

func TestOneAnswer(t *testing.T) {
	c := newCrowd(t, 120, odata.Limits{})
	for _, kind := range []struct {
		name string
		draw func(f filters) string
	}{
		{"numbers", func(f filters) string { return f.number() + f.operator() + f.number() }},
		{"text", func(f filters) string { return f.text() + f.operator() + f.text() }},
		{"functions", filters.textFunction},
		{"dynamic", filters.comparison},
		{"in", filters.in},
		{"conditions", filters.condition},
	} {
		t.Run(kind.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { c.check(t, kind.draw(filters{t, 3})) })
		})
	}
}

// TestOneOrder pages through random orders: each row comes once, in one order on
// both databases.
func TestOneOrder(t *testing.T) {
	limits := odata.Limits{}
	limits.PageSize = 7
	c := newCrowd(t, 25, limits)
	rapid.Check(t, func(t *rapid.T) {
		f := filters{t, 2}
		terms := make([]string, rapid.IntRange(1, 3).Draw(t, "terms"))
		for i := range terms {
			terms[i] = f.one(f.number, f.text, f.instant, f.guid, f.date, f.dynamic, f.boolean, f.comparison) + f.pick("", " desc")
		}
		path := "/Products?$select=ID&$orderby=" + encode(strings.Join(terms, ","))
		rows := len(c.ids)
		if rapid.Bool().Draw(t, "filtered") {
			filter := f.condition()
			path += "&$filter=" + encode(filter)
			ids, _ := c.inGo(filter)
			rows = len(strings.Fields(ids))
		}
		lite, pg := c.shops[0].walk(t, path), c.shops[1].walk(t, path)
		if lite != pg {
			t.Fatalf("%v: two orders:\n%s\n%s", terms, lite, pg)
		}
		seen := map[string]bool{}
		for _, id := range strings.Fields(lite) {
			seen[id] = true
		}
		if len(seen) != rows || len(strings.Fields(lite)) != rows {
			t.Fatalf("%v: %d rows, want %d: %s", terms, len(seen), rows, lite)
		}
	})
}

// TestCaseMapping holds the databases to the same case mapping, letter by letter
// and where a letter's place in the word matters.
func TestCaseMapping(t *testing.T) {
	words := []string{
		"ΑΣ", "ΑΣ.", "ΑΣΒ", "Σ", "ΑΣ\u0301Β", "Α\u0301Σ", "1Σ", "Α.Σ", "Α.Σ.Α", "ΑΣ:Β", "ΑΣ ΣΑ", "İ", "Iİ", "I\u0307", "J\u0307", "I\u0300\u0307",
		"DİYARBAKIR", "ǅ", "ŉ", "ΐ", "ᾳ", "ß", "ﬃ", "և", "שָׁלוֹם",
	}
	for r := rune(0x80); r < 0x20000; r++ {
		if unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Hebrew) {
			words = append(words, string(r))
		}
	}
	db := newShop(t, "postgres", odata.Limits{}).db.Read(t.Context())
	for function, mapped := range map[string]func(string) string{"lower": eval.Lower, "upper": eval.Upper} {
		var got string
		err := db.Raw(`SELECT string_agg(`+function+`(word COLLATE "und-x-icu"), ',' ORDER BY n) FROM unnest(string_to_array(?, ',')) WITH ORDINALITY AS w(word, n)`,
			strings.Join(words, ",")).Scan(&got).Error
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range strings.Split(got, ",") {
			if want := mapped(words[i]); g != want {
				t.Errorf("%s of %+q is %+q on PostgreSQL and %+q in Go", function, words[i], g, want)
			}
		}
	}
}
