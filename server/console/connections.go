package console

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/keys"
	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) connectionRoutes() []route {
	return []route{
		{pattern: "GET /console/customers/{id}/connections/new", do: (*visit).newConnectionPage, role: store.Manager},
		{pattern: "POST /console/customers/{id}/connections/new", do: (*visit).createConnection},
		{pattern: "GET /console/connections/{id}", do: (*visit).connectionPage},
		{pattern: "POST /console/connections/{id}", do: (*visit).updateConnection},
		{pattern: "POST /console/connections/{id}/delete", do: (*visit).deleteConnection},
	}
}

// scopeNames are what a connection may be allowed to do, in the order shown.
var scopeNames = []string{keys.FeedbackWrite, keys.LeadsRead, keys.RoutingsRead, keys.ReasonsRead}

// scopeWord is a scope in words.
func (l *locale) scopeWord(scope string) string {
	return l.T("connection.scope." + strings.ReplaceAll(scope, ":", "."))
}

func connectionURL(id uuid.UUID) string { return fmt.Sprintf("/console/connections/%v", id) }

// connectionCard is a connection as the page of its customer shows it.
type connectionCard struct {
	keys.Connection
	State  Badge
	Dates  string
	May    []string // scopes in words
	Live   []keyRow // the keys that work or will
	Old    []keyRow // those that ended
	Delete *Confirm
}

// connectionCards are all connections of a customer.
func (v *visit) connectionCards(customer int64) ([]connectionCard, error) {
	rows, err := readList[keys.Connection](v, "Connections", 500, query{
		"$filter":  fmt.Sprintf("CustomerID eq %d", customer),
		"$orderby": "CreatedAt", "$expand": "Keys($orderby=CreatedAt desc)",
		"$select": "ID,CustomerID,Name,Description,StartsAt,EndsAt,StartsOn,EndsOn,TimeZone,Scopes,AllowedNetworks,RequestsPerMinute",
	})
	if err != nil {
		return nil, err
	}
	cards := make([]connectionCard, len(rows.Rows))
	for i, c := range rows.Rows {
		cards[i] = v.connectionCard(c)
	}
	return cards, nil
}

func (v *visit) connectionCard(c keys.Connection) connectionCard {
	card := connectionCard{Connection: c, Dates: v.span(&c)}
	for _, scope := range c.Scopes {
		card.May = append(card.May, v.scopeWord(scope))
	}
	for i := range c.Keys {
		row := v.keyRow(&c.Keys[i])
		if row.Over {
			card.Old = append(card.Old, row)
		} else {
			card.Live = append(card.Live, row)
		}
	}
	now := v.now()
	switch {
	case c.EndsAt != nil && !now.Before(*c.EndsAt):
		card.State = Badge{v.T("connection.state.ended"), ""}
	case c.StartsAt != nil && now.Before(*c.StartsAt):
		card.State = Badge{v.T("connection.state.early"), "info"}
	case len(card.Live) == 0:
		card.State = Badge{v.T("connection.state.keyless"), "warn"}
	default:
		card.State = Badge{v.T("connection.state.works"), "good"}
	}
	if v.Can("manager") {
		card.Delete = &Confirm{
			ID: "delete-" + c.ID.String(), Title: v.T("connection.delete"), Text: v.T("connection.delete.text", len(card.Live)), Name: c.Name,
			Action: connectionURL(c.ID) + "/delete", Submit: v.T("connection.delete.submit"),
		}
	}
	return card
}

// span says from when to when a connection works, in the customer's calendar.
func (v *visit) span(c *keys.Connection) string {
	from, to := v.day(c.StartsOn, c.StartsAt), v.day(c.EndsOn, c.EndsAt)
	switch {
	case from == "" && to == "":
		return v.T("connection.dates.always")
	case to == "":
		return v.T("connection.dates.from", from)
	case from == "":
		return v.T("connection.dates.to", to)
	}
	return v.T("connection.dates", from, to)
}

// day writes a day of a calendar, or else an instant.
func (v *visit) day(day *string, at *time.Time) string {
	if day != nil {
		if t, err := time.ParseInLocation(time.DateOnly, *day, v.place); err == nil {
			return v.Date(t)
		}
	}
	if at != nil {
		return v.Time(*at)
	}
	return ""
}

// connectionID is the {id} of the page's address.
func (v *visit) connectionID() (uuid.UUID, error) {
	id, err := uuid.Parse(v.R.PathValue("id"))
	if err != nil {
		return uuid.Nil, errNoPage
	}
	return id, nil
}

