package edm

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/schema"
)

// Builder makes a Model out of GORM structs.
//
// A field becomes a property of the field's name; its Go type gives the Edm
// type, a pointer makes it nullable. Fields with `gorm:"serializer:json"` become
// collections (slices), complex types (structs) or open complex types (maps).
// GORM's has-many, has-one and belongs-to relations become navigation
// properties. The tag `odata:"…"` takes, separated by commas:
//
//   - not part of the model
//     name=X       the property is called X
//     computed     set by the server, ignored in requests
//     immutable    taken when the entity is created, ignored in updates
//     writeonly    never shown
//     etag         the entity's ETag is made of this property
//     dynamic      a map[string]any: the type is open and its dynamic properties live here
//     partner=X    on a relation: the navigation property back is called X, and is
//     declared by this if the other struct has none
//     decimal=N    an integer field holds hundredths (N=2), thousandths (3), …: the property is
//     a Decimal of that scale
//     texts=X      a field of text that is shown in the caller's language where the field X, a map held as
//     JSON, has it: see odata.Set.Languages
//     type=X       a field of text is a Date ("2026-01-31") or a TimeOfDay ("15:04:05.000000")
//
// A Go type with an ODataEnum or ODataFlags method is an enumeration type (see
// Enumerated). The tag `doc:"…"` describes the property; the rules of
// `validate:"…"` that the model can express are part of it (see Rules), and
// "max" of text, or GORM's size, is its MaxLength.
type Builder struct {
	model   *Model
	cache   sync.Map
	types   map[reflect.Type]*Struct
	enums   map[reflect.Type]*Enum
	schemas map[*Struct]*schema.Schema
}

// NewBuilder starts a model whose types live in namespace.
func NewBuilder(namespace string) *Builder {
	m := &Model{Namespace: namespace, sets: map[string]*EntitySet{}}
	return &Builder{model: m, types: map[reflect.Type]*Struct{}, enums: map[reflect.Type]*Enum{}, schemas: map[*Struct]*schema.Schema{}}
}

// EntitySet adds the set name of entities like model, a pointer to a GORM
// struct. The entity type is called typeName, or as the Go struct if it is "".
func (b *Builder) EntitySet(name, typeName string, model any) (*EntitySet, error) {
	s, err := b.entity(typeName, model)
	if err != nil {
		return nil, fmt.Errorf("entity set %s: %w", name, err)
	}
	if b.model.sets[name] != nil {
		return nil, fmt.Errorf("entity set %s: added twice", name)
	}
	set := &EntitySet{Name: name, Type: s}
	b.model.Sets = append(b.model.Sets, set)
	b.model.sets[name] = set
	return set, nil
}

func (b *Builder) entity(name string, model any) (*Struct, error) {
	parsed, err := schema.Parse(model, &b.cache, schema.NamingStrategy{IdentifierMaxLength: 64})
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = parsed.Name
	}
	s := &Struct{Namespace: b.model.Namespace, Name: name, Table: parsed.Table, GoType: parsed.ModelType}
	b.types[parsed.ModelType] = s
	b.schemas[s] = parsed
	for _, f := range parsed.Fields {
		if parsed.Relationships.Relations[f.Name] != nil {
			continue
		}
		if err := b.addField(s, f); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, f.Name, err)
		}
	}
	if len(s.Key) == 0 {
		return nil, fmt.Errorf("%s has no primary key", name)
	}
	s.index()
	for _, f := range parsed.Fields {
		if err := s.localise(f); err != nil {
			return nil, err
		}
	}
	b.model.Entities = append(b.model.Entities, s)
	return s, nil
}

// localise joins a field of text to that which has its translations.
func (s *Struct) localise(f *schema.Field) error {
	options, hidden := tag(f.Tag)
	if hidden || options["texts"] == "" {
		return nil
	}
	texts := s.byName[options["texts"]]
	for _, p := range s.Properties {
		if p.Column != f.DBName {
			continue
		}
		if p.Type != String || texts == nil || !texts.JSON {
			return fmt.Errorf("%s.%s: odata:\"texts=%s\" needs a field of text, and the name of a map held as JSON", s.Name, f.Name, options["texts"])
		}
		p.Texts = texts
	}
	return nil
}

