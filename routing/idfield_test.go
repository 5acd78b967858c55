package routing

import (
	"context"
	"slices"
	"testing"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// TestIDFields finds what active rules call the RoutingID.
func TestIDFields(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		crm := newReceiver(t, status(200))
		mapped := func(entries ...MappingEntry) func(*Rule) {
			return func(r *Rule) { r.Mapping = append(entries, MappingEntry{Target: "first", Source: "FirstName"}) }
		}
		first := f.activated(crm.URL, mapped(MappingEntry{Target: "ref", Source: "RoutingID"}))
		f.activated(crm.URL, mapped(MappingEntry{Target: "custom.ref", Source: "concat('x',cast(RoutingID,Edm.String))"}, MappingEntry{Target: "ref", Source: "RoutingID"}))
		f.rule(crm.URL, mapped(MappingEntry{Target: "draft", Source: "RoutingID"}))
		secret := f.activated(crm.URL, mapped(MappingEntry{Target: "hidden", Source: "RoutingID"}))
		f.write("UPDATE rules SET visibility = 'chosen' WHERE id = ?", secret.ID)
		viewer, _ := f.person("viewer@example.com", store.Viewer)
		machine := func(customer int64) context.Context {
			return store.WithActor(context.Background(), store.Actor{Kind: store.Machine, CustomerID: customer})
		}
		for _, c := range []struct {
			ctx  context.Context
			want []string
		}{{viewer, []string{"custom.ref", "ref"}}, {machine(first.CustomerID), []string{"custom.ref", "hidden", "ref"}}} {
			got, err := f.IDFields(c.ctx, first.CustomerID)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%v, %v, want %v", got, err, c.want)
			}
		}
		if _, err := f.IDFields(machine(first.CustomerID+1), first.CustomerID); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("another customer: %v", err)
		}
		if _, err := f.IDFields(context.Background(), first.CustomerID); fault.CodeOf(err) != fault.Unauthorized {
			t.Errorf("nobody: %v", err)
		}
	})
}
