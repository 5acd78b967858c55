package store

import (
	"context"

	"github.com/google/uuid"

	"leadloop/odata/fault"
)

// ActorKind says what kind of party is acting.
type ActorKind uint8

// The kinds of Actor. Nobody, the zero value, is a caller who has not proved
// who they are.
const (
	Nobody  ActorKind = iota
	Staff             // a signed-in user, with a Role
	Machine           // a customer's connection, with Scopes
	System            // the program itself: workers, the command line
)

// Role is what a member of staff may do; each includes those below it.
type Role uint8

// The roles, in order. The zero value is no role at all.
const (
	Viewer Role = iota + 1
	Manager
	Admin
)

var roleNames = map[Role]string{Viewer: "viewer", Manager: "manager", Admin: "admin"}

// String gives the role's name as the users table has it, and "none" for the
// zero value.
func (r Role) String() string {
	if name, ok := roleNames[r]; ok {
		return name
	}
	return "none"
}

// ParseRole is the reverse of String; ok is false for a name that is no role.
func ParseRole(name string) (r Role, ok bool) {
	for r, n := range roleNames {
		if n == name {
			return r, true
		}
	}
	return 0, false
}

// Actor is who is acting: what access checks go by, and what the audit trail
// will record.
type Actor struct {
	Kind         ActorKind
	UserID       int64     // Staff
	Role         Role      // Staff
	SessionID    uuid.UUID // Staff: the sign-in they act by
	ConnectionID uuid.UUID
	CustomerID   int64    // Machine: whose connection it is
	Scopes       []string // Machine
	Name         string   // for people to read: an e-mail address, a connection's name
}

// Has reports whether the actor is a Machine whose connection has scope.
func (a Actor) Has(scope string) bool {
	if a.Kind != Machine {
		return false
	}
	for _, s := range a.Scopes {
		if s == scope {
			return true
		}
	}
	return false
}

type actorKey struct{}

// WithActor returns ctx with a as the acting party.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorOf returns the acting party of ctx: Nobody's zero Actor when none was set.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// Require returns nil when ctx's actor is the System, or Staff with at least
// role. It returns an Unauthorized fault for Nobody and Forbidden for the rest.
func Require(ctx context.Context, role Role) error {
	a := ActorOf(ctx)
	switch {
	case a.Kind == System, a.Kind == Staff && a.Role >= role:
		return nil
	case a.Kind == Nobody:
		return fault.New(fault.Unauthorized, "Sign in first")
	}
	return fault.Newf(fault.Forbidden, "This needs the role %s", role)
}
