package routing

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/store"
)

// The kinds of a Notice.
const (
	NoticePaused = "rule paused" // the program paused a rule
	NoticeFailed = "dead letter" // a routing was given up after the last retry
	NoticeCap    = "cap reached" // a rule gets no more leads for now
	// NoticeShutOut is that a customer's system refuses a rule's credentials.
	NoticeShutOut = "not let in"
	NoticePull    = "pull paused" // the program paused a pull
)

// Notice is something that staff should know of. The same thing again within the
// hour is the same notice, counted up.
type Notice struct {
	ID         int64      `gorm:"primaryKey" odata:"computed"`
	Kind       string     `odata:"computed"`
	Subject    string     `odata:"-"` // what makes two of them the same
	Message    string     `odata:"computed"`
	RuleID     *int64     `odata:"computed"`
	CustomerID *int64     `odata:"computed"`
	RoutingID  *uuid.UUID `odata:"computed"` // the first one, of several
	SourceID   *int64     `odata:"computed"` // of outcomes that are sent onward
	Times      int64      `odata:"computed"`
	CreatedAt  time.Time  `odata:"computed"`
	LastAt     time.Time  `odata:"computed"`
	SentAt     *time.Time `odata:"computed"` // to the webhook for notices
	NextAt     *time.Time `odata:"-"`        // when that is due
	Tries      int        `odata:"-"`
	Error      *string    `odata:"computed"` // why the last delivery there failed
	MailedAt   *time.Time `odata:"computed"` // to the address for notices
	MailNextAt *time.Time `odata:"-"`
	MailTries  int        `odata:"-"`
	MailError  *string    `odata:"computed"`

	Rule     *Rule
	Customer *Customer
	Routing  *Routing
}

// noticeSpan is the time in which the same thing is told once.
const noticeSpan = time.Hour

// Notify stores a notice of a kind, about a rule or source, and has it delivered once
// tx has committed. Its Kind and Message are to be given, and its RuleID, its SourceID or else, as
// its Subject, what it is about. Subject tells it from others of the kind and rule
// that are not the same thing; without one, the same within the hour is.
func (s *Service) Notify(tx *gorm.DB, n Notice) error {
	now := s.now()
	var rule int64
	switch {
	case n.RuleID != nil:
		rule = *n.RuleID
	case n.SourceID != nil:
		rule = -*n.SourceID
	}
	if n.Subject == "" {
		n.Subject = now.Truncate(noticeSpan).Format(time.RFC3339)
	}
	subject := n.Kind + "/" + strconv.FormatInt(rule, 10) + "/" + n.Subject
	var next, mailNext *time.Time
	if s.notices != "" {
		next = &now
	}
	if s.noticeMail != nil {
		at := now.Truncate(mailSpan).Add(mailSpan)
		mailNext = &at
	}
	_, err := exec(tx, `INSERT INTO notices (kind, subject, message, rule_id, customer_id, routing_id, times, created_at, last_at, next_at, tries, mail_next_at, source_id)
		VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8, 0, $9, $10)
		ON CONFLICT (subject) DO UPDATE SET times = notices.times + 1, last_at = excluded.last_at`,
		n.Kind, subject, clip(n.Message, 2000), n.RuleID, n.CustomerID, n.RoutingID, now, next, mailNext, n.SourceID)
	if err != nil {
		return fmt.Errorf("notice of %s: %w", n.Kind, err)
	}
	store.AfterCommit(tx.Statement.Context, func() { ring(s.told) })
	return nil
}

// noticeFailed tells that the routing of j was given up.
func (s *Service) noticeFailed(tx *gorm.DB, j *job, r *result) error {
	if j.isOnward() {
		return s.Notify(tx, Notice{
			Kind: NoticeFailed, SourceID: &j.ruleID, RoutingID: &r.attempt.RoutingID,
			Message: fmt.Sprintf("An outcome of the source %d was given up after %d tries: %s. It is kept; Resend sends it again.", j.ruleID, j.attempts+1, r.err),
		})
	}
	return s.Notify(tx, Notice{
		Kind: NoticeFailed, RuleID: &j.ruleID, CustomerID: &j.customerID, RoutingID: &j.id,
		Message: fmt.Sprintf("A routing of the rule %d was given up after %d tries: %s. It is kept; Resend sends it again.", j.ruleID, j.attempts+1, r.err),
	})
}

// deliverNotices sends notices to where staff want them, as they come, until ctx
// ends.
func (s *Service) deliverNotices(ctx context.Context) {
	if s.notices == "" && s.noticeMail == nil {
		return
	}
	for {
		for s.notices != "" && s.deliverNotice(ctx) {
		}
		if s.noticeMail != nil {
			s.mailNotices(ctx)
		}
		timer := time.NewTimer(max(s.poll, 10*time.Millisecond))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.told:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// deliverNotice posts one notice that is due, and reports whether there was one.
func (s *Service) deliverNotice(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	n, err := s.takeNotice(ctx)
	if err != nil || n == nil {
		if err != nil && ctx.Err() == nil {
			s.log.Error("notices", "error", err)
		}
		return false
	}
	body, err := json.Marshal(map[string]any{
		"kind": n.Kind, "message": n.Message, "ruleId": n.RuleID, "customerId": n.CustomerID, "routingId": n.RoutingID, "sourceId": n.SourceID, "at": n.CreatedAt,
	})
	x := exchange{err: err}
	if err == nil {
		x = s.client.send(ctx, &request{
			method: "POST", url: s.notices, body: body,
			header: []field[string]{{"Content-Type", "application/json"}, {"webhook-id", "notice-" + strconv.FormatInt(n.ID, 10)}},
		})
	}
	if err := s.noticeTried(context.WithoutCancel(ctx), n, &x); err != nil {
		s.log.Error("notices", "error", err)
	}
	return true
}

// takeNotice gives a notice that is due, and keeps others from it for a while.
func (s *Service) takeNotice(ctx context.Context) (*Notice, error) {
	var due int64
	if err := s.db.Read(ctx).Raw("SELECT count(*) FROM (SELECT 1 FROM notices WHERE next_at <= ? LIMIT 1) AS due", s.now()).Scan(&due).Error; err != nil || due == 0 {
		return nil, err
	}
	lock := ""
	if s.db.Dialect() == store.Postgres {
		lock = " FOR UPDATE SKIP LOCKED"
	}
	var found []Notice
	err := s.db.Write(ctx, func(tx *gorm.DB) error {
		found = nil
		return tx.Raw(`UPDATE notices SET next_at = ?, tries = tries + 1
			WHERE id IN (SELECT id FROM notices WHERE next_at <= ? ORDER BY next_at LIMIT 1`+lock+`) RETURNING *`,
			s.now().Add(s.lease), s.now()).Scan(&found).Error
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// noticeTried records what came of a delivery: it is tried again as routings are.
func (s *Service) noticeTried(ctx context.Context, n *Notice, x *exchange) error {
	now := s.now()
	return s.db.Write(ctx, func(tx *gorm.DB) error {
		if x.accepted() {
			_, err := exec(tx, "UPDATE notices SET sent_at = $1, next_at = NULL, error = NULL WHERE id = $2", now, n.ID)
			return err
		}
		var next *time.Time
		if wait, ok := backoff(n.Tries, s.jitter(), retryAfter(x.header, now)); ok {
			at := now.Add(wait).Truncate(time.Microsecond)
			next = &at
		}
		_, err := exec(tx, "UPDATE notices SET next_at = $1, error = $2 WHERE id = $3", next, optional(x.problem()), n.ID)
		return err
	})
}
