package activity

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

// marks are places in the change logs: the number of the first change that was
// not seen to. On PostgreSQL it is that of the first transaction that may not
// have ended.
type marks struct {
	Leads    int64 `json:"leads"`
	Routings int64 `json:"routings"`
	Feedback int64 `json:"feedback"`
}

// within reports whether the logs still hold what came after m, and whether m is
// of this database at all.
func (m marks) within(floor, seen marks) bool {
	return m.Leads > floor.Leads && m.Routings > floor.Routings && m.Feedback > floor.Feedback &&
		m.Leads <= seen.Leads && m.Routings <= seen.Routings && m.Feedback <= seen.Feedback
}

// marks gives where the logs stand, and the last change of each that is
// forgotten.
func (s *Service) marks(tx *gorm.DB) (seen, floor marks, err error) {
	for _, log := range []struct {
		name        string
		seen, floor *int64
	}{
		{"leads_changes", &seen.Leads, &floor.Leads},
		{"routings_changes", &seen.Routings, &floor.Routings},
		{"feedback_changes", &seen.Feedback, &floor.Feedback},
	} {
		query := "SELECT (SELECT max(n) FROM %[1]s) + 1, (SELECT min(n) FROM %[1]s)"
		if s.DB.Dialect() == store.Postgres {
			query = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, coalesce((SELECT n::text::bigint FROM %[1]s " +
				"WHERE n < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY n LIMIT 1), 0)"
		}
		if err := tx.Raw(fmt.Sprintf(query, log.name)).Row().Scan(log.seen, log.floor); err != nil {
			return seen, floor, fmt.Errorf("change log: %w", err)
		}
	}
	return seen, floor, nil
}

// between is the condition that a change of a log is one from a mark on and
// before another.
func (s *Service) between(from, to int64) string {
	if s.DB.Dialect() == store.Postgres {
		return fmt.Sprintf("c.n >= '%d'::xid8 AND c.n < '%d'::xid8", from, to)
	}
	return fmt.Sprintf("c.n >= %d AND c.n < %d", from, to)
}

// hourOf is the hour of an instant, as hourLayout.
func (s *Service) hourOf(column string) string {
	if s.DB.Dialect() == store.Postgres {
		return "to_char(" + column + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')`
	}
	return "substr(" + column + ", 1, 13)"
}

// changed finds the hours whose leads or routings have changed.
func (s *Service) changed(tx *gorm.DB, from, to marks) (hours []hour, err error) {
	at := s.hourOf("l.received_at")
	err = tx.Raw("SELECT " + at + " AS at, coalesce(l.source_id, 0) AS source FROM leads_changes c JOIN leads l ON l.id = c.id WHERE " + s.between(from.Leads, to.Leads) +
		" UNION SELECT " + at + ", coalesce(l.source_id, 0) FROM routings_changes c JOIN routings r ON r.id = c.id JOIN leads l ON l.id = r.lead_id WHERE " +
		s.between(from.Routings, to.Routings) + " ORDER BY 1, 2").Scan(&hours).Error
	return hours, err
}

// following gives the next hours that have leads, of all, with all of their sources.
func (s *Service) following(tx *gorm.DB, after hour) (spans []span, err error) {
	from := time.Time{}
	if after.At != "" {
		begin, err := after.begin()
		if err != nil {
			return nil, err
		}
		from = begin.Add(time.Hour)
	}
	for len(spans) < hoursAtOnce {
		var next []time.Time // by the index: a list of all hours to come would read all leads to come
		err := tx.Raw("SELECT received_at FROM leads WHERE received_at >= ? ORDER BY received_at LIMIT 1", from).Scan(&next).Error
		if err != nil || len(next) == 0 {
			return spans, err
		}
		begin := next[0].UTC().Truncate(time.Hour)
		spans, from = append(spans, span{begin: begin}), begin.Add(time.Hour)
	}
	return spans, nil
}

// countSpan counts the leads of an hour, and the routings of those.
func (r *rolling) countSpan(tx *gorm.DB, h span) error {
	where, args := " WHERE l.received_at >= ? AND l.received_at < ?", []any{h.begin, h.begin.Add(time.Hour)}
	if len(h.sources) == 1 && h.sources[0] != 0 {
		where, args = where+" AND l.source_id = ?", append(args, h.sources[0])
	}
	var leads, given []Activity
	err := tx.Raw("SELECT coalesce(l.source_id, 0) AS source_id, "+
		sum("l.state <> 'test'")+" AS leads, "+sum("l.state = 'test'")+" AS tests, "+
		sum("l.state = 'duplicate'")+" AS duplicates, "+sum("l.state = 'unmatched'")+" AS unmatched FROM leads l"+where+" GROUP BY 1", args...).Scan(&leads).Error
	if err != nil {
		return err
	}
	err = tx.Raw("SELECT coalesce(l.source_id, 0) AS source_id, r.customer_id, r.rule_id, coalesce(r.reason_id, 0) AS reason_id, count(*) AS routed, "+
		sum("r.state IN ('pending', 'sending')")+" AS waiting, "+sum("r.state = 'delivered'")+" AS delivered, "+
		sum("r.state = 'rejected'")+" AS rejected, "+sum("r.state = 'failed'")+" AS failed, "+sum("r.state = 'parked'")+" AS parked, "+
		sum("r.feedback_at IS NOT NULL")+" AS answered, "+sum("r.returned_at IS NOT NULL")+" AS returned "+
		"FROM leads l JOIN routings r ON r.lead_id = l.id"+where+" GROUP BY 1, 2, 3, 4", args...).Scan(&given).Error
	if err != nil {
		return err
	}
	for _, a := range append(leads, given...) {
		if h.sources == nil || slices.Contains(h.sources, a.SourceID) {
			a.Hour = h.begin
			r.rows = append(r.rows, a)
		}
	}
	return nil
}

// sum counts the rows for which a condition holds.
func sum(condition string) string {
	return "coalesce(sum(CASE WHEN " + condition + " THEN 1 ELSE 0 END), 0)"
}

// reports tells whether reports came in.
func (s *Service) reports(tx *gorm.DB, from, to marks) (found bool, err error) {
	err = tx.Raw("SELECT EXISTS (SELECT 1 FROM feedback_changes c WHERE c.mask IS NULL AND " + s.between(from.Feedback, to.Feedback) + ")").Scan(&found).Error
	return found, err
}

// countReports counts the reports that came in since a mark.
func (r *rolling) countReports(tx *gorm.DB, since marks) error {
	return r.reportsFrom(tx, "feedback_changes c JOIN feedback f ON f.id = c.id", "c.mask IS NULL AND "+r.between(since.Feedback, r.now.Marks.Feedback))
}

// countAllReports counts all reports but those that the log tells of later.
func (r *rolling) countAllReports(tx *gorm.DB) error {
	return r.reportsFrom(tx, "feedback f", "NOT EXISTS (SELECT 1 FROM feedback_changes c WHERE c.id = f.id AND c.mask IS NULL AND "+
		r.between(r.now.Marks.Feedback, 1<<62)+")")
}

func (r *rolling) reportsFrom(tx *gorm.DB, from, where string) error {
	var found []struct {
		At                           string
		Source, Customer, Rule, Many int64
	}
	err := tx.Raw("SELECT " + r.hourOf("f.received_at") + " AS at, coalesce(l.source_id, 0) AS source, r.customer_id AS customer, r.rule_id AS rule, count(*) AS many FROM " +
		from + " JOIN routings r ON r.id = f.routing_id JOIN leads l ON l.id = r.lead_id WHERE " + where + " GROUP BY 1, 2, 3, 4").Scan(&found).Error
	if err != nil {
		return fmt.Errorf("count reports: %w", err)
	}
	for _, f := range found {
		begin, err := hour{At: f.At}.begin()
		if err != nil {
			return err
		}
		r.more = append(r.more, Activity{Hour: begin, SourceID: f.Source, CustomerID: f.Customer, RuleID: f.Rule, Reports: f.Many})
	}
	return nil
}
