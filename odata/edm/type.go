// Package edm is the entity data model (OData CSDL 4.01): the types, entity
// sets and operations a service is made of. A model is built from GORM structs
// (see Builder), so that a struct with its tags is the only list of an entity's
// properties; everything else (names in expressions, SQL, payload checks,
// $metadata) asks the model.
package edm

import (
	"reflect"
	"strings"
)

// Type is a type of the model: a Primitive, an *Enum, a Collection or a *Struct.
type Type interface {
	// String is the qualified name, as in $metadata: "Edm.Int64",
	// "Leadloop.Lead", "Collection(Edm.String)".
	String() string
	isType()
}

// Primitive is one of OData's primitive types (CSDL 4.01, section 3.3).
type Primitive uint8

// The primitive types. Untyped is what a dynamic property has before an
// expression says what it takes it for; Null is the type of the literal null.
const (
	Untyped Primitive = iota
	Null
	Boolean
	String
	SByte
	Byte
	Int16
	Int32
	Int64
	Decimal
	Single
	Double
	Date
	TimeOfDay
	DateTimeOffset
	Duration
	Guid
	Binary
)

var primitiveNames = [...]string{
	"Edm.Untyped", "null", "Edm.Boolean", "Edm.String", "Edm.SByte", "Edm.Byte", "Edm.Int16", "Edm.Int32", "Edm.Int64",
	"Edm.Decimal", "Edm.Single", "Edm.Double", "Edm.Date", "Edm.TimeOfDay", "Edm.DateTimeOffset", "Edm.Duration", "Edm.Guid", "Edm.Binary",
}

func (p Primitive) String() string { return primitiveNames[p] }
func (Primitive) isType()          {}

// PrimitiveNamed returns the primitive type of that qualified name.
func PrimitiveNamed(name string) (p Primitive, ok bool) {
	for i, n := range primitiveNames {
		if n == name && Primitive(i) != Null {
			return Primitive(i), true
		}
	}
	return 0, false
}

// IsInteger reports whether p is one of the integer types.
func (p Primitive) IsInteger() bool { return p >= SByte && p <= Int64 }

// IsNumeric reports whether p is a number.
func (p Primitive) IsNumeric() bool { return p >= SByte && p <= Double }

// Collection is a collection of one type.
type Collection struct{ Of Type }

func (c Collection) String() string { return "Collection(" + c.Of.String() + ")" }
func (Collection) isType()          {}

// Struct is a structured type: an entity type where it has a key, else a
// complex type.
type Struct struct {
	Namespace, Name string
	Table           string // of an entity type
	Key             []*Property
	Properties      []*Property // declared, in the order of the Go struct
	Navigation      []*Navigation
	ETag            *Property // nil: entities have no ETag
	Open            bool
	Dynamic         *Property   // where an open entity type keeps its dynamic properties
	Search          []*Property // what an index holds for $search; nil: there is none
	GoType          reflect.Type
	// Transient says that instances have no id: a query has aggregated entities
	// away. The Key is then what they differ in.
	Transient bool
	Only      []string // the dynamic properties there are; nil: any

	byName map[string]*Property
	navs   map[string]*Navigation
}

func (s *Struct) String() string { return s.Namespace + "." + s.Name }
func (*Struct) isType()          {}

// Property returns the declared property of that name, or nil.
func (s *Struct) Property(name string) *Property { return s.byName[name] }

// Nav returns the navigation property of that name, or nil.
func (s *Struct) Nav(name string) *Navigation { return s.navs[name] }

// IsEntity reports whether s is an entity type.
func (s *Struct) IsEntity() bool { return len(s.Key) > 0 }

// ClientKeyed reports whether clients give the keys of new entities of s.
func (s *Struct) ClientKeyed() bool {
	for _, p := range s.Key {
		if p.Computed {
			return false
		}
	}
	return s.IsEntity()
}

// Declares reports whether name is taken by a declared or navigation property,
// whatever its case: a dynamic property cannot have it.
func (s *Struct) Declares(name string) bool {
	for _, p := range s.Properties {
		if strings.EqualFold(p.Name, name) {
			return true
		}
	}
	for _, n := range s.Navigation {
		if strings.EqualFold(n.Name, name) {
			return true
		}
	}
	return false
}

