package routing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"leadloop/leads"
	"leadloop/store"
)

// errPaused is the Error of routings that wait for their rule to be resumed.
const errPaused = "the rule is paused"

// result is what becomes of a routing after its turn.
type result struct {
	state       string
	next        *time.Time // nil: nothing is due
	deliveredAt *time.Time
	externalID  *string
	link        *string
	err         string   // "" where all is well
	revision    int64    // of the rule, that was used
	attempt     *Attempt // nil: nothing was sent
	gone        bool     // the customer's system is not there any more
}

// judge tells what becomes of job j after the exchange x by a rule's revision,
// begun at begun.
func (s *Service) judge(j *job, revision int64, x *exchange, begun time.Time) *result {
	now := s.now()
	r := &result{err: x.problem(), revision: revision, attempt: &Attempt{
		RoutingID: j.id, StartedAt: begun, DurationMs: x.duration.Milliseconds(),
		Request: x.request, Response: x.response, Outcome: x.outcome(), Error: optional(x.problem()),
	}}
	if x.status != 0 {
		r.attempt.StatusCode = &x.status
	}
	if s.Exchanged != nil {
		s.Exchanged(r.attempt.Outcome, x.duration)
	}
	if r.gone = x.status == http.StatusGone; r.gone { // the rule pauses: see noteExchanges
		r.state, r.err = Parked, errPaused
		return r
	}
	switch r.attempt.Outcome {
	case Accepted, Duplicate:
		r.state, r.deliveredAt, r.externalID, r.link, r.err = Delivered, &now, x.externalID(), x.externalLink(), ""
	case Refused:
		r.state = Rejected
	default:
		r.state = Failed
		if wait, ok := backoff(j.attempts+1, s.jitter(), retryAfter(x.header, now)); ok {
			at := now.Add(wait).Truncate(time.Microsecond)
			r.state, r.next = Pending, &at
		}
	}
	return r
}

// outcome is the end of a job's turn. Without a result it gives the lease back:
// the routing is due at once, as if it had not been claimed.
type outcome struct {
	job    *job
	result *result
}

// settle records outcomes, each with its Attempt, in one transaction; if that
// fails, each in its own. Where the lease was lost meanwhile, somebody else has
// the routing and the result is not applied; the Attempt, which did take place,
// is kept all the same.
func (s *Service) settle(ctx context.Context, outcomes ...outcome) {
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	held := make([]bool, len(outcomes))
	err := s.db.Write(ctx, func(tx *gorm.DB) (err error) {
		if len(outcomes) > 1 && slices.ContainsFunc(outcomes, outcome.passesOn) {
			if err := s.Together(tx); err != nil {
				return err
			}
		}
		if err := s.noteExchanges(tx, outcomes); err != nil {
			return err
		}
		for i, o := range outcomes {
			if held[i], err = s.apply(tx, o); err != nil {
				return fmt.Errorf("routing %s: %w", o.job.id, err)
			}
		}
		return nil
	})
	if err != nil && len(outcomes) > 1 {
		for _, o := range outcomes {
			s.settle(ctx, o)
		}
		return
	}
	if err != nil {
		// The lease runs out and the routing is sent again with the same webhook-id.
		s.log.Error("routing not settled", "error", err)
		return
	}
	for i, o := range outcomes {
		if !held[i] {
			s.log.Warn("lease lost before the turn ended", "routing", o.job.id)
		}
	}
}

// writeTime bounds the writes that must not be cut off by the program's end.
const writeTime = 30 * time.Second

