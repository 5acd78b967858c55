package console

import (
	"maps"
	"slices"
	"strconv"

	"leadloop/odata/fault"
	"leadloop/routing"
	"leadloop/server/staff"
)

func (v *visit) newRulePage() error {
	e, err := v.newEditor()
	if err != nil {
		return err
	}
	return v.showRule(e)
}

// newEditor is the editor of a new rule of the page's customer. It begins with
// the fields that nearly every system has.
func (v *visit) newEditor() (*ruleEditor, error) {
	c, err := v.customer()
	if err != nil {
		return nil, err
	}
	r := &routing.Rule{
		CustomerID: c.ID, Customer: c, Priority: 100, Weight: 1, Rotation: "weight", TimeZone: v.zone,
		Visibility: routing.VisibleToAll, OwnerID: &v.User.ID, State: routing.Draft,
	}
	for _, name := range []string{"FirstName", "LastName", "Phone", "Email"} {
		r.Mapping = append(r.Mapping, routing.MappingEntry{Target: name, Source: name})
	}
	return v.editor(r)
}

func (v *visit) storedEditor() (*ruleEditor, error) {
	r, err := v.rule()
	if err != nil {
		return nil, err
	}
	return v.editor(r)
}

func (v *visit) rulePage() error {
	e, err := v.storedEditor()
	if err != nil {
		return err
	}
	return v.showRule(e)
}

func (v *visit) showRule(e *ruleEditor) error {
	p, err := e.page()
	if err != nil {
		return err
	}
	return v.Page("rule", p)
}

// page gathers what the page shows besides the form.
func (e *ruleEditor) page() (page, error) {
	v, r := e.visit, e.Rule
	title := r.Name
	if e.New() {
		title = v.T("rules.new")
	} else {
		u, err := v.usage(r.ID)
		if err != nil {
			return page{}, err
		}
		e.Usage = v.capUses(r, u)
	}
	if v.Can("manager") {
		if err := e.furnish(); err != nil {
			return page{}, err
		}
		if e.Live == nil {
			e.Live = &ruleLive{}
		}
		e.Live.Activation = e.activation()
	}
	customer := ""
	if r.Customer != nil {
		customer = r.Customer.Name
	}
	return page{Title: title, Crumb: &crumb{customer, rulesURL(r.CustomerID)}, Data: e}, nil
}

// furnish reads what the form offers.
func (e *ruleEditor) furnish() error {
	names, sources, err := e.leadNames()
	if err != nil {
		return err
	}
	e.Names, e.Mapping.Names = names, append(routing.FactNames(), sources...)
	if err := e.readPeople(); err != nil {
		return err
	}
	if !e.New() {
		e.Delete = &Confirm{
			ID: "delete", Title: e.T("rule.delete"), Text: e.T("rule.delete.text"), Name: e.Rule.Name,
			Action: ruleURL(e.Rule.ID) + "/delete", Submit: e.T("rule.delete.submit"),
		}
	}
	return nil
}

// readPeople reads who may own the rule and who may be shown it.
func (e *ruleEditor) readPeople() error {
	people, err := readList[staff.Colleague](e.visit, "Colleagues()", 1000, nil)
	if err != nil {
		return err
	}
	groups, err := readList[staff.Group](e.visit, "Groups", 1000, query{"$orderby": "Name,ID"})
	if err != nil {
		return err
	}
	chosen := e.chosenViewers()
	owners := []Option{{"", e.T("rule.owner.none")}}
	for _, p := range people.Rows {
		id := strconv.FormatInt(p.ID, 10)
		owns := e.Draft.OwnerID != nil && *e.Draft.OwnerID == p.ID
		if p.Active || owns {
			owners = append(owners, Option{id, p.Name})
		}
		if p.Active || chosen["u"+id] {
			e.Viewers = append(e.Viewers, viewerChoice{Value: "u" + id, Label: p.Name, Checked: chosen["u"+id]})
		}
	}
	for _, g := range groups.Rows {
		value := "g" + strconv.FormatInt(g.ID, 10)
		e.Viewers = append(e.Viewers, viewerChoice{Value: value, Label: g.Name, Group: true, Checked: chosen[value]})
	}
	owner := ""
	if e.Draft.OwnerID != nil {
		owner = strconv.FormatInt(*e.Draft.OwnerID, 10)
	}
	e.sections["ownership"] = []*Field{
		{Name: "OwnerID", Label: e.T("rule.owner"), Kind: "select", Value: owner, Options: owners},
		{Name: "Visibility", Label: e.T("rule.visibility"), Help: e.T("rule.visibility.help"), Kind: "select", Value: e.Draft.Visibility, Options: []Option{
			{routing.VisibleToAll, e.T("rule.visibility.all")}, {routing.VisibleToChosen, e.T("rule.visibility.chosen")},
		}},
	}
	return nil
}

