package batch

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"leadloop/odata/fault"
)

// ReadJSON reads the body of a JSON batch. Faults are Invalid, with the place as
// target ("requests/2/url"); TooLarge with a limit's name; NotImplemented.
func ReadJSON(body []byte, l Limits) ([]Request, error) {
	if !utf8.Valid(body) {
		return nil, fault.New(fault.Invalid, "the body is not valid UTF-8")
	}
	r := jsonReader{d: json.NewDecoder(bytes.NewReader(body)), limits: l, ids: map[string]bool{}, groups: map[string]bool{}}
	if err := r.batch(); err != nil {
		return nil, malformed(err)
	}
	return r.requests, nil
}

func malformed(err error) error {
	var f *fault.Error
	switch {
	case errors.As(err, &f):
		return f
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		return fault.New(fault.Invalid, "the body is empty or ends inside a JSON value")
	}
	return fault.Newf(fault.Invalid, "the body is not valid JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

type jsonReader struct {
	d        *json.Decoder
	limits   Limits
	requests []Request
	ids      map[string]bool
	groups   map[string]bool
	size     int // of the group at hand
}

// members reads an object and calls f for each name; f is to read the value. Null
// is as good as no members: it is what some clients write for what is not there.
func (r *jsonReader) members(what string, limit int, f func(name string) error) error {
	t, err := r.d.Token()
	if err != nil {
		return err
	}
	if t == nil {
		return nil
	}
	if t != json.Delim('{') {
		return fault.Newf(fault.Invalid, "%s must be a JSON object", what)
	}
	seen := map[string]bool{}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return err
		}
		name := t.(string) // the decoder lets nothing else stand here
		if seen[name] {
			return fault.Newf(fault.Invalid, "%q is given twice", name).At(name)
		}
		if len(seen) == limit {
			return fault.Newf(fault.Invalid, "%s has more than %d members", what, limit)
		}
		seen[name] = true
		if err := f(name); err != nil {
			return at(err, name)
		}
	}
	_, err = r.d.Token()
	return err
}

// at puts a step before the target of a fault.
func at(err error, step string) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	if f.Target != "" {
		step += "/" + f.Target
	}
	return f.At(step)
}

func (r *jsonReader) batch() error {
	given := false
	err := r.members("a batch", maxHeaders, func(name string) error {
		if name == "requests" {
			given = true
			return r.list()
		}
		return r.other(name)
	})
	if err != nil {
		return err
	}
	if _, err := r.d.Token(); err != io.EOF {
		return fault.New(fault.Invalid, "the body holds more than one JSON value")
	}
	if !given {
		return fault.New(fault.Invalid, `a batch must have the member "requests"`)
	}
	return nil
}

// other passes over a member that is an annotation, and refuses any other: one
// misspelt would do something else than was meant.
func (r *jsonReader) other(name string) error {
	if !strings.Contains(name, "@") {
		return fault.Newf(fault.Invalid, "there is no member %q in a batch", name)
	}
	var ignored json.RawMessage
	return r.d.Decode(&ignored)
}

func (r *jsonReader) list() error {
	t, err := r.d.Token()
	if err != nil {
		return err
	}
	if t != json.Delim('[') {
		return fault.New(fault.Invalid, "requests must be an array")
	}
	for r.d.More() {
		if err := r.limits.parts(len(r.requests) + 1); err != nil {
			return err
		}
		q, err := r.request()
		if err == nil {
			err = r.place(&q)
		}
		if err != nil {
			return at(err, fmt.Sprint(len(r.requests)))
		}
		r.requests = append(r.requests, q)
	}
	_, err = r.d.Token()
	return err
}

// request reads a request object.
func (r *jsonReader) request() (q Request, err error) {
	q.Header = http.Header{}
	var body json.RawMessage
	err = r.members("a request", maxHeaders, func(name string) error {
		switch name {
		case "id":
			return r.text(&q.ID)
		case "method":
			return r.text(&q.Method)
		case "url":
			return r.text(&q.URL)
		case "atomicityGroup":
			return r.text(&q.Group)
		case "if":
			return r.text(&q.If)
		case "dependsOn":
			return r.decode(&q.DependsOn, "an array of strings")
		case "headers":
			return r.members("headers", maxHeaders, func(name string) error {
				var value string
				if err := r.text(&value); err != nil {
					return err
				}
				if !addHeader(q.Header, name, value) {
					return fault.New(fault.Invalid, "this is not a header")
				}
				return nil
			})
		case "body":
			return r.d.Decode(&body)
		}
		return r.other(name)
	})
	if err != nil {
		return q, err
	}
	if err := decodable(q.Header); err != nil {
		return q, err
	}
	q.Header.Del("Content-Length")
	q.Method = strings.ToUpper(q.Method)
	return q, q.setBody(body)
}

