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

// job is a routing under lease.
type job struct {
	id         uuid.UUID
	leadID     uuid.UUID
	customerID int64
	ruleID     int64
	revision   int64
	attempts   int       // before this one
	due        time.Time // since when
	token      string
	until      time.Time // when the lease runs out
	probe      bool      // tries whether a broken customer's system is back
	lead       *leads.Lead

	maxConcurrent, maxPerMinute sql.NullInt64 // of the customer
}

// demand says what to claim.
type demand struct {
	limit int // routings in all
	share int // routings of one rule, at most
	// after is the rule behind which the walk begins: it goes on where the one
	// before ended, so that no rule is always the last.
	after int64
	// full are the customers that get no more at present.
	full []int64
}

// The claim walks from rule to rule that has anything queued, by the index on
// (rule_id, next_attempt_at), and takes the share of each that has been due
// longest, until there is enough. So it costs what it takes, however long the
// queue of one rule is. Rules with an open breaker are passed over.
const claimColumns = `r.id, r.lead_id, r.customer_id, r.rule_id, r.rule_revision, r.attempt_count, r.next_attempt_at, c.max_concurrent, c.max_per_minute`

// Servers that claim at the same time on PostgreSQL pass over each other's rows;
// on SQLite they take turns. The orders are such that no other index gives them:
// by another one, each walk might pass over all that was ever sent.
var claimQuery = map[string]string{
	store.SQLite: `WITH RECURSIVE lane (id) AS (
			SELECT (SELECT rule_id FROM routings INDEXED BY routings_queue WHERE next_attempt_at IS NOT NULL AND rule_id > $1 ORDER BY rule_id LIMIT 1)
			UNION ALL
			SELECT (SELECT rule_id FROM routings INDEXED BY routings_queue WHERE next_attempt_at IS NOT NULL AND rule_id > lane.id ORDER BY rule_id LIMIT 1) FROM lane WHERE lane.id < $2)
		SELECT ` + claimColumns + ` FROM lane CROSS JOIN rules u CROSS JOIN customers c CROSS JOIN routings r
		WHERE lane.id <= $2 AND u.id = lane.id AND u.breaker_until IS NULL
			AND c.id = u.customer_id AND c.id NOT IN (SELECT value FROM json_each($3))
			AND r.id IN (SELECT q.id FROM routings q INDEXED BY routings_queue WHERE q.rule_id = lane.id AND q.next_attempt_at <= $4 ORDER BY q.next_attempt_at LIMIT $5)
		LIMIT $6`,
	store.Postgres: `WITH RECURSIVE lane (id) AS (
			SELECT (SELECT rule_id FROM routings WHERE next_attempt_at IS NOT NULL AND rule_id > $1 ORDER BY rule_id, next_attempt_at LIMIT 1)
			UNION ALL
			SELECT (SELECT rule_id FROM routings WHERE next_attempt_at IS NOT NULL AND rule_id > lane.id ORDER BY rule_id, next_attempt_at LIMIT 1) FROM lane WHERE lane.id < $2)
		SELECT ` + claimColumns + ` FROM lane
		CROSS JOIN LATERAL (SELECT c.* FROM rules u JOIN customers c ON c.id = u.customer_id
			WHERE u.id = lane.id AND u.breaker_until IS NULL AND c.id <> ALL ($3::bigint[]) OFFSET 0) c
		CROSS JOIN LATERAL (SELECT * FROM routings q WHERE q.rule_id >= lane.id AND q.rule_id <= lane.id AND q.next_attempt_at <= $4
			ORDER BY q.rule_id, q.next_attempt_at LIMIT $5 FOR UPDATE SKIP LOCKED) r
		WHERE lane.id <= $2 LIMIT $6`,
}

// probeQuery finds what has been due longest of one rule.
const probeQuery = `SELECT ` + claimColumns + ` FROM routings r JOIN customers c ON c.id = r.customer_id
	WHERE r.rule_id = $1 AND r.next_attempt_at <= $2 ORDER BY r.next_attempt_at LIMIT 1`

var leaseQuery = map[string]string{
	store.SQLite: `UPDATE routings SET state = 'sending', lease_token = $1, next_attempt_at = $2, version = version + 1
		WHERE id IN (SELECT value FROM json_each($3))`,
	store.Postgres: `UPDATE routings SET state = 'sending', lease_token = $1, next_attempt_at = $2, version = version + 1
		WHERE id = ANY ($3::uuid[])`,
}

