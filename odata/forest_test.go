package odata_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The forest has what the shop has not: entities related to their own type, keys
// of text and of two parts, complex values by themselves.
type (
	Tree struct {
		ID       int64
		Name     string
		ParentID *int64
		Height   *float64
		Due      *time.Time
		Soil     Soil           `gorm:"serializer:json"`
		Settings Signs          `gorm:"serializer:json"`
		Rings    []Ring         `gorm:"serializer:json"`
		Numbers  []int64        `gorm:"serializer:json"`
		Extra    map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		Parent   *Tree          `odata:"partner=Children"`
	}

	Soil struct {
		Kind  string
		Acid  *float64
		Layer *Layer
	}

	Layer struct {
		Depth int64
		Stony bool
	}

	Ring struct {
		Year  int64
		Width float64
		Layer Layer
	}

	Signs map[string]any

	Nest struct {
		Code   string `gorm:"primaryKey"`
		TreeID *int64
		Eggs   int64
		Tree   *Tree `odata:"partner=Nests"`
	}

	Visit struct {
		Day      int64   `gorm:"primaryKey;autoIncrement:false"`
		Visitor  string  `gorm:"primaryKey"`
		NestCode *string // of a nest
		Nest     *Nest   `gorm:"foreignKey:NestCode" odata:"partner=Visits"`
	}
)

type treeKey struct{}

// without is the context of a caller who does not see one of the trees.
func without(ctx context.Context, tree int64) context.Context {
	return context.WithValue(ctx, treeKey{}, tree)
}

// newForest is a service over the forest on one database.
func newForest(t testing.TB, dialect string, limits odata.Limits) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	if err := s.write(t.Context(), func(tx *gorm.DB) error { return tx.AutoMigrate(&Tree{}, &Nest{}, &Visit{}) }); err != nil {
		t.Fatal(err)
	}
	s.Service = odata.New(odata.Options{
		Namespace: "Forest", Prefix: "/shop", Read: db.Read, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	all := func(context.Context) (odata.Predicate, error) { return odata.All, nil }
	odata.Add(s.Service, odata.Set[Tree]{
		Name: "Trees",
		Access: func(ctx context.Context) (odata.Predicate, error) {
			if n, ok := ctx.Value(treeKey{}).(int64); ok {
				return odata.Predicate{Expr: "ID ne @not", Args: map[string]any{"not": n}}, nil
			}
			return odata.All, nil
		},
		Actions: []odata.Operation{odata.Bound("Fell", func(context.Context, *Tree, odata.None) (odata.None, error) { return odata.None{}, nil })},
	})
	odata.Add(s.Service, odata.Set[Nest]{Name: "Nests", Access: all})
	odata.Add(s.Service, odata.Set[Visit]{Name: "Visits", Access: all})
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	return s
}

// plant fills the forest: tree 1 has the children 2, 3 and 4, tree 2 has 5 and 6,
// tree 5 has 7.
func (s *shop) plant(t testing.TB) {
	t.Helper()
	var trees []Tree
	for i, parent := range []int64{0, 1, 1, 1, 2, 2, 5} {
		n := int64(i + 1)
		tree := Tree{
			ID: n, Name: "t" + string(rune('0'+n)), Soil: Soil{Kind: "clay", Layer: &Layer{Depth: n, Stony: n%2 == 0}},
			Settings: Signs{"URL": "http://t", "Tags": []any{"x", n}},
			Rings:    []Ring{{Year: 2000 + n, Width: 0.5}, {Year: 1990, Width: 1.25, Layer: Layer{Depth: n}}, {Year: 2010, Width: 1}},
			Numbers:  []int64{3, n, 10},
			Extra:    map[string]any{"Colour": "green"},
		}
		if parent > 0 {
			tree.ParentID = ptr(parent)
		}
		if n%3 != 0 {
			tree.Height = ptr(float64(n) / 4)
			tree.Due = ptr(time.Date(2026, 1, int(n), 12, 0, 0, 0, time.UTC))
		}
		trees = append(trees, tree)
	}
	nests := []Nest{{Code: "a/b'c", TreeID: ptr(int64(1)), Eggs: 3}, {Code: "ב א", TreeID: ptr(int64(1)), Eggs: 2}, {Code: "z", TreeID: ptr(int64(2))}}
	var visits []Visit
	for n := range int64(5) {
		visits = append(visits, Visit{Day: n, Visitor: "x&y", NestCode: ptr("a/b'c")})
	}
	err := s.write(t.Context(), func(tx *gorm.DB) error {
		return errors.Join(tx.Omit("Parent").Create(&trees).Error, tx.Omit("Tree").Create(&nests).Error, tx.Omit("Nest").Create(&visits).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// eachForest runs f on a planted forest on every database.
func eachForest(t *testing.T, limits odata.Limits, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			s := newForest(t, dialect, limits)
			s.plant(t)
			f(t, s)
		})
	}
}
