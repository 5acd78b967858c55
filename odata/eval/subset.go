package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"

	"leadloop/odata/edm"
)

// HasSubset says whether the elements of the JSON array b are among those of a,
// each as often; null where one is no array. HasSubsequence says whether they
// are in a in the same order.
func HasSubset(a, b any) any { return ofArrays(a, b, subset) }

func HasSubsequence(a, b any) any { return ofArrays(a, b, subsequence) }

func ofArrays(a, b any, f func(a, b []string) bool) any {
	x, ok := array(a)
	y, ok2 := array(b)
	if !ok || !ok2 {
		return nil
	}
	return f(x, y)
}

// array reads JSON text.
func array(v any) ([]string, bool) {
	var text []byte
	switch v := v.(type) {
	case string:
		text = []byte(v)
	case []byte:
		text = v
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var list []any
	if d.Decode(&list) != nil || list == nil {
		return nil, false
	}
	return elements(list), true
}

// elements gives each of the values of a slice a text of its own: values that are
// equal have the same.
func elements(list any) []string {
	x := reflect.ValueOf(list)
	keys := make([]string, x.Len())
	for i := range keys {
		keys[i] = element(x.Index(i).Interface())
	}
	return keys
}

func element(v any) string {
	switch v := plain(v).(type) {
	case nil:
		return "null"
	case string:
		return "'" + v
	case int64, float64, edm.DecimalValue:
		return Decimal(v).String()
	case json.Number:
		if d, ok := edm.ParseDecimal(v.String()); ok {
			return d.String()
		}
		return v.String()
	case fmt.Stringer: // a guid
		return "'" + v.String()
	default:
		return Text(v)
	}
}

func subset(a, b []string) bool {
	left := map[string]int{}
	for _, x := range a {
		left[x]++
	}
	for _, x := range b {
		if left[x]--; left[x] < 0 {
			return false
		}
	}
	return true
}

func subsequence(a, b []string) bool {
	for _, x := range a {
		if len(b) > 0 && b[0] == x {
			b = b[1:]
		}
	}
	return len(b) == 0
}

// ofSlices is f of two Go values, null where one is no slice.
func ofSlices(values []any, f func(a, b []string) bool) any {
	for _, v := range values {
		if reflect.ValueOf(v).Kind() != reflect.Slice {
			return nil
		}
	}
	return f(elements(values[0]), elements(values[1]))
}
