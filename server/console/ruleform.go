package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// ruleEditor is a rule being edited: Rule as it is stored, and what the form has.
type ruleEditor struct {
	*visit
	Rule       *routing.Rule // its ID is 0 while it is new
	Draft      *routing.Rule // what the form has
	Form       *Form
	Connectors []routing.Connector
	Connector  *routing.Connector // nil while none is chosen
	sections   map[string][]*Field

	Condition string
	By        string // "rows" or "text", by which of them it was changed last
	Rows      []conditionRow
	AsRows    bool // it can be told in rows
	Pointed   *pointed

	Mapping      []mappingRow
	MappingError string
	Schedule     string // always, hours or exact
	Week         week
	WeekError    string

	Names   []string // of the lead's properties, as conditions have them
	Sources []string // and as mappings do, with what else those may use
	Viewers []viewerChoice
	Usage   []capUse
	Live    *ruleLive
	Partial bool // htmx asks for what changes
	Trial   *trial
	Delete  *Confirm
}

// viewerChoice is somebody who may see a rule that only chosen staff see.
type viewerChoice struct {
	Value   string // u7 or g7
	Label   string
	Group   bool
	Checked bool
}

// Section are the fields of a part of the page.
func (e *ruleEditor) Section(name string) []*Field { return e.sections[name] }

// New reports whether the rule is not stored yet.
func (e *ruleEditor) New() bool { return e.Rule.ID == 0 }

// URL is where the form is posted to.
func (e *ruleEditor) URL() string {
	if e.New() {
		return rulesURL(e.Rule.CustomerID) + "/new"
	}
	return ruleURL(e.Rule.ID)
}

// editor makes the editor of a rule as it is stored, or of a new one.
func (v *visit) editor(r *routing.Rule) (*ruleEditor, error) {
	e := &ruleEditor{visit: v, Rule: r, Draft: r}
	connectors, err := readList[routing.Connector](v, "Connectors", 1000, query{"$orderby": "Name,ID"})
	if err != nil {
		return nil, err
	}
	e.Connectors = connectors.Rows
	e.choose(r.ConnectorID)
	e.makeForm()
	e.Condition = r.Condition
	e.Rows, e.AsRows = conditionRows(e.Condition)
	e.Mapping = mappingRows(r.Mapping)
	e.Schedule, e.Week = scheduleOf(r.Schedule)
	return e, nil
}

func (e *ruleEditor) choose(connector int64) {
	e.Connector = nil
	for i := range e.Connectors {
		if e.Connectors[i].ID == connector {
			e.Connector = &e.Connectors[i]
		}
	}
}

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
			f.Kind, f.Autocomplete, f.Placeholder = "password", "new-password", ""
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
		return f.Value != "" || f.Error != "" || f.Kind == "password" && f.Placeholder != ""
	})
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return ""
}

func zoneOptions(chosen string) (list []Option) {
	zones := timeZones
	if chosen != "" && !slices.Contains(zones, chosen) {
		zones = append([]string{chosen}, zones...)
	}
	for _, z := range zones {
		list = append(list, Option{z, strings.ReplaceAll(z, "_", " ")})
	}
	return list
}

// fill takes the request over into the form and makes the draft of it. It returns
// Invalid for what cannot be told, with all that is wrong.
func (e *ruleEditor) fill() error {
	if err := e.R.ParseForm(); err != nil {
		return fault.New(fault.Invalid, err.Error())
	}
	chosen, err := e.postedID("ConnectorID")
	if err != nil {
		return err
	}
	e.choose(chosen)
	e.makeForm()
	e.Form.Fill(e.visit)
	for _, f := range e.Form.Fields {
		if f.Kind == "password" { // kept over an error, as all else is
			f.Value = e.value(f.Name)
		}
	}
	e.fillCondition()
	e.Mapping = e.postedRows()
	e.Schedule, e.Week = e.value("schedule"), e.postedWeek()
	return e.makeDraft(chosen)
}

func (e *ruleEditor) fillCondition() {
	e.By, e.Condition = e.value("condition-by"), e.value("Condition")
	if e.By == "rows" {
		e.Rows, e.AsRows = nil, true
		form := e.R.PostForm
		for i, property := range form["cond-property"] {
			at := func(name string) string {
				if list := form[name]; i < len(list) {
					return list[i]
				}
				return ""
			}
			e.Rows = append(e.Rows, conditionRow{at("cond-join"), strings.TrimSpace(property), at("cond-operator"), at("cond-value")})
		}
		e.Condition = conditionText(e.Rows)
		return
	}
	e.Rows, e.AsRows = conditionRows(e.Condition)
}

// wrongs gathers what is wrong with a form.
type wrongs []fault.Detail

