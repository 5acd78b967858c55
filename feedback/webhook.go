package feedback

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"leadloop/leads/rows"
	"leadloop/odata/fault"
	"leadloop/store"
)

// Delivery is what a system sent that can only send a fixed webhook.
type Delivery struct {
	Get         bool // by GET: Query holds it all
	ContentType string
	Query       url.Values
	Body        []byte
}

const (
	maxDepth  = 16    // of objects and elements in each other
	maxFields = 500   // of one report
	maxText   = 20000 // characters of a value
)

// Receive stores the reports of a delivery, with an outcome for each in their
// order: one that is a form, an object of JSON or a document of XML, or those of a
// list of JSON. Fields inside others have names joined with dots. The connection's
// FeedbackFields say which field holds what; what it names in no way is passed
// over. Many is true for a list.
//
// MethodNotAllowed for a GET where the connection allows none, Unsupported for
// other content types, Invalid for a body that cannot be read, and else as Submit.
func (s *Service) Receive(ctx context.Context, d Delivery) (done []Outcome, many bool, err error) {
	if _, err := reporter(ctx); err != nil {
		return nil, false, err
	}
	terms, err := s.terms(ctx)
	if err != nil {
		return nil, false, err
	}
	if d.Get && store.ActorOf(ctx).Kind == store.Machine && !terms.allowGet {
		return nil, false, fault.New(fault.MethodNotAllowed, "this connection does not report by GET; its AllowGet can be set")
	}
	all, many, err := d.reports()
	if err != nil {
		return nil, false, err
	}
	names := newNaming(terms.fields)
	list := make([]Outcome, len(all))
	for i, r := range all {
		if list[i].Err = r.err; r.err == nil {
			list[i].Feedback, list[i].Err = names.item(terms.fields, r.fields).report()
		}
	}
	done, err = s.submit(ctx, list, false)
	return done, many, failed("receive feedback", err)
}

// SubmitItems is Submit for items. One that cannot be read has that for its
// outcome.
func (s *Service) SubmitItems(ctx context.Context, items []Item) ([]Outcome, error) {
	list := make([]Outcome, len(items))
	for i, item := range items {
		list[i].Feedback, list[i].Err = item.report()
	}
	done, err := s.submit(ctx, list, false)
	return done, failed("submit feedback", err)
}

// sent is a report as it came: its fields, or why it has none.
type sent struct {
	fields []field
	err    error
}

// reports gives what a delivery holds.
func (d Delivery) reports() (all []sent, many bool, err error) {
	if d.Get {
		return []sent{{fields: ofValues(d.Query)}}, false, nil
	}
	if d.ContentType == "" {
		return nil, false, fault.New(fault.Unsupported, "send a Content-Type: JSON, a form or XML")
	}
	kind, params, err := mime.ParseMediaType(d.ContentType)
	if err != nil {
		return nil, false, fault.New(fault.Unsupported, "the content type is malformed")
	}
	switch {
	case kind == "application/json" || strings.HasSuffix(kind, "+json"):
		return jsonReports(d.Body)
	case kind == "application/xml" || kind == "text/xml" || strings.HasSuffix(kind, "+xml"):
		fields, err := xmlFields(d.Body)
		return []sent{{fields: fields}}, false, err
	case kind == "application/x-www-form-urlencoded":
		fields, err := formFields(d.Body, params["charset"])
		return []sent{{fields: fields}}, false, err
	case kind == "multipart/form-data":
		fields, err := partFields(d.Body, params["boundary"])
		return []sent{{fields: fields}}, false, err
	}
	return nil, false, fault.Newf(fault.Unsupported, "feedback cannot be sent as %s; send JSON, a form or XML", kind)
}

func ofValues(values url.Values) []field {
	var fields []field
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			fields = append(fields, field{name, v})
		}
	}
	return fields
}

func formFields(body []byte, charset string) ([]field, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fault.New(fault.Invalid, "the form is malformed")
	}
	decoder, err := rows.Charset(charset)
	if err != nil || decoder == nil {
		return ofValues(values), err
	}
	fields := ofValues(values)
	for i, f := range fields {
		name, err1 := decoder.NewDecoder().String(f.name)
		value, err2 := decoder.NewDecoder().String(f.value.(string))
		if errors.Join(err1, err2) != nil {
			return nil, fault.Newf(fault.Invalid, "the form is not in %s", charset)
		}
		fields[i] = field{name, value}
	}
	return fields, nil
}

