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
	parts := make([]string, len(s.Key))
	for i, p := range s.Key {
		parts[i] = keyText(p.Value(v))
		if len(s.Key) > 1 {
			parts[i] = p.Name + "=" + parts[i]
		}
	}
	return "(" + strings.Join(parts, ",") + ")"
}

func keyText(value any) string {
	if t, ok := value.(time.Time); ok {
		return strings.ReplaceAll(t.UTC().Format(instantForm), ":", "%3A")
	}
	if reflect.TypeOf(value).Kind() == reflect.String {
		return uri.KeyText(fmt.Sprint(value))
	}
	return fmt.Sprint(value)
}
