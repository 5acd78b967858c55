// Package payload turns request bodies into checked changes of Go structs, and
// Go structs into OData JSON, both by the model (OData JSON Format 4.01).
package payload

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"leadloop/odata/fault"
)

// MaxDepth is how deep arrays and objects may nest in a body.
const MaxDepth = 32

// Object is a JSON object in the order it was written.
type Object struct {
	Members []Member
}

// Member is one member of an Object. Value is nil, bool, string, json.Number,
// []any or *Object.
type Member struct {
	Name  string
	Value any
}

// ParseObject reads a body that must be one JSON object. Faults are Invalid:
// malformed JSON, a name given twice, text that is not UTF-8 or holds U+0000.
func ParseObject(body []byte) (*Object, error) {
	if !utf8.Valid(body) {
		return nil, fault.New(fault.Invalid, "the body is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := parse(d, 0)
	if err != nil {
		return nil, malformed(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault.New(fault.Invalid, "the body holds more than one JSON value")
	}
	o, ok := v.(*Object)
	if !ok {
		return nil, fault.Newf(fault.Invalid, "the body must be a JSON object, not %s", kind(v))
	}
	return o, nil
}

func malformed(err error) error {
	var f *fault.Error
	if ok := asFault(err, &f); ok {
		return f
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fault.New(fault.Invalid, "the body is empty or ends inside a JSON value")
	}
	return fault.Newf(fault.Invalid, "the body is not valid JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}

func parse(d *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, fault.Newf(fault.Invalid, "the body nests deeper than %d", MaxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			return parseMembers(d, depth)
		}
		return parseElements(d, depth)
	case string:
		return t, checkText(t)
	case json.Number:
		if _, err := t.Float64(); err != nil || len(t) > maxDigits {
			return nil, fault.Newf(fault.Invalid, "the number %.40s is out of range", t)
		}
	}
	return t, nil
}

// maxDigits is how long a number may be.
const maxDigits = 400

func checkText(s string) error {
	if strings.IndexByte(s, 0) >= 0 {
		return fault.New(fault.Invalid, "text cannot hold the character U+0000")
	}
	return nil
}

func parseMembers(d *json.Decoder, depth int) (*Object, error) {
	o := &Object{}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // the decoder lets nothing else stand here
		if seen[name] {
			return nil, fault.Newf(fault.Invalid, "%q is given twice", name).At(name)
		}
		if name == "" {
			return nil, fault.New(fault.Invalid, "a member has no name")
		}
		seen[name] = true
		if err := checkText(name); err != nil {
			return nil, err
		}
		v, err := parse(d, depth+1)
		if err != nil {
			return nil, err
		}
		o.Members = append(o.Members, Member{name, v})
	}
	_, err := d.Token()
	return o, err
}

func parseElements(d *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for d.More() {
		v, err := parse(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// kind names what a parsed value is, for messages.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number:
		return "the number " + v.String()
	case []any:
		return "an array"
	case *Object:
		return "an object"
	}
	return fmt.Sprintf("%T", v)
}

// plain turns a parsed value into what encoding/json would have made of it,
// with numbers kept exact: int64 where they are integers that fit, else float64.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64() // the parser let no other through
		return f + 0        // PostgreSQL's numbers know no -0
	case []any:
		list := make([]any, len(v))
		for i, x := range v {
			list[i] = plain(x)
		}
		return list
	case *Object:
		m := make(map[string]any, len(v.Members))
		for _, x := range v.Members {
			m[x.Name] = plain(x.Value)
		}
		return m
	}
	return v
}
