package routing

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"leadloop/leads"
	"leadloop/odata/eval"
	"leadloop/store"
)

// Explanation says why a lead went where it went: each decision about it, with
// the verdict on each rule. Every reason is there in words and as a code with
// what belongs to it, to be said in other languages.
type Explanation struct {
	LeadID        uuid.UUID
	State         string
	Code          string // of the Explanation's codes
	Reason        string
	DuplicateOfID *uuid.UUID
	Decisions     []ExplainedDecision // the oldest first
	// Would are, of a test lead, the verdicts that it would get now were it none.
	Would []RuleVerdict
}

// The codes of an Explanation.
const (
	LeadDecided    = "decided"    // Decisions tell
	LeadUndecided  = "undecided"  // nothing was decided yet
	LeadUnrecorded = "unrecorded" // decided before decisions were kept
	LeadTest       = "test"       // a test lead is not routed
	LeadDuplicate  = "duplicate"  // nor is a duplicate
)

// ExplainedDecision is a Decision with the verdict on each rule: those of rules
// whose condition held as they were stored, those of all others by evaluating their
// conditions again.
type ExplainedDecision struct {
	Number    int64 // from 1; 0: not kept, found by the routings there are
	At        time.Time
	Cause     string     // of the causes; "" where Number is 0
	RoutingID *uuid.UUID // the routing that was to be replaced
	Reason    string
	Rules     int // that were ever activated, at the time; 0 where Number is 0
	Held      int // those of them whose condition held
	Verdicts  []RuleVerdict
	Left      int // verdicts more than Verdicts shows

	chosen int
}

// maxExplained bounds the verdicts of one decision that are shown.
const maxExplained = 500

