package odata

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/payload"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// outline is the related entities that a body gave, by navigation property: what
// the answer has to show of them.
type outline map[string]outline

// query is the $expand that shows o.
func (o outline) query() *uri.Query {
	q := &uri.Query{Given: map[string]bool{}}
	for name, below := range o {
		q.Given["$expand"] = true
		q.Expand = append(q.Expand, uri.ExpandItem{Name: name, Options: *below.query()})
	}
	slices.SortFunc(q.Expand, func(a, b uri.ExpandItem) int { return strings.Compare(a.Name, b.Name) })
	return q
}

// add makes room for the navigation property name.
func (o outline) add(name string, below outline) {
	if o[name] == nil {
		o[name] = outline{}
	}
	for n, b := range below {
		o[name].add(n, b)
	}
}

// sight is what the caller may see of a set: not these properties, or nothing.
func (q *request) sight(x *set) (hide []string, seen bool, err error) {
	p, err := x.access(q.Context())
	if fault.CodeOf(err) == fault.Forbidden {
		return nil, false, nil
	}
	return p.Hide, err == nil, err
}

// etag is the ETag of the entity v as the caller knows it, "" if they know none.
func (q *request) etag(x *set, v reflect.Value) (string, error) {
	hide, _, err := q.sight(x)
	return payload.ETag(x.Type, v, hide), err
}

// shaped reports whether the request says what of the entity to show.
func (q *request) shaped() bool { return q.query.Given["$select"] || q.query.Given["$expand"] }

// checkShape checks the query options of a change before it is carried out.
func (q *request) checkShape(x *set) error {
	if len(q.query.Given) == 0 {
		return nil
	}
	_, err := q.binder().Entity(plan.Root(x.Type), nil, q.query)
	if fault.CodeOf(err) == fault.Forbidden {
		return nil // it can be changed, and is not shown
	}
	return err
}

// changed answers with the entity v, created or changed (Protocol 4.01, section
// 11.4.1.5). Where the caller prefers so, or may not see it, the answer is empty.
func (q *request) changed(status int, x *set, v reflect.Value, shape outline) error {
	location := q.root() + x.Name + payload.KeyPath(x.Type, v)
	if status == http.StatusCreated {
		q.w.Header().Set("Location", location)
	}
	hide, seen, err := q.sight(x)
	if err != nil {
		return err
	}
	if seen && !q.prefersReturn("minimal") {
		q.prefersReturn("representation")
		if !q.shaped() && len(shape) == 0 {
			q.sendStruct(status, q.contextURL(x.Name, "", true), x.Type, v, hide)
			return nil
		}
		if sent, err := q.readBack(status, x, v, shape); sent || err != nil {
			return err
		}
	}
	q.w.Header().Set("OData-EntityId", location)
	if tag := payload.ETag(x.Type, v, hide); tag != "" && seen {
		q.w.Header().Set("ETag", tag)
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

// readBack answers with the entity v as a read gives it, under the request's
// $select and $expand, or else with what shape says. Sent is false where that
// cannot be: the change stands all the same.
func (q *request) readBack(status int, x *set, v reflect.Value, shape outline) (sent bool, err error) {
	t := &target{set: x, single: true, key: keyArguments(x.Type, v)}
	query := q.query
	if !q.shaped() {
		query = shape.query()
	}
	r, err := q.entity(t, query)
	var f *fault.Error
	if errors.As(err, &f) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.Tag = true
	q.shape(&r.Show)
	text, tag, found, err := q.readEntity(q.Context(), r)
	if found && err == nil {
		q.tag(tag)
		q.sendEntity(status, q.contextURL(x.Name, q.shown(r), true), text)
	}
	return found, err
}

// sendStruct sends a Go struct of type s, without the properties to hide.
func (q *request) sendStruct(status int, contextURL string, s *edm.Struct, v reflect.Value, hide []string) {
	e := q.encoder(hide)
	e.Raw("{")
	e.Members(s, v)
	e.Raw("}")
	q.tag(payload.ETag(s, v, hide))
	q.sendEntity(status, contextURL, e.Bytes())
}

// encoder writes Go structs as reads show their rows, without the properties to
// hide.
func (q *request) encoder(hide []string) *payload.Encoder {
	return &payload.Encoder{Hide: hide, Style: q.style()}
}
