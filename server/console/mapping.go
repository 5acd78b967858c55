package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"leadloop/odata/fault"
	"leadloop/routing"
)

// mappingEditor is a mapping being edited. Templates show it by {{template
// "mapping" .}}; its rows are those of rows.js.
type mappingEditor struct {
	Rows    []mappingRow
	Error   string
	Names   []string // of what a source is completed from
	Routing bool     // RoutingID is offered
}

// Formats are some of those that a mapping writes values in.
func (m mappingEditor) Formats() []string {
	return []string{"dd/MM/yyyy", "dd/MM/yyyy HH:mm", "yyyy-MM-dd", "unix", "unixms", "e164", "international", "national", "local", "digits", "json", "odata"}
}

// BlankEntry is what new rows of the mapping are made of.
func (m mappingEditor) BlankEntry() mappingRow { return mappingRow{Key: "KEY"} }

// fail puts what a fault says of a mapping next to the row that it is about: at is
// what its target has after Mapping.
func (m *mappingEditor) fail(l *locale, at []string, message string) {
	_, of, _ := mappingEntries(m.Rows)
	if len(at) == 2 {
		if i, err := strconv.Atoi(at[0]); err == nil && i >= 0 && i < len(of) {
			row := &m.Rows[of[i]]
			field, _, _ := strings.Cut(at[1], "/")
			if field == "Field" {
				field = "Source"
			}
			if field == "Source" && strings.Contains(message, ", position ") {
				row.Wrong = l.pointAt(row.Source, message)
				return
			}
			if row.Errors == nil {
				row.Errors = map[string]string{}
			}
			row.Errors[field] = join(row.Errors[field], l.faultMessage(message))
			return
		}
	}
	m.Error = join(m.Error, l.faultMessage(message))
}

// mappingRow is a row of the mapping table: an entry as one types it.
type mappingRow struct {
	Key                                               string // of its fields' names: m-<key>-Target
	Target, Source, Default, Values, Format, TimeZone string
	Required                                          bool
	Errors                                            map[string]string // by field
	Wrong                                             *pointed          // the source, where it is wrong at a character
}

// More reports whether the row has something that is not seen at once.
func (r mappingRow) More() bool {
	return r.Values+r.Format+r.TimeZone+r.Errors["Values"]+r.Errors["Format"]+r.Errors["TimeZone"] != ""
}

// Name is the name of one of the row's fields.
func (r mappingRow) Name(field string) string { return "m-" + r.Key + "-" + field }

func (r mappingRow) blank() bool { return r.Target+r.Source+r.Default+r.Values+r.Format == "" }

// mappingRows are the rows of a mapping.
func mappingRows(entries []routing.MappingEntry) []mappingRow {
	rows := make([]mappingRow, len(entries))
	for i, e := range entries {
		rows[i] = mappingRow{
			Key: strconv.Itoa(i), Target: e.Target, Source: e.Source, Values: valueLines(e.Values),
			Format: e.Format, TimeZone: e.TimeZone, Required: e.Required,
		}
		if e.Field != "" {
			rows[i].Source = "[" + e.Field + "]"
		}
		if e.Default != nil {
			rows[i].Default = worded(*e.Default)
		}
	}
	return rows
}

// mappingEntries are the entries of the rows, less those that nothing is in, and
// for each the number of its row. It returns Invalid for lines that are no pair.
func mappingEntries(rows []mappingRow) (entries []routing.MappingEntry, of []int, err error) {
	entries = []routing.MappingEntry{}
	var wrong []fault.Detail
	for i, r := range rows {
		if r.blank() {
			continue
		}
		e := routing.MappingEntry{Target: r.Target, Source: r.Source, Format: r.Format, TimeZone: r.TimeZone, Required: r.Required}
		if name, ok := fieldName(r.Source); ok {
			e.Source, e.Field = "", name
		}
		if r.Default != "" {
			text := unworded(r.Default)
			e.Default = &text
		}
		var problem error
		if e.Values, problem = valuesOf(r.Values); problem != nil {
			wrong = append(wrong, fault.Detail{Message: problem.Error(), Target: fmt.Sprintf("Mapping/%d/Values", len(entries))})
		}
		entries, of = append(entries, e), append(of, i)
	}
	if len(wrong) > 0 {
		return entries, of, &fault.Error{Code: fault.Invalid, Message: wrong[0].Message, Target: wrong[0].Target, Details: wrong}
	}
	return entries, of, nil
}

