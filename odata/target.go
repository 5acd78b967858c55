package odata

import (
	"reflect"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// target is the resource that a path leads to.
type target struct {
	set       *set // nil for an unbound operation
	single    bool
	keyed     bool            // addressed by key
	key       []uri.Argument  // of a single entity addressed by key
	nav       *edm.Navigation // how link leads here
	link      *target         // the entity the resource is related to
	count     bool
	operation *operation  // bound to what the rest says
	arguments uri.Segment // of the operation
	filters   []uri.Expr  // conditions on the entities, from segments of the path

	each    bool            // every entity of the collection, for a change
	ref     bool            // the reference to the entity, or the references to the entities
	props   []*edm.Property // the path to a property of the entity
	dynamic string          // or the dynamic property
	raw     bool            // its raw value
}

// isProperty reports whether t is a property of an entity.
func (t *target) isProperty() bool { return len(t.props) > 0 || t.dynamic != "" }

// propertyName is the path of the property t.
func (t *target) propertyName() string {
	names := make([]string, 0, len(t.props)+1)
	for _, p := range t.props {
		names = append(names, p.Name)
	}
	if t.dynamic != "" {
		names = append(names, t.dynamic)
	}
	return strings.Join(names, "/")
}

// resolve finds the resource of a path (URL Conventions 4.01, section 4).
func (q *request) resolve(segments []uri.Segment) (*target, error) {
	first := segments[0]
	x := q.s.sets[first.Name]
	if x == nil {
		if first.Name == "$entity" {
			return q.identified(segments[1:])
		}
		if t := q.imported(first); t != nil {
			return t, below(t, segments[1:])
		}
		if strings.HasPrefix(first.Name, "$") {
			return nil, fault.Newf(fault.NotImplemented, "%s is not served", first.Name)
		}
		return nil, fault.Newf(fault.NotFound, "there is no entity set %q", first.Name)
	}
	t := &target{set: x}
	if first.Parens {
		t.single, t.keyed, t.key = true, true, first.Args
	}
	var err error
	for i, segment := range segments[1:] {
		if err := below(t, segments[1+i:]); err != nil {
			return nil, err
		}
		if t, err = q.step(t, segment); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// step goes on from t over one segment.
func (q *request) step(t *target, segment uri.Segment) (*target, error) {
	if segment.Name == "$count" && !t.single {
		t.count = true
		return t, nil
	}
	if q.refers(t, segment) {
		t.ref = true
		return t, nil
	}
	if t.isProperty() {
		return q.stepProperty(t, segment)
	}
	if next, err := q.narrow(t, segment); next != nil || err != nil {
		return next, err
	}
	if segment.Name == "$each" && !t.single && !segment.Parens {
		t.each = true
		return t, nil
	}
	if strings.HasPrefix(segment.Name, "$") {
		return nil, fault.Newf(fault.NotImplemented, "%s is not served here", segment.Name)
	}
	s := t.set.Type
	if o := q.bound(t, segment.Name); o != nil {
		t.operation, t.arguments = o, segment
		return t, nil
	}
	if !t.single {
		return nil, fault.Newf(fault.NotFound, "%q: name one entity of %s by its key in parentheses first", segment.Name, t.set.Name)
	}
	if nav := s.Nav(segment.Name); nav != nil {
		next := &target{set: q.s.sets[q.s.model.SetOf(nav.Target).Name], nav: nav, link: t, single: !nav.Many}
		if segment.Parens {
			if !nav.Many {
				return nil, fault.Newf(fault.NotFound, "%s is one entity and takes no key", segment.Name)
			}
			next.single, next.keyed, next.key = true, true, segment.Args
		}
		return next, nil
	}
	if found, err := q.property(t, segment); found || err != nil {
		return t, err
	}
	return nil, fault.Newf(fault.NotFound, "%s has no navigation property or action %q", s.Name, segment.Name)
}

// below refuses segments after what ends a path.
func below(t *target, rest []uri.Segment) error {
	switch {
	case len(rest) == 0:
		return nil
	case t.operation != nil:
		return fault.Newf(fault.NotImplemented, "a path after %s (%s) is not served", t.operation.name, rest[0].Name)
	case t.each:
		return fault.Newf(fault.NotImplemented, "a path after $each (%s) is not served", rest[0].Name)
	case t.count || t.ref || t.raw:
		return fault.Newf(fault.NotFound, "nothing is below %s", rest[0].Name)
	}
	return nil
}

// entity plans the read of the single entity t by its address alone.
func (q *request) entity(t *target, query *uri.Query) (*plan.Read, error) {
	v := plan.Root(t.set.Type)
	var where plan.Expr
	var err error
	if t.keyed || t.link == nil {
		if where, err = q.keyExpr(t, v); err != nil {
			return nil, err
		}
	}
	r, err := q.binder().Entity(v, where, query)
	if err != nil {
		return nil, err
	}
	return r, q.linkTo(t, r)
}

// linkTo narrows r to what t's parent leads to.
func (q *request) linkTo(t *target, r *plan.Read) error {
	if t.link == nil {
		return nil
	}
	parent, err := q.entity(t.link, &uri.Query{})
	r.Base().Link = &plan.Link{Nav: t.nav, Parent: parent}
	return err
}

// new returns a pointer to a zero struct of t's entity type.
func (t *target) new() any { return reflect.New(t.set.Type.GoType).Interface() }
