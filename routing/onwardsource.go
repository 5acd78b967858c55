package routing

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
)

// liveOnward is how a source sends outcomes onward, compiled.
type liveOnward struct {
	sender *sender
	err    error // why there is none
}

// loadSources compiles what the sources that send outcomes onward say of it.
func (s *Service) loadSources(db *gorm.DB, connectors map[int64]*Connector) (map[int64]*liveOnward, error) {
	var sources []leads.Source
	err := db.Select("id", "onward_connector_id", "onward_settings", "onward_mapping").
		Where("onward_connector_id IS NOT NULL").Order("id").Find(&sources).Error
	if err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	all := make(map[int64]*liveOnward, len(sources))
	for i := range sources {
		src, live := &sources[i], &liveOnward{}
		if live.sender, live.err = s.onwardSender(src, connectors[*src.OnwardConnectorID]); live.err != nil {
			s.log.Error("a source's way onward does not compile", "source", src.ID, "error", live.err)
		}
		all[src.ID] = live
	}
	return all, nil
}

// onwardExprs compile what is said over a lead and its outcome.
func (s *Service) onwardExprs() expressions {
	e := s.exprs
	e.mapped = e.onward
	return e
}

// onwardSender makes the sender of outcomes of src. It returns an error that says
// what is missing or wrong.
func (s *Service) onwardSender(src *leads.Source, c *Connector) (*sender, error) {
	if c == nil {
		return nil, fmt.Errorf("no connector %d", *src.OnwardConnectorID)
	}
	var p problems
	m, _, err := s.onwardExprs().entries(&p, "OnwardMapping", src.OnwardMapping)
	if err == nil {
		err = p.err()
	}
	if err != nil {
		return nil, err
	}
	return s.equip(s.onwardExprs(), c, Settings(src.OnwardSettings), m)
}

// CheckOnward returns Invalid with everything wrong with how src sends outcomes
// onward, with targets such as OnwardSettings/URL and OnwardMapping/2/Source, and
// seals its secrets. It belongs into the transaction that stores src; old is the
// stored source, nil for a new one. What waited for a change is due with it; what
// is in the queue when a source sends no more is parked.
func (s *Service) CheckOnward(tx *gorm.DB, old, src *leads.Source) error {
	if old == nil {
		old = &leads.Source{OnwardSettings: leads.SourceSettings{}}
	}
	if src.OnwardConnectorID == nil {
		return s.turnOnwardOff(tx, old, src)
	}
	if err := s.checkOnwardSource(tx, old, src); err != nil {
		return err
	}
	same, err := sameOnward(old, src)
	if err != nil || same {
		return err
	}
	if err := s.rulesChanged(tx); err != nil {
		return err
	}
	if old.ID == 0 {
		return nil
	}
	return s.resumeOnwards(tx, old.ID)
}

func (s *Service) turnOnwardOff(tx *gorm.DB, old, src *leads.Source) error {
	before, after, err := twoTexts(old.OnwardSettings, src.OnwardSettings)
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) && len(src.OnwardSettings) > 0 {
		return fault.New(fault.Invalid, "settings need an OnwardConnectorID, which says what they mean").At("OnwardSettings")
	}
	if old.OnwardConnectorID == nil {
		return nil
	}
	if err := s.rulesChanged(tx); err != nil {
		return err
	}
	if _, err := exec(tx, `UPDATE onwards SET state = 'parked', next_attempt_at = NULL, error = $1, version = version + 1
		WHERE source_id = $2 AND state = 'pending'`, errOnwardOff, old.ID); err != nil {
		return fmt.Errorf("park outcomes: %w", err)
	}
	return nil
}

// checkOnwardSource is CheckOnward of what src says alone.
func (s *Service) checkOnwardSource(tx *gorm.DB, old, src *leads.Source) error {
	var p problems
	if err := s.onwardProblems(tx, &p, old, src); err != nil {
		return err
	}
	for i, d := range p.details {
		if !strings.HasPrefix(d.Target, "Onward") {
			p.details[i].Target = "Onward" + d.Target
		}
	}
	return p.err()
}

