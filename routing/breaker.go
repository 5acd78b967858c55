package routing

import (
	"context"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"leadloop/store"
)

// The states of a Rule's circuit breaker.
const (
	BreakerClosed   = "closed"    // routings are sent as they come
	BreakerOpen     = "open"      // they wait; BreakerUntil is when one of them is sent as a probe
	BreakerHalfOpen = "half-open" // the probe is under way
)

// A breaker opens when the last openStreak exchanges failed, or more than
// openShare of the last remembered ones, or one was not let in. Probes come after firstProbe, then after
// twice the time each, up to lastProbe.
const (
	remembered = 20
	openStreak = 10
	openShare  = 14
	firstProbe = 30 * time.Second
	lastProbe  = 15 * time.Minute
)

// longestFailure is how long a customer's system may fail before the rule is
// paused.
const longestFailure = 5 * 24 * time.Hour

// breaker is what a rule's row says of its customer's system, or a source's of the
// one that outcomes go to. The last exchanges
// are bits, the newest lowest, set where they failed; before the first there were
// successes, so to speak.
type breaker struct {
	ruleID, customerID, revision int64 // ruleID is the source where it is a source's
	name, ruleState              string
	state                        string
	until, failingSince          *time.Time
	recent, pause                int64 // pause in seconds

	changed bool // something that others see
	dirty   bool
}

// succeeded notes an exchange that the customer's system answered properly, be it
// with a rejection.
func (b *breaker) succeeded() {
	recent := b.recent << 1 & (1<<remembered - 1)
	b.dirty = b.dirty || recent != b.recent || b.failingSince != nil || b.state != BreakerClosed
	b.recent = recent
	if b.failingSince != nil {
		b.failingSince, b.changed = nil, true
	}
	if b.state != BreakerClosed {
		b.state, b.until, b.pause, b.recent, b.changed = BreakerClosed, nil, 0, 0, true
	}
}

// failed notes an exchange that failed, at the instant now. Failures that were
// under way when the breaker opened do not count as probes.
func (b *breaker) failed(probe bool, now time.Time) {
	b.dirty = true
	b.recent = (b.recent<<1 | 1) & (1<<remembered - 1)
	if b.failingSince == nil {
		b.failingSince, b.changed = &now, true
	}
	switch {
	case probe && b.state != BreakerClosed:
		b.open(min(2*time.Duration(b.pause)*time.Second, lastProbe), now)
	case b.state == BreakerClosed && (b.recent&(1<<openStreak-1) == 1<<openStreak-1 || bits.OnesCount64(uint64(b.recent)) > openShare):
		b.open(firstProbe, now)
	}
}

func (b *breaker) open(wait time.Duration, now time.Time) {
	until := now.Add(wait)
	b.state, b.until, b.pause, b.changed = BreakerOpen, &until, int64(wait/time.Second), true
}

// unused notes that a probe came to no exchange: the next one is due at once.
func (b *breaker) unused(now time.Time) {
	if b.state == BreakerHalfOpen {
		b.state, b.until, b.changed, b.dirty = BreakerOpen, &now, true, true
	}
}

// noteExchanges brings the breakers of the rules, or sources, of one queue's
// outcomes up to date, and pauses the rules whose customer's system is gone or has
// failed for too long. It takes no notice of results that come of no exchange.
func (s *Service) noteExchanges(tx *gorm.DB, q *queue, outcomes []outcome) error {
	failing, fine := []int64{}, []int64{}
	for _, o := range outcomes {
		switch {
		case o.result == nil || o.result.attempt == nil:
			if o.job.probe {
				failing = append(failing, o.job.ruleID)
			}
		case o.result.attempt.Outcome == Retry || o.result.gone || o.job.probe:
			failing = append(failing, o.job.ruleID)
		default:
			fine = append(fine, o.job.ruleID)
		}
	}
	all, err := s.breakers(tx, q, failing, fine)
	if err != nil || len(all) == 0 {
		return err
	}
	now := s.now()
	for _, o := range outcomes {
		if b := all[o.job.ruleID]; b != nil {
			if err := s.note(tx, b, o, now); err != nil {
				return err
			}
		}
	}
	opened := false
	for _, b := range all {
		if !b.dirty {
			continue
		}
		opened = opened || b.changed
		if err := b.save(tx, q); err != nil {
			return err
		}
	}
	if opened {
		store.AfterCommit(tx.Statement.Context, func() { s.broken.stale.Store(true); s.wakeUp() })
	}
	return nil
}

