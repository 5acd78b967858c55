package routing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/edm"
	"leadloop/odata/eval"
	"leadloop/odata/fault"
	"leadloop/store"
)

// Replaced is the state of an Onward, besides those of a Routing, whose place a
// newer outcome of the lead took before it was delivered.
const Replaced = "replaced"

// The Errors of outcomes that wait for staff.
const (
	errOnwardOff  = "the source sends no outcomes onward any more"
	errOnwardGone = "the other system answered 410 Gone: the address is not in use any more"
)

// Onward is one outcome of a lead on its way back to where the lead came from. Its
// ID is the webhook-id of each try.
type Onward struct {
	ID        uuid.UUID `gorm:"primaryKey" odata:"computed"`
	LeadID    uuid.UUID `odata:"computed"`
	SourceID  int64     `odata:"computed"`
	RoutingID uuid.UUID `odata:"computed"` // that the feedback is on
	// What the feedback says.
	ReasonID   int32     `odata:"computed"`
	OccurredAt time.Time `odata:"computed"` // by the customer's clock, or else when it arrived
	Status     *string   `odata:"computed"`
	Comment    *string   `odata:"computed"`
	Amount     *int64    `odata:"computed,decimal=4"` // in 1/10000
	Currency   *string   `odata:"computed"`
	// State is one of a Routing, or replaced.
	State        string `odata:"computed"`
	AttemptCount int    `odata:"computed"` // since it was last put into the queue
	// NextAttemptAt is when the queue looks at it next: nil when nothing is due.
	NextAttemptAt *time.Time `odata:"computed"`
	LeaseToken    *string    `odata:"-"`
	CreatedAt     time.Time  `odata:"computed"`
	DeliveredAt   *time.Time `odata:"computed"`
	ReplacedAt    *time.Time `odata:"computed"` // when there was a newer outcome of the lead
	Error         *string    `odata:"computed"`
	Version       int64      `odata:"computed,etag"`

	Lead     *leads.Lead   `odata:"partner=Onwards"`
	Source   *leads.Source `odata:"partner=Onwards"`
	Routing  *Routing      `odata:"partner=Onwards"`
	Attempts []Attempt     `odata:"partner=Onward"`
}

// outcomeVars are what a source's OnwardMapping may use besides the lead.
var outcomeVars = []eval.Var{
	{Name: "RoutingID", Type: edm.Guid},
	{Name: "KnownID", Type: edm.String},
	{Name: "Reason", Type: edm.String},
	{Name: "Category", Type: edm.String},
	{Name: "CountsAsSale", Type: edm.Boolean},
	{Name: "ClosesLead", Type: edm.Boolean},
	{Name: "OccurredAt", Type: edm.DateTimeOffset},
	{Name: "Amount", Type: edm.Double},
	{Name: "Currency", Type: edm.String},
	{Name: "Status", Type: edm.String},
	{Name: "Comment", Type: edm.String},
}

// OutcomeNames are what a source's OnwardMapping may use besides the lead.
func OutcomeNames() []string {
	names := make([]string, len(outcomeVars))
	for i, v := range outcomeVars {
		names[i] = v.Name
	}
	return names
}

// told is an outcome with what its reason means.
type told struct {
	Onward `gorm:"embedded"`

	Reason, Category         string
	CountsAsSale, ClosesLead bool
}

// add puts the outcome into the variables of a mapping.
func (o *told) add(vars map[string]any) {
	vars["Reason"], vars["Category"] = o.Reason, o.Category
	vars["CountsAsSale"], vars["ClosesLead"], vars["OccurredAt"] = o.CountsAsSale, o.ClosesLead, o.OccurredAt
	if o.Amount != nil {
		vars["Amount"] = float64(*o.Amount) / amountUnits // a number in bodies, which decimals are not
	}
	for name, text := range map[string]*string{"Currency": o.Currency, "Status": o.Status, "Comment": o.Comment} {
		if text != nil {
			vars[name] = *text
		}
	}
}

// amountUnits is how many of what amounts are kept in make one.
const amountUnits = 10_000

// of gives the lead as it was with the outcome: its ReasonID may be a newer one by
// now, and repeats say what the first try did.
func (o *told) of(lead *leads.Lead) *leads.Lead {
	as := *lead
	as.ReasonID, as.FeedbackAt = &o.ReasonID, &o.OccurredAt
	return &as
}

// AnyOnward reports whether any source sends outcomes onward.
func (s *Service) AnyOnward(ctx context.Context) (bool, error) {
	set, err := s.rules(ctx)
	return err == nil && len(set.onwards) > 0, err
}

