package activity

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/store"
)

// portion is how many hours of sources that changed are counted in one go, and
// hoursAtOnce how many hours of all sources: what one transaction writes, which
// others wait for.
const (
	portion     = 200
	hoursAtOnce = 8
)

// progress is how far counting is, kept in settings. Whoever wants to write
// counters must still find it as it was when they were read: so no two servers
// add the same, and none writes over what is newer.
type progress struct {
	Step int64 `json:"step"` // counts the writes
	// Marks are the first changes not seen to, in each log.
	Marks marks `json:"marks"`
	// All says that all hours are to be counted, whatever the logs say, and After
	// from where on.
	All   bool  `json:"all,omitempty"`
	After *hour `json:"after,omitempty"`
	// Totals says that the totals are those of the counters; else they are made anew.
	// A server of a version that has no totals does not keep it.
	Totals bool `json:"totals,omitempty"`
}

// hour is one hour of one source.
type hour struct {
	At     string `json:"at"` // as hourLayout
	Source int64  `json:"source"`
}

const hourLayout = "2006-01-02T15"

// span is an hour of some sources, or of all where sources is nil.
type span struct {
	begin   time.Time
	sources []int64
}

// spans are hours of sources, which follow each other, by the hour.
func spans(hours []hour) (list []span, err error) {
	for i, h := range hours {
		if i == 0 || h.At != hours[i-1].At {
			begin, err := h.begin()
			if err != nil {
				return nil, err
			}
			list = append(list, span{begin: begin})
		}
		last := &list[len(list)-1]
		last.sources = append(last.sources, h.Source)
	}
	return list, nil
}

// begin is the hour's first instant.
func (h hour) begin() (time.Time, error) { return time.Parse(hourLayout, h.At) }

// errOvertaken says that another server counted meanwhile.
var errOvertaken = errors.New("another server counts")

// Roll brings the counters up to what the database holds.
func (s *Service) Roll(ctx context.Context) error {
	err := s.roll(ctx)
	if errors.Is(err, errOvertaken) {
		return nil
	}
	return err
}

func (s *Service) roll(ctx context.Context) error {
	r := &rolling{Service: s, ctx: ctx}
	if err := r.snapshot(r.look); err != nil {
		return err
	}
	if r.now.All {
		return r.all()
	}
	if len(r.hours) == 0 && !r.reported && r.now.Totals {
		return nil
	}
	for len(r.hours) > portion {
		part, err := spans(r.hours[:portion])
		if err == nil {
			err = r.count(part, func(*gorm.DB) error { return nil })
		}
		if err != nil {
			return err
		}
		r.hours = r.hours[portion:]
	}
	since := r.now.Marks
	r.now.Marks = r.seen
	part, err := spans(r.hours)
	if err != nil {
		return err
	}
	return r.count(part, func(tx *gorm.DB) error { return r.countReports(tx, since) })
}

// rolling is one Roll.
type rolling struct {
	*Service
	ctx      context.Context
	was      string // the progress as it is stored
	now      progress
	seen     marks  // where the logs stand
	hours    []hour // that have changed
	reported bool   // there are new reports

	old  []Activity // what was counted before, but for reports
	rows []Activity // counted, not written
	more []Activity // to be added to what is there
}

