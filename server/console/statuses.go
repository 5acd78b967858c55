package console

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"leadloop/feedback"
	"leadloop/odata/fault"
)

// mostMapped is how many mapped statuses are listed; the JSON has all.
const mostMapped = 200

// feedbackStatuses reads the words nobody has mapped, and the customer's map.
func (v *visit) feedbackStatuses(data *feedbackData, reasons []feedback.Reason) error {
	of := fmt.Sprintf("CustomerID eq %d", data.Customer)
	unmapped, err := readAll[feedback.UnmappedStatus](v, "UnmappedStatuses", query{"$filter": of, "$orderby": "Count desc,Status"})
	if err != nil {
		return err
	}
	names := map[int32]string{}
	for _, r := range reasons {
		names[r.ID] = r.Name
	}
	for _, u := range unmapped {
		if u.Mapped {
			data.Settling = append(data.Settling, u)
			continue
		}
		data.Unmapped = append(data.Unmapped, unmappedRow{u, reasonNamed(reasons, u.Status)})
	}
	if n := len(data.Unmapped); n > 0 {
		data.Stats = append(data.Stats, Stat{Label: v.T("feedback.unmapped.words"), Value: v.Number(n), Tone: "warn", URL: "#statuses"})
	}
	mapped, err := readAll[feedback.StatusMap](v, "StatusMaps", query{"$filter": of, "$orderby": "Status"})
	if err != nil {
		return err
	}
	for i, m := range mapped {
		if i == mostMapped {
			data.More = len(mapped) - mostMapped
			break
		}
		row := mappedRow{StatusMap: m, Reason: names[m.ReasonID]}
		if v.Can("manager") {
			row.Remove = fmt.Sprintf("%s/statuses/%d/delete", customerURL(data.Customer), m.ID)
		}
		data.Mapped = append(data.Mapped, row)
	}
	if data.Whole == nil {
		data.Whole = v.wholeForm(data.Customer, mapped)
	}
	return nil
}

// reasonNamed is the id of the reason in use that has the name, in any language.
func reasonNamed(reasons []feedback.Reason, name string) string {
	for _, r := range reasons {
		same := strings.EqualFold(r.Name, name)
		for _, other := range r.Names {
			same = same || strings.EqualFold(other, name)
		}
		if same && r.Active {
			return strconv.Itoa(int(r.ID))
		}
	}
	return ""
}

// wholeForm is the whole map as JSON.
func (v *visit) wholeForm(customer int64, mapped []feedback.StatusMap) *Form {
	whole := make(feedback.Statuses, len(mapped))
	for _, m := range mapped {
		whole[m.Status] = m.ReasonID
	}
	text, _ := json.MarshalIndent(whole, "", "  ") // texts and numbers always marshal
	return &Form{
		Action: customerURL(customer) + "/statuses/all", Submit: v.T("statuses.json.save"), ReadOnly: !v.Can("manager"),
		Fields: []*Field{{
			Name: "Map", Label: v.T("statuses.json"), Help: v.T("statuses.json.help"), Kind: "textarea", Rows: min(max(len(mapped)+2, 6), 24),
			Value: string(text), Ltr: true, Required: true,
		}},
	}
}

// mapStatus says what a word stands for, whether it is in the map already or not.
func (v *visit) mapStatus() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	reason, err := strconv.ParseInt(v.value("ReasonID"), 10, 32)
	if err != nil {
		v.Failed(fault.New(fault.Invalid, "choose a reason"))
		return v.Go(feedbackURL(customer.ID) + "#statuses")
	}
	status := v.value("Status")
	known, err := readList[feedback.StatusMap](v, "StatusMaps", 1, query{
		"$filter": fmt.Sprintf("CustomerID eq %d and tolower(Status) eq tolower(%s)", customer.ID, literal(status)),
	})
	if err != nil {
		return err
	}
	m := feedback.StatusMap{CustomerID: customer.ID, Status: status, ReasonID: int32(reason)}
	undo, before := "", map[string]string(nil)
	if len(known.Rows) > 0 {
		m = known.Rows[0]
		undo, before = customerURL(customer.ID)+"/statuses", map[string]string{"Status": m.Status, "ReasonID": strconv.Itoa(int(m.ReasonID))}
		m.ReasonID = int32(reason)
		err = v.Feedback.UpdateStatusMap(v.ctx(), &m)
	} else if err = v.Feedback.CreateStatusMap(v.ctx(), &m); err == nil {
		undo = fmt.Sprintf("%s/statuses/%d/delete", customerURL(customer.ID), m.ID)
	}
	switch {
	case err != nil && (fault.CodeOf(err) == fault.Invalid || fault.CodeOf(err) == fault.Conflict):
		v.Failed(err)
	case err != nil:
		return err
	default:
		v.DoneUndo(v.T("statuses.done", m.Status), undo, before)
	}
	return v.Go(feedbackURL(customer.ID) + "#statuses")
}

// unmapStatus takes a word out of the map. Reports keep the reasons they got by it.
func (v *visit) unmapStatus() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(v.R.PathValue("map"), 10, 64)
	if err != nil {
		return errNoPage
	}
	m, err := read[feedback.StatusMap](v, fmt.Sprintf("StatusMaps(%d)", id), nil)
	if err == nil {
		err = v.Feedback.DeleteStatusMap(v.ctx(), id)
	}
	if err != nil {
		return err
	}
	v.DoneUndo(v.T("statuses.removed", m.Status), customerURL(customer.ID)+"/statuses",
		map[string]string{"Status": m.Status, "ReasonID": strconv.Itoa(int(m.ReasonID))})
	return v.Go(feedbackURL(customer.ID) + "#statuses")
}

// mapAllStatuses replaces the whole map. The toast takes it back.
func (v *visit) mapAllStatuses() error {
	customer, err := v.customer()
	if err != nil {
		return err
	}
	mapped, err := readAll[feedback.StatusMap](v, "StatusMaps", query{"$filter": fmt.Sprintf("CustomerID eq %d", customer.ID)})
	if err != nil {
		return err
	}
	f := v.wholeForm(customer.ID, mapped)
	before := f.Values()
	f.Fill(v)
	var whole feedback.Statuses
	if json.Unmarshal([]byte(f.Get("Map")), &whole) != nil || whole == nil {
		err = fault.New(fault.Invalid, `this is not JSON such as {"theirs": 3}`).At("Map")
	} else {
		_, err = v.Feedback.SetStatusMap(v.ctx(), customer.ID, whole)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		view, err := v.feedbackView(customer, f)
		if err != nil {
			return err
		}
		return v.Invalid("feedback", view)
	}
	if len(before["Map"]) < maxUndo {
		v.DoneUndo(v.T("form.saved"), customerURL(customer.ID)+"/statuses/all", before)
	} else {
		v.Done(v.T("form.saved"))
	}
	return v.Go(feedbackURL(customer.ID) + "#statuses")
}
