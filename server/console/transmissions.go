package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadloop/routing"
)

func (c *Console) transmissionRoutes() []route {
	return []route{
		{pattern: "GET /console/transmissions", do: (*visit).transmissionsPage, nav: "transmissions"},
		{pattern: "GET /console/transmissions/{id}", do: (*visit).transmissionPage},
		{pattern: "POST /console/transmissions/{id}/resend", do: (*visit).resendTransmission},
		{pattern: "GET /console/transmissions/resend", do: (*visit).resendPage},
		{pattern: "POST /console/transmissions/resend", do: (*visit).resendAll},
		{pattern: "GET /console/transmissions/resends/{id}", do: (*visit).resendProgress},
		{pattern: "POST /console/transmissions/resends/{id}/cancel", do: (*visit).cancelResend},
		{pattern: "POST /console/transmissions/rules/{id}/resume", do: (*visit).resumeRule},
		{pattern: "POST /console/transmissions/rules/{id}/close", do: (*visit).closeBreaker},
	}
}

// routingStates are the states of the queue, in the order of a routing's life.
var routingStates = []string{routing.Pending, routing.Sending, routing.Delivered, routing.Rejected, routing.Failed, routing.Parked}

// selection is which of the transmissions are shown, as the address says.
type selection struct {
	State, Customer, Rule, From, To, Text string
}

func (v *visit) selection() selection {
	s := selection{v.value("state"), v.value("customer"), v.value("rule"), v.value("from"), v.value("to"), v.value("q")}
	if !slices.Contains(routingStates, s.State) {
		s.State = ""
	}
	for _, id := range []*string{&s.Customer, &s.Rule} {
		if _, err := strconv.ParseInt(*id, 10, 64); err != nil {
			*id = ""
		}
	}
	return s
}

// values are the selection as an address has it.
func (s selection) values() url.Values {
	values := url.Values{}
	for name, value := range map[string]string{"state": s.State, "customer": s.Customer, "rule": s.Rule, "from": s.From, "to": s.To, "q": s.Text} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values
}

// address is the page with the selection.
func (s selection) address(path string) string {
	if query := s.values().Encode(); query != "" {
		return path + "?" + query
	}
	return path
}

// filter is the selection as an expression over the Routing, "" for all.
func (v *visit) filter(s selection) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch s.State { // each with the condition of its index
	case "":
	case routing.Pending, routing.Sending:
		add("State eq %s and "+inQueue, literal(s.State))
	default:
		add("State eq %s and NextAttemptAt eq null", literal(s.State))
	}
	if s.Customer != "" {
		add("CustomerID eq %s", s.Customer)
	}
	if s.Rule != "" {
		add("RuleID eq %s", s.Rule)
	}
	if day, err := time.ParseInLocation(time.DateOnly, s.From, v.place); err == nil {
		add("CreatedAt ge %s", day.UTC().Format(time.RFC3339))
	}
	if day, err := time.ParseInLocation(time.DateOnly, s.To, v.place); err == nil {
		add("CreatedAt lt %s", day.AddDate(0, 0, 1).UTC().Format(time.RFC3339))
	}
	if s.Text != "" {
		add("contains(tolower(Error),tolower(%s))", literal(s.Text))
	}
	return strings.Join(parts, " and ")
}

// stateLink is a state of the queue with how many are in it.
type stateLink struct {
	State, Title, URL, Tone string
	Count                   any // as many gives it
	Current                 bool
}

// transmissionsData is what the page of the queue shows.
type transmissionsData struct {
	Filters   Filters
	Self      string // the address that shows the same again
	States    []stateLink
	Troubles  []trouble
	Table     Table
	Resend    string // the address that asks before all are sent again; "" where there is nothing to send
	Resending []resending
}

// transmission is a routing in the list.
type transmission struct {
	routing.Routing
	Lead *struct{ FirstName, LastName, Phone, PhoneRaw, Email *string }
}

