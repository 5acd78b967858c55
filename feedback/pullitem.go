package feedback

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// tally counts what came of items.
type tally struct {
	found, reported, unknown, refused int64
	problem                           string // with the last that was refused
}

// errNotOurs is an item about nobody who was sent to the customer.
var errNotOurs = errors.New("it is about no routing of the customer")

// take makes reports of the items, as the actor.
func (s *Service) take(tx *gorm.DB, p *Pull, actor store.Actor, items []routing.Item, begun time.Time) (tally, error) {
	ctx := store.WithActor(tx.Statement.Context, actor)
	var t tally
	for _, item := range items {
		t.found++
		f, err := s.itemOf(tx, p, actor, item)
		if err == nil && f != nil {
			err = s.Report(ctx, f)
		}
		var refused *fault.Error
		switch {
		case err == nil && f != nil && !f.ReceivedAt.Before(begun):
			t.reported++
		case err == nil:
		case err == errNotOurs || fault.CodeOf(err) == fault.NotFound:
			t.unknown++
		case errors.As(err, &refused) && refused.Code == fault.Invalid:
			t.refused++
			t.problem = refused.Message
		default:
			return t, err
		}
	}
	return t, nil
}

// itemOf gives the report that an item comes to: none for one from before the
// pull's start, and for one that says what was last reported. It returns Invalid
// for an item that makes no report.
func (s *Service) itemOf(tx *gorm.DB, p *Pull, actor store.Actor, item routing.Item) (*Feedback, error) {
	if item.OccurredAt.IsZero() {
		return nil, fault.New(fault.Invalid, "an item has no time that can be read")
	}
	if item.OccurredAt.Before(p.StartsAt) {
		return nil, nil
	}
	id, err := routingOf(tx, actor.CustomerID, item)
	if err != nil {
		return nil, err
	}
	f := &Feedback{RoutingID: id, OccurredAt: &item.OccurredAt}
	if item.Comment != "" {
		comment := item.Comment
		if runes := []rune(comment); len(runes) > maxComment {
			comment = string(runes[:maxComment])
		}
		f.Comment = &comment
	}
	if item.Status != "" {
		f.Status = &item.Status
	}
	if item.ReasonID != "" {
		n, err := strconv.ParseInt(item.ReasonID, 10, 32)
		if err != nil {
			return nil, fault.Newf(fault.Invalid, "%q is not a reason's ID", item.ReasonID)
		}
		reason := int32(n)
		f.ReasonID = &reason
	}
	if item.Amount != "" { // without one, a currency says nothing
		if f.Amount, err = amount(item.Amount); err != nil {
			return nil, err
		}
		if item.Currency != "" {
			f.Currency = &item.Currency
		}
	}
	if err := f.checkMoney(); err != nil {
		return nil, err
	}
	same, err := lastSaid(tx, f, actor.ConnectionID)
	if err != nil || same {
		return nil, err
	}
	return f, nil
}

// maxComment is how long the comment of a report may be.
const maxComment = 10000

// routingOf finds the routing of the customer that an item is about, the newest
// of several that brought back the same id.
func routingOf(tx *gorm.DB, customerID int64, item routing.Item) (uuid.UUID, error) {
	if id, err := uuid.Parse(item.RoutingID); err == nil {
		return id, nil // whose it is, Report finds out
	}
	if item.ExternalID == "" {
		return uuid.Nil, errNotOurs
	}
	var id uuid.UUID
	err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context,
		"SELECT id FROM routings WHERE customer_id = $1 AND external_id = $2 ORDER BY created_at DESC, id DESC LIMIT 1",
		customerID, item.ExternalID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, errNotOurs
	}
	return id, failed("find routing", err)
}

// lastSaid reports whether the connection's newest report on the routing, from
// before f, says the same: things change in other ways than their status too.
func lastSaid(tx *gorm.DB, f *Feedback, connectionID uuid.UUID) (bool, error) {
	var last Feedback
	err := tx.Where("routing_id = ? AND connection_id = ? AND occurred_at <= ?", f.RoutingID, connectionID, f.OccurredAt).
		Order("occurred_at DESC, received_at DESC, id DESC").Limit(1).Find(&last).Error
	if err != nil || last.ID == uuid.Nil {
		return false, failed("read last report", err)
	}
	if f.Amount != nil && (last.Amount == nil || *last.Amount != *f.Amount || *last.Currency != *f.Currency) {
		return false, nil
	}
	now := *f
	now.fold()
	if now.Folded != nil {
		return last.Folded != nil && *last.Folded == *now.Folded, nil
	}
	return now.ReasonID != nil && last.Folded == nil && last.ReasonID != nil && *last.ReasonID == *now.ReasonID, nil
}

