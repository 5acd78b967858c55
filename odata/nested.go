package odata

import (
	"errors"
	"reflect"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// changes are the changes that one request asks for: an entity, and those
// related to it that the body speaks of. They stand in one transaction, and each
// goes through the function of its own set.
type changes struct {
	q    *request
	left int            // entities that may still be changed
	late []func() error // deletions, when nothing refers to the entities any more
	// references says that the body gives no entities but references: it may be one
	// of OData 4.0.
	references bool
}

func (q *request) newChanges() *changes { return &changes{q: q, left: q.s.Limits.Changes} }

// finish carries out what had to wait.
func (c *changes) finish() error {
	for _, f := range c.late {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// count counts an entity to be changed.
func (c *changes) count() error {
	if c.left--; c.left < 0 {
		return fault.Newf(fault.Invalid, "the request changes more than %d entities (limit Changes)", c.q.s.Limits.Changes)
	}
	return nil
}

// nest checks that the entities nested may be there, at this depth.
func (c *changes) nest(nested []payload.Nested, depth int) error {
	if len(nested) == 0 {
		return nil
	}
	if !c.q.held {
		return fault.New(fault.NotImplemented, "changes of related entities are not served: the service has no Options.Write")
	}
	if most := c.q.s.Limits.ExpandDepth; depth > most {
		return fault.Newf(fault.Invalid, "related entities nest deeper than %d (limit ExpandDepth)", most)
	}
	return nil
}

// set is the set of the entities a navigation property leads to.
func (c *changes) set(nav *edm.Navigation) *set {
	return c.q.s.sets[c.q.s.model.SetOf(nav.Target).Name]
}

// create stores entity, a pointer to a new struct, with what o says of it and of
// those related to it (Protocol 4.01, section 11.4.2.2).
func (c *changes) create(x *set, entity any, o *payload.Object, to *bond, depth int) (reflect.Value, outline, error) {
	v := reflect.ValueOf(entity).Elem()
	if x.create == nil {
		return v, nil, fault.Newf(fault.MethodNotAllowed, "%s takes no new entities", x.Name)
	}
	if err := c.count(); err != nil {
		return v, nil, err
	}
	hide, _, err := c.q.sight(x)
	if err != nil {
		return v, nil, err
	}
	nested, err := c.q.decoder(payload.Create, hide).Entity(o, x.Type, v)
	if err == nil {
		err = c.nest(nested, depth+1)
	}
	if err != nil {
		return v, nil, err
	}
	shape := outline{}
	if _, err = c.principals(x, v, nested, payload.Create, hide, depth, shape); err == nil {
		err = tie(v, o, nested, to)
	}
	if err == nil {
		err = x.create(c.q.Context(), entity)
	}
	if err == nil {
		err = c.dependents(x, v, nested, payload.Create, depth, shape)
	}
	return v, shape, err
}

// update stores entity, which was read, with what o says of it and of those
// related to it (Protocol 4.01, section 11.4.3.1).
func (c *changes) update(x *set, entity any, o *payload.Object, mode payload.Mode, to *bond, depth int) (outline, error) {
	v := reflect.ValueOf(entity).Elem()
	hide, _, err := c.q.sight(x)
	if err != nil {
		return nil, err
	}
	if err := c.checkETag(x, v, o, hide, depth > 0); err != nil {
		return nil, err
	}
	d := c.q.decoder(mode, hide)
	if mode == payload.Replace {
		d.Reset(x.Type, v, reflect.ValueOf(x.fresh()).Elem())
	}
	nested, err := d.Entity(o, x.Type, v)
	if err != nil {
		return nil, err
	}
	touched := mode == payload.Replace || o.HasProperties(x.Type) || len(nested) == 0 && to == nil
	return c.apply(x, entity, nested, mode, to, touched, depth)
}

// apply stores entity, whose own properties are set, if touched, with its bond
// and those related to it.
func (c *changes) apply(x *set, entity any, nested []payload.Nested, mode payload.Mode, to *bond, touched bool, depth int) (outline, error) {
	v := reflect.ValueOf(entity).Elem()
	if err := c.count(); err != nil {
		return nil, err
	}
	if err := c.nest(nested, depth+1); err != nil {
		return nil, err
	}
	hide, _, err := c.q.sight(x)
	if err != nil {
		return nil, err
	}
	if c.q.old() && !c.references {
		for _, n := range nested {
			if n.Form != payload.Bind {
				return nil, fault.New(fault.Invalid, "related entities stand inline in updates only in OData 4.01").At(n.Name)
			}
		}
	}
	shape := outline{}
	moved, err := c.principals(x, v, nested, mode, hide, depth, shape)
	if err != nil {
		return nil, err
	}
	if to != nil {
		tied, err := rebind(to.nav.Remote, v, to.nav.Local.Value(to.parent), hide)
		if err != nil {
			return nil, err
		}
		moved = moved || tied
	}
	if touched || moved {
		if x.update == nil {
			return nil, fault.Newf(fault.MethodNotAllowed, "entities of %s cannot be changed", x.Name)
		}
		if err := x.update(c.q.Context(), entity); err != nil {
			return nil, err
		}
	}
	return shape, c.dependents(x, v, nested, mode, depth, shape)
}

// checkETag holds an entity against an ETag inside the body, which OData 4.0 has
// not (Protocol 4.01, section 11.4.3).
func (c *changes) checkETag(x *set, v reflect.Value, o *payload.Object, hide []string, nested bool) error {
	control, err := o.Control()
	if err == nil && control.ETag == "" && nested && x.requireIfMatch {
		err = fault.Newf(fault.PreconditionNeeded, "changes of %s need the entity's ETag", x.Name).At("@odata.etag")
	}
	if err != nil || control.ETag == "" || control.ETag == "*" || c.q.old() {
		return err
	}
	etag, err := c.q.etag(x, v)
	if err != nil {
		return err
	}
	if !matches(control.ETag, etag) {
		return fault.New(fault.PreconditionFailed, "the entity has changed since it was read: read it again").At("@odata.etag")
	}
	return nil
}

// principals finds, creates or changes the entities that v refers to, and sets
// its foreign keys: they have to be there before v is. Moved says that one has
// changed.
func (c *changes) principals(x *set, v reflect.Value, nested []payload.Nested, mode payload.Mode, hide []string, depth int, shape outline) (moved bool, err error) {
	for _, n := range nested {
		if !n.Nav.Dependent {
			continue
		}
		key, err := c.principal(n, mode, depth, shape)
		var changed bool
		switch {
		case err != nil:
		case mode == payload.Create:
			if key == nil && !n.Nav.Local.Nullable {
				err = fault.Newf(fault.Invalid, "%s cannot be null", n.Nav.Name)
			} else {
				relate(n.Nav.Local, v, key)
			}
		default:
			changed, err = rebind(n.Nav.Local, v, key, hide)
		}
		if err != nil {
			return false, at(err, n.Name)
		}
		moved = moved || changed
	}
	return moved, nil
}

// principal gives the value of the foreign key that refers to the entity of n,
// nil for none.
func (c *changes) principal(n payload.Nested, mode payload.Mode, depth int, shape outline) (key any, err error) {
	var entity any
	switch value := n.Value.(type) {
	case nil:
		return nil, nil
	case string:
		if n.Form != payload.Bind {
			return nil, fault.New(fault.Invalid, "expected an entity or a reference to one, found a string")
		}
		entity, err = c.byID(n.Nav, value)
	case *payload.Object:
		control, cerr := value.Control()
		if cerr != nil || n.Form == payload.Bind {
			return nil, fault.New(fault.Invalid, "expected the id of an entity")
		}
		if control.Removed {
			return nil, c.removed(n.Nav, value, control)
		}
		var below outline
		entity, below, err = c.upsert(n.Nav, value, mode, nil, depth+1)
		if below != nil {
			shape.add(n.Nav.Name, below)
		}
	default:
		return nil, fault.Newf(fault.Invalid, "%s leads to one entity", n.Nav.Name)
	}
	if err != nil {
		return nil, err
	}
	return n.Nav.Remote.Value(reflect.ValueOf(entity).Elem()), nil
}

// removed deletes the entity that a deleted entity stands for, when nothing
// refers to it any more, if its reason is that it is deleted.
func (c *changes) removed(nav *edm.Navigation, o *payload.Object, control payload.Control) error {
	if !control.Deleted {
		return nil
	}
	entity, err := c.known(c.set(nav), o)
	if err == nil {
		c.late = append(c.late, func() error { return c.remove(c.set(nav), entity) })
	}
	return err
}

func (c *changes) remove(x *set, entity any) error {
	if x.remove == nil {
		return fault.Newf(fault.MethodNotAllowed, "entities of %s cannot be deleted", x.Name)
	}
	if err := c.count(); err != nil {
		return err
	}
	return x.remove(c.q.Context(), entity)
}

// upsert changes the entity that o identifies, or creates one; to relates it.
// A mere reference changes nothing in the entity itself, and has no outline.
func (c *changes) upsert(nav *edm.Navigation, o *payload.Object, mode payload.Mode, to *bond, depth int) (any, outline, error) {
	x := c.set(nav)
	if o.IsReference() {
		entity, err := c.known(x, o)
		if err == nil && to != nil {
			_, err = c.apply(x, entity, nil, payload.Update, to, false, depth)
		}
		return entity, nil, err
	}
	if mode == payload.Create {
		if control, err := o.Control(); err != nil || control.ID != "" {
			return nil, nil, fault.New(fault.Invalid, "a new entity can refer to one that is there, but not change it: give the id alone")
		}
		return c.fresh(x, o, to, depth)
	}
	entity, identified, err := c.find(x, o)
	switch {
	case err != nil:
		return nil, nil, err
	case entity != nil:
		shape, err := c.update(x, entity, o, mode, to, depth)
		return entity, shape, err
	case identified && !x.Type.ClientKeyed():
		return nil, nil, fault.Newf(fault.Invalid, "%s has no entity with this key", x.Name)
	}
	if control, err := o.Control(); err != nil || control.ID != "" {
		return nil, nil, fault.Newf(fault.Invalid, "there is no entity %s", control.ID)
	}
	return c.fresh(x, o, to, depth)
}

func (c *changes) fresh(x *set, o *payload.Object, to *bond, depth int) (any, outline, error) {
	entity := x.fresh()
	_, shape, err := c.create(x, entity, o, to, depth)
	return entity, shape, err
}

// at puts the place of a nested entity before the target of a fault in it.
func at(err error, place string) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	within := func(target string) string {
		if target == "" {
			return place
		}
		return place + "/" + target
	}
	f = f.At(within(f.Target))
	details := make([]fault.Detail, len(f.Details))
	for i, d := range f.Details {
		d.Target = within(d.Target)
		details[i] = d
	}
	if f.Details != nil {
		f.Details = details
	}
	return f
}

// related reads the entities that nav leads to from v and that the caller may
// see.
func (c *changes) related(x *set, v reflect.Value, nav *edm.Navigation) ([]any, error) {
	from := &target{set: x, single: true, key: keyArguments(x.Type, v)}
	t := &target{set: c.set(nav), nav: nav, link: from}
	r, err := c.q.binder().Collection(plan.Root(t.set.Type), &uri.Query{})
	if err != nil {
		return nil, err
	}
	r.Limit, r.More = c.left+1, false
	if err := c.q.linkTo(t, r); err != nil {
		return nil, err
	}
	list, err := c.q.scan(t, r)
	if err == nil && len(list) > c.left {
		err = fault.Newf(fault.Invalid, "%s has more than %d entities, too many to be replaced by one request (limit Changes)", nav.Name, c.left)
	}
	return list, err
}
