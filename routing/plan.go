package routing

import "leadloop/odata/eval"

// plan is a rule revision made ready for matching and sending.
type plan struct {
	condition *eval.Program // nil: every lead
	terms     []eval.Term   // that the condition cannot hold without
	*sender
}

// plan compiles a revision that is sent through connector.
func (s *Service) plan(r *RuleRevision, connector *Connector) (*plan, error) {
	condition, err := s.exprs.condition(r.Condition)
	if err != nil {
		return nil, err
	}
	out, err := s.sender(r, connector)
	if err != nil {
		return nil, err
	}
	return &plan{condition: condition, terms: termsOf(condition), sender: out}, nil
}

func termsOf(condition *eval.Program) []eval.Term {
	if condition == nil {
		return nil
	}
	return condition.Terms()
}

// matches reports whether the plan's condition holds for the lead of record.
func (p *plan) matches(record *eval.Record) bool {
	return p.condition == nil || p.condition.Bool(record)
}
