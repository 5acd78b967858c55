package routing

import (
	"context"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"leadloop/leads"
)

// delivery is one lead to be sent as one routing, or one outcome to be sent onward.
type delivery struct {
	lead       *leads.Lead
	id         uuid.UUID // the webhook-id, the same on each try
	routingID  uuid.UUID
	customerID int64
	revision   int64
	onward     *told           // nil: a lead to a customer
	header     []field[string] // besides the connector's
}

// deliver sends a lead: the look-up, if there is one, the token, if one is
// needed, and the request itself, all of it within the client's timeout. It
// returns an error where nothing can be sent for what the lead or the rule
// lacks; what else goes wrong is in the exchange.
func (s *Service) deliver(ctx context.Context, p *sender, d delivery) (exchange, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.timeout)
	defer cancel()
	about, err := s.facts(ctx, p.mapping, d)
	if err != nil {
		s.log.Error("facts for a transmission", "routing", d.routingID, "error", err)
		return *(&exchange{}).failure("the customer and its connections could not be read"), nil
	}
	var asked *exchange
	if p.lookup != nil {
		var done *exchange
		if asked, done = s.find(ctx, p, d.lead, &about); done != nil {
			return *done, nil
		}
	}
	r, err := p.request(d.lead, about)
	if err != nil {
		return exchange{}, err
	}
	r.header = append(r.header, d.header...)
	var x exchange
	if p.method == methodSMTP {
		x = s.mail(ctx, p, r)
	} else {
		x = s.converse(ctx, p, r, about.id.String())
	}
	if x.verdict == nil {
		v := p.rules.of(&x)
		x.verdict = &v
	}
	if asked != nil {
		x.duration += asked.duration
		x.request = clip(asked.request+"\n\n"+x.request, captureLimit)
		x.response = clip(asked.response+"\n\n"+x.response, captureLimit)
	}
	return x, nil
}

// converse sends r with what proves its sender. A token that the answer 401
// refuses is replaced, once.
func (s *Service) converse(ctx context.Context, p *sender, r *request, id string) exchange {
	for again := false; ; again = true {
		signed := *r
		signed.header, signed.secrets = slices.Clone(r.header), slices.Clone(r.secrets)
		token, failed := s.authorize(ctx, p.scheme, &signed, id)
		if failed != nil {
			return *failed
		}
		x := s.client.send(ctx, &signed)
		if token == "" || again || x.status != http.StatusUnauthorized {
			return x
		}
		s.tokens.drop(p.scheme.key(), token)
	}
}

// sample gives the request that would be sent, unsent and as it is shown, and
// its body alone. What proves the sender is left out, as no token is fetched.
func (s *Service) sample(ctx context.Context, p *sender, d delivery) (shown, body string, err error) {
	about, err := s.facts(ctx, p.mapping, d)
	if err != nil {
		return "", "", err
	}
	r, err := p.request(d.lead, about)
	if err != nil {
		return "", "", err
	}
	r.header = append(r.header, d.header...)
	return r.text(), captured(string(r.body), r.secrets), nil
}