func (s *Struct) index() {
	s.byName = make(map[string]*Property, len(s.Properties))
	for i, p := range s.Properties {
		p.Index = i
		s.byName[p.Name] = p
	}
}

// tag reads a field's odata tag; hidden is true for "-".
func tag(st reflect.StructTag) (options map[string]string, hidden bool) {
	options = map[string]string{}
	for option := range strings.SplitSeq(st.Get("odata"), ",") {
		if option == "-" {
			return nil, true
		}
		key, value, _ := strings.Cut(strings.TrimSpace(option), "=")
		options[key] = value
	}
	return options, false
}

func has(options map[string]string, name string) bool {
	_, ok := options[name]
	return ok
}

func (b *Builder) addField(s *Struct, f *schema.Field) error {
	options, hidden := tag(f.Tag)
	if hidden {
		return nil
	}
	p := &Property{Name: f.Name, Column: f.DBName, field: f.StructField.Index, Key: f.PrimaryKey}
	if n := options["name"]; n != "" {
		p.Name = n
	}
	p.Computed = has(options, "computed")
	p.Immutable = has(options, "immutable")
	p.WriteOnly = has(options, "writeonly")
	p.Nullable = f.FieldType.Kind() == reflect.Pointer || p.WriteOnly
	if p.Column == "" && !p.WriteOnly {
		return nil
	}
	if has(options, "dynamic") {
		p.JSON = true
		s.Open, s.Dynamic = true, p
		return nil
	}
	var err error
	if f.Serializer != nil {
		p.JSON = true
		p.Nullable = false
		p.Type, err = b.jsonType(f.IndirectFieldType)
	} else {
		p.Type, err = b.scalar(f.IndirectFieldType)
	}
	if err == nil {
		err = p.decimal(options["decimal"])
	}
	if err == nil {
		err = p.retype(options["type"])
	}
	if err != nil {
		return err
	}
	p.describe(f.Tag, f.TagSettings["SIZE"])
	s.Properties = append(s.Properties, p)
	if p.Key {
		s.Key = append(s.Key, p)
	}
	if has(options, "etag") {
		s.ETag = p
	}
	return nil
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	uuidType     = reflect.TypeFor[uuid.UUID]()
	bytesType    = reflect.TypeFor[[]byte]()
)

// scalar gives the Edm type of a Go type held in a column of its own.
func (b *Builder) scalar(t reflect.Type) (Type, error) {
	if e, err := b.enum(t); e != nil || err != nil {
		return e, err
	}
	switch t {
	case timeType:
		return DateTimeOffset, nil
	case uuidType:
		return Guid, nil
	case bytesType:
		return Binary, nil
	case durationType:
		return Duration, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		return Boolean, nil
	case reflect.String:
		return String, nil
	case reflect.Int8:
		return SByte, nil
	case reflect.Uint8:
		return Byte, nil
	case reflect.Int16:
		return Int16, nil
	case reflect.Int32, reflect.Uint16:
		return Int32, nil
	case reflect.Int, reflect.Int64, reflect.Uint32:
		return Int64, nil
	case reflect.Float32:
		return Single, nil
	case reflect.Float64:
		return Double, nil
	}
	return nil, fmt.Errorf("no Edm type for the Go type %s (hide it with odata:\"-\")", t)
}

// jsonType gives the Edm type of a Go type held as JSON.
func (b *Builder) jsonType(t reflect.Type) (Type, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t.Kind() == reflect.Slice && t != bytesType:
		of, err := b.jsonType(t.Elem())
		return Collection{of}, err
	case t.Kind() == reflect.Map:
		return b.complexType(t)
	case t.Kind() == reflect.Struct && t != timeType:
		return b.complexType(t)
	case t.Kind() == reflect.Interface:
		return Untyped, nil
	case t == durationType:
		return Int64, nil // as encoding/json writes it
	}
	if t.Kind() != reflect.String && isEnum(t) {
		// Inside JSON the value is as encoding/json writes it: a number.
		t = integerTypes[t.Kind()]
	}
	return b.scalar(t)
}

// complexType declares the complex type of a Go struct, or the open complex
// type without declared properties of a Go map.
func (b *Builder) complexType(t reflect.Type) (Type, error) {
	if s := b.types[t]; s != nil {
		return s, nil
	}
	s := &Struct{Namespace: b.model.Namespace, Name: t.Name(), GoType: t}
	if s.Name == "" {
		return nil, fmt.Errorf("the Go type %s needs a name to become a complex type", t)
	}
	b.types[t] = s
	if t.Kind() == reflect.Map {
		s.Open = true
	} else if err := b.addJSONFields(s); err != nil {
		return nil, err
	}
	b.model.Complex = append(b.model.Complex, s)
	return s, nil
}

