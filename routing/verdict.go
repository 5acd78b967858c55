package routing

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/eval"
)

// RuleVerdict is what a decision came to for one rule. Which of the properties
// after Reason are set goes by Code.
type RuleVerdict struct {
	RuleID     int64
	Rule       string // its name now; "" of one that is deleted
	CustomerID int64
	Customer   string
	Revision   int64 // decided by; 0: none was activated yet
	Priority   int
	Code       string // an Outcome but "lost", or one of the codes below
	Reason     string
	// Evaluated says that the verdict was not stored: the condition was evaluated
	// again.
	Evaluated bool
	Condition string          // of the revision
	Parts     []ConditionPart // condition_false: the part that made it so

	Until      *time.Time // when the obstacle ends; of ended, when it began
	Cap        string     // full: day, week, month or total
	Limit      int        // full: how many the cap allows
	ByRuleID   *int64     // the rule that got the lead, or the customer, instead
	ByRule     string
	ByPriority *int
	ByDraw     *float64
	Rank       int // place among Of rules of the tier, from 1; 0: it stood alone, or was not reached
	Of         int
	Draw       float64 // of a tier by weight: the smallest goes first
	Weight     int
	Turn       *int64     // of a tier in rotation: the lowest goes first
	Breaker    *time.Time // the circuit breaker was open, with the next probe due then
	Default    bool       // a default rule

	RoutingID    *uuid.UUID // chosen
	RoutingState string     // what became of that routing until now
	RoutingError string

	told string // the parts in words
}

// The codes of a RuleVerdict that are no Outcome. The first five take the place of
// Lost.
const (
	LostToTier    = "lost_to_tier"    // the last place went to a rule of a tier before
	LostInDraw    = "lost_in_draw"    // … to one of the same tier, by the draw
	LostInTurn    = "lost_in_turn"    // … to one of the same tier, by turns
	LostToHealthy = "lost_to_healthy" // … to one whose customer's system was not failing
	NoPlace       = "no_place"        // there was no place left: MaxRoutings

	ConditionFalse = "condition_false"
	NeverActivated = "never_activated" // a draft
	ActivatedLater = "activated_later"
	NotKept        = "not_kept"      // the condition held; more verdicts than are kept
	ChangedSince   = "changed_since" // the condition holds now, and did not then
	NotRecorded    = "not_recorded"  // the condition holds; decisions were not kept then
)

// ConditionPart is a part of a condition that decided: see eval.Part.
type ConditionPart struct {
	Text     string
	Position int   // in the condition, in characters from 1
	Value    *bool // what came of it; nil: null
	Wanted   bool  // what would have changed the whole
	Values   []ConditionValue
	// Parts are those it comes down to, none for the smallest. Either: one of them
	// would have been enough.
	Parts   []ConditionPart
	Either  bool
	Element *int // index of the element of a collection it is about
	Left    int  // parts more than Parts shows
}

// ConditionValue is what the lead held. Unfit: it is nothing that the condition
// could take it for, such as text that is no number.
type ConditionValue struct {
	Name  string
	Value any
	Unfit bool
}

// What is shown of conditions and values is bounded, in bytes.
const (
	maxParts      = 20
	maxShownValue = 300
	maxReason     = 2000
)

func shownPart(p eval.Part) ConditionPart {
	shown := ConditionPart{
		Text: clip(p.Text, maxReason), Position: p.Position, Wanted: p.Wanted, Either: p.Either, Element: p.Element, Left: p.Left,
		Values: []ConditionValue{}, Parts: []ConditionPart{},
	}
	if v, ok := p.Value.(bool); ok {
		shown.Value = &v
	}
	for _, o := range p.Operands {
		shown.Values = append(shown.Values, ConditionValue{o.Name, shownValue(o.Value), o.Unfit})
	}
	for i, one := range p.Parts {
		if i == maxParts {
			shown.Left += len(p.Parts) - i
			break
		}
		shown.Parts = append(shown.Parts, shownPart(one))
	}
	return shown
}

// shownValue is a value as JSON, text cut short.
func shownValue(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, json.Number:
		return v
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v
		}
	}
	return clip(eval.Text(v), maxShownValue)
}

// stored is a stored verdict, with what became of it and of the names.
func (x *explaining) stored(d *Decision, v *Verdict) RuleVerdict {
	shown := x.rules.shown(d.Verdicts, v)
	if i := slices.IndexFunc(x.revisions[v.RuleID], func(r RuleRevision) bool { return r.Revision == v.Revision }); i >= 0 {
		shown.Condition = x.revisions[v.RuleID][i].Condition
	}
	if v.RoutingID != nil {
		if i := slices.IndexFunc(x.routings, func(r Routing) bool { return r.ID == *v.RoutingID }); i >= 0 {
			shown.showRouting(&x.routings[i])
		}
	}
	return shown
}

