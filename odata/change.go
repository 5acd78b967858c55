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

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/plan"
	"leadloop/odata/sqlgen"
	"leadloop/odata/uri"
)

// body reads and parses the request body, which must be one JSON object. An
// empty body is an empty object where optional.
func (q *request) body(optional bool) (*payload.Object, error) {
	text, err := io.ReadAll(http.MaxBytesReader(q.w, q.Body, q.s.Limits.Body))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fault.Newf(fault.TooLarge, "the body is larger than %d bytes (limit Body)", tooLarge.Limit)
	}
	if err != nil {
		return nil, fault.New(fault.Invalid, "the body could not be read")
	}
	if len(text) == 0 && optional {
		return &payload.Object{}, nil
	}
	if contentType := q.Header.Get("Content-Type"); contentType != "" {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || media != "application/json" {
			return nil, fault.Newf(fault.Unsupported, "the body must be application/json, not %q", contentType)
		}
	}
	return payload.ParseObject(text)
}

func (q *request) decoder(m payload.Mode) payload.Decoder {
	compatible := strings.Contains(strings.ToLower(q.Header.Get("Content-Type")), "ieee754compatible=true")
	return payload.Decoder{Mode: m, IEEE754Compatible: compatible}
}

// post creates an entity (Protocol 4.01, section 11.4.2).
func (q *request) post(t *target) error {
	o, err := q.body(false)
	if err != nil {
		return err
	}
	entity := t.set.fresh()
	v := reflect.ValueOf(entity).Elem()
	if err := q.decoder(payload.Create).Entity(o, t.set.Type, v); err != nil {
		return err
	}
	if err := t.set.create(q.Context(), entity); err != nil {
		return err
	}
	location := q.root() + t.set.Name + keyPath(t.set.Type, v)
	q.w.Header().Set("Location", location)
	if q.prefersReturn("minimal") {
		q.w.Header().Set("OData-EntityId", location)
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	q.sendStruct(http.StatusCreated, q.contextURL(t.set.Name, "", true), t.set.Type, v)
	return nil
}

// patch changes an entity (Protocol 4.01, section 11.4.3).
func (q *request) patch(t *target) error {
	o, err := q.body(false)
	if err != nil {
		return err
	}
	entity, err := q.load(t)
	if err != nil {
		return err
	}
	v := reflect.ValueOf(entity).Elem()
	if err := q.decoder(payload.Update).Entity(o, t.set.Type, v); err != nil {
		return err
	}
	if err := t.set.update(q.Context(), entity); err != nil {
		return err
	}
	if q.prefersReturn("minimal") {
		if tag := payload.ETag(t.set.Type, v); tag != "" {
			q.w.Header().Set("ETag", tag)
		}
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	q.sendStruct(http.StatusOK, q.contextURL(t.set.Name, "", true), t.set.Type, v)
	return nil
}

// remove deletes an entity (Protocol 4.01, section 11.4.5).
func (q *request) remove(t *target) error {
	entity, err := q.load(t)
	if err != nil {
		return err
	}
	if err := t.set.remove(q.Context(), entity); err != nil {
		return err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// load reads the entity t, which the caller must be allowed to see, into a new
// Go struct, and holds it against If-Match (Protocol 4.01, section 8.2.4).
func (q *request) load(t *target) (any, error) {
	ctx, cancel := context.WithTimeout(q.Context(), q.s.Limits.Statement)
	defer cancel()
	r, err := q.entity(t, &uri.Query{})
	if err != nil {
		return nil, err
	}
	entity := t.new()
	found, err := q.scan(ctx, entity, r)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", t.set.Name, err)
	}
	if !found {
		return nil, notFound(t)
	}
	if match := q.Header.Get("If-Match"); match != "" && match != "*" {
		if !matches(match, payload.ETag(t.set.Type, reflect.ValueOf(entity).Elem())) {
			return nil, fault.New(fault.PreconditionFailed, "the entity has changed since it was read: read it again").At("If-Match")
		}
	}
	return entity, nil
}

// scan reads the row of r into entity; found is false if there is none.
func (q *request) scan(ctx context.Context, entity any, r *plan.Read) (found bool, err error) {
	rows, err := q.run(ctx, func(d sqlgen.Dialect) sqlgen.Statement { return sqlgen.Row(d, r) })
	if err != nil {
		return false, err
	}
	defer rows.Close()
	if rows.Next() {
		found = true
		err = q.s.Read(ctx).ScanRows(rows, entity)
	}
	return found, errors.Join(err, rows.Err())
}

// matches reports whether one of the ETags of a header is etag, by the weak
// comparison: all our ETags are weak.
func matches(header, etag string) bool {
	for item := range strings.SplitSeq(header, ",") {
		if strings.TrimPrefix(strings.TrimSpace(item), "W/") == strings.TrimPrefix(etag, "W/") {
			return true
		}
	}
	return false
}

// invoke runs an action (Protocol 4.01, section 11.5.4).
func (q *request) invoke(t *target) error {
	a := t.action
	o, err := q.body(true)
	if err != nil {
		return err
	}
	params := reflect.New(a.params)
	if a.paramsType != nil {
		err = q.decoder(payload.Create).Entity(o, a.paramsType, params.Elem())
	} else if len(o.Members) > 0 {
		err = fault.Newf(fault.Invalid, "%s takes no parameters", a.name).At(o.Members[0].Name)
	}
	if err != nil {
		return err
	}
	entity, err := q.load(t)
	if err != nil {
		return err
	}
	result, err := a.run(q.Context(), entity, params.Interface())
	if err != nil {
		return err
	}
	if a.resultType == nil {
		q.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	s := a.resultType.(*edm.Struct)
	contextURL := q.root() + "$metadata#" + s.String()
	if s.IsEntity() {
		contextURL = q.contextURL(q.s.model.SetOf(s).Name, "", true)
	}
	q.sendStruct(http.StatusOK, contextURL, s, reflect.Indirect(reflect.ValueOf(result)))
	return nil
}

// sendStruct sends a Go struct of type s.
func (q *request) sendStruct(status int, contextURL string, s *edm.Struct, v reflect.Value) {
	e := q.encoder()
	e.Raw("{")
	e.Members(s, v)
	e.Raw("}")
	if tag := payload.ETag(s, v); tag != "" {
		q.w.Header().Set("ETag", tag)
	}
	q.sendEntity(status, contextURL, e.Bytes())
}

// encoder writes Go structs as reads show their rows.
func (q *request) encoder() *payload.Encoder { return &payload.Encoder{Style: q.style()} }

// keyPath is the key predicate of an entity in its canonical URL.
func keyPath(s *edm.Struct, v reflect.Value) string { return payload.KeyPath(s, v) }
