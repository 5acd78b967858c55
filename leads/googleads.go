package leads

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"leadloop/odata/fault"
)

// parseGoogleAds reads a lead form's webhook of Google Ads: one object with the
// answers in user_column_data. An answer's field is called by its column_id
// (FULL_NAME, or a custom question's own text); lead_id, campaign_id and is_test
// go to ExternalID, Campaign and IsTest; everything else keeps its name. It
// returns the google_key apart.
func parseGoogleAds(body []byte) (fields []field, key string, err error) {
	leads, err := parseJSON(body)
	if err != nil {
		return nil, "", err
	}
	if len(leads) != 1 {
		return nil, "", fault.New(fault.Invalid, "a delivery of google-ads must be one JSON object")
	}
	var answers []field
	for _, f := range leads[0] {
		switch f.name {
		case "google_key":
			key, _ = f.value.(string)
		case "user_column_data":
			if answers, err = columns(f.value); err != nil {
				return nil, "", err
			}
		case "lead_id":
			fields = append(fields, renamed("ExternalID", f.value, f.name))
		case "campaign_id":
			fields = append(fields, renamed("Campaign", f.value, f.name))
		case "is_test":
			fields = append(fields, renamed(toIsTest, f.value, f.name))
		default:
			fields = append(fields, f)
		}
	}
	return slices.Concat(fields, answers), key, nil
}

// columns gives the answers of user_column_data. Several to one question are
// joined as a form's are.
func columns(v any) ([]field, error) {
	list, ok := v.([]any)
	if !ok {
		return nil, fault.New(fault.Invalid, "user_column_data must be a list").At("user_column_data")
	}
	var f formFields
	for i, item := range list {
		column, ok := item.(map[string]any)
		if !ok {
			return nil, inColumn(i, fault.New(fault.Invalid, "a column must be an object"))
		}
		name, ok := column["column_id"].(string)
		if !ok || name == "" {
			name, _ = column["column_name"].(string)
		}
		if name == "" {
			return nil, inColumn(i, fault.New(fault.Invalid, "the column has neither a column_id nor a column_name"))
		}
		value, ok := textOf(column["string_value"])
		if !ok && column["string_value"] != nil {
			return nil, inColumn(i, fault.New(fault.Invalid, "string_value must be text"))
		}
		if err := f.add(nil, name, value); err != nil {
			return nil, inColumn(i, err)
		}
		if label, _ := column["column_name"].(string); label != "" && label != name {
			f.fields[f.at[name]].also = []string{label}
		}
	}
	return f.fields, nil
}

// inColumn says in which column something is wrong, unless err says better.
func inColumn(i int, err error) error {
	return inField(fmt.Sprintf("user_column_data[%d]", i), err)
}

// withoutKey gives a body that parseGoogleAds took, with its google_key masked:
// what is stored must not give the secret away.
func withoutKey(body []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	if _, err := d.Token(); err != nil { // the {
		return nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil
		}
		start := d.InputOffset()
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil
		}
		if key == "google_key" {
			return slices.Concat(body[:start], []byte(`:"***"`), body[d.InputOffset():])
		}
	}
	return body
}
