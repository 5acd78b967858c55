package console

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
)

// leadDetail is a lead with all that happened to it.
type leadDetail struct {
	leadRow
	IsTest        bool
	Version       int64
	Source        *leadSource
	DuplicateOfID *string
	Routings      []leadRouting
}

type leadSource struct {
	ID   int64
	Name string
}

// leadRouting is a routing of a lead, with its attempts and feedback.
type leadRouting struct {
	ID, State     string
	CreatedAt     time.Time
	NextAttemptAt *time.Time
	DeliveredAt   *time.Time
	ExternalID    *string
	ExternalLink  *string
	Error         *string
	Customer      struct {
		ID   int64
		Name string
	}
	Rule     struct{ Name string }
	Attempts []struct {
		ID, DurationMs int64
		StartedAt      time.Time
		StatusCode     *int
		Outcome        string
		Error          *string
	}
	Feedback []leadReport
}

// leadReport is a report on a routing.
type leadReport struct {
	ID                                   string
	ReceivedAt                           time.Time
	ReasonID                             *int32
	Status, Comment, Owner, ExternalLink *string
	Amount                               any
	Currency                             *string
	ReturnState, ReturnComment           *string
}

// moment is an entry of a lead's timeline.
type moment struct {
	At       time.Time
	Kind     string // received, decided, attempt, waiting, feedback
	Title    string
	Text     string
	Tone     string
	Badge    *Badge
	Facts    []Fact
	Pairs    [][2]string // short facts, in words
	Verdicts []verdict   // of rules that got the lead
	Others   []verdict   // of those that did not
	Left     int
	Drawer   string // address of what opens at the side
	Link     string // elsewhere
	Resend   string
	Return   string
}

// leadData is what the page of a lead shows.
type leadData struct {
	Lead    *leadDetail
	Name    string
	Moments []moment
	Facts   [][2]string
	Code    map[string]bool // facts to be read from left to right
	Notice  string
	Erase   *Confirm
	Actions bool
}

// leadID is the {id} of the page's address as a key. NotFound if it is none.
func (v *visit) leadID() (uuid.UUID, error) { return v.pathID("id") }

func (v *visit) pathID(name string) (uuid.UUID, error) {
	id, err := uuid.Parse(v.R.PathValue(name))
	if err != nil {
		return id, errNoPage
	}
	return id, nil
}

func (v *visit) leadDetail() (*leadDetail, error) {
	id, err := v.leadID()
	if err != nil {
		return nil, err
	}
	lead, err := read[leadDetail](v, "Leads("+id.String()+")", query{"$expand": "Source($select=ID,Name)," +
		"Routings($orderby=CreatedAt;$expand=Customer($select=ID,Name),Rule($select=Name)," +
		"Attempts($select=ID,StartedAt,DurationMs,StatusCode,Outcome,Error;$orderby=ID),Feedback($orderby=ReceivedAt))"})
	return &lead, err
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *leadDetail) UnmarshalJSON(b []byte) error {
	var w wholeLead
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	d.leadRow = w.leadRow
	type plain struct {
		IsTest        bool
		Version       int64
		Source        *leadSource
		DuplicateOfID *string
		Routings      []leadRouting
	}
	var p plain
	err := json.Unmarshal(b, &p)
	d.IsTest, d.Version, d.Source, d.DuplicateOfID, d.Routings = p.IsTest, p.Version, p.Source, p.DuplicateOfID, p.Routings
	return err
}

func (v *visit) leadPage() error {
	lead, err := v.leadDetail()
	if err != nil {
		return err
	}
	reasons, err := v.reasonNames()
	if err != nil {
		return err
	}
	explanation, err := read[routing.Explanation](v, "Leads("+lead.ID+")/Explain()", nil)
	if err != nil {
		return err
	}
	data := leadData{Lead: lead, Name: cmp.Or(lead.name(), v.nameless(&lead.leadRow)), Actions: v.Can("manager") && lead.ErasedAt == nil}
	received, err := v.received(lead)
	if err != nil {
		return err
	}
	data.Moments = append(data.Moments, received)
	data.Moments = append(data.Moments, v.decided(&explanation)...)
	for i := range lead.Routings {
		data.Moments = append(data.Moments, v.transmitted(lead, &lead.Routings[i], reasons)...)
	}
	slices.SortStableFunc(data.Moments, func(a, b moment) int { return a.At.Compare(b.At) })
	v.leadFacts(&data, reasons)
	if explanation.Code != routing.LeadDecided {
		data.Notice = v.T("lead.code." + explanation.Code)
	}
	if data.Actions {
		data.Erase = &Confirm{
			ID: "erase", Title: v.T("lead.erase"), Text: v.T("lead.erase.text"), Name: v.eraseName(lead),
			Action: leadURL(lead.ID) + "/erase", Submit: v.T("lead.erase.submit"),
		}
	}
	return v.Page("lead", page{Title: data.Name, Crumb: &crumb{v.T("nav.leads"), "/console/leads"}, Data: data})
}

