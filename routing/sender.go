package routing

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"leadloop/leads"
)

// sender is a connector filled in with a rule's settings, and the rule's mapping
// compiled: all it takes to send a lead. Sources have one to send outcomes onward.
type sender struct {
	exprs     expressions
	connector *Connector
	mapping   mapping
	values    map[string]string // of the settings, by name
	secrets   []string          // to be masked wherever the exchange is shown
	method    string
	root      string // of XML
	scheme    *scheme
	rules     *rulings
	lookup    *finder // nil: none is made
	own       bool    // it goes to the operator's own mail server, wherever that is
	fixed     bool    // no template names what each routing fills in
	url       string  // filled in, where fixed
}

// sender makes the sender of a revision. It returns an error that says what is
// missing or wrong.
func (s *Service) sender(r *RuleRevision, c *Connector) (*sender, error) {
	var p problems
	m, err := s.exprs.mapping(&p, r.Mapping)
	if err == nil {
		err = p.err()
	}
	if err != nil {
		return nil, err
	}
	return s.equip(s.exprs, c, r.Settings, m)
}

// equip makes the sender of a connector with the settings and the mapping, which e
// compiled.
func (s *Service) equip(e expressions, c *Connector, settings Settings, m mapping) (*sender, error) {
	if err := c.checkTree(m.targets()...); err != nil {
		return nil, err
	}
	values, secrets, err := c.open(s.vault, settings)
	if err != nil {
		return nil, err
	}
	out := &sender{exprs: e, connector: c, mapping: m, values: values, secrets: secrets}
	if err := out.connect(e); err != nil {
		return nil, err
	}
	out.rules.settings = c.visible(values)
	sources := m.programs()
	if out.lookup != nil {
		out.lookup.rules.settings = out.rules.settings
		sources = append(sources, out.lookup.values.programs()...)
	}
	out.exprs.mapped = e.mapped.Only(sources...)
	return out, nil
}

// connect fills in what does not depend on the lead.
func (p *sender) connect(e expressions) error {
	c := p.connector
	var err error
	if p.method, err = fill(c.Method, p.values); err != nil {
		return err
	}
	if p.root, err = fill(c.Root, p.values); err != nil {
		return err
	}
	if c.Format == formatXML {
		if _, err := rootNames(p.root); err != nil {
			return err
		}
	}
	trial := map[string]string{"RoutingID": "x", "KnownID": "x"}
	for name, value := range p.values {
		trial[name] = value
	}
	if p.url, err = c.address(c.URL, trial); err != nil {
		return err
	}
	p.fixed = !c.fillsAnew()
	if p.scheme, err = c.scheme(e, p.values); err != nil {
		return err
	}
	p.scheme.hidden = p.secrets
	var wrong problems
	if p.rules, err = e.rulings(&wrong, c); err == nil && c.Lookup.on(p.values) {
		p.lookup, err = c.finder(&wrong, e)
	}
	if err == nil {
		err = wrong.err()
	}
	return err
}

func (m mapping) targets() []string {
	list := make([]string, len(m))
	for i, f := range m {
		list[i] = f.Target
	}
	return list
}

// request makes the request that sends lead. It returns Invalid that names the
// field where a required value is missing.
func (p *sender) request(lead *leads.Lead, f facts) (*request, error) {
	mapped, err := p.mapping.values(p.exprs, lead, f)
	if err != nil {
		return nil, err
	}
	c, values := p.connector, p.templateValues(f)
	fields := merge(c.bodyFields(values), mapped)
	r := &request{method: p.method, secrets: p.secrets}
	template := c.URL
	if f.knownID != "" && p.lookup != nil {
		if p.lookup.KnownURL != "" {
			template = p.lookup.KnownURL
		}
		if p.lookup.KnownMethod != "" {
			r.method = p.lookup.KnownMethod
		}
	}
	if r.url = p.url; !p.fixed || template != c.URL {
		if r.url, err = c.address(template, values); err != nil {
			return nil, err
		}
	}
	query := anyFields(fillPairs(c.Query, values))
	if c.Format == formatEmail {
		return r, p.compose(r, fields, f.id)
	}
	contentType := ""
	if c.Format == formatQuery {
		query = append(query, fields...)
	} else if contentType, r.body, err = encode(c.Format, p.root, fields); err != nil {
		return nil, err
	}
	r.url = withQuery(r.url, query)
	r.header = p.headers(contentType, f.id, values)
	return r, nil
}

