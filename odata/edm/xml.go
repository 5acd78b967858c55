package edm

import (
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"
)

// element is an XML element that holds either elements or text.
type element struct {
	name     string
	attrs    []string // names and values in turn
	children []*element
	text     string
}

func node(name string, attrs ...string) *element { return &element{name: name, attrs: attrs} }

// set adds an attribute, unless its value is "".
func (e *element) set(name, value string) {
	if value != "" {
		e.attrs = append(e.attrs, name, value)
	}
}

func (e *element) add(children ...*element) { e.children = append(e.children, children...) }

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#xA;", "\t", "&#x9;", "\r", "&#xD;")

func (e *element) write(b *strings.Builder, indent string) {
	b.WriteString(indent + "<" + e.name)
	for i := 0; i < len(e.attrs); i += 2 {
		b.WriteString(" " + e.attrs[i] + `="` + escaper.Replace(e.attrs[i+1]) + `"`)
	}
	switch {
	case e.text != "":
		b.WriteString(">" + escaper.Replace(e.text) + "</" + e.name + ">\n")
	case len(e.children) == 0:
		b.WriteString("/>\n")
	default:
		b.WriteString(">\n")
		for _, c := range e.children {
			c.write(b, indent+"  ")
		}
		b.WriteString(indent + "</" + e.name + ">\n")
	}
}

// WriteXML writes the model as CSDL XML for a client that speaks the given
// version, "4.0" or "4.01". OData 4.0 has no Edm.Untyped: properties of it are
// then dynamic ones of an open type, and operations that need it are left out.
func (m *Model) WriteXML(w io.Writer, version string) error {
	doc := node("edmx:Edmx", "xmlns:edmx", "http://docs.oasis-open.org/odata/ns/edmx", "Version", version)
	used := m.used()
	for _, v := range vocabularies {
		if used[v.alias] {
			r := node("edmx:Reference", "Uri", vocabularyRoot+v.namespace+".xml")
			r.add(node("edmx:Include", "Namespace", v.namespace, "Alias", v.alias))
			doc.add(r)
		}
	}
	schema := node("Schema", "xmlns", "http://docs.oasis-open.org/odata/ns/edm", "Namespace", m.Namespace)
	services := node("edmx:DataServices")
	services.add(schema)
	doc.add(services)
	for _, e := range m.Enums {
		schema.add(e.xml())
	}
	for _, s := range slices.Concat(m.Complex, m.Entities) {
		schema.add(s.xml(version))
	}
	for _, op := range m.operations(version) {
		schema.add(op.xml())
	}
	schema.add(m.xmlContainer(version))
	schema.add(annotations(m.schemaAnnotations())...)
	var b strings.Builder
	b.WriteString(xml.Header)
	doc.write(&b, "")
	_, err := io.WriteString(w, b.String())
	return err
}

// schemaAnnotations let names of the schema stand in URLs without its namespace,
// and tell its version.
func (m *Model) schemaAnnotations() []Annotation {
	list := []Annotation{{"Core.DefaultNamespace", true}}
	if m.Version != "" {
		list = append(list, Annotation{"Core.SchemaVersion", m.Version})
	}
	return list
}

// operations are those that a version of OData can describe.
func (m *Model) operations(version string) []*Operation {
	var list []*Operation
	for _, op := range m.Operations {
		if version != "4.0" || !op.untyped() {
			list = append(list, op)
		}
	}
	return list
}

// declared are the properties of s that a version of OData can describe, and
// whether the type is open then.
func (s *Struct) declared(version string) (properties []*Property, open bool) {
	open = s.Open
	for _, p := range s.Properties {
		if version == "4.0" && untyped(p.Type) {
			open = true
			continue
		}
		properties = append(properties, p)
	}
	return properties, open
}

func (e *Enum) xml() *element {
	x := node("EnumType", "Name", e.Name)
	if e.Underlying != Int32 {
		x.set("UnderlyingType", e.Underlying.String())
	}
	if e.Flags {
		x.set("IsFlags", "true")
	}
	for _, member := range e.Members {
		m := node("Member", "Name", member.Name, "Value", strconv.FormatInt(member.Value, 10))
		m.add(annotations(described(member.Description))...)
		x.add(m)
	}
	return x
}

func (s *Struct) xml(version string) *element {
	kind := "ComplexType"
	if s.IsEntity() {
		kind = "EntityType"
	}
	x := node(kind, "Name", s.Name)
	properties, open := s.declared(version)
	if open {
		x.set("OpenType", "true")
	}
	if s.IsEntity() {
		key := node("Key")
		for _, p := range s.Key {
			key.add(node("PropertyRef", "Name", p.Name))
		}
		x.add(key)
	}
	for _, p := range properties {
		e := node("Property", "Name", p.Name)
		p.facets(e)
		e.add(annotations(p.annotations())...)
		x.add(e)
	}
	for _, n := range s.Navigation {
		x.add(n.xml())
	}
	return x
}

