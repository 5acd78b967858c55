package routing

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
)

func TestFormats(t *testing.T) {
	summer := time.Date(2026, 7, 1, 22, 30, 5, 0, time.UTC)
	cases := []struct {
		format, zone string
		value, want  any
	}{
		{"dd/MM/yyyy", "", summer, "01/07/2026"},
		{"dd/MM/yyyy HH:mm", "Asia/Jerusalem", summer, "02/07/2026 01:30"},
		{"d.M.yy h:mm a", "", summer, "1.7.26 10:30 PM"},
		{"yyyy-MM-dd'T'HH:mm:ssXXX", "Asia/Jerusalem", summer, "2026-07-02T01:30:05+03:00"},
		{"dd/MM/yyyy", "Asia/Jerusalem", "2026-07-01T22:30:05Z", "02/07/2026"},
		{"dd/MM/yyyy", "Asia/Jerusalem", "2026-07-01", "01/07/2026"},
		{"dd/MM/yyyy", "", "tomorrow", nil},
		{"unix", "", summer, summer.Unix()},
		{"unixms", "", summer, summer.UnixMilli()},
		{"e164", "", "050-1234567", "+972501234567"},
		{"international", "", "+972501234567", "+972 50-123-4567"},
		{"national", "", "+972501234567", "050-123-4567"},
		{"local", "", "+972501234567", "0501234567"},
		{"digits", "", "+972 50-123", "97250123"},
		{"e164", "", "call me", "call me"},
		{"digits", "", "none", nil},
		{"odata", "", "o'hara", "'o''hara'"},
		{"json", "", `a"b`, `"a\"b"`},
	}
	for _, c := range cases {
		f, err := formatOf(c.format, c.zone)
		if err != nil {
			t.Errorf("%s: %v", c.format, err)
			continue
		}
		if got := f(c.value); got != c.want {
			t.Errorf("%v as %s in %s: %v, want %v", c.value, c.format, c.zone, got, c.want)
		}
	}
	for _, c := range [][2]string{{"2006-01-02", ""}, {"dd/QQ", ""}, {"E.164", ""}, {"dd", "Mars/Base"}, {"dd", "Local"}, {"dd'", ""}} {
		if _, err := formatOf(c[0], c[1]); err == nil {
			t.Errorf("%v went through", c)
		}
	}
}

func TestMappedValues(t *testing.T) {
	id, connection := uuid.New(), uuid.New()
	lead := &leads.Lead{
		City: text("חיפה"), Phone: text("+972501234567"), ReceivedAt: time.Date(2026, 11, 22, 22, 30, 0, 0, time.UTC),
		Properties: map[string]any{"איך שמעת עלינו?": "חבר", "fields[REF]": int64(7), "Level": int64(2), "On": true},
	}
	about := facts{routingID: id, feedbackURL: "https://x.example/odata/Feedback", connectionID: &connection, customerName: "Acme", knownID: "77"}
	cases := []struct {
		entry MappingEntry
		want  any
	}{
		{MappingEntry{Source: "RoutingID"}, id},
		{MappingEntry{Source: "FeedbackURL"}, "https://x.example/odata/Feedback"},
		{MappingEntry{Source: "ConnectionID"}, connection},
		{MappingEntry{Source: "concat(CustomerName,'!')"}, "Acme!"},
		{MappingEntry{Source: "KnownID"}, "77"},
		{MappingEntry{Field: "איך שמעת עלינו?"}, "חבר"},
		{MappingEntry{Field: "fields[REF]"}, int64(7)},
		{MappingEntry{Field: "City"}, "חיפה"},
		{MappingEntry{Field: "Email"}, nil},
		{MappingEntry{Field: "Email", Default: text("-")}, "-"},
		{MappingEntry{Source: "City", Values: ValueList{"חיפה": "north", "אילת": "south"}}, "north"},
		{MappingEntry{Source: "City", Values: ValueList{"אילת": "south"}}, nil},
		{MappingEntry{Source: "City", Values: ValueList{"אילת": "south"}, Default: text("other")}, "other"},
		{MappingEntry{Source: "Level", Values: ValueList{"2": 200.0}}, 200.0},
		{MappingEntry{Source: "On", Values: ValueList{"true": "Y", "false": "N"}}, "Y"},
		{MappingEntry{Source: "Phone", Format: "local"}, "0501234567"},
		{MappingEntry{Source: "ReceivedAt", Format: "dd/MM/yyyy HH:mm", TimeZone: "Asia/Jerusalem"}, "23/11/2026 00:30"},
		{MappingEntry{Source: "City", Values: ValueList{"אילת": "south"}, Required: true}, "parked"},
	}
	e := newExpressions()
	for _, c := range cases {
		c.entry.Target = "x"
		var p problems
		m, _, err := e.entries(&p, "Mapping", []MappingEntry{c.entry})
		if err != nil || p.err() != nil {
			t.Fatalf("%+v: %v %v", c.entry, err, p.err())
		}
		fields, err := m.values(e, lead, about)
		var got any
		switch {
		case err != nil && err.Error() == "there is no value for the required field x":
			got = "parked"
		case err != nil:
			t.Errorf("%+v: %v", c.entry, err)
		case len(fields) > 0:
			got = fields[0].value
		}
		if got != c.want {
			t.Errorf("%+v: %v, want %v", c.entry, got, c.want)
		}
	}
	var p problems
	_, _, err := e.entries(&p, "Mapping", []MappingEntry{
		{Target: "a", Source: "City", Field: "City"},
		{Target: "b", Source: "City", Format: "nonsense"},
		{Target: "c", Source: "City", Values: ValueList{"x": []any{}}},
		{Target: "d", Source: "City eq"},
		{Target: "e"},
	})
	got := wrong(p.err())
	for _, target := range []string{"Mapping/0/Field", "Mapping/1/Format", "Mapping/2/Values/x", "Mapping/3/Source", "Mapping/4/Source"} {
		if err != nil || got[target] == "" {
			t.Errorf("no problem at %s: %v %v", target, got, err)
		}
	}
}
