package routing

import (
	"context"
	"errors"
	"fmt"
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
}

// liveRule is a rule with its active revision compiled.
type liveRule struct {
	id, customerID, revision int64
	connectorVersion         int64
	active                   bool // not paused
	startsAt, endsAt         *time.Time
	priority, weight         int
	rotation                 string
	isDefault                bool
	limits                   []limit
	hours                    timetable
	plan                     *plan
	err                      error // why there is no plan
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
	set := old
	if old == nil || old.version != version {
		var err error
		if set, err = s.loadRules(db, old); err != nil {
			return nil, fmt.Errorf("load rules: %w", err)
		}
	}
	next := &ruleSet{version: version, purges: purges, rules: set.rules, byID: set.byID, index: set.index, counted: set.counted, onwards: set.onwards}
	s.live.set.Store(next)
	s.live.checked.Store(int64(now))
	return next, nil
}

// loadRules reads and compiles the rules that have an active revision. Plans of
// revisions that old has already are taken from there.
func (s *Service) loadRules(db *gorm.DB, old *ruleSet) (*ruleSet, error) {
	var rules []Rule
	err := db.Select("id", "customer_id", "state", "active_revision", "starts_at", "ends_at", "priority", "weight", "rotation",
		"cap_day", "cap_week", "cap_month", "cap_total", "time_zone", "schedule", "is_default").
		Where("active_revision IS NOT NULL").Order("priority, id").Find(&rules).Error
	if err != nil {
		return nil, err
	}
	var all []Connector
	if err := db.Find(&all).Error; err != nil {
		return nil, err
	}
	connectors := make(map[int64]*Connector, len(all))
	for i := range all {
		connectors[all[i].ID] = &all[i]
	}
	revisions, err := activeRevisions(db)
	if err != nil {
		return nil, err
	}
	set := &ruleSet{byID: make(map[int64]*liveRule, len(rules))}
	for i := range rules {
		r := s.enliven(&rules[i], revisions[rules[i].ID], connectors, old)
		set.rules = append(set.rules, r)
		set.byID[r.id] = r
		set.counted = set.counted || r.counts()
	}
	set.index = newIndex(set.rules)
	set.onwards, err = s.loadSources(db, connectors)
	return set, err
}

// activeRevisions reads the snapshots that rules are live with, by rule.
func activeRevisions(db *gorm.DB) (map[int64]*RuleRevision, error) {
	var rows []RuleRevision
	err := db.Where("(rule_id, revision) IN (SELECT id, active_revision FROM rules)").Find(&rows).Error
	byRule := make(map[int64]*RuleRevision, len(rows))
	for i := range rows {
		byRule[rows[i].RuleID] = &rows[i]
	}
	return byRule, err
}

// enliven compiles the active revision of r. One that does not compile (it did
// when it was saved) is logged and matches nothing.
func (s *Service) enliven(r *Rule, revision *RuleRevision, connectors map[int64]*Connector, old *ruleSet) *liveRule {
	l := &liveRule{
		id: r.ID, customerID: r.CustomerID, revision: *r.ActiveRevision,
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
	l.connectorVersion = connector.Version
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
