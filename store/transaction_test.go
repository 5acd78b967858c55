package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

var errUndo = errors.New("undo")

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		name string
		fn   func(ctx context.Context, db *store.DB, tx *gorm.DB) error
		want []string
	}{
		{"inner stays", func(ctx context.Context, db *store.DB, _ *gorm.DB) error {
			return db.Write(ctx, insert("inner"))
		}, []string{"inner", "outer"}},
		{"inner undone", func(ctx context.Context, db *store.DB, _ *gorm.DB) error {
			err := db.Write(ctx, func(tx *gorm.DB) error { return errors.Join(insert("inner")(tx), errUndo) })
			if !errors.Is(err, errUndo) {
				return err
			}
			return nil
		}, []string{"outer"}},
		{"inner breaks a constraint", func(ctx context.Context, db *store.DB, _ *gorm.DB) error {
			if err := db.Write(ctx, insert("unique")); err != nil {
				return err
			}
			if err := db.Write(ctx, insert("unique")); !errors.Is(err, gorm.ErrDuplicatedKey) {
				return err
			}
			return nil
		}, []string{"outer", "unique"}},
		{"inner panics", func(ctx context.Context, db *store.DB, _ *gorm.DB) error {
			defer func() { _ = recover() }()
			return db.Write(ctx, func(tx *gorm.DB) error {
				_ = insert("inner")(tx)
				panic("caught by the outer one")
			})
		}, []string{"outer"}},
		{"outer undone", func(ctx context.Context, db *store.DB, _ *gorm.DB) error {
			return errors.Join(db.Write(ctx, insert("inner")), errUndo)
		}, []string{}},
		{"three deep", func(ctx context.Context, db *store.DB, _ *gorm.DB) error {
			return db.Write(ctx, func(tx *gorm.DB) error {
				_ = db.Write(tx.Statement.Context, func(tx *gorm.DB) error {
					return errors.Join(insert("innermost")(tx), errUndo)
				})
				return insert("inner")(tx)
			})
		}, []string{"inner", "outer"}},
		{"GORM's own", func(_ context.Context, _ *store.DB, tx *gorm.DB) error {
			_ = tx.Transaction(func(tx *gorm.DB) error { return errors.Join(insert("undone")(tx), errUndo) })
			return tx.Transaction(insert("done"))
		}, []string{"done", "outer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				createNotes(t, db)
				err := db.Write(t.Context(), func(tx *gorm.DB) error {
					if err := insert("outer")(tx); err != nil {
						return err
					}
					return c.fn(tx.Statement.Context, db, tx)
				})
				if err != nil && !errors.Is(err, errUndo) {
					t.Error(err)
				}
				if diff := cmp.Diff(c.want, names(t, db)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestReadInsideSeesWhatWasWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		createNotes(t, db)
		other := storetest.Open(t, db.Dialect())
		err := db.Write(t.Context(), func(tx *gorm.DB) error {
			if err := insert("new")(tx); err != nil {
				return err
			}
			for where, want := range map[*gorm.DB]int64{
				db.Read(tx.Statement.Context): 1,
				db.Read(t.Context()):          0,
			} {
				var got int64
				if err := where.Model(&note{}).Count(&got).Error; err != nil || got != want {
					t.Errorf("%d notes, %v; want %d", got, err, want)
				}
			}
			if other.Read(tx.Statement.Context).Model(&note{}).Count(new(int64)).Error == nil {
				t.Error("another database took the transaction for its own")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestAfterCommit(t *testing.T) {
	for _, c := range []struct {
		name string
		fn   func(db *store.DB, tx *gorm.DB, hook func(string)) error
		want []string
	}{
		{"in order", func(_ *store.DB, _ *gorm.DB, hook func(string)) error {
			hook("one")
			hook("two")
			return nil
		}, []string{"one", "two"}},
		{"dropped on error", func(_ *store.DB, _ *gorm.DB, hook func(string)) error {
			hook("one")
			return errUndo
		}, nil},
		{"dropped on panic", func(_ *store.DB, _ *gorm.DB, hook func(string)) error {
			hook("one")
			panic(errUndo)
		}, nil},
		{"joined", func(db *store.DB, tx *gorm.DB, hook func(string)) error {
			hook("before")
			_ = db.Write(tx.Statement.Context, func(*gorm.DB) error {
				hook("undone")
				return errUndo
			})
			return db.Write(tx.Statement.Context, func(*gorm.DB) error {
				hook("inside")
				return nil
			})
		}, []string{"before", "inside"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			storetest.Each(t, func(t *testing.T, db *store.DB) {
				createNotes(t, db)
				var got []string
				_ = db.Write(t.Context(), func(tx *gorm.DB) error {
					return c.fn(db, tx, func(name string) {
						ctx := tx.Statement.Context
						store.AfterCommit(ctx, func() {
							got = append(got, name)
							if err := db.Write(ctx, insert(name)); err != nil { // on its own again
								t.Error(err)
							}
						})
						if len(got) > 0 {
							t.Errorf("called early: %v", got)
						}
					})
				})
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
	called := false
	store.AfterCommit(t.Context(), func() { called = true })
	if !called {
		t.Error("outside of a Write it is not called at once")
	}
}
