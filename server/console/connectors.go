package console

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) connectorRoutes() []route {
	return []route{
		{pattern: "GET /console/settings/connectors", do: (*visit).connectorsPage},
		{pattern: "GET /console/settings/connectors/new", do: (*visit).newConnectorPage, role: store.Manager},
		{pattern: "POST /console/settings/connectors/new", do: (*visit).createConnector, role: store.Manager},
		{pattern: "GET /console/settings/connectors/{id}", do: (*visit).connectorPage},
		{pattern: "POST /console/settings/connectors/{id}", do: (*visit).updateConnector, role: store.Manager},
		{pattern: "POST /console/settings/connectors/{id}/delete", do: (*visit).deleteConnector, role: store.Manager},
	}
}

// connectorUse is a connector with the rules that send by it.
type connectorUse struct {
	routing.Connector
	Rules []struct{ ID int64 }
}

func (v *visit) connectorsPage() error {
	list, err := readList[connectorUse](v, "Connectors", 1000, query{"$orderby": "BuiltIn,Name,ID", "$expand": "Rules($select=ID)"})
	if err != nil {
		return err
	}
	t := Table{Caption: v.T("settings.tab.connectors"), Columns: []Column{
		{Title: v.T("connector.name"), Wide: true}, {Title: v.T("connector.kind")}, {Title: v.T("connector.format")}, {Title: v.T("connector.rules"), Number: true},
	}}
	for _, c := range list.Rows {
		name := textCell(c.Name)
		name.Sub = c.Code
		kind := Badge{v.T("connector.own"), "info"}
		if c.BuiltIn {
			kind = Badge{v.T("connector.ready"), ""}
		}
		t.Rows = append(t.Rows, Row{URL: thingURL("connectors", c.ID), Cells: []Cell{name, badgeCell(kind), codeCell(c.Method + " " + c.Format), v.numberCell(len(c.Rules))}})
	}
	return v.Page("connectors", v.settings("connectors", t))
}

// connectorView is what the page of a connector shows.
type connectorView struct {
	Form      *Form
	Connector *connectorUse // nil for a new one
	Copy      string        // address of the form with a copy
	Delete    *Confirm
}

// authParts are the parts of an Authentication that have fields of their own.
var authParts = []string{"Type", "Name", "Value", "User", "Password", "TokenURL", "ClientID", "ClientSecret", "Scope"}

// spareSettings are how many empty settings a form offers.
const spareSettings = 2

// connectorForm has a field for each part of the definition, named as faults name
// it.
func (v *visit) connectorForm(d *definition, settings int) *Form {
	options := func(values ...string) (list []Option) {
		for _, value := range values {
			list = append(list, Option{value, value})
		}
		return list
	}
	part := func(name, label string) *Field {
		return &Field{Name: name, Label: v.T("connector." + label), Help: v.T("connector." + label + ".help"), Value: d.text[name], Ltr: true}
	}
	area := func(name, label string) *Field {
		f := part(name, label)
		f.Kind, f.Rows = "textarea", 3
		return f
	}
	name := &Field{Name: "Name", Label: v.T("connector.name"), Value: d.text["Name"], Required: true, Half: true}
	code, method, format := part("Code", "code"), part("Method", "method"), part("Format", "format")
	code.Half, method.Half, format.Half, method.Required, code.ReadOnly = true, true, true, true, d.id != 0
	format.Kind, format.Options = "select", options("json", "form", "xml", "query", "email")
	address := part("URL", "url")
	address.Required, address.Section = true, v.T("connector.request")
	auth := make([]*Field, 0, len(authParts)+1)
	for _, p := range authParts {
		auth = append(auth, &Field{Name: "Auth/" + p, Label: v.T("connector.auth." + p), Value: d.text["Auth/"+p], Ltr: true, Half: true})
	}
	auth[0].Section, auth[0].Help = v.T("connector.auth"), v.T("connector.auth.help")
	accepted := part("Outcomes/Accepted", "accepted")
	accepted.Section = v.T("connector.answer")
	lookup := area("Lookup", "lookup")
	lookup.Section = v.T("connector.more")
	f := &Form{Fields: slices.Concat(
		[]*Field{name, code, address, method, format, area("Headers", "headers"), area("Query", "query"), area("Fields", "fields"), part("Root", "root")},
		auth, []*Field{area("Auth", "auth.more")},
		[]*Field{
			accepted, part("Outcomes/Duplicate", "duplicate"), part("Outcomes/Rejected", "rejected"), part("Outcomes/Retry", "retry"),
			part("Outcomes/Message", "message"), part("ExternalID", "externalid"), part("ExternalLink", "externallink"),
		},
		v.settingFields(d, settings),
		[]*Field{lookup, area("Reading", "reading")},
	)}
	return f
}

