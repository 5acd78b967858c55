package console

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) customerRoutes() []route {
	return []route{
		{pattern: "GET /console/customers", do: (*visit).customersPage, nav: "customers"},
		{pattern: "GET /console/customers/new", do: (*visit).newCustomerPage, role: store.Manager},
		{pattern: "POST /console/customers/new", do: (*visit).createCustomer},
		{pattern: "GET /console/customers/{id}", do: (*visit).customerPage},
		{pattern: "POST /console/customers/{id}", do: (*visit).updateCustomer},
		{pattern: "POST /console/customers/{id}/delete", do: (*visit).deleteCustomer},
	}
}

// customersData is what the list shows.
type customersData struct {
	Filters Filters
	Table   Table
}

func (v *visit) customersPage() error {
	search, after := v.value("q"), v.value("after")
	filter := ""
	if search != "" {
		filter = "contains(tolower(Name),tolower(" + literal(search) + "))"
	}
	rows, err := readList[customerRow](v, "Customers", 0, query{
		"$filter": filter, "$orderby": "Name,ID", "$skiptoken": after, "$select": "ID,Name,Description,CreatedAt",
		"$expand": "Rules($filter=State eq 'active';$select=ID),Connections($select=ID)",
	})
	if err != nil {
		return err
	}
	data := customersData{
		Filters: Filters{Action: v.Path(), Target: "list", Search: search, Placeholder: v.T("customers.search")},
		Table:   v.customersTable(rows.Rows),
	}
	if search != "" {
		data.Table.Empty = &Empty{Icon: "search", Title: v.T("list.nothing"), Text: v.T("list.nothing.text"), Action: v.T("list.clear"), URL: v.Path()}
	}
	data.Table.Pages(v.Path(), url.Values{"q": {search}}, after, rows.After)
	return v.Page("customers", page{Title: v.T("nav.customers"), Data: data})
}

// customerRow is a customer in the list.
type customerRow struct {
	ID                int64
	Name, Description string
	CreatedAt         time.Time
	Rules             []struct{} // the active ones
	Connections       []struct{}
}

func (v *visit) customersTable(customers []customerRow) Table {
	t := Table{
		Caption: v.T("nav.customers"),
		Columns: []Column{
			{Title: v.T("customers.name"), Wide: true},
			{Title: v.T("customers.rules")},
			{Title: v.T("customers.connections"), Number: true},
			{Title: v.T("customers.since")},
		},
		Empty: &Empty{Icon: "building", Title: v.T("customers.empty"), Text: v.T("customers.empty.text")},
	}
	if v.Can("manager") {
		t.Empty.Action, t.Empty.URL = v.T("customers.new"), "/console/customers/new"
	}
	for _, c := range customers {
		rules := Badge{v.T("customers.rules.active", len(c.Rules)), "good"}
		if len(c.Rules) == 0 {
			rules = Badge{v.T("customers.rules.none"), ""}
		}
		name := textCell(c.Name)
		name.Sub = c.Description
		t.Rows = append(t.Rows, Row{
			URL:   customerURL(c.ID),
			Cells: []Cell{name, badgeCell(rules), v.numberCell(len(c.Connections)), v.agoCell(&c.CreatedAt)},
		})
	}
	return t
}

func customerURL(id int64) string { return fmt.Sprintf("/console/customers/%d", id) }

// customerTabs are the faces of a customer.
var customerTabs = []struct{ name, path string }{
	{"details", ""}, {"transmission", "/rules"}, {"feedback", "/feedback"}, {"guide", "/guide"},
}

// customerTabs are the tabs over the page of a customer; current is its name in
// the table above.
func (v *visit) customerTabs(id int64, current string) []tab {
	var list []tab
	for _, t := range customerTabs {
		list = append(list, tab{Title: v.T("customer.tab." + t.name), URL: customerURL(id) + t.path, Current: t.name == current})
	}
	return list
}

// customer is the customer of the page's address.
func (v *visit) customer() (*routing.Customer, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	c, err := read[routing.Customer](v, fmt.Sprintf("Customers(%d)", id), nil)
	return &c, err
}

// customerData is what the page of a customer's details shows.
type customerData struct {
	Form        *Form
	Customer    *routing.Customer
	Connections []connectionCard
	Rules       int      // the active ones
	Delete      *Confirm // nil for who may not
}

