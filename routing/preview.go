package routing

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/store"
)

// Preview is what a rule's current content would do if it were active.
type Preview struct {
	RuleID   int64
	Revision int64
	Leads    int // looked at
	Held     int // leads for which its condition holds
	Taken    int // leads that it would get
	// Codes count the leads by their verdict; Parts by the parts of the condition
	// that kept them out; Missing, of those for which the condition holds, by the
	// required fields that they have no value for.
	Codes   []PreviewCount
	Parts   []PreviewCount
	Missing []PreviewCount
	// Rivals are the rules that want some of the leads for which the condition
	// holds, those that want most of them first.
	Rivals []Rival
	// Examples are the sample, or some of the newest leads.
	Examples []PreviewedLead
}

// PreviewCount is how many leads something is true of.
type PreviewCount struct {
	Name  string
	Leads int
}

// Rival is an active rule that wants leads which the previewed rule wants.
type Rival struct {
	RuleID     int64
	Rule       string
	CustomerID int64
	Customer   string
	Priority   int
	Leads      int // that both want
	Ahead      int // of those, that it gets and the previewed rule does not
}

// PreviewedLead is what would become of one lead.
type PreviewedLead struct {
	LeadID *uuid.UUID // nil: the sample
	Takes  bool       // the rule gets it
	// Verdict is that on the rule, and Rivals those on other rules that want the
	// lead. Test leads and duplicates, which no rule gets, have the codes test and
	// duplicate.
	Verdict RuleVerdict
	Rivals  []RuleVerdict
	// URL, ContentType and Body are what would be sent, secrets masked, without the
	// fields in Missing, which are required and have no value: the routing would be
	// parked. Problem is why there is no body.
	URL         string
	ContentType string
	Body        string
	Missing     []string
	Problem     string
}

// Bounds of a Preview.
const (
	maxPreviewed = 1000 // leads looked at
	maxExamples  = 5    // shown of those that the condition holds for, and of the others
	maxRivals    = 50
)

// PreviewSample says what the rule would do now, were it active, with a lead made
// of sample as Test makes it: by its schedule, the caps and turns as they are, and
// beside the rules that are active. Needs a manager. NotFound for an unknown rule,
// Invalid for a wrong sample, Conflict where the rule does not compile any more.
func (s *Service) PreviewSample(ctx context.Context, ruleID int64, sample map[string]any) (*Preview, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	p, err := s.preview(ctx, ruleID)
	if err != nil {
		return nil, err
	}
	return p.previewSample(ctx, sample)
}

func (p *previewing) previewSample(ctx context.Context, sample map[string]any) (*Preview, error) {
	s, now := p.Service, p.now()
	lead, err := sampleLead(sample, now)
	if err != nil {
		return nil, err
	}
	lead.IsTest, lead.State = false, leads.StateNew // as a real one would come in
	held, holds := p.holding(lead)
	m := &moment{now: now, limit: (*leads.Source)(nil).Limit(), closed: s.live.closed, turns: map[int64]int64{}}
	db := s.db.Read(ctx)
	if err := m.countCaps(db, held); err != nil {
		return nil, err
	}
	for _, priority := range m.rotations(held) {
		if err := m.readTurns(db, priority); err != nil {
			return nil, fmt.Errorf("turns of priority %d: %w", priority, err)
		}
	}
	p.judge(lead, decide(held, lead.ID, m), holds, nil)
	return p.finish(), nil
}

// PreviewLast says what the rule would have done with the last n leads (1 to
// 1000), had it been active all along: each as it came in, by the rule's schedule
// at the time, its caps counted over just these leads, in turn with the rules that
// are active now. StartsAt and EndsAt of the rule, caps of other rules and what is
// failing are left aside. Errors as PreviewSample.
func (s *Service) PreviewLast(ctx context.Context, ruleID int64, n int) (*Preview, error) {
	if err := store.Require(ctx, store.Manager); err != nil {
		return nil, err
	}
	p, err := s.preview(ctx, ruleID)
	if err != nil {
		return nil, err
	}
	return p.previewLast(ctx, n)
}

func (p *previewing) previewLast(ctx context.Context, n int) (*Preview, error) {
	if n < 1 || n > maxPreviewed {
		return nil, fault.Newf(fault.Invalid, "Last must be from 1 to %d", maxPreviewed).At("Last")
	}
	p.rule.startsAt, p.rule.endsAt = nil, nil
	db := p.db.Read(ctx)
	var last []leads.Lead
	if err := db.Order("received_at DESC, id DESC").Limit(n).Find(&last).Error; err != nil {
		return nil, fmt.Errorf("last leads: %w", err)
	}
	var sources []leads.Source
	if err := db.Select("id", "max_routings").Find(&sources).Error; err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	limits := map[int64]int{}
	for _, src := range sources {
		limits[src.ID] = src.Limit()
	}
	past := &moment{taken: map[slot]int{}, turns: map[int64]int64{}}
	for i, lead := range slices.Backward(last) { // the oldest first
		past.limit = (*leads.Source)(nil).Limit()
		if lead.SourceID != nil {
			past.limit = limits[*lead.SourceID]
		}
		p.replay(&lead, past, int64(len(last)-i))
	}
	return p.finish(), nil
}

