package routing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/eval"
)

// Outcomes tell what became of a lead, by expressions over the answer. The first
// that holds counts, in the order Duplicate, Retry, Rejected, Accepted. Where
// none does, an answer of the status class 2xx is accepted if there is no
// Accepted, and rejected if there is; 408, 425, 429 and 5xx are to be tried
// again, and so are 401, 403 and 407, which are about us and not about the lead;
// all else is rejected.
type Outcomes struct {
	Accepted  string `json:",omitempty" validate:"max=2000"`
	Duplicate string `json:",omitempty" validate:"max=2000"`
	Rejected  string `json:",omitempty" validate:"max=2000"`
	Retry     string `json:",omitempty" validate:"max=2000"`
	// Message picks from the answer what is wrong, for people.
	Message string `json:",omitempty" validate:"max=2000"`
}

// rulings are the expressions of a connector over an answer, compiled; nil ones
// were not given.
type rulings struct {
	env                                      *eval.Env
	accepted, duplicate, rejected, retry     *eval.Program
	message, externalID, externalLink, known *eval.Program
	settings                                 map[string]any // that are not secret
	names                                    []string       // all names the expressions use
}

// verdict is what a connector makes of an exchange.
type verdict struct {
	outcome  string
	problem  string // in words, "" where there is none
	id, link *string
}

// rulings compiles the expressions of c, and adds a problem for each that is
// wrong.
func (e expressions) rulings(p *problems, c *Connector) (*rulings, error) {
	r := &rulings{env: e.answer}
	for _, x := range []struct {
		target, text string
		want         edm.Type
		into         **eval.Program
	}{
		{"Outcomes/Accepted", c.Outcomes.Accepted, edm.Boolean, &r.accepted},
		{"Outcomes/Duplicate", c.Outcomes.Duplicate, edm.Boolean, &r.duplicate},
		{"Outcomes/Rejected", c.Outcomes.Rejected, edm.Boolean, &r.rejected},
		{"Outcomes/Retry", c.Outcomes.Retry, edm.Boolean, &r.retry},
		{"Outcomes/Message", c.Outcomes.Message, nil, &r.message},
		{"ExternalID", c.ExternalID, nil, &r.externalID},
		{"ExternalLink", c.ExternalLink, nil, &r.externalLink},
		{"Lookup/Known", c.Lookup.Known, edm.Boolean, &r.known},
	} {
		if x.text == "" {
			continue
		}
		program, err := eval.Compile(e.answer, x.target, x.text, x.want)
		if err != nil {
			if err := p.addError(x.target, err); err != nil {
				return nil, err
			}
			continue
		}
		*x.into = program
		r.names = append(r.names, program.Names()...)
	}
	return r, nil
}

// of judges x.
func (r *rulings) of(x *exchange) verdict {
	v := verdict{outcome: byStatus(x.status), problem: x.trouble()}
	if x.status == 0 {
		return v
	}
	var record *eval.Record // where an expression asks for it
	if r.judges() {
		record = r.record(x, nil)
	}
	holds := func(p *eval.Program) bool { return p != nil && p.Bool(record) }
	switch {
	case holds(r.duplicate):
		v.outcome = Duplicate
	case holds(r.retry):
		v.outcome = Retry
	case holds(r.rejected):
		v.outcome = Refused
	case holds(r.accepted):
		v.outcome = Accepted
	case r.accepted != nil && v.outcome == Accepted && x.err != nil:
		v.outcome = Retry // what would have told is in the part that did not come
	case r.accepted != nil && v.outcome == Accepted:
		v.outcome = Refused
	}
	message := strings.TrimSpace(valueText(r.message, record))
	if v.outcome == Accepted || v.outcome == Duplicate {
		v.problem = ""
		v.id, v.link = r.far(x)
	} else if message != "" {
		v.problem = clip(strings.TrimSuffix(v.problem, ": the answer is not the one that counts as success")+": "+captured(message, x.secrets), 1000)
	}
	return v
}

// judges reports whether the connector has a word of its own on answers.
func (r *rulings) judges() bool {
	return r.accepted != nil || r.duplicate != nil || r.rejected != nil || r.retry != nil || r.message != nil
}