// dueQuery walks likewise, up to the first rule that has something due, or a
// probe.
var dueQuery = map[string]string{
	store.SQLite: `WITH RECURSIVE lane (id) AS (
			SELECT (SELECT rule_id FROM routings INDEXED BY routings_queue WHERE next_attempt_at IS NOT NULL ORDER BY rule_id LIMIT 1)
			UNION ALL
			SELECT (SELECT rule_id FROM routings INDEXED BY routings_queue WHERE next_attempt_at IS NOT NULL AND rule_id > lane.id ORDER BY rule_id LIMIT 1) FROM lane WHERE lane.id IS NOT NULL)
		SELECT 1 FROM lane CROSS JOIN rules u
		WHERE u.id = lane.id AND (u.breaker_until IS NULL OR u.breaker_until <= $1)
			AND EXISTS (SELECT 1 FROM routings q INDEXED BY routings_queue WHERE q.rule_id = lane.id AND q.next_attempt_at <= $1)
		LIMIT 1`,
	store.Postgres: `WITH RECURSIVE lane (id) AS (
			SELECT (SELECT rule_id FROM routings WHERE next_attempt_at IS NOT NULL ORDER BY rule_id, next_attempt_at LIMIT 1)
			UNION ALL
			SELECT (SELECT rule_id FROM routings WHERE next_attempt_at IS NOT NULL AND rule_id > lane.id ORDER BY rule_id, next_attempt_at LIMIT 1) FROM lane WHERE lane.id IS NOT NULL)
		SELECT 1 FROM lane
		CROSS JOIN LATERAL (SELECT FROM rules u WHERE u.id = lane.id AND (u.breaker_until IS NULL OR u.breaker_until <= $1) OFFSET 0) u
		CROSS JOIN LATERAL (SELECT FROM routings q WHERE q.rule_id >= lane.id AND q.rule_id <= lane.id AND q.next_attempt_at <= $1
			ORDER BY q.rule_id, q.next_attempt_at LIMIT 1) q
		LIMIT 1`,
}

// due reports whether any routing waits to be claimed. It costs no write.
func (s *Service) due(ctx context.Context) (bool, error) {
	var one int
	err := s.db.Read(ctx).Statement.ConnPool.QueryRowContext(ctx, dueQuery[s.db.Dialect()], s.now()).Scan(&one)
	if isNoRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for due routings: %w", err)
	}
	return true, nil
}

// claim takes the lease of due routings and loads their leads. The end of ctx
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
	if err != nil {
		return nil, fmt.Errorf("claim routings: %w", err)
	}
	return jobs, nil
}

// lastRule is greater than the id of any rule.
const lastRule = 1 << 62

func (s *Service) takeLeases(tx *gorm.DB, d demand) ([]*job, error) {
	now, token := s.now(), uuid.NewString()
	until := now.Add(s.lease)
	jobs, err := s.probes(tx, now, until)
	if err != nil {
		return nil, err
	}
	for _, part := range [][2]int64{{d.after, lastRule}, {0, d.after}} {
		if left := d.limit - len(jobs); left > 0 && part[1] > 0 {
			more, err := s.findDue(tx, claimQuery[s.db.Dialect()], part[0], part[1], s.list(d.full), now, d.share, left)
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
	n, err := exec(tx, leaseQuery[s.db.Dialect()], token, until, s.list(ids))
	if err == nil && n != int64(len(jobs)) {
		err = errors.New("some changed while they were claimed")
	}
	return jobs, err
}

// probes gives one routing of each rule whose breaker's time for a probe has come.
func (s *Service) probes(tx *gorm.DB, now, until time.Time) ([]*job, error) {
	rules, err := s.takeProbes(tx, now, until)
	var jobs []*job
	for _, rule := range rules {
		query := probeQuery
		if s.db.Dialect() == store.Postgres {
			query += " FOR UPDATE OF r SKIP LOCKED"
		}
		found, err := s.findDue(tx, query, rule, now)
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

func (s *Service) findDue(tx *gorm.DB, query string, args ...any) ([]*job, error) {
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var jobs []*job
	for rows.Next() {
		j := &job{}
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
