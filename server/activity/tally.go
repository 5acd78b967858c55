package activity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

// Tally is what happened from some instant on: by the hour, and by the reason of
// the newest feedback for each source and each customer, whose totals begin at
// that instant. Totals of which nothing happened are left out.
type Tally struct {
	Hours     []Total
	Sources   []Total
	Customers []Total
}

// Since tallies the hours that begin at an instant or later, less what is by
// hidden rules. Needs a viewer.
func (s *Service) Since(ctx context.Context, since time.Time, hidden []int64) (*Tally, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	since = since.UTC()
	midnight := since.Truncate(day)
	if midnight.Before(since) {
		midnight = midnight.Add(day)
	}
	t := tallying{tx: s.DB.Read(ctx), since: since, sums: totals{}}
	err := errors.Join(
		t.totals(midnight),
		t.counters(1, "hour < ?", midnight), // the day that since is in the midst of
	)
	if len(hidden) > 0 {
		err = errors.Join(err, t.hours(-1, "rule_id IN ?", hidden), t.counters(-1, "rule_id IN ?", hidden))
	}
	if err != nil {
		return nil, fmt.Errorf("tally: %w", err)
	}
	all := &Tally{Hours: []Total{}, Sources: []Total{}, Customers: []Total{}}
	for _, n := range t.sums.list() {
		switch n.Kind {
		case ofHour:
			all.Hours = append(all.Hours, n)
		case ofSource:
			all.Sources = append(all.Sources, n)
		default:
			all.Customers = append(all.Customers, n)
		}
	}
	return all, nil
}

// tallying is one Since.
type tallying struct {
	tx    *gorm.DB
	since time.Time
	sums  totals
}

// totals adds the totals of all hours, and of all whole days, which begin at
// midnight.
func (t *tallying) totals(midnight time.Time) error {
	var hours, days []Total
	err := t.tx.Where("kind = ? AND at >= ?", ofHour, t.since).Find(&hours).Error
	if err != nil {
		return err
	}
	err = t.tx.Raw("SELECT kind, id, reason_id, "+sums+" FROM activity_totals WHERE kind IN ? AND at >= ? GROUP BY kind, id, reason_id",
		[]string{ofSource, ofCustomer}, midnight).Scan(&days).Error
	for _, n := range hours {
		t.sums.add(n, 1)
	}
	for _, n := range days {
		n.At = t.since
		t.sums.add(n, 1)
	}
	return err
}

// hours adds some times the counters that satisfy a condition, by the hour.
func (t *tallying) hours(times int64, where string, arg any) error {
	var rows []Total
	err := t.tx.Raw("SELECT hour AS at, "+sums+" FROM activity WHERE hour >= ? AND "+where+" GROUP BY hour", t.since, arg).Scan(&rows).Error
	for _, n := range rows {
		n.Kind = ofHour
		t.sums.add(n, times)
	}
	return err
}

// counters adds some times the counters that satisfy a condition, by source and by
// customer.
func (t *tallying) counters(times int64, where string, arg any) error {
	var rows []Activity
	err := t.tx.Raw("SELECT source_id, customer_id, reason_id, "+sums+" FROM activity WHERE hour >= ? AND "+where+" GROUP BY source_id, customer_id, reason_id",
		t.since, arg).Scan(&rows).Error
	for i := range rows {
		t.sums.by(&rows[i], t.since, times)
	}
	return err
}