// fieldName is the name in a source like [What town?], which is a property as it
// is; [1,2] and the like are expressions.
func fieldName(source string) (string, bool) {
	if !strings.HasPrefix(source, "[") || !strings.HasSuffix(source, "]") || len(source) < 3 || json.Valid([]byte(source)) {
		return "", false
	}
	return source[1 : len(source)-1], true
}

// name is what an expression may call a property.
var nameInExpression = regexp.MustCompile(`^[\pL_][\pL\pN_]*$`)

// sourceOf is how a mapping's source names a property.
func sourceOf(property string) string {
	if nameInExpression.MatchString(property) {
		return property
	}
	return "[" + property + "]"
}

// worded is text as it is typed where nothing typed means no text: what could be
// taken for something else is in quotes.
func worded(text string) string {
	if text == "" || strings.TrimSpace(text) != text || strings.HasPrefix(text, `"`) || strings.ContainsAny(text, "\r\n") {
		return asJSON(text)
	}
	return text
}

func unworded(typed string) string {
	var text string
	if strings.HasPrefix(typed, `"`) && json.Unmarshal([]byte(typed), &text) == nil {
		return text
	}
	return typed
}

// valueLines are a list of values as lines: from = to. What is sent as a number
// or as true is so written; text that looks like one is in quotes.
func valueLines(values routing.ValueList) string {
	var lines []string
	for _, from := range slices.Sorted(maps.Keys(values)) {
		left := worded(from)
		if strings.Contains(from, "=") {
			left = asJSON(from)
		}
		right := ""
		if text, ok := values[from].(string); ok {
			if right = worded(text); json.Valid([]byte(text)) {
				right = asJSON(text)
			}
		} else {
			right = asJSON(values[from])
		}
		lines = append(lines, left+" = "+right)
	}
	return strings.Join(lines, "\n")
}

// pair is a line of a list of values: what is translated, in quotes or up to the
// first =, and what it becomes.
var pair = regexp.MustCompile(`^("(?:[^"\\]|\\.)*"|[^="][^=]*?)\s*=\s*(.*)$`)

func valuesOf(lines string) (routing.ValueList, error) {
	var values routing.ValueList
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		m := pair.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%q is no pair: write what is translated = what is sent", line)
		}
		if values == nil {
			values = routing.ValueList{}
		}
		from := unworded(m[1])
		if _, twice := values[from]; twice {
			return nil, fmt.Errorf("%q is translated twice", from)
		}
		var to any
		if json.Unmarshal([]byte(m[2]), &to) != nil {
			to = m[2]
		}
		values[from] = to
	}
	return values, nil
}

// asJSON writes v as JSON, for people to read.
func asJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // of text, numbers and booleans
	return strings.TrimSpace(b.String())
}

// postedRows are the rows of the request, in the order they stand in.
func (v *visit) postedRows() []mappingRow {
	var rows []mappingRow
	for _, key := range v.R.PostForm["m-row"] {
		r := mappingRow{Key: key}
		for field, to := range map[string]*string{
			"Target": &r.Target, "Source": &r.Source, "Default": &r.Default, "Values": &r.Values, "Format": &r.Format, "TimeZone": &r.TimeZone,
		} {
			*to = v.value(r.Name(field))
		}
		r.Required = v.value(r.Name("Required")) == "true"
		rows = append(rows, r)
	}
	return rows
}

// seenLeads is how many of the newest leads are looked through for properties
// that forms have made.
const seenLeads = 200

// leadNames are the lead's properties, those that forms have made lately too: names
// are those that an expression may use, sources all, as mappings name them.
func (v *visit) leadNames() (names, sources []string, err error) {
	rows, err := readList[map[string]any](v, "Leads", seenLeads, query{"$orderby": "ReceivedAt desc,ID desc", "$top": strconv.Itoa(seenLeads)})
	if err != nil {
		return nil, nil, err
	}
	dynamic := map[string]bool{}
	for _, lead := range rows.Rows {
		for name := range lead {
			if leadTypes[name] == nil && !strings.Contains(name, "@") {
				dynamic[name] = true
			}
		}
	}
	sets := []string{"ErasedAt", "Version", "DuplicateOfID"} // nothing is made of these
	for _, name := range slices.Sorted(maps.Keys(leadTypes)) {
		if !slices.Contains(sets, name) {
			names, sources = append(names, name), append(sources, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dynamic)) {
		source := sourceOf(name)
		if source == name {
			names = append(names, name)
		}
		sources = append(sources, source)
	}
	return names, sources, nil
}
