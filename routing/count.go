package routing

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// Caps are counted in rows of rule_counts, one for a rule and period, in the
// transaction that gives the lead: a place is taken by an UPDATE that touches no
// row once the cap is full. On PostgreSQL that UPDATE waits for whoever else
// takes a place in the same row, so counts are exact whatever number of servers
// take places at once. Rows are taken in one order, so that no two decisions wait
// for each other; rules without caps have none.
//
// A count covers every lead given to the rule, also one that its customer's
// system turned down later. The first count of a period is that of the routings
// in it, so that a cap set in the middle of a day is one on the whole day.

// slot is what the cap l of the rule counts at the instant now.
func (r *liveRule) slot(l limit, now time.Time) slot {
	return slot{r.id, periodName(l.period, now, r.hours.zone)}
}

// countCaps reads how much of their caps is taken of the rules held.
func (m *moment) countCaps(tx *gorm.DB, held []*liveRule) error {
	var slots []slot
	for _, r := range held {
		for _, l := range r.limits {
			slots = append(slots, r.slot(l, m.now))
		}
	}
	if len(slots) == 0 {
		return nil
	}
	m.taken = make(map[slot]int, len(slots))
	for part := range slices.Chunk(slots, maxSlots) {
		if err := m.readCounts(tx, part); err != nil {
			return fmt.Errorf("count caps: %w", err)
		}
	}
	return nil
}

// maxSlots is how many counts one statement reads.
const maxSlots = 128

func (m *moment) readCounts(tx *gorm.DB, slots []slot) error {
	// A power of two of them makes few different statements, which stay prepared.
	n := 1
	for n < len(slots) {
		n *= 2
	}
	query := strings.Builder{}
	query.WriteString("SELECT rule_id, period, taken FROM rule_counts WHERE (rule_id, period) IN (VALUES ")
	args := make([]any, 0, 2*n)
	for i := range n {
		if i > 0 {
			query.WriteString(", ")
		}
		fmt.Fprintf(&query, "(CAST($%d AS bigint), $%d)", 2*i+1, 2*i+2)
		s := slots[min(i, len(slots)-1)]
		args = append(args, s.rule, s.period)
	}
	query.WriteString(")")
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query.String(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var s slot
		var taken int
		if err := rows.Scan(&s.rule, &s.period, &taken); err != nil {
			return err
		}
		m.taken[s] = taken
	}
	return rows.Err()
}

// place is one to be taken.
type place struct {
	slot
	limit
	zone *time.Location
}

// errFull undoes the places taken for a decision that cannot be.
var errFull = errors.New("a cap is full")

// takePlaces takes a place of every cap of the rules chosen, or none: then it
// reports false, and m knows which cap is full.
func (s *Service) takePlaces(tx *gorm.DB, set *ruleSet, verdicts []Verdict, m *moment) (bool, error) {
	var places []place
	for _, v := range verdicts {
		if v.Outcome != Chosen {
			continue
		}
		r := set.byID[v.RuleID]
		for _, l := range r.limits {
			places = append(places, place{r.slot(l, m.now), l, r.hours.zone})
		}
	}
	if len(places) == 0 {
		return true, nil
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.slot.period, b.slot.period))
	})
	// Joined, it is undone alone, and on PostgreSQL lets go of the rows it holds.
	err := s.db.Write(tx.Statement.Context, func(tx *gorm.DB) error {
		for _, p := range places {
			taken, err := takePlace(tx, p, m)
			if err == nil && taken == p.most {
				err = s.noticeCap(tx, p, m.now)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errFull) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("take places: %w", err)
	}
	return true, nil
}

// takePlace takes a place and gives how many are taken then, or returns errFull
// and notes that in m.
func takePlace(tx *gorm.DB, p place, m *moment) (taken int, err error) {
	for _, counted := range []bool{false, true} {
		err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context,
			"UPDATE rule_counts SET taken = taken + 1 WHERE rule_id = $1 AND period = $2 AND taken < $3 RETURNING taken",
			p.rule, p.slot.period, p.most).Scan(&taken)
		if !isNoRows(err) {
			return taken, err
		}
		if !counted {
			if err := beginCount(tx, p, m.now); err != nil {
				return 0, err
			}
		}
	}
	m.taken[p.slot] = math.MaxInt
	return 0, errFull
}

// noticeCap tells that the last place of a cap was taken, once in its period.
func (s *Service) noticeCap(tx *gorm.DB, p place, now time.Time) error {
	rule, err := load[Rule](tx, "rule", p.rule)
	if err != nil {
		return err
	}
	more := "It gets no more leads."
	if p.limit.period != capTotal {
		_, end := period(p.limit.period, now, p.zone)
		more = "It gets leads again from " + end.In(p.zone).Format("2006-01-02 15:04 MST") + "."
	}
	return s.Notify(tx, Notice{
		Kind: NoticeCap, Subject: p.slot.period, RuleID: &rule.ID, CustomerID: &rule.CustomerID,
		Message: fmt.Sprintf("The rule %s (%d) has reached its cap, %s: %d. %s", rule.Name, rule.ID, p.limit.period, p.most, more),
	})
}

// beginCount makes the count of a period where there is none yet, and removes counts
// of the rule that are long over.
func beginCount(tx *gorm.DB, p place, now time.Time) error {
	var there int
	err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context,
		"SELECT count(*) FROM rule_counts WHERE rule_id = $1 AND period = $2", p.rule, p.slot.period).Scan(&there)
	if err != nil || there > 0 {
		return err
	}
	routed, err := countRouted(tx, p, now)
	if err != nil {
		return err
	}
	_, err = exec(tx, "INSERT INTO rule_counts (rule_id, period, taken) VALUES ($1, $2, $3) ON CONFLICT (rule_id, period) DO NOTHING",
		p.rule, p.slot.period, routed)
	if err != nil || p.limit.period == capTotal {
		return err
	}
	long := periodName(p.limit.period, now.AddDate(0, -3, 0), p.zone)
	_, err = exec(tx, "DELETE FROM rule_counts WHERE rule_id = $1 AND period >= $2 AND period < $3", p.rule, p.limit.period, long)
	return err
}

// countRouted counts the routings that a cap is about.
func countRouted(tx *gorm.DB, p place, now time.Time) (n int, err error) {
	query, args := "SELECT count(*) FROM routings WHERE rule_id = $1", []any{p.rule}
	if p.limit.period != capTotal {
		first, end := period(p.limit.period, now, p.zone)
		query, args = query+" AND created_at >= $2 AND created_at < $3", append(args, first, end)
	}
	err = tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context, query, args...).Scan(&n)
	return n, err
}

// recount forgets the counts of a rule whose caps change: they may have missed
// what was routed without a cap.
func recount(tx *gorm.DB, old, now *Rule) error {
	if old.TimeZone == now.TimeZone && slices.Equal(old.caps(), now.caps()) {
		return nil
	}
	if _, err := exec(tx, "DELETE FROM rule_counts WHERE rule_id = $1", now.ID); err != nil {
		return fmt.Errorf("counts of rule %d: %w", now.ID, err)
	}
	return nil
}
