package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// definition is a connector as the texts of its form.
type definition struct {
	id       int64
	settings int               // how many
	text     map[string]string // by the field's name
}

// parts are the texts of c that are edited as they are, by their fields.
func parts(c *routing.Connector) map[string]*string {
	return map[string]*string{
		"Code": &c.Code, "Name": &c.Name, "Method": &c.Method, "Format": &c.Format, "URL": &c.URL, "Root": &c.Root,
		"Auth/Type": &c.Auth.Type, "Auth/Name": &c.Auth.Name, "Auth/Value": &c.Auth.Value, "Auth/User": &c.Auth.User,
		"Auth/Password": &c.Auth.Password, "Auth/TokenURL": &c.Auth.TokenURL, "Auth/ClientID": &c.Auth.ClientID,
		"Auth/ClientSecret": &c.Auth.ClientSecret, "Auth/Scope": &c.Auth.Scope,
		"Outcomes/Accepted": &c.Outcomes.Accepted, "Outcomes/Duplicate": &c.Outcomes.Duplicate, "Outcomes/Rejected": &c.Outcomes.Rejected,
		"Outcomes/Retry": &c.Outcomes.Retry, "Outcomes/Message": &c.Outcomes.Message,
		"ExternalID": &c.ExternalID, "ExternalLink": &c.ExternalLink,
	}
}

// pairs are the lists of c, which are edited as lines "name: value".
func pairs(c *routing.Connector) map[string]*[]routing.Pair {
	return map[string]*[]routing.Pair{"Headers": &c.Headers, "Query": &c.Query, "Fields": &c.Fields}
}

// defined is the definition of c.
func defined(c *routing.Connector) *definition {
	d := &definition{id: c.ID, settings: len(c.Settings), text: map[string]string{"Version": strconv.FormatInt(c.Version, 10)}}
	for name, text := range parts(c) {
		d.text[name] = *text
	}
	for name, list := range pairs(c) {
		var lines []string
		for _, p := range *list {
			lines = append(lines, p.Name+": "+p.Value)
		}
		d.text[name] = strings.Join(lines, "\n")
	}
	auth := c.Auth
	auth.Type, auth.Name, auth.Value, auth.User, auth.Password = "", "", "", "", ""
	auth.TokenURL, auth.ClientID, auth.ClientSecret, auth.Scope = "", "", "", ""
	d.text["Auth"], d.text["Lookup"], d.text["Reading"] = object(auth), object(c.Lookup), object(c.Reading)
	for i, s := range c.Settings {
		at := fmt.Sprintf("Settings/%d/", i)
		d.text[at+"Name"], d.text[at+"Type"], d.text[at+"Default"] = s.Name, s.Type, s.Default
		d.text[at+"Choices"], d.text[at+"Help"], d.text[at+"Required"] = strings.Join(s.Choices, ", "), s.Help, strconv.FormatBool(s.Required)
		if s.Secret {
			d.text[at+"Type"] = "secret"
		}
	}
	return d
}

// object is a part as JSON, "" where it is empty.
func object(part any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(part) // structs of texts always marshal
	text := strings.TrimSpace(b.String())
	if text == "{}" {
		return ""
	}
	return text
}

// posted is the definition that a form was filled in with for old. Settings
// without a name are left out.
func posted(old *routing.Connector, form url.Values) *definition {
	d := &definition{id: old.ID, text: map[string]string{}}
	for name, values := range form {
		if !strings.HasPrefix(name, "Settings/") {
			d.text[name] = strings.TrimSpace(strings.ReplaceAll(values[0], "\r\n", "\n"))
		}
	}
	if old.ID != 0 {
		d.text["Code"] = old.Code
	}
	for i := range 100 {
		at, to := fmt.Sprintf("Settings/%d/", i), fmt.Sprintf("Settings/%d/", d.settings)
		if strings.TrimSpace(form.Get(at+"Name")+form.Get(at+"Help")+form.Get(at+"Default")) == "" {
			continue
		}
		for _, name := range []string{"Name", "Type", "Default", "Choices", "Help", "Required"} {
			d.text[to+name] = strings.TrimSpace(form.Get(at + name))
		}
		d.settings++
	}
	return d
}

// connector is old changed to the definition. Invalid, at the field, for lines and
// JSON that cannot be read.
func (d *definition) connector(old *routing.Connector) (*routing.Connector, error) {
	c := &routing.Connector{ID: old.ID, BuiltIn: old.BuiltIn, CreatedAt: old.CreatedAt}
	c.Version, _ = strconv.ParseInt(d.text["Version"], 10, 64) // 0 is no version that is there
	var wrong []fault.Detail
	for _, part := range []struct {
		name string
		into any
	}{{"Auth", &c.Auth}, {"Lookup", &c.Lookup}, {"Reading", &c.Reading}} {
		decoder := json.NewDecoder(strings.NewReader(d.text[part.name]))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(part.into); err != nil && d.text[part.name] != "" {
			wrong = append(wrong, fault.Detail{Code: fault.Invalid, Message: "this is no JSON object of such parts: " + err.Error(), Target: part.name})
		}
	}
	for name, text := range parts(c) {
		*text = d.text[name]
	}
	for name, list := range pairs(c) {
		for line := range strings.Lines(d.text[name]) {
			line = strings.TrimSpace(line)
			if line == "" {
				continue
			}
			key, value, found := strings.Cut(line, ":")
			if !found {
				wrong = append(wrong, fault.Detail{Code: fault.Invalid, Message: fmt.Sprintf("%q is no line of a name, a colon and a value", line), Target: name})
			}
			*list = append(*list, routing.Pair{Name: strings.TrimSpace(key), Value: strings.TrimSpace(value)})
		}
	}
	for i := range d.settings {
		at := fmt.Sprintf("Settings/%d/", i)
		s := routing.Setting{
			Name: d.text[at+"Name"], Type: d.text[at+"Type"], Default: d.text[at+"Default"], Help: d.text[at+"Help"],
			Required: d.text[at+"Required"] == "true",
		}
		for choice := range strings.SplitSeq(d.text[at+"Choices"], ",") {
			if choice = strings.TrimSpace(choice); choice != "" {
				s.Choices = append(s.Choices, choice)
			}
		}
		c.Settings = append(c.Settings, s)
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(a, b fault.Detail) int { return strings.Compare(a.Target, b.Target) })
		return nil, &fault.Error{Code: fault.Invalid, Message: wrong[0].Message, Target: wrong[0].Target, Details: wrong}
	}
	return c, nil
}
