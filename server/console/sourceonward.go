package console

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) onwardRoutes() []route {
	return []route{
		{pattern: "GET /console/sources/{id}/onward", do: (*visit).onwardPage},
		{pattern: "POST /console/sources/{id}/onward", do: (*visit).updateOnward},
		{pattern: "POST /console/sources/{id}/onward/test", do: (*visit).testOnward, role: store.Manager},
		{pattern: "POST /console/sources/{id}/onward/fields", do: (*visit).onwardFields, role: store.Manager},
		{pattern: "POST /console/sources/{id}/onward/sample", do: (*visit).onwardSample, role: store.Manager},
	}
}

// onwardEditor is how a source sends outcomes back to where its leads came from,
// being edited: Source as it is stored, and what the form has.
type onwardEditor struct {
	*visit
	Source     *leads.Source
	Form       *Form
	Connectors []routing.Connector
	Connector  *routing.Connector // nil: nothing is sent
	Settings   connectorFields
	Mapping    mappingEditor
	Trial      *trial
	Sample     string // what would be sent
	Missing    string // or why that cannot be shown
	State      Badge
	Since      *time.Time // their system fails since then
	Waiting    int        // in the queue
	Parked     int        // until the source is changed
}

// onward makes the editor of the source of the page's address, as it is stored.
func (v *visit) onward() (*onwardEditor, error) {
	src, err := v.source()
	if err != nil {
		return nil, err
	}
	connectors, err := readList[routing.Connector](v, "Connectors", 1000, query{"$orderby": "Name,ID"})
	if err != nil {
		return nil, err
	}
	e := &onwardEditor{visit: v, Source: src, Connectors: connectors.Rows}
	if src.OnwardConnectorID != nil {
		e.choose(*src.OnwardConnectorID)
	}
	if e.Mapping.Rows = mappingRows(src.OnwardMapping); len(src.OnwardMapping) == 0 && v.Can("manager") {
		for i, name := range []string{"ExternalID", "Reason", "OccurredAt"} {
			e.Mapping.Rows = append(e.Mapping.Rows, mappingRow{Key: strconv.Itoa(i), Target: name, Source: name})
		}
	}
	return e, nil
}

// choose takes a connector, nil for 0, with the fields that it asks for.
func (e *onwardEditor) choose(id int64) {
	for i := range e.Connectors {
		if e.Connectors[i].ID == id {
			e.Connector = &e.Connectors[i]
			e.Settings = e.connectorFields(e.Connector, e.keptSettings())
			e.Settings.Help = "" // it speaks of leads
		}
	}
}

// keptSettings are the stored settings, as far as they are of the connector chosen.
func (e *onwardEditor) keptSettings() routing.Settings {
	if e.Source.OnwardConnectorID == nil || *e.Source.OnwardConnectorID != e.Connector.ID {
		return nil
	}
	return routing.Settings(e.Source.OnwardSettings)
}

// URL is where the form is posted to.
func (e *onwardEditor) URL() string { return sourceURL(e.Source.ID) + "/onward" }

func (e *onwardEditor) makeForm() {
	choice := &Field{Name: "ConnectorID", Label: e.T("rule.connector"), Help: e.T("onward.connector.help"), Kind: "select", Options: []Option{{"", e.T("onward.none")}}}
	for _, c := range e.Connectors {
		choice.Options = append(choice.Options, Option{strconv.FormatInt(c.ID, 10), c.Name})
	}
	if e.Connector != nil {
		choice.Value = strconv.FormatInt(e.Connector.ID, 10)
	}
	e.Form = &Form{
		Action: e.URL(), ReadOnly: !e.Can("manager"), Hidden: map[string]string{"Version": strconv.FormatInt(e.Source.Version, 10)},
		Fields: append(append([]*Field{choice}, e.Settings.Required...), e.Settings.More...),
	}
}

// fill takes the request over into the form, and makes of it the source that it
// would be. It returns Invalid for what cannot be told.
func (e *onwardEditor) fill() (*leads.Source, error) {
	if err := e.R.ParseForm(); err != nil {
		return nil, fault.New(fault.Invalid, err.Error())
	}
	id, err := e.postedID("ConnectorID")
	if err != nil {
		return nil, err
	}
	e.Connector, e.Settings = nil, connectorFields{}
	e.choose(id)
	e.makeForm()
	e.Form.Fill(e.visit)
	e.Mapping.Rows = e.postedRows()
	draft := *e.Source
	if draft.Version, err = e.Form.version(); err != nil {
		return nil, err
	}
	draft.OnwardConnectorID, draft.OnwardSettings = nil, nil
	if e.Connector != nil {
		draft.OnwardConnectorID = &e.Connector.ID
		draft.OnwardSettings = leads.SourceSettings(e.postedSettings(e.Form, e.Connector, e.keptSettings()))
	}
	draft.OnwardMapping, _, err = mappingEntries(e.Mapping.Rows)
	return &draft, err
}

