package console

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadloop/feedback"
	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) pullRoutes() []route {
	return []route{
		{pattern: "GET /console/customers/{id}/pulls/new", do: (*visit).newPullPage, role: store.Manager},
		{pattern: "POST /console/customers/{id}/pulls/new", do: (*visit).createPull},
		{pattern: "GET /console/pulls/{id}", do: (*visit).pullPage},
		{pattern: "POST /console/pulls/{id}", do: (*visit).updatePull},
		{pattern: "POST /console/pulls/{id}/test", do: (*visit).testPull},
		{pattern: "POST /console/pulls/{id}/run", do: (*visit).runPull},
		{pattern: "POST /console/pulls/{id}/activate", do: (*visit).activatePull},
		{pattern: "POST /console/pulls/{id}/pause", do: (*visit).pausePull},
		{pattern: "POST /console/pulls/{id}/delete", do: (*visit).deletePull},
	}
}

func pullURL(id int64) string { return fmt.Sprintf("/console/pulls/%d", id) }

// pullCard is a pull in the list of its customer.
type pullCard struct {
	feedback.Pull
	Badge Badge
	URL   string
	Sum   string
}

func (v *visit) pullBadge(p *feedback.Pull) Badge {
	switch {
	case p.State == feedback.PullActive && p.LastError != nil:
		return Badge{v.T("pull.troubled"), "warn"}
	case p.State == feedback.PullPaused && p.PauseReason != nil:
		return Badge{v.T("pull.stopped"), "bad"}
	}
	return v.State(p.State)
}

// pullCards are the pulls of a customer's connections.
func (v *visit) pullCards(customer int64) ([]pullCard, error) {
	rows, err := readAll[feedback.Pull](v, "Pulls", query{
		"$filter": fmt.Sprintf("Connection/CustomerID eq %d", customer), "$orderby": "ID", "$expand": "Connection($select=ID,Name)",
	})
	cards := make([]pullCard, len(rows))
	for i, p := range rows {
		cards[i] = pullCard{p, v.pullBadge(&p), pullURL(p.ID), v.T("pull.sum", v.Number(p.Found), v.Number(p.Reported))}
	}
	return cards, err
}

// pullData is what the page of a pull shows.
type pullData struct {
	Form       *Form
	Pull       *feedback.Pull // nil for a new one
	Badge      Badge
	Connector  *routing.Connector // nil: one is to be chosen
	Connectors []choice
	Delete     *Confirm
	Missing    string // why none can be made
}

// pullForm is the form of a pull by a connector's settings.
func (v *visit) pullForm(p *feedback.Pull, c *routing.Connector, connections []Option) *Form {
	f := &Form{
		Submit: v.T("pull.create"), ReadOnly: !v.Can("manager"),
		Fields: []*Field{
			{Name: "Name", Label: v.T("customers.name"), Value: p.Name, Required: true, Focus: p.ID == 0},
			{Name: "IntervalMinutes", Label: v.T("pull.interval"), Kind: "number", Min: "1", Max: "10080", Value: strconv.Itoa(p.IntervalMinutes), Required: true, Half: true},
		},
	}
	if p.ID == 0 {
		f.Hidden = map[string]string{"connector": strconv.FormatInt(c.ID, 10)}
		f.Fields = append(f.Fields,
			&Field{Name: "StartsAt", Label: v.T("pull.starts"), Help: v.T("pull.starts.help"), Kind: "date", Half: true},
			&Field{Name: "ConnectionID", Label: v.T("pull.connection"), Help: v.T("pull.connection.help"), Kind: "select", Options: connections, Value: first(connections)})
	} else {
		f.Action, f.Submit = pullURL(p.ID), v.T("form.save")
		f.Hidden = map[string]string{"Version": strconv.FormatInt(p.Version, 10)}
	}
	for i, s := range c.Settings {
		field := v.pullSetting(s, p.Settings[s.Name], p.ID != 0)
		if i == 0 {
			field.Section = v.T("pull.settings", c.Name)
		}
		f.Fields = append(f.Fields, field)
	}
	for _, field := range f.Fields {
		field.Autocomplete = cmp.Or(field.Autocomplete, "off") // it is no sign-in, though it has a secret
	}
	return f
}

func first(list []Option) string {
	if len(list) == 0 {
		return ""
	}
	return list[0].Value
}