// connection is the connection of the page's address, with its customer.
func (v *visit) connection() (*keys.Connection, *routing.Customer, error) {
	id, err := v.connectionID()
	if err != nil {
		return nil, nil, err
	}
	c, err := v.Keys.Connection(v.ctx(), id)
	if err != nil {
		return nil, nil, err
	}
	customer, err := read[routing.Customer](v, fmt.Sprintf("Customers(%d)", c.CustomerID), nil)
	return c, &customer, err
}

func (v *visit) connectionForm(c *keys.Connection) *Form {
	zone := cmp.Or(c.TimeZone, defaultZone)
	nameHelp := v.T("connection.name.help")
	if c.ID == uuid.Nil {
		nameHelp = v.T("connection.name.new")
	}
	f := &Form{
		Action: customerURL(c.CustomerID) + "/connections/new", Submit: v.T("connection.create"), Cancel: customerURL(c.CustomerID), ReadOnly: !v.Can("manager"),
		Fields: []*Field{
			{Name: "Name", Label: v.T("customers.name"), Help: nameHelp, Value: c.Name, Required: true, Focus: c.ID == uuid.Nil},
			{Name: "Description", Label: v.T("customer.description"), Value: c.Description, Kind: "textarea", Rows: 2},
			{Name: "StartsOn", Section: v.T("connection.when"), Label: v.T("connection.starts"), Help: v.instantHelp(c.StartsOn, c.StartsAt), Value: value(c.StartsOn), Kind: "date", Half: true},
			{Name: "EndsOn", Label: v.T("connection.ends"), Help: v.instantHelp(c.EndsOn, c.EndsAt), Value: value(c.EndsOn), Kind: "date", Half: true},
			{Name: "TimeZone", Label: v.T("connection.zone"), Help: v.T("connection.zone.help"), Value: zone, Kind: "select", Options: zoneOptions(zone)},
		},
	}
	for i, scope := range scopeNames {
		field := &Field{Name: scope, Kind: "checkbox", Label: v.scopeWord(scope), Value: strconv.FormatBool(slices.Contains(c.Scopes, scope))}
		if i == 0 {
			field.Section = v.T("connection.may")
		}
		f.Fields = append(f.Fields, field)
	}
	days := ""
	if c.MaxFeedbackAge != nil {
		days = strconv.FormatFloat(c.MaxFeedbackAge.Hours()/24, 'f', -1, 64)
	}
	f.Fields = append(f.Fields,
		&Field{
			Name: "AllowedNetworks", Section: v.T("connection.bounds"), Label: v.T("connection.networks"), Help: v.T("connection.networks.help"),
			Value: strings.Join(c.AllowedNetworks, "\n"), Kind: "textarea", Rows: 2, Ltr: true,
		},
		&Field{Name: "RequestsPerMinute", Label: v.T("connection.rate"), Value: strconv.Itoa(cmp.Or(c.RequestsPerMinute, 1200)), Kind: "number", Min: "1", Required: true, Half: true},
		&Field{Name: "MaxFeedbackAge", Label: v.T("connection.age"), Help: v.T("connection.age.help"), Value: days, Kind: "number", Min: "1", Half: true},
		&Field{Name: "AllowGet", Section: v.T("connection.webhook"), Label: v.T("connection.get"), Help: v.T("connection.get.help"), Kind: "checkbox", Value: strconv.FormatBool(c.AllowGet)},
		&Field{
			Name: "FeedbackFields", Label: v.T("connection.fields"), Help: v.T("connection.fields.help"), Value: fieldsText(c.FeedbackFields),
			Kind: "textarea", Rows: 3, Ltr: true, Placeholder: "RoutingID=lead_ref",
		},
	)
	if c.ID != uuid.Nil {
		f.Action, f.Submit = connectionURL(c.ID), v.T("form.save")
		f.Hidden = map[string]string{"Version": strconv.FormatInt(c.Version, 10)}
	}
	return f
}

