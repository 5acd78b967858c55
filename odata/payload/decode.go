package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
)

func asFault(err error, f **fault.Error) bool { return errors.As(err, f) }

// Mode says what a body does to the entity.
type Mode uint8

// The modes. Properties that a mode does not take are ignored, as the protocol
// asks (Protocol 4.01, sections 11.4.2 and 11.4.3): computed ones always, keys
// the server gives and immutable ones in updates.
const (
	Create Mode = iota
	Update
)

// Decoder decodes bodies.
type Decoder struct {
	Mode Mode
	// IEEE754Compatible says that Int64 and Decimal values may be strings.
	IEEE754Compatible bool
	// Hide names properties of the entity that for the caller are not there.
	Hide []string
}

// Entity applies the members of o to the struct that v, settable, holds; s is
// its type. Members that are not given leave the struct as it is. Faults are
// Invalid and name the property; what was set before one stays set.
func (d Decoder) Entity(o *Object, s *edm.Struct, v reflect.Value) error {
	return d.object(o, s, v, "")
}

func (d Decoder) object(o *Object, s *edm.Struct, v reflect.Value, path string) error {
	dynamic := map[string]any{}
	for _, m := range o.Members {
		target := path + m.Name
		if strings.Contains(m.Name, "@") {
			if err := control(m.Name); err != nil {
				return err
			}
			continue
		}
		p := s.Property(m.Name)
		if s.IsEntity() && slices.Contains(d.Hide, m.Name) {
			p = nil
		}
		switch {
		case p != nil:
			if p.Computed || d.Mode == Update && (p.Immutable || p.Key && s.IsEntity()) {
				continue
			}
			if err := d.set(m.Value, p, p.Field(v), target); err != nil {
				return err
			}
		case s.Nav(m.Name) != nil:
			return fault.Newf(fault.NotImplemented, "related entities inside the body (%s) are not served", m.Name).At(target)
		case s.Open && s.Dynamic != nil && !s.Declares(m.Name):
			if err := dynamicName(m.Name, target); err != nil {
				return err
			}
			dynamic[m.Name] = plain(m.Value)
		default:
			return fault.Newf(fault.Invalid, "%s has no property %q", s.Name, m.Name).At(target)
		}
	}
	if len(dynamic) > 0 {
		setDynamic(s.Dynamic.Field(v), dynamic)
	}
	return nil
}

// control checks control information: annotations are passed over (Protocol
// 4.01, section 6.4), but a bind that is not carried out must not be.
func control(name string) error {
	if strings.HasSuffix(name, "@odata.bind") || strings.HasSuffix(name, "@bind") {
		return fault.Newf(fault.NotImplemented, "%s is not served: set the property that holds the other's key", name).At(name)
	}
	return nil
}

// dynamicName checks the name of a new dynamic property. It need not be an
// identifier, as forms have fields of any name, but what it ends up in must bear
// it.
func dynamicName(name, target string) error {
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return fault.Newf(fault.Invalid, "the name of a dynamic property has 1 to %d characters, none a control character", maxName).At(target)
	}
	return nil
}

// maxName is how many characters the name of a dynamic property may have.
const maxName = 200

// setDynamic applies dynamic properties to field; null removes one.
func setDynamic(field reflect.Value, changes map[string]any) {
	// The map may be shared with what was read before: never change it in place.
	next := make(map[string]any, field.Len()+len(changes))
	for _, k := range field.MapKeys() {
		next[k.String()] = field.MapIndex(k).Interface()
	}
	for name, value := range changes {
		if value == nil {
			delete(next, name)
		} else {
			next[name] = value
		}
	}
	field.Set(reflect.ValueOf(next))
}

// set sets a property's field.
func (d Decoder) set(value any, p *edm.Property, field reflect.Value, target string) error {
	if value == nil {
		if !p.Nullable {
			return fault.Newf(fault.Invalid, "%s cannot be null", p.Name).At(target)
		}
		field.SetZero()
		return nil
	}
	if text, ok := value.(string); ok && p.MaxLength > 0 && p.Type == edm.String && len([]rune(text)) > p.MaxLength {
		return fault.Newf(fault.Invalid, "%s is longer than %d characters", p.Name, p.MaxLength).At(target)
	}
	if field.Kind() == reflect.Pointer {
		fresh := reflect.New(field.Type().Elem())
		if err := d.assign(value, p.Type, fresh.Elem(), target); err != nil {
			return err
		}
		field.Set(fresh)
		return nil
	}
	return d.assign(value, p.Type, field, target)
}