// facets writes the type of a property or parameter, and what narrows it.
func (p *Property) facets(e *element) {
	e.set("Type", p.Type.String())
	if !p.Nullable {
		e.set("Nullable", "false")
	}
	e.set("MaxLength", number(p.MaxLength))
	e.set("Precision", number(p.precision()))
	e.set("Scale", number(p.Scale))
}

// precision is the declared one; that of instants is microseconds, which both
// databases keep.
func (p *Property) precision() int {
	if p.Type == DateTimeOffset {
		return 6
	}
	return p.Precision
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (n *Navigation) xml() *element {
	x := node("NavigationProperty", "Name", n.Name)
	if n.Many {
		x.set("Type", Collection{n.Target}.String())
	} else {
		x.set("Type", n.Target.String())
		if !n.Nullable() {
			x.set("Nullable", "false")
		}
	}
	x.set("Partner", n.Partner)
	if n.constrained() {
		x.add(node("ReferentialConstraint", "Property", n.Local.Name, "ReferencedProperty", n.Remote.Name))
	}
	return x
}

// constrained reports whether the entity holds the key of the related one: a
// constraint leads from the dependent to the principal (CSDL 4.01, section 8.5).
func (n *Navigation) constrained() bool { return !n.Many && n.Remote.Key }

func (op *Operation) xml() *element {
	kind := "Action"
	if op.Function {
		kind = "Function"
	}
	x := node(kind, "Name", op.Name)
	if op.Binding != nil {
		x.set("IsBound", "true")
		x.set("EntitySetPath", op.setPath())
	}
	for i, p := range op.parameters() {
		e := node("Parameter", "Name", p.Name)
		p.facets(e)
		if i > 0 || op.Binding == nil {
			e.add(annotations(p.parameterAnnotations())...)
		}
		x.add(e)
	}
	if op.Returns != nil {
		e := node("ReturnType")
		op.returned().facets(e)
		x.add(e)
	}
	x.add(annotations(described(op.Description))...)
	return x
}

// returned is what op gives. A single one may be null, which is no content.
func (op *Operation) returned() *Property {
	_, many := op.Returns.(Collection)
	_, structured := op.Returns.(*Struct)
	return &Property{Type: op.Returns, Nullable: structured && !many}
}

func (m *Model) xmlContainer(version string) *element {
	c := node("EntityContainer", "Name", "Container")
	for _, set := range m.Sets {
		x := node("EntitySet", "Name", set.Name, "EntityType", set.Type.String())
		for _, n := range set.Type.Navigation {
			x.add(node("NavigationPropertyBinding", "Path", n.Name, "Target", m.SetOf(n.Target).Name))
		}
		x.add(annotations(set.Annotations)...)
		c.add(x)
	}
	for _, op := range m.operations(version) {
		if op.Binding != nil {
			continue
		}
		kind := "Action"
		if op.Function {
			kind = "Function"
		}
		x := node(kind+"Import", "Name", op.Name, kind, m.Namespace+"."+op.Name)
		x.set("EntitySet", m.setName(op))
		c.add(x)
	}
	c.add(annotations(m.Annotations)...)
	return c
}

// setName is the entity set of what an unbound operation gives, or "".
func (m *Model) setName(op *Operation) string {
	if s := op.entity(); s != nil {
		return m.SetOf(s).Name
	}
	return ""
}

// annotations writes annotations. One on an annotation stands inside it.
func annotations(list []Annotation) []*element {
	var elements []*element
	for _, a := range list {
		term := a.Term
		if _, on, nested := strings.Cut(a.Term, "@"); nested {
			term = on
		}
		x := node("Annotation", "Term", term)
		x.value(a.Value)
		if term != a.Term {
			elements[len(elements)-1].add(x)
		} else {
			elements = append(elements, x)
		}
	}
	return elements
}

// value writes a value into the element of an annotation or a record's property:
// as an attribute where it is simple.
func (e *element) value(v any) {
	kind, text := constant(v)
	switch v := v.(type) {
	case Record:
		e.add(v.xml())
	case []any:
		c := node("Collection")
		for _, item := range v {
			if r, ok := item.(Record); ok {
				c.add(r.xml())
				continue
			}
			kind, text := constant(item)
			c.add(&element{name: kind, text: text})
		}
		e.add(c)
	default:
		e.attrs = append(e.attrs, kind, text)
	}
}

func (r Record) xml() *element {
	x := node("Record")
	for _, f := range r {
		p := node("PropertyValue", "Property", f.Name)
		p.value(f.Value)
		x.add(p)
	}
	return x
}

// constant is the name of the constant expression that v is, and its text.
func constant(v any) (kind, text string) {
	switch v := v.(type) {
	case bool:
		return "Bool", strconv.FormatBool(v)
	case int:
		return "Int", strconv.Itoa(v)
	case float64:
		return "Decimal", strconv.FormatFloat(v, 'f', -1, 64)
	case EnumMember:
		return "EnumMember", v.Type + "/" + v.Name
	case PropertyPath:
		return "PropertyPath", string(v)
	case string:
		return "String", v
	}
	return "", ""
}
