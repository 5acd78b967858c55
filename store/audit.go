package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// AuditEvent is one entry of the audit trail: who changed which entity, through
// what and when. It is never changed, and never deleted.
type AuditEvent struct {
	ID int64     `gorm:"primaryKey" odata:"computed"`
	At time.Time `odata:"computed"`
	// ActorKind is staff, connection, system or nobody; ActorID the user's ID or
	// the ConnectionID.
	ActorKind string `odata:"computed"`
	ActorID   string `odata:"computed"`
	ActorName string `odata:"computed"`
	// Through is the road the change came by, as Actor.Through has it.
	Through       string `odata:"computed"`
	RemoteAddress string `odata:"computed"`
	Action        string `odata:"computed"`
	Entity        string `odata:"computed"` // the entity's type
	Key           string `odata:"computed"` // the entity's
	// Before and After hold the properties that changed, by name. Secrets are
	// shown as ***. Before is empty for what was made, After for what was deleted.
	Before Facts  `gorm:"serializer:json" odata:"computed"`
	After  Facts  `gorm:"serializer:json" odata:"computed"`
	Hash   []byte `odata:"-"`
}

// Facts are properties of an entity by name.
type Facts map[string]any

// WithVault gives the database the vault whose key the audit trail is chained
// under; without it Audit fails.
func WithVault(v *Vault) Option {
	return func(o *options) { o.auditKey = v.Key("audit trail") }
}

// Audit adds change to the audit trail, in the transaction of tx: it is there
// when the change is, and gone when that is undone. The actor is that of tx's
// context. Call it as late in the transaction as may be: from then on, until the
// transaction ends, no other can write to the trail.
func Audit(tx *gorm.DB, change Change) error {
	ctx := tx.Statement.Context
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	if t == nil || t.db.options.auditKey == nil {
		return errors.New("audit: outside of a Write, or in a database without a vault")
	}
	e, err := newEvent(ctx, change)
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	c := chain{key: t.db.options.auditKey}
	if err := c.add(tx, e); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// newEvent is change as an event that has no place in the chain yet.
func newEvent(ctx context.Context, change Change) (*AuditEvent, error) {
	before, after, err := change.facts()
	if err != nil {
		return nil, err
	}
	a := ActorOf(ctx)
	return &AuditEvent{
		At: Now(), ActorKind: a.Kind.String(), ActorID: a.id(), ActorName: plainText(a.Name), Through: a.Through, RemoteAddress: a.Remote,
		Action: change.Action, Entity: change.Entity, Key: change.key(), Before: before, After: after,
	}, nil
}

var kindNames = [...]string{Nobody: "nobody", Staff: "staff", Machine: "connection", System: "system"}

// String is the kind as the audit trail has it: nobody, staff, connection or
// system.
func (k ActorKind) String() string { return kindNames[k] }

// id is what tells the actor from others of its kind.
func (a Actor) id() string {
	switch {
	case a.Kind == Staff:
		return strconv.FormatInt(a.UserID, 10)
	case a.Kind == Machine && a.ConnectionID != uuid.Nil:
		return a.ConnectionID.String()
	}
	return ""
}
