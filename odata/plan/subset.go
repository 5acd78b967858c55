package plan

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// collectionFunctions are the functions of collections of values, by name (URL
// Conventions 4.01, sections 5.1.1.5 and 5.1.1.6). Some are functions of text, too.
var collectionFunctions = map[string]*Function{
	"hassubset":      {Name: "hassubset", ID: "hassubset", Result: edm.Boolean},
	"hassubsequence": {Name: "hassubsequence", ID: "hassubsequence", Result: edm.Boolean},
	"contains":       {Name: "contains", ID: "contains_list", Result: edm.Boolean},
	"startswith":     {Name: "startswith", ID: "startswith_list", Result: edm.Boolean},
	"endswith":       {Name: "endswith", ID: "endswith_list", Result: edm.Boolean},
	"indexof":        {Name: "indexof", ID: "indexof_list", Result: edm.Int64},
	"length":         {Name: "length", ID: "length_list", Params: []edm.Type{edm.Untyped}, Result: edm.Int64},
}

// OverCollections reports whether f is a function of collections of values.
func (f *Function) OverCollections() bool {
	c := collectionFunctions[f.Name]
	return c != nil && c.ID == f.ID
}

// takesCollections is the function of collections that name with args is; nil where
// it is none.
func (b *Binder) takesCollections(name string, at uri.At, args []Expr) (*Function, error) {
	f := collectionFunctions[name]
	switch {
	case f != nil && len(overloads[name]) == 0, slices.ContainsFunc(args, IsCollection) && f != nil:
		return f, nil
	case slices.ContainsFunc(args, IsCollection) && (name == "concat" || name == "substring"):
		return nil, b.notServed(int(at), "the function "+name+" over a collection")
	}
	return nil, nil
}

// IsCollection reports whether x is a collection of values that is declared as
// one, which is empty rather than null.
func IsCollection(x Expr) bool {
	_, ok := x.Type().(edm.Collection)
	return ok
}

// overCollections binds the call c of f. A dynamic property that is no collection
// makes it null.
func (b *Binder) overCollections(e *uri.Call, c *Call, f *Function) (Expr, error) {
	args := c.Args
	if len(args) != 2 && len(args) != len(f.Params) {
		return nil, b.errorf(e.Pos(), "the function %s takes two collections", f.Name)
	}
	for i, arg := range e.Args {
		var err error
		if args[i], err = b.asCollection(args[i], arg, f); err != nil {
			return nil, err
		}
	}
	c.Func, c.T = f, f.Result
	if len(args) == 1 {
		return c, nil
	}
	l, r := args[0].Type(), args[1].Type()
	fits := kindOf(l) == kindOf(r) || kindOf(l) == anyKind || kindOf(r) == anyKind
	for i, want := range []edm.Type{r, l} {
		of, collection := want.(edm.Collection)
		if c, ok := args[i].(*Const); ok && !c.Null() && collection {
			args[i] = listAs(c, of.Of)
			fits = fits && args[i] != nil
		}
	}
	if !fits {
		return nil, b.errorf(e.Pos(), "the function %s does not apply to %s, %s", f.Name, l, r)
	}
	return c, nil
}

// asCollection takes x, which e is bound to, as an argument of f: a list, a
// collection of values, or a dynamic property, which may be one.
func (b *Binder) asCollection(x Expr, e uri.Expr, f *Function) (Expr, error) {
	if x = asJSON(x); x == nil {
		return nil, b.notServed(e.Pos(), "the function "+f.Name+" over "+e.String())
	}
	switch t := x.Type().(type) {
	case edm.Collection:
		if kindOf(t) == "" {
			return nil, b.notServed(e.Pos(), "the function "+f.Name+" over "+t.String())
		}
		return x, nil
	case edm.Primitive:
		if t == edm.Untyped || t == edm.Null {
			return x, nil
		}
	}
	return nil, b.errorf(e.Pos(), "the function %s needs a collection, and %s is none", f.Name, e)
}

// listOf binds a list of literals.
func (b *Binder) listOf(l *uri.List) (Expr, error) {
	values := make([]any, len(l.Items))
	for i, item := range l.Items {
		x, err := b.element(item)
		if err != nil {
			return nil, err
		}
		v, ok := x.(*Const)
		if !ok {
			return nil, b.notServed(item.Pos(), "a list of anything but constants")
		}
		value := v.Value()
		if !inJSON(value) {
			return nil, b.notServed(item.Pos(), item.String()+" in a list")
		}
		values[i] = value
	}
	return newConst(l.At, edm.Collection{Of: edm.Untyped}, values), nil
}

// inJSON reports whether the value of a constant has one form in JSON.
func inJSON(v any) bool {
	switch v := v.(type) {
	case float64:
		return !math.IsInf(v, 0) && !math.IsNaN(v)
	case nil, bool, int64, string, edm.DecimalValue, uuid.UUID, json.RawMessage:
		return true
	}
	return false
}

// listAs takes a list as one of values of type of, or gives nil.
func listAs(c *Const, of edm.Type) Expr {
	list := c.Value().([]any)
	values := make([]any, len(list))
	for i, v := range list {
		switch kind := kindOf(edm.Collection{Of: of}); {
		case kind == anyKind || v == nil:
		case of == edm.Guid:
			text, _ := v.(string)
			u, isGuid := v.(uuid.UUID)
			if !isGuid {
				parsed, ok := Parse(edm.Guid, text)
				if !ok {
					return nil
				}
				u = parsed.(uuid.UUID)
			}
			v = u.String()
		case kind != kindOfValue(v):
			return nil
		}
		values[i] = v
	}
	return newConst(c.At, edm.Collection{Of: of}, values)
}

// The kinds of values that elements of collections compare as.
const (
	anyKind     = "any"
	textKind    = "text"
	numberKind  = "number"
	booleanKind = "boolean"
)

// kindOf is the kind of a collection's elements, "" if it is none of those.
func kindOf(t edm.Type) string {
	c, ok := t.(edm.Collection)
	if !ok {
		return anyKind
	}
	switch of := c.Of.(type) {
	case *edm.Enum:
		if of.Text {
			return textKind
		}
	case edm.Primitive:
		switch {
		case of == edm.Untyped:
			return anyKind
		case of == edm.String || of == edm.Guid:
			return textKind
		case of.IsNumeric():
			return numberKind
		case of == edm.Boolean:
			return booleanKind
		}
	}
	return ""
}

func kindOfValue(v any) string {
	switch v.(type) {
	case string:
		return textKind
	case bool:
		return booleanKind
	case int64, float64, edm.DecimalValue:
		return numberKind
	}
	return ""
}
