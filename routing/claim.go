package routing

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/store"
)

// job is a routing, or an outcome to be sent onward, under lease.
type job struct {
	queue      *queue
	id         uuid.UUID
	leadID     uuid.UUID
	customerID int64 // the party whose system it is for: a customer, or a source with its ID negated
	ruleID     int64 // the owner: the rule, or the source
	revision   int64
	attempts   int       // before this one
	due        time.Time // since when
	token      string
	until      time.Time // when the lease runs out
	probe      bool      // tries whether a broken customer's system is back
	lead       *leads.Lead
	onward     *told // nil: a routing

	maxConcurrent, maxPerMinute sql.NullInt64 // of the customer
}

func (j *job) isOnward() bool { return j.queue == onwardQueue }

// owner is the rule, or the source with its ID negated.
func (j *job) owner() int64 {
	if j.isOnward() {
		return -j.ruleID
	}
	return j.ruleID
}

// routingID is whose Attempt an exchange is.
func (j *job) routingID() uuid.UUID {
	if j.onward != nil {
		return j.onward.RoutingID
	}
	return j.id
}

// onwardID is that of an outcome; nil for a routing.
func (j *job) onwardID() *uuid.UUID {
	if j.onward != nil {
		return &j.id
	}
	return nil
}

// demand says what to claim.
type demand struct {
	limit int // jobs in all
	share int // of one rule, or source, at most
	// after are the rule and the source behind which the walks begin: they go on where
	// those before ended, so that none is always the last.
	after map[*queue]int64
	// full are the parties that get no more at present.
	full []int64
	// onward says whether there may be outcomes to send onward.
	onward bool
}

// due reports whether anything in the queues waits to be claimed. It costs no
// write.
func (s *Service) due(ctx context.Context, queues ...*queue) (bool, error) {
	for _, q := range queues {
		var one int
		err := s.db.Read(ctx).Statement.ConnPool.QueryRowContext(ctx, q.due[s.db.Dialect()], s.now()).Scan(&one)
		if err == nil {
			return true, nil
		}
		if !isNoRows(err) {
			return false, fmt.Errorf("look for due %s: %w", q.table, err)
		}
	}
	return false, nil
}

// claim takes the lease of what is due and loads the leads and outcomes. The end of ctx
// does not cut it off: leases taken must be known, to be given back.
func (s *Service) claim(ctx context.Context, d demand) ([]*job, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	var jobs []*job
	err := s.db.Write(ctx, func(tx *gorm.DB) (err error) {
		jobs, err = s.takeLeases(tx, d)
		return err
	})
	if err == nil {
		err = s.loadLeads(ctx, jobs)
	}
	if err == nil {
		err = s.loadOnwards(ctx, jobs)
	}
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	return jobs, nil
}

// lastOwner is greater than the id of any rule or source.
const lastOwner = 1 << 62

// takeLeases gives outcomes that are to be sent onward a part of the room, so that
// no queue is always the last.
func (s *Service) takeLeases(tx *gorm.DB, d demand) ([]*job, error) {
	var jobs []*job
	if d.onward {
		var err error
		if jobs, err = s.takeOf(tx, onwardQueue, d, d.onwards()); err != nil {
			return nil, err
		}
	}
	more, err := s.takeOf(tx, routingQueue, d, d.limit-len(jobs))
	return append(jobs, more...), err
}

// onwards is how many of the jobs may be of that queue.
func (d demand) onwards() int { return max(1, d.limit/8) }

// takeOf takes the leases of up to limit jobs of a queue.
func (s *Service) takeOf(tx *gorm.DB, q *queue, d demand, limit int) ([]*job, error) {
	now, token := s.now(), uuid.NewString()
	until := now.Add(s.lease)
	jobs, err := s.probes(tx, q, now, until)
	if err != nil {
		return nil, err
	}
	after := d.after[q]
	for _, part := range [][2]int64{{after, lastOwner}, {0, after}} {
		if left := limit - len(jobs); left > 0 && part[1] > 0 {
			more, err := s.findDue(tx, q, q.claim[s.db.Dialect()], part[0], part[1], s.list(d.full), now, d.share, left)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, more...)
		}
	}
	if len(jobs) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(jobs))
	for i, j := range jobs {
		j.token, j.until, ids[i] = token, until, j.id
	}
	n, err := exec(tx, q.lease[s.db.Dialect()], token, until, s.list(ids))
	if err == nil && n != int64(len(jobs)) {
		err = errors.New("some changed while they were claimed")
	}
	return jobs, err
}

// probes gives one job of each owner whose breaker's time for a probe has come.
func (s *Service) probes(tx *gorm.DB, q *queue, now, until time.Time) ([]*job, error) {
	owners, err := s.takeProbes(tx, q, now, until)
	var jobs []*job
	for _, owner := range owners {
		found, err := s.findDue(tx, q, q.probe[s.db.Dialect()], owner, now)
		if err != nil {
			return nil, err
		}
		for _, j := range found {
			j.probe = true
		}
		jobs = append(jobs, found...)
	}
	return jobs, err
}

func (s *Service) findDue(tx *gorm.DB, q *queue, query string, args ...any) ([]*job, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var jobs []*job
	for rows.Next() {
		j := &job{queue: q}
		if err := rows.Scan(&j.id, &j.leadID, &j.customerID, &j.ruleID, &j.revision, &j.attempts, &j.due, &j.maxConcurrent, &j.maxPerMinute); err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, rows.Err()
}

// loadLeads gives each job its lead. A lead that is no longer there stays nil.
func (s *Service) loadLeads(ctx context.Context, jobs []*job) error {
	if len(jobs) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(jobs))
	for i, j := range jobs {
		ids[i] = j.leadID
	}
	byID, err := leads.ReadAll(ctx, s.db, ids)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		j.lead = byID[j.leadID]
	}
	return nil
}

// list gives ids as the one argument that statements take many in: a JSON array
// on SQLite, an array's text on PostgreSQL.
func (s *Service) list(ids any) string {
	text, err := json.Marshal(ids)
	if err != nil || string(text) == "null" {
		text = []byte("[]") // a slice of numbers or ids always marshals
	}
	if s.db.Dialect() == store.Postgres {
		return "{" + strings.Trim(string(text), "[]") + "}"
	}
	return string(text)
}