// note takes one outcome into b.
func (s *Service) note(tx *gorm.DB, b *breaker, o outcome, now time.Time) error {
	switch r := o.result; {
	case r == nil || r.attempt == nil:
		if o.job.probe {
			b.unused(now)
		}
	case r.gone:
		b.succeeded()
		if !o.job.isOnward() && r.revision == b.revision {
			return s.pauseFor(tx, b, "the customer's system answered 410 Gone: the address is not in use any more")
		}
	case r.attempt.Outcome == Retry:
		b.failed(o.job.probe, now)
		if r.shutOut {
			if err := s.shutOut(tx, b, o, now); err != nil {
				return err
			}
		}
		if !o.job.isOnward() && now.Sub(*b.failingSince) >= longestFailure {
			return s.pauseFor(tx, b, "the customer's system has failed since "+b.failingSince.Format("2006-01-02 15:04 MST")+": "+r.err)
		}
	default:
		b.succeeded()
	}
	return nil
}

// shutOut opens the breaker of a rule that is not let in: each further lead would
// meet the same, and some systems lock an account after a few tries. A 403 may
// be about one lead (a firewall's, say), so it counts as any failure. Staff are
// told in any case: time alone does not mend it.
func (s *Service) shutOut(tx *gorm.DB, b *breaker, o outcome, now time.Time) error {
	r := o.result
	if b.state == BreakerClosed && *r.attempt.StatusCode != http.StatusForbidden {
		b.open(firstProbe, now)
	}
	if o.job.isOnward() {
		return s.Notify(tx, Notice{
			Kind: NoticeShutOut, SourceID: &b.ruleID, RoutingID: &r.attempt.RoutingID,
			Message: fmt.Sprintf("The system that outcomes of the source %s (%d) go to does not let it in: %s. They wait; please look at the source's OnwardSettings.", b.name, b.ruleID, r.err),
		})
	}
	return s.Notify(tx, Notice{
		Kind: NoticeShutOut, RuleID: &b.ruleID, CustomerID: &b.customerID, RoutingID: &r.attempt.RoutingID,
		Message: fmt.Sprintf("The customer's system does not let the rule %s (%d) in: %s. Its routings wait; please look at the rule's credentials.", b.name, b.ruleID, r.err),
	})
}

// breakers reads and locks the breakers of a queue's owners with the ids in failing,
// and of those in fine that are not as good as new.
func (s *Service) breakers(tx *gorm.DB, q *queue, failing, fine []int64) (map[int64]*breaker, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, q.breakers[s.db.Dialect()], s.list(distinctIDs(failing)), s.list(distinctIDs(fine)))
	if err != nil {
		return nil, fmt.Errorf("breakers: %w", err)
	}
	defer rows.Close()
	all := map[int64]*breaker{}
	for rows.Next() {
		b := &breaker{}
		if err := rows.Scan(&b.ruleID, &b.customerID, &b.name, &b.ruleState, &b.revision,
			&b.state, &b.until, &b.failingSince, &b.recent, &b.pause); err != nil {
			return nil, fmt.Errorf("breakers: %w", err)
		}
		all[b.ruleID] = b
	}
	return all, rows.Err()
}

