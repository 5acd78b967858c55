package odata

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// patchCollection applies a delta payload to a collection (Protocol 4.01, section
// 11.4.12; JSON Format 4.01, section 15.5). All of it is applied, or nothing.
func (q *request) patchCollection(t *target) error {
	o, err := q.object(false)
	if err != nil {
		return err
	}
	for _, option := range q.query.Names() {
		if option != "$format" {
			return fault.Newf(fault.Invalid, "%s does not apply to a change of a collection", option).At(option)
		}
	}
	context, err := o.Control()
	if err != nil {
		return err
	}
	value, _ := o.Member("value")
	items, ok := value.([]any)
	if !ok || !strings.HasSuffix(context.Context, "$delta") {
		return fault.New(fault.Invalid, `the body must be a delta payload: {"@context":"#$delta","value":[…]}`)
	}
	return q.atomically(func(q *request) error {
		c := q.newChanges()
		if !q.held {
			return fault.New(fault.NotImplemented, "changes of a collection are not served: the service has no Options.Write")
		}
		d := &delta{changes: c, t: t}
		if t.link != nil {
			parent, err := q.fetch(t.link)
			if err != nil {
				return err
			}
			d.to = &bond{t.nav, reflect.ValueOf(parent).Elem()}
		}
		for i, item := range items {
			if err := d.apply(item); err != nil {
				return at(err, fmt.Sprintf("value/%d", i))
			}
		}
		if err := c.finish(); err != nil {
			return err
		}
		return d.answer("/$delta")
	})
}

// delta is a delta payload that is being applied.
type delta struct {
	*changes
	t    *target
	to   *bond // nil: the collection is an entity set
	done []applied
}

// applied is an item that was applied: an entity as it is now, or a deleted one,
// or nothing to tell of.
type applied struct {
	v      reflect.Value
	reason string // of a removed entity
}

// apply applies one item of the payload.
func (d *delta) apply(item any) error {
	o, ok := item.(*payload.Object)
	if !ok {
		return fault.New(fault.Invalid, "expected an entity")
	}
	control, err := o.Control()
	if err != nil {
		return err
	}
	x := d.t.set
	switch kind := control.Context[strings.LastIndexByte(control.Context, '/')+1:]; {
	case kind == "$link" || kind == "$deletedLink":
		return d.link(o, kind == "$link")
	case kind == "$deletedEntity" && !control.Removed: // as OData 4.0 has it
		if id, ok := o.Member("id"); ok {
			o = reference(id)
		}
		reason, _ := o.Member("reason")
		control.Removed, control.Deleted = true, reason != "changed"
	}
	if control.Removed {
		return d.removed(o, control.Deleted || d.to == nil)
	}
	entity, identified, err := d.find(x, o)
	if err != nil {
		return err
	}
	switch {
	case entity != nil:
		_, err = d.update(x, entity, o, payload.Update, d.to, 1)
	case control.ETag != "" && !d.q.old():
		return fault.New(fault.PreconditionFailed, "there is no entity with this key").At("@odata.etag")
	case identified && (control.ID != "" || !x.Type.ClientKeyed()):
		return fault.Newf(fault.NotFound, "%s has no entity with this key", x.Name)
	default:
		entity, _, err = d.fresh(x, o, d.to, 1)
	}
	if err == nil {
		d.done = append(d.done, applied{v: reflect.ValueOf(entity).Elem()})
	}
	return err
}

// removed deletes an entity, or takes it out of the collection.
func (d *delta) removed(o *payload.Object, deleted bool) error {
	entity, identified, err := d.find(d.t.set, o)
	if err == nil && entity == nil {
		if identified {
			return notFound(d.t)
		}
		return fault.New(fault.Invalid, "a removed entity needs its id or key")
	}
	if err != nil {
		return err
	}
	v := reflect.ValueOf(entity).Elem()
	hide, _, err := d.q.sight(d.t.set)
	if err != nil {
		return err
	}
	if err := d.checkETag(d.t.set, v, o, hide, true); err != nil {
		return err
	}
	reason := "changed"
	if deleted {
		reason = "deleted"
		err = d.remove(d.t.set, entity)
	} else {
		err = d.release(d.to, entity)
	}
	d.done = append(d.done, applied{v, reason})
	return err
}

// link adds or removes a link between two entities (JSON Format 4.01, sections
// 15.3.2).
func (d *delta) link(o *payload.Object, add bool) error {
	text := func(name string) string {
		value, _ := o.Member(name)
		s, _ := value.(string)
		return s
	}
	t, err := d.q.entityByID(text("source"), d.t.set.Type)
	if err != nil {
		return at(err, "source")
	}
	source, err := d.q.fetch(t)
	if err != nil {
		return at(err, "source")
	}
	nav := t.set.Type.Nav(text("relationship"))
	if nav == nil {
		return fault.Newf(fault.Invalid, "%s has no navigation property %q", t.set.Type.Name, text("relationship")).At("relationship")
	}
	n := payload.Nested{Nav: nav, Form: payload.Delta, Name: "target"}
	switch related := reference(text("target")); {
	case nav.Many && !add:
		related.Members = append(related.Members, payload.Member{Name: "@removed", Value: &payload.Object{}})
		n.Value = []any{related}
	case nav.Many:
		n.Value = []any{related}
	case add:
		n.Form, n.Value = payload.Inline, related
	default:
		n.Form = payload.Inline
	}
	d.references = true
	_, err = d.changes.apply(t.set, source, []payload.Nested{n}, payload.Update, nil, false, 1)
	d.references = false
	return err
}

// answer gives the changes as they were applied: as a delta payload, or as the
// collection that the context URL says by its end.
func (d *delta) answer(kind string) error {
	q, x := d.q, d.t.set
	hide, seen, err := q.sight(x)
	if err != nil {
		return err
	}
	if !seen || q.prefersReturn("minimal") {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	q.prefersReturn("representation")
	q.appliedToEntities()
	e := q.encoder(hide)
	e.Raw("{")
	if q.format.metadata != "none" {
		e.Raw(`"@odata.context":` + quote(q.contextURL(x.Name+kind, "", false)) + ",")
	}
	e.Raw(`"value":[`)
	for i, a := range d.done {
		if i > 0 {
			e.Raw(",")
		}
		d.item(e, a)
	}
	e.Raw("]}\n")
	q.begin(http.StatusOK)
	_, err = q.w.Write(e.Bytes())
	return gone(err)
}

// item writes one change.
func (d *delta) item(e *payload.Encoder, a applied) {
	s := d.t.set.Type
	if a.reason == "" {
		e.Raw("{")
		e.Members(s, a.v)
		e.Raw("}")
		return
	}
	key := make([]string, len(s.Key))
	for i, p := range s.Key {
		value := d.q.encoder(nil)
		value.Value(p.Type, p.Field(a.v))
		key[i] = string(value.Bytes())
	}
	e.Raw(string(d.q.removedEntity(d.t.set, payload.KeyPath(s, a.v), key, a.reason)))
}
