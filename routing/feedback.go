package routing

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/fault"
	"leadloop/store"
)

// Given is what feedback has to know of a routing.
type Given struct {
	LeadID     uuid.UUID
	CustomerID int64
	At         time.Time // when it was delivered, or else made
}

// Current is feedback that may be the current one of a routing and its lead.
type Current struct {
	RoutingID, LeadID uuid.UUID
	ReasonID          int32
	At                time.Time

	// What else the report says, for those who are told of it.
	Status, Comment *string
	Amount          *int64 // in 1/10000
	Currency        *string
}

// NoRouting is the one answer for a routing that does not exist and for somebody
// else's.
func NoRouting(id uuid.UUID) error {
	return fault.Newf(fault.NotFound, "no routing %s", id).At("RoutingID")
}

const givenOne = "SELECT id, lead_id, customer_id, rule_id, delivered_at, created_at FROM routings WHERE id = $1"

// The texts of statements over several routings, and leads.
var givenMany, currentRoutings, currentLeads store.Statements

// Given returns those of the routings that are there, by id, whosever they are.
// Routings by rules that the actor of tx must not see are left out.
func (s *Service) Given(tx *gorm.DB, ids ...uuid.UUID) (map[uuid.UUID]Given, error) {
	given := make(map[uuid.UUID]Given, len(ids))
	hidden, err := s.hidden(tx, watcher(tx.Statement.Context))
	if err != nil {
		return nil, err
	}
	err = store.Portions(ids, func(part []uuid.UUID) error {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		query := givenOne // one alone is what comes most
		if len(part) > 1 {
			query = givenMany.Of(s.db.Dialect(), len(part), func() string {
				return "SELECT id, lead_id, customer_id, rule_id, delivered_at, created_at FROM routings WHERE id IN (VALUES " +
					store.Values(s.db.Dialect(), len(part), "uuid") + ")"
			})
		}
		rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			var g Given
			var rule int64
			var delivered *time.Time
			if err := rows.Scan(&id, &g.LeadID, &g.CustomerID, &rule, &delivered, &g.At); err != nil {
				return err
			}
			if delivered != nil {
				g.At = *delivered
			}
			if _, unseen := slices.BinarySearch(hidden, rule); !unseen {
				given[id] = g
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("routings: %w", err)
	}
	return given, nil
}

// SetFeedback makes each of the list the current feedback of its routing and of
// its lead, in each unless a newer one is there already. The list is in the order
// of arrival: of those of one time the last one counts. What is new of a lead is
// sent onward where its source says so.
func (s *Service) SetFeedback(tx *gorm.DB, list ...Current) error {
	err := s.setCurrent(tx, ofRoutings, list, nil)
	if err != nil {
		return fmt.Errorf("feedback on routings: %w", err)
	}
	set, err := s.rules(tx.Statement.Context)
	if err != nil {
		return err
	}
	var tell func(Current, int64)
	var news []Current
	if len(set.onwards) > 0 {
		tell = func(c Current, source int64) {
			if set.onwards[source] != nil {
				news = append(news, c)
			}
		}
	}
	if err = s.setCurrent(tx, ofLeads, list, tell); err != nil {
		return fmt.Errorf("feedback on leads: %w", err)
	}
	return s.queueOnwards(tx, news)
}

// currentOf is where the current feedback of a table's rows is kept.
type currentOf struct {
	table string
	id    func(*Current) uuid.UUID
	many  *store.Statements
}

var (
	ofRoutings = currentOf{"routings", func(c *Current) uuid.UUID { return c.RoutingID }, &currentRoutings}
	ofLeads    = currentOf{"leads", func(c *Current) uuid.UUID { return c.LeadID }, &currentLeads}
)

// setCurrent puts the newest of the list for each id into its row of the table.
// tell, if it is not nil, hears of the leads that changed and their source, 0 for
// none.
func (s *Service) setCurrent(tx *gorm.DB, of currentOf, list []Current, tell func(c Current, source int64)) error {
	return store.Portions(of.newest(list), func(part []*Current) error {
		if len(part) == 1 {
			return change(tx, of, part, tell, `UPDATE `+of.table+` SET reason_id = $1, feedback_at = $2, version = version + 1
				WHERE id = $3 AND (feedback_at IS NULL OR feedback_at <= $2)`, part[0].ReasonID, part[0].At, of.id(part[0]))
		}
		args := make([]any, 0, 3*len(part))
		for _, c := range part {
			args = append(args, of.id(c), c.ReasonID, c.At)
		}
		return change(tx, of, part, tell, of.many.Of(s.db.Dialect(), len(part), func() string {
			return `UPDATE ` + of.table + ` SET reason_id = v.column2, feedback_at = v.column3, version = version + 1
			FROM (VALUES ` + store.Values(s.db.Dialect(), len(part), "uuid", "integer", "timestamptz") + `) v
			WHERE id = v.column1 AND (feedback_at IS NULL OR feedback_at <= v.column3)`
		}), args...)
	})
}

// newest gives the newest of the list for each id: of those of one time the last.
// They are in the order of their ids, so that transactions do not wait for each
// other in a circle.
func (of currentOf) newest(list []Current) []*Current {
	sorted := make([]*Current, len(list))
	for i := range list {
		sorted[i] = &list[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Current) int { return of.compare(a, of.id(b)) })
	newest := sorted[:0]
	for _, c := range sorted {
		last := len(newest) - 1
		switch {
		case last < 0 || of.id(newest[last]) != of.id(c):
			newest = append(newest, c)
		case !c.At.Before(newest[last].At):
			newest[last] = c
		}
	}
	return newest
}

func (of currentOf) compare(c *Current, id uuid.UUID) int {
	own := of.id(c)
	return bytes.Compare(own[:], id[:])
}

// change runs an update for the part of a list that newest gave, of leads if there
// is one to tell which changed.
func change(tx *gorm.DB, of currentOf, part []*Current, tell func(Current, int64), update string, args ...any) error {
	if tell == nil {
		_, err := exec(tx, update, args...)
		return err
	}
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, update+" RETURNING id, coalesce(source_id, 0)", args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var source int64
		if err := rows.Scan(&id, &source); err != nil {
			return err
		}
		if i, ok := slices.BinarySearchFunc(part, id, of.compare); ok {
			tell(*part[i], source)
		}
	}
	return rows.Err()
}

// SetReturned says since when the lead of the routing is returned, nil: it is not.
func (s *Service) SetReturned(tx *gorm.DB, id uuid.UUID, at *time.Time) error {
	_, err := exec(tx, `UPDATE routings SET returned_at = $1, version = version + 1
		WHERE id = $2 AND returned_at IS DISTINCT FROM $1`, at, id)
	if err != nil {
		return fmt.Errorf("return of routing %s: %w", id, err)
	}
	return nil
}
