package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"sort"
	"time"

	"leadloop/odata/edm"
)

// instantForm is how instants are shown: as package sqlgen shows them.
const instantForm = "2006-01-02T15:04:05.000000Z"

// Encoder writes Go structs as OData JSON, the same JSON that a read of the
// stored row gives.
type Encoder struct {
	Hide  []string // properties of the entity that are not shown
	Plain bool     // without ETags
	buf   bytes.Buffer
}

// Bytes is what was written.
func (e *Encoder) Bytes() []byte { return e.buf.Bytes() }

// Raw writes text as it is.
func (e *Encoder) Raw(text string) { e.buf.WriteString(text) }

// Members writes the members of the struct v of type s, without braces, after
// its ETag if it has one. It reports whether anything was written.
func (e *Encoder) Members(s *edm.Struct, v reflect.Value) bool {
	start := e.buf.Len()
	sep := ""
	name := func(n string) {
		e.Raw(sep)
		e.JSON(n)
		e.Raw(":")
		sep = ","
	}
	if tag := ETag(s, v, e.Hide); tag != "" && !e.Plain {
		name("@odata.etag")
		e.JSON(tag)
	}
	for _, p := range s.Properties {
		if p.WriteOnly || s.IsEntity() && slices.Contains(e.Hide, p.Name) {
			continue
		}
		name(p.Name)
		if p.Minor {
			e.minor(p, v)
			continue
		}
		e.value(p.Type, p.Field(v))
	}
	if s.Dynamic != nil {
		m, _ := s.Dynamic.Value(v).(map[string]any)
		for _, k := range sortedKeys(m) {
			name(k)
			e.JSON(m[k])
		}
	}
	return e.buf.Len() > start
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Value writes a Go value of type t.
func (e *Encoder) Value(t edm.Type, v reflect.Value) { e.value(t, v) }

func (e *Encoder) value(t edm.Type, v reflect.Value) {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			e.Raw("null")
			return
		}
		v = v.Elem()
	}
	switch t := t.(type) {
	case edm.Collection:
		e.Raw("[")
		for i := range v.Len() {
			if i > 0 {
				e.Raw(",")
			}
			e.value(t.Of, v.Index(i))
		}
		e.Raw("]")
		return
	case *edm.Enum:
		e.JSON(t.Format(storage(v)))
		return
	case *edm.Struct:
		if v.Kind() == reflect.Struct {
			e.Raw("{")
			e.Members(t, v)
			e.Raw("}")
			return
		}
		if v.IsNil() {
			e.Raw("{}")
			return
		}
	}
	switch x := v.Interface().(type) {
	case time.Time:
		e.JSON(x.UTC().Format(instantForm))
	case float64:
		e.double(x)
	case []byte:
		e.JSON(base64.URLEncoding.EncodeToString(x))
	default:
		e.JSON(x)
	}
}

// double writes the numbers JSON has no form for as strings (JSON Format 4.01,
// section 7.1).
func (e *Encoder) double(f float64) {
	switch {
	case math.IsNaN(f):
		e.Raw(`"NaN"`)
	case math.IsInf(f, 1):
		e.Raw(`"INF"`)
	case math.IsInf(f, -1):
		e.Raw(`"-INF"`)
	default:
		e.JSON(f)
	}
}

// JSON writes any other Go value.
func (e *Encoder) JSON(v any) {
	enc := json.NewEncoder(&e.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		e.Raw("null") // only values without a JSON form, such as NaN in a dynamic property
		return
	}
	e.buf.Truncate(e.buf.Len() - 1) // the encoder's newline
}

// ETag gives the weak ETag of the struct v of type s, or "" if it has none, or one
// that is made of a property to hide.
func ETag(s *edm.Struct, v reflect.Value, hide []string) string {
	if s.ETag == nil || slices.Contains(hide, s.ETag.Name) {
		return ""
	}
	e := Encoder{}
	e.JSON(s.ETag.Value(v))
	return `W/"` + e.buf.String() + `"`
}