// eraseName is what is typed to erase a lead: its name, or the end of its id.
func (v *visit) eraseName(lead *leadDetail) string {
	return cmp.Or(lead.name(), lead.ID[len(lead.ID)-6:])
}

// received is the moment a lead came in, with the delivery as it was.
func (v *visit) received(lead *leadDetail) (moment, error) {
	m := moment{At: lead.ReceivedAt, Kind: "received", Tone: "info", Title: v.T("lead.received.staff")}
	if lead.Source != nil {
		m.Title = v.T("lead.received", lead.Source.Name)
	}
	if lead.DuplicateOfID != nil {
		m.Text, m.Link = v.T("lead.duplicate"), leadURL(*lead.DuplicateOfID)
	}
	p, err := read[leads.Incoming](v, "Leads("+lead.ID+")/Payload()", nil)
	if fault.CodeOf(err) == fault.NotFound {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	body := base64.StdEncoding.EncodeToString(p.Bytes)
	if p.Text != nil {
		body = *p.Text
	}
	m.Facts = []Fact{{v.T("lead.payload", cmp.Or(p.ContentType, "?")), body}}
	for _, pair := range [][2]string{{v.T("lead.payload.from"), p.RemoteAddress}, {v.T("lead.payload.agent"), p.UserAgent}} {
		if pair[1] != "" {
			m.Pairs = append(m.Pairs, pair)
		}
	}
	return m, nil
}

// decided are the decisions about a lead with the verdict on each rule.
func (v *visit) decided(x *routing.Explanation) (list []moment) {
	for i := range x.Decisions {
		d := &x.Decisions[i]
		m := moment{At: d.At, Kind: "decided", Left: d.Left}
		for j := range d.Verdicts {
			if said := v.verdict(&d.Verdicts[j]); said.Chosen {
				m.Verdicts = append(m.Verdicts, said)
			} else {
				m.Others = append(m.Others, said)
			}
		}
		m.Title = v.T("lead.cause." + cmp.Or(d.Cause, "unknown"))
		m.Badge = &Badge{v.T("lead.taken", len(m.Verdicts)), "good"}
		if len(m.Verdicts) == 0 {
			m.Badge = &Badge{v.T("lead.taken.none"), "warn"}
		}
		m.Tone = m.Badge.Tone
		list = append(list, m)
	}
	return list
}

// attemptTones are the tones of attempts, by outcome.
var attemptTones = map[string]string{"accepted": "good", "duplicate": "good", "rejected": "bad", "retry": "warn"}

// transmitted are the attempts to transmit a routing, how it stands where it is
// not delivered, and the feedback on it.
func (v *visit) transmitted(lead *leadDetail, r *leadRouting, reasons map[int32]string) (list []moment) {
	last := r.CreatedAt
	for _, a := range r.Attempts {
		m := moment{
			At: a.StartedAt, Kind: "attempt", Tone: attemptTones[a.Outcome], Title: v.T("lead.attempt", r.Customer.Name),
			Badge:  &Badge{v.T("lead.outcome." + a.Outcome), attemptTones[a.Outcome]},
			Drawer: leadURL(lead.ID) + "/attempts/" + strconv.FormatInt(a.ID, 10),
		}
		if a.StatusCode != nil {
			m.Pairs = append(m.Pairs, [2]string{v.T("lead.attempt.status"), strconv.Itoa(*a.StatusCode)})
		}
		m.Pairs = append(m.Pairs, [2]string{v.T("lead.attempt.took"), v.T("lead.attempt.ms", a.DurationMs)})
		if a.Error != nil {
			m.Text = *a.Error
		}
		last = a.StartedAt
		list = append(list, m)
	}
	badge := v.State(r.State)
	state := moment{
		At: last.Add(time.Nanosecond), Kind: "state", Tone: badge.Tone, Badge: &badge,
		Title: v.T("lead.routing", r.Customer.Name, r.Rule.Name), Pairs: [][2]string{{"RoutingID", r.ID}},
	}
	if r.ExternalID != nil {
		state.Pairs = append(state.Pairs, [2]string{v.T("lead.routing.external"), *r.ExternalID})
	}
	if r.ExternalLink != nil {
		state.Link = *r.ExternalLink
	}
	if r.Error != nil && r.State != routing.Delivered {
		state.Text = *r.Error
	}
	if r.State == routing.Pending && r.NextAttemptAt != nil {
		state.Pairs = append(state.Pairs, [2]string{v.T("lead.routing.next"), v.Time(*r.NextAttemptAt)})
	}
	if v.Can("manager") && lead.ErasedAt == nil && r.State != routing.Pending && r.State != routing.Sending {
		state.Resend = leadURL(lead.ID) + "/routings/" + r.ID + "/resend"
	}
	list = append(list, state)
	for i := range r.Feedback {
		list = append(list, v.reported(lead, r, &r.Feedback[i], reasons))
	}
	return list
}

// reported is a report of a customer.
func (v *visit) reported(lead *leadDetail, r *leadRouting, f *leadReport, reasons map[int32]string) moment {
	m := moment{At: f.ReceivedAt, Kind: "feedback", Tone: "info", Title: v.T("lead.feedback", r.Customer.Name)}
	switch {
	case f.ReasonID != nil:
		m.Badge = &Badge{reasons[*f.ReasonID], "info"}
	case f.Status != nil:
		m.Badge, m.Tone = &Badge{v.T("lead.feedback.unmapped", *f.Status), "warn"}, "warn"
	}
	if f.Comment != nil {
		m.Text = *f.Comment
	}
	if f.Owner != nil {
		m.Pairs = append(m.Pairs, [2]string{v.T("lead.feedback.owner"), *f.Owner})
	}
	if f.Amount != nil && f.Currency != nil {
		m.Pairs = append(m.Pairs, [2]string{v.T("lead.feedback.amount"), v.Money(f.Amount, *f.Currency)})
	}
	if f.ReturnState != nil {
		m.Pairs = append(m.Pairs, [2]string{v.T("lead.return"), v.T("lead.return." + *f.ReturnState)})
		if *f.ReturnState == "requested" && v.Can("manager") {
			m.Return = leadURL(lead.ID) + "/feedback/" + f.ID + "/return"
		}
	}
	if f.ReturnComment != nil {
		m.Pairs = append(m.Pairs, [2]string{v.T("lead.return.comment"), *f.ReturnComment})
	}
	if f.ExternalLink != nil {
		m.Link = *f.ExternalLink
	}
	return m
}

// leadFacts are the properties of a lead, the dynamic ones last.
func (v *visit) leadFacts(data *leadData, reasons map[int32]string) {
	lead := data.Lead
	data.Code = map[string]bool{}
	add := func(title, value string, code bool) {
		if value != "" {
			data.Facts = append(data.Facts, [2]string{title, value})
			data.Code[title] = code
		}
	}
	for _, p := range leadProperties {
		value := lead.text(p.name)
		if p.name == "Phone" {
			value = cmp.Or(value, lead.text("PhoneRaw"))
		}
		add(v.T("lead."+p.name), value, p.code)
	}
	if lead.ReasonID != nil {
		add(v.T("lead.Reason"), reasons[*lead.ReasonID], false)
	}
	add(v.T("lead.ConsentText"), lead.text("ConsentText"), false)
	if lead.IsTest {
		add(v.T("leads.test"), v.T("leads.test.only"), false)
	}
	for _, name := range slices.Sorted(maps.Keys(lead.Values)) {
		_, owned := leadOwned[name]
		fixed := slices.ContainsFunc(leadProperties, func(p leadProperty) bool { return p.name == name })
		if !owned && !fixed && name[0] != '@' {
			add(name, lead.text(name), false)
		}
	}
}

// attemptPart is the request and the response of an attempt.
func (v *visit) attemptPart() error {
	id, err := strconv.ParseInt(v.R.PathValue("attempt"), 10, 64)
	if err != nil {
		return errNoPage
	}
	a, err := read[routing.Attempt](v, fmt.Sprintf("Attempts(%d)", id), nil)
	if err != nil {
		return err
	}
	return v.Part("lead", "attempt", struct {
		routing.Attempt
		Badge Badge
	}{a, Badge{v.T("lead.outcome." + a.Outcome), attemptTones[a.Outcome]}})
}

// act carries out an action on the lead of the address, and goes back to its
// page with a message.
func (v *visit) act(do func(id uuid.UUID) error, done string) error {
	id, err := v.leadID()
	if err != nil {
		return err
	}
	if err := do(id); err != nil {
		if fault.CodeOf(err) == fault.Forbidden {
			return err
		}
		v.Failed(err)
	} else {
		v.Done(done)
	}
	return v.Go(leadURL(id.String()))
}

func (v *visit) routeLead() error {
	return v.act(func(id uuid.UUID) error { return v.Routing.RouteLead(v.ctx(), id) }, v.T("lead.route.done"))
}

func (v *visit) eraseLead() error {
	lead, err := v.leadDetail()
	if err != nil {
		return err
	}
	return v.act(func(id uuid.UUID) error {
		if v.value("confirm") != v.eraseName(lead) {
			return errNotTyped
		}
		return v.Privacy.Erase(v.ctx(), id)
	}, v.T("lead.erase.done"))
}

func (v *visit) resendRouting() error {
	routing, err := v.pathID("routing")
	if err != nil {
		return err
	}
	return v.act(func(uuid.UUID) error { return v.Routing.Resend(v.ctx(), routing) }, v.T("lead.resend.done"))
}

func (v *visit) decideLeadReturn() error {
	report, err := v.pathID("feedback")
	if err != nil {
		return err
	}
	approve := v.value("approve") == "true"
	done := v.T("lead.return.done.declined")
	if approve {
		done = v.T("lead.return.done.approved")
	}
	return v.act(func(uuid.UUID) error {
		comment := v.value("Comment")
		return v.Feedback.DecideReturn(v.ctx(), report, approve, &comment)
	}, done)
}

// leadForm are the properties that are edited.
func (v *visit) leadForm(l *leads.Lead) *Form {
	f := &Form{
		Action: leadURL(l.ID.String()) + "/edit", Submit: v.T("form.save"), Cancel: leadURL(l.ID.String()),
		Hidden: map[string]string{"Version": strconv.FormatInt(l.Version, 10)}, ReadOnly: !v.Can("manager"),
	}
	for _, p := range editable(l) {
		field := &Field{Name: p.name, Label: v.T("lead." + p.name), Value: valueOr(*p.value), Half: p.half, Ltr: p.ltr, Focus: p.name == "FirstName"}
		if p.name == "Message" {
			field.Kind = "textarea"
		}
		f.Fields = append(f.Fields, field)
	}
	return f
}

type editableProperty struct {
	name      string
	value     **string
	half, ltr bool
}

// editable are the properties of l that people put right.
func editable(l *leads.Lead) []editableProperty {
	return []editableProperty{
		{"FirstName", &l.FirstName, true, false},
		{"LastName", &l.LastName, true, false},
		{"PhoneRaw", &l.PhoneRaw, true, true},
		{"Email", &l.Email, true, true},
		{"City", &l.City, true, false},
		{"ExternalID", &l.ExternalID, true, true},
		{"Message", &l.Message, false, false},
	}
}

func valueOr(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// editedLead is the lead of the address, as its domain has it.
func (v *visit) editedLead() (*leads.Lead, error) {
	id, err := v.leadID()
	if err != nil {
		return nil, err
	}
	return v.Leads.Lead(v.ctx(), id)
}

func (v *visit) editLeadPage() error {
	l, err := v.editedLead()
	if err != nil {
		return err
	}
	return v.Page("leadedit", v.editLeadView(l, v.leadForm(l)))
}

func (v *visit) editLeadView(l *leads.Lead, f *Form) page {
	return page{Title: v.T("lead.edit"), Crumb: &crumb{v.T("lead.back"), leadURL(l.ID.String())}, Data: f}
}

// updateLead saves what was edited. The toast takes it back.
func (v *visit) updateLead() error {
	l, err := v.editedLead()
	if err != nil {
		return err
	}
	f := v.leadForm(l)
	before := f.Values()
	f.Fill(v)
	if l.Version, err = strconv.ParseInt(f.Hidden["Version"], 10, 64); err != nil {
		return fault.New(fault.Invalid, "Version is missing")
	}
	for _, p := range editable(l) {
		if value := f.Get(p.name); value != before[p.name] {
			*p.value = &value
			if value == "" {
				*p.value = nil
			}
		}
	}
	if err := v.Leads.UpdateLead(v.ctx(), l); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("leadedit", v.editLeadView(l, f))
	}
	before["Version"] = strconv.FormatInt(l.Version, 10)
	v.DoneUndo(v.T("form.saved"), leadURL(l.ID.String())+"/edit", before)
	return v.Go(leadURL(l.ID.String()))
}
