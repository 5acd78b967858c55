package console

import (
	"strconv"
	"time"

	"leadloop/routing"
)

// makeForm makes the fields with the values of the stored rule.
func (e *ruleEditor) makeForm() {
	r := e.Rule
	e.sections = map[string][]*Field{
		"about":     e.aboutFields(r),
		"order":     e.orderFields(r),
		"caps":      e.capFields(r),
		"zone":      {{Name: "TimeZone", Label: e.T("rule.zone"), Help: e.T("rule.zone.help"), Kind: "select", Value: r.TimeZone, Options: zoneOptions(r.TimeZone)}},
		"time":      e.timeFields(r),
		"ownership": nil,
	}
	if e.Settings = (connectorFields{Help: e.T("rule.connector.help")}); e.Connector != nil {
		e.Settings = e.connectorFields(e.Connector, e.keptSettings())
	}
	e.Form = &Form{Action: e.URL(), ReadOnly: !e.Can("manager"), Hidden: map[string]string{"Version": strconv.FormatInt(r.Version, 10)}}
	for _, name := range []string{"about", "order", "caps", "zone", "time"} {
		e.Form.Fields = append(e.Form.Fields, e.sections[name]...)
	}
	e.Form.Fields = append(append(e.Form.Fields, e.Settings.Required...), e.Settings.More...)
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

// keptSettings are the stored settings, as far as they are of the connector
// chosen.
func (e *ruleEditor) keptSettings() routing.Settings {
	if e.Connector == nil || e.Rule.ConnectorID != e.Connector.ID {
		return nil
	}
	return e.Rule.Settings
}

// truth is the value of a checkbox.
func truth(b bool) string {
	if b {
		return "true"
	}
	return ""
}
