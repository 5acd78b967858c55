package console

import (
	"fmt"
	"slices"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// previewed is how many of the newest leads a draft is held against.
const previewed = 1000

// ruleLive is what the page says of the draft as one edits it.
type ruleLive struct {
	Activation activation
	Preview    *routing.Preview // of the newest leads; nil where it cannot be said
	Words      string           // how many it would take
	Note       string           // why that cannot be said
	Sample     *routing.PreviewedLead
	Body       string
	Tier       []tierLine
}

// activation is whether the rule can go live, and why not.
type activation struct {
	Badge   Badge
	Partial bool // htmx asks for it
	Live    bool // what is edited is what is live
	Pauses  bool // it can be paused
	Paused  bool
	Reasons []string
}

// Open reports whether the rule can be activated.
func (a activation) Open() bool { return len(a.Reasons) == 0 && !a.Live }

func (e *ruleEditor) activation() activation {
	r := e.Rule
	a := activation{Partial: e.Partial, Badge: e.State(r.State), Pauses: r.State == routing.Active, Paused: r.State == routing.Paused}
	changed := e.changed()
	if !e.Routing.SendsRoutingID(e.Draft.Mapping) {
		a.Reasons = append(a.Reasons, e.T("rule.closed.routing"))
	}
	switch {
	case e.New():
		a.Reasons = append(a.Reasons, e.T("rule.closed.new"))
	case changed:
		a.Reasons = append(a.Reasons, e.T("rule.closed.unsaved"))
	case !tested(r):
		a.Reasons = append(a.Reasons, e.T("rule.closed.untested", r.Revision))
	}
	a.Live = r.State == routing.Active && !changed && r.ActiveRevision != nil && *r.ActiveRevision == r.Revision
	return a
}

// Behind reports whether rules get some of its leads as their priority is before
// that of the draft.
func (e *ruleEditor) Behind() bool {
	return slices.ContainsFunc(e.Live.Preview.Rivals, func(r routing.Rival) bool { return r.Ahead > 0 && r.Priority < e.Draft.Priority })
}

// tierLine is a rule beside the one being edited.
type tierLine struct {
	Name, Customer   string
	URL              string // "" for the rule itself
	Priority, Weight int
	Badge            Badge
	Share            string // of the tier's leads, where it is by weight
}

// liveEditor is the editor of what a page has at the moment, be it half filled
// in.
func (v *visit) liveEditor() (*ruleEditor, error) {
	id, err := v.postedID("rule")
	if err != nil {
		return nil, err
	}
	customer, err := v.postedID("customer")
	if err != nil {
		return nil, err
	}
	r := &routing.Rule{CustomerID: customer, State: routing.Draft, Priority: 100, Weight: 1, Visibility: routing.VisibleToAll}
	if id != 0 {
		if r, err = v.readRule(id); err != nil {
			return nil, err
		}
	}
	e, err := v.editor(r)
	if err != nil {
		return nil, err
	}
	if err := e.fill(); err != nil && fault.CodeOf(err) != fault.Invalid {
		return nil, err
	}
	return e, nil
}

// ruleSettings answers with the settings of the connector chosen.
func (v *visit) ruleSettings() error {
	e, err := v.liveEditor()
	if err != nil {
		return err
	}
	return v.Part("rule", "settings", e.Settings)
}

// liveRule answers with what can be said of the draft: what it would take, what
// it would send, whether it may go live, and the condition's other form.
func (v *visit) liveRule() error {
	e, err := v.liveEditor()
	if err != nil {
		return err
	}
	e.Partial = true
	e.Live = &ruleLive{Activation: e.activation()}
	if err := e.preview(); err != nil {
		return err
	}
	if e.Live.Tier, err = e.tier(); err != nil {
		return err
	}
	return v.Part("rule", "live", e)
}

func (e *ruleEditor) preview() error {
	l := e.Live
	if e.Connector == nil {
		l.Note = e.T("rule.live.connector")
		return nil
	}
	draft := *e.Draft
	p, err := e.Routing.PreviewDraft(e.ctx(), &draft, previewed, nil)
	if fault.CodeOf(err) == fault.Invalid {
		if !e.fail(err) {
			return err
		}
		l.Note = e.T("rule.live.wrong")
	} else if err != nil {
		return err
	} else if l.Preview = p; p.Leads == 0 {
		l.Note = e.T("rule.live.none")
	} else {
		l.Words = e.T("rule.live.of", p.Leads)
	}
	draft.Condition = "" // what it sends is shown of a lead that it takes
	s, err := e.Routing.PreviewDraft(e.ctx(), &draft, 0, nil)
	if err != nil {
		if fault.CodeOf(err) == fault.Invalid {
			return nil
		}
		return err
	}
	l.Sample = &s.Examples[0]
	l.Body = readable(l.Sample.Body)
	if l.Body == "" {
		l.Body = l.Sample.URL
	}
	return nil
}

// tier are the customer's rules and those of the same priority, with the one
// edited among them.
func (e *ruleEditor) tier() ([]tierLine, error) {
	d := e.Draft
	filter := fmt.Sprintf("ID ne %d and (CustomerID eq %d or Priority eq %d and State eq 'active')", e.Rule.ID, d.CustomerID, d.Priority)
	rows, err := readList[routing.Rule](e.visit, "Rules", 0, query{
		"$filter": filter, "$orderby": "Priority,ID", "$select": "ID,CustomerID,Name,Priority,Weight,State,Rotation", "$expand": "Customer($select=ID,Name)",
	})
	if err != nil {
		return nil, err
	}
	total, inTurn := d.Weight, d.Rotation == "round-robin"
	for _, r := range rows.Rows {
		if r.Priority == d.Priority && r.State == routing.Active {
			total += r.Weight
			inTurn = inTurn || r.Rotation == "round-robin"
		}
	}
	share := func(weight int) string {
		if inTurn {
			return e.T("rule.tier.turn")
		}
		return e.Percent(float64(weight) / float64(max(total, 1)))
	}
	own := tierLine{Name: e.T("rule.tier.this"), Priority: d.Priority, Weight: d.Weight, Badge: e.State(e.Rule.State), Share: share(d.Weight)}
	var list []tierLine
	placed := false
	for _, r := range rows.Rows {
		if !placed && r.Priority > d.Priority {
			list, placed = append(list, own), true
		}
		line := tierLine{Name: r.Name, URL: ruleURL(r.ID), Priority: r.Priority, Weight: r.Weight, Badge: e.State(r.State)}
		if r.CustomerID != d.CustomerID && r.Customer != nil {
			line.Customer = r.Customer.Name
		}
		if r.Priority == d.Priority && r.State == routing.Active {
			line.Share = share(r.Weight)
		}
		list = append(list, line)
	}
	if !placed {
		list = append(list, own)
	}
	return list, nil
}
