package leads

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"leadloop/leads/rows"
	"leadloop/odata/fault"
)

// parseForm reads one lead out of a form: the fields of the body, urlencoded or
// multipart, and then those of the address's query that the body has not. Fields
// of one name are joined with ", ". Of a file only its name is kept. Invalid for
// malformed bodies and text, Unsupported for other content types and unknown
// character sets.
func parseForm(d Delivery) ([]field, error) {
	var f formFields
	contentType, params, err := mime.ParseMediaType(d.ContentType)
	if d.ContentType != "" && err != nil {
		return nil, fault.New(fault.Unsupported, "the content type is malformed")
	}
	if f.charset, err = rows.Charset(params["charset"]); err != nil {
		return nil, err
	}
	switch {
	case len(d.Body) == 0:
	case contentType == "multipart/form-data":
		err = f.multipart(d.Body, params["boundary"])
	case contentType == "application/x-www-form-urlencoded", contentType == "text/plain", contentType == "":
		err = f.urlencoded(string(d.Body))
	default:
		err = fault.Newf(fault.Unsupported, "a form cannot be sent as %s", contentType)
	}
	if err != nil {
		return nil, err
	}
	return f.fields, f.query(d.Query)
}

// formFields gathers the fields of a form in their order.
type formFields struct {
	fields  []field
	at      map[string]int
	charset *charmap.Charmap // nil: UTF-8
}

// add adds a field, decoded from charset, or joins it to the one of its name.
func (f *formFields) add(charset *charmap.Charmap, name, value string) error {
	name, err := decode(charset, name)
	if err != nil {
		return err
	}
	value, err = decode(charset, value)
	if err == nil {
		err = asError(storable(value))
	}
	if err != nil {
		return inField(name, err)
	}
	if f.at == nil {
		f.at = map[string]int{}
	}
	i, again := f.at[name]
	if !again {
		if len(f.fields) == maxFields {
			return fault.Newf(fault.Invalid, "the delivery has more than %d fields", maxFields)
		}
		f.at[name] = len(f.fields)
		f.fields = append(f.fields, field{name: name, value: value})
		return nil
	}
	first := f.fields[i].value.(string)
	switch {
	case len(first)+len(value) > 4*maxCharacters: // joining longer ones again and again would take long
		return fault.Newf(fault.Invalid, "the field is longer than %d characters", maxCharacters).At(name)
	case first == "":
		f.fields[i].value = value
	case value != "":
		f.fields[i].value = first + ", " + value
	}
	return nil
}

func decode(charset *charmap.Charmap, text string) (string, error) {
	if charset != nil {
		return charset.NewDecoder().String(text)
	}
	if !utf8.ValidString(text) {
		return "", fault.New(fault.Invalid, "the text is not valid UTF-8, and the content type names no other charset")
	}
	return text, nil
}

func (f *formFields) urlencoded(body string) error {
	for pair := range strings.SplitSeq(strings.TrimSpace(body), "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		plainName, err := url.QueryUnescape(name)
		if err != nil {
			return fault.New(fault.Invalid, "a field's name has a malformed % escape").At(strings.ToValidUTF8(name, "?"))
		}
		plainValue, err := url.QueryUnescape(value)
		if err != nil {
			return fault.New(fault.Invalid, "the field has a malformed % escape").At(strings.ToValidUTF8(plainName, "?"))
		}
		if err := f.add(f.charset, plainName, plainValue); err != nil {
			return err
		}
	}
	return nil
}

func (f *formFields) multipart(body []byte, boundary string) error {
	if boundary == "" {
		return fault.New(fault.Invalid, "the content type multipart/form-data names no boundary")
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fault.New(fault.Invalid, "malformed multipart body")
		}
		if err := f.part(part); err != nil {
			return err
		}
	}
}

// part adds a part of a multipart body. The part may name a character set of its
// own.
func (f *formFields) part(part *multipart.Part) error {
	if part.FormName() == "" {
		return nil
	}
	if name := part.FileName(); name != "" {
		return f.add(f.charset, part.FormName(), name)
	}
	charset := f.charset
	if _, params, err := mime.ParseMediaType(part.Header.Get("Content-Type")); err == nil && params["charset"] != "" {
		if charset, err = rows.Charset(params["charset"]); err != nil {
			return err
		}
	}
	value, err := io.ReadAll(part)
	if err != nil {
		return fault.New(fault.Invalid, "malformed multipart body").At(part.FormName())
	}
	return f.add(charset, part.FormName(), string(value))
}

// query adds the fields of the address's query that are new, by name: their
// order is lost.
func (f *formFields) query(query url.Values) error {
	inBody := maps.Clone(f.at)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if _, ok := inBody[name]; ok {
			continue
		}
		for _, value := range query[name] {
			if err := f.add(nil, name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// inField gives a fault without a target the field's name as one.
func inField(name string, err error) error {
	if e := (*fault.Error)(nil); errors.As(err, &e) && e.Target == "" {
		return e.At(name)
	}
	return err
}

// asError keeps a nil *fault.Error nil as an error.
func asError(e *fault.Error) error {
	if e == nil {
		return nil
	}
	return e
}
