package odata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// handler carries out one method on a resource.
type handler func(q *request, t *target) error

// handlers are the methods that change the resource t.
func (q *request) handlers(t *target) map[string]handler {
	h := map[string]handler{}
	switch x := t.set; {
	case t.count:
	case t.operation != nil:
		if !t.operation.function {
			h[http.MethodPost] = (*request).invoke
		}
	case t.ref:
		return referenceHandlers(t)
	case t.each:
		return eachHandlers(t)
	case t.isProperty():
		return propertyHandlers(t)
	case t.single:
		if x.update != nil {
			h[http.MethodPatch], h[http.MethodPut] = (*request).patch, (*request).put
		}
		if x.remove != nil {
			h[http.MethodDelete] = (*request).remove
		}
	default:
		if x.create != nil {
			h[http.MethodPost] = (*request).post
		}
		if x.create != nil || x.update != nil || x.remove != nil {
			h[http.MethodPatch] = (*request).patchCollection
		}
	}
	return h
}

// change carries out a request that is not safe.
func (q *request) change(t *target) error {
	handlers := q.handlers(t)
	h := handlers[q.Method]
	if h == nil {
		var allowed []string
		if (t.operation == nil || t.operation.function) && !t.each {
			allowed = append(allowed, http.MethodGet)
		}
		for _, m := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			if handlers[m] != nil {
				allowed = append(allowed, m)
			}
		}
		return q.notAllowed(allowed...)
	}
	if q.query.ID != "" && !t.ref {
		return fault.New(fault.Invalid, "$id does not apply to this resource").At("$id")
	}
	if v := strings.TrimSpace(q.Header.Get("OData-Version")); v != "" && v != "4.0" && v != "4.01" {
		return fault.Newf(fault.Invalid, "the body is of OData 4.0 or 4.01, not %q", v).At("OData-Version")
	}
	if err := q.readBody(); err != nil {
		return err
	}
	return q.repeatably(t, func(q *request) error { return refused(h(q, t)) })
}

// readBody reads the request body, so that it can be gone through again.
func (q *request) readBody() (err error) {
	q.payload, err = q.bodyUpTo(q.s.Limits.Body, "body", "Body")
	return err
}

// bodyUpTo reads the request body, called what, which the limit of that name bounds.
func (q *request) bodyUpTo(limit int64, what, name string) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(q.w, q.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault.Newf(fault.TooLarge, "the %s is larger than %d bytes (limit %s)", what, limit, name)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the body could not be read")
	}
	return body, nil
}

// object parses the request body, which must be one JSON object. An empty body
// is an empty object where optional.
func (q *request) object(optional bool) (*payload.Object, error) {
	if len(q.payload) == 0 && optional {
		return &payload.Object{}, nil
	}
	if err := q.bodyIs("application/json"); err != nil {
		return nil, err
	}
	return payload.ParseObject(q.payload)
}

// bodyIs checks that the Content-Type, if given, is media in UTF-8.
func (q *request) bodyIs(media string) error {
	if coding := q.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return fault.Newf(fault.Unsupported, "a body in the coding %q is not taken", coding)
	}
	given := q.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	is, parameters, err := mime.ParseMediaType(given)
	if err != nil || is != media {
		return fault.Newf(fault.Unsupported, "the body must be %s, not %q", media, given)
	}
	switch charset := strings.ToLower(parameters["charset"]); charset {
	case "", "utf-8", "us-ascii":
		return nil
	default:
		return fault.Newf(fault.Unsupported, "the body must be in UTF-8, not in %q", charset)
	}
}

func (q *request) decoder(m payload.Mode, hide []string) payload.Decoder {
	_, parameters, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	compatible := err == nil && strings.EqualFold(parameters["ieee754compatible"], "true")
	return payload.Decoder{Mode: m, IEEE754Compatible: compatible, Hide: hide}
}

// old reports whether the body is to be read by the rules of OData 4.0 (Protocol
// 4.01, section 8.1.5).
func (q *request) old() bool {
	v := strings.TrimSpace(q.Header.Get("OData-Version"))
	return v == "4.0" || v == "" && q.version == "4.0"
}

// post creates an entity, and relates it to the one that the path goes through
// (Protocol 4.01, section 11.4.2).
func (q *request) post(t *target) error {
	o, err := q.object(false)
	if err != nil {
		return err
	}
	if err := q.checkShape(t.set); err != nil {
		return err
	}
	run := func(q *request) error {
		c := q.newChanges()
		var to *bond
		if t.link != nil {
			parent, err := q.fetch(t.link)
			if err != nil {
				return err
			}
			to = &bond{t.nav, reflect.ValueOf(parent).Elem()}
		}
		v, shape, err := c.create(t.set, t.set.fresh(), o, to, 0)
		if err != nil {
			return err
		}
		return q.changed(http.StatusCreated, t.set, v, shape)
	}
	if t.link == nil && !o.Nests(t.set.Type) && !q.shaped() {
		return run(q)
	}
	return q.atomically(run)
}