func (v *visit) transmissionsPage() error {
	s, after := v.selection(), v.value("after")
	counts, err := v.stateCounts(s)
	if err != nil {
		return err
	}
	order := "ID desc"
	if s.State == routing.Pending || s.State == routing.Sending {
		order = "NextAttemptAt,ID" // as they are to be sent
	}
	rows, err := readList[transmission](v, "Routings", 0, query{
		"$filter": v.filter(s), "$orderby": order, "$skiptoken": after,
		"$select": "ID,State,AttemptCount,NextAttemptAt,CreatedAt,DeliveredAt,Error,RuleID,CustomerID",
		"$expand": "Customer($select=ID,Name),Rule($select=ID,Name),Lead($select=FirstName,LastName,Phone,PhoneRaw,Email)",
	})
	if err != nil {
		return err
	}
	data := transmissionsData{Self: v.R.URL.RequestURI(), Table: v.transmissionsTable(rows.Rows, s)}
	data.Table.Pages(v.Path(), s.values(), after, rows.After)
	for _, state := range append([]string{""}, routingStates...) {
		of := s
		of.State = state
		link := stateLink{State: cmp.Or(state, "all"), URL: of.address(v.Path()), Count: v.many(counts, state), Current: s.State == state}
		if counts[state] > 0 {
			link.Tone = tones[state]
		}
		if link.Title = v.T("transmissions.all"); state != "" {
			link.Title = v.T("state." + state)
		} else {
			link.Count = v.many(counts, routingStates...)
		}
		data.States = append(data.States, link)
	}
	if v.Can("manager") && resendable(counts, s.State) > 0 {
		data.Resend = s.address(v.Path() + "/resend")
	}
	if data.Troubles, err = v.troubles(); err != nil {
		return err
	}
	if data.Resending, err = v.resending(); err != nil {
		return err
	}
	if data.Filters, err = v.transmissionFilters(s); err != nil {
		return err
	}
	return v.Page("transmissions", page{Title: v.T("nav.transmissions"), Data: data})
}

// resendable is how many of those in the state, or of all, can be sent again
// without being sent twice, unless it is those that were asked for.
func resendable(counts map[string]int, state string) int {
	if state != "" {
		if state == routing.Pending || state == routing.Sending {
			return 0
		}
		return counts[state]
	}
	return counts[routing.Rejected] + counts[routing.Failed] + counts[routing.Parked]
}

// mostCounted is how many routings of a state are counted at most: who has more of
// them need not know how many, and nobody has to wait for that.
func mostCounted(state string) int {
	if state == routing.Delivered { // almost all are, and SQLite has no index of them
		return 1000
	}
	return 10_000
}

// stateCounts counts the selection by state, whichever state it has, each to one
// above mostCounted at most.
func (v *visit) stateCounts(s selection) (map[string]int, error) {
	counts := map[string]int{}
	for _, state := range []string{routing.Delivered, routing.Rejected, routing.Failed, routing.Parked} {
		s.State = state
		rows, err := readList[struct{ Count int }](v, "Routings", 1, query{
			"$apply": fmt.Sprintf("filter(%s)/top(%d)/aggregate($count as Count)", v.filter(s), mostCounted(state)+1),
		})
		if err != nil {
			return nil, err
		}
		for _, r := range rows.Rows {
			counts[state] = r.Count
		}
	}
	// What waits is counted together, by the index of the queue.
	s.State = ""
	waiting := strings.TrimSuffix(inQueue+" and "+v.filter(s), " and ")
	most := mostCounted(routing.Pending)
	rows, err := readList[struct {
		State string
		Count int
	}](v, "Routings", 2, query{
		"$apply": fmt.Sprintf("filter(%s)/orderby(NextAttemptAt)/top(%d)/groupby((State),aggregate($count as Count))", waiting, most+1),
	})
	for _, r := range rows.Rows {
		counts[r.State] = r.Count
	}
	if counts[routing.Pending]+counts[routing.Sending] > most {
		counts[routing.Pending] = most + 1
	}
	return counts, err
}

// inQueue is the condition that a routing is pending or being sent.
const inQueue = "NextAttemptAt ne null"

// many is how many routings of these states there are by stateCounts: a number, or
// "10,000+" where there may be more.
func (v *visit) many(counts map[string]int, states ...string) any {
	n, more := 0, false
	for _, state := range states {
		most := mostCounted(state)
		n += min(counts[state], most)
		more = more || counts[state] > most
	}
	if more {
		return v.Number(n) + "+"
	}
	return n
}

