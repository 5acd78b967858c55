package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"leadloop/odata/edm"
)

// overLists are the functions of collections by ID, over texts that stand for their
// elements.
var overLists = map[string]func(a, b []string) any{
	"hassubset":       func(a, b []string) any { return subset(a, b) },
	"hassubsequence":  func(a, b []string) any { return subsequence(a, b) },
	"contains_list":   func(a, b []string) any { return index(a, b) >= 0 },
	"startswith_list": func(a, b []string) any { return len(b) <= len(a) && slices.Equal(a[:len(b)], b) },
	"endswith_list":   func(a, b []string) any { return len(b) <= len(a) && slices.Equal(a[len(a)-len(b):], b) },
	"indexof_list":    func(a, b []string) any { return int64(index(a, b)) },
	"length_list":     func(a, _ []string) any { return int64(len(a)) },
}

// OverArrays are the functions of collections by ID, over one or two JSON arrays: null
// where one is none.
var OverArrays = func() map[string]func(arrays []any) any {
	m := map[string]func([]any) any{}
	for id, f := range overLists {
		m[id] = func(arrays []any) any {
			lists := make([][]string, len(arrays))
			for i, a := range arrays {
				var ok bool
				if lists[i], ok = array(a); !ok {
					return nil
				}
			}
			return f(lists[0], lists[len(lists)-1])
		}
	}
	return m
}()

// index is where the elements of b first follow each other in a, or -1.
func index(a, b []string) int {
	for i := 0; i+len(b) <= len(a); i++ {
		if slices.Equal(a[i:i+len(b)], b) {
			return i
		}
	}
	return -1
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
func ofSlices(values []any, f func(a, b []string) any) any {
	for _, v := range values {
		if reflect.ValueOf(v).Kind() != reflect.Slice {
			return nil
		}
	}
	return f(elements(values[0]), elements(values[len(values)-1]))
}