// Parameters describes the fields of the struct type t as the parameters of the
// operation name, without declaring a complex type.
func (b *Builder) Parameters(name string, t reflect.Type) (*Struct, error) {
	s := &Struct{Namespace: b.model.Namespace, Name: name, GoType: t}
	err := b.addJSONFields(s)
	for _, p := range s.Properties {
		if of := indirect(t.FieldByIndex(p.field).Type); err == nil && isEnum(of) {
			p.Type, err = b.enum(of)
		}
	}
	return s, err
}

func indirect(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func (b *Builder) addJSONFields(s *Struct) error {
	for _, f := range reflect.VisibleFields(s.GoType) {
		if err := b.addJSONField(s, f); err != nil {
			return fmt.Errorf("%s.%s: %w", s.Name, f.Name, err)
		}
	}
	s.index()
	return nil
}

func (b *Builder) addJSONField(s *Struct, f reflect.StructField) error {
	if !f.IsExported() || f.Tag.Get("json") == "-" {
		return nil
	}
	if options, hidden := tag(f.Tag); hidden || has(options, "writeonly") {
		return errors.New("a field inside a JSON column is hidden by json:\"-\" only, as the column is shown as it is")
	}
	t, err := b.jsonType(f.Type)
	if err != nil {
		return err
	}
	p := &Property{Name: f.Name, Type: t, field: f.Index, JSON: true}
	p.Nullable = f.Type.Kind() == reflect.Pointer || t == Untyped
	if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
		p.Name = name
	}
	p.describe(f.Tag, "")
	s.Properties = append(s.Properties, p)
	return nil
}

// TypeOf gives the type of a Go type, for results of operations: the entity type
// made of it, or else a complex type, which it declares, a primitive type or an
// enumeration type. Slices give a Collection.
func (b *Builder) TypeOf(t reflect.Type) (Type, error) {
	if t = indirect(t); t.Kind() != reflect.Interface && isEnum(t) {
		return b.enum(t)
	}
	return b.jsonType(t)
}

// StructOf returns the structured type made from the Go type of v, a struct or
// a pointer to one, or nil.
func (b *Builder) StructOf(v any) *Struct {
	t := reflect.TypeOf(v)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return b.types[t]
}

// Operation adds an action or function.
func (b *Builder) Operation(op *Operation) { b.model.Operations = append(b.model.Operations, op) }

// Build resolves the relations and returns the Model. Relations to structs
// without an entity set are left out.
func (b *Builder) Build() (*Model, error) {
	for _, s := range b.model.Entities {
		for i := range s.GoType.NumField() {
			f := s.GoType.Field(i)
			rel := b.schemas[s].Relationships.Relations[f.Name]
			options, hidden := tag(f.Tag)
			if rel == nil || hidden || b.types[rel.FieldSchema.ModelType] == nil {
				continue
			}
			if err := b.relate(s, rel, options["partner"]); err != nil {
				return nil, fmt.Errorf("%s.%s: %w", s.Name, f.Name, err)
			}
		}
	}
	for _, s := range b.model.Entities {
		s.navs = make(map[string]*Navigation, len(s.Navigation))
		for _, n := range s.Navigation {
			s.navs[n.Name] = n
		}
		if name := s.twice(); name != "" {
			return nil, fmt.Errorf("%s.%s is declared twice (the case of letters does not count)", s.Name, name)
		}
	}
	return b.model, nil
}

// StructOf builds the entity type of a GORM struct by itself, with extra
// properties after its own.
func StructOf(model any, extra ...*Property) (*Struct, error) {
	s, _, err := TypesOf(model, extra...)
	return s, err
}

// TypesOf is StructOf, and gives the model of the types that the struct needs.
func TypesOf(model any, extra ...*Property) (*Struct, *Model, error) {
	b := NewBuilder("")
	s, err := b.entity("", model)
	if err != nil {
		return nil, nil, err
	}
	s.Properties = append(s.Properties, extra...)
	s.index()
	return s, b.model, nil
}
