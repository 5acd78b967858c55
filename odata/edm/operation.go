package edm

import "reflect"

// Operation is an action or a function (CSDL 4.01, section 12). A bound one
// takes an entity, or a collection, of the Binding type first; an unbound one
// is reached over an import of its name.
type Operation struct {
	Name              string
	Function          bool
	Binding           *Struct // nil: unbound
	BindingCollection bool
	// Parameters are those besides the binding parameter: first the ones that
	// must be given, then the optional ones.
	Parameters  []*Property
	Returns     Type // nil: nothing
	Description string
}

// Optional reports whether the parameter p may be left out: where its Go field
// is a pointer, a slice or a map, which tell a value from none.
func (p *Property) Optional() bool {
	if _, many := p.Type.(Collection); many || p.Nullable {
		return true
	}
	s, ok := p.Type.(*Struct)
	return ok && s.GoType.Kind() == reflect.Map
}

// Imported returns the unbound operation of that name and kind, or nil.
func (m *Model) Imported(name string, function bool) *Operation {
	for _, op := range m.Operations {
		if op.Binding == nil && op.Name == name && op.Function == function {
			return op
		}
	}
	return nil
}

// binding is the binding parameter.
func (op *Operation) binding() *Property {
	p := &Property{Name: "bindingParameter", Type: op.Binding}
	if op.BindingCollection {
		p.Type = Collection{op.Binding}
	}
	return p
}

// parameters are all parameters, the binding parameter first.
func (op *Operation) parameters() []*Property {
	if op.Binding == nil {
		return op.Parameters
	}
	return append([]*Property{op.binding()}, op.Parameters...)
}

// entity is the entity type that op gives one or many of, or nil.
func (op *Operation) entity() *Struct {
	t := op.Returns
	if c, ok := t.(Collection); ok {
		t = c.Of
	}
	if s, ok := t.(*Struct); ok && s.IsEntity() {
		return s
	}
	return nil
}

// setPath says that what a bound operation gives is of the set it is bound to.
func (op *Operation) setPath() string {
	if s := op.entity(); s != nil && s == op.Binding {
		return "bindingParameter"
	}
	return ""
}

// untyped reports whether op speaks of values without a type, which OData 4.0
// does not know.
func (op *Operation) untyped() bool {
	for _, p := range op.Parameters {
		if untyped(p.Type) {
			return true
		}
	}
	return untyped(op.Returns)
}

// untyped reports whether t is Untyped or a collection of it.
func untyped(t Type) bool {
	if c, ok := t.(Collection); ok {
		t = c.Of
	}
	return t == Untyped
}
