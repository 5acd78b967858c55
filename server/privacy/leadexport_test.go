package privacy

import (
	"strings"
	"testing"

	"leadloop/leads"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// The trail tells that leads were taken out, and not whom they were looked for by:
// it is kept for ever.
func TestExportLeads(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s := New(db, leads.New(db, storetest.Vault()))
		ctx := store.WithActor(t.Context(), store.Actor{Kind: store.Staff, UserID: 1, Role: store.Viewer})
		taken := Taken{Filter: "FirstName eq 'Zilpa' and LastName eq 'O''Zilpa' and Budget gt 5 or City eq 'Zilpa", Search: "Zilpa", Format: "csv", Columns: []string{"Name"}}
		if err := s.ExportLeads(ctx, taken); err != nil {
			t.Fatal(err)
		}
		var e store.AuditEvent
		if err := db.Read(ctx).Take(&e).Error; err != nil {
			t.Fatal(err)
		}
		if got := e.After["Filter"]; got != "FirstName eq '…' and LastName eq '…' and Budget gt 5 or City eq '…'" || e.After["Search"] != "…" || e.After["Format"] != "csv" {
			t.Errorf("%v", e.After)
		}
		if err := s.ExportLeads(t.Context(), taken); err == nil || strings.Contains(err.Error(), "Zilpa") {
			t.Errorf("nobody: %v", err)
		}
	})
}