func (s *Service) onwardProblems(tx *gorm.DB, p *problems, old, src *leads.Source) error {
	if len(src.OnwardMapping) == 0 {
		p.addf("Mapping", "the mapping is empty: nothing would be sent")
	}
	if _, _, err := s.onwardExprs().entries(p, "Mapping", src.OnwardMapping); err != nil {
		return err
	}
	connector, err := load[Connector](tx, "connector", *src.OnwardConnectorID)
	if fault.CodeOf(err) == fault.NotFound {
		p.addf("ConnectorID", "no connector %d", *src.OnwardConnectorID)
		return nil
	}
	if err != nil {
		return err
	}
	before, given := len(p.details), Settings(src.OnwardSettings)
	checkSettings(p, s.vault, connector, given)
	if len(p.details) > before {
		return nil
	}
	values, _, err := connector.open(s.vault, given)
	if err != nil {
		p.addf("Settings", "%s", err)
		return nil
	}
	if err := s.checkSender(p, connector, values, src.OnwardMapping); err != nil {
		return err
	}
	src.OnwardSettings = leads.SourceSettings(connector.seal(s.vault, given, Settings(old.OnwardSettings)))
	return nil
}

// sameOnward reports whether a and b send outcomes in the same way.
func sameOnward(a, b *leads.Source) (bool, error) {
	before, after, err := twoTexts(
		[]any{a.OnwardConnectorID, a.OnwardSettings, a.OnwardMapping},
		[]any{b.OnwardConnectorID, b.OnwardSettings, b.OnwardMapping})
	return bytes.Equal(before, after), err
}

func twoTexts(a, b any) (first, second []byte, err error) {
	if first, err = json.Marshal(a); err == nil {
		second, err = json.Marshal(b)
	}
	if err != nil {
		err = fmt.Errorf("what a source sends onward: %w", err)
	}
	return first, second, err
}

// resumeOnwards makes due what is parked and still how things are, and forgets what
// was known of the system it goes to.
func (s *Service) resumeOnwards(tx *gorm.DB, sourceID int64) error {
	const current = `EXISTS (SELECT 1 FROM leads l WHERE l.id = onwards.lead_id AND l.feedback_at = onwards.occurred_at AND l.reason_id = onwards.reason_id)`
	if _, err := exec(tx, `UPDATE onwards SET state = CASE WHEN `+current+` THEN 'pending' ELSE 'replaced' END, error = NULL,
			next_attempt_at = CASE WHEN `+current+` THEN $1 ELSE next_attempt_at END,
			replaced_at = CASE WHEN `+current+` THEN replaced_at ELSE $1 END, version = version + 1
		WHERE source_id = $2 AND state = 'parked' AND replaced_at IS NULL`, s.now(), sourceID); err != nil {
		return fmt.Errorf("resume outcomes: %w", err)
	}
	if _, err := exec(tx, `UPDATE sources SET breaker = 'closed', breaker_until = NULL, failing_since = NULL, breaker_recent = 0, breaker_pause = 0
		WHERE id = $1`, sourceID); err != nil {
		return fmt.Errorf("breaker of source %d: %w", sourceID, err)
	}
	store.AfterCommit(tx.Statement.Context, func() { s.broken.stale.Store(true); s.wakeUp() })
	return nil
}

// OutcomeSample is feedback to test with.
type OutcomeSample struct {
	ReasonID   *int32 // the first that counts as a sale, unless given
	OccurredAt *time.Time
	Status     *string
	Comment    *string
	Amount     *float64
	Currency   *string
}

// OnwardTrial says how to test what a source sends onward.
type OnwardTrial struct {
	Sample   map[string]any // the lead: values by property name, over a built-in one
	Feedback *OutcomeSample // nil: a sale, now
	Dry      bool           // shows the request and sends nothing
}

