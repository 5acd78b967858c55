package console

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"leadloop/leads"
	"leadloop/odata/fault"
	"leadloop/routing"
)

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
		m.Pairs = append(m.Pairs, [2]string{v.T("lead.attempt.took"), v.Took(a.DurationMs)})
		if a.Error != nil {
			m.Text = v.faultMessage(*a.Error)
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
		state.Text = v.faultMessage(*r.Error)
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