func partFields(body []byte, boundary string) ([]field, error) {
	malformed := fault.New(fault.Invalid, "the form is malformed")
	if boundary == "" {
		return nil, malformed
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	var fields []field
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) && len(fields) > 0 {
			return fields, nil
		}
		if err != nil || len(fields) == maxFields {
			return nil, malformed
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, malformed
		}
		if part.FileName() == "" {
			fields = append(fields, field{part.FormName(), string(value)})
		}
	}
}

// jsonReports reads an object, or a list of them.
func jsonReports(body []byte) (all []sent, many bool, err error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	many = len(body) > 0 && body[0] == '['
	list := []json.RawMessage{body}
	if many {
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, true, fault.Newf(fault.Invalid, "malformed JSON: %v", err)
		}
		if len(list) > MaxReports {
			return nil, true, fault.Newf(fault.TooLarge, "more than %d reports at once", MaxReports)
		}
	}
	for _, text := range list {
		fields, err := objectFields(text)
		if err != nil && !many {
			return nil, false, err
		}
		all = append(all, sent{fields, err})
	}
	return all, many, nil
}

// objectFields reads the fields of an object, those of objects in it by longer
// names, in the order of names.
func objectFields(text []byte) ([]field, error) {
	if !utf8.Valid(text) {
		return nil, fault.New(fault.Invalid, "the text is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, fault.New(fault.Invalid, "a report must be a JSON object")
	}
	if d.More() {
		return nil, fault.New(fault.Invalid, "malformed JSON: something follows its end")
	}
	var fields []field
	return fields, flatten(&fields, "", object, 1)
}

func flatten(into *[]field, prefix string, object map[string]any, depth int) error {
	if depth > maxDepth {
		return fault.Newf(fault.Invalid, "objects stand in each other more than %d deep", maxDepth)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if inner, ok := object[name].(map[string]any); ok {
			if err := flatten(into, prefix+name+".", inner, depth+1); err != nil {
				return err
			}
			continue
		}
		if *into = append(*into, field{prefix + name, object[name]}); len(*into) > maxFields {
			return fault.Newf(fault.Invalid, "a report has more than %d fields", maxFields)
		}
	}
	return nil
}

// xmlFields reads the elements that hold text, and attributes, by the names of the
// elements they stand in, but for the outermost.
func xmlFields(body []byte) ([]field, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = func(name string, r io.Reader) (io.Reader, error) {
		charset, err := rows.Charset(name)
		if err != nil || charset == nil {
			return r, err
		}
		return charset.NewDecoder().Reader(r), nil
	}
	var x elements
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && x.seen && len(x.path) == 0 {
			return x.fields, nil
		}
		if err == nil {
			err = x.take(token)
		}
		if err != nil {
			return nil, fault.Newf(fault.Invalid, "malformed XML: %v", err)
		}
	}
}

// elements gathers the fields of an XML document.
type elements struct {
	path   []string
	text   strings.Builder
	leaf   bool
	seen   bool
	fields []field
}

func (x *elements) take(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		x.path = append(x.path, t.Name.Local)
		x.leaf, x.seen = true, true
		x.text.Reset()
		if len(x.path) > maxDepth {
			return errors.New("elements stand in each other too deep")
		}
		for _, a := range t.Attr {
			if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
				x.add(append(x.path[1:len(x.path):len(x.path)], a.Name.Local), a.Value)
			}
		}
	case xml.CharData:
		if x.text.Len()+len(t) > maxText*utf8.UTFMax {
			return errors.New("an element is too long")
		}
		x.text.Write(t)
	case xml.EndElement:
		if x.leaf && len(x.path) > 1 {
			x.add(x.path[1:], x.text.String())
		}
		x.path, x.leaf = x.path[:len(x.path)-1], false
		x.text.Reset()
	}
	if len(x.fields) > maxFields {
		return errors.New("it has too many elements")
	}
	return nil
}

func (x *elements) add(path []string, value string) {
	x.fields = append(x.fields, field{strings.Join(path, "."), value})
}
