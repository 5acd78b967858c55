package odata_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The shop is somebody else's GORM models: what a service is made of.
type (
	Maker struct {
		ID      int64   `odata:"computed"`
		Name    string  `validate:"required,max=50"`
		Country *string `gorm:"size:2"`
		Founded *time.Time
		Active  bool
		Secret  string `gorm:"-" odata:"writeonly"`
		Hidden  string `odata:"-"`
		Version int64  `odata:"computed,etag"`
	}

	Product struct {
		ID         uuid.UUID      `gorm:"type:uuid;primaryKey" odata:"computed"`
		MakerID    *int64         `odata:"immutable"`
		Name       string         `validate:"required"`
		Price      *float64       `json:"-"`
		Stock      *int64         `json:"-"`
		Sold       bool           `json:"-"`
		At         *time.Time     `json:"-"`
		Tags       []string       `gorm:"serializer:json"`
		Parts      []Part         `gorm:"serializer:json"`
		Properties map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		Maker      *Maker         `odata:"partner=Products"`
	}

	Part struct {
		Label string
		Count int64
		Note  *string
	}

	Review struct {
		ID        int64     `odata:"computed"`
		ProductID uuid.UUID `gorm:"type:uuid"`
		Stars     int32
		Text      *string
		Product   *Product `odata:"partner=Reviews"`
	}
)

// shop is a service over the shop, on one database.
type shop struct {
	*odata.Service
	db *store.DB
}

type makerKey struct{}

// as is the context of a caller who may see one maker's products only.
func as(ctx context.Context, maker int64) context.Context {
	return context.WithValue(ctx, makerKey{}, maker)
}

func newShop(t testing.TB, dialect string, limits odata.Limits) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.AutoMigrate(&Maker{}, &Product{}, &Review{}) }); err != nil {
		t.Fatal(err)
	}
	s.Service = odata.New(odata.Options{
		Namespace: "Shop", Prefix: "/shop", Read: db.Read, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	s.add()
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) write(ctx context.Context, f func(tx *gorm.DB) error) error { return s.db.Write(ctx, f) }

// own is an access function: everything, or what an expression gives a maker.
func own(expr string) func(ctx context.Context) (odata.Predicate, error) {
	return func(ctx context.Context) (odata.Predicate, error) {
		maker, ok := ctx.Value(makerKey{}).(int64)
		switch {
		case !ok:
			return odata.All, nil
		case expr == "":
			return odata.All, fault.New(fault.Forbidden, "makers read no reviews")
		}
		return odata.Predicate{Expr: expr, Args: map[string]any{"maker": maker}, Hide: []string{"Founded"}}, nil
	}
}

func (s *shop) add() {
	odata.Add(s.Service, odata.Set[Maker]{
		Name: "Makers", Access: own("ID eq @maker"),
		New: func() *Maker { return &Maker{Active: true} },
		Create: func(ctx context.Context, m *Maker) error {
			m.Version = 1
			if err := fault.Validate(m); err != nil {
				return err
			}
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Create(m).Error })
		},
		Update: func(ctx context.Context, m *Maker) error {
			if err := fault.Validate(m); err != nil {
				return err
			}
			m.Version++
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Save(m).Error })
		},
		Delete: func(ctx context.Context, m *Maker) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Delete(m).Error })
		},
		Actions: []odata.Action{
			odata.Bound("Rename", func(ctx context.Context, m *Maker, p struct{ Name string }) (*Maker, error) {
				if p.Name == "" {
					return nil, fault.New(fault.Invalid, "a name is needed").At("Name")
				}
				m.Name = p.Name
				return m, nil
			}),
			odata.Bound("Close", func(ctx context.Context, m *Maker, _ odata.None) (odata.None, error) {
				return odata.None{}, nil
			}),
			odata.Bound("Fail", func(ctx context.Context, m *Maker, _ odata.None) (odata.None, error) {
				return odata.None{}, errors.New("secret trouble")
			}),
		},
	})
	odata.Add(s.Service, odata.Set[Product]{
		Name: "Products", Access: own("MakerID eq @maker"),
		Create: func(ctx context.Context, p *Product) error {
			p.ID = uuid.Must(uuid.NewV7())
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit("Maker").Create(p).Error })
		},
		Update: func(ctx context.Context, p *Product) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit("Maker").Save(p).Error })
		},
	})
	odata.Add(s.Service, odata.Set[Review]{Name: "Reviews", Access: own("")})
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Context() context.Context
}

