package edm

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"strconv"
)

// The elements of CSDL XML 4.01 that a Model needs.
type (
	xmlEdmx struct {
		XMLName xml.Name   `xml:"edmx:Edmx"`
		NS      string     `xml:"xmlns:edmx,attr"`
		Version string     `xml:"Version,attr"`
		Schema  *xmlSchema `xml:"edmx:DataServices>Schema"`
	}
	xmlSchema struct {
		NS        string         `xml:"xmlns,attr"`
		Namespace string         `xml:"Namespace,attr"`
		Complex   []*xmlType     `xml:"ComplexType"`
		Entities  []*xmlType     `xml:"EntityType"`
		Actions   []*xmlAction   `xml:"Action"`
		Container []xmlContainer `xml:"EntityContainer"`
	}
	xmlType struct {
		Name       string        `xml:"Name,attr"`
		OpenType   bool          `xml:"OpenType,attr,omitempty"`
		Key        *xmlKey       `xml:"Key"`
		Properties []xmlProperty `xml:"Property"`
		Navigation []xmlNav      `xml:"NavigationProperty"`
	}
	xmlKey struct {
		Refs []xmlRef `xml:"PropertyRef"`
	}
	xmlRef struct {
		Name string `xml:"Name,attr"`
	}
	xmlProperty struct {
		Name       string          `xml:"Name,attr"`
		Type       string          `xml:"Type,attr"`
		Nullable   string          `xml:"Nullable,attr,omitempty"`
		MaxLength  string          `xml:"MaxLength,attr,omitempty"`
		Precision  string          `xml:"Precision,attr,omitempty"`
		Annotation []xmlAnnotation `xml:"Annotation"`
	}
	xmlAnnotation struct {
		Term string `xml:"Term,attr"`
		Bool string `xml:"Bool,attr,omitempty"`
	}
	xmlNav struct {
		Name       string          `xml:"Name,attr"`
		Type       string          `xml:"Type,attr"`
		Nullable   string          `xml:"Nullable,attr,omitempty"`
		Partner    string          `xml:"Partner,attr,omitempty"`
		Constraint []xmlConstraint `xml:"ReferentialConstraint"`
	}
	xmlConstraint struct {
		Property           string `xml:"Property,attr"`
		ReferencedProperty string `xml:"ReferencedProperty,attr"`
	}
	xmlAction struct {
		Name       string        `xml:"Name,attr"`
		IsBound    bool          `xml:"IsBound,attr"`
		Parameters []xmlProperty `xml:"Parameter"`
		Returns    []xmlReturn   `xml:"ReturnType"`
	}
	xmlReturn struct {
		Type string `xml:"Type,attr"`
	}
	xmlContainer struct {
		Name string   `xml:"Name,attr"`
		Sets []xmlSet `xml:"EntitySet"`
	}
	xmlSet struct {
		Name     string       `xml:"Name,attr"`
		Type     string       `xml:"EntityType,attr"`
		Bindings []xmlBinding `xml:"NavigationPropertyBinding"`
	}
	xmlBinding struct {
		Path   string `xml:"Path,attr"`
		Target string `xml:"Target,attr"`
	}
)

// WriteXML writes the model as CSDL XML (OData CSDL XML 4.01) for a client that
// speaks the given version, "4.0" or "4.01".
func (m *Model) WriteXML(w io.Writer, version string) error {
	schema := &xmlSchema{NS: "http://docs.oasis-open.org/odata/ns/edm", Namespace: m.Namespace}
	for _, s := range m.Complex {
		schema.Complex = append(schema.Complex, m.xmlType(s))
	}
	for _, s := range m.Entities {
		schema.Entities = append(schema.Entities, m.xmlType(s))
	}
	for _, op := range m.Operations {
		schema.Actions = append(schema.Actions, xmlOperation(op))
	}
	schema.Container = []xmlContainer{m.xmlContainer()}
	doc := xmlEdmx{NS: "http://docs.oasis-open.org/odata/ns/edmx", Version: version, Schema: schema}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	return enc.Encode(doc)
}

func (m *Model) xmlType(s *Struct) *xmlType {
	t := &xmlType{Name: s.Name, OpenType: s.Open}
	if s.IsEntity() {
		t.Key = &xmlKey{}
		for _, p := range s.Key {
			t.Key.Refs = append(t.Key.Refs, xmlRef{p.Name})
		}
	}
	for _, p := range s.Properties {
		x := xmlProperty{Name: p.Name, Type: p.Type.String(), MaxLength: number(p.MaxLength), Precision: precision(p.Type)}
		if !p.Nullable {
			x.Nullable = "false"
		}
		for term, on := range p.terms() {
			if on {
				x.Annotation = append(x.Annotation, xmlAnnotation{Term: "Org.OData.Core.V1." + term, Bool: "true"})
			}
		}
		t.Properties = append(t.Properties, x)
	}
	for _, n := range s.Navigation {
		x := xmlNav{Name: n.Name, Type: n.typeName(), Partner: n.Partner}
		if !n.Many {
			if !n.Nullable() {
				x.Nullable = "false"
			}
			x.Constraint = []xmlConstraint{{n.Local.Name, n.Remote.Name}}
		}
		t.Navigation = append(t.Navigation, x)
	}
	return t
}