// previewing is a Preview under way.
type previewing struct {
	*Service
	Preview
	rule    *liveRule
	lax     *plan  // as the rule's, with no field required
	problem string // why there is no lax
	about   facts  // of all that is shown
	others  *ruleSet
	named   *registry
	codes   map[string]int
	parts   map[string]int
	missing map[string]int
	rivals  map[int64]*Rival
	// wanted and unwanted are the examples, the newest last.
	wanted, unwanted []PreviewedLead
}

func (s *Service) preview(ctx context.Context, ruleID int64) (*previewing, error) {
	db := s.db.Read(ctx)
	r, err := s.ruleFor(db, db, ruleID)
	if err != nil {
		return nil, err
	}
	connector, err := load[Connector](db, "connector", r.ConnectorID)
	if err != nil {
		return nil, err
	}
	revision := r.revision()
	lax := *revision
	lax.Mapping = slices.Clone(revision.Mapping)
	for i := range lax.Mapping {
		lax.Mapping[i].Required = false
	}
	p := &previewing{
		Service: s, Preview: Preview{RuleID: r.ID, Revision: r.Revision},
		codes: map[string]int{}, parts: map[string]int{}, missing: map[string]int{}, rivals: map[int64]*Rival{},
	}
	if p.lax, err = s.plan(&lax, connector); err != nil {
		return nil, fault.Newf(fault.Conflict, "revision %d of the rule does not compile: %s", r.Revision, err)
	}
	return p, p.begin(ctx, r, func(active *Rule) *liveRule {
		return s.enliven(active, revision, map[int64]*Connector{connector.ID: connector}, nil)
	})
}

// begin reads what the previewed rule r is seen beside. Enliven makes r, as if it
// were active, ready.
func (p *previewing) begin(ctx context.Context, r *Rule, enliven func(*Rule) *liveRule) (err error) {
	s, db := p.Service, p.db.Read(ctx)
	active := *r
	active.State, active.ActiveRevision = Active, &r.Revision
	p.rule = enliven(&active)
	if p.about, err = s.facts(ctx, p.rule.plan.mapping, newDelivery(nil, r.CustomerID)); err != nil {
		return err
	}
	if p.others, err = s.rules(ctx); err != nil {
		return err
	}
	hidden, err := s.Hidden(ctx)
	if err != nil {
		return err
	}
	if p.named, err = readRegistry(db, hidden); err != nil {
		return err
	}
	return nil
}

// holding are the active rules that want lead, with the previewed one in the place
// of its active revision, if it wants it.
func (p *previewing) holding(lead *leads.Lead) (held []*liveRule, holds bool) {
	record := p.exprs.record(lead)
	for _, r := range p.others.holding(record) {
		if r.id != p.rule.id && r.active {
			held = append(held, r)
		}
	}
	if holds = p.rule.plan.matches(record); holds {
		held = append(held, p.rule)
	}
	slices.SortFunc(held, func(a, b *liveRule) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.id, b.id))
	})
	return held, holds
}

// replay decides about a lead of the past. n is the number of its turn.
func (p *previewing) replay(lead *leads.Lead, past *moment, n int64) {
	id := &lead.ID
	switch {
	case lead.IsTest:
		p.setAside(lead, LeadTest, "a test lead is never routed")
		return
	case lead.State == leads.StateDuplicate:
		p.setAside(lead, LeadDuplicate, "a duplicate is not routed")
		return
	}
	as := *lead // as it came in
	as.State, as.ReasonID, as.FeedbackAt, as.Version = leads.StateNew, nil, nil, 1
	past.now = lead.ReceivedAt
	held, holds := p.holding(&as)
	verdicts := decide(held, lead.ID, past)
	for _, v := range verdicts {
		if v.Outcome != Chosen {
			continue
		}
		past.turns[v.RuleID] = n*turnSteps + int64(min(v.Rank, turnSteps-1))
		if v.RuleID == p.rule.id {
			for _, l := range p.rule.limits {
				past.taken[p.rule.slot(l, past.now)]++
			}
		}
	}
	p.judge(&as, verdicts, holds, id)
}

func (p *previewing) setAside(lead *leads.Lead, code, reason string) {
	v := p.named.verdict(p.rule.id)
	v.Revision, v.Code, v.Reason = p.rule.revision, code, reason
	p.Leads++
	p.codes[code]++
	p.unwanted = kept(p.unwanted, PreviewedLead{LeadID: &lead.ID, Verdict: v, Rivals: []RuleVerdict{}, Missing: []string{}})
}