// text reads a string that is not empty, or null, which leaves into as it is.
func (r *jsonReader) text(into *string) error {
	var text *string
	if err := r.decode(&text, "a string"); err != nil || text == nil {
		return err
	}
	if *text == "" {
		return fault.New(fault.Invalid, "expected a string, and not an empty one")
	}
	*into = *text
	return nil
}

func (r *jsonReader) decode(into any, what string) error {
	err := r.d.Decode(into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fault.Newf(fault.Invalid, "expected %s, found %s", what, wrong.Value)
	}
	return err
}

// setBody sets the body from its JSON form, which depends on the media type.
func (q *Request) setBody(body json.RawMessage) error {
	if len(body) == 0 || string(body) == "null" {
		return nil
	}
	if q.Method == http.MethodGet || q.Method == http.MethodDelete {
		return fault.Newf(fault.Invalid, "a %s request takes no body", strings.ToLower(q.Method)).At("body")
	}
	contentType := q.Header.Get("Content-Type")
	if contentType == "" {
		contentType = "application/json"
		q.Header.Set("Content-Type", contentType)
	}
	form := formOf(contentType)
	if form == formJSON {
		q.Body = body
		return nil
	}
	var text string
	if json.Unmarshal(body, &text) != nil {
		return fault.Newf(fault.Invalid, "the body must be a string, as its content-type is %s", contentType).At("body")
	}
	if form == formText {
		q.Body = []byte(text)
		return nil
	}
	var err error
	if q.Body, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil {
		return fault.Newf(fault.Invalid, "the body must be base64url, as its content-type is %s", contentType).At("body")
	}
	return nil
}

// place checks the request against those before it.
func (r *jsonReader) place(q *Request) error {
	for _, m := range []struct{ name, value string }{{"id", q.ID}, {"method", q.Method}, {"url", q.URL}} {
		if m.value == "" {
			return fault.Newf(fault.Invalid, "a request must have the member %q", m.name)
		}
	}
	switch {
	case !validID(q.ID):
		return fault.Newf(fault.Invalid, "%q cannot be an id: letters, digits and -._~ can", q.ID).At("id")
	case r.ids[q.ID] || r.groups[q.ID] || q.ID == q.Group:
		return fault.Newf(fault.Invalid, "the id %s is given twice", q.ID).At("id")
	case !slices.Contains([]string{"GET", "POST", "PATCH", "PUT", "DELETE"}, q.Method):
		return fault.Newf(fault.Invalid, "expected get, post, patch, put or delete, found %.80q", q.Method).At("method")
	}
	for _, d := range q.DependsOn {
		if !r.ids[d] && !r.groups[d] || d == q.Group {
			return fault.Newf(fault.Invalid, "%q is no request or group before this one", d).At("dependsOn")
		}
	}
	if err := r.placeInGroup(q); err != nil {
		return err
	}
	r.ids[q.ID] = true
	return nil
}

func (r *jsonReader) placeInGroup(q *Request) error {
	if q.Group == "" {
		return nil
	}
	last := ""
	if n := len(r.requests); n > 0 {
		last = r.requests[n-1].Group
	}
	switch {
	case q.Group == last:
		r.size++
		return r.limits.changeSet(r.size)
	case !validID(q.Group):
		return fault.Newf(fault.Invalid, "%q cannot name a group: letters, digits and -._~ can", q.Group).At("atomicityGroup")
	case r.groups[q.Group]:
		return fault.Newf(fault.Invalid, "the requests of the group %s are not adjacent", q.Group).At("atomicityGroup")
	case r.ids[q.Group]:
		return fault.Newf(fault.Invalid, "%s is the id of a request", q.Group).At("atomicityGroup")
	}
	r.groups[q.Group], r.size = true, 1
	return r.limits.changeSet(1)
}

// form is how a body stands in JSON (JSON Format 4.01, section 19.1).
type form uint8

const (
	formBinary form = iota // base64url
	formText               // a string
	formJSON               // JSON
)

func formOf(contentType string) form {
	media, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return formBinary
	case media == "application/json", strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json"):
		return formJSON
	case strings.HasPrefix(media, "text/"):
		return formText
	}
	return formBinary
}
