package leads

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leadloop/odata/fault"
)

const typeformSignature = "Typeform-Signature"

// typeform reads a delivery of typeform and checks its signature by the webhook's
// secret.
func (s *Service) typeform(src *Source, d Delivery) ([][]field, error) {
	secret, err := s.secretOf(src)
	if err != nil {
		return nil, err
	}
	given := d.Header.Get(typeformSignature)
	want := "sha256=" + base64.StdEncoding.EncodeToString(sign(secret, string(d.Body)))
	if err := checkSigned(src, typeformSignature, given, secret, hmac.Equal([]byte(given), []byte(want))); err != nil {
		return nil, err
	}
	return parseTypeform(d.Body)
}

// parseTypeform reads a webhook of Typeform: one object with a form_response.
// Its token goes to ExternalID; an answer's field is called by its question's
// title, and may be called by ref and id; hidden fields, variables and
// everything else keep their names. Events that are no complete response, as
// those of partial ones, give no lead.
func parseTypeform(body []byte) ([][]field, error) {
	objects, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	if len(objects) != 1 {
		return nil, fault.New(fault.Invalid, "a delivery of typeform must be one JSON object")
	}
	r := typeformReader{}
	for _, f := range objects[0] {
		if f.name == "event_type" && f.value != "form_response" {
			if _, ok := f.value.(string); ok {
				return nil, nil
			}
		}
		if err := r.field(f); err != nil {
			return nil, err
		}
	}
	if !r.response {
		return nil, fault.New(fault.Invalid, "form_response is missing").At("form_response")
	}
	answers, err := r.answered()
	if err != nil {
		return nil, err
	}
	return [][]field{slices.Concat(r.fields, fieldsOf(answers))}, nil
}

type typeformReader struct {
	response bool
	fields   []field
	answers  any
	titles   any // definition.fields
}

// inResponse is the beginning of the flat names of what is in form_response.
const inResponse = "form_response."

func (r *typeformReader) field(f field) error {
	name, inside := strings.CutPrefix(f.name, inResponse)
	r.response = r.response || f.name == "form_response" && f.value == (nested{})
	switch {
	case f.value == (nested{}):
		return nil // what is in it follows
	case !inside:
		r.fields = append(r.fields, f)
		return nil
	case name == "answers":
		r.answers = f.value
		return nil
	case name == "definition.fields":
		r.titles = f.value
		return nil
	case name == "variables":
		return r.variables(f.value)
	case strings.HasPrefix(name, "definition."), strings.HasPrefix(name, "ending."):
		return nil // of the form, not of who filled it in
	case name == "token":
		r.fields = append(r.fields, renamed("ExternalID", f.value, name, f.name))
		return nil
	}
	for _, prefix := range []string{"hidden.", "calculated."} {
		if plainName, ok := strings.CutPrefix(name, prefix); ok {
			r.fields = append(r.fields, renamed(plainName, f.value, name, f.name))
			return nil
		}
	}
	r.fields = append(r.fields, renamed(name, f.value, f.name))
	return nil
}

// variables adds [{"key":"score","type":"number","number":4}, …].
func (r *typeformReader) variables(v any) error {
	list, ok := v.([]any)
	if !ok {
		return fault.New(fault.Invalid, "variables must be a list").At(inResponse + "variables")
	}
	for i, item := range list {
		variable, _ := item.(map[string]any)
		key, _ := variable["key"].(string)
		kind, _ := variable["type"].(string)
		if key == "" {
			return fault.New(fault.Invalid, "the variable has no key").At(fmt.Sprintf("%svariables[%d]", inResponse, i))
		}
		r.fields = append(r.fields, renamed(key, variable[kind], "variables."+key))
	}
	return nil
}

// answered gives the answers with their questions.
func (r *typeformReader) answered() ([]answer, error) {
	type question struct{ title, ref string }
	questions := map[string]question{}
	titles, _ := r.titles.([]any)
	for _, item := range titles {
		q, _ := item.(map[string]any)
		id, _ := q["id"].(string)
		title, _ := q["title"].(string)
		ref, _ := q["ref"].(string)
		questions[id] = question{oneLine(title), ref}
	}
	list, ok := r.answers.([]any)
	if !ok && r.answers != nil {
		return nil, fault.New(fault.Invalid, "answers must be a list").At(inResponse + "answers")
	}
	answers := make([]answer, len(list))
	for i, item := range list {
		at := fmt.Sprintf("%sanswers[%d]", inResponse, i)
		given, ok := item.(map[string]any)
		if !ok {
			return nil, fault.New(fault.Invalid, "an answer must be an object").At(at)
		}
		about, _ := given["field"].(map[string]any)
		id, _ := about["id"].(string)
		ref, _ := about["ref"].(string)
		if id == "" && ref == "" {
			return nil, fault.New(fault.Invalid, "the answer names no field").At(at + ".field")
		}
		kind, _ := given["type"].(string)
		q := questions[id]
		if ref == "" {
			ref = q.ref
		}
		answers[i] = answer{value: typeformValue(given[kind]), kind: kind, label: q.title, ids: []string{ref, id}}
	}
	return answers, nil
}

// typeformValue gives the value of an answer: for choices their labels and what
// was written beside them.
func typeformValue(v any) any {
	choice, ok := v.(map[string]any)
	if !ok {
		return v
	}
	var chosen []any
	if labels, ok := choice["labels"].([]any); ok {
		chosen = append(chosen, labels...)
	}
	for _, name := range []string{"label", "other"} {
		if text, ok := choice[name].(string); ok {
			chosen = append(chosen, text)
		}
	}
	if text, ok := listed(chosen); ok && len(chosen) > 0 {
		return text
	}
	if text, err := json.Marshal(choice); err == nil { // as of payments
		return string(text)
	}
	return nil
}
