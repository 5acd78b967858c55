package leads

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"leadloop/odata/fault"
)

// field is one field of a delivery under the sender's own name. Its value is
// nil, bool, string, json.Number, []any, map[string]any inside lists, or nested.
// also are further names that a mapping may call it by, where name is already
// the one it goes by here. mapped is true of what a mapping made: its name is its
// place.
type field struct {
	name   string
	value  any
	also   []string
	mapped bool
}

// renamed is a field that the sender calls by the names.
func renamed(name string, value any, names ...string) field {
	return field{name: name, value: value, also: names}
}

// place finds where the field goes.
func (f field) place() (place, bool) {
	if f.mapped {
		return mappedPlace(f.name)
	}
	return placeOf(f.name)
}

// nested stands where an object was, whose own fields follow under longer names.
type nested struct{}

// textProperty is a property of Lead that a sender may fill with text.
type textProperty struct {
	name  string
	index int
}

// textProperties are all of them, in Lead's order.
var textProperties = func() []textProperty {
	var list []textProperty
	for f := range reflect.TypeFor[Lead]().Fields() {
		if f.Type == reflect.TypeFor[*string]() && !strings.Contains(f.Tag.Get("odata"), "computed") {
			list = append(list, textProperty{f.Name, f.Index[0]})
		}
	}
	return list
}()

// The targets of usual names that are not text properties of Lead.
const (
	toFullName = "full name"
	toIsTest   = "IsTest"
	toConsent  = "ConsentAt"
)

// usualNames are what forms usually call a property, besides its own name, the
// surest first. Case, spaces, underscores and dashes do not matter.
var usualNames = map[string][]string{
	"FirstName": {"fname", "givenname", "שם פרטי", "פרטי"},
	"LastName":  {"lname", "surname", "familyname", "שם משפחה", "משפחה"},
	toFullName:  {"fullname", "שם מלא", "שם ומשפחה", "שם פרטי ומשפחה", "yourname", "name", "שם"},
	"Phone": {
		"phonenumber", "mobile", "mobilephone", "mobilenumber", "cellphone", "cell", "tel", "telephone", "yourphone", "workphone",
		"נייד", "טלפון נייד", "טלפון", "מספר טלפון", "סלולרי", "פלאפון", "טל",
	},
	"Email": {
		"emailaddress", "mail", "youremail", "workemail",
		"אימייל", "מייל", "דואל", "דואר אלקטרוני", "כתובת מייל", "כתובת אימייל",
	},
	"City":        {"town", "עיר", "יישוב", "ישוב", "עיר מגורים"},
	"Message":     {"msg", "yourmessage", "comment", "comments", "הודעה", "הערות"},
	"Campaign":    {"campaignname", "קמפיין"},
	"ExternalID":  {"leadid"},
	"ConsentText": {"consent", "gdprconsent", "marketingconsent", "הסכמה", "אישור דיוור", "אישור קבלת דיוור"},
}

// place is where a field goes, and how sure that is: 0 for the property's own
// name, spelled so, 1 for it spelled otherwise, more for other usual names.
type place struct {
	target string
	rank   int
}

// places are the targets by the plain form of each name that has one.
var places = func() map[string]place {
	m := map[string]place{plain(toIsTest): {toIsTest, 1}, plain(toConsent): {toConsent, 1}}
	for _, p := range textProperties {
		m[plain(p.name)] = place{p.name, 1}
	}
	for target, names := range usualNames {
		for i, name := range names {
			m[plain(name)] = place{target, i + 2}
		}
	}
	return m
}()

// placeOf finds where the field called name goes.
func placeOf(name string) (place, bool) {
	p, ok := places[plain(name)]
	if ok && p.target == name {
		p.rank = 0
	}
	return p, ok
}

// plain is a field's name without what does not matter in it.
func plain(name string) string {
	if len(name) > maxName*4 {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \u00a0_-–־:*?!\"'”״׳", r) {
			return -1
		}
		return visible(r)
	}, strings.ToLower(name))
}

// mapping is one delivery's fields on their way into a lead.
type mapping struct {
	fields []field
	chosen map[string]int // by target: which field
	rank   map[string]int
	used   []bool // what is not used becomes a dynamic property
}

// newLead makes a lead of a sender's fields: those with usual names become
// declared properties, all others dynamic ones. Nothing is normalised yet.
// Invalid where there is nothing, or too much, and for a declared property,
// called by its own name, that cannot take its value.
func newLead(fields []field) (*Lead, error) {
	if len(fields) > maxFields {
		return nil, fault.Newf(fault.Invalid, "the delivery has more than %d fields", maxFields)
	}
	m := mapping{fields: fields, chosen: map[string]int{}, rank: map[string]int{}, used: make([]bool, len(fields))}
	if err := m.choose(); err != nil {
		return nil, err
	}
	lead := &Lead{}
	if err := m.fill(lead); err != nil {
		return nil, err
	}
	m.splitName(lead)
	if err := m.keepRest(lead); err != nil {
		return nil, err
	}
	return lead, nil
}

