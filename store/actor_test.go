package store_test

import (
	"testing"

	"leadloop/odata/fault"
	"leadloop/store"
)

func TestRequire(t *testing.T) {
	staff := func(r store.Role) store.Actor { return store.Actor{Kind: store.Staff, Role: r} }
	for _, c := range []struct {
		name  string
		actor store.Actor
		need  store.Role
		want  fault.Code
	}{
		{"nobody", store.Actor{}, store.Viewer, fault.Unauthorized},
		{"nobody with a role", store.Actor{Role: store.Admin}, store.Viewer, fault.Unauthorized},
		{"machine", store.Actor{Kind: store.Machine, Role: store.Admin, Scopes: []string{"leads:read"}}, store.Viewer, fault.Forbidden},
		{"staff without a role", staff(0), store.Viewer, fault.Forbidden},
		{"viewer", staff(store.Viewer), store.Manager, fault.Forbidden},
		{"manager", staff(store.Manager), store.Admin, fault.Forbidden},
		{"just enough", staff(store.Manager), store.Manager, ""},
		{"more than enough", staff(store.Admin), store.Viewer, ""},
		{"system", store.Actor{Kind: store.System}, store.Admin, ""},
	} {
		err := store.Require(store.WithActor(t.Context(), c.actor), c.need)
		if c.want == "" && err != nil || c.want != "" && (err == nil || fault.CodeOf(err) != c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if fault.CodeOf(store.Require(t.Context(), store.Viewer)) != fault.Unauthorized {
		t.Error("no actor at all")
	}
}

func TestRoleNames(t *testing.T) {
	for _, r := range []store.Role{store.Viewer, store.Manager, store.Admin} {
		if got, ok := store.ParseRole(r.String()); !ok || got != r {
			t.Errorf("%v came back as %v", r, got)
		}
	}
	for _, name := range []string{"", "none", "Admin", "root"} {
		if _, ok := store.ParseRole(name); ok {
			t.Errorf("%q is a role", name)
		}
	}
}

func TestScopes(t *testing.T) {
	a := store.Actor{Kind: store.Machine, Scopes: []string{"leads:read"}}
	if !a.Has("leads:read") || a.Has("feedback:write") {
		t.Error("machine")
	}
	a.Kind = store.Staff
	if a.Has("leads:read") {
		t.Error("scopes are for machines")
	}
}
