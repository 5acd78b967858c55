package routing

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // zones are known wherever the program runs
)

// defaultZone is the time zone of a rule that names none.
const defaultZone = "Asia/Jerusalem"

// Window is a stretch of the week, by the clock on the wall in the rule's time
// zone: it is open while that clock shows a time from From up to To. An hour that
// daylight saving leaves out is therefore not in it, and one that comes twice is
// in it twice.
type Window struct {
	// Days are those the window begins on: Sun, Mon, Tue, Wed, Thu, Fri, Sat. None
	// means every day.
	Days []string `validate:"max=7,unique,dive,oneof=Sun Mon Tue Wed Thu Fri Sat"`
	// From and To are times of day as 09:00; To may be 24:00. A To before From is on
	// the next day.
	From string `validate:"required"`
	To   string `validate:"required"`
}

var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// hours is a window made ready: minutes since midnight.
type hours struct {
	days     [7]bool
	from, to int // to may be after midnight of the next day
}

// timetable is a schedule made ready. One without windows is always open.
type timetable struct {
	zone    *time.Location
	windows []hours
}

// newTimetable returns Invalid problems in p for what is wrong.
func newTimetable(p *problems, zone string, windows []Window) timetable {
	t := timetable{zone: zoneOf(p, zone)}
	for i, w := range windows {
		target := fmt.Sprintf("Schedule/%d/", i)
		from, ok := minutes(w.From)
		if !ok || from == 24*60 {
			p.addf(target+"From", "From must be a time of day from 00:00 to 23:59")
			continue
		}
		to, ok := minutes(w.To)
		if !ok || to == from {
			p.addf(target+"To", "To must be a time of day from 00:00 to 24:00, and not that of From")
			continue
		}
		if to < from {
			to += 24 * 60
		}
		h := hours{from: from, to: to}
		for d, name := range dayNames {
			h.days[d] = len(w.Days) == 0 || slices.Contains(w.Days, name)
		}
		t.windows = append(t.windows, h)
	}
	return t
}

// zoneOf loads a time zone by its IANA name.
func zoneOf(p *problems, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" { // Local is another one on every machine
		p.addf("TimeZone", "%q is not a time zone; its IANA name is wanted, such as %s", name, defaultZone)
		return time.UTC
	}
	return zone
}

// minutes reads a time of day as 09:30.
func minutes(s string) (int, bool) {
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == 5
}

// open reports whether the timetable is open at the instant at.
func (t timetable) open(at time.Time) bool {
	if len(t.windows) == 0 {
		return true
	}
	at = at.In(t.zone)
	// Seconds count as part of their minute: windows begin and end on whole ones.
	now, today := at.Hour()*60+at.Minute(), int(at.Weekday())
	for _, w := range t.windows {
		if w.days[today] && w.from <= now && now < w.to ||
			w.days[(today+6)%7] && now+24*60 < w.to {
			return true
		}
	}
	return false
}

// opens is the first instant from now on at which the timetable is open, nil if
// it is not within the next 8 days.
func (t timetable) opens(now time.Time) *time.Time {
	const days = 8
	if t.open(now) {
		return &now
	}
	var first *time.Time
	consider := func(at time.Time) {
		if at.After(now) && (first == nil || at.Before(*first)) && t.open(at) {
			at = at.UTC()
			first = &at
		}
	}
	y, m, d := now.In(t.zone).Date()
	for i := range days + 1 {
		for _, w := range t.windows {
			for _, at := range instants(y, m, d+i, w.from, t.zone) {
				consider(at)
			}
		}
	}
	// Clocks that are put back may show a time inside a window again.
	for at := now; ; {
		_, end := at.In(t.zone).ZoneBounds()
		if end.IsZero() || end.After(now.AddDate(0, 0, days)) {
			return first
		}
		consider(end)
		at = end
	}
}

// instants are those at which a clock in the zone shows the minute of the day:
// none, one or two. Of a time that is left out it is when the clocks are put
// forward over it.
func instants(y int, m time.Month, d, minute int, zone *time.Location) []time.Time {
	wall := time.Date(y, m, d, 0, minute, 0, 0, time.UTC)
	before, after := wall.Add(-24*time.Hour).In(zone), wall.Add(24*time.Hour).In(zone)
	var all []time.Time
	for _, near := range []time.Time{before, after} {
		_, offset := near.Zone()
		at := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, own := at.Zone(); own == offset && (len(all) == 0 || !all[0].Equal(at)) {
			all = append(all, at)
		}
	}
	if len(all) == 0 {
		_, end := before.ZoneBounds()
		all = append(all, end)
	}
	return all
}

// midnight is the instant at which the day begins in the zone.
func midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	return instants(y, m, d, 0, zone)[0]
}
