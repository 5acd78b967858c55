package routing

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"leadloop/leads"
)

// Lookup is a request before the real one that asks whether the customer's system
// knows the person. Without a URL there is none.
type Lookup struct {
	// Setting is the boolean setting that turns the look-up on; empty: always.
	Setting string `json:",omitempty" validate:"max=64"`
	// URL is a template. Besides the settings it may name the targets of Values.
	URL string `json:",omitempty" validate:"max=2000"`
	// Values are expressions over the lead for the URL. A lead that lacks one of
	// them is not known.
	Values []MappingEntry `json:",omitempty" validate:"max=20,dive"`
	// Known is an expression over the answer; without it an id that is found tells.
	Known string `json:",omitempty" validate:"max=2000"`
	// ID picks the far id, which templates and mappings know as KnownID.
	ID string `json:",omitempty" validate:"max=2000"`
	// KnownMethod and KnownURL are how to send what is known; as the connector
	// says unless given.
	KnownMethod string `json:",omitempty" validate:"max=100"`
	KnownURL    string `json:",omitempty" validate:"max=2000"`
	// Unknown is what to do where the person is not known: reject or send.
	Unknown string `json:",omitempty" validate:"omitempty,oneof=reject send"`
}

// errUnknownPerson is why a routing is rejected after a look-up.
const errUnknownPerson = "the customer's system does not know this person, and only those it knows are sent"

// finder is a Lookup made ready.
type finder struct {
	Lookup
	values mapping
	rules  *rulings // known, and the id as externalID
}

// checkLookup adds a problem for everything wrong with c's look-up.
func (c *Connector) checkLookup(p *problems, e expressions, values map[string]string) error {
	l := c.Lookup
	if l.URL == "" {
		return nil
	}
	if l.Setting != "" && (c.setting(l.Setting) == nil || c.setting(l.Setting).Type != "boolean") {
		p.addf("Lookup/Setting", "%s is not a setting of type boolean", l.Setting)
	}
	if c.Format == formatEmail {
		p.addf("Lookup/URL", "there is no look-up by e-mail")
	}
	if l.Known == "" && l.ID == "" {
		p.addf("Lookup/ID", "a look-up needs Known or ID")
	}
	all := map[string]string{}
	for name, value := range values {
		all[name] = value
	}
	for _, v := range l.Values {
		all[v.Target] = "x"
	}
	delete(all, "KnownID")
	c.checkAddress(p, "Lookup/URL", l.URL, all)
	c.checkAddress(p, "Lookup/KnownURL", l.KnownURL, values)
	if l.KnownMethod != "" && (!slices.Contains(methods, l.KnownMethod) || l.KnownMethod == methodSMTP) {
		p.addf("Lookup/KnownMethod", "the method must be one of GET, POST, PUT, PATCH")
	}
	_, err := c.finder(p, e)
	return err
}

// finder compiles c's look-up, and adds a problem for what is wrong.
func (c *Connector) finder(p *problems, e expressions) (*finder, error) {
	f := &finder{Lookup: c.Lookup}
	var err error
	if f.values, _, err = e.entries(p, "Lookup/Values", c.Lookup.Values); err != nil {
		return nil, err
	}
	var wrong problems
	f.rules, err = e.rulings(&wrong, &Connector{Lookup: c.Lookup, ExternalID: c.Lookup.ID})
	for _, d := range wrong.details {
		if d.Target == "ExternalID" {
			p.addf("Lookup/ID", "%s", d.Message)
		} // Known is reported with the connector's other expressions
	}
	return f, err
}

// find asks whether the lead's person is known, and for the far id. done is not
// nil where the transmission ends with it.
func (s *Service) find(ctx context.Context, p *sender, lead *leads.Lead, f *facts) (asked, done *exchange) {
	values, complete := p.lookup.fill(p.exprs, p.values, lead, *f)
	if !complete {
		return nil, p.unknown(&exchange{})
	}
	url, err := p.connector.address(p.lookup.URL, values)
	if err != nil {
		return nil, &exchange{err: err, verdict: &verdict{outcome: Retry, problem: "look-up: " + err.Error()}}
	}
	r := &request{method: http.MethodGet, url: url, secrets: p.secrets, header: p.headers("", f.id, p.templateValues(*f))}
	x := s.converse(ctx, p, r, f.id.String())
	switch {
	case x.verdict != nil: // no token
		return &x, &x
	case x.status == http.StatusNotFound:
		return &x, p.unknown(&x)
	case byStatus(x.status) != Accepted || x.err != nil:
		return &x, x.failure("look-up: " + x.trouble())
	}
	id, _ := p.lookup.rules.pick(&x)
	known := id != ""
	if p.lookup.rules.known != nil {
		known = p.lookup.rules.known.Bool(p.lookup.rules.record(&x, nil))
	}
	if !known {
		return &x, p.unknown(&x)
	}
	f.knownID = clip(id, 1000)
	return &x, nil
}

// unknown gives x as the end of a transmission whose person is not known, or nil
// where such are sent all the same.
func (p *sender) unknown(x *exchange) *exchange {
	if p.lookup.Unknown == "send" {
		return nil
	}
	x.verdict = &verdict{outcome: Refused, problem: errUnknownPerson}
	return x
}

// fill gives the values for the look-up's URL; complete is false where one is
// missing.
func (f *finder) fill(e expressions, settings map[string]string, lead *leads.Lead, about facts) (values map[string]string, complete bool) {
	values = map[string]string{}
	for name, value := range settings {
		values[name] = value
	}
	fields, err := f.values.values(e, lead, about)
	if err != nil {
		return nil, false
	}
	for _, v := range fields {
		values[v.name] = formText(v.value)
	}
	return values, len(fields) == len(f.values)
}

// on reports whether the look-up is made under the settings.
func (l *Lookup) on(values map[string]string) bool {
	return l.URL != "" && (l.Setting == "" || fmt.Sprint(values[l.Setting]) == "true")
}
