package leads

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

// What ReadAll reads of a lead that has everything, and of one that has nothing,
// is what GORM reads.
func TestReadAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		full, bare := Lead{}, Lead{}
		row := reflect.ValueOf(&full).Elem()
		for i := range row.NumField() {
			if p, ok := row.Field(i).Addr().Interface().(**string); ok {
				*p = new(fmt.Sprint("ערך ", i))
			}
		}
		full.ID, bare.ID = uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
		now := time.Date(2026, 11, 22, 8, 0, 0, 123456000, time.UTC)
		full.ReceivedAt, full.FeedbackAt, full.IsTest, full.State, full.Version = now, &now, true, StateTest, 7
		full.ReasonID, full.DuplicateOfID = new(int32(3)), &bare.ID
		full.Properties = map[string]any{"Rooms": int64(4), "Tags": []any{"a", 1.5}, "Nothing": nil}
		bare.ReceivedAt, bare.State, bare.Version = now, StateNew, 1
		err := db.Write(t.Context(), func(tx *gorm.DB) error {
			return tx.Create([]*Lead{&bare, &full}).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadAll(t.Context(), db, []uuid.UUID{full.ID, uuid.New(), bare.ID})
		if err != nil {
			t.Fatal(err)
		}
		var rows []Lead
		if err := db.Read(t.Context()).Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		want := map[uuid.UUID]*Lead{}
		for i := range rows {
			want[rows[i].ID] = &rows[i]
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) != 2 {
			t.Error(diff)
		}
	})
}