// pullSetting is the field of a setting. Secrets are never shown: an empty one
// leaves what is stored as it is.
func (v *visit) pullSetting(s routing.Setting, value any, stored bool) *Field {
	f := &Field{Name: "Settings/" + s.Name, Label: s.Name, Help: s.Help, Required: s.Required, Value: s.Default}
	if value != nil {
		f.Value = fmt.Sprint(value)
	}
	switch {
	case s.Secret || s.Type == "secret":
		f.Kind, f.Ltr, f.Value, f.Autocomplete = "password", true, "", "new-password"
		if stored && value != nil {
			f.Required, f.Help = false, strings.TrimSpace(f.Help+" "+v.T("pull.secret"))
		}
	case len(s.Choices) > 0:
		f.Kind, f.Options = "select", []Option{{"", "–"}}
		for _, c := range s.Choices {
			f.Options = append(f.Options, Option{c, c})
		}
	case s.Type == "boolean":
		f.Kind = "checkbox"
	case s.Type == "number":
		f.Kind = "number"
	case s.Type == "url":
		f.Kind, f.Ltr = "url", true
	}
	return f
}

// pullSettings are the values of the form; before are those stored.
func (v *visit) pullSettings(f *Form, c *routing.Connector, before routing.Settings) (routing.Settings, error) {
	given := routing.Settings{}
	for _, s := range c.Settings {
		name := "Settings/" + s.Name
		text := f.Get(name)
		switch {
		case s.Secret || s.Type == "secret":
			if secret := v.R.PostFormValue(name); secret != "" {
				given[s.Name] = secret
			} else if old, there := before[s.Name]; there {
				given[s.Name] = old
			}
		case s.Type == "boolean":
			given[s.Name] = text == "true"
		case text == "":
		case s.Type == "number":
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fault.Newf(fault.Invalid, "%q is not a number", text).At(name)
			}
			given[s.Name] = n
		default:
			given[s.Name] = text
		}
	}
	return given, nil
}

// fillPull takes the form's values over into p.
func (v *visit) fillPull(f *Form, p *feedback.Pull, c *routing.Connector) error {
	p.Name, p.ConnectorID = f.Get("Name"), c.ID
	minutes, err := f.number("IntervalMinutes")
	if err != nil {
		return err
	}
	if p.IntervalMinutes = 0; minutes != nil {
		p.IntervalMinutes = *minutes
	}
	if day := f.Get("StartsAt"); day != "" {
		at, err := time.ParseInLocation(time.DateOnly, day, v.place)
		if err != nil {
			return fault.Newf(fault.Invalid, "%q is not a day such as 2026-01-31", day).At("StartsAt")
		}
		p.StartsAt = at.UTC()
	}
	p.Settings, err = v.pullSettings(f, c, p.Settings)
	return err
}

// newPull gathers what the page of a new pull shows.
func (v *visit) newPull(customer *routing.Customer) (pullData, error) {
	var data pullData
	connections, err := readAll[keys.Connection](v, "Connections", query{"$filter": fmt.Sprintf("CustomerID eq %d", customer.ID), "$select": "ID,Name,Scopes", "$orderby": "CreatedAt"})
	if err != nil {
		return data, err
	}
	var options []Option
	for _, c := range connections {
		for _, scope := range c.Scopes {
			if scope == keys.FeedbackWrite {
				options = append(options, Option{c.ID.String(), c.Name})
			}
		}
	}
	if len(options) == 0 {
		data.Missing = v.T("pull.noconnection")
		return data, nil
	}
	connectors, err := readAll[routing.Connector](v, "Connectors", query{"$filter": "Reading/URL ne null", "$orderby": "Name"})
	if err != nil {
		return data, err
	}
	for i, c := range connectors {
		if c.Reading.URL == "" {
			continue
		}
		id := strconv.FormatInt(c.ID, 10)
		data.Connectors = append(data.Connectors, choice{Title: c.Name, URL: v.Path() + "?connector=" + id})
		if id == v.value("connector") {
			data.Connector = &connectors[i]
			data.Form = v.pullForm(feedback.NewPull(), data.Connector, options)
			data.Form.Action, data.Form.Cancel = v.Path(), feedbackURL(customer.ID)
		}
	}
	return data, nil
}

func (v *visit) pullView(title string, customer *routing.Customer, data pullData) page {
	return page{Title: title, Crumb: &crumb{customer.Name, feedbackURL(customer.ID)}, Data: data}
}