// twice is a name that two properties share but for the case of its letters,
// which some clients do not tell apart (Protocol 4.01, section 13.2.1 item 11);
// "" if there is none.
func (s *Struct) twice() string {
	var names []string
	for _, p := range s.Properties {
		names = append(names, p.Name)
	}
	for _, n := range s.Navigation {
		names = append(names, n.Name)
	}
	seen := map[string]bool{}
	for _, name := range names {
		lower := strings.ToLower(name)
		if seen[lower] {
			return name
		}
		seen[lower] = true
	}
	return ""
}

// Property is a structural property.
type Property struct {
	Name      string
	Type      Type
	Nullable  bool
	MaxLength int  // of text and of the elements of a collection of text; 0: not limited
	Precision int  // of a Decimal; 0: not said
	Scale     int  // of a Decimal
	Minor     bool // a Decimal that the column and the Go field hold as an integer, in units of its last place
	Nanos     bool // a Duration, which the column holds in nanoseconds, as Go does
	Column    string
	JSON      bool // the column holds the value as JSON text
	Key       bool
	Computed  bool // set by the server: ignored in requests
	Immutable bool // taken at creation only
	WriteOnly bool // never shown
	Dynamic   bool // not in the metadata: a query computed it
	// Texts is the property with this one's text by language, as a JSON object such
	// as {"en":"…","he":"…"}; nil: there is but the one text.
	Texts *Property
	Index int // place among the struct's Properties

	Description string // of the tag doc:"…"
	Rules       Rules  // of the tag validate:"…"

	field []int // path to the Go field
}

// Navigation is a navigation property: a relation of GORM's, or the inverse of
// one.
type Navigation struct {
	Name    string
	Target  *Struct
	Many    bool
	Partner string    // the navigation property back, or ""
	Local   *Property // nil: see Inline
	Remote  *Property // Local and Remote are equal in related rows
	// Inverse says that the navigation was declared on the other side only.
	Inverse bool
	// Dependent says that this side holds the foreign key: Local refers to Remote.
	Dependent bool
}

// Nullable reports whether a single-valued navigation property may lead
// nowhere.
func (n *Navigation) Nullable() bool { return !n.Many && (n.Local == nil || n.Local.Nullable) }

// Value returns the property's value in the struct v (not a pointer): nil where
// a pointer is nil, else the Go value behind it.
func (p *Property) Value(v reflect.Value) any {
	f := v.FieldByIndex(p.field)
	if f.Kind() == reflect.Pointer {
		if f.IsNil() {
			return nil
		}
		f = f.Elem()
	}
	return f.Interface()
}

// Field returns the settable Go field of the property in the struct v.
func (p *Property) Field(v reflect.Value) reflect.Value { return v.FieldByIndex(p.field) }

// EntitySet is a named set of entities of one type.
type EntitySet struct {
	Name string
	Type *Struct
	// What the set takes besides reading.
	Insertable, Updatable, Deletable bool
	Annotations                      []Annotation
}

// Model is a whole entity data model.
type Model struct {
	Namespace   string
	Enums       []*Enum
	Entities    []*Struct
	Complex     []*Struct
	Sets        []*EntitySet
	Operations  []*Operation
	Annotations []Annotation // of the entity container
	Version     string       // of the schema, that $schemaversion asks for; "" if it has none

	sets map[string]*EntitySet
}

// Set returns the entity set of that name, or nil.
func (m *Model) Set(name string) *EntitySet { return m.sets[name] }

// SetOf returns the entity set that holds entities of type s, or nil.
func (m *Model) SetOf(s *Struct) *EntitySet {
	for _, set := range m.Sets {
		if set.Type == s {
			return set
		}
	}
	return nil
}

// Enum returns the enumeration type of that qualified name, or nil. In a model
// without a namespace any will do.
func (m *Model) Enum(name string) *Enum {
	if m.Namespace == "" && strings.Contains(name, ".") {
		name = name[strings.LastIndexByte(name, '.'):]
	}
	for _, e := range m.Enums {
		if e.String() == name {
			return e
		}
	}
	return nil
}

// Type returns the structured type of that name, qualified or not, or nil.
func (m *Model) Type(name string) *Struct {
	name = strings.TrimPrefix(name, m.Namespace+".")
	for _, list := range [][]*Struct{m.Entities, m.Complex} {
		for _, s := range list {
			if s.Name == name {
				return s
			}
		}
	}
	return nil
}