// apply writes one outcome and reports whether the job still had its lease.
func (s *Service) apply(tx *gorm.DB, o outcome) (held bool, err error) {
	if o.result == nil {
		n, err := exec(tx, `UPDATE routings SET state = 'pending', next_attempt_at = $1, lease_token = NULL, version = version + 1
			WHERE id = $2 AND lease_token = $3`, o.job.due, o.job.id, o.job.token)
		return n > 0, err
	}
	r := *o.result
	if r.state == Parked && r.err == errPaused {
		if err := s.stillPaused(tx, o.job, &r); err != nil {
			return false, err
		}
	}
	if r.state == Parked && r.err == errMissed {
		if err := s.missed(tx, o.job, &r); err != nil {
			return false, err
		}
	}
	if held, err = applyResult(tx, o.job, r); err != nil {
		return held, err
	}
	if held && r.state == Failed {
		if err := s.noticeFailed(tx, o.job, &r); err != nil {
			return held, err
		}
	}
	if r.attempt == nil {
		return held, nil
	}
	if held && r.state == Rejected {
		if _, err := s.passOn(tx, o.job, Turned); err != nil {
			return false, err
		}
	}
	return held, insertAttempt(tx, r.attempt, held)
}

// stillPaused changes r to due at once where j's rule was resumed in the
// meantime. It holds the rule's row, so that Activate comes either before, and
// is seen here, or after, and finds the routing parked.
func (s *Service) stillPaused(tx *gorm.DB, j *job, r *result) error {
	rule, err := load[Rule](shareRow(tx), "rule", j.ruleID)
	if err != nil || rule.State == Paused {
		return err
	}
	now := s.now()
	r.state, r.next, r.err = Pending, &now, ""
	s.live.purges.Add(1) // the rules in memory are behind
	store.AfterCommit(tx.Statement.Context, s.wakeUp)
	return nil
}

func applyResult(tx *gorm.DB, j *job, r result) (held bool, err error) {
	sent := 0
	if r.attempt != nil {
		sent = 1
	}
	n, err := exec(tx, `UPDATE routings SET state = $1, next_attempt_at = $2, lease_token = NULL,
		attempt_count = attempt_count + $3, rule_revision = $4, error = $5,
		delivered_at = coalesce($6, delivered_at), external_id = coalesce($7, external_id),
		external_link = coalesce($8, external_link), version = version + 1
		WHERE id = $9 AND lease_token = $10`,
		r.state, r.next, sent, r.revision, optional(r.err), r.deliveredAt, r.externalID, r.link, j.id, j.token)
	return n > 0, err
}

func insertAttempt(tx *gorm.DB, a *Attempt, held bool) error {
	row := *a
	if !held {
		there, err := row.comeLate(tx)
		if err != nil || !there {
			return err
		}
	}
	_, err := exec(tx, `INSERT INTO attempts
		(routing_id, started_at, duration_ms, status_code, request, response, outcome, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		row.RoutingID, row.StartedAt, row.DurationMs, row.StatusCode, row.Request, row.Response, row.Outcome, row.Error)
	return err
}

// comeLate changes a for a routing whose lease was lost meanwhile, and reports
// whether there still is that routing. An erased lead's exchange is kept without
// its bodies.
func (a *Attempt) comeLate(tx *gorm.DB) (there bool, err error) {
	var routing Routing
	err = shareRow(tx).Select("lead_id").Where("id = ?", a.RoutingID).Take(&routing).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var lead leads.Lead
	if err := tx.Select("erased_at").Where("id = ?", routing.LeadID).Take(&lead).Error; err != nil {
		return false, err
	}
	a.Error = optional("the lease had run out; the routing was sent again by another worker")
	if lead.ErasedAt != nil {
		a.Request, a.Response, a.Error = "", "", optional("the lead was erased meanwhile")
	}
	return true, nil
}

// unpark makes the routings due that wait for the rule to be resumed.
func (s *Service) unpark(tx *gorm.DB, ruleID int64) error {
	_, err := exec(tx, `UPDATE routings SET state = 'pending', next_attempt_at = $1, error = NULL, version = version + 1
		WHERE rule_id = $2 AND state = 'parked' AND error = $3`, s.now(), ruleID, errPaused)
	if err != nil {
		return fmt.Errorf("resume routings of rule %d: %w", ruleID, err)
	}
	store.AfterCommit(tx.Statement.Context, s.wakeUp)
	return nil
}

// shareRow is lockRow for a row that is only read.
func shareRow(tx *gorm.DB) *gorm.DB {
	if tx.Name() != store.Postgres {
		return tx
	}
	return tx.Clauses(clause.Locking{Strength: "SHARE"})
}

// optional gives nil for the empty text.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