// Explain explains a lead. ruleID, if not 0, is the one rule whose verdicts are
// asked for. Rules that the actor must not see are left out of all of it. Needs a
// viewer. NotFound for an unknown lead.
func (s *Service) Explain(ctx context.Context, id uuid.UUID, ruleID int64) (*Explanation, error) {
	if err := store.Require(ctx, store.Viewer); err != nil {
		return nil, err
	}
	x := &explaining{Service: s, only: ruleID}
	if err := x.read(ctx, id); err != nil {
		return nil, err
	}
	result := &Explanation{LeadID: id, State: x.lead.State, DuplicateOfID: x.lead.DuplicateOfID, Decisions: []ExplainedDecision{}, Would: []RuleVerdict{}}
	if x.unrecorded() {
		result.Decisions = append(result.Decisions, x.reconstructed())
	}
	for i := range x.decisions {
		result.Decisions = append(result.Decisions, x.explained(&x.decisions[i]))
	}
	result.Code = x.code()
	result.Reason = x.reason(result)
	if result.Code == LeadTest {
		var err error
		if result.Would, err = x.supposed(ctx); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// explaining is what an Explanation is made of.
type explaining struct {
	*Service
	only      int64
	lead      leads.Lead
	decisions []Decision
	routings  []Routing
	rules     *registry
	revisions map[int64][]RuleRevision // by rule, the newest first
	live      *ruleSet
}

func (x *explaining) read(ctx context.Context, id uuid.UUID) error {
	db := x.db.Read(ctx)
	if err := found(db.Where("id = ?", id).Take(&x.lead).Error, "lead", id); err != nil {
		return err
	}
	var err error
	if x.decisions, err = x.Decisions(ctx, id); err != nil {
		return err
	}
	hidden, err := x.Hidden(ctx)
	if err != nil {
		return err
	}
	err = db.Select("id", "customer_id", "rule_id", "rule_revision", "state", "error", "created_at").
		Where("lead_id = ?", id).Order("created_at, id").Find(&x.routings).Error
	if err != nil {
		return fmt.Errorf("routings of lead %s: %w", id, err)
	}
	if x.rules, err = readRegistry(db, hidden); err != nil {
		return err
	}
	if len(hidden) > 0 {
		x.leaveOut()
	}
	if len(x.decisions) == 0 && !x.unrecorded() {
		return nil
	}
	if x.live, err = x.Service.rules(ctx); err != nil {
		return err
	}
	last := x.lead.ReceivedAt
	if n := len(x.decisions); n > 0 {
		last = x.decisions[n-1].At
	}
	return x.readRevisions(db, last)
}

// supposed are the verdicts that the lead would get now, were it no test.
func (x *explaining) supposed(ctx context.Context) ([]RuleVerdict, error) {
	db, lead, limit := x.db.Read(ctx), x.lead, (*leads.Source)(nil).Limit()
	lead.IsTest, lead.State, lead.Version = false, leads.StateNew, 1
	if lead.SourceID != nil {
		var src leads.Source
		if err := found(db.Select("max_routings").Where("id = ?", *lead.SourceID).Take(&src).Error, "source", *lead.SourceID); err != nil {
			return nil, err
		}
		limit = src.Limit()
	}
	e := ExplainedDecision{At: x.now(), Verdicts: []RuleVerdict{}}
	given, err := x.Consider(ctx, &lead, limit)
	if err != nil {
		return nil, err
	}
	if x.live, err = x.Service.rules(ctx); err != nil {
		return nil, err
	}
	if err := x.readRevisions(db, e.At); err != nil {
		return nil, err
	}
	seen := map[int64]bool{}
	for i := range given {
		seen[given[i].RuleID] = true
		if !x.rules.hidden[given[i].RuleID] {
			e.add(x.rules.shown(given, &given[i]), x.only)
		}
	}
	x.evaluated(&e, x.exprs.record(&lead).At(e.At), seen, func(v *RuleVerdict) { v.Code = ChangedSince })
	return e.Verdicts, nil
}

// leaveOut takes what is named after hidden rules out of what was read.
func (x *explaining) leaveOut() {
	theirs := map[uuid.UUID]bool{}
	x.routings = slices.DeleteFunc(x.routings, func(r Routing) bool {
		theirs[r.ID] = x.rules.hidden[r.RuleID]
		return theirs[r.ID]
	})
	for i := range x.decisions {
		d := &x.decisions[i]
		for _, since := range x.rules.hiddenSince {
			if !since.After(d.At) {
				d.Rules--
			}
		}
		if d.RoutingID != nil && theirs[*d.RoutingID] {
			d.RoutingID = nil
		}
	}
}

// readRevisions reads the conditions of all that may have been decided by until
// last.
func (x *explaining) readRevisions(db *gorm.DB, last time.Time) error {
	q := db.Select("rule_id", "revision", "condition", "created_at").Where("created_at <= ?", last)
	if x.only != 0 {
		q = q.Where("rule_id = ?", x.only)
	}
	if len(x.rules.hidden) > 0 {
		q = q.Where("rule_id NOT IN ?", slices.Collect(maps.Keys(x.rules.hidden)))
	}
	var rows []RuleRevision
	if err := q.Order("rule_id, created_at DESC, revision DESC").Find(&rows).Error; err != nil {
		return fmt.Errorf("revisions: %w", err)
	}
	x.revisions = map[int64][]RuleRevision{}
	for _, r := range rows {
		x.revisions[r.RuleID] = append(x.revisions[r.RuleID], r)
	}
	return nil
}

// before gives the routings that no decision kept tells of.
func (x *explaining) before() []Routing {
	known := map[uuid.UUID]bool{}
	for _, d := range x.decisions {
		for _, v := range d.Verdicts {
			if v.RoutingID != nil {
				known[*v.RoutingID] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(x.routings), func(r Routing) bool { return known[r.ID] })
}

// unrecorded reports whether something was decided about the lead that was not
// kept.
func (x *explaining) unrecorded() bool {
	return len(x.before()) > 0 ||
		len(x.decisions) == 0 && (x.lead.State == leads.StateRouted || x.lead.State == leads.StateUnmatched)
}

func (x *explaining) code() string {
	switch {
	case len(x.decisions) > 0:
		return LeadDecided
	case x.unrecorded():
		return LeadUnrecorded
	case x.lead.IsTest || x.lead.State == leads.StateTest:
		return LeadTest
	case x.lead.State == leads.StateDuplicate:
		return LeadDuplicate
	}
	return LeadUndecided
}

// explained gives d with the verdict on each rule.
func (x *explaining) explained(d *Decision) ExplainedDecision {
	e := ExplainedDecision{
		Number: d.N, At: d.At, Cause: string(d.Cause), RoutingID: d.RoutingID,
		Rules: d.Rules, Held: d.Held, Verdicts: []RuleVerdict{},
	}
	seen := map[int64]bool{}
	kept := d.Held == len(d.Verdicts)
	for i := range d.Verdicts {
		if x.rules.hidden[d.Verdicts[i].RuleID] {
			e.Held--
			continue
		}
		if d.Verdicts[i].Outcome == Chosen {
			e.chosen++
		}
		seen[d.Verdicts[i].RuleID] = true
		e.add(x.stored(d, &d.Verdicts[i]), x.only)
	}
	x.evaluated(&e, x.recordAt(d), seen, func(v *RuleVerdict) {
		v.Code = ChangedSince
		if !kept {
			v.Code = NotKept
		}
	})
	e.Reason = e.summary()
	return e
}

// reconstructed tells what is known of decisions that were not kept: who has the
// lead, and whose condition does not hold.
func (x *explaining) reconstructed() ExplainedDecision {
	e := ExplainedDecision{At: x.lead.ReceivedAt, Verdicts: []RuleVerdict{}}
	seen := map[int64]bool{}
	for _, r := range x.before() {
		seen[r.RuleID] = true
		e.chosen++
		v := x.rules.verdict(r.RuleID)
		v.CustomerID, v.Revision, v.Code = r.CustomerID, r.RuleRevision, string(Chosen)
		v.showRouting(&r)
		v.say()
		e.add(v, x.only)
	}
	x.evaluated(&e, x.exprs.record(&x.lead).At(e.At), seen, func(v *RuleVerdict) { v.Code = NotRecorded })
	e.Reason = e.summary()
	return e
}

// add adds a verdict, if it is asked for and as long as there is room.
func (e *ExplainedDecision) add(v RuleVerdict, only int64) {
	switch {
	case only != 0 && v.RuleID != only:
	case len(e.Verdicts) < maxExplained:
		e.Verdicts = append(e.Verdicts, v)
	default:
		e.Left++
	}
}

// evaluated adds the verdicts on all rules but those seen, whose conditions did
// not hold then. holds gives the code of one whose condition holds nevertheless.
func (x *explaining) evaluated(e *ExplainedDecision, record *eval.Record, seen map[int64]bool, holds func(*RuleVerdict)) {
	for _, r := range x.rules.ordered {
		if seen[r.ID] || x.only != 0 && r.ID != x.only {
			continue
		}
		if len(e.Verdicts) >= maxExplained {
			e.Left++
			continue
		}
		v := x.rules.verdict(r.ID)
		x.evaluate(&v, &r, e.At, record, holds)
		v.say()
		e.Verdicts = append(e.Verdicts, v)
	}
}

func (x *explaining) evaluate(v *RuleVerdict, r *registered, at time.Time, record *eval.Record, holds func(*RuleVerdict)) {
	v.Evaluated = true
	all := x.revisions[r.ID]
	i := slices.IndexFunc(all, func(r RuleRevision) bool { return !r.CreatedAt.After(at) })
	switch {
	case i < 0 && r.ActiveRevision == nil:
		v.Code = NeverActivated
		return
	case i < 0:
		v.Code = ActivatedLater
		return
	}
	v.Revision, v.Condition = all[i].Revision, all[i].Condition
	condition, err := x.compiled(&all[i])
	switch {
	case err != nil:
		v.Code = string(Broken)
	case condition == nil || condition.Bool(record):
		holds(v)
	default:
		v.Code = ConditionFalse
		part := condition.Explain(record)
		v.Parts, v.told = []ConditionPart{shownPart(part)}, part.String()
	}
}

// compiled compiles the condition of a revision, unless that is at hand; nil
// means every lead.
func (x *explaining) compiled(r *RuleRevision) (*eval.Program, error) {
	if l := x.live.byID[r.RuleID]; l != nil && l.revision == r.Revision && l.plan != nil {
		return l.plan.condition, nil
	}
	return x.exprs.condition(r.Condition)
}

// recordAt is the lead as a decision saw it, as far as that is known: what
// became of it is undone, what staff changed is not.
func (x *explaining) recordAt(d *Decision) *eval.Record {
	lead := x.lead
	if d.Cause == Received {
		lead.State, lead.ReasonID, lead.FeedbackAt, lead.Version = leads.StateNew, nil, nil, 1
	}
	return x.exprs.record(&lead).At(d.At)
}

// registry is what all rules are called, and whose they are.
type registry struct {
	ordered     []registered // by priority, then id
	byID        map[int64]*registered
	hidden      map[int64]bool // rules that are not to be named
	hiddenSince []time.Time    // when those of them were first activated that were
}

type registered struct {
	ID, CustomerID int64
	Name, Customer string
	State          string
	Priority       int
	ActiveRevision *int64
}

func readRegistry(db *gorm.DB, hidden []int64) (*registry, error) {
	g := &registry{byID: map[int64]*registered{}, hidden: map[int64]bool{}}
	err := db.Raw(`SELECT rules.id, rules.customer_id, rules.name, customers.name AS customer, rules.state, rules.priority, rules.active_revision
		FROM rules JOIN customers ON customers.id = rules.customer_id`).Scan(&g.ordered).Error
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(hidden) > 0 {
		for _, id := range hidden {
			g.hidden[id] = true
		}
		g.ordered = slices.DeleteFunc(g.ordered, func(r registered) bool { return g.hidden[r.ID] })
		err := db.Model(&RuleRevision{}).Where("rule_id IN ?", hidden).
			Where("revision = (SELECT min(r.revision) FROM rule_revisions r WHERE r.rule_id = rule_revisions.rule_id)").
			Pluck("created_at", &g.hiddenSince).Error
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
	}
	slices.SortFunc(g.ordered, func(a, b registered) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.ID, b.ID))
	})
	for i := range g.ordered {
		g.byID[g.ordered[i].ID] = &g.ordered[i]
	}
	return g, nil
}

// verdict is an empty verdict on a rule, which may be gone.
func (g *registry) verdict(id int64) RuleVerdict {
	v := RuleVerdict{RuleID: id, Parts: []ConditionPart{}}
	if r := g.byID[id]; r != nil {
		v.Rule, v.CustomerID, v.Customer, v.Priority = r.Name, r.CustomerID, r.Customer, r.Priority
	}
	return v
}

// name is what a rule is called in words.
func (g *registry) name(id int64) string {
	if g.hidden[id] {
		return "another rule"
	}
	if r := g.byID[id]; r != nil {
		return fmt.Sprintf("rule %d, %s,", id, r.Name)
	}
	return fmt.Sprintf("rule %d", id)
}
