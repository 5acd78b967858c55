package odata

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"leadloop/odata/fault"
	"leadloop/odata/plan"
	"leadloop/odata/uri"
)

// locate finds the entity that an entity-id, absolute or relative to the service
// root, names. What is none of the service's ids is NotFound.
func (q *request) locate(id string) (*target, error) {
	none := fault.Newf(fault.NotFound, "%q is not the id of an entity of this service", id).At("$id")
	path, ok := q.relative(id)
	if !ok {
		return nil, none
	}
	segments, err := uri.ParsePath(path, q.s.Limits.Expr)
	if err != nil || len(segments) == 0 || segments[0].Name == "$entity" {
		return nil, none
	}
	t, err := q.resolve(segments)
	if err != nil || !t.single || t.ref || t.operation != nil || t.isProperty() {
		return nil, none
	}
	return t, nil
}

// relative is a URL of this service relative to its root.
func (q *request) relative(id string) (path string, ok bool) {
	u, err := url.Parse(id)
	if err != nil || u.Scheme == "" && u.Host == "" && !strings.HasPrefix(id, "/") {
		return strings.TrimPrefix(id, "./"), true
	}
	root, err := url.Parse(q.root())
	if err != nil || u.Host != "" && !strings.EqualFold(u.Host, root.Host) {
		return "", false
	}
	return strings.CutPrefix(u.EscapedPath(), root.EscapedPath())
}

// queryInBody takes the query options from the body of a POST to …/$query, which
// is a GET of what stands before (URL Conventions 4.01, section 4.17), and
// returns the path of that.
func (q *request) queryInBody(path string) (string, error) {
	resource, ok := strings.CutSuffix(strings.TrimSuffix(path, "/"), "/$query")
	if !ok {
		return path, nil
	}
	if q.Method != http.MethodPost {
		return "", q.notAllowed(http.MethodPost)
	}
	if err := q.readBody(); err != nil {
		return "", err
	}
	options := strings.TrimSpace(string(q.payload))
	q.payload = nil
	switch media, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type")); media {
	case "text/plain":
	case "application/x-www-form-urlencoded":
		options = strings.ReplaceAll(options, "+", "%20")
	default:
		return "", fault.Newf(fault.Unsupported, "the query options must be text/plain or application/x-www-form-urlencoded, not %q", q.Header.Get("Content-Type"))
	}
	if q.URL.RawQuery != "" && options != "" {
		options = q.URL.RawQuery + "&" + options
	} else {
		options += q.URL.RawQuery
	}
	get := q.Clone(q.Context())
	get.Method, get.Body, get.URL.RawQuery = http.MethodGet, http.NoBody, escaped(options)
	get.URL.Path = strings.TrimSuffix(strings.TrimSuffix(get.URL.Path, "/"), "/$query")
	get.URL.RawPath = strings.TrimSuffix(strings.TrimSuffix(get.URL.RawPath, "/"), "/$query")
	q.Request = get
	return resource, nil
}

// escaped percent-encodes what of a text cannot stand in the query part of a URL,
// as the links in the answer are to be followed.
func escaped(query string) string {
	const plain = "-._~!$&'()*+,;=:@/?%"
	var b strings.Builder
	for i := range len(query) {
		c := query[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// narrow goes on from the entities t to some of them; nil where segment says
// nothing of that.
func (q *request) narrow(t *target, segment uri.Segment) (*target, error) {
	switch {
	case segment.Name == "$filter" && !t.single:
		if len(segment.Args) != 1 || segment.Args[0].Name != "" {
			return nil, fault.New(fault.Invalid, "/$filter needs one expression in parentheses").At("$filter")
		}
		t.filters = append(t.filters, segment.Args[0].Value)
		return t, nil
	case segment.Name == "$value" && t.single:
		return nil, fault.New(fault.NotImplemented, "media streams ($value of an entity) are not served")
	case t.filters != nil && !strings.HasPrefix(segment.Name, "$"):
		return nil, fault.Newf(fault.NotImplemented, "%s after /$filter is not served", segment.Name)
	case q.casts(t, segment):
		if segment.Parens {
			if t.single {
				return nil, notFound(t)
			}
			t.single, t.keyed, t.key = true, true, segment.Args
		}
		return t, nil
	case strings.Contains(segment.Name, ".") && q.s.model.Type(segment.Name) != nil:
		return nil, fault.Newf(fault.NotFound, "%s has no entities of the type %s", t.set.Name, segment.Name)
	}
	return nil, nil
}

// casts reports whether segment casts t to the type it is of. No type is derived
// from another.
func (q *request) casts(t *target, segment uri.Segment) bool {
	return segment.Name == t.set.Type.String()
}

// refers reports whether segment asks for references to t.
func (q *request) refers(t *target, segment uri.Segment) bool {
	read := q.Method == http.MethodGet || q.Method == http.MethodHead
	return segment.Name == "$ref" && !t.isProperty() && (t.link != nil || read)
}

// checkReference refuses options that do not apply to references (Protocol 4.01,
// section 11.2.8), and references to what r reads and has no id.
func (q *request) checkReference(t *target, r *plan.Read) error {
	if t.ref && q.s.model.SetOf(r.Var.Struct) == nil {
		return fault.New(fault.Invalid, "what $apply makes has no references").At("$apply")
	}
	for _, option := range []string{"$select", "$expand"} {
		if t.ref && q.query.Given[option] {
			return fault.Newf(fault.Invalid, "%s does not apply to references", option).At(option)
		}
	}
	return nil
}