func (w *wrongs) add(err error) {
	var f *fault.Error
	switch {
	case err == nil:
	case errors.As(err, &f) && len(f.Details) > 0:
		*w = append(*w, f.Details...)
	case errors.As(err, &f):
		*w = append(*w, fault.Detail{Code: f.Code, Message: f.Message, Target: f.Target})
	}
}

func (w wrongs) err() error {
	if len(w) == 0 {
		return nil
	}
	return &fault.Error{Code: fault.Invalid, Message: w[0].Message, Target: w[0].Target, Details: w}
}

// makeDraft makes the draft of what the form has.
func (e *ruleEditor) makeDraft(connector int64) error {
	var wrong wrongs
	d := *e.Rule
	e.Draft = &d
	d.Customer, d.Connector, d.Viewers = nil, nil, nil
	version, err := strconv.ParseInt(e.Form.Hidden["Version"], 10, 64)
	if err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	d.Version = version
	d.Name, d.ConnectorID, d.Condition = e.Form.Get("Name"), connector, e.Condition
	if e.Connector != nil {
		d.Settings = e.settings()
	}
	d.Mapping, _, err = mappingEntries(e.Mapping)
	wrong.add(err)
	for name, to := range map[string]*int{"Priority": &d.Priority, "Weight": &d.Weight} {
		n, err := e.Form.number(name)
		switch {
		case err != nil:
			wrong.add(err)
		case n == nil || *n < 1:
			wrong.add(fault.Newf(fault.Invalid, "%s is shorter or smaller than 1", name).At(name))
		default:
			*to = *n
		}
	}
	for name, to := range map[string]**int{"CapDay": &d.CapDay, "CapWeek": &d.CapWeek, "CapMonth": &d.CapMonth, "CapTotal": &d.CapTotal} {
		*to, err = e.Form.number(name)
		wrong.add(err)
	}
	d.Rotation, d.IsDefault, d.TimeZone = e.Form.Get("Rotation"), e.Form.Get("IsDefault") == "true", e.Form.Get("TimeZone")
	for name, to := range map[string]**time.Time{"StartsAt": &d.StartsAt, "EndsAt": &d.EndsAt} {
		wrong.add(e.instant(name, to))
	}
	wrong.add(e.draftSchedule(&d))
	if owner, err := e.postedID("OwnerID"); err != nil {
		return err
	} else if e.R.PostForm.Has("OwnerID") {
		d.OwnerID = nil
		if owner != 0 {
			d.OwnerID = &owner
		}
	}
	if sight := e.value("Visibility"); sight != "" {
		d.Visibility = sight
	}
	return wrong.err()
}

// instant reads a datetime-local field. One that shows the stored instant means
// that one, to the second.
func (e *ruleEditor) instant(name string, to **time.Time) error {
	text := e.Form.Get(name)
	if text == e.localTime(*to) {
		return nil
	}
	if text == "" {
		*to = nil
		return nil
	}
	t, err := time.ParseInLocation(localTimeForm, text, e.place)
	if err != nil {
		return fault.Newf(fault.Invalid, "%q is not a date and time", text).At(name)
	}
	t = t.UTC()
	*to = &t
	return nil
}

func (e *ruleEditor) draftSchedule(d *routing.Rule) error {
	switch e.Schedule {
	case scheduleExact:
	case scheduleHours:
		if how, before := scheduleOf(d.Schedule); how == scheduleHours && before == e.Week {
			return nil // as it is written
		}
		if d.Schedule = e.Week.windows(); len(d.Schedule) == 0 {
			return fault.New(fault.Invalid, "no hour is marked").At("Schedule")
		}
	default:
		d.Schedule = []routing.Window{}
	}
	return nil
}

// settings are those of the form. What shows the stored value is left as it is
// stored, so that it is no change; a secret that is not typed again is kept.
func (e *ruleEditor) settings() routing.Settings {
	out, kept := routing.Settings{}, e.keptSettings()
	for _, s := range e.Connector.Settings {
		text := e.Form.Get("Settings/" + s.Name)
		before, had := kept[s.Name]
		drop := e.value("drop-"+s.Name) == "true"
		switch {
		case had && (text == settingValue(before) || text == "" && secret(s) && !drop):
			out[s.Name] = before
		case text != "":
			out[s.Name] = text
		}
	}
	return out
}

// changed reports whether the draft is another rule than the stored one.
func (e *ruleEditor) changed() bool {
	plain := func(r routing.Rule) string {
		r.Customer, r.Connector, r.Viewers, r.Version = nil, nil, nil, 0
		if len(r.Mapping) == 0 {
			r.Mapping = nil
		}
		if len(r.Schedule) == 0 {
			r.Schedule = nil
		}
		if len(r.Settings) == 0 {
			r.Settings = nil
		}
		text, _ := json.Marshal(r) // of our own struct
		return string(text)
	}
	return plain(*e.Rule) != plain(*e.Draft)
}

