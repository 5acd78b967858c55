package keys

import (
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

func TestConnectionDays(t *testing.T) {
	day := func(s string) *string { return &s }
	at := func(s string) *time.Time {
		instant, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return &instant
	}
	text := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		s, c, customer := newService(t, db)
		conn := newConnection(t, s, Connection{CustomerID: customer, StartsOn: day("2026-03-02"), EndsOn: day("2026-03-27")})
		steps := []struct {
			name           string
			change         func(*Connection)
			starts, ends   string
			startOn, endOn bool
		}{
			// The 27th is the last Friday of March, the day on which clocks are set forward.
			{"as it was made", func(*Connection) {}, "2026-03-01T22:00:00Z", "2026-03-27T21:00:00Z", true, true},
			{"another name", func(c *Connection) { c.Name = "x" }, "2026-03-01T22:00:00Z", "2026-03-27T21:00:00Z", true, true},
			{"another zone", func(c *Connection) { c.TimeZone = "Europe/Bucharest" }, "2026-03-01T22:00:00Z", "2026-03-27T22:00:00Z", true, true},
			{"another day", func(c *Connection) { c.EndsOn = day("2026-04-10") }, "2026-03-01T22:00:00Z", "2026-04-10T21:00:00Z", true, true},
			{"an instant", func(c *Connection) { c.EndsAt = at("2026-05-01T00:00:00Z") }, "2026-03-01T22:00:00Z", "2026-05-01T00:00:00Z", true, false},
			{"the zone back", func(c *Connection) { c.TimeZone = "" }, "2026-03-01T22:00:00Z", "2026-05-01T00:00:00Z", true, false},
			{"no first day", func(c *Connection) { c.StartsOn = nil }, "", "2026-05-01T00:00:00Z", false, false},
			{"the same day and instant", func(c *Connection) { c.StartsOn, c.StartsAt = day("2026-03-02"), at("2026-03-01T22:00:00Z") }, "2026-03-01T22:00:00Z", "2026-05-01T00:00:00Z", true, false},
			{"no end", func(c *Connection) { c.EndsAt = nil }, "2026-03-01T22:00:00Z", "", true, false},
			// Where midnight is skipped, the day begins when the one before has ended.
			{"a day without midnight", func(c *Connection) { c.TimeZone, c.StartsOn = "Africa/Cairo", day("2026-04-24") }, "2026-04-23T22:00:00Z", "", true, false},
		}
		for _, step := range steps {
			step.change(conn)
			if err := s.UpdateConnection(asStaff, conn); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			got := reload(t, s, conn.ID)
			if text(got.StartsAt) != step.starts || text(got.EndsAt) != step.ends || (got.StartsOn != nil) != step.startOn || (got.EndsOn != nil) != step.endOn {
				t.Errorf("%s: from %s (%v) to %s (%v)", step.name, text(got.StartsAt), got.StartsOn, text(got.EndsAt), got.EndsOn)
			}
		}

		// It works from the first moment of its first day to the last of its last.
		one := newConnection(t, s, Connection{CustomerID: customer, StartsOn: day("2026-03-02"), EndsOn: day("2026-03-02")})
		k := issue(t, s, one.ID)
		for _, tt := range []struct {
			now string
			ok  bool
		}{
			{"2026-03-01T21:59:59Z", false},
			{"2026-03-01T22:00:00Z", true},
			{"2026-03-02T21:59:59Z", true},
			{"2026-03-02T22:00:00Z", false},
		} {
			c.advance(at(tt.now).Sub(c.Now()))
			if _, err := s.Authenticate(ctx, k.Key, nil, local); (err == nil) != tt.ok {
				t.Errorf("at %s: %v", tt.now, err)
			}
		}

		for name, tt := range map[string]struct {
			change func(*Connection)
			target string
		}{
			"no such zone":          {func(c *Connection) { c.TimeZone = "Asia/Haifa" }, "TimeZone"},
			"the machine's zone":    {func(c *Connection) { c.TimeZone = "Local" }, "TimeZone"},
			"no day":                {func(c *Connection) { c.StartsOn = day("soon") }, "StartsOn"},
			"a day there is not":    {func(c *Connection) { c.EndsOn = day("2026-02-30") }, "EndsOn"},
			"day and other instant": {func(c *Connection) { c.StartsOn, c.StartsAt = day("2026-03-02"), at("2026-03-02T00:00:00Z") }, "StartsOn"},
			"ends before it starts": {func(c *Connection) { c.StartsOn, c.EndsOn = day("2026-03-02"), day("2026-03-01") }, "EndsAt"},
			"a rate under nothing":  {func(c *Connection) { c.RequestsPerMinute = -1 }, "RequestsPerMinute"},
		} {
			bad := Connection{CustomerID: customer, Name: "x"}
			tt.change(&bad)
			err := s.CreateConnection(asStaff, &bad)
			t.Run(name, func(t *testing.T) { wantFault(t, err, fault.Invalid, tt.target) })
		}
	})
}
