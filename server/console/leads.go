package console

import (
	"cmp"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/server/staff"
)

func (c *Console) leadRoutes() []route {
	return []route{
		{pattern: "GET /console/leads", do: (*visit).leadsPage, nav: "leads"},
		{pattern: "POST /console/leads/export", do: (*visit).exportLeads},
		{pattern: "POST /console/leads/views", do: (*visit).saveView},
		{pattern: "POST /console/leads/views/{id}/delete", do: (*visit).deleteView},
		{pattern: "GET /console/leads/{id}", do: (*visit).leadPage},
		{pattern: "GET /console/leads/{id}/edit", do: (*visit).editLeadPage},
		{pattern: "POST /console/leads/{id}/edit", do: (*visit).updateLead},
		{pattern: "POST /console/leads/{id}/route", do: (*visit).routeLead},
		{pattern: "POST /console/leads/{id}/erase", do: (*visit).eraseLead},
		{pattern: "GET /console/leads/{id}/attempts/{attempt}", do: (*visit).attemptPart},
		{pattern: "POST /console/leads/{id}/routings/{routing}/resend", do: (*visit).resendRouting},
		{pattern: "POST /console/leads/{id}/feedback/{feedback}/return", do: (*visit).decideLeadReturn},
	}
}

var leadStates = []string{leads.StateNew, leads.StateRouted, leads.StateUnmatched, leads.StateDuplicate, leads.StateTest}

// leadsData is what the list shows.
type leadsData struct {
	Query      leadQuery
	Address    string // of the query, for saving and exporting
	Choices    leadChoices
	Conditions []leadCondition // with an empty one to fill in
	Ops        []Option
	Names      []string // of properties, to complete
	Columns    []columnChoice
	Others     string // columns of dynamic properties
	Views      []viewLink
	Wrong      *pointed
	Table      Table
	More       int
	CSV, XLSX  string
}

// leadChoices are the options of the filters.
type leadChoices struct{ Sources, Customers, States, Reasons, Tests, Orders []Option }

type columnChoice struct {
	Name, Title string
	Chosen      bool
}

// viewLink is a saved view.
type viewLink struct {
	staff.SavedView
	URL     string
	Current bool
	Mine    bool
}

func (v *visit) leadsPage() error {
	q, err := v.leadQuery()
	if err != nil {
		return err
	}
	after := v.value("after")
	data := leadsData{Query: q, Address: q.values().Encode(), More: q.more()}
	names, err := v.reasonNames()
	if err != nil {
		return err
	}
	if data.Wrong, err = v.checkRaw(q.Raw); err != nil {
		return err
	}
	var rows list[leadRow]
	if data.Wrong == nil {
		rows, err = v.readLeads(&q, 0, after)
		if f := v.curable(err); f != nil {
			data.Wrong = &pointed{Message: v.faultText(f)}
		} else if err != nil {
			return err
		}
	}
	data.Table = v.leadsTable(&q, rows.Rows, names)
	data.Table.Pages(v.Path(), q.values(), after, rows.After)
	if v.part("list") {
		return v.Part("leads", "leads-list", data)
	}
	if data.Choices, err = v.leadChoices(names); err != nil {
		return err
	}
	if data.Views, err = v.views(data.Address); err != nil {
		return err
	}
	v.fillBuilder(&data, rows.Rows)
	return v.Page("leads", page{Title: v.T("nav.leads"), Data: data})
}

// curable is the fault of a query that the reader can cure; nil for others.
func (v *visit) curable(err error) *fault.Error {
	if code := fault.CodeOf(err); err == nil || code != fault.Invalid && code != fault.NotImplemented {
		return nil
	}
	return v.told(err)
}

// readLeads reads a page of the leads that q asks for.
func (v *visit) readLeads(q *leadQuery, size int, after string) (list[leadRow], error) {
	filter, err := q.filter(v.locale)
	if err != nil {
		return list[leadRow]{}, err
	}
	order := "ReceivedAt desc,ID desc"
	if q.Order == "oldest" {
		order = "ReceivedAt,ID"
	}
	options := query{
		"$filter": filter, "$search": searchExpression(q.Search), "$orderby": order, "$skiptoken": after,
		"$select": q.selected(), "$expand": q.expanded(),
	}
	if options["$select"] != "" {
		return readList[leadRow](v, "Leads", size, options)
	}
	whole, err := readList[wholeLead](v, "Leads", size, options)
	rows := list[leadRow]{Count: whole.Count, Next: whole.Next, After: whole.After}
	for i := range whole.Rows {
		rows.Rows = append(rows.Rows, whole.Rows[i].leadRow)
	}
	return rows, err
}

