package plan

import (
	"encoding/json"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// sameJSON says whether two structured values are equal. Expressions cannot name
// it.
var sameJSON = &Function{Name: "same value", ID: "same", Result: edm.Boolean}

// objectType is the type of a JSON object, whose Const holds its text as a
// json.RawMessage.
var objectType = &edm.Struct{Namespace: "Edm", Name: "ComplexType", Open: true}

func isStructured(x Expr) bool {
	switch x.Type().(type) {
	case *edm.Struct, edm.Collection:
		return true
	}
	return false
}

// objectOf binds a JSON object.
func (b *Binder) objectOf(o *uri.Object) (Expr, error) {
	return newConst(o.At, objectType, json.RawMessage(o.Text)), nil
}

// asJSON returns x as what can be read as JSON, a Dyn or a Const, or nil.
func asJSON(x Expr) Expr {
	switch x := x.(type) {
	case *Prop:
		if x.Prop.JSON {
			return &Dyn{typed{x.At, x.Prop.Type}, x.Var, x.Prop, nil}
		}
		return x
	case *Single, *Case:
		return nil
	}
	return x
}

// same binds l eq r or l ne r of structured values: complex values are equal if
// their properties are, collections if they have equal elements in the same order
// (URL Conventions 4.01, sections 5.1.1.1.1 and 5.1.1.1.2).
func (b *Binder) same(e *uri.Binary, l, r Expr) (Expr, error) {
	if e.Op != uri.Eq && e.Op != uri.Ne {
		return nil, b.errorf(e.Pos(), "%s does not apply to %s, %s", e.Op, l.Type(), r.Type())
	}
	args := []Expr{asJSON(l), asJSON(r)}
	if args[0] == nil || args[1] == nil {
		return nil, b.notServed(e.Pos(), "comparing "+e.L.String()+" with "+e.R.String())
	}
	for i := range args {
		other := args[1-i]
		fits := false
		if args[i], fits = structuredAs(args[i], other.Type()); !fits {
			return nil, b.errorf(e.Pos(), "%s does not apply to %s, %s", e.Op, l.Type(), r.Type())
		}
	}
	var x Expr = &Call{typed{e.At, edm.Boolean}, sameJSON, args}
	if e.Op == uri.Ne {
		x = &Not{boolean{e.At}, x}
	}
	return x, nil
}

// structuredAs takes x as a value to compare with one of type t; false if it is
// none.
func structuredAs(x Expr, t edm.Type) (Expr, bool) {
	have := x.Type()
	c, constant := x.(*Const)
	switch t := t.(type) {
	case edm.Collection:
		switch {
		case have == edm.Untyped || have == t:
			return x, true
		case !constant || c.Null():
			_, other := have.(edm.Collection)
			return x, other && t.Of == edm.Untyped // of the list on the other side
		case have != edm.Type(edm.Collection{Of: edm.Untyped}):
			return x, t.Of == edm.Untyped
		}
		if s, ok := t.Of.(*edm.Struct); ok {
			return x, fitAll(c.Value().([]any), s)
		}
		if kindOf(t) == "" {
			return x, false
		}
		list := listAs(c, t.Of)
		return list, list != nil
	case *edm.Struct:
		object, _ := x.(*Const)
		switch {
		case have == t || have == edm.Untyped || have == edm.Null:
			return x, true
		case have == edm.Type(objectType):
			return x, fits(object.Value(), t)
		}
		_, other := have.(*edm.Struct)
		return x, other && t == objectType
	}
	return x, isStructured(x) || have == edm.Null
}

// fitAll reports whether all values are objects of type s.
func fitAll(values []any, s *edm.Struct) bool {
	for _, v := range values {
		if !fits(v, s) {
			return false
		}
	}
	return true
}

// fits reports whether v is an object whose properties type s has.
func fits(v any, s *edm.Struct) bool {
	text, ok := v.(json.RawMessage)
	var members map[string]json.RawMessage
	if !ok || json.Unmarshal(text, &members) != nil {
		return false
	}
	for name := range members {
		if s.Property(name) == nil && !s.Open {
			return false
		}
	}
	return true
}
