package odata_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata"
	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/sqlgen"
	"leadloop/store"
	"leadloop/store/storetest"
)

// The depot has what the shop has not: enumeration types, money, narrow
// numbers, rules and descriptions, functions, and values without a type.
type (
	// Grade is an enumeration held as text.
	Grade string

	// Stage is an enumeration held as a number.
	Stage int16

	// Trait is an enumeration of flags.
	Trait int64

	Crate struct {
		Code     string         `gorm:"primaryKey" validate:"required,max=12,alphanum" doc:"What is painted on the crate"`
		Grade    Grade          `doc:"How good it is"`
		Best     *Grade         `odata:"immutable"`
		Stage    Stage          `gorm:"not null;default:0"`
		Traits   Trait          `doc:"\"Fragile\" & the like, <any of them>"`
		Price    int64          `odata:"decimal=2" validate:"gte=0"`
		Discount *int32         `odata:"decimal=3"`
		Level    int8           `validate:"min=-5,max=5"`
		Shelf    uint8          `validate:"oneof=1 2 3"`
		Weight   float32        `validate:"gt=0,lt=99.5"`
		Color    *string        `validate:"omitempty,oneof=red green"`
		Mail     string         `validate:"omitempty,email"`
		Site     string         `validate:"omitempty,url"`
		Marks    []string       `gorm:"serializer:json" validate:"max=3,dive,oneof=a b c"`
		Extra    []any          `gorm:"serializer:json"`
		Size     Size           `gorm:"serializer:json"`
		Notes    map[string]any `gorm:"serializer:json;type:jsonb" odata:"dynamic"`
		Version  int64          `odata:"computed,etag"`
		Loads    []Load         `gorm:"foreignKey:CrateCode" odata:"partner=Crate"`
	}

	Size struct {
		Width, Height int32
		Grade         Grade
		Unit          *string `validate:"omitempty,max=3" doc:"Of both"`
	}

	Load struct {
		CrateCode string    `gorm:"primaryKey"`
		Number    int32     `gorm:"primaryKey;autoIncrement:false"`
		ID        uuid.UUID `gorm:"type:uuid"`
	}
)

func (Grade) ODataEnum() []edm.Member {
	return []edm.Member{{Name: "Good", Description: "As new"}, {Name: "Fair"}, {Name: "Poor"}}
}

func (Stage) ODataEnum() []edm.Member {
	return []edm.Member{{Name: "Packed"}, {Name: "Shipped", Value: 5}, {Name: "Lost", Value: -1}}
}

func (Trait) ODataFlags() []edm.Member {
	return []edm.Member{{Name: "Fragile", Value: 1}, {Name: "Cold", Value: 2}, {Name: "Heavy", Value: 4}}
}

// newDepot is a service over the depot with two crates in it.
func newDepot(t testing.TB, dialect string) *shop {
	t.Helper()
	db, err := store.Open(t.Context(), storetest.DSN(t, dialect), store.SQLiteHook(sqlgen.RegisterSQLite))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := &shop{db: db}
	s.Service = odata.New(odata.Options{
		Namespace: "Depot", Prefix: "/shop", Read: db.Read, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Title: "The depot", Version: "2.1",
		Security: map[string]any{"key": map[string]any{"type": "apiKey", "in": "header", "name": "X-API-Key"}},
		Now:      func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) },
	})
	s.addDepot()
	if err := s.Build(); err != nil {
		t.Fatal(err)
	}
	crates := []Crate{
		{Code: "A1", Grade: "Good", Stage: 5, Traits: 5, Price: 1999, Level: -3, Shelf: 2, Weight: 1.5, Best: ptr(Grade("Fair")), Size: Size{Width: 3, Grade: "Poor"}},
		{Code: "B'2", Grade: "Poor", Traits: 8, Stage: -1, Price: -5, Discount: ptr(int32(1250)), Shelf: 1, Weight: 20.5, Extra: []any{1, "x"}},
	}
	err = s.write(t.Context(), func(tx *gorm.DB) error {
		if err := tx.AutoMigrate(&Crate{}, &Load{}); err != nil {
			return err
		}
		return errors.Join(tx.Omit("Loads").Create(&crates).Error, tx.Create(&Load{CrateCode: "A1", Number: 7, ID: uuid.UUID{1}}).Error)
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) addDepot() {
	odata.Add(s.Service, odata.Set[Crate]{
		Name: "Crates", Description: "What stands in the depot", Access: own("Code eq 'none' or @maker eq 1"),
		Annotations: []edm.Annotation{{Term: "Core.LongDescription", Value: "Crates & <boxes>"}},
		Create: func(ctx context.Context, c *Crate) error {
			if err := fault.Validate(c); err != nil {
				return err
			}
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit("Loads").Create(c).Error })
		},
		Update: func(ctx context.Context, c *Crate) error {
			c.Version++
			return s.write(ctx, func(tx *gorm.DB) error { return tx.Omit("Loads").Save(c).Error })
		},
		Actions: []odata.Operation{
			odata.Bound("Ship", func(_ context.Context, c *Crate, p struct {
				To    string `validate:"required,max=40" doc:"Where to"`
				Stage *Stage
				Grade Grade
				Via   []string
			},
			) (*Crate, error) {
				c.Stage, c.Mail = 5, p.To
				if p.Stage != nil {
					c.Stage = *p.Stage
				}
				c.Marks = p.Via
				return c, nil
			}).Describe("Sends a crate off"),
			odata.BoundToSet("Sweep", func(context.Context, odata.None) (int64, error) { return 3, nil }),
		},
		Functions: []odata.Operation{
			odata.Bound("Volume", func(_ context.Context, c *Crate, p struct {
				Factor float64
				Unit   *string
			},
			) (float64, error) {
				return float64(c.Size.Width) * p.Factor, nil
			}),
			odata.BoundToSet("Heaviest", func(ctx context.Context, p struct{ Top int32 }) ([]*Crate, error) {
				var list []*Crate
				return list, s.db.Read(ctx).Order("weight desc").Limit(int(p.Top)).Find(&list).Error
			}),
		},
	})
	odata.Add(s.Service, odata.Set[Load]{Name: "Loads", Access: own("")})
	odata.AddFunctions(s.Service,
		odata.Unbound("Find", func(ctx context.Context, p struct{ Code string }) (*Crate, error) {
			var list []*Crate
			err := s.db.Read(ctx).Where("code = ?", p.Code).Find(&list).Error
			if len(list) == 0 {
				return nil, err
			}
			return list[0], err
		}),
		odata.Unbound("Colors", func(context.Context, odata.None) ([]string, error) { return []string{"red", "green"}, nil }),
		odata.Unbound("Largest", func(_ context.Context, p struct {
			Sizes []Size
			Whole *bool
		},
		) (Size, error) {
			var largest Size
			for _, size := range p.Sizes {
				if size.Width > largest.Width {
					largest = size
				}
			}
			return largest, nil
		}),
	)
	odata.AddActions(s.Service,
		odata.Unbound("Close", func(context.Context, struct{ At time.Time }) (odata.None, error) { return odata.None{}, nil }).Describe("Shuts the doors"),
		odata.Unbound("Echo", func(_ context.Context, p struct{ Value any }) (any, error) { return p.Value, nil }),
	)
}