// patch changes an entity (Protocol 4.01, section 11.4.3).
func (q *request) patch(t *target) error { return q.revise(t, payload.Update) }

// put replaces an entity.
func (q *request) put(t *target) error { return q.revise(t, payload.Replace) }

func (q *request) revise(t *target, mode payload.Mode) error {
	o, err := q.object(false)
	if err != nil {
		return err
	}
	if err := q.checkShape(t.set); err != nil {
		return err
	}
	run := func(q *request) error {
		c := q.newChanges()
		entity, err := q.load(t)
		if fault.CodeOf(err) == fault.NotFound && t.set.upsert && t.key != nil && t.link == nil {
			return q.insert(t, o)
		}
		if err != nil {
			return err
		}
		shape, err := c.update(t.set, entity, o, mode, nil, 0)
		if err == nil {
			err = c.finish()
		}
		if err != nil {
			return err
		}
		return q.changed(http.StatusOK, t.set, reflect.ValueOf(entity).Elem(), shape)
	}
	if t.set.outside && !o.Nests(t.set.Type) {
		return run(q)
	}
	return q.atomically(run)
}

// insert creates the entity that an upsert did not find (Protocol 4.01, section
// 11.4.4), unless If-Match says that it must be there.
func (q *request) insert(t *target, o *payload.Object) error {
	if q.Header.Get("If-Match") != "" {
		return fault.New(fault.PreconditionFailed, "there is no entity with this key").At("If-Match")
	}
	if _, err := q.keyExpr(t, plan.Root(t.set.Type)); err != nil {
		return err // no entity can have such a key
	}
	c := q.newChanges()
	entity := t.set.fresh()
	keyed, err := q.keyed(t, entity)
	if err != nil {
		return err
	}
	v, shape, err := c.create(t.set, entity, o.Without(keyed...), nil, 0)
	if err != nil {
		return err
	}
	return q.changed(http.StatusCreated, t.set, v, shape)
}

// remove deletes an entity (Protocol 4.01, section 11.4.5).
func (q *request) remove(t *target) error {
	return q.atomically(func(q *request) error {
		entity, err := q.load(t)
		if err != nil {
			return err
		}
		if err := t.set.remove(q.Context(), entity); err != nil {
			return err
		}
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

// load reads the entity t, and holds it against the request's preconditions.
func (q *request) load(t *target) (any, error) {
	entity, err := q.fetch(t)
	if err != nil {
		return nil, err
	}
	return entity, q.precondition(t.set, reflect.ValueOf(entity).Elem())
}

// precondition holds the entity v against If-Match and If-None-Match (Protocol
// 4.01, sections 8.2.4 and 8.2.5).
func (q *request) precondition(x *set, v reflect.Value) error {
	match, none := q.Header.Get("If-Match"), q.Header.Get("If-None-Match")
	etag := ""
	if match != "" || none != "" {
		var err error
		if etag, err = q.etag(x, v); err != nil {
			return err
		}
	}
	switch {
	case match == "" && none == "" && x.requireIfMatch:
		return fault.Newf(fault.PreconditionNeeded, "changes of %s need an If-Match header with the entity's ETag", x.Name).At("If-Match")
	case match != "" && match != "*" && !matches(match, etag):
		return fault.New(fault.PreconditionFailed, "the entity has changed since it was read: read it again").At("If-Match")
	case none == "*":
		return fault.New(fault.PreconditionFailed, "there is an entity with this key").At("If-None-Match")
	case none != "" && matches(none, etag):
		return fault.New(fault.PreconditionFailed, "the entity is still the one with this ETag").At("If-None-Match")
	}
	return nil
}

// matches reports whether one of the ETags of a header is etag, by the weak
// comparison: all our ETags are weak.
func matches(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		if etag != "" && strings.TrimPrefix(strings.TrimSpace(item), "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// fetch reads the entity t, which the caller must be allowed to see, into a new
// Go struct. In a transaction nobody else changes it until that ends.
func (q *request) fetch(t *target) (any, error) {
	r, err := q.entity(t, &uri.Query{})
	if err != nil {
		return nil, err
	}
	list, err := q.scan(t, r)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, notFound(t)
	}
	return list[0], nil
}

// scan reads the rows of r into new Go structs.
func (q *request) scan(t *target, r *plan.Read) (list []any, err error) {
	ctx, cancel := context.WithTimeout(q.Context(), q.s.Limits.Statement)
	defer cancel()
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Rows(d, r, q.held) })
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", t.set.Name, err)
	}
	defer rows.Close()
	db := q.s.Read(ctx)
	for err == nil && rows.Next() {
		entity := t.new()
		err = db.ScanRows(rows, entity)
		list = append(list, entity)
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		if ctx.Err() == context.DeadlineExceeded {
			return nil, context.DeadlineExceeded // drivers say it each in their own way
		}
		return nil, fmt.Errorf("load %s: %w", t.set.Name, err)
	}
	return list, nil
}