// SendOnward has those of the list sent onward, each the current feedback of another
// lead, whose sources say so.
func (s *Service) SendOnward(tx *gorm.DB, list ...Current) error { return s.queueOnwards(tx, list) }

var newsColumns = []column{
	{"id", "uuid"},
	{"lead", "uuid"},
	{"routing", "uuid"},
	{"reason", "integer"},
	{"occurred", "timestamptz"},
	{"status", "text"},
	{"comment", "text"},
	{"amount", "bigint"},
	{"currency", "text"},
	{"moment", "timestamptz"},
}

// The one before is given up, unless it is being sent: the newer one then waits for
// the end of that, so that it is the last to arrive. Its row is locked in any case,
// so that who ends it sees the newer one.
const replaceOnwards = `UPDATE onwards SET replaced_at = v.moment, version = version + 1,
	state = CASE WHEN state IN ('pending', 'parked') THEN 'replaced' ELSE state END,
	next_attempt_at = CASE WHEN state = 'sending' THEN next_attempt_at END
	FROM v WHERE lead_id = v.lead AND replaced_at IS NULL`

const insertOnwards = `INSERT INTO onwards (id, lead_id, source_id, routing_id, reason_id, occurred_at, status, comment, amount, currency, created_at, next_attempt_at)
	SELECT v.id, v.lead, l.source_id, v.routing, v.reason, v.occurred, v.status, v.comment, v.amount, v.currency, v.moment,
		coalesce((SELECT max(o.next_attempt_at) FROM onwards o WHERE o.lead_id = v.lead AND o.state = 'sending'), v.moment)
	FROM v JOIN leads l ON l.id = v.lead JOIN sources s ON s.id = l.source_id
	WHERE s.onward_connector_id IS NOT NULL AND l.erased_at IS NULL`

// queueOnwards puts outcomes into the queue, each in the place of any earlier one
// of its lead.
func (s *Service) queueOnwards(tx *gorm.DB, news []Current) error {
	if len(news) == 0 {
		return nil
	}
	now := s.now()
	rows := make([][]any, len(news))
	for i, c := range news {
		id, err := s.newID()
		if err != nil {
			return fmt.Errorf("id of an outcome: %w", err)
		}
		rows[i] = []any{id, c.LeadID, c.RoutingID, c.ReasonID, c.At, c.Status, c.Comment, c.Amount, c.Currency, now}
	}
	for _, statement := range []string{replaceOnwards, insertOnwards} {
		if _, err := overRows(tx, newsColumns, rows, statement); err != nil {
			return fmt.Errorf("outcomes to send onward: %w", err)
		}
	}
	store.AfterCommit(tx.Statement.Context, s.wakeUp)
	return nil
}