// chosenViewers are those of the form, or of the rule where none is posted.
func (e *ruleEditor) chosenViewers() map[string]bool {
	chosen := map[string]bool{}
	if e.R.Method == "POST" && e.Trial == nil {
		for _, value := range e.R.PostForm["viewer"] {
			chosen[value] = true
		}
		return chosen
	}
	for _, v := range e.Rule.Viewers {
		chosen[viewerValue(v)] = true
	}
	return chosen
}

func viewerValue(v routing.RuleViewer) string {
	if v.GroupID != nil {
		return "g" + strconv.FormatInt(*v.GroupID, 10)
	}
	if v.UserID != nil {
		return "u" + strconv.FormatInt(*v.UserID, 10)
	}
	return ""
}

func (v *visit) createRule() error {
	e, err := v.newEditor()
	if err != nil {
		return err
	}
	return v.saveRule(e)
}

func (v *visit) updateRule() error {
	e, err := v.storedEditor()
	if err != nil {
		return err
	}
	return v.saveRule(e)
}

// saveRule stores what the form has, and tests it if that is asked for.
func (v *visit) saveRule(e *ruleEditor) error {
	err := e.fill()
	if err == nil {
		err = e.store()
	} else if fault.CodeOf(err) == fault.Invalid { // the rest that is wrong is told as well
		err = e.wrongTogether(err)
	}
	if err != nil {
		if !e.fail(err) {
			return err
		}
		p, err := e.page()
		if err != nil {
			return err
		}
		return v.Invalid("rule", p)
	}
	if v.value("test") == "" {
		v.Done(v.T("form.saved"))
		return v.Go(ruleURL(e.Rule.ID))
	}
	return v.testRule(e.Rule.ID)
}

// wrongTogether adds to what the form found what the preview of the rest finds
// wrong with the condition.
func (e *ruleEditor) wrongTogether(err error) error {
	var wrong wrongs
	wrong.add(err)
	if e.Connector != nil {
		_, more := e.Routing.PreviewDraft(e.ctx(), e.Draft, 1, nil)
		if fault.CodeOf(more) == fault.Invalid {
			wrong.add(more)
		}
	}
	return wrong.err()
}

// store makes the rule, or its changes, and then shows it to whom it is to be
// shown.
func (e *ruleEditor) store() error {
	before := e.Rule.Viewers
	switch {
	case e.New():
		d := *e.Draft
		if err := e.Routing.CreateRule(e.ctx(), &d); err != nil {
			return err
		}
		d.Customer = e.Rule.Customer
		e.Rule = &d
	case e.changed():
		d := *e.Draft
		if err := e.Routing.UpdateRule(e.ctx(), &d); err != nil {
			return err
		}
		d.Customer, d.Viewers = e.Rule.Customer, before
		e.Rule = &d
	}
	e.Form.Action, e.Form.Hidden["Version"] = e.URL(), strconv.FormatInt(e.Rule.Version, 10)
	return e.storeViewers(before)
}

// storeViewers adds and removes viewers so that they are those chosen. Who is no
// admin stays one, so as not to lose sight of what they are editing.
func (e *ruleEditor) storeViewers(before []routing.RuleViewer) error {
	chosen := map[string]bool{}
	for _, value := range e.R.PostForm["viewer"] {
		chosen[value] = true
	}
	for _, v := range before {
		value := viewerValue(v)
		self := v.UserID != nil && *v.UserID == e.User.ID && !e.Can("admin")
		if !chosen[value] && !self {
			if err := e.Routing.RemoveViewer(e.ctx(), v.ID); err != nil && fault.CodeOf(err) != fault.NotFound {
				return err
			}
		}
		delete(chosen, value)
	}
	for _, value := range slices.Sorted(maps.Keys(chosen)) {
		id, err := strconv.ParseInt(value[1:], 10, 64)
		if err != nil {
			return fault.New(fault.Invalid, "Visibility is wrong").At("Visibility")
		}
		v := &routing.RuleViewer{RuleID: e.Rule.ID, UserID: &id}
		if value[0] == 'g' {
			v.UserID, v.GroupID = nil, &id
		}
		if err := e.Routing.AddViewer(e.ctx(), v); err != nil && fault.CodeOf(err) != fault.Conflict {
			return err
		}
	}
	return nil
}
