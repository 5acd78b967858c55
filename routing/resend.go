package routing

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	odataplan "leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
	"leadloop/store"
)

// The states of a Resend.
const (
	ResendRunning   = "running"
	ResendDone      = "done"
	ResendFailed    = "failed"
	ResendCancelled = "cancelled"
)

// Resend is the sending again of many routings, and how far that is.
type Resend struct {
	ID        int64      `gorm:"primaryKey" odata:"computed"`
	Filter    string     `odata:"computed"` // an expression over the Routing
	Max       *int64     `odata:"computed"` // routings at most; nil: all
	Delivered bool       `odata:"computed"` // those delivered already, too
	State     string     `odata:"computed"`
	Found     int64      `odata:"computed"` // routings that there were when it was asked for
	Resent    int64      `odata:"computed"` // so far
	Error     *string    `odata:"computed"`
	CreatedAt time.Time  `odata:"computed"`
	EndedAt   *time.Time `odata:"computed"`
	Position  *uuid.UUID `odata:"-"` // the last routing looked at
	UserID    *int64     `odata:"-"` // whose it is, where they do not see everything
	Version   int64      `odata:"computed,etag"`
}

// resendStep is how many routings go into one transaction, which others wait for.
const resendStep = 500

// selection finds routings by an expression.
type selection struct {
	sql       string
	args      []any
	delivered bool
	dialect   string
	hidden    []int64 // rules whose routings are left out
}

// selectRoutings compiles filter. It returns Invalid with the position of what is
// wrong with it.
func (s *Service) selectRoutings(filter string, delivered bool) (*selection, error) {
	model := edm.NewBuilder("Leadloop")
	root, err := model.EntitySet("Routings", "Routing", &Routing{})
	for name, row := range map[string]any{"Rules": &Rule{}, "Customers": &Customer{}, "Attempts": &Attempt{}} {
		if err == nil {
			_, err = model.EntitySet(name, "", row)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("routings as a model: %w", err)
	}
	built, err := model.Build()
	if err != nil {
		return nil, fmt.Errorf("routings as a model: %w", err)
	}
	syntax, err := uri.ParseExpr(filter, "Filter", uri.Limits{})
	if err != nil {
		return nil, err
	}
	v := odataplan.Root(root.Type)
	binder := odataplan.Binder{Model: built, Limits: odataplan.DefaultLimits, Now: s.now()}
	where, err := binder.Bind(syntax, v, "Filter", nil, edm.Boolean)
	if err != nil {
		return nil, err
	}
	found := sqlgen.Rows(sqlgen.Dialect(s.db.Dialect()), &odataplan.Read{Var: v, Where: where, Limit: -1}, false)
	return &selection{sql: found.SQL, args: found.Args, delivered: delivered, dialect: s.db.Dialect()}, nil
}

// query is what selects what of the routings found, those made after the instant
// before and those in the queue left out.
func (f *selection) query(what string, before time.Time, after *uuid.UUID, tail string) (string, []any) {
	args := append([]any(nil), f.args...)
	arg := func(v any) string {
		args = append(args, v)
		if f.dialect == store.Postgres {
			return "$" + strconv.Itoa(len(args))
		}
		return "?"
	}
	states := "'rejected', 'failed', 'parked'"
	if f.delivered {
		states += ", 'delivered'"
	}
	query := "SELECT " + what + " FROM (" + f.sql + ") AS found WHERE state IN (" + states + ") AND created_at <= " + arg(before) + without("rule_id", f.hidden)
	if after != nil {
		query += " AND id > " + arg(*after)
	}
	return query + tail, args
}

// ResendRoutings puts all routings into the queue again that filter, an expression
// over the Routing, is true for and that were rejected, given up or parked, or,
// if so asked, delivered: the oldest first, at most limit of them. It works in the
// background, in short transactions; the Resend tells how far it is. It returns
// Invalid where the filter is wrong.
func (s *Service) ResendRoutings(ctx context.Context, filter string, limit *int64, delivered bool) (*Resend, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	if limit != nil && *limit < 1 {
		return nil, fault.New(fault.Invalid, "Max must be at least 1").At("Max")
	}
	if len(filter) > 10000 || filter == "" {
		return nil, fault.New(fault.Invalid, "Filter is an expression over the Routing, of at most 10000 characters").At("Filter")
	}
	f, err := s.selectRoutings(filter, delivered)
	if err != nil {
		var p problems
		if err := p.addError("Filter", err); err != nil {
			return nil, err
		}
		return nil, p.err()
	}
	row := &Resend{Filter: filter, Max: limit, Delivered: delivered, State: ResendRunning, CreatedAt: s.now(), UserID: watcher(ctx), Version: 1}
	if f.hidden, err = s.Hidden(ctx); err != nil {
		return nil, err
	}
	query, args := f.query("count(*)", row.CreatedAt, nil, "")
	db := s.db.Read(ctx)
	if err := db.Statement.ConnPool.QueryRowContext(ctx, query, args...).Scan(&row.Found); err != nil {
		return nil, fmt.Errorf("count routings: %w", err)
	}
	if limit != nil {
		row.Found = min(row.Found, *limit)
	}
	return row, s.db.Write(ctx, func(tx *gorm.DB) error {
		row.ID = 0
		if err := tx.Create(row).Error; err != nil {
			return fmt.Errorf("resend routings: %w", err)
		}
		store.AfterCommit(tx.Statement.Context, func() { ring(s.resume) })
		return nil
	})
}

// CancelResend stops a running Resend. What is in the queue by then is sent. It
// returns NotFound, or Conflict where it has ended.
func (s *Service) CancelResend(ctx context.Context, id int64) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		n, err := exec(tx, "UPDATE resends SET state = 'cancelled', ended_at = $1, version = version + 1 WHERE id = $2 AND state = 'running'", s.now(), id)
		if err != nil || n > 0 {
			return err
		}
		r, err := load[Resend](tx, "resend", id)
		if err != nil {
			return err
		}
		return fault.Newf(fault.Conflict, "it is %s", r.State)
	})
}