// snapshot has f read one state of the database.
func (r *rolling) snapshot(f func(tx *gorm.DB) error) error {
	return r.DB.Read(r.ctx).Transaction(f, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
}

// look finds what there is to count.
func (r *rolling) look(tx *gorm.DB) error {
	var stored []string
	if err := tx.Raw("SELECT value FROM settings WHERE name = 'activity'").Scan(&stored).Error; err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	var floor marks
	var err error
	if r.seen, floor, err = r.marks(tx); err != nil {
		return err
	}
	if len(stored) > 0 {
		r.was = stored[0]
		if err := json.Unmarshal([]byte(r.was), &r.now); err != nil {
			return fmt.Errorf("progress: %w", err)
		}
	}
	if r.was == "" || !r.now.All && !r.now.Marks.within(floor, r.seen) {
		r.now = progress{Step: r.now.Step, Marks: r.seen, All: true}
	}
	if r.now.All {
		return nil
	}
	if r.hours, err = r.changed(tx, r.now.Marks, r.seen); err != nil {
		return err
	}
	r.reported, err = r.reports(tx, r.now.Marks, r.seen)
	return err
}

// all counts everything, from where it was left off.
func (r *rolling) all() error {
	if r.now.After == nil {
		if err := r.count(nil, r.countAllReports); err != nil {
			return err
		}
		r.now.After = &hour{}
	}
	for r.now.All {
		var part []span
		err := r.snapshot(func(tx *gorm.DB) (err error) {
			part, err = r.following(tx, *r.now.After)
			return err
		})
		if err != nil {
			return err
		}
		if r.now.All = len(part) > 0; r.now.All {
			r.now.After = &hour{At: part[len(part)-1].begin.Format(hourLayout)}
		} else {
			r.now.After = nil
		}
		if err := r.count(part, func(*gorm.DB) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// count counts these hours, and what more finds, and stores both with the
// progress.
func (r *rolling) count(hours []span, more func(tx *gorm.DB) error) error {
	r.old, r.rows, r.more = nil, nil, nil
	err := r.snapshot(func(tx *gorm.DB) error {
		for _, h := range hours {
			if err := errors.Join(r.recall(tx, h), r.countSpan(tx, h)); err != nil {
				return fmt.Errorf("count %s: %w", h.begin.Format(hourLayout), err)
			}
		}
		return more(tx)
	})
	if err != nil {
		return err
	}
	return r.store(hours)
}

// store writes what was counted.
func (r *rolling) store(hours []span) error {
	next := r.now
	next.Step++
	next.Totals = true
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	err = r.DB.Write(r.ctx, func(tx *gorm.DB) error {
		if err := r.advance(tx, string(text)); err != nil {
			return err
		}
		for _, h := range hours {
			if err := clear(tx, h); err != nil {
				return err
			}
		}
		anew := next.All && next.After == nil // at the beginning
		if anew {
			if err := tx.Exec("UPDATE activity SET reports = 0 WHERE reports <> 0").Error; err != nil {
				return err
			}
		}
		if err := upsert(tx, r.rows, counted); err != nil {
			return err
		}
		if err := upsert(tx, r.more, added); err != nil {
			return err
		}
		if anew || !r.now.Totals {
			return r.total(tx)
		}
		grown := totals{}
		grown.count(r.old, -1)
		grown.count(r.rows, 1)
		grown.count(r.more, 1)
		return grown.grow(tx)
	})
	if err != nil {
		return err
	}
	r.was, r.now = string(text), next
	return nil
}

// advance stores the progress, if it is still what it was.
func (r *rolling) advance(tx *gorm.DB, text string) error {
	res := tx.Exec("UPDATE settings SET value = ? WHERE name = 'activity' AND value = ?", text, r.was)
	if r.was == "" {
		res = tx.Exec("INSERT INTO settings (name, value) VALUES ('activity', ?) ON CONFLICT DO NOTHING", text)
	}
	if res.Error == nil && res.RowsAffected == 0 {
		return errOvertaken
	}
	return res.Error
}

// columns are the counters that countHour sets.
var columns = []string{
	"leads", "tests", "duplicates", "unmatched", "routed", "waiting", "delivered", "rejected", "failed", "parked", "answered", "returned",
}

var (
	counted = clause.AssignmentColumns(columns)
	added   = clause.Assignments(map[string]any{"reports": gorm.Expr("activity.reports + excluded.reports")})
)

// counters are those of an hour.
func (h span) counters(tx *gorm.DB) *gorm.DB {
	q := tx.Model(&Activity{}).Where("hour = ?", h.begin)
	if h.sources != nil {
		q = q.Where("source_id IN ?", h.sources)
	}
	return q
}

// recall reads what was counted of an hour before, but for reports. That does not
// change until it is written over: whoever else counts overtakes.
func (r *rolling) recall(tx *gorm.DB, h span) error {
	var rows []Activity
	err := h.counters(tx).Select("hour, source_id, customer_id, reason_id, " + strings.Join(columns, ", ")).Find(&rows).Error
	r.old = append(r.old, rows...)
	return err
}

// clear takes away what was counted of an hour before, but for reports.
func clear(tx *gorm.DB, h span) error {
	if err := h.counters(tx).Where("reports = 0").Delete(&Activity{}).Error; err != nil {
		return err
	}
	zeros := map[string]any{}
	for _, c := range columns {
		zeros[c] = 0
	}
	return h.counters(tx).Updates(zeros).Error
}

func upsert(tx *gorm.DB, rows []Activity, set clause.Set) error {
	if len(rows) == 0 {
		return nil
	}
	key := []clause.Column{{Name: "hour"}, {Name: "source_id"}, {Name: "customer_id"}, {Name: "rule_id"}, {Name: "reason_id"}}
	return store.Portions(rows, func(part []Activity) error {
		return tx.Clauses(clause.OnConflict{Columns: key, DoUpdates: set}).Create(&part).Error
	})
}
