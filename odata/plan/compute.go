package plan

import (
	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/uri"
)

// Computed is a property that $compute adds to an entity.
type Computed struct {
	Name string
	X    Expr
}

// compute binds $compute (URL Conventions 4.01, section 5.1.2): from here on its
// names stand for what they compute wherever an expression speaks of v. An item
// may use those before it.
func (b *Binder) compute(v *Var, q *uri.Query) error {
	for _, item := range q.Compute {
		if v.Struct.Declares(item.Name) {
			return uri.Errorf("$compute", item.At, "%s has a property %q already", v.Struct.Name, item.Name)
		}
		if v.Computes(item.Name) {
			return uri.Errorf("$compute", item.At, "%s is computed twice", item.Name)
		}
		x, err := b.Bind(item.X, v, "$compute", q.Aliases, nil)
		if err != nil {
			return err
		}
		if !computable(x) {
			return fault.Newf(fault.NotImplemented, "$compute, position %d: computing %s is not served", item.X.Pos(), x.Type()).At("$compute")
		}
		v.computed = append(v.computed, Computed{item.Name, x})
	}
	return nil
}

// computable reports whether x can be shown: it is a value that JSON has a form
// for, or one that is held as JSON.
func computable(x Expr) bool {
	switch x.(type) {
	case *Dyn, *Prop:
		return x.Type() != edm.Binary
	}
	t, primitive := x.Type().(edm.Primitive)
	return primitive && t != edm.Binary && t != edm.Untyped
}

// Computes reports whether a property of that name is computed for v.
func (v *Var) Computes(name string) bool {
	for _, c := range v.computed {
		if c.Name == name {
			return true
		}
	}
	return false
}
