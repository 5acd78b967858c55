package routing

import (
	"errors"
	"strings"
	"testing"
	"time"

	"leadloop/odata/fault"
	"leadloop/store"
	"leadloop/store/storetest"
)

// What is wrong with a Reading is said when its connector is saved.
func TestCheckReading(t *testing.T) {
	good := func() Connector {
		return Connector{
			Name: "Own", Method: "GET", Format: "query", URL: "{URL}", Settings: []Setting{{Name: "URL", Type: "url", Required: true}},
			Reading: Reading{URL: "{URL}/x?since={Since}", RoutingID: "Item/ref", Status: "Item/state", OccurredAt: "Item/at"},
		}
	}
	tests := []struct {
		name   string
		change func(*Connector)
		target string
		says   string
	}{
		{"unknown name", func(c *Connector) { c.Reading.URL = "{URL}/{Nope}" }, "Reading/URL", "{Nope}"},
		{"no address", func(c *Connector) { c.Reading.URL = "x{Since}" }, "Reading/URL", "http"},
		{"unknown name in the query", func(c *Connector) { c.Reading.Query = []Pair{{"a", "{Nope}"}} }, "Reading/Query/0/Value", "{Nope}"},
		{"the routing's id, which there is none of", func(c *Connector) { c.Reading.Query = []Pair{{"a", "{RoutingID}"}} }, "Reading/Query/0/Value", "{RoutingID}"},
		{"a setting of a taken name", func(c *Connector) { c.Settings = append(c.Settings, Setting{Name: "Page", Type: "text"}) }, "Settings", "{Page}"},
		{"XML without a root", func(c *Connector) { c.Reading.Method, c.Reading.Format = "POST", "xml" }, "Reading/Root", "root"},
		{"no id", func(c *Connector) { c.Reading.RoutingID = "" }, "Reading/RoutingID", "ExternalID"},
		{"an amount of no currency", func(c *Connector) { c.Reading.Amount = "Item/sum" }, "Reading/Currency", "needs a Currency"},
		{"no status", func(c *Connector) { c.Reading.Status = "" }, "Reading/Status", "ReasonID"},
		{"no time", func(c *Connector) { c.Reading.OccurredAt = "" }, "Reading/OccurredAt", "OccurredAt"},
		{"an expression that does not compile", func(c *Connector) { c.Reading.Status = "Item/(" }, "Reading/Status", "position"},
		{"an unknown name in an expression", func(c *Connector) { c.Reading.Comment = "Body/x" }, "Reading/Comment", "Body"},
		{"a pattern that is none", func(c *Connector) { c.Reading.TimeFormat = "yyyy-QQ" }, "Reading/TimeFormat", "unknown part"},
		{"a zone that is none", func(c *Connector) { c.Reading.TimeZone = "Mars/Base" }, "Reading/TimeFormat", "time zone"},
		{"a method that is none", func(c *Connector) { c.Reading.Method = "DELETE" }, "Reading/Method", ""},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f := newFixture(t, db)
		c := good()
		f.ok(f.CreateConnector(f.ctx, &c))
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				c := good()
				tt.change(&c)
				var e *fault.Error
				if err := f.CreateConnector(f.ctx, &c); !errors.As(err, &e) || e.Code != fault.Invalid || e.Target != tt.target || !strings.Contains(e.Message, tt.says) {
					t.Errorf("error %v, want %q at %s", err, tt.says, tt.target)
				}
			})
		}
	})
}

func TestTimesOfReadings(t *testing.T) {
	at := time.Date(2026, 11, 22, 9, 0, 5, 0, time.UTC)
	tests := []struct {
		format, zone, text string
	}{
		{"", "", "2026-11-22T09:00:05Z"},
		{"unix", "", "1795338005"},
		{"unixms", "Asia/Jerusalem", "1795338005000"},
		{"yyyy.MM.dd HH:mm:ss", "Europe/Budapest", "2026.11.22 10:00:05"},
		{"dd/MM/yyyy HH:mm:ss", "Asia/Jerusalem", "22/11/2026 11:00:05"},
	}
	for _, tt := range tests {
		c, err := (&Reading{TimeFormat: tt.format, SinceFormat: tt.format, TimeZone: tt.zone}).timed()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.write(at); got != tt.text {
			t.Errorf("%s writes %s, want %s", tt.format, got, tt.text)
		}
		if got, ok := c.parse(tt.text); !ok || !got.Equal(at) {
			t.Errorf("%s reads %v, want %v", tt.format, got, at)
		}
		if got, ok := c.parse("no time"); ok {
			t.Errorf("%s reads %v from no time", tt.format, got)
		}
	}
	c, err := (&Reading{TimeZone: "Asia/Jerusalem"}).timed()
	if got, ok := c.parse("2026-11-22T11:00:05"); err != nil || !ok || !got.Equal(at) {
		t.Errorf("a time without a zone is %v, %v", got, err)
	}
}

func TestItemsOf(t *testing.T) {
	tests := []struct {
		name, body, path string
		want             int // -1: an error
	}{
		{"a list", `[{"a":1},{"a":2}]`, "", 2},
		{"an empty list", `[]`, "", 0},
		{"nothing", ``, "", 0},
		{"an object where a list should be", `{"a":1}`, "", -1},
		{"a list inside", `{"d":{"r":[1,2,3]}}`, "d.r", 3},
		{"a list that is null", `{"d":{"r":null}}`, "d.r", 0},
		{"a list that is left out", `{"d":{}}`, "d.r", 0},
		{"another answer", `{"error":"x"}`, "d.r", -1},
		{"elements", `<o><i>1</i><i>2</i></o>`, "o.i", 2},
		{"one element", `<o><i><a>1</a></i></o>`, "o.i", 1},
		{"no element", `<o></o>`, "o.i", 0},
		{"another document", `<Error>x</Error>`, "o.i", -1},
		{"no document", `<o>`, "o.i", -1},
		{"text", `hello`, "", -1},
	}
	for _, tt := range tests {
		list, err := itemsOf([]byte(tt.body), tt.path)
		if (err != nil) != (tt.want < 0) || err == nil && len(list) != tt.want {
			t.Errorf("%s: %v, %v; want %d", tt.name, list, err, tt.want)
		}
	}
}
