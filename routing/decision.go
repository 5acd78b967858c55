package routing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// Decision is what was decided about a lead at one moment: which of the rules
// whose condition held got it, and what kept the others from it. It is written
// in the transaction that gives the lead to its customers and never changes.
//
// It holds what depended on the moment, and no rule whose condition did not
// hold: conditions do not change once a revision is activated, so those can be
// evaluated again. The revision of a rule that a decision went by is the newest
// RuleRevision with CreatedAt <= At.
type Decision struct {
	LeadID uuid.UUID `gorm:"primaryKey"`
	// N counts the decisions about one lead, from 1.
	N     int64 `gorm:"primaryKey;autoIncrement:false"`
	At    time.Time
	Cause Cause
	// RoutingID is the routing that this decision was to replace, where Cause is
	// Turned or Missed.
	RoutingID *uuid.UUID
	// RulesVersion names the state of the rules: two decisions of one RulesVersion
	// went by the same rules.
	RulesVersion string
	Rules        int // rules that were ever activated
	Held         int // those of them whose condition held
	// Verdicts are of the rules whose condition held, in the order they were
	// considered; of at most maxVerdicts of those that did not get the lead.
	Verdicts []Verdict `gorm:"serializer:json"`
}

// Cause is why a decision was taken.
type Cause string

// The causes.
const (
	Received Cause = "received" // the lead came in
	Turned   Cause = "rejected" // a customer's system turned it down
	Missed   Cause = "missed"   // a rule's window closed before it was sent
	Asked    Cause = "asked"    // staff asked for it
)

// maxVerdicts bounds the verdicts stored of rules that did not get the lead.
const maxVerdicts = 100

// Outcome is what a decision comes to for one rule whose condition held.
type Outcome string

// The outcomes.
const (
	Chosen     Outcome = "chosen"      // it gets the lead
	Lost       Outcome = "lost"        // as many customers as may get the lead have it by rules before this one
	Served     Outcome = "served"      // its customer has the lead by another rule, or had it before
	Needless   Outcome = "needless"    // it is a default rule and the lead was taken
	Full       Outcome = "full"        // a cap is full
	Shut       Outcome = "shut"        // outside its schedule
	NotStarted Outcome = "not_started" // before StartsAt
	Ended      Outcome = "ended"       // after EndsAt
	Stopped    Outcome = "paused"      // the rule is paused
	Broken     Outcome = "broken"      // its revision does not compile
)

// Verdict is a decision's outcome for one rule whose condition held, with what
// it depended on.
type Verdict struct {
	RuleID     int64   `json:"rule"`
	Revision   int64   `json:"rev"`
	CustomerID int64   `json:"customer"`
	Priority   int     `json:"priority"`
	Outcome    Outcome `json:"outcome"`
	// Until is when the obstacle ends: the cap frees, the window opens, the rule
	// starts. For Ended it is when the rule ended. nil: at no known time.
	Until *time.Time `json:"until,omitempty"`

	Cap   string `json:"cap,omitempty"`   // Full: day, week, month or total
	Limit int    `json:"limit,omitempty"` // Full: how many the cap allows
	// By is the rule that got the customer (Served; 0: an earlier decision's
	// routing), the last place (Lost; 0: there was none left), or the lead
	// (Needless; 0: an earlier decision's).
	By int64 `json:"by,omitempty"`

	// Rank is the place in the draw or the turns among Of rules of one tier, from
	// 1; 0 where the rule stood alone or was not reached.
	Rank int `json:"rank,omitempty"`
	Of   int `json:"of,omitempty"`
	// Draw and Weight are of a tier drawn by weight: the smaller Draw goes first.
	Draw   float64 `json:"draw,omitempty"`
	Weight int     `json:"weight,omitempty"`
	// Turn is of a tier in rotation: 1 and more is the turn the rule had last, 0
	// means it never had one. The one whose turn is longest ago goes first.
	Turn *int64 `json:"turn,omitempty"`
	// Closed is when the next probe of a rule with an open circuit breaker is due:
	// such a rule goes behind those without. nil: the breaker is not open.
	Closed *time.Time `json:"closed,omitempty"`
	// Default is true for a default rule.
	Default bool `json:"default,omitempty"`

	RoutingID *uuid.UUID `json:"routing,omitempty"` // Chosen
}

