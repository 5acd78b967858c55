package routing

import (
	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/eval"
)

// plan is a rule revision made ready for matching and sending.
type plan struct {
	condition *eval.Program // nil: every lead
	terms     []eval.Term   // that the condition cannot hold without
	mapping   mapping
	method    string
	format    string
	url       string
	secrets   []string // to be masked wherever the exchange is shown
}

// plan compiles a revision that is sent through connector.
func (s *Service) plan(r *RuleRevision, connector *Connector) (*plan, error) {
	condition, err := s.exprs.condition(r.Condition)
	if err != nil {
		return nil, err
	}
	var p problems
	m, err := s.exprs.mapping(&p, r.Mapping)
	if err == nil {
		err = p.err()
	}
	if err != nil {
		return nil, err
	}
	values, secrets, err := connector.open(s.vault, r.Settings)
	if err != nil {
		return nil, err
	}
	address, err := connector.address(values)
	if err != nil {
		return nil, err
	}
	return &plan{
		condition: condition, terms: termsOf(condition), mapping: m, secrets: secrets,
		method: connector.Method, format: connector.Format, url: address,
	}, nil
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

// request makes the request that sends lead as the routing routingID.
func (p *plan) request(e expressions, lead *leads.Lead, routingID uuid.UUID) (*request, error) {
	fields, err := p.mapping.values(e, lead, routingID)
	if err != nil {
		return nil, err
	}
	r := &request{method: p.method, url: p.url, secrets: p.secrets}
	contentType := "application/json"
	if p.format == "form" {
		contentType = "application/x-www-form-urlencoded"
		r.body = formBody(fields)
	} else if r.body, err = jsonBody(fields); err != nil {
		return nil, err
	}
	r.header = []field[string]{
		{"Accept", "application/json, */*;q=0.5"},
		{"Content-Type", contentType},
		{"webhook-id", routingID.String()},
	}
	return r, nil
}
