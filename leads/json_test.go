package leads

import (
	"errors"
	"strings"
	"testing"

	"leadloop/odata/fault"
)

func TestParseJSONRefuses(t *testing.T) {
	tests := []struct{ name, body, target, message string }{
		{"nothing", ``, "", "malformed JSON: it ends too early"},
		{"half an object", `{"a":1`, "", "malformed JSON: it ends too early"},
		{"a stray comma", `{"a":1,}`, "", "malformed JSON at byte"},
		{"single quotes", `{'a':1}`, "", "malformed JSON at byte"},
		{"two objects", `{"a":1}{"b":2}`, "", "something follows its end"},
		{"a number", `5`, "", "a lead must be a JSON object"},
		{"null", `null`, "", "a lead must be a JSON object"},
		{"no leads", `[]`, "", "the delivery has no leads"},
		{"a number among leads", `[{"a":1},2]`, "[1]", "a lead must be a JSON object"},
		{"a field twice", `{"טלפון":"1","טלפון":"2"}`, "טלפון", "the field טלפון comes twice"},
		{"a field twice in the second lead", `[{"a":1},{"b":{"c":1,"c":2}}]`, "[1].b.c", "the field b.c comes twice"},
		{"a field twice by flattening", `{"a.b":1,"a":{"b":2}}`, "a.b", "the field a.b comes twice"},
		{"an object twice", `{"a":{"b":1},"a":{"c":2}}`, "a", "the field a comes twice"},
		{"a field twice in a list", `{"a":[{"b":1,"b":2}]}`, "b", "the field b comes twice"},
		{"too deep objects", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), "", "nested deeper than 32 levels"},
		{"too deep lists", `{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "", "nested deeper than 32 levels"},
		{"invalid UTF-8", "{\"a\":\"\xe7\"}", "", "the body is not valid UTF-8"},
		{"U+0000", `{"a":"\u0000"}`, "a", "U+0000"},
		{"too many leads", "[" + strings.Repeat(`{"a":1},`, maxBatch) + `{"a":1}]`, "", "more than 1000 leads"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := parseJSON([]byte(test.body))
			wantFault(t, err, fault.Invalid, test.target)
			var e *fault.Error
			if errors.As(err, &e) && !strings.Contains(e.Message, test.message) {
				t.Errorf("got %q, want %q in it", e.Message, test.message)
			}
		})
	}
}

func TestParseJSONTakes(t *testing.T) {
	tests := []struct {
		name, body string
		leads      int
	}{
		{"an object", `{"a":1}`, 1},
		{"a list", `[{"a":1},{"a":2}]`, 2},
		{"a byte order mark and white space", "\ufeff \n{\"a\":1}\n ", 1},
	}
	for _, test := range tests {
		leads, err := parseJSON([]byte(test.body))
		if err != nil || len(leads) != test.leads {
			t.Errorf("%s: %d leads, %v", test.name, len(leads), err)
		}
	}
}