// assign sets field to a parsed value, which is not null, of type t.
func (d Decoder) assign(value any, t edm.Type, field reflect.Value, target string) error {
	wrong := func() error {
		return fault.Newf(fault.Invalid, "expected %s, found %s", t, kind(value)).At(target)
	}
	switch t := t.(type) {
	case edm.Collection:
		list, ok := value.([]any)
		if !ok {
			return wrong()
		}
		return d.collection(list, t, field, target)
	case *edm.Struct:
		o, ok := value.(*Object)
		if !ok {
			return wrong()
		}
		if t.GoType.Kind() == reflect.Map {
			return d.openMap(o, field, target)
		}
		return d.object(o, t, field, target+"/")
	case edm.Primitive:
		if !d.primitive(value, t, field) {
			return wrong()
		}
	}
	return nil
}

func (d Decoder) collection(list []any, t edm.Collection, field reflect.Value, target string) error {
	slice := reflect.MakeSlice(field.Type(), len(list), len(list))
	for i, item := range list {
		at := fmt.Sprintf("%s/%d", target, i)
		if item == nil {
			return fault.New(fault.Invalid, "an element cannot be null").At(at)
		}
		if err := d.assign(item, t.Of, slice.Index(i), at); err != nil {
			return err
		}
	}
	field.Set(slice)
	return nil
}

// openMap sets a Go map, which stands for an open complex type.
func (d Decoder) openMap(o *Object, field reflect.Value, target string) error {
	m := reflect.MakeMapWithSize(field.Type(), len(o.Members))
	elem := field.Type().Elem()
	for _, x := range o.Members {
		v := reflect.ValueOf(plain(x.Value))
		switch {
		case !v.IsValid():
			v = reflect.Zero(elem)
		case !v.Type().AssignableTo(elem):
			return fault.Newf(fault.Invalid, "expected %s, found %s", elem, kind(x.Value)).At(target + "/" + x.Name)
		}
		m.SetMapIndex(reflect.ValueOf(x.Name), v)
	}
	field.Set(m)
	return nil
}

// primitive sets field to a value of a primitive type; false if it is none.
func (d Decoder) primitive(value any, t edm.Primitive, field reflect.Value) bool {
	switch t {
	case edm.Untyped:
		field.Set(reflect.ValueOf(plain(value)))
		return true
	case edm.Boolean:
		b, ok := value.(bool)
		if ok {
			field.SetBool(b)
		}
		return ok
	case edm.String:
		s, ok := value.(string)
		if ok {
			field.SetString(s)
		}
		return ok
	case edm.Int16, edm.Int32, edm.Int64:
		n, ok := d.integer(value)
		if !ok || field.CanInt() && field.OverflowInt(n) || field.CanUint() && (n < 0 || field.OverflowUint(uint64(n))) {
			return false
		}
		if field.CanUint() {
			field.SetUint(uint64(n))
		} else {
			field.SetInt(n)
		}
		return true
	case edm.Double, edm.Decimal:
		f, ok := number(value)
		if !ok || field.OverflowFloat(f) {
			return false
		}
		field.SetFloat(f)
		return true
	}
	text, ok := value.(string)
	if !ok {
		return false
	}
	v, ok := plan.Parse(t, text)
	if !ok {
		return false
	}
	switch v := v.(type) {
	case time.Time, uuid.UUID:
		field.Set(reflect.ValueOf(v))
		return true
	}
	return false
}

// integer reads a JSON number without a fraction, such as 5, 5.0 or 5e2.
func (d Decoder) integer(value any) (int64, bool) {
	text, ok := "", false
	switch v := value.(type) {
	case json.Number:
		text, ok = v.String(), true
	case string:
		text, ok = v, d.IEEE754Compatible
	}
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// number reads a JSON number. INF, -INF and NaN are not taken: SQLite cannot
// keep the last, and JSON has no form for any.
func number(value any) (float64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f + 0, err == nil // PostgreSQL's numeric knows no -0
}