// choose finds the field for each target: of several the one with the surest
// name, of equally sure ones the first, and never one without a value.
func (m *mapping) choose() error {
	some := false
	for i, f := range m.fields {
		if f.value == nil || f.value == (nested{}) && f.name == "" {
			m.used[i] = true
			continue
		}
		p, ok := f.place()
		text, isText := textOf(f.value)
		blank := isText && strings.TrimSpace(text) == ""
		some = some || !blank && f.value != (nested{})
		switch {
		case !ok:
		case p.rank == 0 && !fits(p.target, f.value):
			return fault.Newf(fault.Invalid, "%s cannot be %s", f.name, describe(f.value)).At(f.name)
		case blank:
			m.used[i] = true
		case fits(p.target, single(f.value)):
			if best, taken := m.rank[p.target]; !taken || p.rank < best {
				m.chosen[p.target], m.rank[p.target] = i, p.rank
			}
		}
	}
	if !some {
		return fault.New(fault.Invalid, "the delivery has no fields with a value")
	}
	return nil
}

// fill puts the chosen fields into lead.
func (m *mapping) fill(lead *Lead) error {
	if i, ok := m.chosen[toIsTest]; ok {
		text, _ := textOf(m.fields[i].value)
		isTest, ok := boolean(text)
		if !ok {
			return fault.Newf(fault.Invalid, "%s must be true or false", m.fields[i].name).At(m.fields[i].name)
		}
		lead.IsTest, m.used[i] = isTest, true
	}
	if i, ok := m.chosen[toConsent]; ok {
		text, _ := textOf(m.fields[i].value)
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(text))
		if err != nil || at.Year() < 1 || at.Year() > 9999 {
			return fault.Newf(fault.Invalid, "%s must be an instant such as 2026-05-01T12:00:00Z", m.fields[i].name).At(m.fields[i].name)
		}
		lead.ConsentAt, m.used[i] = &at, true
	}
	v := reflect.ValueOf(lead).Elem()
	for _, p := range textProperties {
		i, ok := m.chosen[p.name]
		if !ok {
			continue
		}
		text, _ := textOf(m.fields[i].value)
		if err := checkText(text); err != nil {
			return err.At(m.fields[i].name)
		}
		v.Field(p.index).Set(reflect.ValueOf(&text))
		m.used[i] = true
	}
	return nil
}

// splitName fills the names that were not given out of a full name: the first
// word is the first name, the rest the last name. Where one was given, as in
// forms with the fields שם and שם משפחה, the full name without it is the other;
// but what is called "name" beside a first name may be the form's.
func (m *mapping) splitName(lead *Lead) {
	i, ok := m.chosen[toFullName]
	if !ok || lead.FirstName != nil && lead.LastName != nil {
		return
	}
	text, _ := textOf(m.fields[i].value)
	full := oneLine(text)
	first, last, _ := strings.Cut(full, " ")
	switch {
	case lead.FirstName != nil:
		if last, ok = strings.CutPrefix(full+" ", oneLine(*lead.FirstName)+" "); !ok {
			return
		}
		lead.LastName = &last
	case lead.LastName != nil:
		first = strings.TrimSuffix(full, " "+oneLine(*lead.LastName))
		lead.FirstName = &first
	default:
		lead.FirstName, lead.LastName = &first, &last
	}
	m.used[i] = true
}

// keepRest keeps every field that became nothing else as a dynamic property.
func (m *mapping) keepRest(lead *Lead) error {
	lead.Properties = map[string]any{}
	for i, f := range m.fields {
		if m.used[i] || f.value == (nested{}) {
			continue
		}
		name, err := ownName(f.name)
		if err != nil {
			return err
		}
		for _, taken := lead.Properties[name]; taken; _, taken = lead.Properties[name] {
			name = "_" + name
		}
		lead.Properties[name] = f.value
	}
	return nil
}

// single gives the value in a list of just one, as some form builders send
// every field, and any other value as it is.
func single(v any) any {
	if list, ok := v.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return v
}

// textOf gives a value that can stand as text: text, a number, true or false,
// or a list of just one of these.
func textOf(v any) (string, bool) {
	switch v := single(v).(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// fits reports whether a declared property called by its own name takes v.
func fits(target string, v any) bool {
	switch v.(type) {
	case string, json.Number:
		return true
	case bool:
		return target == toIsTest
	}
	return false
}

func describe(v any) string {
	switch v.(type) {
	case bool:
		return "true or false"
	case []any:
		return "a list"
	}
	return "an object"
}

// boolean reads the ways forms have of saying yes and no.
func boolean(text string) (value, ok bool) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "on":
		return true, true
	case "false", "0", "no", "off":
		return false, true
	}
	return false, false
}
