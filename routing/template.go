package routing

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Pair is a name with a value that is a template: a header, a part of a query,
// a field of a body.
type Pair struct {
	Name string `validate:"required,max=200"`
	// Value is a template: {NAME} stands for the setting NAME. The pair is left out
	// where one of the settings has no value. In a body, the value of a setting of
	// type number or boolean alone is a number or boolean there too.
	Value string `validate:"max=2000"`
}

var placePattern = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9_]*)\}`)

// errNoValue says which name of a template has no value.
type errNoValue struct{ name string }

func (e errNoValue) Error() string { return fmt.Sprintf("the setting %s has no value", e.name) }

// fill puts values into the template's places in one pass: what is filled in is
// not looked at again. A name without a value is an errNoValue.
func fill(template string, values map[string]string) (string, error) {
	if !strings.Contains(template, "{") {
		return template, nil
	}
	var missing error
	text := placePattern.ReplaceAllStringFunc(template, func(place string) string {
		name := place[1 : len(place)-1]
		if values[name] == "" && missing == nil {
			missing = errNoValue{name}
		}
		return values[name]
	})
	return text, missing
}

// places are the names in the template.
func places(template string) []string {
	var names []string
	for _, m := range placePattern.FindAllStringSubmatch(template, -1) {
		names = append(names, m[1])
	}
	return names
}

// fillsAnew reports whether a template of c's requests names what is another for
// each routing.
func (c *Connector) fillsAnew() bool {
	templates := []string{c.URL, c.Lookup.KnownURL}
	for _, p := range slices.Concat(c.Query, c.Headers, c.Fields) {
		templates = append(templates, p.Value)
	}
	return slices.ContainsFunc(templates, func(t string) bool {
		return slices.ContainsFunc(places(t), func(name string) bool { return slices.Contains(given, name) })
	})
}

// fillPairs gives the pairs that have values.
func fillPairs(pairs []Pair, values map[string]string) []field[string] {
	list := make([]field[string], 0, len(pairs))
	for _, p := range pairs {
		if value, err := fill(p.Value, values); err == nil {
			list = append(list, field[string]{p.Name, value})
		}
	}
	return list
}

// bodyFields gives the connector's own fields of the body.
func (c *Connector) bodyFields(values map[string]string) []field[any] {
	list := make([]field[any], 0, len(c.Fields))
	for _, p := range c.Fields {
		if text, err := fill(p.Value, values); err == nil {
			list = append(list, field[any]{p.Name, c.typed(p.Value, text)})
		}
	}
	return list
}

// typed gives text, which a template came to, as the type of the one setting
// that the template consists of.
func (c *Connector) typed(template, text string) any {
	m := placePattern.FindStringSubmatch(template)
	if m == nil || m[0] != template {
		return text
	}
	switch s := c.setting(m[1]); {
	case s == nil:
	case s.Type == "boolean":
		if v, err := strconv.ParseBool(text); err == nil {
			return v
		}
	case s.Type == "number":
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			return v
		}
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			return v
		}
	}
	return text
}

// address fills values into a template that is a URL. A setting of type url goes
// in as it is, without a slash at its end where one follows; others are escaped
// for the place they stand in.
func (c *Connector) address(template string, values map[string]string) (string, error) {
	var b strings.Builder
	rest := template
	for {
		at := placePattern.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(rest[:at[0]])
		name := rest[at[2]:at[3]]
		value, inQuery := values[name], strings.Contains(b.String(), "?")
		rest = rest[at[1]:]
		s := c.setting(name)
		switch {
		case value == "":
			return "", errNoValue{name}
		case s != nil && s.Type == "url":
			if strings.HasPrefix(rest, "/") {
				value = strings.TrimSuffix(value, "/")
			}
			b.WriteString(value)
		case c.Format == formatEmail && len(places(c.URL)) > 0:
			b.WriteString(value) // scheme, host and port are checked as a whole
		case inQuery:
			b.WriteString(url.QueryEscape(value))
		default:
			b.WriteString(url.PathEscape(value))
		}
	}
	b.WriteString(rest)
	check := checkURL
	if c.Format == formatEmail {
		check = checkMailServer
	}
	if err := check(b.String()); err != nil {
		return "", errors.New("URL " + err.Error())
	}
	return b.String(), nil
}

// checkMailServer returns an error that reads on, unless text is the address of
// a mail server: smtps://HOST:PORT, starttls://HOST:PORT or smtp://HOST:PORT.
func checkMailServer(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("is not an address of a mail server")
	case !slices.Contains([]string{"smtps", "starttls", "smtp"}, u.Scheme):
		return errors.New("must begin with smtps://, starttls:// or smtp://")
	case u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "":
		return errors.New("must end in host:port")
	}
	return nil
}
