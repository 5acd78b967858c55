package odata_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/fault"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The workshop has a bit of everything in one place, for what the parts of the
// engine do to each other: money, enumerations, complex and dynamic values, a
// search index, delta links, relations to the same type, pages of two.
type (
	Tool struct {
		ID       int64          `odata:"computed"`
		Name     string         `validate:"required"`
		Price    int64          `odata:"decimal=2"`
		Cost     *int64         `odata:"decimal=2"`
		Grade    Grade          `gorm:"size:8"`
		Best     *Grade         `gorm:"size:8"`
		Bought   *time.Time     //
		Serial   *string        //
		Size     Frame          `gorm:"serializer:json;type:jsonb"`
		Marks    []string       `gorm:"serializer:json;type:jsonb"`
		Uses     []Use          `gorm:"serializer:json;type:jsonb"`
		More     map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		BenchID  *string        //
		ParentID *int64         //
		Version  int64          `odata:"computed,etag"`
		Bench    *Bench         `odata:"partner=Tools"`
		Parent   *Tool          `odata:"partner=Pieces"`
	}

	Frame struct {
		Grams int64
		Unit  *string
		Grade Grade
		Since *time.Time
	}

	Use struct {
		Day  int64
		Note *string
	}

	Bench struct {
		Code  string `gorm:"primaryKey"`
		Title *string
		Seats int64
	}
)

type hideKey struct{}

// hiding is the context of a caller who does not see these properties of tools,
// nor the tool called "secret".
func hiding(ctx context.Context, names ...string) context.Context {
	return context.WithValue(ctx, hideKey{}, names)
}

var tools = sqlgen.SearchIndex{Table: "tools", Key: "id", KeyType: "bigint", Columns: []string{"name", "serial"}}

func newWorkshop(t testing.TB, dialect string) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	limits := odata.Limits{}
	limits.PageSize, limits.ExpandPageSize = 2, 1
	s := &shop{db: db}
	s.Service = odata.New(odata.Options{
		Namespace: "Work", Prefix: "/shop", Read: db.Read, Limits: limits, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Write: func(ctx context.Context, f func(ctx context.Context) error) error {
			return db.Write(ctx, func(tx *gorm.DB) error { return f(tx.Statement.Context) })
		},
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	s.addTools()
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		err := tx.AutoMigrate(&Bench{}, &Tool{})
		for _, q := range slices.Concat(s.CreateChangeLogs(sqlgen.Dialect(dialect)), tools.Create(sqlgen.Dialect(dialect))) {
			err = errors.Join(err, tx.Exec(q).Error)
		}
		return errors.Join(err, tx.Create(&[]Bench{{Code: "a'1", Title: ptr("First"), Seats: 4}, {Code: "b"}}).Error,
			tx.Omit("Bench", "Parent").Create(toolbox()).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// toolbox is what is in the workshop: 2, 3 and 4 are pieces of 1, 5 and 6 of 2.
func toolbox() []Tool {
	list := []Tool{
		{
			Name: "saw", Price: 1999, Cost: ptr(int64(-5)), Grade: "Good", Best: ptr(Grade("Fair")), Serial: ptr("zebra"), BenchID: ptr("a'1"),
			Bought: ptr(time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC)), Marks: []string{"x", "y"},
			Size: Frame{Grams: 1 << 60, Unit: ptr("g"), Grade: "Poor", Since: ptr(time.Date(2021, 1, 2, 3, 4, 5, 0, time.UTC))},
			Uses: []Use{{Day: 2, Note: ptr("n")}, {Day: 1}}, More: map[string]any{"Color": "red", "Big": 12, "None": nil, "In": map[string]any{"a": nil, "b": 1}},
		},
		{Name: "blade", Price: 250, Grade: "Poor", BenchID: ptr("a'1"), ParentID: ptr(int64(1)), Serial: ptr("lion")},
		{Name: "grip", Price: 100, Grade: "Fair", BenchID: ptr("b"), ParentID: ptr(int64(1)), More: map[string]any{"Color": "blue"}},
		{Name: "screw", Price: 5, Grade: "Good", ParentID: ptr(int64(1))},
		{Name: "tooth", Price: 1, Grade: "Good", BenchID: ptr("a'1"), ParentID: ptr(int64(2))},
		{Name: "secret", Price: 7, Grade: "Good", BenchID: ptr("a'1"), ParentID: ptr(int64(2)), Cost: ptr(int64(300))},
	}
	for i := range list {
		list[i].Version = int64(70 + i)
	}
	return list
}

func (s *shop) addTools() {
	save := func(ctx context.Context, e *Tool) error {
		if err := fault.Validate(e); err != nil {
			return err
		}
		e.Version++
		return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit("Bench", "Parent").Save(e).Error })
	}
	find := func(ctx context.Context) ([]*Tool, error) {
		var list []*Tool
		return list, s.db.Read(ctx).Order("id").Limit(2).Find(&list).Error
	}
	odata.Add(s.Service, odata.Set[Tool]{
		Name: "Tools", Search: []string{"Name", "Serial"}, Track: true, Keep: []string{"Name"},
		Access: func(ctx context.Context) (odata.Predicate, error) {
			if names, ok := ctx.Value(hideKey{}).([]string); ok {
				return odata.Predicate{Expr: "Name ne 'secret'", Hide: names}, nil
			}
			return odata.All, nil
		},
		New:    func() *Tool { return &Tool{Grade: "Good", Size: Frame{Grade: "Good"}} },
		Create: save, Update: save,
		Delete: func(ctx context.Context, e *Tool) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Delete(e).Error })
		},
		Actions: []odata.Operation{odata.Bound("Touch", func(ctx context.Context, e *Tool, _ odata.None) (*Tool, error) { return e, save(ctx, e) })},
		Functions: []odata.Operation{
			odata.Bound("Self", func(_ context.Context, e *Tool, _ odata.None) (*Tool, error) { return e, nil }),
			odata.Bound("Frame", func(_ context.Context, e *Tool, _ odata.None) (Frame, error) { return e.Size, nil }),
			odata.BoundToSet("Oldest", func(ctx context.Context, _ odata.None) ([]*Tool, error) { return find(ctx) }),
		},
	})
	odata.Add(s.Service, odata.Set[Bench]{
		Name: "Benches", Access: func(context.Context) (odata.Predicate, error) { return odata.All, nil },
		Update: func(ctx context.Context, b *Bench) error {
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Save(b).Error })
		},
	})
}

// eachWorkshop runs f on a workshop on every database.
func eachWorkshop(t *testing.T, f func(t *testing.T, s *shop)) {
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) { f(t, newWorkshop(t, dialect)) })
	}
}
