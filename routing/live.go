package routing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
)

// rulesVersion is the settings row whose value is another after every change of
// a rule or connector. The value is random, not counted, so that one read inside
// a transaction that failed later is never taken for a real one.
const rulesVersion = "rules_version"

// liveRules holds the rules that were ever activated, compiled.
type liveRules struct {
	set      atomic.Pointer[ruleSet]
	purges   atomic.Int64
	checked  atomic.Int64 // when rulesVersion was last read, in nanoseconds since started
	checking sync.Mutex
	// closed tells of a rule whose circuit breaker is open when its next probe is
	// due, nil of any other. Without it no rule has a breaker.
	closed func(ruleID int64) *time.Time
}

var started = time.Now()

// ruleSet is one state of the live rules. It never changes.
type ruleSet struct {
	version string
	purges  int64       // how many purges it knows of
	rules   []*liveRule // by priority, then id
	byID    map[int64]*liveRule
	index   *index
	counted bool                  // decisions may have to change counts or turns
	onwards map[int64]*liveOnward // the sources that send outcomes onward
	// base is the last set read outside of a transaction, which a later one is
	// compared with: versions of rows that were rolled back come again. Nil: none.
	base *ruleSet
}

// liveRule is a rule with its active revision compiled.
type liveRule struct {
	id, customerID, revision      int64
	version                       int64 // of its row
	connectorID, connectorVersion int64
	active                        bool // not paused
	startsAt, endsAt              *time.Time
	priority, weight              int
	rotation                      string
	isDefault                     bool
	limits                        []limit
	hours                         timetable
	plan                          *plan
	err                           error // why there is no plan
}

