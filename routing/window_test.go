package routing

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// made makes a timetable that is known to be right.
func made(t testing.TB, zone string, windows ...Window) timetable {
	t.Helper()
	var p problems
	table := newTimetable(&p, zone, windows)
	if err := p.err(); err != nil {
		t.Fatal(err)
	}
	return table
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant.UTC()
}

func TestOpen(t *testing.T) {
	office := []Window{{Days: []string{"Sun", "Mon", "Tue", "Wed", "Thu"}, From: "09:00", To: "17:30"}, {Days: []string{"Fri"}, From: "09:00", To: "13:00"}}
	night := []Window{{Days: []string{"Sat"}, From: "22:00", To: "02:00"}}
	small := []Window{{From: "01:30", To: "02:30"}}
	israel, york := "Asia/Jerusalem", "America/New_York"
	for _, c := range []struct {
		name    string
		zone    string
		windows []Window
		now     string
		opens   string // "" now
	}{
		{"always", israel, nil, "2026-11-22T03:00:00Z", ""},
		{"in winter", israel, office, "2026-11-22T07:00:00Z", ""},
		{"before", israel, office, "2026-11-22T06:59:59Z", "2026-11-22T07:00:00Z"},
		{"the last second", israel, office, "2026-11-22T15:29:59Z", ""},
		{"after", israel, office, "2026-11-22T15:30:00Z", "2026-11-23T07:00:00Z"},
		{"in summer", israel, office, "2026-07-05T06:00:00Z", ""},
		{"Friday noon", israel, office, "2026-11-27T11:00:00Z", "2026-11-29T07:00:00Z"},
		{"over midnight", israel, night, "2026-11-28T23:59:00Z", ""},
		{"over midnight, over", israel, night, "2026-11-29T00:00:00Z", "2026-12-05T20:00:00Z"},
		{"not the night before", israel, night, "2026-11-27T23:00:00Z", "2026-11-28T20:00:00Z"},
		{"24:00", york, []Window{{Days: []string{"Mon"}, From: "00:00", To: "24:00"}}, "2026-11-24T04:59:59Z", ""},
		{"24:00, over", york, []Window{{Days: []string{"Mon"}, From: "00:00", To: "24:00"}}, "2026-11-24T05:00:00Z", "2026-11-30T05:00:00Z"},

		// Israel, 27 March 2026: 02:00 is followed by 03:00, at 00:00Z.
		{"gap: before", israel, small, "2026-03-26T23:29:00Z", "2026-03-26T23:30:00Z"},
		{"gap: the half hour that is there", israel, small, "2026-03-26T23:59:59Z", ""},
		{"gap: cut off", israel, small, "2026-03-27T00:00:00Z", "2026-03-27T22:30:00Z"},
		{"gap: begins in it", israel, []Window{{From: "02:30", To: "03:30"}}, "2026-03-26T23:59:00Z", "2026-03-27T00:00:00Z"},
		{"gap: wholly in it", israel, []Window{{From: "02:10", To: "02:50"}}, "2026-03-26T23:59:00Z", "2026-03-27T23:10:00Z"},
		// Israel, 25 October 2026: 02:00 is followed by 01:00, at 23:00Z the day before.
		{"overlap: the first time", israel, small, "2026-10-24T22:30:00Z", ""},
		{"overlap: back before it", israel, small, "2026-10-24T23:00:00Z", "2026-10-24T23:30:00Z"},
		{"overlap: the second time", israel, small, "2026-10-25T00:29:59Z", ""},
		{"overlap: over", israel, small, "2026-10-25T00:30:00Z", "2026-10-25T23:30:00Z"},
		{"overlap: again by the change alone", israel, []Window{{From: "00:30", To: "01:30"}}, "2026-10-24T22:40:00Z", "2026-10-24T23:00:00Z"},
		{"overlap: both hours", israel, []Window{{From: "01:00", To: "02:00"}}, "2026-10-24T23:59:59Z", ""},
		// New York, 8 March 2026: 02:00 is followed by 03:00, at 07:00Z.
		{"New York, gap", york, small, "2026-03-08T07:00:00Z", "2026-03-09T05:30:00Z"},
		{"New York, gap: begins in it", york, []Window{{From: "02:30", To: "03:30"}}, "2026-03-08T06:59:00Z", "2026-03-08T07:00:00Z"},
		// New York, 1 November 2026: 02:00 is followed by 01:00, at 06:00Z.
		{"New York, overlap: the first time", york, small, "2026-11-01T05:45:00Z", ""},
		{"New York, overlap: back before it", york, small, "2026-11-01T06:10:00Z", "2026-11-01T06:30:00Z"},
		{"New York, overlap: the second time", york, small, "2026-11-01T06:45:00Z", ""},
	} {
		table, now := made(t, c.zone, c.windows...), at(t, c.now)
		if got := table.open(now); got != (c.opens == "") {
			t.Errorf("%s: open is %v", c.name, got)
		}
		want := c.opens
		if want == "" {
			want = c.now
		}
		if got := table.opens(now); got == nil || !got.Equal(at(t, want)) {
			t.Errorf("%s: opens %v, want %s", c.name, got, want)
		}
	}
}

