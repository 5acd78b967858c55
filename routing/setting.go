package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"leadloop/store"
)

// Setting is one thing a Connector wants to be told by a Rule.
type Setting struct {
	Name     string `validate:"required,max=64"`
	Type     string `validate:"oneof=url text secret number boolean"`
	Required bool
	Secret   bool   // stored sealed, never shown; always so for the type secret
	Help     string `validate:"max=1000"`
	// Default is the value of a rule that gives none.
	Default string `json:",omitempty" validate:"max=1000"`
	// Choices are the values there are to choose from; none: any value.
	Choices []string `json:",omitempty" validate:"max=100"`
}

// Settings are the values a Rule gives for its Connector's settings, by name.
// Secret ones are stored as "sealed:…" and shown like that; sending a sealed
// value back leaves the secret as it is.
type Settings map[string]any

// sealedPrefix is what Vault.SealText begins with.
const sealedPrefix = "sealed:"

func (s Setting) secret() bool { return s.Secret || s.Type == "secret" }

// checkSettings adds a problem with the target Settings/NAME for every value
// that schema does not ask for, that is missing, or that is not of its type.
func checkSettings(p *problems, vault *store.Vault, connector *Connector, given Settings) {
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if connector.setting(name) == nil {
			p.addf("Settings/"+name, "the connector %s has no setting %s; it has: %s", connector.Name, name, connector.settingNames())
		}
	}
	for _, s := range connector.Settings {
		target := "Settings/" + s.Name
		text, err := s.text(vault, given)
		switch {
		case err != nil:
			p.addf(target, "%s %s", s.Name, err)
		case text == "" && s.Required:
			p.addf(target, "%s is required", s.Name)
		case text != "":
			s.check(p, target, given[s.Name], text)
		}
	}
}

// text gives the setting's value as text, unsealed.
func (s Setting) text(vault *store.Vault, given Settings) (string, error) {
	text, err := settingText(given[s.Name])
	if err == nil && s.secret() {
		return vault.OpenText(text)
	}
	if text == "" {
		text = s.Default
	}
	return text, err
}

// check adds a problem when value is not of the setting's type.
func (s Setting) check(p *problems, target string, value any, text string) {
	if len(text) > 8000 {
		p.addf(target, "%s is longer than 8000 bytes", s.Name)
		return
	}
	if len(s.Choices) > 0 && !slices.Contains(s.Choices, text) {
		p.addf(target, "%s must be one of %s", s.Name, strings.Join(s.Choices, ", "))
		return
	}
	switch s.Type {
	case "url":
		if err := checkURL(text); err != nil {
			p.addf(target, "%s %s", s.Name, err)
		}
	case "number":
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			p.addf(target, "%s must be a number", s.Name)
		}
	case "boolean":
		if _, err := strconv.ParseBool(text); err != nil {
			p.addf(target, "%s must be true or false", s.Name)
		}
	default:
		if _, ok := value.(string); !ok && value != nil {
			p.addf(target, "%s must be text", s.Name)
		}
	}
}

// settingText gives a setting's value as text; null is "".
func settingText(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case int, int64, json.Number:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("must be text, a number or a boolean")
}

// checkURL returns an error that reads on after the setting's name, unless text
// is an absolute http or https address without credentials.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || strings.TrimSpace(text) != text:
		return fmt.Errorf("is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("must begin with http:// or https://")
	case u.Hostname() == "":
		return fmt.Errorf("has no host")
	case u.User != nil:
		return fmt.Errorf("must not hold a user name or password")
	}
	return nil
}

// seal returns a copy of given with the secret settings sealed. A secret that is
// the same as before, plain or sealed, stays what is stored in before, so that
// it does not count as a change.
func (c *Connector) seal(vault *store.Vault, given, before Settings) Settings {
	out := maps.Clone(given)
	if out == nil {
		out = Settings{}
	}
	for _, s := range c.Settings {
		plain, err := settingText(given[s.Name])
		if !s.secret() || err != nil || plain == "" || strings.HasPrefix(plain, sealedPrefix) {
			continue
		}
		stored, _ := before[s.Name].(string)
		if old, err := vault.OpenText(stored); err == nil && strings.HasPrefix(stored, sealedPrefix) && old == plain {
			out[s.Name] = stored
			continue
		}
		out[s.Name] = vault.SealText(plain)
	}
	return out
}

// open returns the settings as text with secrets in the clear, and the secrets
// on their own, for masking.
func (c *Connector) open(vault *store.Vault, given Settings) (values map[string]string, secrets []string, err error) {
	values = make(map[string]string, len(c.Settings))
	for _, s := range c.Settings {
		text, err := s.text(vault, given)
		if err != nil {
			return nil, nil, fmt.Errorf("the setting %s %w", s.Name, err)
		}
		if s.secret() && text != "" {
			secrets = append(secrets, text)
		}
		values[s.Name] = text
	}
	return values, secrets, nil
}