// Reason says the verdict in words.
func (v Verdict) Reason() string {
	switch v.Outcome {
	case Chosen:
		return v.chosen()
	case Lost:
		if v.By == 0 {
			return "as many customers as may get the lead had it already"
		}
		return fmt.Sprintf("as many customers as may get the lead have it; the last place went to rule %d%s", v.By, v.standing())
	case Served:
		if v.By == 0 {
			return "the customer had the lead already"
		}
		return fmt.Sprintf("the customer gets the lead by rule %d", v.By)
	case Needless:
		if v.By == 0 {
			return "a default rule: another customer has the lead"
		}
		return fmt.Sprintf("a default rule: rule %d takes the lead", v.By)
	case Full:
		return v.full()
	case Shut:
		return "outside the schedule" + when(", which opens again at ", v.Until)
	case NotStarted:
		return "not started" + when("; starts at ", v.Until)
	case Ended:
		return "over" + when(" since ", v.Until)
	case Stopped:
		return "the rule was paused"
	case Broken:
		return "the revision does not compile"
	}
	return string(v.Outcome)
}

func (v Verdict) chosen() string {
	text := "gets the lead"
	if v.Default {
		text += " as the default: no other rule takes it"
	}
	return text + v.standing()
}

func (v Verdict) full() string {
	each := "in total"
	if v.Cap != capTotal {
		each = "a " + v.Cap
	}
	return fmt.Sprintf("the cap of %d %s is full", v.Limit, each) + when("; it frees at ", v.Until)
}

// standing says how the rule stood in its tier, "" where it stood alone.
func (v Verdict) standing() string {
	text := ""
	switch {
	case v.Rank > 0 && v.Turn != nil:
		text = fmt.Sprintf("; place %d of %d in the rotation of priority %d", v.Rank, v.Of, v.Priority)
	case v.Rank > 0:
		text = fmt.Sprintf("; place %d of %d in the draw of priority %d, with weight %d", v.Rank, v.Of, v.Priority, v.Weight)
	}
	return text + when("; its customer's system was failing, next probe at ", v.Closed)
}

func when(text string, at *time.Time) string {
	if at == nil {
		return ""
	}
	return text + at.UTC().Format(time.RFC3339)
}

// Decisions are those taken about a lead, the newest last.
func (s *Service) Decisions(ctx context.Context, leadID uuid.UUID) ([]Decision, error) {
	var rows []Decision
	if err := s.db.Read(ctx).Where("lead_id = ?", leadID).Order("n").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("decisions about lead %s: %w", leadID, err)
	}
	return rows, nil
}

// insertDecision stores d. N 0 makes it the next one about its lead, which then
// must be locked.
func insertDecision(tx *gorm.DB, d *Decision) error {
	verdicts, err := json.Marshal(d.stored())
	if err != nil {
		return fmt.Errorf("verdicts: %w", err)
	}
	if d.N == 0 {
		err := tx.Raw("SELECT coalesce(max(n), 0) + 1 FROM decisions WHERE lead_id = ?", d.LeadID).Scan(&d.N).Error
		if err != nil {
			return fmt.Errorf("number of the decision: %w", err)
		}
	}
	_, err = exec(tx, `INSERT INTO decisions (lead_id, n, at, cause, routing_id, rules_version, rules, held, verdicts)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		d.LeadID, d.N, d.At, string(d.Cause), d.RoutingID, d.RulesVersion, d.Rules, d.Held, string(verdicts))
	if err != nil {
		return fmt.Errorf("store decision: %w", err)
	}
	return nil
}

// stored are the verdicts that are kept.
func (d *Decision) stored() []Verdict {
	kept, others := make([]Verdict, 0, min(len(d.Verdicts), maxVerdicts)), 0
	for _, v := range d.Verdicts {
		if v.Outcome != Chosen {
			if others++; others > maxVerdicts {
				continue
			}
		}
		kept = append(kept, v)
	}
	return kept
}
