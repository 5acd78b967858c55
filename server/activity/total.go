package activity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/store"
)

// Total is the sum of some counters of Activity, which are named alike there.
type Total struct {
	Kind     string    `gorm:"primaryKey" json:"-"`                      // ofHour, ofSource or ofCustomer
	At       time.Time `gorm:"primaryKey"`                               // when what is added up begins
	ID       int64     `gorm:"column:id;primaryKey;autoIncrement:false"` // of the source or customer; 0 of an hour
	ReasonID int32     `gorm:"primaryKey;autoIncrement:false"`           // 0 of an hour

	Leads     int64
	Unmatched int64
	Routed    int64
	Delivered int64
	Rejected  int64
	Failed    int64
	Parked    int64
	Answered  int64
	Reports   int64
}

// The kinds of totals that are kept: by the hour, and by the day of UTC and reason
// of a source or a customer.
const (
	ofHour     = "hour"
	ofSource   = "source"
	ofCustomer = "customer"
)

// TableName implements GORM's Tabler.
func (Total) TableName() string { return "activity_totals" }

// totalled are the columns of a total.
var totalled = []string{"leads", "unmatched", "routed", "delivered", "rejected", "failed", "parked", "answered", "reports"}

// sums adds up the columns of a total.
var sums = func() string {
	var list []string
	for _, c := range totalled {
		list = append(list, "sum("+c+") AS "+c)
	}
	return strings.Join(list, ", ")
}()

const day = 24 * time.Hour

// totals are totals by what they are of.
type totals map[totalKey]*Total

type totalKey struct {
	kind   string
	at, id int64
	reason int32
}

// add adds some times the counters of n.
func (t totals) add(n Total, times int64) {
	key := totalKey{n.Kind, n.At.Unix(), n.ID, n.ReasonID}
	sum := t[key]
	if sum == nil {
		sum = &Total{Kind: n.Kind, At: n.At, ID: n.ID, ReasonID: n.ReasonID}
		t[key] = sum
	}
	sum.Leads += times * n.Leads
	sum.Unmatched += times * n.Unmatched
	sum.Routed += times * n.Routed
	sum.Delivered += times * n.Delivered
	sum.Rejected += times * n.Rejected
	sum.Failed += times * n.Failed
	sum.Parked += times * n.Parked
	sum.Answered += times * n.Answered
	sum.Reports += times * n.Reports
}

// count adds some times what these counters come to, by hour and by day.
func (t totals) count(rows []Activity, times int64) {
	for i := range rows {
		a := &rows[i]
		hour := a.total()
		hour.Kind, hour.At = ofHour, a.Hour
		t.add(hour, times)
		t.by(a, a.Hour.UTC().Truncate(day), times)
	}
}

// by adds some times what these counters come to from some instant on, by source
// and by customer.
func (t totals) by(a *Activity, at time.Time, times int64) {
	n := a.total()
	n.Kind, n.At, n.ID, n.ReasonID = ofSource, at, a.SourceID, a.ReasonID
	t.add(n, times)
	if n.Kind, n.ID = ofCustomer, a.CustomerID; n.ID != 0 {
		t.add(n, times)
	}
}

func (a *Activity) total() Total {
	return Total{
		Leads: a.Leads, Unmatched: a.Unmatched, Routed: a.Routed, Delivered: a.Delivered,
		Rejected: a.Rejected, Failed: a.Failed, Parked: a.Parked, Answered: a.Answered, Reports: a.Reports,
	}
}

// list gives the totals in their order, without those that come to nothing.
func (t totals) list() []Total {
	list := make([]Total, 0, len(t))
	for sum := range maps.Values(t) {
		if *sum != (Total{Kind: sum.Kind, At: sum.At, ID: sum.ID, ReasonID: sum.ReasonID}) {
			list = append(list, *sum)
		}
	}
	slices.SortFunc(list, func(a, b Total) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID), cmp.Compare(a.ReasonID, b.ReasonID))
	})
	return list
}

// grow adds to the totals that are stored.
func (t totals) grow(tx *gorm.DB) error {
	set := map[string]any{}
	for _, c := range totalled {
		set[c] = gorm.Expr("activity_totals." + c + " + excluded." + c)
	}
	added := clause.OnConflict{
		Columns:   []clause.Column{{Name: "kind"}, {Name: "at"}, {Name: "id"}, {Name: "reason_id"}},
		DoUpdates: clause.Assignments(set),
	}
	return store.Portions(t.list(), func(part []Total) error { return tx.Clauses(added).Create(&part).Error })
}

// total stores all totals anew.
func (s *Service) total(tx *gorm.DB) error {
	midnight := "substr(hour, 1, 10) || 'T00:00:00.000000Z'"
	if s.DB.Dialect() == store.Postgres {
		midnight = "date_trunc('day', hour, 'UTC')"
	}
	if err := tx.Exec("DELETE FROM activity_totals").Error; err != nil {
		return err
	}
	for _, of := range []string{
		"'" + ofHour + "', hour, 0, 0, " + sums + " FROM activity GROUP BY hour",
		"'" + ofSource + "', " + midnight + ", source_id, reason_id, " + sums + " FROM activity GROUP BY 2, source_id, reason_id",
		"'" + ofCustomer + "', " + midnight + ", customer_id, reason_id, " + sums + " FROM activity WHERE customer_id <> 0 GROUP BY 2, customer_id, reason_id",
	} {
		if err := tx.Exec("INSERT INTO activity_totals (kind, at, id, reason_id, " + strings.Join(totalled, ", ") + ") SELECT " + of).Error; err != nil {
			return fmt.Errorf("totals: %w", err)
		}
	}
	return nil
}