// do sends "METHOD path" with a body and headers ("Name: value").
func (s *shop) do(t tester, ctx context.Context, request, body string, headers ...string) answer {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r := httptest.NewRequestWithContext(ctx, method, "http://shop.test/shop"+strings.NewReplacer(" ", "%20", "\"", "%22").Replace(path), strings.NewReader(body))
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	encoded := w.Header().Get("Content-Encoding") != ""
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && w.Body.Len() > 0 && !encoded {
		d := json.NewDecoder(bytes.NewReader(w.Body.Bytes()))
		d.UseNumber()
		if err := d.Decode(&a.json); err != nil {
			t.Fatalf("%s: the answer is not JSON: %v\n%s", request, err, a.body)
		}
	}
	return a
}

func (s *shop) get(t tester, path string) answer {
	t.Helper()
	return s.do(t, t.Context(), "GET "+path, "")
}

// names lists a property of the entities of a collection, in order.
func (a answer) names(property string) string {
	var names []string
	list, _ := a.json["value"].([]any)
	for _, x := range list {
		name, _ := json.Marshal(x.(map[string]any)[property])
		names = append(names, strings.Trim(string(name), `"`))
	}
	return strings.Join(names, " ")
}

func ptr[T any](v T) *T { return &v }

// fill puts a few makers, products and reviews into the shop.
func (s *shop) fill(t testing.TB) {
	t.Helper()
	makers := []Maker{
		{Name: "Aleph", Country: ptr("IL"), Active: true, Founded: ptr(time.Date(1990, 5, 1, 8, 30, 0, 0, time.UTC)), Version: 1},
		{Name: "Beta", Country: nil, Version: 1},
		{Name: "Gamma", Country: ptr("GR"), Active: true, Version: 3},
	}
	product := func(n int, name string, maker *int64, price *float64, stock *int64, props map[string]any) Product {
		id := uuid.UUID{15: byte(n)}
		return Product{
			ID: id, Name: name, MakerID: maker, Price: price, Stock: stock, Sold: n%2 == 0, Properties: props, Tags: []string{"t" + name},
			At:    ptr(time.Date(2026, 1, n, 10, 0, 0, n*1000, time.UTC)),
			Parts: []Part{{Label: "bolt", Count: int64(n)}},
		}
	}
	one, two := ptr(int64(1)), ptr(int64(2))
	products := []Product{
		product(1, "apple", one, ptr(1.5), ptr(int64(10)), map[string]any{"Color": "red", "Weight": 100}),
		product(2, "Banana", one, ptr(2.25), nil, map[string]any{"Color": "yellow", "Weight": "250"}),
		product(3, "תפוח", two, nil, ptr(int64(-3)), map[string]any{"Weight": 99.5, "Nested": map[string]any{"a": nil}}),
		product(4, "O'Neil", two, ptr(1e3), ptr(int64(0)), nil),
		product(5, "ΟΔΟΣ", nil, ptr(0.1), ptr(int64(10)), map[string]any{"Color": "Red", "Fresh": true}),
	}
	products[4].At = nil
	reviews := []Review{
		{ProductID: products[0].ID, Stars: 5, Text: ptr("great")},
		{ProductID: products[0].ID, Stars: 1},
		{ProductID: products[1].ID, Stars: 3, Text: ptr("so so")},
		{ProductID: products[3].ID, Stars: 4},
	}
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		return errors.Join(tx.Create(&makers).Error, tx.Omit("Maker").Create(&products).Error, tx.Omit("Product").Create(&reviews).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// each runs f on a filled shop on every database.
func each(t *testing.T, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newShop(t, dialect, odata.Limits{})
			s.fill(t)
			f(t, s)
		})
	}
}

// TestMain fixes the seed of the random tests, so that one run is like another;
// -rapid.seed=0 draws afresh.
func TestMain(m *testing.M) {
	_ = flag.Set("rapid.seed", "20261122") // the flag is rapid's own
	storetest.Main(m)
}
