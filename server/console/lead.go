package console

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

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
	Person  map[string]string // to find what is held of them; nil where nothing tells
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
		data.Person = person(lead)
		data.Erase = &Confirm{
			ID: "erase", Title: v.T("lead.erase"), Text: v.T("lead.erase.text"), Name: v.eraseName(lead),
			Action: leadURL(lead.ID) + "/erase", Submit: v.T("lead.erase.submit"),
		}
	}
	return v.Page("lead", page{Title: data.Name, Crumb: &crumb{v.T("nav.leads"), "/console/leads"}, Data: data})
}

// person is what finds all leads of the one whose lead this is.
func person(lead *leadDetail) map[string]string {
	if lead.Phone == "" && lead.Email == "" {
		return nil
	}
	return map[string]string{"Phone": lead.Phone, "Email": lead.Email}
}

// eraseName is what is typed to erase a lead: its name, or the end of its id.
func (v *visit) eraseName(lead *leadDetail) string {
	return cmp.Or(lead.name(), lead.ID[len(lead.ID)-6:])
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
