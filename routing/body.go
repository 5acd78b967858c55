package routing

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"

	"leadloop/odata/eval"
)

// jsonBody writes the fields as one JSON object, in their order.
func jsonBody(fields []field[any]) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	write := func(v any) error {
		if err := enc.Encode(v); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the line end that Encode adds
		return nil
	}
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := write(f.name); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.name, err)
		}
		b.WriteByte(':')
		if err := write(jsonValue(f.value)); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// jsonValue gives what encoding/json writes as OData would: numbers as numbers,
// times and ids as text.
func jsonValue(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64, json.Number, map[string]any, []any:
		return v
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v
		}
	}
	return eval.Text(v)
}

// formBody writes the fields as application/x-www-form-urlencoded, in their
// order.
func formBody(fields []field[any]) []byte {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(f.name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(formText(f.value)))
	}
	return []byte(b.String())
}

// formText gives a value as text; objects and lists of a dynamic property go as
// JSON.
func formText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any, []any:
		if text, err := json.Marshal(v); err == nil {
			return string(text)
		}
	}
	return eval.Text(v)
}