// TestOnward sends a made-up outcome of a made-up lead as the source says, marked
// with the header X-Leadloop-Test: 1, or with t.Dry shows what it would send. A
// failed exchange is a result, not an error. Errors: NotFound; Invalid where the
// sample is wrong; Conflict for a source that sends no outcomes onward.
func (s *Service) TestOnward(ctx context.Context, sourceID int64, t OnwardTrial) (TestResult, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return TestResult{}, err
	}
	src, err := load[leads.Source](s.db.Read(ctx), "source", sourceID)
	if err != nil {
		return TestResult{}, err
	}
	return s.tryOnward(ctx, src, t)
}

// TestOnwardDraft is TestOnward of src as it stands, stored or not. Invalid also
// for what CheckOnward would refuse.
func (s *Service) TestOnwardDraft(ctx context.Context, src *leads.Source, t OnwardTrial) (TestResult, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return TestResult{}, err
	}
	draft := *src
	if draft.OnwardConnectorID != nil {
		if err := s.checkOnwardSource(s.db.Read(ctx), &leads.Source{}, &draft); err != nil {
			return TestResult{}, err
		}
	}
	return s.tryOnward(ctx, &draft, t)
}

func (s *Service) tryOnward(ctx context.Context, src *leads.Source, t OnwardTrial) (TestResult, error) {
	lead, err := sampleLead(t.Sample, s.now())
	if err != nil {
		return TestResult{}, err
	}
	if src.OnwardConnectorID == nil {
		return TestResult{}, fault.New(fault.Conflict, "the source sends no outcomes onward: it has no OnwardConnectorID")
	}
	db := s.db.Read(ctx)
	about, err := s.sampleOutcome(db, t.Feedback)
	if err != nil {
		return TestResult{}, err
	}
	connector, err := load[Connector](db, "connector", *src.OnwardConnectorID)
	if err != nil {
		return TestResult{}, err
	}
	p, err := s.onwardSender(src, connector)
	if err != nil {
		return TestResult{Error: err.Error()}, nil
	}
	d := delivery{lead: about.of(lead), id: about.ID, routingID: about.RoutingID, onward: about}
	return s.tryOut(ctx, p, d, t.Dry)
}

// mostAmount bounds the amount of a sample, so that it can be counted in 1/10000.
const mostAmount = 1e12

func (s *Service) sampleOutcome(db *gorm.DB, given *OutcomeSample) (*told, error) {
	if given == nil {
		given = &OutcomeSample{Amount: new(1000.0), Currency: new("ILS")}
	}
	about := &told{Onward: Onward{
		ID: uuid.New(), RoutingID: uuid.New(), OccurredAt: s.now(),
		Status: given.Status, Comment: given.Comment, Currency: given.Currency,
	}}
	if given.Amount != nil {
		if math.Abs(*given.Amount) > mostAmount {
			return nil, fault.New(fault.Invalid, "the amount is too large").At("Feedback/Amount")
		}
		about.Amount = new(int64(math.Round(*given.Amount * amountUnits)))
	}
	if given.OccurredAt != nil {
		about.OccurredAt = *given.OccurredAt
	}
	q := db.Table("feedback_reasons").Select("id AS reason_id, name AS reason, category, counts_as_sale, closes_lead")
	if given.ReasonID != nil {
		q = q.Where("id = ?", *given.ReasonID)
	} else {
		q = q.Where("active").Order("counts_as_sale DESC, position, id")
	}
	var reason told
	if err := q.Limit(1).Find(&reason).Error; err != nil {
		return nil, fmt.Errorf("reasons: %w", err)
	}
	if reason.ReasonID == 0 {
		return nil, fault.New(fault.Invalid, "no such reason").At("Feedback/ReasonID")
	}
	about.ReasonID, about.Reason, about.Category = reason.ReasonID, reason.Reason, reason.Category
	about.CountsAsSale, about.ClosesLead = reason.CountsAsSale, reason.ClosesLead
	return about, nil
}
