package feedback

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/routing"
	"leadloop/store"
)

const (
	// pullPoll is how long Run waits before it looks for due pulls again.
	pullPoll = time.Second
	// pullLease is for how long a pull is one server's, from each page on.
	pullLease = 5 * time.Minute
	// pullsAtOnce is how many pulls a server runs at once.
	pullsAtOnce = 4
	// mostPages is how many pages a run reads at most.
	mostPages = 10_000
	// pullOverlap is how far a run goes back behind what was read: systems show a
	// change a little after the time they give it.
	pullOverlap = 5 * time.Minute
	// Failures wait from shortestWait on, doubling, up to longestWait, or the
	// interval where that is longer; after pullPatience of them the pull pauses.
	shortestWait = time.Minute
	longestWait  = 6 * time.Hour
	pullPatience = 5 * 24 * time.Hour
)

// errTaken says that another server has the pull, or staff paused it.
var errTaken = errors.New("the pull is no longer this server's")

// Run runs pulls as they become due, and settles what words that got a meaning
// have left, until ctx ends. Then it waits for what is under way, pulls to the end of
// the page they are at, and returns nil. Any number of
// servers may run on one database.
func (s *Service) Run(ctx context.Context) error {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { s.settleRest(ctx) })
	slots := make(chan struct{}, pullsAtOnce)
	tick := time.NewTicker(pullPoll)
	defer tick.Stop()
	for {
		for s.startPull(ctx, slots, &running) {
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-s.pulling:
		}
	}
}

// startPull claims a pull that is due and has it run, and reports whether there
// was one and room for it.
func (s *Service) startPull(ctx context.Context, slots chan struct{}, running *sync.WaitGroup) bool {
	select {
	case slots <- struct{}{}:
	default:
		return false
	}
	p, err := s.claimPull(ctx)
	if err != nil && ctx.Err() == nil {
		s.Log.ErrorContext(ctx, "pulls", "error", err)
	}
	if p == nil || err != nil {
		<-slots
		return false
	}
	running.Go(func() {
		defer func() { <-slots }()
		s.runPull(ctx, p)
	})
	return true
}

// claimPull gives a pull that is due, and keeps others from it for a while.
func (s *Service) claimPull(ctx context.Context) (*Pull, error) {
	now := s.Now()
	const due = "next_at <= ? AND state = 'active' AND (lease_until IS NULL OR lease_until <= ?)"
	var some int64
	if err := s.DB.Read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM pulls WHERE "+due+" LIMIT 1) AS due", now, now).Scan(&some).Error; err != nil || some == 0 {
		return nil, err
	}
	lock := ""
	if s.DB.Dialect() == store.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	var found []Pull
	err := s.DB.Write(ctx, func(tx *gorm.DB) error {
		found = nil
		return tx.Raw("UPDATE pulls SET lease_until = ?, lease_token = ? WHERE id IN (SELECT id FROM pulls WHERE "+due+
			" ORDER BY next_at LIMIT 1"+lock+") RETURNING *", now.Add(pullLease), uuid.NewString(), now, now).Scan(&found).Error
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// runPull runs p once and records how that ended.
func (s *Service) runPull(ctx context.Context, p *Pull) {
	after, err := s.readPull(ctx, p)
	if errors.Is(err, errTaken) {
		return
	}
	whole := context.WithoutCancel(ctx)
	if ctx.Err() != nil {
		err = s.DB.Write(whole, func(tx *gorm.DB) error { return p.guarded(tx, "lease_until = NULL, lease_token = NULL") })
	} else if err != nil {
		err = s.pullFailed(whole, p, err, after)
	}
	if err != nil && !errors.Is(err, errTaken) {
		s.Log.ErrorContext(ctx, "pull", "pull", p.ID, "error", err)
	}
}

// guarded updates p while it is this server's; otherwise it returns errTaken.
func (p *Pull) guarded(tx *gorm.DB, set string, args ...any) error {
	res := tx.Exec("UPDATE pulls SET "+set+" WHERE id = ? AND lease_token = ?", append(args, p.ID, p.LeaseToken)...)
	if res.Error == nil && res.RowsAffected == 0 {
		return errTaken
	}
	return res.Error
}

// from is the time that a run reads from.
func (p *Pull) from() time.Time {
	if p.Since != nil {
		if at := p.Since.Add(-pullOverlap); at.After(p.StartsAt) {
			return at
		}
	}
	return p.StartsAt
}

// readPull reads page after page. Each is stored, with how far the pull is, in one
// transaction: a page is taken whole or not at all. With an error it gives how
// long the customer's system wants to be left alone.
func (s *Service) readPull(ctx context.Context, p *Pull) (after time.Duration, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.Log.ErrorContext(ctx, "panic in pull", "pull", p.ID, "panic", v, "stack", string(debug.Stack()))
			err = errors.New("the program failed on this pull; see its log")
		}
	}()
	db := s.DB.Read(ctx)
	actor, err := s.puller(db, p)
	if err != nil {
		return 0, err
	}
	reader, err := s.Routing.Reader(db, p.ConnectorID, p.Settings)
	if err != nil {
		return 0, err
	}
	w := newWalk(p.from(), reader.Ordered)
	for range mostPages {
		page, err := reader.Read(ctx, w.at)
		if err != nil {
			return page.After, err
		}
		if err := w.on(&page); err != nil {
			return 0, err
		}
		if err := s.storePage(ctx, p, actor, w, page.Items); err != nil || w.done {
			return 0, err
		}
	}
	return 0, fmt.Errorf("after %d pages there are more: does the customer's system heed {Since}?", mostPages)
}

