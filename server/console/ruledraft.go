package console

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"leadloop/odata/fault"
	"leadloop/routing"
)

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
	e.fillCondition()
	e.Mapping.Rows = e.postedRows()
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
		d.Settings = e.postedSettings(e.Form, e.Connector, e.keptSettings())
	}
	d.Mapping, _, err = mappingEntries(e.Mapping.Rows)
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
