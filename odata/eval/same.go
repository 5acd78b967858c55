package eval

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// SameJSON says whether two values of JSON, as text, are equal: objects if their
// members are, of which those that are null count for none.
func SameJSON(a, b any) any { return sameForm(parsed(a), parsed(b)) }

// same is SameJSON of Go values.
func same(a, b any) any { return sameForm(decoded(a), decoded(b)) }

func sameForm(a, b any) bool { return form(a) == form(b) }

func parsed(text any) any {
	switch v := text.(type) {
	case string:
		return decode([]byte(v))
	case []byte:
		return decode(v)
	}
	return nil
}

// decoded is v as encoding/json would give it back. A collection that was never
// set is empty.
func decoded(v any) any {
	if x := reflect.ValueOf(v); x.Kind() == reflect.Slice && x.IsNil() {
		return []any{}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return decode(text)
}

func decode(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}

// form writes a value so that equal values have the same text.
func form(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = form(x)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for name, x := range v {
			if x != nil {
				key, _ := json.Marshal(name) // a string always marshals
				parts = append(parts, string(key)+":"+form(x))
			}
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case string:
		text, _ := json.Marshal(v) // a string always marshals
		return string(text)
	}
	return element(v)
}
