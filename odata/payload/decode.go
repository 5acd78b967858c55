package payload

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
)

func asFault(err error, f **fault.Error) bool { return errors.As(err, f) }

// Mode says what a body does to the entity.
type Mode uint8

// The modes. Properties that a mode does not take are ignored, as the protocol
// asks (Protocol 4.01, sections 11.4.2 and 11.4.3): computed ones always, keys
// the server gives and immutable ones in updates. Update merges: what is not
// given stays, in complex properties too. Replace starts from what Reset left.
const (
	Create Mode = iota
	Update
	Replace
)

// Decoder decodes bodies.
type Decoder struct {
	Mode Mode
	// IEEE754Compatible says that Int64 and Decimal values may be strings.
	IEEE754Compatible bool
	// Hide names properties of the entity that are not there for the caller.
	Hide []string
}

// Entity applies the members of o to the struct that v, settable, holds; s is
// its type. Members that are not given leave the struct as it is. Members that
// speak of related entities are returned, and not applied. Faults are Invalid
// and name the property; what was set before one stays set.
func (d Decoder) Entity(o *Object, s *edm.Struct, v reflect.Value) ([]Nested, error) {
	return d.object(o, s, v, "")
}

func (d Decoder) object(o *Object, s *edm.Struct, v reflect.Value, path string) (nested []Nested, err error) {
	if err := typeOf(o, s, path); err != nil {
		return nil, err
	}
	var dynamic []Member // set at once, as each time copies the map
	for _, m := range o.Members {
		if n, ok := nestedOf(m, s); ok {
			nested = append(nested, n)
			continue
		}
		if strings.Contains(m.Name, "@") {
			continue // annotations and control information (Protocol 4.01, section 6.4)
		}
		target := path + m.Name
		p := s.Property(m.Name)
		switch {
		case p != nil && !d.hidden(s, p):
			if !d.takes(s, p) {
				continue
			}
			if err := d.set(m.Value, p, p.Field(v), target); err != nil {
				return nil, err
			}
		case s.Open && s.Dynamic != nil && !s.Declares(m.Name):
			if err := checkName(m.Name); err != nil {
				return nil, err
			}
			dynamic = append(dynamic, m)
		default:
			return nil, fault.Newf(fault.Invalid, "%s has no property %q", s.Name, m.Name).At(target)
		}
	}
	if len(dynamic) > 0 {
		setDynamic(s.Dynamic.Field(v), dynamic...)
	}
	return nested, nil
}

func (d Decoder) hidden(s *edm.Struct, p *edm.Property) bool {
	return s.IsEntity() && slices.Contains(d.Hide, p.Name)
}

// takes reports whether the mode lets a body set p.
func (d Decoder) takes(s *edm.Struct, p *edm.Property) bool {
	return !p.Computed && (d.Mode == Create || !p.Immutable && !(p.Key && s.IsEntity()))
}

// Takes reports whether a body may set p, a property of an entity.
func (d Decoder) Takes(p *edm.Property) bool {
	return !p.Computed && !slices.Contains(d.Hide, p.Name) && (d.Mode == Create || !p.Immutable && !p.Key)
}

// Reset gives every property of v that a Replace may set the value it has in
// fresh, a new entity (Protocol 4.01, section 11.4.3). A foreign key stays: it
// belongs to a relation, which the body has to speak of.
func (d Decoder) Reset(s *edm.Struct, v, fresh reflect.Value) {
	foreign := map[*edm.Property]bool{}
	for _, n := range s.Navigation {
		if n.Dependent {
			foreign[n.Local] = true
		}
	}
	for _, p := range s.Properties {
		if d.takes(s, p) && !foreign[p] && !d.hidden(s, p) {
			p.Field(v).Set(p.Field(fresh))
		}
	}
	if s.Dynamic != nil {
		s.Dynamic.Field(v).Set(s.Dynamic.Field(fresh))
	}
}

// Property sets one property of a struct, in field, to a parsed value.
func (d Decoder) Property(value any, p *edm.Property, field reflect.Value) error {
	if d.Mode == Replace && value != nil {
		field.SetZero()
	}
	return d.set(value, p, field, p.Name)
}

// Append adds a parsed value to the collection that field holds.
func (d Decoder) Append(value any, p *edm.Property, field reflect.Value) error {
	of := p.Type.(edm.Collection).Of
	if value == nil {
		return fault.New(fault.Invalid, "an element cannot be null").At(p.Name)
	}
	elem := reflect.New(field.Type().Elem()).Elem()
	if err := d.assign(value, of, elem, p.Name); err != nil {
		return err
	}
	// The slice may share its array with what was read before.
	field.Set(reflect.Append(field.Slice3(0, field.Len(), field.Len()), elem))
	return nil
}

// SetDynamic sets, or for a nil value removes, a dynamic property of v.
func SetDynamic(s *edm.Struct, v reflect.Value, name string, value any) {
	setDynamic(s.Dynamic.Field(v), Member{name, value})
}

// setDynamic applies dynamic properties to field; null removes one.
func setDynamic(field reflect.Value, changes ...Member) {
	// The map may be shared with what was read before: never change it in place.
	next := make(map[string]any, field.Len()+len(changes))
	for _, k := range field.MapKeys() {
		next[k.String()] = field.MapIndex(k).Interface()
	}
	for _, m := range changes {
		if m.Value == nil {
			delete(next, m.Name)
		} else {
			next[m.Name] = plain(m.Value)
		}
	}
	field.Set(reflect.ValueOf(next))
}

// maxName is how many characters the name of a dynamic property may have.
const maxName = 200

func checkName(name string) error {
	if utf8.RuneCountInString(name) > maxName {
		return fault.Newf(fault.Invalid, "a property's name has 1 to %d characters", maxName).At(string([]rune(name)[:40]))
	}
	if strings.ContainsFunc(name, unicode.IsControl) {
		return fault.New(fault.Invalid, "a property's name holds no control character").At(name)
	}
	return nil
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
	if p.Minor {
		return setMinor(value, p, field, target)
	}
	if field.Kind() == reflect.Pointer {
		fresh := reflect.New(field.Type().Elem())
		if d.Mode == Update && !field.IsNil() {
			fresh.Elem().Set(field.Elem()) // a complex value is merged with what is there
		}
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
		_, err := d.object(o, t, field, target+"/") // complex types have no navigation properties
		return err
	case *edm.Enum:
		if !setMember(value, t, field) {
			return fault.Newf(fault.Invalid, "%s has no member %v", t, value).At(target)
		}
	case edm.Primitive:
		if !d.primitive(value, t, field) {
			return wrong()
		}
	}
	return nil
}

func (d Decoder) collection(list []any, t edm.Collection, field reflect.Value, target string) error {
	slice := reflect.MakeSlice(field.Type(), len(list), len(list))
	d.Mode = Create // elements are new, whatever was in their place
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
	m := reflect.MakeMapWithSize(field.Type(), len(o.Members)+field.Len())
	elem := field.Type().Elem()
	if d.Mode == Update {
		for _, k := range field.MapKeys() {
			m.SetMapIndex(k, field.MapIndex(k))
		}
	}
	for _, x := range o.Members {
		v := reflect.ValueOf(plain(x.Value))
		switch {
		case strings.Contains(x.Name, "@"):
			continue
		case !v.IsValid() && d.Mode == Update: // a dynamic property that is null is not there
			m.SetMapIndex(reflect.ValueOf(x.Name), reflect.Value{})
			continue
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
