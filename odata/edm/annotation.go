package edm

import (
	"slices"
	"strconv"
	"strings"
)

// Annotation says something about a model element by a term of a public
// vocabulary (CSDL 4.01, section 14).
type Annotation struct {
	Term string // with the vocabulary's alias: "Core.Computed"
	// Value is a bool, string, int, float64, EnumMember, PropertyPath, a []any of
	// these or of Records, or a Record.
	Value any
}

type (
	// EnumMember is a member of an enumeration type of a vocabulary.
	EnumMember struct{ Type, Name string }

	// PropertyPath names a property of the annotated element.
	PropertyPath string

	// Record is a structured value.
	Record []Field

	// Field is a property of a Record.
	Field struct {
		Name  string
		Value any
	}
)

// vocabularies are the public vocabularies, by the aliases that annotations use.
var vocabularies = []struct{ alias, namespace string }{
	{"Aggregation", "Org.OData.Aggregation.V1"},
	{"Capabilities", "Org.OData.Capabilities.V1"},
	{"Core", "Org.OData.Core.V1"},
	{"Repeatability", "Org.OData.Repeatability.V1"},
	{"Validation", "Org.OData.Validation.V1"},
}

// vocabularyRoot is where the vocabularies are published, as .xml and .json.
const vocabularyRoot = "https://oasis-tcs.github.io/odata-vocabularies/vocabularies/"

// used are the aliases of the vocabularies that annotations of the model use.
// The schema's own annotation is of Core.
func (m *Model) used() map[string]bool {
	found := map[string]bool{"Core": true}
	mark := func(list []Annotation) {
		for _, a := range list {
			alias, _, _ := strings.Cut(a.Term, ".")
			found[alias] = true
		}
	}
	mark(m.Annotations)
	for _, set := range m.Sets {
		mark(set.Annotations)
	}
	for _, s := range slices.Concat(m.Entities, m.Complex) {
		for _, p := range s.Properties {
			mark(p.annotations())
		}
	}
	for _, op := range m.Operations {
		for _, p := range op.Parameters {
			mark(p.annotations())
		}
	}
	return found
}

// described is the annotation with a description, if there is one.
func described(text string) []Annotation {
	if text == "" {
		return nil
	}
	return []Annotation{{"Core.Description", text}}
}

// annotations are what the vocabularies say of a property.
func (p *Property) annotations() []Annotation {
	list := described(p.Description)
	tag := func(on bool, term string) {
		if on {
			list = append(list, Annotation{term, true})
		}
	}
	tag(p.Computed, "Core.Computed")
	tag(p.Immutable, "Core.Immutable")
	if p.WriteOnly {
		list = append(list, Annotation{"Core.Permissions", EnumMember{"Core.Permission", "Write"}})
	}
	tag(p.Rules.Format == "uri", "Core.IsURL")
	return append(list, p.rules()...)
}

// rules are what the Validation vocabulary says of a property. Its Minimum and
// Maximum are numbers.
func (p *Property) rules() []Annotation {
	var list []Annotation
	r := &p.Rules
	if r.Pattern != "" {
		list = append(list, Annotation{"Validation.Pattern", r.Pattern})
	}
	for _, end := range []struct {
		term  string
		bound *Bound
	}{{"Validation.Minimum", r.Min}, {"Validation.Maximum", r.Max}} {
		if end.bound == nil {
			continue
		}
		list = append(list, Annotation{end.term, end.bound.number()})
		if end.bound.Exclusive {
			list = append(list, Annotation{end.term + "@Validation.Exclusive", true})
		}
	}
	if len(r.Allowed) > 0 {
		var values []any
		for _, v := range r.Allowed {
			values = append(values, Record{{"Value", literal(p.Type, v)}})
		}
		list = append(list, Annotation{"Validation.AllowedValues", values})
	}
	if r.MinItems > 0 {
		list = append(list, Annotation{"Validation.MinItems", r.MinItems})
	}
	if r.MaxItems > 0 {
		list = append(list, Annotation{"Validation.MaxItems", r.MaxItems})
	}
	return list
}

// number is the bound as an int where it is one, else as a float64.
func (b *Bound) number() any {
	if n, err := strconv.Atoi(b.Value); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(b.Value, 64) // it was a number when it was read
	return f
}

// literal is the text of a value of type t, or of its elements, as the value.
func literal(t Type, text string) any {
	if c, ok := t.(Collection); ok {
		t = c.Of
	}
	if p, ok := t.(Primitive); ok && p.IsNumeric() {
		return (&Bound{Value: text}).number()
	}
	return text
}

// parameterAnnotations are those of an operation's parameter.
func (p *Property) parameterAnnotations() []Annotation {
	list := p.annotations()
	if p.Optional() {
		list = append(list, Annotation{"Core.OptionalParameter", Record{}})
	}
	return list
}