// rulesChanged marks the rules as changed for every server, and for this one at
// the moment of the commit.
func (s *Service) rulesChanged(tx *gorm.DB) error {
	_, err := exec(tx, `INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, rulesVersion, uuid.NewString())
	if err != nil {
		return fmt.Errorf("rules version: %w", err)
	}
	store.AfterCommit(tx.Statement.Context, func() { s.live.purges.Add(1) })
	return nil
}

// rules returns the live rules, at most s.recheck old. It reads through ctx's
// transaction where there is one, so that it never waits for a second
// connection while it holds one.
func (s *Service) rules(ctx context.Context) (*ruleSet, error) {
	set, purges := s.live.set.Load(), s.live.purges.Load()
	if set != nil && set.purges == purges {
		if time.Since(started)-time.Duration(s.live.checked.Load()) < s.recheck || !s.live.checking.TryLock() {
			return set, nil
		}
		defer s.live.checking.Unlock()
	}
	return s.reload(ctx, set, purges)
}

// reload returns a set as of now, with whatever of old is still right.
func (s *Service) reload(ctx context.Context, old *ruleSet, purges int64) (*ruleSet, error) {
	now := time.Since(started)
	db := s.db.Read(ctx)
	// The version goes first: a change in between is then found by the next check.
	var version string
	if err := db.Raw("SELECT value FROM settings WHERE name = ?", rulesVersion).Scan(&version).Error; err != nil {
		return nil, fmt.Errorf("rules version: %w", err)
	}
	if old == nil {
		old = &ruleSet{}
	}
	next := *old
	if old.byID == nil || old.version != version {
		set, err := s.loadRules(db, old.base)
		if err != nil {
			return nil, fmt.Errorf("load rules: %w", err)
		}
		if set.base = &set; s.db.Inside(ctx) {
			set.base = old.base
		}
		next = set
	}
	next.version, next.purges = version, purges
	s.live.set.Store(&next)
	s.live.checked.Store(int64(now))
	return &next, nil
}

// loadRules reads and compiles the rules that have an active revision. Those whose
// rows are as old has them are taken from there; it may be nil.
func (s *Service) loadRules(db *gorm.DB, old *ruleSet) (set ruleSet, err error) {
	if old == nil {
		old = &ruleSet{}
	}
	var all []Connector
	if err := db.Find(&all).Error; err != nil {
		return set, err
	}
	connectors := make(map[int64]*Connector, len(all))
	for i := range all {
		connectors[all[i].ID] = &all[i]
	}
	rows, err := versions(db)
	if err != nil {
		return set, err
	}
	changed, err := s.readRules(db, old.behind(rows, connectors), connectors, old)
	if err != nil {
		return set, err
	}
	set.byID = make(map[int64]*liveRule, len(rows))
	for _, row := range rows {
		r := changed[row.id]
		if r == nil {
			r = old.byID[row.id]
		}
		if r == nil {
			continue // gone since: the next check finds it so
		}
		set.rules, set.byID[r.id] = append(set.rules, r), r
		set.counted = set.counted || r.counts()
	}
	slices.SortFunc(set.rules, func(a, b *liveRule) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.id, b.id))
	})
	if set.index = old.index; set.index == nil || !slices.Equal(set.rules, old.rules) {
		set.index = newIndex(set.rules)
	}
	set.onwards, err = s.loadSources(db, connectors)
	return set, err
}

// versioned is what tells whether a rule's row has changed.
type versioned struct{ id, version int64 }

// versions gives those of the rules that have an active revision.
func versions(db *gorm.DB) ([]versioned, error) {
	rows, err := db.Raw("SELECT id, version FROM rules WHERE active_revision IS NOT NULL").Rows()
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []versioned
	for rows.Next() {
		var v versioned
		if err := rows.Scan(&v.id, &v.version); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// behind gives the ids of the rows that set does not have as they are.
func (set *ruleSet) behind(rows []versioned, connectors map[int64]*Connector) []int64 {
	var ids []int64
	for _, row := range rows {
		r := set.byID[row.id]
		if r == nil || r.err != nil || r.version != row.version || connectors[r.connectorID] == nil ||
			connectors[r.connectorID].Version != r.connectorVersion {
			ids = append(ids, row.id)
		}
	}
	return ids
}

// readRules reads the rules with the ids and the snapshots they are live with, and
// compiles them.
func (s *Service) readRules(db *gorm.DB, ids []int64, connectors map[int64]*Connector, old *ruleSet) (map[int64]*liveRule, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	among := "id IN (SELECT value FROM json_each(?))"
	if s.db.Dialect() == store.Postgres {
		among = "id = ANY (?::bigint[])"
	}
	var rules []Rule
	err := db.Select("id", "customer_id", "state", "active_revision", "starts_at", "ends_at", "priority", "weight", "rotation",
		"cap_day", "cap_week", "cap_month", "cap_total", "time_zone", "schedule", "is_default", "version").
		Where("active_revision IS NOT NULL").Where(among, s.list(ids)).Find(&rules).Error
	if err != nil {
		return nil, err
	}
	var snapshots []RuleRevision
	err = db.Where("(rule_id, revision) IN (SELECT id, active_revision FROM rules WHERE "+among+")", s.list(ids)).Find(&snapshots).Error
	if err != nil {
		return nil, err
	}
	byRule := make(map[int64]*RuleRevision, len(snapshots))
	for i := range snapshots {
		byRule[snapshots[i].RuleID] = &snapshots[i]
	}
	all := make(map[int64]*liveRule, len(rules))
	for i := range rules {
		all[rules[i].ID] = s.enliven(&rules[i], byRule[rules[i].ID], connectors, old)
	}
	return all, nil
}

// enliven compiles the active revision of r. One that does not compile (it did
// when it was saved) is logged and matches nothing.
func (s *Service) enliven(r *Rule, revision *RuleRevision, connectors map[int64]*Connector, old *ruleSet) *liveRule {
	l := &liveRule{
		id: r.ID, customerID: r.CustomerID, revision: *r.ActiveRevision, version: r.Version,
		active: r.State == Active, startsAt: r.StartsAt, endsAt: r.EndsAt,
		priority: r.Priority, weight: r.Weight, rotation: r.Rotation, isDefault: r.IsDefault,
		limits: r.caps(), hours: newTimetable(&problems{}, r.TimeZone, r.Schedule),
	}
	if revision == nil || revision.Revision != l.revision {
		l.err = errors.New("its active revision is not stored")
		return l
	}
	connector := connectors[revision.ConnectorID]
	if connector == nil {
		l.err = errors.New("its connector is not stored")
		return l
	}
	l.connectorID, l.connectorVersion = connector.ID, connector.Version
	if old != nil {
		if before := old.byID[l.id]; before != nil && before.plan != nil &&
			before.revision == l.revision && before.connectorVersion == l.connectorVersion {
			l.plan = before.plan
			return l
		}
	}
	if l.plan, l.err = s.plan(revision, connector); l.err != nil {
		s.log.Error("active rule does not compile", "rule", l.id, "revision", l.revision, "error", l.err)
	}
	return l
}
