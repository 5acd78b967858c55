package leads

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"leadloop/odata/fault"
)

const (
	metaSignature = "X-Hub-Signature-256"
	// metaTest begins every value of a lead made with Meta's testing tool.
	metaTest = "<test lead: dummy data for "
)

// notice says that a lead is to be read from the platform it was left on.
type notice struct {
	id    string          // the platform's, and the lead's ExternalID
	value json.RawMessage // what else the platform told, as it came
}

// meta reads a delivery of meta and checks its signature by the app's secret.
func (s *Service) meta(src *Source, d Delivery) ([][]field, []notice, error) {
	secret, err := s.setting(src, setAppSecret)
	if err != nil {
		return nil, nil, err
	}
	given := d.Header.Get(metaSignature)
	want := "sha256=" + hex.EncodeToString(sign(secret, string(d.Body)))
	if err := checkSigned(src, metaSignature, given, secret, hmac.Equal([]byte(strings.ToLower(given)), []byte(want))); err != nil {
		return nil, nil, err
	}
	return parseMeta(d.Body)
}

// parseMeta reads a webhook of Meta, which only announces leads, or leads that
// were read from the Graph already, one or a list. Changes of other things than
// leads are passed over.
func parseMeta(body []byte) (leads [][]field, notices []notice, err error) {
	objects, err := parseJSON(body)
	if err != nil {
		return nil, nil, err
	}
	for i, fields := range objects {
		if j := slices.IndexFunc(fields, func(f field) bool { return f.name == "entry" }); j >= 0 && len(objects) == 1 {
			notices, err = metaNotices(fields[j].value)
			return nil, notices, err
		}
		lead, err := metaLead(fields)
		if err != nil && len(objects) > 1 {
			err = inLead(i, err)
		}
		if err != nil {
			return nil, nil, err
		}
		leads = append(leads, lead)
	}
	return leads, nil, nil
}

func metaNotices(v any) ([]notice, error) {
	entries, ok := v.([]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "entry must be a list").At("entry")
	}
	var notices []notice
	for i, item := range entries {
		entry, _ := item.(map[string]any)
		changes, ok := entry["changes"].([]any)
		if !ok && entry["changes"] != nil || entry == nil {
			return nil, fault.New(fault.Invalid, "an entry must be an object with a list of changes").At(fmt.Sprintf("entry[%d]", i))
		}
		for j, item := range changes {
			change, _ := item.(map[string]any)
			if change["field"] != "leadgen" {
				continue
			}
			n, err := metaNotice(change["value"])
			if err != nil {
				return nil, inField(fmt.Sprintf("entry[%d].changes[%d].value.leadgen_id", i, j), err)
			}
			notices = append(notices, n)
		}
	}
	if len(notices) > maxBatch {
		return nil, fault.Newf(fault.Invalid, "more than %d leads in one delivery", maxBatch)
	}
	return notices, nil
}

// metaID is the form of ids: digits, as numbers or text, of any length.
var metaID = regexp.MustCompile(`^[0-9A-Za-z_-]{1,100}$`)

func metaNotice(v any) (notice, error) {
	value, _ := v.(map[string]any)
	id, ok := textOf(value["leadgen_id"])
	if _, isBool := value["leadgen_id"].(bool); !ok || isBool || !metaID.MatchString(id) {
		return notice{}, fault.New(fault.Invalid, "leadgen_id must be the id of a lead")
	}
	text, err := json.Marshal(value) // a json.Number keeps its digits
	if err != nil || strings.Contains(string(text), `\u0000`) {
		return notice{}, fault.New(fault.Invalid, "the notice cannot be stored")
	}
	return notice{id, text}, nil
}

// metaLead reads a lead as the Graph gives it. The id goes to ExternalID; an
// answer's field is called by its question's name; everything else keeps its
// name.
func metaLead(given []field) ([]field, error) {
	var fields []field
	var answers formFields
	found := false
	for _, f := range given {
		switch f.name {
		case "field_data":
			found = true
			if err := metaAnswers(&answers, f.value); err != nil {
				return nil, err
			}
		case "id", "leadgen_id":
			fields = append(fields, renamed("ExternalID", f.value, f.name))
		default:
			fields = append(fields, f)
		}
	}
	if !found {
		return nil, fault.New(fault.Invalid, "neither the entries of a webhook nor the field_data of a lead").At("field_data")
	}
	for _, f := range answers.fields {
		if strings.HasPrefix(f.value.(string), metaTest) {
			fields = append(fields, field{name: toIsTest, value: true})
			break
		}
	}
	return slices.Concat(fields, answers.fields), nil
}

func metaAnswers(answers *formFields, v any) error {
	list, ok := v.([]any)
	if !ok {
		return fault.New(fault.Invalid, "field_data must be a list").At("field_data")
	}
	for i, item := range list {
		at := fmt.Sprintf("field_data[%d]", i)
		given, _ := item.(map[string]any)
		name, _ := given["name"].(string)
		if name == "" {
			return fault.New(fault.Invalid, "the answer has no name").At(at)
		}
		text, ok := listed(given["values"])
		if !ok && given["values"] != nil {
			return fault.New(fault.Invalid, "values must be a list of texts").At(at + ".values")
		}
		if err := answers.add(nil, name, text); err != nil {
			return err
		}
	}
	return nil
}

// metaAddress is where the lead called id is read from.
func metaAddress(base, id string) string {
	return strings.TrimRight(base, "/") + "/" + id
}

// metaFetched reads what the Graph answered for n, and adds what only n told.
func metaFetched(body []byte, n notice) ([]field, error) {
	objects, err := parseJSON(body)
	if err != nil {
		return nil, err
	}
	if len(objects) != 1 {
		return nil, fault.New(fault.Invalid, "the answer is not one object")
	}
	fields, err := metaLead(objects[0])
	if err != nil {
		return nil, err
	}
	told, err := parseJSON(n.value)
	if err != nil {
		return nil, err
	}
	there := byName(fields)
	fields = slices.DeleteFunc(fields, func(f field) bool { return f.name == "ExternalID" })
	for _, f := range told[0] {
		if _, known := there[f.name]; !known && f.name != "leadgen_id" {
			fields = append(fields, f)
		}
	}
	return append(fields, renamed("ExternalID", n.id, "id", "leadgen_id")), nil
}