// PullTest is what one page of a pull holds, and what it would come to.
type PullTest struct {
	Succeeded bool
	Error     string
	Request   string // with secrets masked
	Response  string
	Items     []PullItem // the first 100
}

// PullItem is what an item would come to.
type PullItem struct {
	RoutingID  *uuid.UUID
	ExternalID string
	Status     string
	ReasonID   *int32 // nil: the status is not mapped
	OccurredAt *time.Time
	Amount     string // as it was read
	Currency   string
	// Outcome is report, or else why there would be none.
	Outcome string
}

// mostShown is how many items a PullTest shows.
const mostShown = 100

// TestPull reads the first page of a pull and tells what would be reported.
// Nothing is stored. Needs a manager. NotFound for an unknown one; what goes
// wrong with the customer's system is in the PullTest.
func (s *Service) TestPull(ctx context.Context, id int64) (PullTest, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return PullTest{}, err
	}
	db := s.DB.Read(ctx)
	p, err := pullOf(db, id)
	if err != nil {
		return PullTest{}, err
	}
	t := PullTest{Items: []PullItem{}}
	actor, err := s.puller(db, p)
	if err != nil {
		t.Error = err.Error()
		return t, nil
	}
	reader, err := s.Routing.Reader(db, p.ConnectorID, p.Settings)
	if err != nil {
		t.Error = err.Error()
		return t, nil
	}
	page, err := reader.Read(ctx, routing.Place{Since: p.from()})
	t.Request, t.Response = page.Request, page.Response
	if err != nil {
		t.Error = err.Error()
		return t, nil
	}
	t.Succeeded = true
	t.Items, err = s.preview(ctx, db, p, actor, page.Items[:min(len(page.Items), mostShown)])
	return t, err
}

// errNothingNew is an item that says what was last reported, or is from before the
// pull's start.
var errNothingNew = errors.New("nothing new")

// preview tells what items would come to.
func (s *Service) preview(ctx context.Context, db *gorm.DB, p *Pull, actor store.Actor, items []routing.Item) ([]PullItem, error) {
	reports := make([]Outcome, len(items))
	for i, item := range items {
		f, err := s.itemOf(db, p, actor, item)
		switch {
		case err == nil && f == nil:
			err = errNothingNew
		case err == nil:
			reports[i].Feedback = *f
		case err != errNotOurs && fault.CodeOf(err) == fault.Internal:
			return nil, fmt.Errorf("test pull: %w", err)
		}
		reports[i].Err = err
	}
	done, err := s.rehearse(store.WithActor(ctx, actor), reports)
	if err != nil {
		return nil, fmt.Errorf("test pull: %w", err)
	}
	shown := make([]PullItem, len(items))
	for i, item := range items {
		shown[i] = previewOf(item, done[i])
	}
	return shown, nil
}

func previewOf(item routing.Item, o Outcome) PullItem {
	shown := PullItem{ExternalID: item.ExternalID, Status: item.Status, ReasonID: o.Feedback.ReasonID, Outcome: "report"}
	if item.Amount != "" {
		shown.Amount, shown.Currency = item.Amount, item.Currency
	}
	if !item.OccurredAt.IsZero() {
		shown.OccurredAt = &item.OccurredAt
	}
	if o.Feedback.RoutingID != uuid.Nil {
		shown.RoutingID = &o.Feedback.RoutingID
	}
	var refused *fault.Error
	switch {
	case o.Err == errNotOurs, fault.CodeOf(o.Err) == fault.NotFound:
		shown.RoutingID, shown.Outcome = nil, errNotOurs.Error()
	case errors.As(o.Err, &refused):
		shown.Outcome = refused.Message
	case o.Err != nil || o.Known:
		shown.Outcome = errNothingNew.Error()
	}
	return shown
}
