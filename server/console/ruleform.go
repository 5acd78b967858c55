package console

import (
	"errors"
	"fmt"
	"strings"

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
	Settings   connectorFields
	sections   map[string][]*Field

	Condition string
	By        string // "rows" or "text", by which of them it was changed last
	Rows      []conditionRow
	AsRows    bool // it can be told in rows
	Pointed   *pointed

	Mapping   mappingEditor
	Schedule  string // always, hours or exact
	Week      week
	WeekError string

	Names   []string // of the lead's properties, as conditions have them
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
	e.Mapping = mappingEditor{Rows: mappingRows(r.Mapping), Routing: true}
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
		e.Mapping.fail(e.locale, parts[1:], d.Message)
	default:
		return false
	}
	return true
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

// BlankRow is what new rows are made of.
func (e *ruleEditor) BlankRow() conditionRow { return conditionRow{Join: "and", Operator: "eq"} }

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
