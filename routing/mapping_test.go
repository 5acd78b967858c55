package routing

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"leadloop/leads"
)

func TestTextInJSON(t *testing.T) {
	for _, text := range []string{"", "Dana <&> לוי", `a"b`, `a\b`, "a\tb", "a\u2028b", "a\u2029", "\x00", "\x7f", "a\xffb"} {
		got, err := jsonBody([]field[any]{{"x", text}})
		if want := `{"x":"` + inJSON(text, false) + `"}`; err != nil || string(got) != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
}

func TestBodies(t *testing.T) {
	id := uuid.MustParse("01937b2e-0000-7000-8000-000000000001")
	lead := &leads.Lead{
		ID: id, ReceivedAt: time.Date(2026, 11, 22, 3, 39, 0, 123456000, time.UTC), IsTest: true, FirstName: text("נועה"), City: text(""),
		Message: text("<b> & \"q\"\n"),
		Properties: map[string]any{
			"Budget": int64(5000), "Ratio": 0.25, "Exact": json.Number("12345678901234567890.5"), "Subscribed": false,
			"Tags": []any{"a", int64(1)}, "Address": map[string]any{"Street": "הרצל"}, "Nothing": nil,
		},
	}
	cases := []struct {
		entry MappingEntry
		json  string
		form  string
	}{
		{MappingEntry{Source: "RoutingID"}, `{"x":"01937b2e-0000-7000-8000-000000000001"}`, "x=01937b2e-0000-7000-8000-000000000001"},
		{MappingEntry{Source: "FirstName"}, `{"x":"נועה"}`, "x=%D7%A0%D7%95%D7%A2%D7%94"},
		{MappingEntry{Source: "Message"}, `{"x":"<b> & \"q\"\n"}`, "x=%3Cb%3E+%26+%22q%22%0A"},
		{MappingEntry{Source: "Budget"}, `{"x":5000}`, "x=5000"},
		{MappingEntry{Source: "Ratio"}, `{"x":0.25}`, "x=0.25"},
		{MappingEntry{Source: "Exact"}, `{"x":12345678901234567890.5}`, "x=12345678901234567890.5"},
		{MappingEntry{Source: "Subscribed"}, `{"x":false}`, "x=false"},
		{MappingEntry{Source: "IsTest"}, `{"x":true}`, "x=true"},
		{MappingEntry{Source: "ReceivedAt"}, `{"x":"2026-11-22T03:39:00.123456Z"}`, "x=2026-11-22T03%3A39%3A00.123456Z"},
		{MappingEntry{Source: "Tags"}, `{"x":["a",1]}`, "x=%5B%22a%22%2C1%5D"},
		{MappingEntry{Source: "Address"}, `{"x":{"Street":"הרצל"}}`, "x=%7B%22Street%22%3A%22%D7%94%D7%A8%D7%A6%D7%9C%22%7D"},
		{MappingEntry{Source: "Nothing"}, `{}`, ""},
		{MappingEntry{Source: "City"}, `{}`, ""},
		{MappingEntry{Source: "Email"}, `{}`, ""},
		{MappingEntry{Source: "Unheard"}, `{}`, ""},
		{MappingEntry{Source: "City", Default: text("?")}, `{"x":"?"}`, "x=%3F"},
		{MappingEntry{Source: "Email", Default: text("")}, `{"x":""}`, "x="},
		{MappingEntry{Source: "'fixed'"}, `{"x":"fixed"}`, "x=fixed"},
		{MappingEntry{Source: "City eq ''"}, `{"x":true}`, "x=true"},
	}
	e := newExpressions()
	for _, c := range cases {
		c.entry.Target = "x"
		var p problems
		m, err := e.mapping(&p, []MappingEntry{c.entry})
		if err != nil {
			t.Fatal(err)
		}
		fields, err := m.values(e, lead, facts{routingID: id})
		if err != nil {
			t.Errorf("%s: %v", c.entry.Source, err)
			continue
		}
		body, err := jsonBody(fields)
		if err != nil || string(body) != c.json {
			t.Errorf("%s: JSON %s, %v; want %s", c.entry.Source, body, err, c.json)
		}
		if form := string(formBody(fields)); form != c.form {
			t.Errorf("%s: form %s, want %s", c.entry.Source, form, c.form)
		}
	}
}