// loadOnwards gives each job of that queue its outcome. One that is no longer there
// stays nil.
func (s *Service) loadOnwards(ctx context.Context, jobs []*job) error {
	var ids []uuid.UUID
	for _, j := range jobs {
		if j.isOnward() {
			ids = append(ids, j.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []*told
	err := s.db.Read(ctx).Table("onwards o").Joins("JOIN feedback_reasons f ON f.id = o.reason_id").
		Select("o.*, f.name AS reason, f.category, f.counts_as_sale, f.closes_lead").Where("o.id IN ?", ids).Find(&rows).Error
	if err != nil {
		return fmt.Errorf("outcomes to send onward: %w", err)
	}
	byID := make(map[uuid.UUID]*told, len(rows))
	for _, o := range rows {
		byID[o.ID] = o
	}
	for _, j := range jobs {
		j.onward = byID[j.id]
	}
	return nil
}

// prepareOnward is prepare for an outcome.
func (d *dispatcher) prepareOnward(j *job) (*sender, delivery, *result) {
	if j.onward == nil || j.lead == nil {
		return nil, delivery{}, parked(j, errors.New("the lead is no longer there"))
	}
	if j.onward.ReplacedAt != nil {
		return nil, delivery{}, &result{state: Replaced}
	}
	set, err := d.Service.rules(d.sending)
	if err == nil && set.onwards[j.ruleID] == nil {
		set, err = d.reload(d.sending, set, set.purges) // turned on a moment ago on another server
	}
	if err != nil {
		d.log.Error("transmission", "onward", j.id, "error", err)
		at := d.now().Add(schedule[0])
		return nil, delivery{}, &result{state: Pending, next: &at, err: "the source could not be read"}
	}
	live := set.onwards[j.ruleID]
	switch {
	case live == nil:
		return nil, delivery{}, parked(j, errors.New(errOnwardOff))
	case live.err != nil:
		return nil, delivery{}, parked(j, fmt.Errorf("what the source says of sending onward does not compile: %w", live.err))
	}
	return live.sender, delivery{lead: j.onward.of(j.lead), id: j.id, routingID: j.onward.RoutingID, onward: j.onward}, nil
}

const applyOnwards = `UPDATE onwards SET lease_token = NULL, attempt_count = attempt_count + v.sent, error = v.problem,
	state = CASE WHEN replaced_at IS NOT NULL AND v.new_state IN ('pending', 'failed', 'parked') THEN 'replaced' ELSE v.new_state END,
	next_attempt_at = CASE WHEN replaced_at IS NULL THEN v.next END,
	delivered_at = coalesce(v.delivered, delivered_at), version = version + 1
	FROM v WHERE id = v.routing AND lease_token = v.token RETURNING id`

// recordOnwards is record for outcomes sent onward.
func (s *Service) recordOnwards(tx *gorm.DB, outcomes []outcome, held map[uuid.UUID]bool) error {
	if len(outcomes) == 0 {
		return nil
	}
	if err := s.noteExchanges(tx, onwardQueue, outcomes); err != nil {
		return err
	}
	ended, back, err := turns(outcomes)
	if err != nil {
		return err
	}
	if err := queueAgain(tx, onwardQueue, back, held); err != nil {
		return err
	}
	ids, err := overRows(tx, resultColumns, resultRows(ended), applyOnwards)
	if err != nil {
		return err
	}
	mark(held, ids)
	if err := insertAttempts(tx, ended, held); err != nil {
		return err
	}
	if err := s.releaseOnwards(tx, outcomes); err != nil {
		return err
	}
	for i := range ended {
		t := &ended[i]
		if held[t.id] && t.attempt != nil && t.onward.ReplacedAt == nil && (t.state == Failed || t.gone) {
			if err := s.noticeFailed(tx, t.job, &t.result); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseOnwards makes due what waited for the end of these.
func (s *Service) releaseOnwards(tx *gorm.DB, ended []outcome) error {
	now := s.now()
	rows := make([][]any, len(ended))
	for i, o := range ended {
		rows[i] = []any{o.job.id, o.job.leadID, now}
	}
	ids, err := overRows(tx, []column{{"ended", "uuid"}, {"lead", "uuid"}, {"moment", "timestamptz"}}, rows,
		`UPDATE onwards SET next_attempt_at = v.moment, version = version + 1
		FROM v WHERE lead_id = v.lead AND id <> v.ended AND state = 'pending' AND attempt_count = 0 AND next_attempt_at > v.moment RETURNING id`)
	if err != nil {
		return fmt.Errorf("outcomes that wait: %w", err)
	}
	if len(ids) > 0 {
		store.AfterCommit(tx.Statement.Context, s.wakeUp)
	}
	return nil
}

// ResendOnward puts an outcome that was delivered, rejected, given up or parked into
// the queue again, due now, with all retries before it. It returns NotFound, or
// Conflict while it is in the queue and where there is a newer one of the lead.
func (s *Service) ResendOnward(ctx context.Context, id uuid.UUID) error {
	return s.manage(ctx, func(tx *gorm.DB) error {
		var o Onward
		if err := found(tx.Where("id = ?", id).Take(&o).Error, "onward", id); err != nil {
			return err
		}
		if err := s.hidesOnward(tx, o.RoutingID, id); err != nil {
			return err
		}
		n, err := exec(tx, `UPDATE onwards SET state = 'pending', next_attempt_at = $1, attempt_count = 0, error = NULL, version = version + 1
			WHERE id = $2 AND replaced_at IS NULL AND state IN ('delivered', 'rejected', 'failed', 'parked')`, s.now(), id)
		switch {
		case err != nil:
			return fmt.Errorf("resend onward: %w", err)
		case n == 0 && o.ReplacedAt != nil:
			return fault.New(fault.Conflict, "there is a newer outcome of the lead")
		case n == 0:
			return fault.Newf(fault.Conflict, "it is %s and will be sent anyway", o.State)
		}
		store.AfterCommit(tx.Statement.Context, s.wakeUp)
		return nil
	})
}

// hidesOnward returns NotFound for an outcome on a routing by a rule that the actor
// of tx must not see.
func (s *Service) hidesOnward(tx *gorm.DB, routingID, id uuid.UUID) error {
	_, err := s.Find(tx, routingID, 0)
	if fault.CodeOf(err) == fault.NotFound {
		return found(gorm.ErrRecordNotFound, "onward", id)
	}
	return err
}
