package odata_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The archive has what the shop has not: keys of text and of two parts, complex
// values in complex values, numbers that JSON has no form for.
type (
	Volume struct {
		Code     string `gorm:"primaryKey"`
		Title    string
		Pages    int64
		Weight   *float64
		Printed  *time.Time
		Sizes    []int64        `gorm:"serializer:json;type:jsonb"`
		Cover    Cover          `gorm:"serializer:json;type:jsonb"`
		Editions []Edition      `gorm:"serializer:json;type:jsonb"`
		More     map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		Version  int64          `odata:"computed,etag"`
		Copies   []Copy         `gorm:"foreignKey:VolumeCode" odata:"partner=Volume"`
	}

	Cover struct {
		Colour string
		Grams  int64
		Foil   *Foil
	}

	Foil struct {
		Name  *string
		Parts []int64
	}

	Edition struct {
		Year  int64
		Cover Cover
	}

	Copy struct {
		VolumeCode string `gorm:"primaryKey"`
		Number     int32  `gorm:"primaryKey"`
		Place      *string
		Lent       bool
	}
)

// newArchive is a service over the archive, filled.
func newArchive(t testing.TB, dialect string, change func(*odata.Options)) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	o := odata.Options{
		Namespace: "Archive", Prefix: "/shop", Read: db.Read, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	}
	if change != nil {
		change(&o)
	}
	s.Service = odata.New(o)
	all := func(context.Context) (odata.Predicate, error) { return odata.All, nil }
	odata.Add(s.Service, odata.Set[Volume]{
		Name: "Books", Access: all,
		Create: func(ctx context.Context, b *Volume) error {
			b.Version = 1
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Create(b).Error })
		},
		Update: func(ctx context.Context, b *Volume) error { return nil },
		Actions: []odata.Action{
			odata.Bound("Bind", func(ctx context.Context, b *Volume, p struct{ Colour string }) (Cover, error) {
				return Cover{Colour: p.Colour, Grams: math.MaxInt64}, nil
			}),
		},
	})
	odata.Add(s.Service, odata.Set[Copy]{Name: "Copies", Access: all})
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		return errors.Join(tx.AutoMigrate(&Volume{}, &Copy{}), tx.Omit("Copies").Create(books()).Error, tx.Create(copies()).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func books() []Volume {
	return []Volume{
		{
			Code: "a", Title: "First", Pages: math.MaxInt64, Weight: ptr(0.5), Printed: ptr(time.Date(1990, 5, 1, 8, 30, 0, 0, time.UTC)),
			Sizes: []int64{1, math.MinInt64}, Cover: Cover{"red", 5, &Foil{ptr("gold"), []int64{7}}},
			Editions: []Edition{{Year: 1990, Cover: Cover{Colour: "blue"}}}, More: map[string]any{"Shelf": "A1", "Lost": nil}, Version: 1,
		},
		{Code: "it's/50%?", Title: "Second", Weight: ptr(math.Inf(1)), Version: 2},
		{Code: "ספר", Title: "Third", Weight: ptr(math.Inf(-1)), Version: 3},
	}
}

func copies() []Copy {
	return []Copy{{"a", 1, ptr("hall"), false}, {"a", 2, nil, true}, {"it's/50%?", 1, ptr("cellar"), false}}
}

// eachArchive runs f on a filled archive on every database.
func eachArchive(t *testing.T, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) { f(t, newArchive(t, dialect, nil)) })
	}
}

// unspaced is JSON without white space, which PostgreSQL puts into it.
func unspaced(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(text)); err != nil {
		return text
	}
	return b.String()
}

// behindProxy sets the networks of proxies.
func behindProxy(networks ...string) func(*odata.Options) {
	return func(o *odata.Options) {
		for _, n := range networks {
			o.TrustedProxies = append(o.TrustedProxies, netip.MustParsePrefix(n))
		}
	}
}

// normal is JSON with the members of objects in the order of their names.
func normal(text string) string {
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return text
	}
	out, err := json.Marshal(v)
	if err != nil {
		return text
	}
	return string(out)
}
