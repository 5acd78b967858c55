package server

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// firstWayward is the place of the first customer whose system misbehaves: there
// is one of each manner, the others are good.
var firstWayward = dayCustomers - len(manners)

// drawCustomers draws the customers of the day and their rules, among them some
// made for one thing:
//
//   - the first rules of customers 0 to 3 take turns, before all others
//   - those of 4 and 5 take what nobody else does
//   - that of 6 is first in line, with a cap that is soon full
//   - that of 7 may have nothing at all
func drawCustomers(r *rand.Rand, n int, now time.Time) []*dayCustomer {
	customers := make([]*dayCustomer, dayCustomers)
	for i := range customers {
		c := &dayCustomer{name: fmt.Sprintf("לקוח %d", i), manner: manner{name: good, ends: "delivered pending", outcomes: "accepted"}}
		if i >= firstWayward {
			c.manner = manners[i-firstWayward]
			c.name = fmt.Sprintf("Customer %d (%s)", i, c.manner.name)
		}
		for place := range rulesEach {
			rule := c.draw(r, n, now)
			rule.place, rule.name = place, fmt.Sprintf("%s, כלל %d", c.name, place)
			if place == 0 {
				rule.special(i, n)
			}
			c.rules = append(c.rules, rule)
		}
		customers[i] = c
	}
	return customers
}

// draw draws a rule.
func (c *dayCustomer) draw(r *rand.Rand, n int, now time.Time) *dayRule {
	rule := &dayRule{
		demand: drawDemand(r), customer: c, connector: "webhook-json", zone: zone("Asia/Jerusalem"),
		priority: []int{10, 20, 30, 40, 60}[r.IntN(5)], weight: 1 + r.IntN(5), caps: map[string]int{},
	}
	rule.turns = rule.priority == 20 && r.IntN(2) == 0
	rule.connector = []string{"webhook-json", "webhook-json", "webhook-form", "webhook-get"}[r.IntN(4)]
	if c.manner.name != good {
		rule.priority, rule.connector = 10+10*r.IntN(3), "webhook-json"
		if c.manner.most > 0 {
			rule.caps["total"] = c.manner.most
		}
		return rule
	}
	rule.zone = zone([]string{"Asia/Jerusalem", "America/New_York", "Europe/London", "Asia/Kolkata"}[r.IntN(4)])
	if r.IntN(3) == 0 {
		for range 1 + r.IntN(2) {
			rule.caps[[]string{"day", "week", "month", "total"}[r.IntN(4)]] = 2 + r.IntN(2+n/60)
		}
	}
	if r.IntN(4) == 0 {
		rule.schedule = drawSchedule(r, now.In(rule.zone))
	}
	if r.IntN(8) == 0 {
		hour := now.Add(time.Duration(1-2*r.IntN(2)) * time.Hour).UTC().Truncate(time.Second)
		if r.IntN(2) == 0 {
			rule.starts = &hour
		} else {
			rule.ends = &hour
		}
	}
	return rule
}

// special makes the first rule of customer i one of the special ones.
func (r *dayRule) special(i, n int) {
	everybody := demand{"", func(*enquiry) bool { return true }}
	switch {
	case i < 4:
		r.demand = demand{"UtmSource eq 'rotate'", func(e *enquiry) bool { return e.utm == "rotate" }}
		r.priority, r.turns = 5, true
	case i < 6:
		r.demand, r.isDefault, r.priority = everybody, true, 10
	case i == 6:
		r.demand = demand{"Rooms ge 2", func(e *enquiry) bool { return e.rooms >= 2 }}
		r.priority, r.turns = 1, false
	case i == 7:
		r.demand, r.priority, r.turns = everybody, 2, false
	default:
		return
	}
	r.caps, r.schedule, r.starts, r.ends = map[string]int{}, nil, nil, nil
	switch i {
	case 6:
		r.caps["day"], r.caps["total"] = 3+n/100, 4+n/50
	case 7:
		r.caps["month"] = 0
	}
}

// drawSchedule draws windows around the time of day now: open, shut, opening and
// closing in the next minute.
func drawSchedule(r *rand.Rand, now time.Time) []dayWindow {
	minute := now.Hour()*60 + now.Minute()
	at := func(offset int) int { return (minute + offset + 24*60) % (24 * 60) }
	w := []dayWindow{{from: at(-120), to: at(120)}, {from: at(120), to: at(240)}, {from: at(-60), to: at(1)}, {from: at(1), to: at(60)}}[r.IntN(4)]
	if r.IntN(3) == 0 {
		for _, offset := range []int{-1, 0, r.IntN(3)} {
			if day := now.AddDate(0, 0, offset).Format("Mon"); len(w.days) == 0 || w.days[len(w.days)-1] != day {
				w.days = append(w.days, day)
			}
		}
	}
	return []dayWindow{w}
}

func zone(name string) *time.Location {
	z, err := time.LoadLocation(name)
	must(err)
	return z
}

// body is the rule as staff enter it.
func (r *dayRule) body(d *day) map[string]any {
	field := func(target, source string) map[string]any { return map[string]any{"Target": target, "Source": source} }
	body := map[string]any{
		"Name": r.name, "ConnectorID": number(d.connector(r.connector)), "Settings": map[string]any{"URL": fmt.Sprintf("%s/rules/%d", r.customer.system.url, r.place)},
		"Condition": r.text, "Priority": r.priority, "Weight": r.weight, "IsDefault": r.isDefault, "TimeZone": r.zone.String(),
		"Mapping": []map[string]any{
			field("Ref", "RoutingID"), field("Enquiry", "Ref"), field("Name", "concat(FirstName,concat(' ',LastName))"), field("Phone", "Phone"), field("City", "City"),
		},
	}
	if r.turns {
		body["Rotation"] = "round-robin"
	}
	for period, most := range r.caps {
		body[map[string]string{"day": "CapDay", "week": "CapWeek", "month": "CapMonth", "total": "CapTotal"}[period]] = most
	}
	windows := []map[string]any{}
	for _, w := range r.schedule {
		clock := func(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }
		windows = append(windows, map[string]any{"Days": append([]string{}, w.days...), "From": clock(w.from), "To": clock(w.to)})
	}
	body["Schedule"] = windows
	if r.starts != nil {
		body["StartsAt"] = r.starts
	}
	if r.ends != nil {
		body["EndsAt"] = r.ends
	}
	return body
}

// connector is the id of a connector.
func (s *stage) connector(code string) string {
	if code == "webhook-json" {
		return s.webhook.String()
	}
	return s.admin.get("/odata/Connectors?$filter=Code eq '"+code+"'").want(200).text("value", 0, "ID")
}
