package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// Each type that the trail tells of is named once, to admins.
func TestAuditEntities(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		admin := store.WithActor(t.Context(), store.Actor{Kind: store.Staff, Role: store.Admin})
		is := func(want ...string) {
			t.Helper()
			got, err := db.AuditEntities(admin)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		}
		is()
		for _, entity := range []string{"Rule", "Customer", "Rule", "Lead", "Customer"} {
			audited(t, db, store.Change{Action: "update", Entity: entity, Key: 1})
		}
		is("Customer", "Lead", "Rule")
		manager := store.WithActor(t.Context(), store.Actor{Kind: store.Staff, Role: store.Manager})
		if _, err := db.AuditEntities(manager); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("a manager gets %v", err)
		}
	})
}
