package odata

import (
	"net/http"
	"reflect"

	"leadloop/odata/fault"
	"leadloop/odata/payload"
)

// referenceHandlers are the methods that change the references t (Protocol 4.01,
// section 11.4.6).
func referenceHandlers(t *target) map[string]handler {
	h := map[string]handler{http.MethodDelete: (*request).unrefer}
	switch {
	case t.nav.Many && !t.single:
		h[http.MethodPost], h[http.MethodPut] = (*request).refer, (*request).refer
	case !t.nav.Many:
		h[http.MethodPut] = (*request).refer
	}
	return h
}

// refer adds a reference to a collection (POST), replaces all of it, or the one
// of a single-valued navigation property (PUT).
func (q *request) refer(t *target) error {
	if q.query.ID != "" {
		return fault.New(fault.Invalid, "$id applies to DELETE only").At("$id")
	}
	o, err := q.object(false)
	if err != nil {
		return err
	}
	n := payload.Nested{Nav: t.nav, Form: payload.Inline, Value: o}
	switch {
	case q.Method == http.MethodPost:
		n.Form, n.Value = payload.Delta, []any{o}
	case t.nav.Many:
		value, _ := o.Member("value")
		if n.Value = value; value == nil {
			return fault.New(fault.Invalid, "expected the references in an array called value").At("value")
		}
	}
	if err := onlyReferences(n.Value); err != nil {
		return err
	}
	return q.relink(t, n)
}

// onlyReferences checks that value is a reference, or an array of them.
func onlyReferences(value any) error {
	items, many := value.([]any)
	if !many {
		items = []any{value}
	}
	for _, item := range items {
		o, ok := item.(*payload.Object)
		if !ok || !o.IsReference() {
			return fault.New(fault.Invalid, `expected a reference to an entity: {"@odata.id":"…"}`).At("@odata.id")
		}
	}
	return nil
}

// unrefer removes one reference, or all of a collection.
func (q *request) unrefer(t *target) error {
	n := payload.Nested{Nav: t.nav, Form: payload.Inline}
	switch {
	case t.single && q.query.ID != "":
		return fault.New(fault.Invalid, "$id does not apply to a single reference").At("$id")
	case t.nav.Many && t.single:
		return q.release(t, t)
	case q.query.ID != "":
		other, err := q.entityByID(q.query.ID, t.nav.Target)
		if err != nil {
			return fault.New(fault.NotFound, err.(*fault.Error).Message).At("$id")
		}
		return q.release(t, other)
	case t.nav.Many:
		n.Value = []any{}
	}
	return q.relink(t, n)
}

// relink brings the relation t to what n says.
func (q *request) relink(t *target, n payload.Nested) error {
	return q.atomically(func(q *request) error {
		parent, err := q.load(t.link)
		if err != nil {
			return err
		}
		c := q.newChanges()
		c.references = true
		if _, err = c.apply(t.link.set, parent, []payload.Nested{n}, payload.Update, nil, false, 0); err != nil {
			return err
		}
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// release removes the reference to the entity other from the collection t.
func (q *request) release(t, other *target) error {
	return q.atomically(func(q *request) error {
		parent, err := q.load(t.link)
		if err != nil {
			return err
		}
		entity, err := q.fetch(other)
		if err != nil {
			return err
		}
		c, to := q.newChanges(), &bond{t.nav, reflect.ValueOf(parent).Elem()}
		if !to.holds(reflect.ValueOf(entity).Elem()) {
			return fault.Newf(fault.NotFound, "%s does not refer to this entity", t.nav.Name)
		}
		if err := c.release(to, entity); err != nil {
			return err
		}
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	})
}
