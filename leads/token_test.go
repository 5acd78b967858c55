package leads

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Tokens of a database in which they stood in clear go on working once they are
// sealed, the old ones as long as they may, whichever server seals them.
func TestSealTokens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		now := time.Date(2026, 11, 22, 3, 39, 0, 0, time.UTC)
		s := New(db, storetest.Vault())
		s.Now = func() time.Time { return now }
		var tokens [][2]string // with the one before
		for i := range 5 {
			src := addSource(t, s, Source{Kind: KindJSON, MaxRoutings: 1})
			next, err := s.RotateToken(manager(), src.ID, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			pair := [2]string{next.Token, src.Token}
			if err := db.Write(t.Context(), func(tx *gorm.DB) error {
				switch i {
				case 4: // sealed already
					return nil
				case 3: // sealed, but for a while the schema was of before
					pair[1] = next.Token
					return tx.Exec("UPDATE sources SET token_mac = NULL, old_token_mac = NULL WHERE id = ?", src.ID).Error
				}
				return tx.Exec("UPDATE sources SET token = ?, token_mac = NULL, old_token = ?, old_token_mac = NULL WHERE id = ?", next.Token, src.Token, src.ID).Error
			}); err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, pair)
		}
		sealed := make(chan error)
		for range 4 {
			go func() { sealed <- New(db, storetest.Vault()).SealTokens(t.Context()) }()
		}
		for range 4 {
			if err := <-sealed; err != nil {
				t.Error(err)
			}
		}
		for i, pair := range tokens {
			for _, token := range pair {
				if _, err := post(s, &Source{Token: token}, `{"City":"Haifa"}`); err != nil {
					t.Errorf("source %d: %v", i+1, err)
				}
			}
			if got, err := s.IntakeToken(manager(), int64(i+1)); err != nil || got != pair[0] {
				t.Errorf("source %d has the token %s, %v", i+1, got, err)
			}
		}
		var rows []struct {
			Token    string
			OldToken *string
		}
		if err := db.Read(t.Context()).Table("sources").Find(&rows).Error; err != nil || len(rows) != 5 {
			t.Fatal(rows, err)
		}
		for _, r := range rows {
			if !strings.HasPrefix(r.Token, "sealed:") || r.OldToken != nil {
				t.Errorf("stored as %+v", r)
			}
		}
		now = now.Add(time.Hour)
		if _, err := post(s, &Source{Token: tokens[0][1]}, `{"City":"Haifa"}`); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("the old token still works: %v", err)
		}
		_, err := s.IntakeToken(manager(), 99)
		wantFault(t, err, fault.NotFound, "")
		if _, err := s.IntakeToken(t.Context(), 1); fault.CodeOf(err) != fault.Unauthorized {
			t.Errorf("nobody may read it, got %v", err)
		}
	})
}
