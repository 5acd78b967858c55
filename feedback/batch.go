package feedback

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

// batch is reports on their way into the database, in one transaction and a few
// statements however many they are. Those that have an error are passed over.
type batch struct {
	*Service
	tx      *gorm.DB
	list    []Outcome
	parties []party // who reports, for each of the list, or one for all
	once    bool    // see submit
	dry     bool    // nothing is to stay

	given  map[uuid.UUID]routing.Given
	late   []bool
	stored map[uuid.UUID]bool
}

// party is who reports.
type party struct {
	customerID int64 // on whose routings; 0: anybody's
	terms      terms
}

// party is who gives the report i.
func (b *batch) party(i int) *party { return &b.parties[min(i, len(b.parties)-1)] }

// insert stores the reports and makes them current, or turns them into the equal
// ones that are there already.
func (b *batch) insert() error {
	steps := []func() error{b.place, b.translate, b.known, b.store, b.repeat, b.current}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// each calls f for the reports that are still good. An error of f is the report's.
func (b *batch) each(f func(i int, f *Feedback) error) {
	for i := range b.list {
		if o := &b.list[i]; o.Err == nil {
			o.Err = f(i, &o.Feedback)
		}
	}
}

// place looks for the routings.
func (b *batch) place() (err error) {
	ids := make([]uuid.UUID, 0, len(b.list))
	seen := make(map[uuid.UUID]bool, len(b.list))
	b.each(func(_ int, f *Feedback) error {
		if !seen[f.RoutingID] {
			seen[f.RoutingID] = true
			ids = append(ids, f.RoutingID)
		}
		return nil
	})
	if b.given, err = b.Routing.Given(b.tx, ids...); err != nil {
		return err
	}
	b.late = make([]bool, len(b.list))
	b.each(func(i int, f *Feedback) error {
		given, ok := b.given[f.RoutingID]
		by := b.party(i)
		if !ok || by.customerID != 0 && by.customerID != given.CustomerID {
			return routing.NoRouting(f.RoutingID)
		}
		b.late[i] = by.terms.over(given.At, f.ReceivedAt)
		return nil
	})
	return nil
}

// columns are those of a report, with PostgreSQL's types where it cannot tell.
var columns = []string{
	"id", "routing_id", "reason_id", "comment", "occurred_at", "received_at", "external_id", "external_link", "owner", "connection_id",
	"status", "folded", "amount", "currency", "return_state",
}

// store inserts those that are not equal to one that is there.
func (b *batch) store() error {
	asks, err := b.asking()
	if err != nil {
		return err
	}
	var fresh []*Feedback
	b.each(func(i int, f *Feedback) error {
		if b.late[i] || b.list[i].Known {
			return nil
		}
		if f.ReasonID != nil && asks[*f.ReasonID] {
			f.ReturnState = new(ReturnRequested)
		}
		fresh = append(fresh, f)
		return nil
	})
	b.stored = make(map[uuid.UUID]bool, len(fresh))
	return store.Portions(fresh, b.insertRows)
}

const insertFeedback = `INSERT INTO feedback (id, routing_id, reason_id, comment, occurred_at, received_at, external_id, external_link, owner,
	connection_id, status, folded, amount, currency, return_state) VALUES `

var insertMany store.Statements

var insertOne = insertFeedback + store.Values(store.SQLite, 1, make([]string, len(columns))...) + " ON CONFLICT DO NOTHING"

func (b *batch) insertRows(part []*Feedback) error {
	args := make([]any, 0, len(part)*len(columns))
	for _, f := range part {
		args = append(args, f.ID, f.RoutingID, f.ReasonID, f.Comment, f.OccurredAt, f.ReceivedAt, f.ExternalID, f.ExternalLink, f.Owner,
			f.ConnectionID, f.Status, f.Folded, f.Amount, f.Currency, f.ReturnState)
	}
	// feedback_routing_id is unique over routing, folded or else reason, and
	// occurred_at; nulls are never equal there.
	query := insertOne // what comes most
	if len(part) > 1 {
		query = insertMany.Of(b.DB.Dialect(), len(part), func() string {
			return insertFeedback + store.Values(b.DB.Dialect(), len(part), make([]string, len(columns))...) + " ON CONFLICT DO NOTHING"
		})
	}
	res, err := b.tx.Statement.ConnPool.ExecContext(b.tx.Statement.Context, query, args...)
	if err != nil {
		return b.tx.AddError(err) // in GORM's words, which tell a foreign key's violation
	}
	switch n, err := res.RowsAffected(); {
	case err != nil || n == 0:
		return err
	case n == int64(len(part)):
		for _, f := range part {
			b.stored[f.ID] = true
		}
		return nil
	}
	ids := make([]any, len(part))
	for i, f := range part {
		ids[i] = f.ID
	}
	query = "SELECT id FROM feedback WHERE id IN (VALUES " + store.Values(b.DB.Dialect(), len(part), "uuid") + ")"
	return b.ids(query, ids, func(id uuid.UUID) { b.stored[id] = true })
}

// ids runs a query that gives ids.
func (b *batch) ids(query string, args []any, f func(id uuid.UUID)) error {
	rows, err := b.tx.Statement.ConnPool.QueryContext(b.tx.Statement.Context, query, args...)
	if err != nil {
		return b.tx.AddError(err) // in GORM's words, which tell a foreign key's violation
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return err
		}
		f(id)
	}
	return b.tx.AddError(rows.Err())
}

// asking are the reasons that ask for a return.
func (b *batch) asking() (map[int32]bool, error) {
	all, err := b.reasons.list(b.tx.Statement.Context, b.Service)
	if err != nil {
		return nil, failed("read reasons", err)
	}
	asks := map[int32]bool{}
	for _, r := range all {
		asks[r.ID] = r.AsksForReturn
	}
	return asks, nil
}

