package odata

import (
	"reflect"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
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
	access, err := t.set.access(q.Context())
	if err != nil {
		return false, err
	}
	for _, hidden := range access.Hide {
		if hidden == segment.Name {
			return false, nil
		}
	}
	switch p := s.Property(segment.Name); {
	case p != nil:
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
		if _, ok := kind.(edm.Primitive); !ok {
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

// last is the type of the property t.
func (t *target) last() edm.Type {
	if t.dynamic != "" {
		return edm.Untyped
	}
	return t.props[len(t.props)-1].Type
}

// entity is the entity that the property t is of.
func (t *target) entity() *target {
	entity := *t
	entity.props, entity.dynamic, entity.raw, entity.count = nil, "", false, false
	return &entity
}
