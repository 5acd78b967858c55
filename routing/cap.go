package routing

import "time"

// The periods that a rule can have a cap for.
const (
	capDay   = "day"
	capWeek  = "week"
	capMonth = "month"
	capTotal = "total"
)

// limit is a cap made ready.
type limit struct {
	period string
	most   int
}

// caps are those of the rule.
func (r *Rule) caps() []limit {
	var all []limit
	for _, c := range []struct {
		period string
		most   *int
	}{{capDay, r.CapDay}, {capWeek, r.CapWeek}, {capMonth, r.CapMonth}, {capTotal, r.CapTotal}} {
		if c.most != nil {
			all = append(all, limit{c.period, *c.most})
		}
	}
	return all
}

// slot is what a cap counts: the leads of a rule in one period.
type slot struct {
	rule   int64
	period string // its periodName: day 2026-11-22, week 2026-11-22 (its Sunday), month 2026-11, total
}

// periodName names the period of the kind that the instant at lies in, by the
// calendar of the zone. Weeks begin on Sunday.
func periodName(kind string, at time.Time, zone *time.Location) string {
	if kind == capTotal {
		return capTotal
	}
	at = at.In(zone)
	if kind == capMonth {
		return kind + at.Format(" 2006-01")
	}
	if kind == capWeek {
		y, m, d := at.Date()
		at = time.Date(y, m, d-int(at.Weekday()), 0, 0, 0, 0, time.UTC)
	}
	return kind + at.Format(" 2006-01-02")
}

// period is when that period begins and ends. It is not for the total, which
// does neither.
func period(kind string, at time.Time, zone *time.Location) (begin, end time.Time) {
	at = at.In(zone)
	y, m, d := at.Date()
	days, months := 1, 0
	switch kind {
	case capWeek:
		d, days = d-int(at.Weekday()), 7
	case capMonth:
		d, days, months = 1, 0, 1
	}
	return midnight(y, m, d, zone).UTC(), midnight(y, m+time.Month(months), d+days, zone).UTC()
}
