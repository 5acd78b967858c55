package odata

import (
	"bytes"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/uri"
)

// property makes t the property that segment names, declared or dynamic; found
// is false if there is none that the caller may see (URL Conventions 4.01,
// section 4.6).
func (q *request) property(t *target, segment uri.Segment) (found bool, err error) {
	s := t.set.Type
	if segment.Parens || t.key == nil && t.link == nil {
		return false, nil
	}
	hide, _, err := q.sight(t.set)
	if err != nil {
		return false, err
	}
	switch p := s.Property(segment.Name); {
	case p != nil && !slices.Contains(hide, p.Name):
		t.props = []*edm.Property{p}
		return true, nil
	case p == nil && s.Open && s.Dynamic != nil && !s.Declares(segment.Name) && !strings.Contains(segment.Name, "."):
		t.dynamic = segment.Name
		return true, nil
	}
	return false, nil
}

// stepProperty goes on from the property t.
func (q *request) stepProperty(t *target, segment uri.Segment) (*target, error) {
	missing := fault.Newf(fault.NotFound, "%s has no member %q", t.propertyName(), segment.Name)
	if segment.Parens {
		return nil, missing
	}
	kind := t.last()
	if segment.Name == "$value" {
		_, primitive := kind.(edm.Primitive)
		if _, enum := kind.(*edm.Enum); !primitive && !enum {
			return nil, fault.Newf(fault.NotFound, "%s has no raw value: it is not primitive", t.propertyName())
		}
		t.raw = true
		return t, nil
	}
	if _, many := kind.(edm.Collection); many && segment.Name == "$count" {
		t.count = true
		return t, nil
	}
	if strings.HasPrefix(segment.Name, "$") {
		return nil, fault.Newf(fault.NotImplemented, "%s is not served here", segment.Name)
	}
	s, ok := kind.(*edm.Struct)
	if !ok || t.dynamic != "" {
		return nil, missing
	}
	switch p := s.Property(segment.Name); {
	case p != nil:
		t.props = append(t.props, p)
	case s.GoType.Kind() == reflect.Map:
		t.dynamic = segment.Name
	default:
		return nil, missing
	}
	return t, nil
}

// propertyHandlers are the methods that change the property t (Protocol 4.01,
// section 11.4.9).
func propertyHandlers(t *target) map[string]handler {
	if t.set.update == nil {
		return nil
	}
	h := map[string]handler{http.MethodPut: (*request).setProperty, http.MethodDelete: (*request).setProperty}
	if t.raw || t.dynamic != "" {
		return h
	}
	if _, many := t.last().(edm.Collection); many {
		h[http.MethodPost] = (*request).setProperty
	} else {
		h[http.MethodPatch] = (*request).setProperty
	}
	return h
}

// setProperty changes one property of an entity.
func (q *request) setProperty(t *target) error {
	updates := payload.Decoder{Mode: payload.Update}
	if len(t.props) > 0 && !updates.Takes(t.props[0]) {
		return fault.Newf(fault.Invalid, "%s cannot be changed", t.props[0].Name).At(t.props[0].Name)
	}
	value, err := q.value(t)
	if err != nil {
		return err
	}
	run := func(q *request) error {
		entity, err := q.load(t.entity())
		if err != nil {
			return err
		}
		v := reflect.ValueOf(entity).Elem()
		if err := q.assign(t, v, value); err != nil {
			return err
		}
		if err := t.set.update(q.Context(), entity); err != nil {
			return err
		}
		return q.sendProperty(t, v)
	}
	if t.set.outside {
		return run(q)
	}
	return q.atomically(run)
}

// entity is the entity that the property t is of.
func (t *target) entity() *target {
	entity := *t
	entity.props, entity.dynamic, entity.raw, entity.count = nil, "", false, false
	return &entity
}

// value reads the new value of the property t from the body: nil for DELETE.
func (q *request) value(t *target) (any, error) {
	switch {
	case q.Method == http.MethodDelete:
		return nil, nil
	case t.raw:
		return q.rawValue(t)
	}
	o, err := q.object(false)
	if err != nil {
		return nil, err
	}
	_, structured := t.last().(*edm.Struct)
	if c, ok := t.last().(edm.Collection); ok && q.Method == http.MethodPost {
		_, structured = c.Of.(*edm.Struct)
	}
	value, given := o.Member("value")
	switch {
	case structured && !given:
		return o, nil
	case !given:
		return nil, fault.New(fault.Invalid, `expected the property as {"value": …}`).At("value")
	}
	return value, nil
}