// opens finds the first minute that is open, in weeks with and without a change
// of clocks.
func TestOpensIsTheFirst(t *testing.T) {
	weeks := []string{"2026-03-25T00:00:00Z", "2026-10-22T00:00:00Z", "2026-03-06T00:00:00Z", "2026-10-30T00:00:00Z", "2026-06-01T00:00:00Z"}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Asia/Jerusalem", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "UTC"}).Draw(t, "zone")
		windows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Window {
			from := rapid.IntRange(0, 24*60-1).Draw(t, "from")
			to := (from + rapid.IntRange(1, 24*60-1).Draw(t, "length")) % (24 * 60)
			return Window{
				Days: rapid.SliceOfNDistinct(rapid.SampledFrom(dayNames), 0, 2, rapid.ID).Draw(t, "days"),
				From: fmt.Sprintf("%02d:%02d", from/60, from%60), To: fmt.Sprintf("%02d:%02d", to/60, to%60),
			}
		}), 1, 2).Draw(t, "windows")
		var p problems
		table := newTimetable(&p, zone, windows)
		if p.err() != nil {
			t.Fatal(p.err())
		}
		week, _ := time.Parse(time.RFC3339, rapid.SampledFrom(weeks).Draw(t, "week"))
		now := week.Add(time.Duration(rapid.IntRange(0, 4*24*60).Draw(t, "minutes")) * time.Minute)
		want := now
		for !table.open(want) {
			if want = want.Add(time.Minute); want.Sub(now) > 9*24*time.Hour {
				t.Fatal("never open")
			}
		}
		got := table.opens(now)
		if got == nil && want.Sub(now) > 8*24*time.Hour-time.Minute {
			return // a weekly window that a change of clocks left out
		}
		if got == nil || !got.Equal(want) {
			t.Fatalf("from %s opens %v, want %s", now, got, want)
		}
	})
}

func TestPeriods(t *testing.T) {
	for _, c := range []struct {
		zone, now, kind, name, begin, end string
	}{
		{"Asia/Jerusalem", "2026-11-22T21:59:59Z", capDay, "day 2026-11-22", "2026-11-21T22:00:00Z", "2026-11-22T22:00:00Z"},
		{"Asia/Jerusalem", "2026-11-22T22:00:00Z", capDay, "day 2026-11-23", "2026-11-22T22:00:00Z", "2026-11-23T22:00:00Z"},
		{"Asia/Jerusalem", "2026-11-21T22:00:00Z", capWeek, "week 2026-11-22", "2026-11-21T22:00:00Z", "2026-11-28T22:00:00Z"},
		{"Asia/Jerusalem", "2026-11-21T21:59:59Z", capWeek, "week 2026-11-15", "2026-11-14T22:00:00Z", "2026-11-21T22:00:00Z"},
		{"Asia/Jerusalem", "2026-12-31T23:00:00Z", capMonth, "month 2027-01", "2026-12-31T22:00:00Z", "2027-01-31T22:00:00Z"},
		{"America/New_York", "2027-01-01T04:59:59Z", capMonth, "month 2026-12", "2026-12-01T05:00:00Z", "2027-01-01T05:00:00Z"},
		// Days of 23 and 25 hours.
		{"Asia/Jerusalem", "2026-03-27T12:00:00Z", capDay, "day 2026-03-27", "2026-03-26T22:00:00Z", "2026-03-27T21:00:00Z"},
		{"Asia/Jerusalem", "2026-10-25T12:00:00Z", capDay, "day 2026-10-25", "2026-10-24T21:00:00Z", "2026-10-25T22:00:00Z"},
		{"America/New_York", "2026-03-08T12:00:00Z", capDay, "day 2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"America/New_York", "2026-11-01T12:00:00Z", capDay, "day 2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"America/New_York", "2026-03-10T12:00:00Z", capWeek, "week 2026-03-08", "2026-03-08T05:00:00Z", "2026-03-15T04:00:00Z"},
		{"America/New_York", "2026-03-10T12:00:00Z", capMonth, "month 2026-03", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z"},
		// A day that begins at 01:00, as midnight is left out.
		{"Africa/Cairo", "2026-04-24T12:00:00Z", capDay, "day 2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"},
	} {
		zone := made(t, c.zone).zone
		if got := periodName(c.kind, at(t, c.now), zone); got != c.name {
			t.Errorf("%s %s in %s: %s, want %s", c.kind, c.now, c.zone, got, c.name)
		}
		begin, end := period(c.kind, at(t, c.now), zone)
		if !begin.Equal(at(t, c.begin)) || !end.Equal(at(t, c.end)) {
			t.Errorf("%s %s in %s: %s to %s, want %s to %s", c.kind, c.now, c.zone, begin, end, c.begin, c.end)
		}
		for _, inside := range []time.Time{begin, end.Add(-time.Microsecond)} {
			if got := periodName(c.kind, inside, zone); got != c.name {
				t.Errorf("%s is in %s, want %s", inside, got, c.name)
			}
		}
	}
	if got := periodName(capTotal, time.Now(), time.UTC); got != "total" {
		t.Error(got)
	}
}
