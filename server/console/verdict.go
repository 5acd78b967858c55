package console

import (
	"fmt"
	"time"

	"leadloop/routing"
)

// verdict is what a decision came to for one rule, in the reader's words.
type verdict struct {
	Rule, Customer, URL string
	Priority            int
	Badge               Badge
	Text                string
	Condition           string // of the rule, where it decided
	Parts               []verdictPart
	Chosen              bool
}

// verdictPart is a part of a condition that was not true, and what the lead held.
type verdictPart struct {
	Text   string
	Values []string // name and value
}

// verdictTones are the tones of verdicts that are neither good nor neutral.
var verdictTones = map[string]string{
	"full": "warn", "paused": "warn", "shut": "warn", "not_started": "warn", "ended": "warn", "broken": "bad", "lost_to_healthy": "warn",
}

// verdict says what became of one rule.
func (v *visit) verdict(r *routing.RuleVerdict) verdict {
	said := verdict{
		Rule: r.Rule, Customer: r.Customer, Priority: r.Priority, Text: v.verdictText(r), Chosen: r.Code == string(routing.Chosen),
		Badge: Badge{v.T("verdict.badge.no"), verdictTones[r.Code]},
	}
	if r.Rule == "" {
		said.Rule = v.T("verdict.rule", r.RuleID)
	} else {
		said.URL = fmt.Sprintf("/console/rules/%d", r.RuleID)
	}
	if said.Chosen {
		said.Badge = Badge{v.T("verdict.badge.chosen"), "good"}
	}
	if r.Code == routing.ConditionFalse {
		said.Condition = r.Condition
		said.Parts = v.smallest(nil, r.Parts)
	}
	return said
}

// verdictText says why. What follows the reason is how the rule stood among those
// of its priority.
func (v *visit) verdictText(r *routing.RuleVerdict) string {
	code := r.Code
	by := r.ByRule
	if by == "" && r.ByRuleID != nil {
		by = v.T("verdict.rule", *r.ByRuleID)
	}
	var text string
	switch r.Code {
	case string(routing.Full):
		text = v.T("verdict.full."+r.Cap, r.Limit) + v.until("frees", r.Until)
	case string(routing.Shut):
		text = v.T("verdict."+code) + v.until("opens", r.Until)
	case string(routing.NotStarted):
		text = v.T("verdict."+code) + v.until("starts", r.Until)
	case string(routing.Ended):
		text = v.T("verdict."+code) + v.until("since", r.Until)
	case routing.LostToTier:
		priority := 0
		if r.ByPriority != nil {
			priority = *r.ByPriority
		}
		text = v.T("verdict."+code, by, priority, r.Priority)
	case string(routing.Served), string(routing.Needless):
		if by == "" {
			code += ".before"
		}
		text = v.T("verdict."+code, by)
	case string(routing.Chosen):
		if r.Default {
			code += ".default"
		}
		text = v.T("verdict." + code)
	default:
		text = v.T("verdict."+code, by)
	}
	if r.Rank > 0 {
		text += " " + v.T("verdict.standing", r.Rank, r.Of)
	}
	if r.Breaker != nil {
		text += " " + v.T("verdict.breaker", v.Time(*r.Breaker))
	}
	return text
}

// until says when an obstacle ends, or began.
func (v *visit) until(what string, at *time.Time) string {
	if at == nil {
		return ""
	}
	return " " + v.T("verdict."+what, v.Time(*at))
}

// smallest are the smallest parts that a condition comes down to.
func (v *visit) smallest(list []verdictPart, parts []routing.ConditionPart) []verdictPart {
	for _, p := range parts {
		if len(p.Parts) > 0 {
			list = v.smallest(list, p.Parts)
			continue
		}
		part := verdictPart{Text: p.Text}
		for _, value := range p.Values {
			held := valueText(value.Value)
			if value.Value == nil {
				held = v.T("verdict.nothing")
			}
			part.Values = append(part.Values, value.Name+" = "+held)
		}
		list = append(list, part)
	}
	return list
}
