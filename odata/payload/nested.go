package payload

import (
	"reflect"
	"slices"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
)

// Form says how a body speaks of related entities.
type Form uint8

// The forms (JSON Format 4.01, sections 8.3 to 8.5 and 15).
const (
	Inline Form = iota // "Nav": an entity, a reference, null, or an array of them: all there are
	Bind               // "Nav@odata.bind": the id of an entity, or an array of ids, to be added
	Delta              // "Nav@delta": an array of what is added, changed and removed
)

// Nested is a member of a body that speaks of related entities.
type Nested struct {
	Nav   *edm.Navigation
	Form  Form
	Name  string // of the member, for messages
	Value any    // as in a Member
}

func nestedOf(m Member, s *edm.Struct) (Nested, bool) {
	name, annotation, _ := strings.Cut(m.Name, "@")
	nav := s.Nav(name)
	if nav == nil {
		return Nested{}, false
	}
	n := Nested{nav, Inline, m.Name, m.Value}
	switch strings.TrimPrefix(annotation, "odata.") {
	case "":
	case "bind":
		n.Form = Bind
	case "delta":
		n.Form = Delta
	default:
		return n, false
	}
	return n, true
}

// Member returns the value of the member of that name.
func (o *Object) Member(name string) (value any, ok bool) {
	for _, m := range o.Members {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

// Without returns o without the members of these names.
func (o *Object) Without(names ...string) *Object {
	return &Object{slices.DeleteFunc(slices.Clone(o.Members), func(m Member) bool { return slices.Contains(names, m.Name) })}
}

// Nests reports whether o speaks of entities related to one of type s.
func (o *Object) Nests(s *edm.Struct) bool {
	return slices.ContainsFunc(o.Members, func(m Member) bool {
		_, nested := nestedOf(m, s)
		return nested
	})
}

// Control is the control information of an object (JSON Format 4.01, section
// 4.6), the names of which may begin with "odata." or not.
type Control struct {
	ID, Type, ETag, Context string
	Removed                 bool
	Deleted                 bool // the reason of Removed is "deleted"
}

// Control reads the control information of o. It is Invalid where its value is
// not of the kind it has to be.
func (o *Object) Control() (c Control, err error) {
	texts := map[string]*string{"id": &c.ID, "type": &c.Type, "etag": &c.ETag, "context": &c.Context}
	for _, m := range o.Members {
		name, ok := strings.CutPrefix(m.Name, "@")
		if !ok {
			continue
		}
		name = strings.TrimPrefix(name, "odata.")
		if name == "removed" {
			reason, ok := m.Value.(*Object)
			if !ok {
				return c, fault.Newf(fault.Invalid, "%s must be an object", m.Name).At(m.Name)
			}
			why, _ := reason.Member("reason")
			c.Removed, c.Deleted = true, why == "deleted"
		}
		to := texts[name]
		if to == nil {
			continue
		}
		if *to, ok = m.Value.(string); !ok {
			return c, fault.Newf(fault.Invalid, "%s must be a string", m.Name).At(m.Name)
		}
	}
	return c, nil
}

// IsReference reports whether o is nothing but a reference to an entity: it has
// an id, and no property.
func (o *Object) IsReference() bool {
	c, err := o.Control()
	return err == nil && c.ID != "" && !o.HasContent()
}

// HasContent reports whether o has any member that is not control information
// or an annotation of the object itself.
func (o *Object) HasContent() bool {
	for _, m := range o.Members {
		if !strings.HasPrefix(m.Name, "@") {
			return true
		}
	}
	return false
}

// HasProperties reports whether o gives any structural property of s, key
// properties excepted.
func (o *Object) HasProperties(s *edm.Struct) bool {
	for _, m := range o.Members {
		p := s.Property(m.Name)
		if !strings.Contains(m.Name, "@") && s.Nav(m.Name) == nil && (p == nil || !p.Key) {
			return true
		}
	}
	return false
}

// typeOf checks that what o says it is, is s.
func typeOf(o *Object, s *edm.Struct, path string) error {
	for _, m := range o.Members {
		if m.Name != "@odata.type" && m.Name != "@type" {
			continue
		}
		name, ok := m.Value.(string)
		if i := strings.LastIndexByte(name, '#'); i >= 0 {
			name = name[i+1:]
		}
		if !ok || name != s.String() {
			return fault.Newf(fault.Invalid, "expected %s, found %v", s, m.Value).At(path + m.Name)
		}
	}
	return nil
}

// Text sets field, that of the property p of a primitive or an enumeration type, to
// a raw value: the text of a literal without prefix or quotes (Protocol 4.01, section 11.2.4.1). It is
// false if the text is none.
func Text(p *edm.Property, text string, field reflect.Value) bool {
	if p.Minor {
		return setMinor(text, p, field, p.Name) == nil
	}
	for field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if e, ok := p.Type.(*edm.Enum); ok {
		return setMember(text, e, field)
	}
	t := p.Type.(edm.Primitive)
	if t == edm.String {
		field.SetString(text)
		return true
	}
	value, ok := plan.Parse(t, text)
	if !ok {
		return false
	}
	d := Decoder{IEEE754Compatible: true}
	if b, ok := value.(bool); ok {
		field.SetBool(b)
		return true
	}
	return d.primitive(text, t, field)
}
