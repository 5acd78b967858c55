package staff

import (
	"context"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Client is where a request of the staff comes from, as it is shown to them.
type Client struct {
	Address netip.Addr
	Agent   string // the header User-Agent
}

type clientKey struct{}

// WithClient returns ctx with c as what signs in or refreshes in it.
func WithClient(ctx context.Context, c Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientOf(ctx context.Context) Client {
	c, _ := ctx.Value(clientKey{}).(Client)
	return c
}

func (c Client) address() string {
	if !c.Address.IsValid() {
		return ""
	}
	return c.Address.Unmap().String()
}

// agent is what is kept of the program's own word for itself.
func (c Client) agent() string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(c.Agent, ""))
	if runes := []rune(clean); len(runes) > 200 {
		return string(runes[:200])
	}
	return clean
}

// SignedIn is one sign-in of a user that lives on.
type SignedIn struct {
	ID         uuid.UUID
	BeganAt    time.Time
	LastUsedAt time.Time // to a quarter of an hour: when its tokens were last refreshed, or its browser came
	ExpiresAt  time.Time // unless it is used before
	Address    string    // as of LastUsedAt; "" if not known
	Agent      string
	Current    bool // the one that asks
}

// Sessions gives the sign-ins of the user who acts, the last used first. Forbidden
// for others than staff.
func (s *Service) Sessions(ctx context.Context) ([]SignedIn, error) {
	actor, err := person(ctx)
	if err != nil {
		return nil, err
	}
	var rows []Session
	err = s.DB.Read(ctx).Where("user_id = ? AND used_at IS NULL AND revoked_at IS NULL AND expires_at > ?", actor.UserID, s.Now()).
		Order("COALESCE(seen_at, created_at) DESC, id DESC").Find(&rows).Error
	if err != nil {
		return nil, userFault("list sessions", err)
	}
	list := make([]SignedIn, 0, len(rows))
	for _, row := range rows {
		used := row.CreatedAt
		if row.SeenAt != nil {
			used = *row.SeenAt
		}
		list = append(list, SignedIn{
			ID: row.Family, BeganAt: row.BeganAt, LastUsedAt: used, ExpiresAt: row.ExpiresAt,
			Address: row.Address, Agent: row.Agent, Current: row.Family == actor.SessionID,
		})
	}
	return list, nil
}

// EndSession ends a sign-in of the user who acts: at once on this server, within
// two seconds on others. NotFound for one that is not theirs or has ended.
func (s *Service) EndSession(ctx context.Context, id uuid.UUID) error {
	actor, err := person(ctx)
	if err != nil {
		return err
	}
	err = s.DB.Write(ctx, func(tx *gorm.DB) error {
		res := tx.Exec("UPDATE sessions SET revoked_at = ? WHERE family = ? AND user_id = ? AND revoked_at IS NULL", s.Now(), id, actor.UserID)
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return fault.Newf(fault.NotFound, "no session %v", id)
		}
		store.AfterCommit(tx.Statement.Context, s.live.purge)
		return store.Audit(tx, store.Change{Action: "EndSession", Entity: "Session", Key: id})
	})
	return userFault("end session", err)
}

// person is the member of the staff who acts.
func person(ctx context.Context) (store.Actor, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return store.Actor{}, err
	}
	actor := store.ActorOf(ctx)
	if actor.Kind != store.Staff {
		return store.Actor{}, fault.New(fault.Forbidden, "only staff have sessions and a password of their own")
	}
	return actor, nil
}