// fail puts what a fault says next to what it is about. It returns false as
// Form.Fail does.
func (e *onwardEditor) fail(err error) bool {
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
		d.Target = strings.TrimPrefix(d.Target, "Onward")
		if parts := strings.SplitN(d.Target, "/", 3); parts[0] == "Mapping" {
			e.Mapping.fail(e.locale, parts[1:], d.Message)
		} else {
			rest = append(rest, d)
		}
	}
	return len(rest) == 0 || e.Form.Fail(e.visit, &fault.Error{Code: f.Code, Message: rest[0].Message, Target: rest[0].Target, Details: rest})
}

func (v *visit) onwardPage() error {
	e, err := v.onward()
	if err != nil {
		return err
	}
	e.makeForm()
	p, err := e.page()
	if err != nil {
		return err
	}
	return v.Page("sourceonward", p)
}

// page gathers what the page shows besides the form.
func (e *onwardEditor) page() (page, error) {
	src := e.Source
	e.State = Badge{e.T("onward.off"), ""}
	if src.OnwardConnectorID != nil {
		e.State = Badge{e.T("onward.on"), "good"}
		if src.OnwardBreaker != "closed" {
			e.State, e.Since = Badge{e.T("breaker." + src.OnwardBreaker), "bad"}, src.OnwardFailingSince
		}
	}
	for filter, into := range map[string]*int{"NextAttemptAt ne null": &e.Waiting, "State eq 'parked'": &e.Parked} {
		body, err := e.ask("Onwards/$count", query{"$filter": fmt.Sprintf("SourceID eq %d and %s", src.ID, filter)}, 0)
		if err == nil {
			*into, err = strconv.Atoi(strings.TrimSpace(string(body)))
		}
		if err != nil {
			return page{}, err
		}
	}
	if e.Can("manager") {
		_, sources, err := e.leadNames()
		if err != nil {
			return page{}, err
		}
		e.Mapping.Names = append(routing.OutcomeNames(), sources...)
	}
	return e.sourceView(src, src.Name, "onward", e), nil
}

// updateOnward saves what the form has.
func (v *visit) updateOnward() error {
	e, err := v.onward()
	if err != nil {
		return err
	}
	draft, err := e.fill()
	if err == nil {
		err = v.Leads.UpdateSource(v.ctx(), draft)
	}
	if err == nil {
		v.Done(v.T("form.saved"))
		return v.Go(e.URL())
	}
	if !e.fail(err) {
		return err
	}
	p, err := e.page()
	if err != nil {
		return err
	}
	return v.Invalid("sourceonward", p)
}

// testOnward sends a made-up outcome as the form says, which need not be saved for
// that, and shows what came of it.
func (v *visit) testOnward() error {
	e, err := v.onward()
	if err != nil {
		return err
	}
	draft, err := e.fill()
	var result routing.TestResult
	if err == nil {
		result, err = v.Routing.TestOnwardDraft(v.ctx(), draft, onwardTrial(draft, false))
	}
	switch {
	case err == nil:
		if e.Trial = v.tried(result); result.Succeeded {
			e.Trial.Words = v.T("onward.test.accepted", result.StatusCode)
		}
	case !e.fail(err):
		return err
	}
	p, err := e.page()
	if err != nil {
		return err
	}
	return v.Page("sourceonward", p)
}

// onwardTrial is a trial with a lead that has the fields of forms that the mapping
// names, as the leads that come have them.
func onwardTrial(draft *leads.Source, dry bool) routing.OnwardTrial {
	t := routing.OnwardTrial{Dry: dry, Sample: map[string]any{}}
	for _, e := range draft.OnwardMapping {
		if e.Field != "" && leadTypes[e.Field] == nil {
			t.Sample[e.Field] = "test"
		}
	}
	return t
}

// onwardFields answers with the fields for the connector chosen.
func (v *visit) onwardFields() error {
	e, err := v.onward()
	if err != nil {
		return err
	}
	if _, err := e.fill(); err != nil && fault.CodeOf(err) != fault.Invalid {
		return err
	}
	return v.Part("sourceonward", "settings", e)
}

// onwardSample answers with what would be sent, as far as the form says.
func (v *visit) onwardSample() error {
	e, err := v.onward()
	if err != nil {
		return err
	}
	draft, err := e.fill()
	var result routing.TestResult
	if err == nil && e.Connector != nil {
		result, err = v.Routing.TestOnwardDraft(v.ctx(), draft, onwardTrial(draft, true))
	}
	switch {
	case fault.CodeOf(err) == fault.Invalid:
		e.Missing = v.faultText(err)
	case err != nil:
		return err
	case e.Connector == nil:
		e.Missing = v.T("rule.sample.none")
	default:
		e.Sample, e.Missing = cmp.Or(readable(result.Body), result.Request), v.faultMessage(result.Error)
	}
	return v.Part("sourceonward", "sample", e)
}