func (v *visit) transmissionFilters(s selection) (Filters, error) {
	f := Filters{Action: v.Path(), Target: "live", Search: s.Text, Placeholder: v.T("transmissions.search")}
	type named struct {
		ID   int64
		Name string
	}
	customer := &Field{Name: "customer", Label: v.T("transmissions.customer"), Kind: "select", Value: s.Customer, Options: []Option{{"", v.T("transmissions.customer.all")}}}
	rule := &Field{Name: "rule", Label: v.T("transmissions.rule"), Kind: "select", Value: s.Rule, Options: []Option{{"", v.T("transmissions.rule.all")}}}
	customers, err := readList[named](v, "Customers", maxOffered, query{"$select": "ID,Name", "$orderby": "Name,ID"})
	if err != nil {
		return f, err
	}
	for _, c := range customers.Rows {
		customer.Options = append(customer.Options, Option{strconv.FormatInt(c.ID, 10), c.Name})
	}
	filter := ""
	if s.Customer != "" {
		filter = "CustomerID eq " + s.Customer
	}
	rules, err := readList[named](v, "Rules", maxOffered, query{"$select": "ID,Name", "$orderby": "Name,ID", "$filter": filter})
	if err != nil {
		return f, err
	}
	for _, r := range rules.Rows {
		rule.Options = append(rule.Options, Option{strconv.FormatInt(r.ID, 10), r.Name})
	}
	state := &Field{Name: "state", Label: v.T("transmissions.state"), Kind: "select", Value: s.State, Options: []Option{{"", v.T("transmissions.state.all")}}}
	for _, st := range routingStates {
		state.Options = append(state.Options, Option{st, v.T("state." + st)})
	}
	f.Fields = []*Field{
		state, customer, rule,
		{Name: "from", Label: v.T("transmissions.from"), Kind: "date", Value: s.From},
		{Name: "to", Label: v.T("transmissions.to"), Kind: "date", Value: s.To},
	}
	return f, nil
}

// maxOffered is how many customers and rules the filter offers.
const maxOffered = 1000

func (v *visit) transmissionsTable(rows []transmission, s selection) Table {
	t := Table{
		Caption: v.T("nav.transmissions"),
		Columns: []Column{
			{Title: v.T("transmissions.lead"), Wide: true},
			{Title: v.T("transmissions.customer")},
			{Title: v.T("transmissions.state")},
			{Title: v.T("transmissions.attempts"), Number: true},
			{Title: v.T("transmissions.at")},
		},
		Empty: &Empty{Icon: "send", Title: v.T("transmissions.empty"), Text: v.T("transmissions.empty.text")},
	}
	if s != (selection{}) {
		t.Empty = &Empty{Icon: "search", Title: v.T("list.nothing"), Text: v.T("list.nothing.text"), Action: v.T("list.clear"), URL: v.Path()}
	}
	for _, r := range rows {
		lead := textCell(v.leadName(&r))
		if r.Error != nil {
			lead.Sub = v.faultMessage(*r.Error)
		}
		customer := textCell("")
		if r.Customer != nil {
			customer.Text = r.Customer.Name
		}
		if r.Rule != nil {
			customer.Sub = r.Rule.Name
		}
		at := v.agoCell(&r.CreatedAt)
		if r.State == routing.Pending && r.NextAttemptAt != nil && r.NextAttemptAt.After(v.now()) {
			at.Sub = v.T("transmissions.next", v.Time(*r.NextAttemptAt))
		}
		t.Rows = append(t.Rows, Row{
			ID: "t-" + r.ID.String(), URL: "/console/transmissions/" + r.ID.String(), Drawer: true,
			Cells: []Cell{lead, customer, badgeCell(v.State(r.State)), v.numberCell(r.AttemptCount), at},
		})
	}
	return t
}

// changedQueue is what the list waits for to show itself anew.
const changedQueue = "transmissions"

// toast answers htmx with a message beside the page, which stays as it is but for
// the list.
func (v *visit) toast(f flash, otherwise string) error {
	if v.R.Header.Get("HX-Request") != "true" {
		v.setFlash(f)
		return v.Go(otherwise)
	}
	h := v.W.Header()
	h.Set("HX-Retarget", "#toasts")
	h.Set("HX-Reswap", "beforeend")
	h.Set("HX-Trigger", changedQueue)
	return v.write(200, "transmissions", "toast", page{visit: v, Flash: &f})
}

// done answers a change of the queue that may have failed.
func (v *visit) done(err error, text string) error {
	f := flash{Kind: "done", Text: text}
	if err != nil {
		f = flash{Kind: "failed", Text: v.faultText(v.told(err))}
	}
	return v.toast(f, "/console/transmissions")
}
