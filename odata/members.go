package odata

import (
	"fmt"
	"reflect"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// dependents creates, changes, relates and releases the entities that refer to
// v: v has to be there before they do.
func (c *changes) dependents(x *set, v reflect.Value, nested []payload.Nested, mode payload.Mode, depth int, shape outline) error {
	for _, n := range nested {
		if n.Nav.Dependent {
			continue
		}
		if err := c.members(x, v, n, mode, depth, shape); err != nil {
			return at(err, n.Name)
		}
	}
	return nil
}

// members brings the entities that refer to v to what n says.
func (c *changes) members(x *set, v reflect.Value, n payload.Nested, mode payload.Mode, depth int, shape outline) error {
	items, err := list(n)
	if err != nil {
		return err
	}
	to := &bond{n.Nav, v}
	// Inline, they are all there are; so is the one of a single-valued property.
	whole := n.Form == payload.Inline || !n.Nav.Many
	var before []any
	if whole && mode != payload.Create {
		if before, err = c.related(x, v, n.Nav); err != nil {
			return err
		}
	}
	kept := map[string]bool{}
	// A single-valued property holds one: the earlier leaves before the next comes.
	if !n.Nav.Many {
		if before, err = c.exchange(before, items, to); err != nil {
			return err
		}
	}
	for i, item := range items {
		entity, below, err := c.member(n, item, mode, to, depth)
		if err != nil {
			if n.Nav.Many {
				err = at(err, fmt.Sprint(i))
			}
			return err
		}
		if below != nil && n.Form != payload.Delta {
			shape.add(n.Nav.Name, below)
		}
		kept[c.path(n.Nav, entity)] = true
	}
	for _, entity := range before {
		if !kept[c.path(n.Nav, entity)] {
			if err := c.release(to, entity); err != nil {
				return err
			}
		}
	}
	return nil
}

// exchange releases the entity of a single-valued navigation property that
// another is to take the place of.
func (c *changes) exchange(before, items []any, to *bond) (left []any, err error) {
	for _, entity := range before {
		stays := false
		for _, item := range items {
			o, ok := item.(*payload.Object)
			if !ok {
				continue
			}
			next, _, err := c.find(c.set(to.nav), o)
			if err != nil {
				return nil, err
			}
			stays = stays || next != nil && c.path(to.nav, next) == c.path(to.nav, entity)
		}
		if !stays {
			err = c.release(to, entity)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (c *changes) path(nav *edm.Navigation, entity any) string {
	return payload.KeyPath(nav.Target, reflect.ValueOf(entity).Elem())
}

// list gives the items of n: objects, references among them. The ids of a bind
// become references.
func list(n payload.Nested) ([]any, error) {
	items, many := n.Value.([]any)
	switch {
	case many != (n.Nav.Many || n.Form == payload.Delta):
		return nil, fault.Newf(fault.Invalid, "%s needs %s", n.Name, map[bool]string{true: "an array", false: "one entity"}[n.Nav.Many])
	case !many && n.Value == nil:
		return nil, nil
	case !many:
		items = []any{n.Value}
	}
	if n.Form != payload.Bind {
		return items, nil
	}
	references := make([]any, len(items))
	for i, item := range items {
		if _, ok := item.(string); !ok {
			return nil, fault.New(fault.Invalid, "expected the id of an entity")
		}
		references[i] = reference(item)
	}
	return references, nil
}

// reference is the reference to the entity with an id.
func reference(id any) *payload.Object {
	return &payload.Object{Members: []payload.Member{{Name: "@odata.id", Value: id}}}
}

// member carries out one item of a nested collection.
func (c *changes) member(n payload.Nested, item any, mode payload.Mode, to *bond, depth int) (any, outline, error) {
	o, ok := item.(*payload.Object)
	if !ok {
		return nil, nil, fault.New(fault.Invalid, "expected an entity, or a reference to one")
	}
	control, err := o.Control()
	if err != nil {
		return nil, nil, err
	}
	if !control.Removed {
		return c.upsert(n.Nav, o, mode, to, depth+1)
	}
	if n.Form != payload.Delta {
		return nil, nil, fault.Newf(fault.Invalid, "a removed entity can only stand in %s@delta", n.Nav.Name)
	}
	x := c.set(n.Nav)
	entity, err := c.known(x, o)
	switch {
	case err != nil:
	case control.Deleted:
		err = c.remove(x, entity)
	default:
		err = c.release(to, entity)
	}
	return entity, nil, err
}

// release takes an entity out of its relation. One that is not in it stays as
// it is.
func (c *changes) release(from *bond, entity any) error {
	v := reflect.ValueOf(entity).Elem()
	if !from.holds(v) {
		return nil
	}
	x := c.set(from.nav)
	hide, _, err := c.q.sight(x)
	if err != nil {
		return err
	}
	if _, err := rebind(from.nav.Remote, v, nil, hide); err != nil {
		return err
	}
	_, err = c.apply(x, entity, nil, payload.Update, nil, true, 0)
	return err
}