// last is the type of the property t.
func (t *target) last() edm.Type {
	if t.dynamic != "" {
		return edm.Untyped
	}
	return t.props[len(t.props)-1].Type
}

// raw is a value given as text.
type raw string

// rawValue reads the body of a request to $value (Protocol 4.01, section
// 11.2.4.1).
func (q *request) rawValue(t *target) (any, error) {
	media := "text/plain"
	if t.last() == edm.Binary {
		media = "application/octet-stream"
	}
	if err := q.bodyIs(media); err != nil {
		return nil, err
	}
	if media != "text/plain" {
		return q.payload, nil
	}
	if !utf8.Valid(q.payload) || bytes.IndexByte(q.payload, 0) >= 0 {
		return nil, fault.New(fault.Invalid, "the value is not UTF-8 text, or holds the character U+0000")
	}
	return raw(q.payload), nil
}

// assign sets the property t of the entity v.
func (q *request) assign(t *target, v reflect.Value, value any) error {
	name := t.propertyName()
	if len(t.props) == 0 {
		if text, ok := value.(raw); ok {
			value = string(text)
		}
		payload.SetDynamic(t.set.Type, v, t.dynamic, value)
		return nil
	}
	last := t.props[len(t.props)-1]
	field := v
	for i, p := range t.props {
		if i > 0 && field.Kind() == reflect.Pointer {
			if field.IsNil() {
				return fault.Newf(fault.NotFound, "%s is null", t.props[i-1].Name)
			}
			fresh := reflect.New(field.Type().Elem()) // the old one may be shared
			fresh.Elem().Set(field.Elem())
			field.Set(fresh)
			field = fresh.Elem()
		}
		field = p.Field(field)
	}
	if t.dynamic != "" { // a member of a map is set by merging an object of it alone
		if text, ok := value.(raw); ok {
			value = string(text)
		}
		o := &payload.Object{Members: []payload.Member{{Name: t.dynamic, Value: value}}}
		return q.decoder(payload.Update, nil).Property(o, last, field)
	}
	mode := payload.Replace
	if q.Method == http.MethodPatch {
		mode = payload.Update
	}
	d := q.decoder(mode, nil)
	_, many := last.Type.(edm.Collection)
	var err error
	switch x := value.(type) {
	case raw:
		err = setText(last, string(x), field)
	case []byte:
		field.SetBytes(x)
	case nil:
		if many && q.Method == http.MethodDelete {
			value = []any{} // a collection is emptied
		}
		err = d.Property(value, last, field)
	default:
		if q.Method == http.MethodPost {
			err = d.Append(value, last, field)
		} else {
			err = d.Property(value, last, field)
		}
	}
	if f, ok := err.(*fault.Error); ok && len(t.props) > 1 {
		return f.At(name)
	}
	return err
}

// setText sets field, that of the property p, to a raw value.
func setText(p *edm.Property, text string, field reflect.Value) error {
	if p.Type == edm.String && p.MaxLength > 0 && utf8.RuneCountInString(text) > p.MaxLength {
		return fault.Newf(fault.Invalid, "%s is longer than %d characters", p.Name, p.MaxLength).At(p.Name)
	}
	if !payload.Text(p, text, field) {
		return fault.Newf(fault.Invalid, "expected the text of an %s", p.Type).At(p.Name)
	}
	return nil
}

// sendProperty answers with the property t of the changed entity v, as a read
// gives it, if the caller prefers so.
func (q *request) sendProperty(t *target, v reflect.Value) error {
	etag, err := q.etag(t.set, v)
	if err != nil {
		return err
	}
	q.tag(etag)
	removed := q.Method == http.MethodDelete || len(t.props) > 0 && t.props[0].WriteOnly
	if !removed && strings.EqualFold(q.prefers["return"].value, "representation") {
		now := *t
		now.nav, now.link, now.keyed, now.key = nil, nil, true, keyArguments(t.set.Type, v)
		r, err := q.entity(now.entity(), &uri.Query{})
		if err != nil {
			return err
		}
		p, found, err := q.readProperty(q.Context(), &now, r)
		if err != nil {
			return err
		}
		if found {
			q.prefersReturn("representation")
			if t.raw {
				return q.sendRaw(p)
			}
			return q.showProperty(&now, p)
		}
	}
	q.prefersReturn("minimal")
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}