// resendAll works off what ResendRoutings asks for, here or on another server,
// until ctx ends. One that was cut off goes on from where it was.
func (s *Service) resendAll(ctx context.Context) {
	for {
		var running []Resend
		if err := s.db.Read(ctx).Where("state = ?", ResendRunning).Order("id").Find(&running).Error; err != nil && ctx.Err() == nil {
			s.log.Error("resend", "error", err)
		}
		for i := range running {
			s.resendOne(ctx, &running[i])
		}
		timer := time.NewTimer(max(s.poll, time.Second))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.resume:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// resendOne works off r, unless another server does.
func (s *Service) resendOne(ctx context.Context, r *Resend) {
	f, err := s.selectRoutings(r.Filter, r.Delivered)
	for mine := true; mine && err == nil && ctx.Err() == nil && r.State == ResendRunning; {
		mine, err = s.resendStep(ctx, r, f)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Error("resend", "resend", r.ID, "error", err)
	if fault.CodeOf(err) == fault.Unavailable {
		return // it goes on later
	}
	if err := s.db.Write(ctx, func(tx *gorm.DB) error {
		_, err := exec(tx, "UPDATE resends SET state = 'failed', error = $1, ended_at = $2, version = version + 1 WHERE id = $3 AND state = 'running'",
			"the program failed on it; see its log", s.now(), r.ID)
		return err
	}); err != nil {
		s.log.Error("resend", "resend", r.ID, "error", err)
	}
}

// resendStep puts some more routings of r into the queue, and reports whether r
// was still where it had been left.
func (s *Service) resendStep(ctx context.Context, r *Resend, f *selection) (mine bool, err error) {
	step := int64(resendStep)
	if r.Max != nil {
		step = min(step, *r.Max-r.Resent)
	}
	if f.hidden, err = s.hidden(s.db.Read(ctx), r.UserID); err != nil {
		return false, err
	}
	ids, err := s.findRoutings(ctx, r, f, step)
	if err != nil {
		return false, err
	}
	next := *r
	err = s.db.Write(ctx, func(tx *gorm.DB) error {
		next = *r
		if len(ids) > 0 {
			next.Position = &ids[len(ids)-1]
		}
		n, err := s.requeue(tx, ids)
		if err != nil {
			return err
		}
		next.Resent += n
		if int64(len(ids)) < step || (next.Max != nil && next.Resent >= *next.Max) {
			now := s.now()
			next.State, next.EndedAt = ResendDone, &now
		}
		n, err = exec(tx, `UPDATE resends SET resent = $1, position = $2, state = $3, ended_at = $4, version = version + 1
			WHERE id = $5 AND version = $6`, next.Resent, next.Position, next.State, next.EndedAt, r.ID, r.Version)
		if err == nil && n == 0 {
			return errMoved
		}
		return err
	})
	if err == errMoved {
		return false, nil
	}
	next.Version++
	*r = next
	return true, err
}

var errMoved = fault.New(fault.Conflict, "another server is at it")

// findRoutings gives the next routings of r, at most step of them.
func (s *Service) findRoutings(ctx context.Context, r *Resend, f *selection, step int64) ([]uuid.UUID, error) {
	query, args := f.query("id", r.CreatedAt, r.Position, " ORDER BY id LIMIT "+strconv.FormatInt(step, 10))
	rows, err := s.db.Read(ctx).Statement.ConnPool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []uuid.UUID
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// requeue makes routings due that are not in the queue, with all retries before
// them, and returns how many.
func (s *Service) requeue(tx *gorm.DB, ids []uuid.UUID) (int64, error) {
	which := "id IN (SELECT value FROM json_each($2))"
	if s.db.Dialect() == store.Postgres {
		which = "id = ANY ($2::uuid[])"
	}
	n, err := exec(tx, `UPDATE routings SET state = 'pending', next_attempt_at = $1, attempt_count = 0,
		lease_token = NULL, error = NULL, version = version + 1
		WHERE `+which+` AND state IN ('delivered', 'rejected', 'failed', 'parked')
		AND NOT EXISTS (SELECT 1 FROM leads l WHERE l.id = routings.lead_id AND l.erased_at IS NOT NULL)`, s.now(), s.list(ids))
	if err != nil {
		return 0, fmt.Errorf("resend: %w", err)
	}
	store.AfterCommit(tx.Statement.Context, s.wakeUp)
	return n, nil
}