// likeness is what makes a report the same as another.
type likeness struct {
	routing    uuid.UUID
	reason     int32
	folded     string
	byStatus   bool
	occurredAt time.Time
}

func (f *Feedback) likeness() likeness {
	l := likeness{routing: f.RoutingID, occurredAt: *f.OccurredAt}
	if f.Folded != nil {
		l.folded, l.byStatus = *f.Folded, true
	} else {
		l.reason = *f.ReasonID
	}
	return l
}

// repeat turns the reports that were not stored into those that they are equal to.
func (b *batch) repeat() error {
	var byReason, byStatus []*Feedback
	b.each(func(i int, f *Feedback) error {
		switch {
		case b.stored[f.ID] || b.list[i].Known || f.OccurredAt == nil:
		case f.Folded != nil:
			byStatus = append(byStatus, f)
		default:
			byReason = append(byReason, f)
		}
		return nil
	})
	equal := map[likeness]Feedback{}
	err := b.find(equal, byReason, "status IS NULL AND (routing_id, reason_id, occurred_at)", "integer", func(f *Feedback) any { return f.ReasonID })
	if err == nil {
		err = b.find(equal, byStatus, "status IS NOT NULL AND (routing_id, folded, occurred_at)", "text", func(f *Feedback) any { return f.Folded })
	}
	if err != nil {
		return failed("look for the same report", err)
	}
	b.each(func(i int, f *Feedback) error {
		if b.stored[f.ID] || b.list[i].Known {
			return nil
		}
		if f.OccurredAt != nil {
			if same, ok := equal[f.likeness()]; ok {
				*f, b.list[i].Known = same, true
				return nil
			}
		}
		if b.late[i] {
			return b.party(i).terms.refusal(b.given[f.RoutingID].At)
		}
		return fmt.Errorf("a report was neither stored nor there: %w", errors.New(f.ID.String()))
	})
	return nil
}

// find reads the stored reports that are equal to those of the list.
func (b *batch) find(equal map[likeness]Feedback, list []*Feedback, where, kind string, of func(*Feedback) any) error {
	return store.Portions(list, func(part []*Feedback) error {
		args := make([]any, 0, 3*len(part))
		for _, f := range part {
			args = append(args, f.RoutingID, of(f), f.OccurredAt)
		}
		var ids []uuid.UUID
		query := "SELECT id FROM feedback WHERE " + where + " IN (VALUES " + store.Values(b.DB.Dialect(), len(part), "uuid", kind, "timestamptz") + ")"
		if err := b.ids(query, args, func(id uuid.UUID) { ids = append(ids, id) }); err != nil || len(ids) == 0 {
			return err
		}
		var rows []Feedback
		if err := b.tx.Where("id IN ?", ids).Find(&rows).Error; err != nil {
			return err
		}
		for _, f := range rows {
			equal[f.likeness()] = f
		}
		return nil
	})
}

// current makes the new reports the current ones of their routings, unless there
// are newer ones.
func (b *batch) current() error {
	var list []routing.Current
	b.each(func(i int, f *Feedback) error {
		if !b.list[i].Known && b.stored[f.ID] && f.ReasonID != nil {
			list = append(list, f.current(b.given[f.RoutingID].LeadID))
		}
		return nil
	})
	return b.Routing.SetFeedback(b.tx, list...)
}

// current is what f tells of a lead.
func (f *Feedback) current(leadID uuid.UUID) routing.Current {
	return routing.Current{
		RoutingID: f.RoutingID, LeadID: leadID, ReasonID: *f.ReasonID, At: f.at(),
		Status: f.Status, Comment: f.Comment, Amount: f.Amount, Currency: f.Currency,
	}
}

// known finds, where an equal report is to be taken once even without a time of
// its own, those that are there.
func (b *batch) known() error {
	if !b.once {
		return nil
	}
	byRouting := map[uuid.UUID][]Feedback{}
	ids := make([]uuid.UUID, 0, len(b.given))
	for id := range b.given {
		ids = append(ids, id)
	}
	err := store.Portions(ids, func(part []uuid.UUID) error {
		var rows []Feedback
		if err := b.tx.Where("occurred_at IS NULL AND routing_id IN ?", part).Find(&rows).Error; err != nil {
			return err
		}
		for _, f := range rows {
			byRouting[f.RoutingID] = append(byRouting[f.RoutingID], f)
		}
		return nil
	})
	if err != nil {
		return failed("look for the same report", err)
	}
	b.each(func(i int, f *Feedback) error {
		if f.OccurredAt != nil {
			return nil
		}
		for _, earlier := range byRouting[f.RoutingID] {
			if f.says(&earlier) {
				*f, b.list[i].Known = earlier, true
				return nil
			}
		}
		byRouting[f.RoutingID] = append(byRouting[f.RoutingID], *f)
		return nil
	})
	return nil
}

// says reports whether f says what other does.
func (f *Feedback) says(other *Feedback) bool {
	meaning := same(f.Folded, other.Folded)
	if f.Folded == nil {
		meaning = meaning && same(f.ReasonID, other.ReasonID)
	}
	return meaning && same(f.Comment, other.Comment) && same(f.ExternalID, other.ExternalID) && same(f.ExternalLink, other.ExternalLink) &&
		same(f.Owner, other.Owner) && same(f.Amount, other.Amount) && same(f.Currency, other.Currency)
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// refuseLate says until when feedback was taken.
func (t terms) refusal(given time.Time) error {
	return fault.Newf(fault.Conflict, "feedback on this lead is taken for %s after its delivery, which was until %s",
		span(*t.maxAge), given.Add(*t.maxAge).Format(time.RFC3339)).At("RoutingID")
}