// shown is v, which is one of all that a decision gave.
func (g *registry) shown(all []Verdict, v *Verdict) RuleVerdict {
	shown := g.verdict(v.RuleID)
	shown.CustomerID, shown.Revision, shown.Priority, shown.Code = v.CustomerID, v.Revision, v.Priority, string(v.Outcome)
	shown.Until, shown.Cap, shown.Limit, shown.Breaker, shown.Default = v.Until, v.Cap, v.Limit, v.Closed, v.Default
	shown.Rank, shown.Of, shown.Draw, shown.Weight, shown.Turn = v.Rank, v.Of, v.Draw, v.Weight, v.Turn
	shown.RoutingID = v.RoutingID
	var by *Verdict
	if v.By != 0 {
		shown.ByRuleID = &v.By
		if r := g.byID[v.By]; r != nil {
			shown.ByRule = r.Name
		}
		if i := slices.IndexFunc(all, func(o Verdict) bool { return o.RuleID == v.By }); i >= 0 {
			by = &all[i]
			shown.ByPriority = &by.Priority
			if by.Weight > 0 {
				shown.ByDraw = &by.Draw
			}
		}
	}
	if v.Outcome == Lost {
		shown.Code = lostBy(v, by)
	}
	shown.Reason = clip(g.words(v, &shown), maxReason)
	if g.hidden[v.By] {
		shown.ByRuleID, shown.ByPriority, shown.ByDraw = nil, nil, nil
	}
	return shown
}

// lostBy says how v's rule lost to by's; nil where there was no place to lose.
func lostBy(v, by *Verdict) string {
	switch {
	case by == nil:
		return NoPlace
	case by.Priority < v.Priority:
		return LostToTier
	case v.Closed != nil && by.Closed == nil:
		return LostToHealthy
	case v.Turn != nil:
		return LostInTurn
	}
	return LostInDraw
}

// words says a stored verdict with the names of the rules.
func (g *registry) words(v *Verdict, shown *RuleVerdict) string {
	by := g.name(v.By)
	switch shown.Code {
	case LostToTier:
		return fmt.Sprintf("lost to %s of priority %d, before its own %d; as many customers as may get the lead have it", by, *shown.ByPriority, v.Priority)
	case LostInDraw:
		text := fmt.Sprintf("lost to %s of the same priority %d; as many customers as may get the lead have it", by, v.Priority)
		if v.Rank > 0 {
			text += fmt.Sprintf("; place %d of %d in the draw, with weight %d", v.Rank, v.Of, v.Weight)
		}
		return text
	case LostInTurn:
		return fmt.Sprintf("lost to %s of the same priority %d, whose turn it was; place %d of %d in the rotation", by, v.Priority, v.Rank, v.Of)
	case LostToHealthy:
		return fmt.Sprintf("lost to %s because its own customer's system was failing%s", by, when("; next probe at ", v.Closed))
	case string(Served):
		if v.By != 0 {
			return "the customer gets the lead by " + by + " already"
		}
	case string(Needless):
		if v.By != 0 {
			return "a default rule: " + by + " takes the lead"
		}
	}
	return v.Reason()
}

// say gives the reason of a verdict that was not stored.
func (v *RuleVerdict) say() {
	switch v.Code {
	case ConditionFalse:
		v.Reason = clip("the condition is not true: "+v.told, maxReason)
	case NeverActivated:
		v.Reason = "the rule was never activated"
	case ActivatedLater:
		v.Reason = "the rule was not active then: its first revision was activated later"
	case NotKept:
		v.Reason = fmt.Sprintf("the condition held, and the rule did not get the lead; why is not known: of those, %d are kept", maxVerdicts)
	case ChangedSince:
		v.Reason = "the condition holds for the lead as it is now, and did not when it was decided: the lead was changed since, or the rule at that very moment"
	case NotRecorded:
		v.Reason = "the condition holds; what else kept the rule from the lead was not recorded then"
	case string(Broken):
		v.Reason = "the revision does not compile"
	case string(Chosen):
		v.Reason = "has the lead; how that was decided was not recorded then"
	}
}

// showRouting notes what became of the routing r.
func (v *RuleVerdict) showRouting(r *Routing) {
	v.RoutingID, v.RoutingState = &r.ID, r.State
	if r.Error != nil {
		v.RoutingError = *r.Error
	}
}

// summary says a decision in a sentence.
func (e *ExplainedDecision) summary() string {
	text := map[string]string{
		"":               "Decided before decisions were kept; what is known",
		string(Received): "The lead came in",
		string(Turned):   "A customer's system turned the lead down",
		string(Missed):   "A rule's window closed before the lead was sent",
		string(Asked):    "Staff asked for the lead to be routed",
	}[e.Cause]
	if e.Number == 0 {
		return fmt.Sprintf("%s: %d routings", text, e.chosen)
	}
	return fmt.Sprintf("%s: the condition held of %d of %d rules, and %d got it", text, e.Held, e.Rules, e.chosen)
}

// reason says the whole in a sentence.
func (x *explaining) reason(e *Explanation) string {
	switch e.Code {
	case LeadTest:
		return "A test lead is never routed"
	case LeadDuplicate:
		return "A duplicate is not routed" + of(e.DuplicateOfID)
	case LeadUndecided:
		return "Nothing was decided about the lead yet"
	case LeadUnrecorded:
		return "The lead was decided about before decisions were kept: which rules have it is known, and whose condition does not hold; not caps, schedules, weights and turns of then"
	}
	return e.Decisions[len(e.Decisions)-1].Reason
}

func of(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return ": it repeats lead " + id.String()
}