func (v *visit) customerForm(c *routing.Customer) *Form {
	f := &Form{
		Action: "/console/customers/new", Submit: v.T("customers.create"), Cancel: "/console/customers", ReadOnly: !v.Can("manager"),
		Fields: []*Field{
			{Name: "Name", Label: v.T("customers.name"), Value: c.Name, Required: true, Focus: c.ID == 0},
			{Name: "Description", Label: v.T("customer.description"), Help: v.T("customer.description.help"), Value: c.Description, Kind: "textarea"},
			{
				Name: "MaxConcurrent", Label: v.T("customer.concurrent"), Help: v.T("customer.concurrent.help"), Value: numberText(c.MaxConcurrent),
				Section: v.T("customer.pace"), Kind: "number", Min: "1", Max: "1000", Half: true,
			},
			{
				Name: "MaxPerMinute", Label: v.T("customer.minute"), Help: v.T("customer.minute.help"), Value: numberText(c.MaxPerMinute),
				Kind: "number", Min: "1", Max: "100000", Half: true,
			},
		},
	}
	if c.ID != 0 {
		f.Action, f.Submit, f.Cancel = customerURL(c.ID), v.T("form.save"), ""
		f.Hidden = map[string]string{"Version": strconv.FormatInt(c.Version, 10)}
	}
	return f
}

// fillCustomer takes the form's values over into c.
func fillCustomer(f *Form, c *routing.Customer) error {
	c.Name, c.Description = f.Get("Name"), f.Get("Description")
	var err error
	if c.MaxConcurrent, err = f.number("MaxConcurrent"); err != nil {
		return err
	}
	c.MaxPerMinute, err = f.number("MaxPerMinute")
	return err
}

func (v *visit) newCustomerPage() error {
	return v.Page("customernew", v.newCustomerView(v.customerForm(&routing.Customer{})))
}

func (v *visit) newCustomerView(f *Form) page {
	return page{Title: v.T("customers.new"), Crumb: &crumb{v.T("nav.customers"), "/console/customers"}, Data: f}
}

func (v *visit) createCustomer() error {
	c := &routing.Customer{}
	f := v.customerForm(c)
	f.Fill(v)
	err := fillCustomer(f, c)
	if err == nil {
		err = v.Routing.CreateCustomer(v.ctx(), c)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("customernew", v.newCustomerView(f))
	}
	v.Done(v.T("customers.created", c.Name))
	return v.Go(customerURL(c.ID))
}

func (v *visit) customerPage() error {
	c, err := v.customer()
	if err != nil {
		return err
	}
	view, err := v.customerView(c, v.customerForm(c))
	if err != nil {
		return err
	}
	return v.Page("customer", view)
}

func (v *visit) customerView(c *routing.Customer, f *Form) (page, error) {
	data := customerData{Form: f, Customer: c}
	var err error
	if data.Connections, err = v.connectionCards(c.ID); err != nil {
		return page{}, err
	}
	rules, err := readAll[struct{ ID int64 }](v, "Rules", query{"$filter": fmt.Sprintf("CustomerID eq %d and State eq 'active'", c.ID), "$select": "ID"})
	if err != nil {
		return page{}, err
	}
	data.Rules = len(rules)
	if v.Can("manager") {
		data.Delete = &Confirm{
			ID: "delete", Title: v.T("customer.delete"), Text: v.T("customer.delete.text"), Name: c.Name,
			Action: customerURL(c.ID) + "/delete", Submit: v.T("customer.delete.submit"),
		}
	}
	return page{
		Title: c.Name, Crumb: &crumb{v.T("nav.customers"), "/console/customers"},
		Tabs: v.customerTabs(c.ID, "details"), Data: data,
	}, nil
}

// updateCustomer saves the details. The toast takes them back.
func (v *visit) updateCustomer() error {
	c, err := v.customer()
	if err != nil {
		return err
	}
	f := v.customerForm(c)
	before := f.Values()
	f.Fill(v)
	if c.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	name := c.Name
	err = fillCustomer(f, c)
	if err == nil {
		err = v.Routing.UpdateCustomer(v.ctx(), c)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		c.Name = name
		view, err := v.customerView(c, f)
		if err != nil {
			return err
		}
		return v.Invalid("customer", view)
	}
	before["Version"] = strconv.FormatInt(c.Version, 10)
	v.DoneUndo(v.T("form.saved"), customerURL(c.ID), before)
	return v.Go(customerURL(c.ID))
}

func (v *visit) deleteCustomer() error {
	c, err := v.customer()
	if err != nil {
		return err
	}
	if v.value("confirm") != c.Name {
		err = errNotTyped
	} else {
		err = v.Routing.DeleteCustomer(v.ctx(), c.ID)
	}
	if err != nil {
		v.Failed(err)
		return v.Go(customerURL(c.ID))
	}
	v.Done(v.T("customer.deleted", c.Name))
	return v.Go("/console/customers")
}