// columns are those to show.
func (q *leadQuery) columns() []string {
	if len(q.Columns) == 0 {
		return usualColumns
	}
	return q.Columns
}

// selected are the properties that the columns need; "" for all, where dynamic
// ones are among them.
func (q *leadQuery) selected() string {
	names := []string{"ID", "ReceivedAt", "State", "ErasedAt"}
	for _, c := range q.columns() {
		switch {
		case c == "Name":
			names = append(names, "FirstName", "LastName")
		case c == "Phone":
			names = append(names, "Phone", "PhoneRaw")
		case c == "Reason":
			names = append(names, "ReasonID")
		case c == "Source" || c == "Customers" || slices.Contains(names, c):
		case slices.Contains(leadColumns, c):
			names = append(names, c)
		default:
			return ""
		}
	}
	return strings.Join(names, ",")
}

func (q *leadQuery) expanded() string {
	var list []string
	if slices.Contains(q.columns(), "Source") {
		list = append(list, "Source($select=Name)")
	}
	if slices.Contains(q.columns(), "Customers") {
		list = append(list, "Routings($select=State;$expand=Customer($select=Name))")
	}
	return strings.Join(list, ",")
}

func (v *visit) leadsTable(q *leadQuery, rows []leadRow, reasons map[int32]string) Table {
	t := Table{Caption: v.T("nav.leads"), Empty: v.noLeads(q)}
	for _, c := range q.columns() {
		t.Columns = append(t.Columns, Column{Title: v.columnTitle(c)})
	}
	for i := range rows {
		r := &rows[i]
		row := Row{URL: leadURL(r.ID)}
		for _, c := range q.columns() {
			row.Cells = append(row.Cells, v.leadCell(r, c, reasons))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (v *visit) noLeads(q *leadQuery) *Empty {
	if q.narrowed() {
		return &Empty{Icon: "search", Title: v.T("list.nothing"), Text: v.T("list.nothing.text"), Action: v.T("list.clear"), URL: v.Path()}
	}
	return &Empty{Icon: "inbox", Title: v.T("leads.empty"), Text: v.T("leads.empty.text"), Action: v.T("leads.empty.action"), URL: "/console/today"}
}

func leadURL(id string) string { return "/console/leads/" + id }

// columnTitle is a column's heading: dynamic properties are called as they are.
func (l *locale) columnTitle(name string) string {
	if slices.Contains(leadColumns, name) {
		return l.T("lead." + name)
	}
	return name
}

func (v *visit) leadCell(r *leadRow, column string, reasons map[int32]string) Cell {
	switch column {
	case "Name":
		return Cell{Text: cmp.Or(r.name(), v.nameless(r))}
	case "Phone":
		return codeCell(cmp.Or(r.text("Phone"), r.text("PhoneRaw")))
	case "Source":
		if r.Source == nil {
			return textCell("–")
		}
		return textCell(r.Source.Name)
	case "State":
		return badgeCell(v.State(r.State))
	case "Customers":
		return v.customersCell(r)
	case "Reason":
		if r.ReasonID == nil {
			return textCell("–")
		}
		return textCell(reasons[*r.ReasonID])
	case "ReceivedAt":
		return v.agoCell(&r.ReceivedAt)
	case "FeedbackAt":
		return v.agoCell(r.FeedbackAt)
	case "Email", "ExternalID", "ID":
		return codeCell(r.text(column))
	}
	return textCell(cmp.Or(clipped(r.text(column), 120), "–"))
}

// nameless is what a lead without a name is called.
func (v *visit) nameless(r *leadRow) string {
	if r.ErasedAt != nil {
		return v.T("lead.erased")
	}
	return v.T("lead.nameless")
}

// customersCell names who has the lead, with the state where it is not delivered.
func (v *visit) customersCell(r *leadRow) Cell {
	if len(r.Routings) == 0 {
		return textCell("–")
	}
	var b strings.Builder
	for i, g := range r.Routings {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("<bdi>" + template.HTMLEscapeString(g.Customer.Name) + "</bdi>")
		if g.State != "delivered" {
			b.WriteString(` <span class="muted">(` + template.HTMLEscapeString(v.T("state."+g.State)) + ")</span>")
		}
	}
	return Cell{HTML: template.HTML(b.String())}
}

// clipped is text of at most so many characters.
func clipped(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// reasonNames are the feedback reasons in the reader's language.
func (v *visit) reasonNames() (map[int32]string, error) {
	rows, err := readList[struct {
		ID    int32
		Name  string
		Names map[string]string
	}](v, "FeedbackReasons", 1000, query{"$select": "ID,Name,Names", "$orderby": "Position"})
	names := map[int32]string{}
	for _, r := range rows.Rows {
		names[r.ID] = cmp.Or(r.Names[v.lang], r.Name)
	}
	return names, err
}

// named are the ids and names of a set, as options.
func (v *visit) named(set string) ([]Option, error) {
	rows, err := readList[struct {
		ID   int64
		Name string
	}](v, set, 1000, query{"$select": "ID,Name", "$orderby": "Name"})
	var options []Option
	for _, r := range rows.Rows {
		options = append(options, Option{strconv.FormatInt(r.ID, 10), r.Name})
	}
	return options, err
}

func (v *visit) leadChoices(reasons map[int32]string) (c leadChoices, err error) {
	sources, err := v.named("Sources")
	if err != nil {
		return c, err
	}
	customers, err := v.named("Customers")
	if err != nil {
		return c, err
	}
	c.Sources = append([]Option{{"", v.T("leads.source.any")}}, append(sources, Option{"none", v.T("leads.source.none")})...)
	c.Customers = append([]Option{{"", v.T("leads.customer.any")}}, customers...)
	c.States = []Option{{"", v.T("leads.state.any")}}
	for _, s := range leadStates {
		c.States = append(c.States, Option{s, v.T("state." + s)})
	}
	c.Reasons = []Option{{"", v.T("leads.reason.any")}, {"none", v.T("leads.reason.none")}}
	for id, name := range reasons {
		c.Reasons = append(c.Reasons, Option{strconv.Itoa(int(id)), name})
	}
	slices.SortFunc(c.Reasons[2:], func(a, b Option) int { return strings.Compare(a.Label, b.Label) })
	c.Tests = []Option{{"", v.T("leads.test.none")}, {"only", v.T("leads.test.only")}, {"all", v.T("leads.test.all")}}
	c.Orders = []Option{{"", v.T("leads.order.newest")}, {"oldest", v.T("leads.order.oldest")}}
	return c, nil
}

// fillBuilder readies what the form offers: conditions, properties and columns.
func (v *visit) fillBuilder(data *leadsData, rows []leadRow) {
	data.Conditions = append(slices.Clone(data.Query.Conditions), leadCondition{Op: "eq"})
	for _, o := range conditionOps {
		data.Ops = append(data.Ops, Option{o.name, v.T("leads.op." + o.name)})
	}
	known := map[string]bool{}
	for _, p := range leadProperties {
		known[p.name] = true
		data.Names = append(data.Names, p.name)
	}
	for _, r := range rows { // those that only some leads have
		for name := range r.Values {
			if _, owned := leadOwned[name]; !owned && !known[name] && plainName.MatchString(name) && !strings.HasPrefix(name, "Utm") {
				known[name] = true
				data.Names = append(data.Names, name)
			}
		}
	}
	chosen := data.Query.columns()
	var others []string
	for _, c := range leadColumns {
		data.Columns = append(data.Columns, columnChoice{c, v.columnTitle(c), slices.Contains(chosen, c)})
	}
	for _, c := range chosen {
		if !slices.Contains(leadColumns, c) {
			others = append(others, c)
		}
	}
	data.Others = strings.Join(others, ", ")
}

// leadOwned are the names in a lead's JSON that are no properties a form sent.
var leadOwned = map[string]struct{}{
	"ID": {}, "SourceID": {}, "ReceivedAt": {}, "PhoneRaw": {}, "IsTest": {}, "DuplicateOfID": {}, "State": {}, "ReasonID": {}, "FeedbackAt": {},
	"Version": {}, "ConsentText": {}, "ConsentAt": {}, "ErasedAt": {}, "Source": {}, "Routings": {}, "DuplicateOf": {},
}