// judge counts what was decided about a lead, and keeps it as an example.
func (p *previewing) judge(lead *leads.Lead, verdicts []Verdict, holds bool, id *uuid.UUID) {
	p.Leads++
	shown := PreviewedLead{LeadID: id, Rivals: []RuleVerdict{}, Missing: []string{}}
	if !holds {
		p.refused(&shown, lead)
		return
	}
	p.Held++
	for i := range verdicts {
		v := p.named.shown(verdicts, &verdicts[i])
		if v.RuleID == p.rule.id {
			shown.Verdict, shown.Takes = v, verdicts[i].Outcome == Chosen
		} else if len(shown.Rivals) < maxRivals && !p.named.hidden[v.RuleID] {
			shown.Rivals = append(shown.Rivals, v)
		}
	}
	if shown.Takes {
		p.Taken++
	}
	p.codes[shown.Verdict.Code]++
	for _, v := range verdicts {
		if v.RuleID != p.rule.id && !p.named.hidden[v.RuleID] {
			p.competes(&v, shown.Takes)
		}
	}
	p.outgoing(&shown, lead)
	for _, name := range shown.Missing {
		p.missing[name]++
	}
	p.wanted = kept(p.wanted, shown)
}

// refused is a lead for which the condition does not hold.
func (p *previewing) refused(shown *PreviewedLead, lead *leads.Lead) {
	part := p.rule.plan.condition.Explain(p.exprs.record(lead))
	v := p.named.verdict(p.rule.id)
	v.Revision, v.Code, v.Condition, v.Evaluated = p.rule.revision, ConditionFalse, p.rule.plan.condition.String(), true
	v.Parts, v.told = []ConditionPart{shownPart(part)}, part.String()
	v.say()
	p.codes[v.Code]++
	seen := map[string]bool{}
	countParts(v.Parts, func(text string) {
		if !seen[text] {
			seen[text] = true
			p.parts[text]++
		}
	})
	shown.Verdict = v
	p.unwanted = kept(p.unwanted, *shown)
}

// countParts calls count with the smallest parts.
func countParts(parts []ConditionPart, count func(text string)) {
	for _, part := range parts {
		if len(part.Parts) == 0 {
			count(part.Text)
		} else {
			countParts(part.Parts, count)
		}
	}
}

func (p *previewing) competes(v *Verdict, taken bool) {
	r := p.rivals[v.RuleID]
	if r == nil {
		named := p.named.verdict(v.RuleID)
		r = &Rival{RuleID: v.RuleID, Rule: named.Rule, CustomerID: v.CustomerID, Customer: named.Customer, Priority: v.Priority}
		p.rivals[v.RuleID] = r
	}
	r.Leads++
	if v.Outcome == Chosen && !taken {
		r.Ahead++
	}
}

// outgoing adds what would be sent.
func (p *previewing) outgoing(shown *PreviewedLead, lead *leads.Lead) {
	for i, f := range p.rule.plan.mapping {
		if _, err := p.rule.plan.mapping[i:i+1].values(p.exprs, lead, p.about); err != nil {
			shown.Missing = append(shown.Missing, f.Target)
		}
	}
	if p.problem != "" {
		shown.Problem = p.problem
		return
	}
	req, err := p.lax.request(lead, p.about)
	if err != nil {
		shown.Problem = err.Error()
		return
	}
	shown.URL = captured(req.url, req.secrets)
	for _, h := range req.header {
		if h.name == "Content-Type" {
			shown.ContentType = h.value
		}
	}
	shown.Body = captured(string(req.body), req.secrets)
}

// kept adds to a few examples, of which the oldest goes.
func kept(list []PreviewedLead, one PreviewedLead) []PreviewedLead {
	if len(list) == maxExamples {
		list = list[1:]
	}
	return append(list, one)
}

// finish orders what was gathered.
func (p *previewing) finish() *Preview {
	p.Codes, p.Parts, p.Missing = counted(p.codes), counted(p.parts), counted(p.missing)
	p.Rivals = []Rival{}
	for _, r := range p.rivals {
		p.Rivals = append(p.Rivals, *r)
	}
	slices.SortFunc(p.Rivals, func(a, b Rival) int { return cmp.Or(cmp.Compare(b.Leads, a.Leads), cmp.Compare(a.RuleID, b.RuleID)) })
	p.Rivals = p.Rivals[:min(len(p.Rivals), maxRivals)]
	slices.Reverse(p.wanted)
	slices.Reverse(p.unwanted)
	p.Examples = append(p.wanted, p.unwanted...)
	if p.Examples == nil {
		p.Examples = []PreviewedLead{}
	}
	return &p.Preview
}

// counted are the counts, the highest first, at most maxRivals of them.
func counted(counts map[string]int) []PreviewCount {
	list := make([]PreviewCount, 0, len(counts))
	for name, n := range counts {
		list = append(list, PreviewCount{name, n})
	}
	slices.SortFunc(list, func(a, b PreviewCount) int {
		return cmp.Or(cmp.Compare(b.Leads, a.Leads), cmp.Compare(a.Name, b.Name))
	})
	return list[:min(len(list), maxRivals)]
}