// templateValues are what templates are filled with; do not change them.
func (p *sender) templateValues(f facts) map[string]string {
	if p.fixed {
		return p.values
	}
	values := make(map[string]string, len(p.values)+2)
	values["RoutingID"], values["KnownID"] = f.routingID.String(), f.knownID
	maps.Copy(values, p.values)
	return values
}

// merge gives the connector's own fields, with the mapping's value where it
// fills the same target, and then the mapping's others.
func merge(own, mapped []field[any]) []field[any] {
	if len(own) == 0 {
		return mapped
	}
	place := make(map[string]int, len(own))
	for i, f := range own {
		place[f.name] = i
	}
	for _, f := range mapped {
		if i, ok := place[f.name]; ok {
			own[i] = f
		} else {
			own = append(own, f)
		}
	}
	return own
}

func anyFields(list []field[string]) []field[any] {
	out := make([]field[any], len(list))
	for i, f := range list {
		out[i] = field[any]{f.name, f.value}
	}
	return out
}

// withQuery adds fields to the query of a URL.
func withQuery(address string, fields []field[any]) string {
	if len(fields) == 0 {
		return address
	}
	address, fragment, cut := strings.Cut(address, "#")
	switch {
	case !strings.Contains(address, "?"):
		address += "?"
	case !strings.HasSuffix(address, "?") && !strings.HasSuffix(address, "&"):
		address += "&"
	}
	address += string(formBody(fields))
	if cut {
		address += "#" + fragment
	}
	return address
}

// headers are those of a request, in the order they are kept in.
func (p *sender) headers(contentType string, id uuid.UUID, values map[string]string) []field[string] {
	accept := "application/json, */*;q=0.5"
	if p.connector.Format == formatXML {
		accept = "application/xml, */*;q=0.5"
	}
	r := request{header: make([]field[string], 0, 6+len(p.connector.Headers))}
	r.set("Accept", accept)
	if contentType != "" {
		r.set("Content-Type", contentType)
	}
	r.set("webhook-id", id.String())
	for _, h := range fillPairs(p.connector.Headers, values) {
		if contentType == "" && http.CanonicalHeaderKey(h.name) == "Content-Type" {
			continue
		}
		r.set(h.name, h.value)
	}
	return r.header
}

// visible are the settings that expressions over the answer may use.
func (c *Connector) visible(values map[string]string) map[string]any {
	shown := map[string]any{}
	for _, s := range c.Settings {
		if !s.secret() && values[s.Name] != "" {
			shown[s.Name] = values[s.Name]
		}
	}
	return shown
}

// checkSender adds a problem where connector, with the settings' values, cannot
// send what the mapping gives.
func (s *Service) checkSender(p *problems, c *Connector, values map[string]string, entries []MappingEntry) error {
	trial := &sender{connector: c, values: values}
	if err := trial.connect(s.exprs); err != nil {
		var missing errNoValue
		if errors.As(err, &missing) {
			p.addf("Settings/"+missing.name, "%s is required with these settings", missing.name)
		} else {
			p.addf("Settings", "%s", err)
		}
	}
	targets := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Target != "" {
			targets = append(targets, e.Target)
		}
	}
	// A target that is there twice is reported as that.
	if err := c.checkTree(slices.Compact(slices.Sorted(slices.Values(targets)))...); err != nil {
		p.addf("Mapping", "%s", err)
	}
	return nil
}
