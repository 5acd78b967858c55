package routing

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"leadloop/odata/fault"
)

// methods are how a connector may send.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, methodSMTP}

// checkConnector returns Invalid with everything wrong with c's definition:
// templates that name no setting, expressions that do not compile with the
// position, and so on.
func (s *Service) checkConnector(c *Connector) error {
	var p problems
	c.complete()
	if err := p.addError("", fault.Validate(c)); err != nil {
		return err
	}
	if c.Code != "" && !codePattern.MatchString(c.Code) {
		p.addf("Code", "Code must be lower-case letters and digits, with single hyphens between")
	}
	c.checkSchema(&p)
	values := c.samples()
	c.checkMethod(&p, "Method", c.Method)
	c.checkAddress(&p, "URL", c.URL, values)
	c.checkPairs(&p, values)
	c.checkAuth(&p, values)
	c.checkRoot(&p, values)
	if err := c.checkTree(); err != nil {
		p.addf("Fields", "%s", err)
	}
	if _, err := s.exprs.rulings(&p, c); err != nil {
		return err
	}
	if err := c.checkLookup(&p, s.exprs, values); err != nil {
		return err
	}
	if err := c.checkReading(&p, s.exprs, values); err != nil {
		return err
	}
	return p.err()
}

// complete gives the lists that were left out as empty ones.
func (c *Connector) complete() {
	for _, list := range []*[]Pair{&c.Headers, &c.Query, &c.Fields} {
		if *list == nil {
			*list = []Pair{}
		}
	}
	if c.Settings == nil {
		c.Settings = []Setting{}
	}
}

func (c *Connector) checkSchema(p *problems) {
	seen := map[string]bool{}
	for i, s := range c.Settings {
		target := fmt.Sprintf("Settings/%d/", i)
		switch {
		case s.Name != "" && !namePattern.MatchString(s.Name):
			p.addf(target+"Name", "a setting's name is a letter followed by letters, digits and underscores")
		case seen[s.Name]:
			p.addf(target+"Name", "the setting %s is there twice", s.Name)
		case slices.Contains(given, s.Name):
			p.addf(target+"Name", "{%s} has a meaning of its own in templates", s.Name)
		}
		seen[s.Name] = true
		if s.Default != "" && s.secret() {
			p.addf(target+"Default", "a secret has no default")
		} else if s.Default != "" {
			s.check(p, target+"Default", s.Default, s.Default)
		}
	}
}

// given are the names that templates know besides the settings.
var given = []string{"RoutingID", "KnownID"}

// samples are values for every name that a template of c may use.
func (c *Connector) samples() map[string]string {
	values := map[string]string{"RoutingID": "x"}
	for _, s := range c.Settings {
		values[s.Name] = s.sample()
	}
	if c.Lookup.URL != "" {
		values["KnownID"] = "x"
	}
	return values
}

// sample is a value as a template may be filled with, to try it.
func (s Setting) sample() string {
	switch {
	case s.Default != "":
		return s.Default
	case len(s.Choices) > 0:
		return s.Choices[0]
	case s.Type == "url":
		return "https://example.com"
	case s.Type == "number":
		return "443"
	case s.Type == "boolean":
		return "true"
	}
	return "x"
}

// checkNames adds a problem for a name in template that has no sample.
func checkNames(p *problems, target, template string, values map[string]string) bool {
	for _, name := range places(template) {
		if values[name] == "" {
			p.addf(target, "it refers to {%s}, which is not one of the settings", name)
			return false
		}
	}
	return true
}

func (c *Connector) checkMethod(p *problems, target, template string) {
	names := places(template)
	switch {
	case len(names) == 1 && template == "{"+names[0]+"}" && c.setting(names[0]) != nil:
		for _, choice := range c.setting(names[0]).Choices {
			c.checkMethod(p, target, choice)
		}
	case !slices.Contains(methods, template):
		p.addf(target, "the method must be one of %s", strings.Join(methods, ", "))
	case (template == methodSMTP) != (c.Format == formatEmail):
		p.addf(target, "the method SMTP and the format email go together")
	case template == http.MethodGet && c.Format != formatQuery && target == "Method":
		p.addf(target, "the method GET needs the format query")
	}
}

// checkAddress checks that a template names only what there is, and comes to a
// URL when it is filled in.
func (c *Connector) checkAddress(p *problems, target, template string, values map[string]string) {
	if template == "" || !checkNames(p, target, template, values) {
		return
	}
	if _, err := c.address(template, values); err != nil {
		p.addf(target, "%s", err)
	}
}

func (c *Connector) checkPairs(p *problems, values map[string]string) {
	lists := map[string][]Pair{"Headers": c.Headers, "Query": c.Query, "Fields": c.Fields, "Auth/Fields": c.Auth.Fields}
	for _, list := range slices.Sorted(maps.Keys(lists)) {
		for i, pair := range lists[list] {
			target := fmt.Sprintf("%s/%d/", list, i)
			checkNames(p, target+"Value", pair.Value, values)
			if list == "Headers" && !headerName.MatchString(pair.Name) {
				p.addf(target+"Name", "%q is not a header's name", pair.Name)
			}
		}
	}
}

func (c *Connector) checkRoot(p *problems, values map[string]string) {
	if c.Format != formatXML {
		return
	}
	if c.Root == "" {
		p.addf("Root", "an XML body needs the name of its root element")
		return
	}
	if !checkNames(p, "Root", c.Root, values) {
		return
	}
	root, _ := fill(c.Root, values) // it has a sample for every name
	if _, err := rootNames(root); err != nil {
		p.addf("Root", "%s", err)
	}
}

// checkTree returns what is wrong with the targets of the connector's own fields
// together with others.
func (c *Connector) checkTree(targets ...string) error {
	if c.Format != formatJSON && c.Format != formatXML {
		return nil
	}
	own := map[string]bool{}
	for _, t := range targets {
		own[t] = true
	}
	tree := &node{}
	for _, f := range c.Fields {
		if own[f.Name] {
			continue // filled by the mapping
		}
		if err := tree.put(f.Name, "", c.Format); err != nil {
			return err
		}
	}
	for _, t := range targets {
		if err := tree.put(t, "", c.Format); err != nil {
			return err
		}
	}
	return nil
}
