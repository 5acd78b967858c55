package odata

import (
	"fmt"
	"reflect"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// bond relates an entity to parent, from which nav leads to it.
type bond struct {
	nav    *edm.Navigation
	parent reflect.Value
}

// holds reports whether v is related so.
func (b *bond) holds(v reflect.Value) bool {
	return same(b.nav.Remote.Value(v), b.nav.Local.Value(b.parent))
}

// tie gives a new entity the foreign key of its bond. The body may not say
// otherwise.
func tie(v reflect.Value, o *payload.Object, nested []payload.Nested, to *bond) error {
	if to == nil {
		return nil
	}
	own, theirs := to.nav.Remote, to.nav.Local.Value(to.parent)
	_, given := o.Member(own.Name)
	for _, n := range nested {
		given = given || n.Nav.Dependent && n.Nav.Local == own
	}
	if given && !own.Computed && !same(own.Value(v), theirs) {
		return fault.Newf(fault.Invalid, "the body relates it to another entity than the URL does").At(own.Name)
	}
	relate(own, v, theirs)
	return nil
}

// relate sets a foreign key.
func relate(p *edm.Property, v reflect.Value, key any) {
	field := p.Field(v)
	if key == nil {
		field.SetZero()
		return
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	field.Set(reflect.ValueOf(key).Convert(field.Type()))
}

// rebind changes a foreign key of an entity that is there; changed is false
// where it is that already.
func rebind(p *edm.Property, v reflect.Value, key any, hide []string) (changed bool, err error) {
	if same(p.Value(v), key) {
		return false, nil
	}
	d := payload.Decoder{Mode: payload.Update, Hide: hide}
	switch {
	case key == nil && !p.Nullable:
		return false, fault.Newf(fault.Invalid, "the relation cannot be removed: %s cannot be null", p.Name)
	case !d.Takes(p):
		return false, fault.Newf(fault.Invalid, "the relation cannot be changed: %s stays as it was created", p.Name)
	}
	relate(p, v, key)
	return true, nil
}

// same compares two values of the properties that a relation is made of, whose
// Go types may differ in size.
func same(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) && (a == nil) == (b == nil) }
