package leads

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"leadloop/odata/fault"
)

const (
	maxDepth = 32    // of objects and lists in each other
	maxBatch = 1_000 // leads in one delivery
)

// parseJSON reads a body that is one object, or a list of them, each a lead. A
// nested object's fields get names joined with dots; lists stay values. Invalid
// for malformed JSON, for a field that comes twice (by the name it gets), for
// text no database can hold, and for too deep or too many of them.
func parseJSON(body []byte) ([][]field, error) {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	if !utf8.Valid(body) {
		return nil, fault.New(fault.Invalid, "the body is not valid UTF-8")
	}
	d := jsonReader{d: json.NewDecoder(bytes.NewReader(body))}
	d.d.UseNumber()
	leads, err := d.leads()
	if err != nil {
		return nil, err
	}
	if _, err := d.d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.Newf(fault.Invalid, "malformed JSON: something follows its end at byte %d", d.d.InputOffset())
	}
	return leads, nil
}

// jsonReader reads token by token: encoding/json alone would let duplicate keys
// pass, and lose the order of fields.
type jsonReader struct {
	d      *json.Decoder
	fields []field
	seen   map[string]bool // names of the lead being read
}

func (r *jsonReader) leads() ([][]field, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		fields, err := r.lead()
		return [][]field{fields}, err
	case json.Delim('['):
		return r.list()
	}
	return nil, fault.New(fault.Invalid, "a lead must be a JSON object")
}

func (r *jsonReader) list() ([][]field, error) {
	var all [][]field
	for r.d.More() {
		if len(all) == maxBatch {
			return nil, fault.Newf(fault.Invalid, "more than %d leads in one delivery", maxBatch)
		}
		t, err := r.token()
		if err != nil {
			return nil, inLead(len(all), err)
		}
		if t != json.Delim('{') {
			return nil, inLead(len(all), fault.New(fault.Invalid, "a lead must be a JSON object"))
		}
		fields, err := r.lead()
		if err != nil {
			return nil, inLead(len(all), err)
		}
		all = append(all, fields)
	}
	if _, err := r.token(); err != nil { // the ]
		return nil, err
	}
	if len(all) == 0 {
		return nil, fault.New(fault.Invalid, "the delivery has no leads")
	}
	return all, nil
}

// lead reads an object whose { was read.
func (r *jsonReader) lead() ([]field, error) {
	r.fields, r.seen = nil, map[string]bool{}
	err := r.object("", 1)
	return r.fields, err
}

// object reads the fields of an object, whose { was read, to names that begin
// with prefix.
func (r *jsonReader) object(prefix string, depth int) error {
	if depth > maxDepth {
		return tooDeep()
	}
	for r.d.More() {
		key, err := r.key()
		if err != nil {
			return err
		}
		name := prefix + key
		if r.seen[name] {
			return comesTwice(name)
		}
		if len(r.seen) > 2*maxFields { // twice: objects on the way count too
			return fault.Newf(fault.Invalid, "the delivery has more than %d fields", maxFields)
		}
		r.seen[name] = true
		if err := r.field(name, depth); err != nil {
			return err
		}
	}
	_, err := r.token() // the }
	return err
}

// field reads the value of the field name: another object or a plain value.
func (r *jsonReader) field(name string, depth int) error {
	t, err := r.token()
	if err != nil {
		return err
	}
	if t == json.Delim('{') {
		r.fields = append(r.fields, field{name: name, value: nested{}})
		return r.object(name+".", depth+1)
	}
	v, err := r.value(t, depth)
	if err != nil {
		return err
	}
	if err := checkStorable(v); err != nil {
		return err.At(name)
	}
	r.fields = append(r.fields, field{name: name, value: v})
	return nil
}

// value reads the rest of the value that begins with t.
func (r *jsonReader) value(t json.Token, depth int) (any, error) {
	if depth > maxDepth {
		return nil, tooDeep()
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for r.d.More() {
			t, err := r.token()
			if err != nil {
				return nil, err
			}
			v, err := r.value(t, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.token() // the ]
		return list, err
	case json.Delim('{'):
		return r.inner(depth)
	}
	return t, nil
}

// inner reads an object inside a list, which stays one.
func (r *jsonReader) inner(depth int) (any, error) {
	object := map[string]any{}
	for r.d.More() {
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		if _, twice := object[key]; twice {
			return nil, comesTwice(key)
		}
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		if object[key], err = r.value(t, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := r.token() // the }
	return object, err
}

func (r *jsonReader) key() (string, error) {
	t, err := r.token()
	if err != nil {
		return "", err
	}
	return t.(string), nil // the decoder lets nothing else stand there
}

func (r *jsonReader) token() (json.Token, error) {
	t, err := r.d.Token()
	if err == nil {
		return t, nil
	}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return nil, fault.Newf(fault.Invalid, "malformed JSON at byte %d: %s", syntax.Offset, syntax.Error())
	}
	return nil, fault.New(fault.Invalid, "malformed JSON: it ends too early")
}

// checkStorable refuses a plain text value no database can hold; in lists it is
// found later.
func checkStorable(v any) *fault.Error {
	if text, ok := v.(string); ok {
		return storable(text)
	}
	return nil
}

func comesTwice(name string) error {
	return fault.Newf(fault.Invalid, "the field %s comes twice", name).At(name)
}

func tooDeep() error {
	return fault.Newf(fault.Invalid, "the JSON is nested deeper than %d levels", maxDepth)
}

// inLead says in which lead of a list something is wrong.
func inLead(i int, err error) error {
	e := (*fault.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	target := fmt.Sprintf("[%d]", i)
	if e.Target != "" {
		target += "." + e.Target
	}
	return e.At(target)
}