// storePage makes reports of a page's items and records how far p is.
func (s *Service) storePage(ctx context.Context, p *Pull, actor store.Actor, w *walk, items []routing.Item) error {
	begun := s.Now()
	return s.DB.Write(ctx, func(tx *gorm.DB) error {
		t, err := s.take(tx, p, actor, items, begun)
		if err != nil {
			return err
		}
		if t.problem != "" {
			w.problem = fmt.Sprintf("not all could be reported, the last because: %s", t.problem)
		}
		if err := p.guarded(tx, "found = found + ?, reported = reported + ?, unknown = unknown + ?, refused = refused + ?, lease_until = ?",
			t.found, t.reported, t.unknown, t.refused, begun.Add(pullLease)); err != nil {
			return err
		}
		if to := w.reached(); to != nil && (p.Since == nil || to.After(*p.Since)) {
			if err := p.guarded(tx, "since = ?", *to); err != nil {
				return err
			}
		}
		if !w.done {
			return nil
		}
		var problem *string
		if w.problem != "" {
			problem = &w.problem
		}
		return p.guarded(tx, `last_run_at = ?, last_error = ?, next_at = ?, failures = 0, failing_since = NULL,
			lease_until = NULL, lease_token = NULL`, begun, problem, begun.Add(time.Duration(p.IntervalMinutes)*time.Minute))
	})
}

// pullFailed records that a run failed, and when to try again: never, after days.
func (s *Service) pullFailed(ctx context.Context, p *Pull, why error, after time.Duration) error {
	now := s.Now()
	since := now
	if p.FailingSince != nil {
		since = *p.FailingSince
	}
	longest := max(longestWait, time.Duration(p.IntervalMinutes)*time.Minute)
	wait := min(shortestWait<<min(p.Failures, 20), longest)
	wait = max(wait, min(after, longest))
	paused := now.Sub(since) >= pullPatience
	return s.DB.Write(ctx, func(tx *gorm.DB) error {
		err := p.guarded(tx, "last_run_at = ?, last_error = ?, next_at = ?, failures = failures + 1, failing_since = ?, lease_until = NULL",
			now, why.Error(), now.Add(wait), since)
		if err != nil || !paused {
			return err
		}
		reason := fmt.Sprintf("no reading has succeeded since %s: %s", since.Format(time.RFC3339), why)
		if err := p.guarded(tx, "state = 'paused', pause_reason = ?, next_at = NULL, version = version + 1", reason); err != nil {
			return err
		}
		var customer int64
		if err := tx.Raw("SELECT customer_id FROM connections WHERE id = ?", p.ConnectionID).Scan(&customer).Error; err != nil {
			return err
		}
		err = s.Routing.Notify(tx, routing.Notice{
			Kind: routing.NoticePull, Subject: fmt.Sprintf("pull %d %s", p.ID, now.Format(time.RFC3339)), CustomerID: &customer,
			Message: fmt.Sprintf("The pull %d (%s) was paused: %s", p.ID, p.Name, reason),
		})
		if err != nil {
			return err
		}
		return auditPull(tx, p, "Pause", PullPaused, &reason)
	})
}