// fail puts what a fault says next to what it is about. It returns false as
// Form.Fail does.
func (e *ruleEditor) fail(err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) {
		return false
	}
	details := f.Details
	if len(details) == 0 {
		details = []fault.Detail{{Message: f.Message, Target: f.Target}}
	}
	var rest []fault.Detail
	for _, d := range details {
		if !e.besides(d) {
			rest = append(rest, d)
		}
	}
	if len(rest) == 0 {
		return true
	}
	return e.Form.Fail(e.visit, &fault.Error{Code: f.Code, Message: rest[0].Message, Target: rest[0].Target, Details: rest})
}

// besides puts one fault next to a part that is no field.
func (e *ruleEditor) besides(d fault.Detail) bool {
	parts := strings.SplitN(d.Target, "/", 3)
	switch parts[0] {
	case "Condition":
		e.Pointed = e.pointAt(e.Condition, d.Message)
	case "Schedule":
		e.WeekError = join(e.WeekError, e.faultMessage(d.Message))
	case "Mapping":
		e.failMapping(parts[1:], d.Message)
	default:
		return false
	}
	return true
}

func (e *ruleEditor) failMapping(at []string, message string) {
	_, of, _ := mappingEntries(e.Mapping)
	if len(at) == 2 {
		if i, err := strconv.Atoi(at[0]); err == nil && i >= 0 && i < len(of) {
			row := &e.Mapping[of[i]]
			field, _, _ := strings.Cut(at[1], "/")
			if field == "Field" {
				field = "Source"
			}
			if field == "Source" && strings.Contains(message, ", position ") {
				row.Wrong = e.pointAt(row.Source, message)
				return
			}
			if row.Errors == nil {
				row.Errors = map[string]string{}
			}
			row.Errors[field] = join(row.Errors[field], e.faultMessage(message))
			return
		}
	}
	e.MappingError = join(e.MappingError, e.faultMessage(message))
}

// ConnectorHelp says what the connector chosen sends.
func (e *ruleEditor) ConnectorHelp() string {
	c := e.Connector
	if c == nil {
		return e.T("rule.connector.help")
	}
	return e.T("rule.format."+c.Format) + " " + e.T("rule.connector.to", c.URL)
}

// Operators are what the condition builder offers.
func (e *ruleEditor) Operators() []Option {
	list := make([]Option, len(conditionOperators))
	for i, o := range conditionOperators {
		list[i] = Option{o, e.T("rule.operator." + o)}
	}
	return list
}

// Joins are how rows of the condition builder are joined.
func (e *ruleEditor) Joins() []Option {
	return []Option{{"and", e.T("rule.condition.and")}, {"or", e.T("rule.condition.or")}}
}

// Schedules are the ways a rule is open.
func (e *ruleEditor) Schedules() []Option {
	list := []Option{{scheduleAlways, e.T("rule.schedule.always")}, {scheduleHours, e.T("rule.schedule.hours")}}
	if how, _ := scheduleOf(e.Rule.Schedule); how == scheduleExact {
		list = append(list, Option{scheduleExact, e.T("rule.schedule.exact")})
	}
	return list
}

// Formats are some of those that a mapping writes values in.
func (e *ruleEditor) Formats() []string {
	return []string{"dd/MM/yyyy", "dd/MM/yyyy HH:mm", "yyyy-MM-dd", "unix", "unixms", "e164", "international", "national", "local", "digits", "json", "odata"}
}

// BlankRow is what new rows are made of.
func (e *ruleEditor) BlankRow() conditionRow { return conditionRow{Join: "and", Operator: "eq"} }

// BlankEntry is what new rows of the mapping are made of.
func (e *ruleEditor) BlankEntry() mappingRow { return mappingRow{Key: "KEY"} }

// Hours are the hours of a day.
func (e *ruleEditor) Hours() []int {
	hours := make([]int, 24)
	for i := range hours {
		hours[i] = i
	}
	return hours
}

// Days are the names of the days.
func (e *ruleEditor) Days() []string {
	names := make([]string, len(weekDays))
	for i, d := range weekDays {
		names[i] = e.T("rule.day." + d)
	}
	return names
}

// Windows are those of the schedule, in words.
func (e *ruleEditor) Windows() (list []string) {
	for _, w := range e.Rule.Schedule {
		days := e.T("rule.day.every")
		if len(w.Days) > 0 {
			names := make([]string, len(w.Days))
			for i, d := range w.Days {
				names[i] = e.T("rule.day." + d)
			}
			days = strings.Join(names, ", ")
		}
		list = append(list, fmt.Sprintf("%s \u2066%s–%s\u2069", days, w.From, w.To))
	}
	return list
}
