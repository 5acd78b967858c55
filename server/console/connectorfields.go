package console

import (
	"slices"

	"leadloop/routing"
)

// connectorFields is the form of what a connector wants to be told. Templates show
// it by {{template "connector-fields" .}}.
type connectorFields struct {
	Help           string // what the connector sends
	Required, More []*Field
}

// connectorFields has a field for each setting of a connector, with the values
// kept but for secrets.
func (v *visit) connectorFields(c *routing.Connector, kept routing.Settings) (list connectorFields) {
	if list.Help = v.T("rule.format." + c.Format); c.URL != "{URL}" { // which is a setting, shown below
		list.Help += " " + v.T("rule.connector.to", c.URL)
	}
	for _, s := range c.Settings {
		f := &Field{Name: settingField + s.Name, Label: s.Name, Help: s.Help, Required: s.Required, Kind: "text", Value: settingValue(kept[s.Name]), Placeholder: s.Default, Ltr: true}
		switch {
		case secret(s):
			f.Kind, f.Autocomplete, f.Placeholder = "secret", "off", ""
			if f.Value != "" {
				f.Value, f.Placeholder = "", v.T("rule.secret.kept")
			}
		case len(s.Choices) > 0 || s.Type == "boolean":
			f.Kind = "select"
			f.Options = v.choicesOf(s)
		case s.Type == "number":
			f.Kind = "number"
		case s.Type == "url":
			f.Kind = "url"
		}
		if s.Required {
			list.Required = append(list.Required, f)
		} else {
			list.More = append(list.More, f)
		}
	}
	return list
}

func (v *visit) choicesOf(s routing.Setting) []Option {
	none := "–"
	if s.Default != "" {
		none = v.T("rule.setting.default", s.Default)
	}
	list := []Option{{"", none}}
	choices := s.Choices
	if len(choices) == 0 {
		choices = []string{"true", "false"}
	}
	for _, c := range choices {
		list = append(list, Option{c, c})
	}
	return list
}

func secret(s routing.Setting) bool { return s.Secret || s.Type == "secret" }

// MoreOpen reports whether one of the settings that are seen on demand is to be
// seen at once.
func (c connectorFields) MoreOpen() bool {
	return len(c.Required) == 0 || slices.ContainsFunc(c.More, func(f *Field) bool {
		return f.Value != "" || f.Error != "" || f.Kind == "secret" && f.Placeholder != ""
	})
}

// postedSettings are those of the form. What shows the value kept is left as it is
// stored, so that it is no change; a secret that is not typed again is kept.
func (v *visit) postedSettings(f *Form, c *routing.Connector, kept routing.Settings) routing.Settings {
	out := routing.Settings{}
	for _, s := range c.Settings {
		text := f.Get(settingField + s.Name)
		before, had := kept[s.Name]
		drop := v.value("drop-"+s.Name) == "true"
		switch {
		case had && (text == settingValue(before) || text == "" && secret(s) && !drop):
			out[s.Name] = before
		case text != "":
			out[s.Name] = text
		}
	}
	return out
}

// settingValue is a setting's value as text.
func settingValue(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	}
	return asJSON(value)
}
