package leads

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	elementorName = regexp.MustCompile(`^(fields|form|meta)\[([^\]]*)\](?:\[(\w+)\])?$`)
	elementorNone = regexp.MustCompile(`^(?i:no label)\s+(\S.*)$`)
)

// parseElementor reads a webhook of Elementor in either of its forms: with
// advanced data, fields[ID][value] with title and type beside it, or with the
// labels as names. A field's ID, label and type decide where it goes, in this
// order; what is kept is kept under its label. UTM parameters that no field has
// are taken from the page's address.
func parseElementor(d Delivery) ([]field, error) {
	given, err := parseForm(d)
	if err != nil {
		return nil, err
	}
	e := elementorReader{at: map[string]int{}}
	for _, f := range given {
		e.field(f)
	}
	fields := append(e.fields, fieldsOf(e.answers)...)
	return append(fields, utmOf(fields)...), nil
}

type elementorReader struct {
	answers []answer
	at      map[string]int // by the field's ID
	fields  []field
}

func (e *elementorReader) field(f field) {
	m := elementorName.FindStringSubmatch(f.name)
	if m == nil {
		if none := elementorNone.FindStringSubmatch(f.name); none != nil {
			f = renamed(none[1], f.value, f.name)
		}
		e.fields = append(e.fields, f)
		return
	}
	switch id, part := m[2], m[3]; {
	case m[1] == "fields" && part != "":
		e.part(id, part, f)
	case m[1] == "form":
		e.fields = append(e.fields, renamed("form_"+id, f.value, f.name))
	case m[1] == "meta" && part == "value":
		e.fields = append(e.fields, renamed(id, f.value, f.name))
	case m[1] != "meta":
		e.fields = append(e.fields, f)
	}
}

// part takes one part of what is known of a form's field.
func (e *elementorReader) part(id, part string, f field) {
	i, ok := e.at[id]
	if !ok {
		i = len(e.answers)
		e.at[id] = i
		e.answers = append(e.answers, answer{ids: []string{id, "fields[" + id + "][value]", "fields[" + id + "]"}})
	}
	a, text := &e.answers[i], f.value.(string)
	switch {
	case part == "value":
		a.value = text
	case part == "title":
		a.label = oneLine(text)
	case part == "type":
		a.kind = text
	case part == "raw_value" && a.value == nil:
		a.value = text
	}
}

// utmOf gives the UTM parameters of the page's address that fields has not.
func utmOf(fields []field) []field {
	there, page := map[string]bool{}, ""
	for _, f := range fields {
		if p, ok := placeOf(f.name); ok {
			there[p.target] = true
		}
		if text, ok := f.value.(string); ok && plain(f.name) == "pageurl" {
			page = text
		}
	}
	u, err := url.Parse(strings.TrimSpace(page))
	if err != nil {
		return nil
	}
	query := u.Query()
	var more []field
	for _, name := range []string{"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"} {
		p, _ := placeOf(name)
		if value := query.Get(name); value != "" && !there[p.target] && storable(value) == nil {
			more = append(more, field{name: name, value: value})
		}
	}
	return more
}
