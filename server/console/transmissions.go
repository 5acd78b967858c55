package console

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/fault"
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
	if s.State != "" {
		add("State eq %s", literal(s.State))
	}
	if s.State == routing.Pending || s.State == routing.Sending {
		add(inQueue)
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
	if state == routing.Delivered { // of which there is no index: they are almost all
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

// leadName is what the lead of a routing is called.
func (v *visit) leadName(r *transmission) string {
	if r.Lead == nil {
		return r.ID.String()
	}
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	name := strings.TrimSpace(text(r.Lead.FirstName) + " " + text(r.Lead.LastName))
	return cmp.Or(name, text(r.Lead.Phone), text(r.Lead.PhoneRaw), text(r.Lead.Email), v.T("transmissions.nameless"))
}

// transmissionData is what is shown of one transmission.
type transmissionData struct {
	transmission
	Name   string
	Badge  Badge
	Why    string
	Lead   string // the address of the lead's page, if there is one
	Rule   string // the name of the rule
	Can    bool   // it can be sent again
	Ask    *Confirm
	Events []Event
}

// maxAttempts is how many attempts are shown, the newest.
const maxAttempts = 30

func (v *visit) transmissionPage() error {
	id, err := uuid.Parse(v.R.PathValue("id"))
	if err != nil {
		return errNoPage
	}
	r, err := read[transmission](v, fmt.Sprintf("Routings(%s)", id), query{
		"$expand": "Customer($select=ID,Name),Rule($select=ID,Name),Lead($select=FirstName,LastName,Phone,PhoneRaw,Email)",
	})
	if err != nil {
		return err
	}
	attempts, err := readList[routing.Attempt](v, fmt.Sprintf("Routings(%s)/Attempts", id), maxAttempts, query{"$orderby": "ID desc"})
	if err != nil {
		return err
	}
	data := transmissionData{transmission: r, Name: v.leadName(&r), Badge: v.State(r.State)}
	if r.Error != nil {
		data.Why = v.faultMessage(*r.Error)
	}
	if slices.Contains(v.patterns, "GET /console/leads/{id}") {
		data.Lead = "/console/leads/" + r.LeadID.String()
	}
	if data.Rule = strconv.FormatInt(r.RuleID, 10); r.Routing.Rule != nil {
		data.Rule = r.Routing.Rule.Name
	}
	data.Can = v.Can("manager") && r.State != routing.Pending && r.State != routing.Sending
	for _, a := range attempts.Rows {
		data.Events = append(data.Events, v.attemptEvent(&a))
	}
	if v.part("drawer-body") {
		return v.Part("transmission", "drawer", data)
	}
	return v.Page("transmission", page{Title: data.Name, Crumb: &crumb{v.T("nav.transmissions"), "/console/transmissions"}, Data: data})
}

// attemptEvent is an exchange with a customer's system.
func (v *visit) attemptEvent(a *routing.Attempt) Event {
	badge := v.State(a.Outcome)
	if a.Outcome == routing.Duplicate {
		badge.Tone = "good"
	}
	e := Event{Time: a.StartedAt, Title: v.T("transmission.silent"), Badge: &badge, Tone: badge.Tone}
	if a.StatusCode != nil {
		e.Title = v.T("transmission.status", strconv.Itoa(*a.StatusCode), v.Number(a.DurationMs))
	}
	if a.Error != nil {
		e.Text = v.faultMessage(*a.Error)
	}
	for _, f := range []Fact{{v.T("transmission.request"), a.Request}, {v.T("transmission.response"), a.Response}} {
		if f.Code != "" {
			e.Facts = append(e.Facts, f)
		}
	}
	return e
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

func (v *visit) resendTransmission() error {
	id, err := uuid.Parse(v.R.PathValue("id"))
	if err != nil {
		return errNoPage
	}
	return v.done(v.Routing.Resend(v.ctx(), id), v.T("transmission.resent"))
}

// trouble is a rule whose routings wait: it is paused, or its customer's system
// fails.
type trouble struct {
	ID             int64
	Name, Customer string
	URL            string // of the customer's rules
	Badge          Badge
	Why            string
	Paused         bool
	Until          *time.Time // the next probe
	Since          *time.Time
}

func (v *visit) troubles() ([]trouble, error) {
	rules, err := readList[routing.Rule](v, "Rules", 0, query{
		"$filter": "State eq 'paused' or Breaker ne 'closed'", "$orderby": "Name,ID",
		"$select": "ID,Name,State,CustomerID,Breaker,BreakerUntil,FailingSince,PauseReason", "$expand": "Customer($select=ID,Name)",
	})
	if err != nil {
		return nil, err
	}
	var list []trouble
	for _, r := range rules.Rows {
		t := trouble{ID: r.ID, Name: r.Name, URL: customerURL(r.CustomerID), Paused: r.State == routing.Paused, Since: r.FailingSince}
		if r.Customer != nil {
			t.Customer = r.Customer.Name
		}
		if slices.Contains(v.patterns, "GET /console/customers/{id}/rules") {
			t.URL += "/rules"
		}
		switch {
		case t.Paused && r.PauseReason != nil:
			t.Badge, t.Why = v.State(r.State), v.faultMessage(*r.PauseReason)
		case t.Paused:
			t.Badge, t.Why = v.State(r.State), v.T("transmissions.paused.staff")
		default:
			t.Badge, t.Why, t.Until = Badge{v.T("breaker." + r.Breaker), "bad"}, v.T("transmissions.broken"), r.BreakerUntil
		}
		list = append(list, t)
	}
	return list, nil
}

func (v *visit) resumeRule() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.done(v.Routing.Activate(v.ctx(), id), v.T("transmissions.resumed"))
}

func (v *visit) closeBreaker() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.done(v.Routing.CloseBreaker(v.ctx(), id), v.T("transmissions.closed"))
}

// resendData is what is asked before many are sent again.
type resendData struct {
	Selection  selection
	Hidden     map[string]string
	Filter     string
	Count      any  // without those delivered, as many gives it
	Delivered  any  // nil: none
	Only       bool // those delivered were asked for
	States     []stateLink
	Back       string
	FilterText string
}

// resendPage asks before the selection is sent again, with how many that is.
func (v *visit) resendPage() error {
	if !v.Can("manager") {
		return fault.New(fault.Forbidden, "this needs the role manager")
	}
	s := v.selection()
	counts, err := v.stateCounts(s)
	if err != nil {
		return err
	}
	data := resendData{
		Selection: s, Hidden: map[string]string{}, Only: s.State == routing.Delivered, Back: s.address("/console/transmissions"), FilterText: v.filter(s),
	}
	for name, values := range s.values() {
		data.Hidden[name] = values[0]
	}
	var failed []string
	for _, state := range []string{routing.Rejected, routing.Failed, routing.Parked} {
		if counts[state] > 0 && (s.State == "" || s.State == state) {
			data.States = append(data.States, stateLink{Title: v.T("state." + state), Tone: tones[state], Count: v.many(counts, state)})
			failed = append(failed, state)
		}
	}
	data.Count = v.many(counts, failed...)
	if (s.State == "" || data.Only) && (data.Only || counts[routing.Delivered] > 0) {
		data.Delivered = v.many(counts, routing.Delivered)
	}
	if v.part("drawer-body") {
		return v.Part("resend", "drawer", data)
	}
	return v.Page("resend", page{Title: v.T("resend.title"), Crumb: &crumb{v.T("nav.transmissions"), data.Back}, Data: data})
}

func (v *visit) resendAll() error {
	s := v.selection()
	filter := v.filter(s)
	if filter == "" {
		filter = "true"
	}
	_, err := v.Routing.ResendRoutings(v.ctx(), filter, nil, v.value("delivered") == "true")
	if err != nil {
		v.Failed(err)
	}
	return v.Go(s.address("/console/transmissions"))
}

// resending is a Resend under way, or just over.
type resending struct {
	URL      string
	Progress Progress // which the card asks for anew, not by itself
	Running  bool
}

// shownResend is how long a Resend is shown after its end.
const shownResend = 10 * time.Minute

func (v *visit) resending() ([]resending, error) {
	since := v.now().Add(-shownResend).UTC().Format(time.RFC3339)
	rows, err := readList[routing.Resend](v, "Resends", 5, query{
		"$filter": "State eq 'running' or EndedAt ge " + since, "$orderby": "ID desc", "$top": "5",
	})
	var list []resending
	for _, r := range rows.Rows {
		list = append(list, v.progressOf(&r))
	}
	return list, err
}

func (v *visit) progressOf(r *routing.Resend) resending {
	p := Progress{
		ID: fmt.Sprintf("resend-%d", r.ID), Done: r.Resent, Total: max(r.Found, r.Resent, 1), Finished: true,
		Text: v.T("resend."+r.State, v.Number(r.Resent), v.Number(r.Found)),
	}
	if r.State == routing.ResendDone {
		p.Done = p.Total
	}
	return resending{fmt.Sprintf("/console/transmissions/resends/%d", r.ID), p, r.State == routing.ResendRunning}
}

// resendProgress answers how far a Resend is.
func (v *visit) resendProgress() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	r, err := read[routing.Resend](v, fmt.Sprintf("Resends(%d)", id), nil)
	if err != nil {
		return err
	}
	p := v.progressOf(&r)
	if !p.Running {
		v.W.Header().Set("HX-Trigger", changedQueue)
	}
	return v.Part("transmissions", "resend-card", p)
}

func (v *visit) cancelResend() error {
	id, err := v.id()
	if err != nil {
		return err
	}
	return v.done(v.Routing.CancelResend(v.ctx(), id), v.T("resend.stopped"))
}
