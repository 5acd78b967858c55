package staff

import (
	"context"
	"testing"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c := newStaff(db)
		addUser(t, s, "admin@example.com", "admin")
		u := addUser(t, s, "dana@example.com", "viewer")
		g := &Group{Name: " צוות צפון ", Description: "x"}
		if err := s.CreateGroup(asSystem, g); err != nil || g.ID == 0 || g.Name != "צוות צפון" || g.Version != 1 || !g.CreatedAt.Equal(c.Now()) {
			t.Fatalf("%+v, %v", g, err)
		}
		wantFault(t, s.CreateGroup(asSystem, &Group{Name: "צוות צפון"}), fault.Conflict, "Name")
		wantFault(t, s.CreateGroup(asSystem, &Group{Name: " "}), fault.Invalid, "Name")
		stale := *g
		g.Name = "North"
		if err := s.UpdateGroup(asSystem, g); err != nil || g.Version != 2 {
			t.Fatalf("%+v, %v", g, err)
		}
		wantFault(t, s.UpdateGroup(asSystem, &stale), fault.PreconditionFailed, "")
		wantFault(t, s.UpdateGroup(asSystem, &Group{ID: 999, Name: "x"}), fault.NotFound, "")

		member := func() *GroupMember { return &GroupMember{GroupID: g.ID, UserID: u.ID} }
		if err := s.AddMember(asSystem, member()); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.AddMember(asSystem, member()), fault.Conflict, "")
		wantFault(t, s.AddMember(asSystem, &GroupMember{GroupID: g.ID, UserID: 999}), fault.Invalid, "UserID")
		wantFault(t, s.AddMember(asSystem, &GroupMember{GroupID: 999, UserID: u.ID}), fault.Invalid, "UserID")
		wantFault(t, s.AddMember(asSystem, &GroupMember{GroupID: g.ID}), fault.Invalid, "UserID")
		if err := s.RemoveMember(asSystem, g.ID, u.ID); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.RemoveMember(asSystem, g.ID, u.ID), fault.NotFound, "")

		// Members go with their user or their group.
		if err := s.AddMember(asSystem, member()); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteUser(asSystem, u.ID); err != nil {
			t.Fatal(err)
		}
		var left int64
		if err := db.Read(background).Model(&GroupMember{}).Count(&left).Error; err != nil || left != 0 {
			t.Errorf("%d members are left, %v", left, err)
		}
		if err := s.DeleteGroup(asSystem, g.ID); err != nil {
			t.Fatal(err)
		}
		wantFault(t, s.DeleteGroup(asSystem, g.ID), fault.NotFound, "")

		manager := store.WithActor(background, store.Actor{Kind: store.Staff, Role: store.Manager, UserID: 1})
		for name, call := range map[string]func(context.Context) error{
			"create": func(ctx context.Context) error { return s.CreateGroup(ctx, &Group{Name: "x"}) },
			"update": func(ctx context.Context) error { return s.UpdateGroup(ctx, g) },
			"delete": func(ctx context.Context) error { return s.DeleteGroup(ctx, g.ID) },
			"add":    func(ctx context.Context) error { return s.AddMember(ctx, member()) },
			"remove": func(ctx context.Context) error { return s.RemoveMember(ctx, g.ID, u.ID) },
		} {
			t.Run(name, func(t *testing.T) {
				wantFault(t, call(manager), fault.Forbidden, "")
				wantFault(t, call(background), fault.Unauthorized, "")
			})
		}
	})
}
