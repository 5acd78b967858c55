package console

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/store"
)

func (c *Console) ruleRoutes() []route {
	return []route{
		{pattern: "GET /console/customers/{id}/rules", do: (*visit).rulesPage},
		{pattern: "GET /console/customers/{id}/rules/new", do: (*visit).newRulePage, role: store.Manager},
		{pattern: "POST /console/customers/{id}/rules/new", do: (*visit).createRule},
		{pattern: "GET /console/rules/{id}", do: (*visit).rulePage},
		{pattern: "POST /console/rules/{id}", do: (*visit).updateRule},
		{pattern: "POST /console/rules/{id}/activate", do: (*visit).activateRule},
		{pattern: "POST /console/rules/{id}/pause", do: (*visit).pauseRule},
		{pattern: "POST /console/rules/{id}/delete", do: (*visit).deleteRule},
		{pattern: "POST /console/rules/settings", do: (*visit).ruleSettings, role: store.Manager},
		{pattern: "POST /console/rules/live", do: (*visit).liveRule, role: store.Manager},
	}
}

func ruleURL(id int64) string { return fmt.Sprintf("/console/rules/%d", id) }

func rulesURL(customer int64) string { return customerURL(customer) + "/rules" }

// rulesData is what the tab shows.
type rulesData struct {
	New   string // where a rule is added; "" for who may not
	Rules []ruleLine
	Empty Empty
}

// ruleLine is a rule in the list of a customer's.
type ruleLine struct {
	*routing.Rule
	URL       string
	Badge     Badge
	Breaker   *Badge // where it is not closed
	Edited    bool   // what is live is not what is being edited
	Ready     bool   // it can be activated
	Caps      []capUse
	Delivered *time.Time
}

// capUse is how much of a cap is used.
type capUse struct {
	Text string // "3 of 10 today"
	Used int
	Most int
	Full bool
}

// capUses are the caps of a rule with what is used of them.
func (v *visit) capUses(r *routing.Rule, u *routing.Usage) (list []capUse) {
	for _, c := range []struct {
		most, used *int
		say        func(used, most any) string
	}{
		{r.CapDay, u.Day, func(a, b any) string { return v.T("rules.cap.day", a, b) }},
		{r.CapWeek, u.Week, func(a, b any) string { return v.T("rules.cap.week", a, b) }},
		{r.CapMonth, u.Month, func(a, b any) string { return v.T("rules.cap.month", a, b) }},
		{r.CapTotal, u.Total, func(a, b any) string { return v.T("rules.cap.total", a, b) }},
	} {
		if c.most != nil && c.used != nil {
			list = append(list, capUse{Text: c.say(*c.used, *c.most), Used: *c.used, Most: max(*c.most, 1), Full: *c.used >= *c.most})
		}
	}
	return list
}

func (v *visit) usage(id int64) (*routing.Usage, error) {
	u, err := read[routing.Usage](v, fmt.Sprintf("Rules(%d)/Usage()", id), nil)
	return &u, err
}

func (v *visit) rulesPage() error {
	c, err := v.customer()
	if err != nil {
		return err
	}
	after := v.value("after")
	rows, err := readList[routing.Rule](v, fmt.Sprintf("Customers(%d)/Rules", c.ID), 0, query{"$orderby": "Priority,ID", "$skiptoken": after})
	if err != nil {
		return err
	}
	data := rulesData{Empty: Empty{Icon: "send", Title: v.T("rules.empty"), Text: v.T("rules.empty.text", c.Name)}}
	if v.Can("manager") {
		data.New = rulesURL(c.ID) + "/new"
		data.Empty.Action, data.Empty.URL = v.T("rules.new"), data.New
	}
	for i := range rows.Rows {
		line, err := v.ruleLine(&rows.Rows[i])
		if err != nil {
			return err
		}
		data.Rules = append(data.Rules, line)
	}
	return v.Page("rules", page{
		Title: c.Name, Crumb: &crumb{v.T("nav.customers"), "/console/customers"},
		Tabs: v.customerTabs(c.ID, "transmission"), Data: data,
	})
}

func (v *visit) ruleLine(r *routing.Rule) (ruleLine, error) {
	u, err := v.usage(r.ID)
	if err != nil {
		return ruleLine{}, err
	}
	line := ruleLine{
		Rule: r, URL: ruleURL(r.ID), Badge: v.State(r.State), Caps: v.capUses(r, u), Delivered: u.DeliveredAt,
		Edited: r.ActiveRevision != nil && *r.ActiveRevision != r.Revision, Ready: tested(r),
	}
	if r.Breaker != routing.BreakerClosed {
		line.Breaker = &Badge{v.T("rules.breaker." + r.Breaker), tones[r.Breaker]}
	}
	return line, nil
}

// tested reports whether the rule's revision has passed its test.
func tested(r *routing.Rule) bool { return r.TestedRevision != nil && *r.TestedRevision == r.Revision }

// rule is the rule of the page's address.
func (v *visit) rule() (*routing.Rule, error) {
	id, err := v.id()
	if err != nil {
		return nil, err
	}
	return v.readRule(id)
}

func (v *visit) readRule(id int64) (*routing.Rule, error) {
	r, err := read[routing.Rule](v, fmt.Sprintf("Rules(%d)", id), query{"$expand": "Customer,Viewers"})
	return &r, err
}

// activateRule and pauseRule come from the list and from the editor, and lead
// back there.
func (v *visit) activateRule() error {
	return v.turnRule(v.Routing.Activate, func(r *routing.Rule) {
		v.DoneUndo(v.T("rules.activated", r.Name), ruleURL(r.ID)+"/pause", v.wayBack())
	})
}

func (v *visit) pauseRule() error {
	return v.turnRule(v.Routing.Pause, func(r *routing.Rule) {
		undo := ruleURL(r.ID) + "/activate"
		if !tested(r) { // it would be refused
			v.Done(v.T("rules.paused", r.Name))
			return
		}
		v.DoneUndo(v.T("rules.paused", r.Name), undo, v.wayBack())
	})
}

func (v *visit) turnRule(turn func(context.Context, int64) error, said func(*routing.Rule)) error {
	r, err := v.rule()
	if err != nil {
		return err
	}
	if err := turn(v.ctx(), r.ID); err == nil {
		said(r)
	} else if fault.CodeOf(err) == fault.Conflict {
		v.Failed(err)
	} else {
		return err
	}
	if v.value("back") == "list" {
		return v.Go(rulesURL(r.CustomerID))
	}
	return v.Go(ruleURL(r.ID))
}

func (v *visit) wayBack() map[string]string { return map[string]string{"back": v.value("back")} }

func (v *visit) deleteRule() error {
	r, err := v.rule()
	if err != nil {
		return err
	}
	if v.value("confirm") != r.Name {
		err = errNotTyped
	} else {
		err = v.Routing.DeleteRule(v.ctx(), r.ID)
	}
	if err != nil {
		v.Failed(err)
		return v.Go(ruleURL(r.ID))
	}
	v.Done(v.T("rules.deleted", r.Name))
	return v.Go(rulesURL(r.CustomerID))
}

// postedID is a number of the form that the page itself put there.
func (v *visit) postedID(name string) (int64, error) {
	text := v.value(name)
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.Join(errNoPage, err)
	}
	return id, nil
}
