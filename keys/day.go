package keys

import (
	"fmt"
	"time"

	"leadloop/odata/fault"
)

// followDays brings StartsAt and EndsAt to the days of c, a change of old. Where
// the instant was changed and the day was not, the day no longer holds.
func (c *Connection) followDays(old *Connection) error {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil || c.TimeZone == "Local" {
		return fault.Newf(fault.Invalid, "%q is not a time zone; its IANA name is wanted, such as %s", c.TimeZone, defaultZone).At("TimeZone")
	}
	moved := c.TimeZone != old.TimeZone
	if c.StartsAt, c.StartsOn, err = follow(c.StartsAt, old.StartsAt, c.StartsOn, old.StartsOn, moved, zone, 0); err != nil {
		return fault.New(fault.Invalid, err.Error()).At("StartsOn")
	}
	if c.EndsAt, c.EndsOn, err = follow(c.EndsAt, old.EndsAt, c.EndsOn, old.EndsOn, moved, zone, 1); err != nil {
		return fault.New(fault.Invalid, err.Error()).At("EndsOn")
	}
	return nil
}

// follow gives the instant and the day that belong together: the instant is the
// first moment in zone of the day that is after days later.
func follow(at, oldAt *time.Time, day, oldDay *string, moved bool, zone *time.Location, after int) (*time.Time, *string, error) {
	sameDay := day == nil && oldDay == nil || day != nil && oldDay != nil && *day == *oldDay
	sameInstant := at == nil && oldAt == nil || at != nil && oldAt != nil && at.Equal(*oldAt)
	switch {
	case sameDay && !sameInstant:
		return at, nil, nil
	case day == nil && sameDay, day != nil && sameDay && !moved:
		return at, day, nil
	case day == nil && sameInstant:
		return nil, nil, nil // the day was taken away, and the instant was its
	case day == nil:
		return at, nil, nil
	}
	first, err := firstMoment(*day, zone, after)
	if err != nil {
		return nil, nil, err
	}
	if !sameInstant && at != nil && !at.Equal(first) {
		return nil, nil, fault.Newf(fault.Invalid, "the day %s begins or ends at another instant; give one of the two", *day)
	}
	return &first, day, nil
}

// firstMoment is when the day that is after days later than day begins in zone:
// at midnight, or where clocks skip that, when the day before has ended.
func firstMoment(day string, zone *time.Location, after int) (time.Time, error) {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return time.Time{}, fault.Newf(fault.Invalid, "%q is not a day such as 2026-01-31", day)
	}
	d = d.AddDate(0, 0, after)
	first := time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, zone)
	if in := first.In(zone); in.Day() != d.Day() { // time.Date may give the moment before the gap
		_, first = first.ZoneBounds()
	}
	return first.UTC(), nil
}

// DayEnds is when a day of the connection's calendar, such as 2026-01-31, is over.
// Invalid for what is no day.
func (c *Connection) DayEnds(day string) (time.Time, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return time.Time{}, fmt.Errorf("time zone of connection %v: %w", c.ID, err)
	}
	return firstMoment(day, zone, 1)
}
