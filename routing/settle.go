package routing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
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
	shutOut     bool     // it does not let us in
}

// judge tells what becomes of job j after the exchange x by a rule's revision,
// begun at begun.
func (s *Service) judge(j *job, revision int64, x *exchange, begun time.Time) *result {
	now := s.now()
	r := &result{err: x.problem(), revision: revision, attempt: &Attempt{
		RoutingID: j.routingID(), OnwardID: j.onwardID(), StartedAt: begun, DurationMs: x.duration.Milliseconds(),
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
		if j.isOnward() {
			r.err = errOnwardGone
		}
		return r
	}
	switch r.attempt.Outcome {
	case Accepted, Duplicate:
		r.state, r.deliveredAt, r.externalID, r.link, r.err = Delivered, &now, x.externalID(), x.externalLink(), ""
	case Refused:
		r.state = Rejected
	default:
		r.state, r.shutOut = Failed, x.shutOut()
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
	var held map[uuid.UUID]bool
	routings, onwards := split(outcomes)
	err := s.db.Write(ctx, func(tx *gorm.DB) (err error) {
		held = make(map[uuid.UUID]bool, len(outcomes))
		if err = s.record(tx, routings, held); err == nil {
			err = s.recordOnwards(tx, onwards, held)
		}
		return err
	})
	if err != nil && len(outcomes) > 1 {
		for _, o := range outcomes {
			s.settle(ctx, o)
		}
		return
	}
	if err != nil {
		// The lease runs out and the routing is sent again with the same webhook-id.
		s.log.Error("not settled", outcomes[0].job.queue.table, outcomes[0].job.id, "error", err)
		return
	}
	for _, o := range outcomes {
		if !held[o.job.id] {
			s.log.Warn("lease lost before the turn ended", o.job.queue.table, o.job.id)
		}
	}
}

// split parts the outcomes of routings from those of onwards.
func split(outcomes []outcome) (routings, onwards []outcome) {
	for i, o := range outcomes {
		if o.job.isOnward() {
			if onwards == nil {
				routings = slices.Clone(outcomes[:i])
			}
			onwards = append(onwards, o)
		} else if onwards != nil {
			routings = append(routings, o)
		}
	}
	if onwards == nil {
		routings = outcomes
	}
	return routings, onwards
}

// writeTime bounds the writes that must not be cut off by the program's end.
const writeTime = 30 * time.Second

// errTwice says that a routing's lease ran out and the same server had it again
// before the first turn was settled. Each outcome then goes by itself.
var errTwice = errors.New("two outcomes of one routing")

// record writes outcomes of routings and tells in held which jobs still had their
// lease.
func (s *Service) record(tx *gorm.DB, outcomes []outcome, held map[uuid.UUID]bool) error {
	if len(outcomes) > 1 && slices.ContainsFunc(outcomes, outcome.passesOn) {
		if err := s.Together(tx); err != nil {
			return err
		}
	}
	if err := s.noteExchanges(tx, routingQueue, outcomes); err != nil {
		return err
	}
	ended, back, err := turns(outcomes)
	if err != nil {
		return err
	}
	for i := range ended {
		if err := s.review(tx, &ended[i]); err != nil {
			return fmt.Errorf("routing %s: %w", ended[i].id, err)
		}
	}
	if err := queueAgain(tx, routingQueue, back, held); err != nil {
		return err
	}
	if err := applyResults(tx, ended, held); err != nil {
		return err
	}
	if err := insertAttempts(tx, ended, held); err != nil {
		return err
	}
	return s.follow(tx, ended, held)
}

// turns parts the jobs whose turn came to a result from those to be given back.
func turns(outcomes []outcome) (ended []turned, back []*job, err error) {
	seen := make(map[uuid.UUID]bool, len(outcomes))
	for _, o := range outcomes {
		if seen[o.job.id] {
			return nil, nil, errTwice
		}
		seen[o.job.id] = true
		if o.result == nil {
			back = append(back, o.job)
		} else {
			ended = append(ended, turned{o.job, *o.result})
		}
	}
	return ended, back, nil
}

// turned is a job whose turn came to a result.
type turned struct {
	*job
	result
}

// review changes a result that depends on what happened meanwhile.
func (s *Service) review(tx *gorm.DB, t *turned) error {
	switch {
	case t.state == Parked && t.err == errPaused:
		return s.stillPaused(tx, t.job, &t.result)
	case t.state == Parked && t.err == errMissed:
		return s.missed(tx, t.job, &t.result)
	}
	return nil
}

// follow does what follows from results that were applied: staff hear of what was
// given up, and a lead that was turned down goes to the next rule.
func (s *Service) follow(tx *gorm.DB, ended []turned, held map[uuid.UUID]bool) error {
	for i := range ended {
		t := &ended[i]
		var err error
		switch {
		case !held[t.id]:
		case t.state == Failed:
			err = s.noticeFailed(tx, t.job, &t.result)
		case t.state == Rejected && t.attempt != nil:
			_, err = s.passOn(tx, t.job, Turned)
		}
		if err != nil {
			return fmt.Errorf("routing %s: %w", t.id, err)
		}
	}
	return nil
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

// queueAgain gives leases back.
func queueAgain(tx *gorm.DB, q *queue, jobs []*job, held map[uuid.UUID]bool) error {
	rows := make([][]any, len(jobs))
	for i, j := range jobs {
		rows[i] = []any{j.id, j.token, j.due}
	}
	ids, err := overRows(tx, []column{{"work", "uuid"}, {"token", "text"}, {"due", "timestamptz"}}, rows, q.giveBack[tx.Name()])
	mark(held, ids)
	return err
}

var resultColumns = []column{
	{"routing", "uuid"},
	{"token", "text"},
	{"new_state", "text"},
	{"next", "timestamptz"},
	{"sent", "bigint"},
	{"revision", "bigint"},
	{"problem", "text"},
	{"delivered", "timestamptz"},
	{"far_id", "text"},
	{"far_link", "text"},
}

// applyResults writes the results of the jobs that still have their lease.
func applyResults(tx *gorm.DB, ended []turned, held map[uuid.UUID]bool) error {
	ids, err := overRows(tx, resultColumns, resultRows(ended), `UPDATE routings SET state = v.new_state, next_attempt_at = v.next, lease_token = NULL,
		attempt_count = attempt_count + v.sent, rule_revision = v.revision, error = v.problem,
		delivered_at = coalesce(v.delivered, delivered_at), external_id = coalesce(v.far_id, external_id),
		external_link = coalesce(v.far_link, external_link), version = version + 1
		FROM v WHERE id = v.routing AND lease_token = v.token RETURNING id`)
	mark(held, ids)
	return err
}

func resultRows(ended []turned) [][]any {
	rows := make([][]any, len(ended))
	for i := range ended {
		t := &ended[i]
		sent := 0
		if t.attempt != nil {
			sent = 1
		}
		rows[i] = []any{t.id, t.token, t.state, t.next, sent, t.result.revision, optional(t.err), t.deliveredAt, t.externalID, t.link}
	}
	return rows
}

func mark(held map[uuid.UUID]bool, ids []uuid.UUID) {
	for _, id := range ids {
		held[id] = true
	}
}

var attemptColumns = []column{
	{"routing_id", "uuid"},
	{"started_at", "timestamptz"},
	{"duration_ms", "bigint"},
	{"status_code", "bigint"},
	{"request", "text"},
	{"response", "text"},
	{"outcome", "text"},
	{"error", "text"},
	{"onward_id", "uuid"},
}

// insertAttempts stores the exchanges, in the order they ended in.
func insertAttempts(tx *gorm.DB, ended []turned, held map[uuid.UUID]bool) error {
	var rows [][]any
	for i := range ended {
		a := ended[i].attempt
		if a == nil {
			continue
		}
		row := *a
		if !held[ended[i].id] {
			there, err := row.comeLate(tx)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
		}
		rows = append(rows, []any{row.RoutingID, row.StartedAt, row.DurationMs, row.StatusCode, row.Request, row.Response, row.Outcome, row.Error, row.OnwardID})
	}
	_, err := overRows(tx, attemptColumns, rows, `INSERT INTO attempts
		(routing_id, started_at, duration_ms, status_code, request, response, outcome, error, onward_id) SELECT * FROM v`)
	return err
}

// comeLate changes a for a routing whose lease was lost meanwhile, and reports
// whether there still is that routing. An erased lead's exchange is kept without
// its bodies; one of an outcome sent onward is not kept, as that is gone.
func (a *Attempt) comeLate(tx *gorm.DB) (there bool, err error) {
	if a.OnwardID != nil {
		var onward Onward
		err := shareRow(tx).Select("id").Where("id = ?", a.OnwardID).Take(&onward).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
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
	a.Error = optional("the lease had run out; it was sent again by another worker")
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