// instantHelp shows an instant that was given in place of a day.
func (v *visit) instantHelp(day *string, at *time.Time) string {
	if day == nil && at != nil {
		return v.T("connection.instant", v.Time(*at))
	}
	return ""
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// given is the value of a field, nil where it is empty.
func (f *Form) given(name string) *string {
	if text := f.Get(name); text != "" {
		return &text
	}
	return nil
}

func fieldsText(names keys.FieldNames) string {
	var lines []string
	for property, theirs := range names {
		lines = append(lines, property+"="+theirs)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// fillConnection takes the form's values over into c.
func fillConnection(f *Form, c *keys.Connection) error {
	c.Name, c.Description, c.TimeZone = f.Get("Name"), f.Get("Description"), f.Get("TimeZone")
	c.StartsOn, c.EndsOn = f.given("StartsOn"), f.given("EndsOn")
	c.AllowGet = f.Get("AllowGet") == "true"
	c.Scopes = []string{}
	for _, scope := range scopeNames {
		if f.Get(scope) == "true" {
			c.Scopes = append(c.Scopes, scope)
		}
	}
	c.AllowedNetworks = strings.FieldsFunc(f.Get("AllowedNetworks"), func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	c.FeedbackFields = keys.FieldNames{}
	for line := range strings.Lines(f.Get("FeedbackFields")) {
		property, theirs, ok := strings.Cut(strings.TrimSpace(line), "=")
		if property = strings.TrimSpace(property); ok && property != "" {
			c.FeedbackFields[property] = strings.TrimSpace(theirs)
		} else if property != "" {
			return fault.Newf(fault.Invalid, "%q is not a line such as RoutingID=lead_ref", property).At("FeedbackFields")
		}
	}
	rate, err := f.number("RequestsPerMinute")
	if err != nil {
		return err
	}
	if rate == nil {
		return fault.New(fault.Invalid, "RequestsPerMinute is required").At("RequestsPerMinute")
	}
	if c.RequestsPerMinute = *rate; *rate == 0 { // which the domain would take for the default
		c.RequestsPerMinute = -1
	}
	c.MaxFeedbackAge = nil
	if text := f.Get("MaxFeedbackAge"); text != "" {
		days, err := strconv.ParseFloat(text, 64)
		if err != nil || days <= 0 || days > 36500 {
			return fault.Newf(fault.Invalid, "%q is not a number of days", text).At("MaxFeedbackAge")
		}
		age := time.Duration(days * 24 * float64(time.Hour)).Truncate(time.Microsecond)
		c.MaxFeedbackAge = &age
	}
	return nil
}

func (v *visit) newConnectionPage() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	f := v.connectionForm(&keys.Connection{CustomerID: customer.ID, Scopes: []string{keys.FeedbackWrite}})
	return v.Page("connection", v.connectionView(v.T("connection.new"), customer, f))
}

func (v *visit) connectionView(title string, customer *routing.Customer, f *Form) page {
	return page{Title: title, Crumb: &crumb{customer.Name, customerURL(customer.ID)}, Data: f}
}

func (v *visit) createConnection() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	c := &keys.Connection{CustomerID: customer.ID}
	f := v.connectionForm(c)
	f.Fill(v)
	if err = fillConnection(f, c); err == nil {
		err = v.Keys.CreateConnection(v.ctx(), c)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("connection", v.connectionView(v.T("connection.new"), customer, f))
	}
	v.Done(v.T("connection.created", c.Name))
	return v.Go(connectionURL(c.ID) + "/keys/new")
}

func (v *visit) connectionPage() error {
	c, customer, err := v.connection()
	if err != nil {
		return err
	}
	return v.Page("connection", v.connectionView(c.Name, customer, v.connectionForm(c)))
}

// updateConnection saves the connection. The toast takes it back.
func (v *visit) updateConnection() error {
	c, customer, err := v.connection()
	if err != nil {
		return err
	}
	f, title := v.connectionForm(c), c.Name
	before := f.Values()
	f.Fill(v)
	if c.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	if err = fillConnection(f, c); err == nil {
		err = v.Keys.UpdateConnection(v.ctx(), c)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("connection", v.connectionView(title, customer, f))
	}
	before["Version"] = strconv.FormatInt(c.Version, 10)
	v.DoneUndo(v.T("form.saved"), connectionURL(c.ID), before)
	return v.Go(customerURL(c.CustomerID))
}

func (v *visit) deleteConnection() error {
	c, customer, err := v.connection()
	if err != nil {
		return err
	}
	if v.value("confirm") != c.Name {
		err = errNotTyped
	} else {
		err = v.Keys.DeleteConnection(v.ctx(), c.ID)
	}
	if err != nil {
		v.Failed(err)
	} else {
		v.Done(v.T("connection.deleted", c.Name))
	}
	return v.Go(customerURL(customer.ID))
}
