package odata

import (
	"net/http"
	"reflect"

	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// eachHandlers are the methods that change each entity of a collection (URL
// Conventions 4.01, section 4.13).
func eachHandlers(t *target) map[string]handler {
	h := map[string]handler{}
	if t.set.update != nil {
		h[http.MethodPatch] = (*request).patchEach
	}
	if t.set.remove != nil {
		h[http.MethodDelete] = (*request).removeEach
	}
	return h
}

// patchEach changes each entity of a collection as the body says (Protocol 4.01,
// section 11.4.13), and answers with them as they are then.
func (q *request) patchEach(t *target) error {
	o, err := q.object(false)
	if err != nil {
		return err
	}
	return q.forEach(t, func(d *delta, entity any) error {
		_, err := d.update(t.set, entity, o, payload.Update, nil, 0)
		d.done = append(d.done, applied{v: reflect.ValueOf(entity).Elem()})
		return err
	}, func(d *delta) error { return d.answer("") })
}

// removeEach deletes each entity of a collection (Protocol 4.01, section 11.4.14).
func (q *request) removeEach(t *target) error {
	return q.forEach(t, func(d *delta, entity any) error {
		return d.remove(t.set, entity)
	}, func(d *delta) error {
		d.q.w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// forEach calls change for each entity of the collection t that the caller may see,
// and answer in the end. All of it is done, or nothing.
func (q *request) forEach(t *target, change func(d *delta, entity any) error, answer func(d *delta) error) error {
	for _, option := range q.query.Names() {
		if option != "$format" && option != "$schemaversion" {
			return fault.Newf(fault.Invalid, "%s does not apply to a change of each entity: write what is to be changed in the path, as in /$filter(…)/$each", option).At(option)
		}
	}
	access, err := t.set.access(q.Context())
	if err == nil && access.ReadOnly {
		err = fault.Newf(fault.Forbidden, "you may not change entities of %s", t.set.Name)
	}
	if err != nil {
		return err
	}
	return q.atomically(func(q *request) error {
		if !q.held {
			return fault.New(fault.NotImplemented, "changes of a collection are not served: the service has no Options.Write")
		}
		r, err := q.collection(t)
		if err != nil {
			return err
		}
		if t.link != nil {
			if err := q.mustExist(q.Context(), t.link); err != nil {
				return err
			}
		}
		r.Limit, r.More = q.s.Limits.Changes+1, false // one more is refused
		entities, err := q.scan(t, r)
		if err != nil {
			return err
		}
		d := &delta{changes: q.newChanges(), t: t}
		for _, entity := range entities {
			if err := q.precondition(t.set, reflect.ValueOf(entity).Elem()); err != nil {
				return err
			}
			if err := change(d, entity); err != nil {
				return err
			}
		}
		if err := d.finish(); err != nil {
			return err
		}
		return answer(d)
	})
}