func distinctIDs(ids []int64) []int64 {
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (b *breaker) save(tx *gorm.DB, q *queue) error {
	up := 0
	if b.changed {
		up = 1
	}
	_, err := exec(tx, q.saveBreaker[tx.Name()], b.state, b.until, b.failingSince, b.recent, b.pause, up, b.ruleID)
	if err != nil {
		return fmt.Errorf("breaker in %s of %d: %w", q.owners, b.ruleID, err)
	}
	return nil
}

// pauseFor pauses the rule of b on the program's own account, with a notice. Its
// routings park until staff activate it again.
func (s *Service) pauseFor(tx *gorm.DB, b *breaker, reason string) error {
	if b.ruleState != Active {
		return nil
	}
	b.ruleState = Paused
	b.state, b.until, b.pause, b.changed, b.dirty = BreakerClosed, nil, 0, true, true // what is due is to park
	if _, err := exec(tx, "UPDATE rules SET state = 'paused', pause_reason = $1, version = version + 1 WHERE id = $2",
		clip(reason, 1000), b.ruleID); err != nil {
		return fmt.Errorf("pause rule %d: %w", b.ruleID, err)
	}
	if err := s.rulesChanged(tx); err != nil {
		return err
	}
	if err := store.Audit(tx, store.Change{
		Action: "Pause", Entity: "Rule", Key: b.ruleID,
		Before: store.Facts{"State": Active}, After: store.Facts{"State": Paused, "PauseReason": clip(reason, 1000)},
	}); err != nil {
		return err
	}
	return s.Notify(tx, Notice{
		Kind: NoticePaused, RuleID: &b.ruleID, CustomerID: &b.customerID,
		Message: fmt.Sprintf("The rule %s (%d) is paused: %s", b.name, b.ruleID, reason),
	})
}

// takeProbes makes the breakers half-open whose time for a probe has come and
// that have something to probe with, until the lease ends, and gives the owners.
func (s *Service) takeProbes(tx *gorm.DB, q *queue, now, until time.Time) ([]int64, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, q.takeProbes[s.db.Dialect()], until, now)
	if err != nil {
		return nil, fmt.Errorf("probes: %w", err)
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// brokenRules are the rules whose breaker is not closed, as far as is known here.
type brokenRules struct {
	now     atomic.Pointer[map[int64]time.Time]
	checked atomic.Int64 // in nanoseconds since started
	stale   atomic.Bool
}

// Broken tells until when the breaker of each rule that has one open keeps its
// routings waiting, and of each source its outcomes: with its ID negated. It is at most as old as rules in memory are; do not change it.
func (s *Service) Broken(ctx context.Context) (map[int64]time.Time, error) {
	known, now := s.broken.now.Load(), time.Since(started)
	if known != nil && !s.broken.stale.Swap(false) && now-time.Duration(s.broken.checked.Load()) < s.recheck {
		return *known, nil
	}
	rows, err := s.db.Read(ctx).Raw("SELECT id, breaker_until FROM rules WHERE breaker_until IS NOT NULL " +
		"UNION ALL SELECT -id, breaker_until FROM sources WHERE breaker_until IS NOT NULL").Rows()
	if err != nil {
		s.broken.stale.Store(true)
		return nil, fmt.Errorf("open breakers: %w", err)
	}
	defer rows.Close()
	fresh := map[int64]time.Time{}
	for rows.Next() {
		var id int64
		var until time.Time
		if err := rows.Scan(&id, &until); err != nil {
			return nil, fmt.Errorf("open breakers: %w", err)
		}
		fresh[id] = until
	}
	s.broken.now.Store(&fresh)
	s.broken.checked.Store(int64(now))
	return fresh, rows.Err()
}

// BrokenUntil tells when the next probe of a rule with an open breaker is due, nil
// of any other, as it was when the workers last looked. It reads nothing.
func (s *Service) BrokenUntil(ruleID int64) *time.Time {
	known := s.broken.now.Load()
	if known == nil {
		return nil
	}
	if until, ok := (*known)[ruleID]; ok {
		return &until
	}
	return nil
}

// resetBreaker forgets what was known of the rule's customer's system.
func (s *Service) resetBreaker(tx *gorm.DB, ruleID int64) error {
	_, err := exec(tx, `UPDATE rules SET breaker = 'closed', breaker_until = NULL, failing_since = NULL,
		breaker_recent = 0, breaker_pause = 0, pause_reason = NULL WHERE id = $1`, ruleID)
	if err != nil {
		return fmt.Errorf("breaker of rule %d: %w", ruleID, err)
	}
	store.AfterCommit(tx.Statement.Context, func() { s.broken.stale.Store(true) })
	return nil
}
