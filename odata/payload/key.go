package payload

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// KeyPath is the key predicate in the canonical URL of the entity v of type s
// (URL Conventions 4.01, section 4.3.1).
func KeyPath(s *edm.Struct, v reflect.Value) string {
	values := make([]string, len(s.Key))
	for i, p := range s.Key {
		value := p.Value(v)
		if t, ok := value.(time.Time); ok {
			value = t.UTC().Format(instantForm)
		}
		values[i] = fmt.Sprint(value)
	}
	return KeyPathOf(s, values)
}

// KeyPathOf is the key predicate for a key whose values are given as text.
func KeyPathOf(s *edm.Struct, values []string) string {
	parts := make([]string, len(s.Key))
	for i, p := range s.Key {
		switch parts[i] = values[i]; p.Type {
		case edm.String:
			parts[i] = uri.KeyText(values[i])
		case edm.DateTimeOffset, edm.TimeOfDay:
			parts[i] = strings.ReplaceAll(values[i], ":", "%3A")
		}
		if len(s.Key) > 1 {
			parts[i] = p.Name + "=" + parts[i]
		}
	}
	return "(" + strings.Join(parts, ",") + ")"
}
