package console

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"leadloop/routing"
)

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
	Lead   string // the address of the lead's page
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
	data := transmissionData{transmission: r, Name: v.leadName(&r), Badge: v.State(r.State), Lead: leadURL(r.LeadID.String())}
	if r.Error != nil {
		data.Why = v.faultMessage(*r.Error)
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
		e.Title = v.T("transmission.status", strconv.Itoa(*a.StatusCode), v.Took(a.DurationMs))
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

func (v *visit) resendTransmission() error {
	id, err := uuid.Parse(v.R.PathValue("id"))
	if err != nil {
		return errNoPage
	}
	return v.done(v.Routing.Resend(v.ctx(), id), v.T("transmission.resent"))
}
