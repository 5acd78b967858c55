package payload

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"sort"
	"time"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// instantForm is how instants are shown: as package sqlgen shows them.
const instantForm = "2006-01-02T15:04:05.000000Z"

// Encoder writes Go structs as OData JSON, the same JSON that a read of the
// stored row gives.
type Encoder struct {
	Hide  []string // properties of the entity that are not shown
	Style plan.Style
	buf   bytes.Buffer
	held  bool // the value is one that a column holds as JSON
}

// Bytes is what was written.
func (e *Encoder) Bytes() []byte { return e.buf.Bytes() }

// Raw writes text as it is.
func (e *Encoder) Raw(text string) { e.buf.WriteString(text) }

// Members writes the members of the struct v of type s, without braces, after
// the control information that the style wants. It reports whether anything was
// written.
func (e *Encoder) Members(s *edm.Struct, v reflect.Value) bool {
	m := members{e: e, empty: true}
	links := e.Style.Of(s)
	address := ""
	if links.Set != "" {
		address = e.Style.Root + links.Set + KeyPath(s, v)
	}
	m.control(s, v, links, address)
	for _, p := range s.Properties {
		if !p.WriteOnly && !(s.IsEntity() && slices.Contains(e.Hide, p.Name)) {
			m.property(p, v)
		}
	}
	if s.Dynamic != nil {
		values, _ := s.Dynamic.Value(v).(map[string]any)
		for _, k := range sortedKeys(values) {
			if values[k] != nil || !e.Style.OmitNulls {
				m.name(k)
				e.untyped(values[k])
			}
		}
	}
	if e.Style.Metadata == plan.Full && address != "" {
		m.links(s, links, address)
	}
	return !m.empty
}

// members writes the members of one object.
type members struct {
	e     *Encoder
	empty bool
}

func (m *members) name(n string) {
	if !m.empty {
		m.e.Raw(",")
	}
	m.empty = false
	m.e.JSON(n)
	m.e.Raw(":")
}

func (m *members) value(name string, v any) {
	m.name(name)
	m.e.JSON(v)
}

// control writes what comes before the properties (JSON Format 4.01, section
// 4.5).
func (m *members) control(s *edm.Struct, v reflect.Value, links plan.Links, address string) {
	full := m.e.Style.Metadata == plan.Full && s.IsEntity()
	if full {
		m.value("@odata.type", plan.TypeTag(s))
	}
	if full && address != "" {
		m.value("@odata.id", address)
	}
	if tag := ETag(s, v, m.e.Hide); tag != "" && m.e.Style.Metadata != plan.None {
		m.value("@odata.etag", tag)
	}
	switch {
	case !full || address == "":
	case links.Updatable:
		m.value("@odata.editLink", address)
	default:
		m.value("@odata.readLink", address)
	}
}

// property writes the property p of the struct v.
func (m *members) property(p *edm.Property, v reflect.Value) {
	field := p.Field(v)
	if kind := field.Kind(); (kind == reflect.Pointer || kind == reflect.Interface) && field.IsNil() && m.e.Style.OmitNulls {
		return
	}
	if tag := plan.TypeTag(p.Type); tag != "" && m.e.Style.Metadata == plan.Full {
		m.value(p.Name+"@odata.type", tag)
	}
	m.name(p.Name)
	if p.Minor {
		m.e.minor(p, v)
		return
	}
	outer := m.e.held
	m.e.held = outer || p.JSON
	m.e.value(p.Type, field)
	m.e.held = outer
}

// links writes the links of the navigation properties and the operations.
func (m *members) links(s *edm.Struct, links plan.Links, address string) {
	for _, nav := range s.Navigation {
		m.value(nav.Name+"@odata.associationLink", address+"/"+nav.Name+"/$ref")
		m.value(nav.Name+"@odata.navigationLink", address+"/"+nav.Name)
	}
	for _, name := range links.Operations {
		m.name("#" + name)
		m.e.JSON(struct {
			Title  string `json:"title"`
			Target string `json:"target"`
		}{name, address + "/" + name})
	}
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
			outer := e.held
			e.held = outer || !t.IsEntity()
			e.Raw("{")
			e.Members(t, v)
			e.Raw("}")
			e.held = outer
			return
		}
		if v.IsNil() {
			e.Raw("{}")
			return
		}
	}
	if p, ok := t.(edm.Primitive); ok && e.Style.Quotes(p) {
		e.JSON(fmt.Sprint(v.Interface()))
		return
	}
	if t == edm.Untyped {
		e.untyped(v.Interface())
		return
	}
	switch x := v.Interface().(type) {
	case time.Time:
		if e.held {
			e.JSON(x)
			return
		}
		e.JSON(x.UTC().Format(instantForm))
	case time.Duration:
		if t != edm.Duration {
			e.JSON(x)
			return
		}
		e.JSON(plan.DurationText(x))
	case float64:
		e.double(x)
	case []byte:
		e.JSON(base64.URLEncoding.EncodeToString(x))
	default:
		e.JSON(x)
	}
}

// untyped writes a value that no type says anything of.
func (e *Encoder) untyped(v any) {
	if !e.Style.OmitNulls {
		e.JSON(v)
		return
	}
	var inner Encoder
	inner.JSON(v)
	e.Raw(string(plan.AppendWithoutNulls(nil, inner.buf.Bytes(), nil)))
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
