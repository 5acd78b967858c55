package store_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// together runs the functions in one shared transaction, in their order, and
// returns their errors.
func together(t *testing.T, db *store.DB, fns ...func(tx *gorm.DB) error) []error {
	t.Helper()
	db.Unhurry()
	gate, begun := make(chan struct{}), make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	defer open()
	errs := make([]error, len(fns))
	var writes sync.WaitGroup
	writes.Go(func() {
		var once sync.Once // it runs again when the transaction is lost
		_ = db.Write(t.Context(), func(*gorm.DB) error {
			once.Do(func() {
				close(begun)
				<-gate
			})
			return nil
		})
	})
	<-begun
	for i, fn := range fns {
		writes.Go(func() { errs[i] = db.Write(t.Context(), fn) })
		eventually(t, func() bool { return db.Waiting() == i+1 })
	}
	open()
	writes.Wait()
	return errs
}

// eventually waits until ok.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("it never came to that")
		}
	}
}

// What rolls the whole transaction back fails alone; the others run again.
func TestLostTransaction(t *testing.T) {
	for _, c := range []struct {
		name    string
		culprit func(tx *gorm.DB) error
		want    string
	}{
		{"noticed", func(tx *gorm.DB) error {
			return errors.Join(tx.Exec("ROLLBACK").Error, errUndo)
		}, "undo"},
		{"unnoticed", func(tx *gorm.DB) error { return tx.Exec("ROLLBACK").Error }, "lost"},
		{"by a constraint", func(tx *gorm.DB) error {
			return tx.Exec("INSERT OR ROLLBACK INTO notes (name) VALUES ('unique'), ('unique')").Error
		}, "UNIQUE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := storetest.Open(t, store.SQLite)
			createNotes(t, db)
			runs := 0
			first := func(tx *gorm.DB) error {
				runs++
				return insert("first")(tx)
			}
			failing := func(tx *gorm.DB) error { return errors.Join(insert("failing")(tx), errUndo) }
			errs := together(t, db, first, failing, c.culprit, insert("last"))
			if errs[0] != nil || !errors.Is(errs[1], errUndo) || errs[3] != nil {
				t.Errorf("got %v", errs)
			}
			if errs[2] == nil || !strings.Contains(errs[2].Error(), c.want) {
				t.Errorf("the culprit got %v", errs[2])
			}
			if runs != 3 { // with the culprit, again without the failing one, alone
				t.Errorf("the first one ran %d times", runs)
			}
			if diff := cmp.Diff([]string{"first", "last"}, names(t, db)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A commit that fails fails everyone, also who had an error of their own: that
// may rest on what is gone.
func TestFailedCommit(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	createNotes(t, db)
	if err := db.Write(t.Context(), func(tx *gorm.DB) error {
		return tx.Exec("CREATE TABLE late (id integer REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)").Error
	}); err != nil {
		t.Fatal(err)
	}
	hooked := false
	errs := together(
		t, db,
		func(tx *gorm.DB) error {
			store.AfterCommit(tx.Statement.Context, func() { hooked = true })
			return insert("first")(tx)
		},
		func(tx *gorm.DB) error { return tx.Exec("INSERT INTO late VALUES (99)").Error },
		func(*gorm.DB) error { return errUndo },
	)
	for i, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "commit failed") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if hooked {
		t.Error("a hook ran")
	}
	if err := db.Write(t.Context(), insert("next")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"next"}, names(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestGoexit(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	createNotes(t, db)
	exit := func(tx *gorm.DB) error {
		_ = insert("gone")(tx)
		runtime.Goexit()
		return nil
	}
	errs := together(t, db, insert("before"), exit, exit, insert("after"))
	if errs[0] != nil || errs[1] == nil || errs[2] == nil || errs[3] != nil {
		t.Errorf("got %v", errs)
	}
	if diff := cmp.Diff([]string{"after", "before"}, names(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestContextOverWhileWaiting(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	createNotes(t, db)
	gate, begun := make(chan struct{}), make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		_ = db.Write(t.Context(), func(*gorm.DB) error {
			close(begun)
			<-gate
			return nil
		})
	})
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan error)
	go func() { answered <- db.Write(ctx, insert("never")) }()
	eventually(t, func() bool { return db.Waiting() == 1 })
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(gate)
	others.Wait()
	if diff := cmp.Diff([]string{}, names(t, db)); diff != "" {
		t.Error(diff)
	}
}

// A context inside a function cannot interrupt what it shares with others.
func TestContextInsideIsNotShared(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	createNotes(t, db)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	errs := together(t, db, insert("first"), func(tx *gorm.DB) error {
		return insert("second")(tx.WithContext(over))
	})
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"first", "second"}, names(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestLeftOpenRows(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	createNotes(t, db)
	leave := func(sql string) func(tx *gorm.DB) error {
		return func(tx *gorm.DB) error {
			rows, err := tx.Raw(sql).Rows() //nolint:rowserrcheck // that is the point
			if err == nil {
				rows.Next()
			}
			return err
		}
	}
	errs := together(
		t, db,
		insert("a"), insert("b"),
		leave("SELECT * FROM notes"),
		leave("INSERT INTO notes (name) VALUES ('c'), ('d') RETURNING id"),
		insert("e"),
	)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, names(t, db)); diff != "" {
		t.Error(diff)
	}
}

// The mistake would stop the program for good; it is answered instead.
func TestWriteWaitingForItself(t *testing.T) {
	db := storetest.Open(t, store.SQLite)
	createNotes(t, db)
	err := db.Write(t.Context(), func(*gorm.DB) error { return db.Write(t.Context(), insert("never")) })
	if err == nil || !strings.Contains(err.Error(), "Write inside a Write") {
		t.Errorf("got %v", err)
	}
	if err := db.Write(t.Context(), insert("next")); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"next"}, names(t, db)); diff != "" {
		t.Error(diff)
	}
}

func TestBusyElsewhere(t *testing.T) {
	path := storetest.DSN(t, store.SQLite)
	holder := open(t, path)
	createNotes(t, holder)
	db := open(t, path, store.BusyTimeout(20*time.Millisecond))
	err := holder.Write(t.Context(), func(*gorm.DB) error {
		err := db.Write(t.Context(), insert("refused"))
		if fault.CodeOf(err) != fault.Unavailable || !strings.Contains(err.Error(), "locked") {
			t.Errorf("got %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.Write(t.Context(), insert("taken")); err != nil {
		t.Error(err)
	}
}
