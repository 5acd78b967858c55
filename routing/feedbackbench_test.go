package routing

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
	"leadloop/store/storetest"
)

// BenchmarkSetFeedback is the current feedback of one lead after the other, in one
// transaction.
func BenchmarkSetFeedback(b *testing.B) {
	s := New(storetest.Open(b, store.SQLite), storetest.Vault())
	defer s.Close()
	ctx := store.WithActor(b.Context(), store.Actor{Kind: store.Staff, Role: store.Manager, UserID: 1})
	err := s.db.Write(ctx, func(tx *gorm.DB) error {
		at := store.Now()
		for b.Loop() {
			at = at.Add(time.Millisecond)
			if err := s.SetFeedback(tx, Current{RoutingID: benchRouting, LeadID: benchLead, ReasonID: 3, At: at}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

var benchRouting, benchLead = uuid.New(), uuid.New() // the statements look for them all the same
