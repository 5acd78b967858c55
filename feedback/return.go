package feedback

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// The states of a request to return a lead.
const (
	ReturnRequested = "requested"
	ReturnApproved  = "approved"
	ReturnDeclined  = "declined"
)

// DecideReturn approves or declines the return that the report asks for, with a
// comment that the customer sees. It may be decided anew. An approved return marks
// the routing as returned: it does not count as given or sold any more. The lead
// stays with the customer and the places it took in caps stay taken, as the rule
// gave it. Needs a manager. NotFound for an unknown report, Conflict for one that
// asks for no return.
func (s *Service) DecideReturn(ctx context.Context, id uuid.UUID, approve bool, comment *string) error {
	if err := store.Require(ctx, store.Manager); err != nil {
		return err
	}
	if comment != nil {
		switch text := strings.TrimSpace(*comment); {
		case text == "":
			comment = nil
		case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
			return fault.New(fault.Invalid, "Comment is not text").At("Comment")
		case utf8.RuneCountInString(text) > 10000:
			return fault.New(fault.Invalid, "Comment is longer than 10000 characters").At("Comment")
		default:
			comment = &text
		}
	}
	state := ReturnDeclined
	if approve {
		state = ReturnApproved
	}
	now := s.Now()
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		var f Feedback
		if err := tx.Where("id = ?", id).Limit(1).Find(&f).Error; err != nil {
			return err
		}
		switch {
		case f.ID == uuid.Nil:
			return fault.Newf(fault.NotFound, "no feedback %s", id)
		case f.ReturnState == nil:
			return fault.New(fault.Conflict, "the report does not ask for a return")
		case *f.ReturnState == state && same(f.ReturnComment, comment):
			return nil // the same decision again
		}
		// One decision on a routing after the other.
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Take(&routing.Routing{}, "id = ?", f.RoutingID).Error; err != nil {
			return err
		}
		err := tx.Exec("UPDATE feedback SET return_state = ?, return_comment = ?, return_decided_at = ? WHERE id = ?", state, comment, now, id).Error
		if err != nil {
			return err
		}
		var first []Feedback
		err = tx.Where("routing_id = ? AND return_state = ?", f.RoutingID, ReturnApproved).Order("return_decided_at").Limit(1).Find(&first).Error
		if err != nil {
			return err
		}
		var at *time.Time
		if len(first) > 0 {
			at = first[0].ReturnDecidedAt
		}
		if err := s.Routing.SetReturned(tx, f.RoutingID, at); err != nil {
			return err
		}
		return store.Audit(tx, store.Change{
			Action: "DecideReturn", Entity: "Feedback", Key: id,
			Before: store.Facts{"ReturnState": *f.ReturnState, "CommentGiven": f.ReturnComment != nil}, After: store.Facts{"ReturnState": state, "CommentGiven": comment != nil},
		})
	})
	return failed("decide return", err)
}
