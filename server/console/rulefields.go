package console

import (
	"slices"
	"strconv"
	"time"

	"leadloop/routing"
)

// makeForm makes the fields with the values of the stored rule.
func (e *ruleEditor) makeForm() {
	r := e.Rule
	e.sections = map[string][]*Field{
		"about":     e.aboutFields(r),
		"settings":  nil,
		"more":      nil,
		"order":     e.orderFields(r),
		"caps":      e.capFields(r),
		"zone":      {{Name: "TimeZone", Label: e.T("rule.zone"), Help: e.T("rule.zone.help"), Kind: "select", Value: r.TimeZone, Options: zoneOptions(r.TimeZone)}},
		"time":      e.timeFields(r),
		"ownership": nil,
	}
	if e.Connector != nil {
		e.settingFields()
	}
	e.Form = &Form{Action: e.URL(), ReadOnly: !e.Can("manager"), Hidden: map[string]string{"Version": strconv.FormatInt(r.Version, 10)}}
	for _, name := range []string{"about", "settings", "more", "order", "caps", "zone", "time"} {
		e.Form.Fields = append(e.Form.Fields, e.sections[name]...)
	}
}

func (e *ruleEditor) aboutFields(r *routing.Rule) []*Field {
	options := []Option{{"", e.T("rule.connector.choose")}}
	for _, c := range e.Connectors {
		options = append(options, Option{strconv.FormatInt(c.ID, 10), c.Name})
	}
	chosen := ""
	if e.Connector != nil {
		chosen = strconv.FormatInt(e.Connector.ID, 10)
	}
	return []*Field{
		{Name: "Name", Label: e.T("rule.name"), Value: r.Name, Required: true, Focus: e.New()},
		{Name: "ConnectorID", Label: e.T("rule.connector"), Kind: "select", Value: chosen, Options: options, Required: true},
	}
}

func (e *ruleEditor) orderFields(r *routing.Rule) []*Field {
	return []*Field{
		{Name: "Priority", Label: e.T("rule.priority"), Help: e.T("rule.priority.help"), Kind: "number", Min: "1", Value: strconv.Itoa(r.Priority), Required: true, Half: true},
		{Name: "Weight", Label: e.T("rule.weight"), Help: e.T("rule.weight.help"), Kind: "number", Min: "1", Value: strconv.Itoa(r.Weight), Required: true, Half: true},
		{Name: "Rotation", Label: e.T("rule.rotation"), Kind: "select", Value: r.Rotation, Options: []Option{
			{"weight", e.T("rule.rotation.weight")}, {"round-robin", e.T("rule.rotation.turn")},
		}},
		{Name: "IsDefault", Label: e.T("rule.default"), Kind: "checkbox", Value: truth(r.IsDefault)},
	}
}

func (e *ruleEditor) capFields(r *routing.Rule) (fields []*Field) {
	for _, c := range []struct {
		name, label string
		value       *int
	}{
		{"CapDay", e.T("rule.cap.day"), r.CapDay},
		{"CapWeek", e.T("rule.cap.week"), r.CapWeek},
		{"CapMonth", e.T("rule.cap.month"), r.CapMonth},
		{"CapTotal", e.T("rule.cap.total"), r.CapTotal},
	} {
		fields = append(fields, &Field{Name: c.name, Label: c.label, Kind: "number", Min: "0", Value: numberText(c.value), Half: true})
	}
	return fields
}

func (e *ruleEditor) timeFields(r *routing.Rule) []*Field {
	started := !e.New() && r.StartsAt != nil && !e.Now().Before(*r.StartsAt)
	starts := &Field{Name: "StartsAt", Label: e.T("rule.starts"), Kind: "datetime-local", Value: e.localTime(r.StartsAt), ReadOnly: started, Half: true}
	if started {
		starts.Help = e.T("rule.starts.passed")
	}
	return []*Field{starts, {Name: "EndsAt", Label: e.T("rule.ends"), Kind: "datetime-local", Value: e.localTime(r.EndsAt), Half: true}}
}

const localTimeForm = "2006-01-02T15:04"

// localTime is an instant as a datetime-local field has it, in the reader's zone.
func (l *locale) localTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.In(l.place).Format(localTimeForm)
}

// settingFields makes a field of each setting of the connector: those that are
// required, and more.
func (e *ruleEditor) settingFields() {
	kept := e.keptSettings()
	for _, s := range e.Connector.Settings {
		f := &Field{Name: "Settings/" + s.Name, Label: s.Name, Help: s.Help, Required: s.Required, Kind: "text", Value: settingValue(kept[s.Name]), Placeholder: s.Default, Ltr: true}
		switch {
		case secret(s):
			f.Kind, f.Autocomplete, f.Placeholder = "secret", "off", ""
			if f.Value != "" {
				f.Value, f.Placeholder = "", e.T("rule.secret.kept")
			}
		case len(s.Choices) > 0 || s.Type == "boolean":
			f.Kind = "select"
			f.Options = e.choicesOf(s)
		case s.Type == "number":
			f.Kind = "number"
		case s.Type == "url":
			f.Kind = "url"
		}
		section := "more"
		if s.Required {
			section = "settings"
		}
		e.sections[section] = append(e.sections[section], f)
	}
}

func (e *ruleEditor) choicesOf(s routing.Setting) []Option {
	none := "–"
	if s.Default != "" {
		none = e.T("rule.setting.default", s.Default)
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

// keptSettings are the stored settings, as far as they are of the connector
// chosen.
func (e *ruleEditor) keptSettings() routing.Settings {
	if e.Connector == nil || e.Rule.ConnectorID != e.Connector.ID {
		return nil
	}
	return e.Rule.Settings
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

// MoreOpen reports whether one of the settings that are seen on demand is to be
// seen at once.
func (e *ruleEditor) MoreOpen() bool {
	return len(e.sections["settings"]) == 0 || slices.ContainsFunc(e.sections["more"], func(f *Field) bool {
		return f.Value != "" || f.Error != "" || f.Kind == "secret" && f.Placeholder != ""
	})
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return ""
}