func (v *visit) newPullPage() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	data, err := v.newPull(customer)
	if err != nil {
		return err
	}
	return v.Page("pull", v.pullView(v.T("pull.new"), customer, data))
}

func (v *visit) createPull() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	data, err := v.newPull(customer)
	if err != nil {
		return err
	}
	if data.Form == nil {
		return errNoPage
	}
	f, p := data.Form, feedback.NewPull()
	f.Fill(v)
	err = v.fillPull(f, p, data.Connector)
	if err == nil {
		err = p.ConnectionID.UnmarshalText([]byte(f.Get("ConnectionID")))
	}
	if err == nil {
		err = v.Feedback.CreatePull(v.ctx(), p)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("pull", v.pullView(v.T("pull.new"), customer, data))
	}
	v.Done(v.T("pull.created", p.Name))
	return v.Go(pullURL(p.ID))
}

// pull is the pull of the page's address, with all that its page shows.
func (v *visit) pull() (*feedback.Pull, *routing.Customer, pullData, error) {
	var data pullData
	id, err := v.id()
	if err != nil {
		return nil, nil, data, err
	}
	p, err := read[feedback.Pull](v, fmt.Sprintf("Pulls(%d)", id), query{"$expand": "Connection($select=ID,Name,CustomerID),Connector"})
	if err != nil {
		return nil, nil, data, err
	}
	if p.Connector == nil || p.Connection == nil {
		return nil, nil, data, errNoPage
	}
	customer, err := read[routing.Customer](v, fmt.Sprintf("Customers(%d)", p.Connection.CustomerID), nil)
	data = pullData{Form: v.pullForm(&p, p.Connector, nil), Pull: &p, Badge: v.pullBadge(&p), Connector: p.Connector}
	if v.Can("manager") {
		data.Delete = &Confirm{ID: "delete", Title: v.T("pull.delete"), Text: v.T("pull.delete.text"), Name: p.Name, Action: pullURL(id) + "/delete", Submit: v.T("pull.delete.submit")}
	}
	return &p, &customer, data, err
}

func (v *visit) pullPage() error {
	p, customer, data, err := v.pull()
	if err != nil {
		return err
	}
	return v.Page("pull", v.pullView(p.Name, customer, data))
}

func (v *visit) updatePull() error {
	p, customer, data, err := v.pull()
	if err != nil {
		return err
	}
	f, title := data.Form, p.Name
	f.Fill(v)
	if p.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	if err = v.fillPull(f, p, p.Connector); err == nil {
		err = v.Feedback.UpdatePull(v.ctx(), p)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("pull", v.pullView(title, customer, data))
	}
	v.Done(v.T("form.saved"))
	return v.Go(pullURL(p.ID))
}

// testPull shows what a reading would come to; it stores nothing.
func (v *visit) testPull() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	t, err := v.Feedback.TestPull(v.ctx(), id)
	if err != nil {
		return err
	}
	return v.Part("pull", "pull-test", t)
}

func (v *visit) runPull() error { return v.changePull(v.Feedback.RunPull, v.T("pull.running")) }

func (v *visit) activatePull() error {
	return v.changePull(v.Feedback.ActivatePull, v.T("pull.activated"))
}

func (v *visit) pausePull() error { return v.changePull(v.Feedback.PausePull, v.T("pull.paused")) }

// changePull changes the pull of the page's address, and says so on its page.
func (v *visit) changePull(change func(ctx context.Context, id int64) error, done string) error {
	id, err := v.id()
	if err != nil {
		return err
	}
	err = change(v.ctx(), id)
	switch code := fault.CodeOf(err); {
	case err == nil:
		v.Done(done)
	case code == fault.Invalid || code == fault.Conflict:
		v.Failed(err)
	default:
		return err
	}
	return v.Go(pullURL(id))
}

func (v *visit) deletePull() error {
	p, customer, _, err := v.pull()
	if err != nil {
		return err
	}
	if v.value("confirm") != p.Name {
		v.Failed(errNotTyped)
		return v.Go(pullURL(p.ID))
	}
	if err := v.Feedback.DeletePull(v.ctx(), p.ID); err != nil {
		return err
	}
	v.Done(v.T("pull.deleted", p.Name))
	return v.Go(feedbackURL(customer.ID))
}
