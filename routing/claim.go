package routing

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/store"
)

// job is a routing under lease.
type job struct {
	id       uuid.UUID
	leadID   uuid.UUID
	ruleID   int64
	revision int64
	attempts int // before this one
	token    string
	until    time.Time // when the lease runs out
	lead     *leads.Lead
}

// claimQuery takes the lease of the routings that have been due longest, and of
// those whose lease ran out. Servers that claim at the same time on PostgreSQL
// pass over each other's rows; on SQLite they take turns.
const claimQuery = `UPDATE routings SET state = 'sending', lease_token = $1, next_attempt_at = $2, version = version + 1
	WHERE id IN (SELECT id FROM routings WHERE next_attempt_at <= $3 ORDER BY next_attempt_at LIMIT $4%s)
	RETURNING id, lead_id, rule_id, rule_revision, attempt_count`

// due reports whether any routing waits to be claimed. It costs no write.
func (s *Service) due(ctx context.Context) (bool, error) {
	var n int
	err := s.db.Read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM routings WHERE next_attempt_at <= ? LIMIT 1) AS due", s.now()).
		Scan(&n).Error
	if err != nil {
		return false, fmt.Errorf("look for due routings: %w", err)
	}
	return n > 0, nil
}

// claim takes the lease of at most limit due routings and loads their leads. The
// end of ctx does not cut it off: leases taken must be known, to be given back.
func (s *Service) claim(ctx context.Context, limit int) ([]*job, error) {
	query := fmt.Sprintf(claimQuery, "")
	if s.db.Dialect() == store.Postgres {
		query = fmt.Sprintf(claimQuery, " FOR UPDATE SKIP LOCKED")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	var jobs []*job
	err := s.db.Write(ctx, func(tx *gorm.DB) (err error) {
		jobs, err = s.takeLeases(tx, query, limit)
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

func (s *Service) takeLeases(tx *gorm.DB, query string, limit int) ([]*job, error) {
	now, token := s.now(), uuid.NewString()
	until := now.Add(s.lease)
	rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, token, until, now, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var jobs []*job
	for rows.Next() {
		j := &job{token: token, until: until}
		if err := rows.Scan(&j.id, &j.leadID, &j.ruleID, &j.revision, &j.attempts); err != nil {
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
	var rows []leads.Lead
	if err := s.db.Read(ctx).Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return err
	}
	byID := make(map[uuid.UUID]*leads.Lead, len(rows))
	for i := range rows {
		byID[rows[i].ID] = &rows[i]
	}
	for _, j := range jobs {
		j.lead = byID[j.leadID]
	}
	return nil
}
