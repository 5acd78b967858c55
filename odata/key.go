package odata

import (
	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// keyExpr is the condition that an entity's key is the one in parentheses (URL
// Conventions 4.01, section 4.3). What cannot be a key of the set is NotFound.
func (q *request) keyExpr(t *target, v *plan.Var) (plan.Expr, error) {
	props := q.keyProps(t)
	if props == nil {
		return nil, notFound(t)
	}
	var where plan.Expr
	for i, arg := range t.key {
		if !q.isKeyValue(arg.Value) {
			return nil, notFound(t)
		}
		eq := &uri.Binary{Op: uri.Eq, L: &uri.Name{Name: props[i].Name}, R: arg.Value}
		x, err := q.binder().Bind(eq, v, "key", q.query.Aliases, edm.Boolean)
		if err != nil {
			return nil, notFound(t)
		}
		where = plan.And(where, x)
	}
	return where, nil
}

// keyProps are the properties that the values of t's key are of, nil where they
// are no key. A part of the key that the path before says already may be left out
// (URL Conventions 4.01, section 4.3.3).
func (q *request) keyProps(t *target) []*edm.Property {
	left := map[*edm.Property]bool{}
	for _, p := range t.set.Type.Key {
		left[p] = true
	}
	if t.link != nil && len(t.key) < len(left) {
		delete(left, t.nav.Remote)
	}
	var props []*edm.Property
	for _, arg := range t.key {
		p := t.set.Type.Property(arg.Name)
		if arg.Name == "" && len(left) == 1 {
			for only := range left {
				p = only
			}
		}
		if p == nil || !left[p] {
			return nil
		}
		delete(left, p)
		props = append(props, p)
	}
	if len(left) > 0 {
		return nil
	}
	return props
}

// isKeyValue reports whether e is a value, or an alias of one. An expression over
// the entity would make any entity the one with that key.
func (q *request) isKeyValue(e uri.Expr) bool {
	if a, ok := e.(*uri.Alias); ok {
		x, err := uri.ParseExpr(q.query.Aliases[a.Name], "@"+a.Name, q.s.Limits.Expr)
		if err != nil {
			return false
		}
		e = x
	}
	_, ok := e.(*uri.Literal)
	return ok
}

// identified finds the entity that the option $id names (Protocol 4.01, section
// 11.2.9; URL Conventions 4.01, section 4.3.4), which rest may cast to its type.
func (q *request) identified(rest []uri.Segment) (*target, error) {
	if !q.query.Given["$id"] {
		return nil, fault.New(fault.Invalid, "$entity needs the query option $id").At("$id")
	}
	t, err := q.locate(q.query.ID)
	if err != nil {
		return nil, err
	}
	delete(q.query.Given, "$id")
	for _, segment := range rest {
		if !q.casts(t, segment) {
			return nil, fault.Newf(fault.NotFound, "%s is not of the type %s", q.query.ID, segment.Name)
		}
	}
	return t, nil
}
