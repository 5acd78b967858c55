package console

import (
	"time"

	"leadloop/routing"
)

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
		t := trouble{ID: r.ID, Name: r.Name, URL: rulesURL(r.CustomerID), Paused: r.State == routing.Paused, Since: r.FailingSince}
		if r.Customer != nil {
			t.Customer = r.Customer.Name
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