// terms are the Core annotations of a property, and whether they apply.
func (p *Property) terms() func(yield func(string, bool) bool) {
	return func(yield func(string, bool) bool) {
		_ = yield("Computed", p.Computed) && yield("Immutable", p.Immutable)
	}
}

func (n *Navigation) typeName() string {
	if n.Many {
		return Collection{n.Target}.String()
	}
	return n.Target.String()
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// precision is that of instants: both databases keep microseconds.
func precision(t Type) string {
	if t == DateTimeOffset {
		return "6"
	}
	return ""
}

func xmlOperation(op *Operation) *xmlAction {
	a := &xmlAction{Name: op.Name, IsBound: op.Binding != nil}
	if op.Binding != nil {
		a.Parameters = append(a.Parameters, xmlProperty{Name: "bindingParameter", Type: op.Binding.String(), Nullable: "false"})
	}
	for _, p := range op.Parameters {
		a.Parameters = append(a.Parameters, xmlProperty{Name: p.Name, Type: p.Type.String()})
	}
	if op.Returns != nil {
		a.Returns = []xmlReturn{{op.Returns.String()}}
	}
	return a
}

func (m *Model) xmlContainer() xmlContainer {
	c := xmlContainer{Name: "Container"}
	for _, set := range m.Sets {
		x := xmlSet{Name: set.Name, Type: set.Type.String()}
		for _, n := range set.Type.Navigation {
			x.Bindings = append(x.Bindings, xmlBinding{n.Name, m.SetOf(n.Target).Name})
		}
		c.Sets = append(c.Sets, x)
	}
	return c
}

// WriteJSON writes the model as CSDL JSON (OData CSDL JSON 4.01).
func (m *Model) WriteJSON(w io.Writer) error {
	type object = map[string]any
	schema := object{}
	for _, s := range append(m.Complex[:len(m.Complex):len(m.Complex)], m.Entities...) {
		schema[s.Name] = s.json()
	}
	for _, op := range m.Operations {
		list, _ := schema[op.Name].([]any)
		schema[op.Name] = append(list, op.json())
	}
	container := object{"$Kind": "EntityContainer"}
	for _, set := range m.Sets {
		bindings := object{}
		for _, n := range set.Type.Navigation {
			bindings[n.Name] = m.SetOf(n.Target).Name
		}
		x := object{"$Collection": true, "$Type": set.Type.String()}
		if len(bindings) > 0 {
			x["$NavigationPropertyBinding"] = bindings
		}
		container[set.Name] = x
	}
	schema["Container"] = container
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(object{"$Version": "4.01", "$EntityContainer": m.Namespace + ".Container", m.Namespace: schema})
}

func (s *Struct) json() map[string]any {
	o := map[string]any{"$Kind": "ComplexType"}
	if s.IsEntity() {
		o["$Kind"] = "EntityType"
		var key []string
		for _, p := range s.Key {
			key = append(key, p.Name)
		}
		o["$Key"] = key
	}
	if s.Open {
		o["$OpenType"] = true
	}
	for _, p := range s.Properties {
		x := jsonType(p.Type, p.Nullable)
		if p.MaxLength > 0 {
			x["$MaxLength"] = p.MaxLength
		}
		for term, on := range p.terms() {
			if on {
				x["@Org.OData.Core.V1."+term] = true
			}
		}
		o[p.Name] = x
	}
	for _, n := range s.Navigation {
		x := map[string]any{"$Kind": "NavigationProperty", "$Type": n.Target.String()}
		switch {
		case n.Many:
			x["$Collection"] = true
		default:
			x["$ReferentialConstraint"] = map[string]string{n.Local.Name: n.Remote.Name}
			if n.Nullable() {
				x["$Nullable"] = true
			}
		}
		if n.Partner != "" {
			x["$Partner"] = n.Partner
		}
		o[n.Name] = x
	}
	return o
}

// jsonType describes a type; Edm.String is what is meant where none is named.
func jsonType(t Type, nullable bool) map[string]any {
	o := map[string]any{}
	if c, ok := t.(Collection); ok {
		o["$Collection"] = true
		t = c.Of
	}
	if t != String {
		o["$Type"] = t.String()
	}
	if nullable {
		o["$Nullable"] = true
	}
	if t == DateTimeOffset {
		o["$Precision"] = 6
	}
	return o
}

func (op *Operation) json() map[string]any {
	parameters := []any{}
	if op.Binding != nil {
		parameters = append(parameters, map[string]any{"$Name": "bindingParameter", "$Type": op.Binding.String()})
	}
	for _, p := range op.Parameters {
		x := jsonType(p.Type, p.Nullable)
		x["$Name"] = p.Name
		parameters = append(parameters, x)
	}
	o := map[string]any{"$Kind": "Action", "$Parameter": parameters}
	if op.Binding != nil {
		o["$IsBound"] = true
	}
	if op.Returns != nil {
		o["$ReturnType"] = jsonType(op.Returns, false)
	}
	return o
}
