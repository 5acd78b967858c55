package console

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestConditionRows has expressions go to rows and back.
func TestConditionRows(t *testing.T) {
	for text, want := range map[string][]conditionRow{
		"":                                   nil,
		"City eq 'חיפה'":                     {{"and", "City", "eq", "חיפה"}},
		"City eq 'O''Hara, 1'":               {{"and", "City", "eq", "O'Hara, 1"}},
		"Phone eq '0501234567'":              {{"and", "Phone", "eq", "0501234567"}},
		"Budget gt 1000":                     {{"and", "Budget", "gt", "1000"}},
		"Budget gt '1000'":                   {{"and", "Budget", "gt", "'1000'"}},
		"Budget le -1.5":                     {{"and", "Budget", "le", "-1.5"}},
		"Type eq 'null'":                     {{"and", "Type", "eq", "null"}},
		"IsTest eq false":                    {{"and", "IsTest", "eq", "false"}},
		"ReceivedAt ge 2026-11-01":           {{"and", "ReceivedAt", "ge", "2026-11-01"}},
		"ReceivedAt ge 2026-11-01T08:00:00Z": {{"and", "ReceivedAt", "ge", "2026-11-01T08:00:00Z"}},
		"Email eq null and Phone ne null":    {{"and", "Email", "empty", ""}, {"and", "Phone", "filled", ""}},
		"City in ('חיפה','תל אביב, יפו')": {{"and", "City", "in", "חיפה, 'תל אביב, יפו'"}},
		"City in ('O''Hara','')":          {{"and", "City", "in", "'O''Hara', ''"}},
		"Rooms in (3,'4',five)":           nil,
		"Rooms in (3,'4')":                {{"and", "Rooms", "in", "3, '4'"}},
		"not City in ('חיפה')":            {{"and", "City", "notin", "חיפה"}},
		"not contains(Message,'spam')":    {{"and", "Message", "lacks", "spam"}},
		"startswith(Phone,'+972')":        {{"and", "Phone", "startswith", "+972"}},
		"Address/City eq 'x' or endswith(Email,'.il') and Type ne 'b' or UtmSource eq 'c'": {
			{"and", "Address/City", "eq", "x"}, {"or", "Email", "endswith", ".il"}, {"and", "Type", "ne", "b"}, {"or", "UtmSource", "eq", "c"},
		},
		"(City eq 'a') and (City eq 'b')": {{"and", "City", "eq", "a"}, {"and", "City", "eq", "b"}},
	} {
		rows, ok := conditionRows(text)
		if want == nil && text != "" {
			if ok {
				t.Errorf("%s: rows %v", text, rows)
			}
			continue
		}
		if diff := cmp.Diff(want, rows); diff != "" || !ok {
			t.Errorf("%s: %v %s", text, ok, diff)
		}
		again, ok := conditionRows(conditionText(rows))
		if diff := cmp.Diff(rows, again); diff != "" || !ok {
			t.Errorf("%s: and back %s: %s", text, conditionText(rows), diff)
		}
	}
}

// TestConditionStaysText are expressions that rows cannot tell.
func TestConditionStaysText(t *testing.T) {
	for _, text := range []string{
		"City eq", "(City eq 'a' or City eq 'b') and IsTest eq false", "City eq 'a' or (City eq 'b' or City eq 'c')",
		"tolower(City) eq 'haifa'", "not (City eq 'a')", "not startswith(City,'a')", "City eq Campaign", "'a' eq City", "City eq 5",
		"Budget gt null", "length(Message) gt 10", "contains(City,Campaign)", "true", "IsTest", "City in ()", "Tags/any(t:t eq 'a')",
		"Budget eq - 5",
	} {
		if rows, ok := conditionRows(text); ok {
			t.Errorf("%s: rows %v", text, rows)
		}
	}
}

// TestConditionText is what rows say that are not of an expression.
func TestConditionText(t *testing.T) {
	for want, rows := range map[string][]conditionRow{
		"City eq ''":                 {{"", "", "eq", "left out"}, {"or", "City", "eq", ""}},
		"Budget eq 'a lot'":          {{"", "Budget", "eq", "a lot"}},
		"City in ('חיפה','עכו')":     {{"", "City", "in", " חיפה ,עכו,, "}},
		"City eq 'a' or City eq 'b'": {{"and", "City", "eq", "a"}, {"or", "City", "eq", "b"}},
		"contains(Budget,'5')":       {{"", "Budget", "contains", "5"}},
		"Budget in (1,'x')":          {{"", "Budget", "in", "1, x"}},
		"City in ('don''t','a')":     {{"", "City", "in", "don't, a"}},
	} {
		if got := conditionText(rows); got != want {
			t.Errorf("%v: %s, want %s", rows, got, want)
		}
	}
}

func TestPointAt(t *testing.T) {
	en, _ := speakers(t)
	for message, want := range map[string]pointed{
		`Condition, position 6: Lead has no property "x"`: {"City ", "ש", "לום", `Lead has no property "x"`},
		"Condition, position 10: ends":                    {"City שלום", "\u00a0", "", "ends"},
		"Condition, position 99: ends":                    {"City שלום", "\u00a0", "", "ends"},
		"of no position":                                  {"City שלום", "\u00a0", "", "of no position"},
	} {
		if got := en.pointAt("City שלום", message); *got != want {
			t.Errorf("%s: %+v", message, got)
		}
	}
}