// settingFields are the fields of the settings that rules fill in.
func (v *visit) settingFields(d *definition, settings int) (fields []*Field) {
	types := []Option{{"text", v.T("connector.setting.text")}, {"url", v.T("connector.setting.url")}, {"secret", v.T("connector.setting.secret")}, {"number", v.T("connector.setting.number")}, {"boolean", v.T("connector.setting.boolean")}}
	for i := range settings {
		at := fmt.Sprintf("Settings/%d/", i)
		get := func(name string) string { return d.text[at+name] }
		kind := get("Type")
		if kind == "" {
			kind = "text"
		}
		fields = append(fields,
			&Field{Name: at + "Name", Label: v.T("connector.setting.name"), Value: get("Name"), Ltr: true, Half: true, Section: v.T("connector.setting", i+1)},
			&Field{Name: at + "Type", Label: v.T("connector.setting.type"), Kind: "select", Value: kind, Options: types, Half: true},
			&Field{Name: at + "Default", Label: v.T("connector.setting.default"), Value: get("Default"), Half: true},
			&Field{Name: at + "Choices", Label: v.T("connector.setting.choices"), Value: get("Choices"), Half: true},
			&Field{Name: at + "Help", Label: v.T("connector.setting.help"), Value: get("Help")},
			&Field{Name: at + "Required", Label: v.T("connector.setting.required"), Kind: "checkbox", Value: get("Required")},
		)
	}
	return fields
}

func (v *visit) newConnectorPage() error {
	c := &routing.Connector{Method: "POST", Format: "json"}
	if from := v.value("from"); from != "" {
		id, err := strconv.ParseInt(from, 10, 64)
		if err != nil {
			return errNoPage
		}
		found, err := read[routing.Connector](v, fmt.Sprintf("Connectors(%d)", id), nil)
		if err != nil {
			return err
		}
		c = &found
		c.ID, c.Code, c.Name = 0, "", v.T("connector.copy.name", c.Name)
	}
	return v.Page("connector", v.newConnectorView(v.ready(defined(c))))
}

// ready is the form of a definition with room for some settings more.
func (v *visit) ready(d *definition) *Form {
	f := v.connectorForm(d, d.settings+spareSettings)
	f.Action, f.Submit, f.Cancel = thingURL("connectors", "new"), v.T("connector.create"), settingsURL("connectors")
	if d.id != 0 {
		f.Action, f.Submit, f.Cancel = thingURL("connectors", d.id), v.T("form.save"), ""
		f.Hidden = map[string]string{"Version": d.text["Version"]}
	}
	return f
}

func (v *visit) newConnectorView(f *Form) page {
	return v.setting("connectors", v.T("connector.new"), connectorView{Form: f})
}

func (v *visit) createConnector() error {
	c, f, err := v.postedConnector(&routing.Connector{})
	if err == nil {
		err = v.Routing.CreateConnector(v.ctx(), c)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("connector", v.newConnectorView(f))
	}
	v.Done(v.T("connector.created", c.Name))
	return v.Go(thingURL("connectors", c.ID))
}

// postedConnector is old as the form that was posted changes it, with that form.
func (v *visit) postedConnector(old *routing.Connector) (*routing.Connector, *Form, error) {
	if err := v.R.ParseForm(); err != nil {
		return nil, nil, fault.New(fault.Invalid, err.Error())
	}
	d := posted(old, v.R.PostForm)
	f := v.ready(d)
	c, err := d.connector(old)
	return c, f, err
}

// connector is the connector of the page's address.
func (v *visit) connector() (*connectorUse, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	c, err := read[connectorUse](v, fmt.Sprintf("Connectors(%d)", id), query{"$expand": "Rules($select=ID)"})
	return &c, err
}

func (v *visit) connectorPage() error {
	c, err := v.connector()
	if err != nil {
		return err
	}
	d := defined(&c.Connector)
	f := v.ready(d)
	if c.BuiltIn || !v.Can("manager") { // what is empty tells nothing
		f = v.connectorForm(d, d.settings)
		f.ReadOnly = true
		f.Fields = slices.DeleteFunc(f.Fields, func(field *Field) bool {
			return strings.HasPrefix(field.Name, "Settings/") || field.Value == "" && field.Section == ""
		})
	}
	return v.Page("connector", v.connectorView(c, f))
}

func (v *visit) connectorView(c *connectorUse, f *Form) page {
	view := connectorView{Form: f, Connector: c}
	if v.Can("manager") {
		view.Copy = thingURL("connectors", "new") + "?" + url.Values{"from": {strconv.FormatInt(c.ID, 10)}}.Encode()
	}
	if v.Can("manager") && !c.BuiltIn && len(c.Rules) == 0 {
		view.Delete = &Confirm{
			ID: "delete", Title: v.T("connector.delete.title", c.Name), Text: v.T("connector.delete.text"), Name: c.Name,
			Action: thingURL("connectors", c.ID) + "/delete", Submit: v.T("connector.delete.submit"),
		}
	}
	return v.setting("connectors", c.Name, view)
}

func (v *visit) updateConnector() error {
	c, err := v.connector()
	if err != nil {
		return err
	}
	next, f, err := v.postedConnector(&c.Connector)
	if err == nil {
		err = v.Routing.UpdateConnector(v.ctx(), next)
	}
	if err != nil {
		if f == nil || !f.Fail(v, err) {
			return err
		}
		return v.Invalid("connector", v.connectorView(c, f))
	}
	v.Done(v.T("form.saved"))
	return v.Go(thingURL("connectors", c.ID))
}

func (v *visit) deleteConnector() error {
	c, err := v.connector()
	if err != nil {
		return err
	}
	return v.deleteTyped("connectors", c.Name, thingURL("connectors", c.ID), v.T("connector.deleted", c.Name),
		func() error { return v.Routing.DeleteConnector(v.ctx(), c.ID) })
}