// far picks the far record's id, at most 200 characters, and its address.
func (r *rulings) far(x *exchange) (id, link *string) {
	if r.externalID == nil {
		id = x.plainID()
	} else if text, _ := r.pick(x); text != "" && len([]rune(text)) <= 200 {
		id = optional(clip(captured(text, x.secrets), 1000))
	}
	if r.externalLink != nil {
		_, text := r.pickWith(x, id)
		if checkURL(text) == nil && len(text) <= 1000 {
			link = optional(clip(captured(text, x.secrets), 1000))
		}
	}
	return id, link
}

// pick gives the values of ExternalID and ExternalLink as text.
func (r *rulings) pick(x *exchange) (id, link string) { return r.pickWith(x, nil) }

func (r *rulings) pickWith(x *exchange, known *string) (id, link string) {
	record := r.record(x, known)
	return valueText(r.externalID, record), valueText(r.externalLink, record)
}

// valueText is the value of p as text, "" without p and for null.
func valueText(p *eval.Program, record *eval.Record) string {
	if p == nil {
		return ""
	}
	return formText(p.Value(record))
}

func (r *rulings) record(x *exchange, id *string) *eval.Record {
	return r.env.Record(x.answer(r.names, r.settings, id), nil)
}

// byStatus is what an answer of the status comes to. Redirects are not followed,
// so they are a rejection: the address in the rule is wrong.
func byStatus(status int) string {
	switch {
	case status >= 200 && status < 300:
		return Accepted
	case status == 0, status >= 500, status == http.StatusRequestTimeout,
		status == http.StatusTooEarly, status == http.StatusTooManyRequests, unwelcome(status):
		return Retry
	}
	return Refused
}

// unwelcome reports whether a status says that what a rule signs in with is not
// right: that is the rule's trouble, and no reason to give its leads to others.
func unwelcome(status int) bool {
	return status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusProxyAuthRequired
}

// shutOut reports whether the customer's system, or its mail server, does not let
// us in.
func (x *exchange) shutOut() bool {
	if x.mail {
		return slices.Contains([]int{530, 534, 535, 538}, x.status)
	}
	return unwelcome(x.status)
}

// accepted reports whether the customer's system has the lead.
func (x *exchange) accepted() bool {
	o := x.outcome()
	return o == Accepted || o == Duplicate
}

// outcome tells what an exchange comes to.
func (x *exchange) outcome() string {
	if x.verdict != nil {
		return x.verdict.outcome
	}
	return byStatus(x.status)
}

// problem says in words what went wrong, "" where nothing did.
func (x *exchange) problem() string {
	switch {
	case x.verdict != nil:
		return x.verdict.problem
	case x.err == nil && x.accepted():
		return ""
	}
	return x.trouble()
}

// trouble is what there is to say against the answer.
func (x *exchange) trouble() string {
	answer := fmt.Sprintf("HTTP %d %s", x.status, http.StatusText(x.status))
	switch {
	case x.err != nil:
		return clip(x.err.Error(), 1000)
	case x.mail:
		return fmt.Sprintf("SMTP %d", x.status)
	case byStatus(x.status) == Accepted:
		return answer + ": the answer is not the one that counts as success"
	case x.status >= 300 && x.status < 400:
		return answer + ": redirects are not followed"
	}
	return answer
}

// externalID and externalLink are what was picked from the answer.
func (x *exchange) externalID() *string {
	if x.verdict != nil {
		return x.verdict.id
	}
	return x.plainID()
}

func (x *exchange) externalLink() *string {
	if x.verdict != nil {
		return x.verdict.link
	}
	return nil
}

// plainID picks the customer's own id out of a JSON answer: its id, ID or Id, a
// text or number of at most 200 characters.
func (x *exchange) plainID() *string {
	var answer map[string]json.RawMessage
	if !bytes.HasPrefix(bytes.TrimSpace(x.body), []byte("{")) || json.Unmarshal(x.body, &answer) != nil {
		return nil
	}
	for _, name := range []string{"id", "ID", "Id"} {
		raw, ok := answer[name]
		if !ok {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			var number json.Number
			if json.Unmarshal(raw, &number) != nil {
				continue
			}
			text = number.String()
		}
		if text != "" && len([]rune(text)) <= 200 {
			text = clip(text, 1000)
			return &text
		}
	}
	return nil
}
