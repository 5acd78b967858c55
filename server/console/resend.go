package console

import (
	"fmt"
	"time"

	"leadloop/odata/fault"
	"leadloop/routing"
)

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
	Progress Progress
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
		ID: fmt.Sprintf("resend-%d", r.ID), Done: r.Resent, Total: max(r.Found, r.Resent, 1),
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
