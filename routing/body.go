package routing

import (
	"encoding/json"
	"math"
	"net/url"
	"strings"

	"leadloop/odata/eval"
)

// encode writes the fields as a body of the format and gives its Content-Type.
func encode(format, root string, fields []field[any]) (contentType string, body []byte, err error) {
	switch format {
	case formatForm:
		return "application/x-www-form-urlencoded", formBody(fields), nil
	case formatXML:
		body, err = xmlBody(root, fields)
		return "application/xml; charset=utf-8", body, err
	}
	body, err = jsonBody(fields)
	return "application/json", body, err
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
