package edm

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
)

// object is a JSON object whose members keep their order.
type object struct{ members []Field }

func obj(namesAndValues ...any) *object {
	o := &object{}
	for i := 0; i < len(namesAndValues); i += 2 {
		o.put(namesAndValues[i].(string), namesAndValues[i+1])
	}
	return o
}

func (o *object) put(name string, value any) *object {
	o.members = append(o.members, Field{name, value})
	return o
}

// get returns the member of that name, or nil.
func (o *object) get(name string) any {
	for _, m := range o.members {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// MarshalJSON writes the members in their order.
func (o *object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(m.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(m.Value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func writeJSON(w io.Writer, o *object) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(o)
}

// WriteJSON writes the model as CSDL JSON (OData CSDL JSON 4.01) for a client
// that speaks the given version; WriteXML says what 4.0 does not have.
func (m *Model) WriteJSON(w io.Writer, version string) error {
	references := obj()
	used := m.used()
	for _, v := range vocabularies {
		if used[v.alias] {
			include := obj("$Namespace", v.namespace, "$Alias", v.alias)
			references.put(vocabularyRoot+v.namespace+".json", obj("$Include", []any{include}))
		}
	}
	schema := annotate(obj(), m.schemaAnnotations())
	for _, e := range m.Enums {
		schema.put(e.Name, e.json())
	}
	for _, s := range slices.Concat(m.Complex, m.Entities) {
		schema.put(s.Name, s.json(version))
	}
	operations := m.operations(version)
	for i, op := range operations {
		// Overloads share one member.
		if slices.IndexFunc(operations, func(o *Operation) bool { return o.Name == op.Name }) < i {
			continue
		}
		var overloads []any
		for _, o := range operations {
			if o.Name == op.Name {
				overloads = append(overloads, o.json())
			}
		}
		schema.put(op.Name, overloads)
	}
	schema.put("Container", m.jsonContainer(version))
	return writeJSON(w, obj("$Version", version, "$Reference", references,
		"$EntityContainer", m.Namespace+".Container", m.Namespace, schema))
}

func (e *Enum) json() *object {
	o := obj("$Kind", "EnumType")
	if e.Underlying != Int32 {
		o.put("$UnderlyingType", e.Underlying.String())
	}
	if e.Flags {
		o.put("$IsFlags", true)
	}
	for _, m := range e.Members {
		o.put(m.Name, m.Value)
		for _, a := range described(m.Description) {
			o.put(m.Name+"@"+a.Term, a.Value)
		}
	}
	return o
}

func (s *Struct) json(version string) *object {
	o := obj("$Kind", "ComplexType")
	if s.IsEntity() {
		var key []string
		for _, p := range s.Key {
			key = append(key, p.Name)
		}
		o = obj("$Kind", "EntityType", "$Key", key)
	}
	properties, open := s.declared(version)
	if open {
		o.put("$OpenType", true)
	}
	for _, p := range properties {
		o.put(p.Name, annotate(p.json(obj()), p.annotations()))
	}
	for _, n := range s.Navigation {
		o.put(n.Name, n.json())
	}
	return o
}

// json adds a type and its facets to o. Edm.String is meant where no type is
// named, and what is not nullable where nothing is said.
func (p *Property) json(o *object) *object {
	t := p.Type
	if c, ok := t.(Collection); ok {
		o.put("$Collection", true)
		t = c.Of
	}
	if t != String {
		o.put("$Type", t.String())
	}
	if p.Nullable {
		o.put("$Nullable", true)
	}
	for _, facet := range []struct {
		name  string
		value int
	}{{"$MaxLength", p.MaxLength}, {"$Precision", p.precision()}, {"$Scale", p.Scale}} {
		if facet.value > 0 {
			o.put(facet.name, facet.value)
		}
	}
	return o
}

func (n *Navigation) json() *object {
	o := obj("$Kind", "NavigationProperty")
	if n.Many {
		o.put("$Collection", true)
	}
	o.put("$Type", n.Target.String())
	if n.Nullable() {
		o.put("$Nullable", true)
	}
	if n.Partner != "" {
		o.put("$Partner", n.Partner)
	}
	if n.constrained() {
		o.put("$ReferentialConstraint", obj(n.Local.Name, n.Remote.Name))
	}
	return o
}

func (op *Operation) json() *object {
	o := obj("$Kind", "Action")
	if op.Function {
		o = obj("$Kind", "Function")
	}
	if op.Binding != nil {
		o.put("$IsBound", true)
	}
	if path := op.setPath(); path != "" {
		o.put("$EntitySetPath", path)
	}
	parameters := []any{}
	for i, p := range op.parameters() {
		x := p.json(obj("$Name", p.Name))
		if i > 0 || op.Binding == nil {
			annotate(x, p.parameterAnnotations())
		}
		parameters = append(parameters, x)
	}
	if len(parameters) > 0 {
		o.put("$Parameter", parameters)
	}
	if op.Returns != nil {
		o.put("$ReturnType", op.returned().json(obj()))
	}
	return annotate(o, described(op.Description))
}

func (m *Model) jsonContainer(version string) *object {
	c := obj("$Kind", "EntityContainer")
	for _, set := range m.Sets {
		x := obj("$Collection", true, "$Type", set.Type.String())
		bindings := obj()
		for _, n := range set.Type.Navigation {
			bindings.put(n.Name, m.SetOf(n.Target).Name)
		}
		if len(bindings.members) > 0 {
			x.put("$NavigationPropertyBinding", bindings)
		}
		c.put(set.Name, annotate(x, set.Annotations))
	}
	for _, op := range m.operations(version) {
		if op.Binding != nil {
			continue
		}
		kind := "$Action"
		if op.Function {
			kind = "$Function"
		}
		x := obj(kind, m.Namespace+"."+op.Name)
		if set := m.setName(op); set != "" {
			x.put("$EntitySet", set)
		}
		c.put(op.Name, x)
	}
	return annotate(c, m.Annotations)
}

// annotate adds annotations to the element o.
func annotate(o *object, list []Annotation) *object {
	for _, a := range list {
		o.put("@"+a.Term, plain(a.Value))
	}
	return o
}

// plain is an annotation's value as CSDL JSON writes it.
func plain(v any) any {
	switch v := v.(type) {
	case Record:
		o := obj()
		for _, f := range v {
			o.put(f.Name, plain(f.Value))
		}
		return o
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = plain(item)
		}
		return list
	case EnumMember:
		return v.Name
	case PropertyPath:
		return string(v)
	}
	return v
}
