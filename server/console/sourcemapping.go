package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"leadloop/leads"
	"leadloop/odata/fault"
)

// mappingData is what the page of a source's mapping shows.
type mappingData struct {
	Form    *Form
	Rows    []fieldRow
	Targets []string
	Fields  []leads.ReceivedField
	Last    *leads.Received // nil where there is none, and for who may not see it
}

// fieldRow is an entry of the mapping. Value is the name of a field or an
// expression, as Mode says.
type fieldRow struct{ Target, Mode, Value, Default *Field }

// spareRows are the empty rows at the end of an editor.
const spareRows = 2

// mappingTargets are the properties that are offered.
var mappingTargets = []string{
	"FullName", "FirstName", "LastName", "Phone", "Email", "City", "Message", "Campaign", "UtmSource", "UtmMedium", "UtmCampaign",
	"UtmTerm", "UtmContent", "ExternalID", "ConsentText", "IsTest",
}

func (v *visit) mappingForm(src *leads.Source, entries []leads.FieldMapping) (*Form, []fieldRow) {
	f := &Form{
		Action: sourceURL(src.ID) + "/mapping", Submit: v.T("form.save"), ReadOnly: !v.Can("manager"),
		Hidden: map[string]string{"Version": strconv.FormatInt(src.Version, 10)},
	}
	var rows []fieldRow
	n := len(entries)
	if !f.ReadOnly {
		n += spareRows
	}
	for i := range n {
		var e leads.FieldMapping
		if i < len(entries) {
			e = entries[i]
		}
		at := fmt.Sprintf("Mapping/%d", i)
		row := fieldRow{
			Target: &Field{Name: at + "/Target", Label: v.T("mapping.target"), Value: e.Target, List: "targets", Ltr: true},
			Mode: &Field{Name: at + "/Mode", Label: v.T("mapping.mode"), Kind: "select", Value: "Field", Options: []Option{
				{"Field", v.T("mapping.field")}, {"Source", v.T("mapping.expression")},
			}},
			Value:   &Field{Name: at, Label: v.T("mapping.value"), Value: e.Field, List: "incoming", Ltr: true},
			Default: &Field{Name: at + "/Default", Label: v.T("mapping.default")},
		}
		if e.Source != "" {
			row.Mode.Value, row.Value.Value = "Source", e.Source
		}
		if e.Default != nil {
			row.Default.Value = *e.Default
		}
		rows = append(rows, row)
		f.Fields = append(f.Fields, row.Target, row.Mode, row.Value, row.Default)
	}
	return f, rows
}

func (v *visit) mappingPage() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	f, rows := v.mappingForm(src, src.Mapping)
	view, err := v.mappingView(src, f, rows)
	if err != nil {
		return err
	}
	return v.Page("sourcemapping", view)
}

func (v *visit) mappingView(src *leads.Source, f *Form, rows []fieldRow) (page, error) {
	data := mappingData{Form: f, Rows: rows, Targets: mappingTargets}
	if v.Can("manager") {
		last, err := read[leads.Received](v, fmt.Sprintf("Sources(%d)/LastDelivery()", src.ID), nil)
		switch {
		case err == nil:
			data.Last, data.Fields = &last, last.Fields
		case fault.CodeOf(err) != fault.NotFound:
			return page{}, err
		}
	}
	return v.sourceView(src, src.Name, "mapping", data), nil
}

// postedMapping are the entries of the form, without those that are empty.
func (v *visit) postedMapping() []leads.FieldMapping {
	entries := []leads.FieldMapping{}
	for _, i := range indexes(v.R, "Mapping/", "/Target") {
		at := fmt.Sprintf("Mapping/%d", i)
		e := leads.FieldMapping{Target: v.value(at + "/Target")}
		if v.value(at+"/Mode") == "Source" {
			e.Source = v.value(at)
		} else {
			e.Field = v.value(at)
		}
		if text := v.value(at + "/Default"); text != "" {
			e.Default = &text
		}
		if e.Target != "" || e.Field != "" || e.Source != "" || e.Default != nil {
			entries = append(entries, e)
		}
	}
	return entries
}

func (v *visit) updateMapping() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	old, _ := v.mappingForm(src, src.Mapping)
	before := old.Values()
	if err := v.R.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "the form cannot be read")
	}
	entries := v.postedMapping()
	f, rows := v.mappingForm(src, entries)
	f.Hidden["Version"] = v.value("Version")
	if src.Version, err = f.version(); err != nil {
		return err
	}
	next := *src
	next.Mapping = entries
	if err := v.Leads.UpdateSource(v.ctx(), &next); err != nil {
		if !f.Fail(v, err) {
			return err
		}
		view, err := v.mappingView(src, f, rows)
		if err != nil {
			return err
		}
		return v.Invalid("sourcemapping", view)
	}
	return v.savedSource(&next, sourceURL(src.ID)+"/mapping", before)
}

// sieveData is what the page shows of what a source keeps out.
type sieveData struct {
	Form   *Form
	Fields []*Field // those that are no checks
	Rows   []checkRow
	Known  []string // properties
}

// checkRow is a check of a source.
type checkRow struct{ Property, Required, Format, Pattern, Values *Field }

// windows are the duplicate windows that are offered.
var windows = []string{"", "P1D", "P7D", "P14D", "P30D", "P90D", "P180D", "P1Y"}

func (v *visit) sieveForm(src *leads.Source, checks []leads.Check) (*Form, []checkRow) {
	f := &Form{
		Action: sourceURL(src.ID) + "/sieve", Submit: v.T("form.save"), ReadOnly: !v.Can("manager"),
		Hidden: map[string]string{"Version": strconv.FormatInt(src.Version, 10)},
	}
	window := &Field{Name: "DuplicateWindow", Label: v.T("sieve.window"), Help: v.T("sieve.window.help"), Kind: "select", Value: src.DuplicateWindow, Half: true, Section: v.T("sieve.duplicates")}
	for _, w := range windows {
		window.Options = append(window.Options, Option{w, v.T("sieve.window." + strings.TrimPrefix(w, "P"))})
	}
	if !slices.Contains(windows, src.DuplicateWindow) {
		window.Options = append(window.Options, Option{src.DuplicateWindow, src.DuplicateWindow})
	}
	by := &Field{Name: "DuplicateBy", Label: v.T("sieve.by"), Kind: "select", Value: src.DuplicateBy, Half: true}
	for _, b := range []string{leads.ByPhoneOrEmail, leads.ByPhone, leads.ByEmail, leads.ByPhoneAndEmail} {
		by.Options = append(by.Options, Option{b, v.T("sieve.by." + strings.ReplaceAll(b, " ", "-"))})
	}
	f.Fields = []*Field{
		window, by,
		{Name: "DuplicateAcross", Kind: "checkbox", Label: v.T("sieve.across"), Value: truth(src.DuplicateAcross), Half: true},
		{Name: "RouteDuplicates", Kind: "checkbox", Label: v.T("sieve.route"), Value: truth(src.RouteDuplicates), Half: true},
		{Name: "Honeypot", Label: v.T("sieve.honeypot"), Help: v.T("sieve.honeypot.help"), Value: src.Honeypot, Ltr: true, Half: true, Section: v.T("sieve.spam")},
		{Name: "PerAddress", Label: v.T("sieve.address"), Help: v.T("sieve.address.help"), Kind: "number", Value: positive(src.PerAddress), Min: "0", Max: "1000000", Half: true},
		{Name: "FillTimeField", Label: v.T("sieve.shown"), Help: v.T("sieve.shown.help"), Value: src.FillTimeField, Ltr: true, Half: true},
		{Name: "MinFillSeconds", Label: v.T("sieve.seconds"), Help: v.T("sieve.seconds.help"), Kind: "number", Value: positive(src.MinFillSeconds), Min: "0", Max: "3600", Half: true},
		{Name: "MaskAfterDays", Label: v.T("sieve.mask"), Help: v.T("sieve.mask.help"), Kind: "number", Value: numberText(src.MaskAfterDays), Min: "1", Max: "36500", Half: true, Section: v.T("sieve.keep")},
		{Name: "DropAfterDays", Label: v.T("sieve.drop"), Help: v.T("sieve.drop.help"), Kind: "number", Value: numberText(src.DropAfterDays), Min: "1", Max: "36500", Half: true},
		{Name: "AttemptsDays", Label: v.T("sieve.attempts"), Help: v.T("sieve.attempts.help"), Kind: "number", Value: numberText(src.AttemptsDays), Min: "1", Max: "36500", Half: true},
	}
	return f, v.checkRows(f, checks)
}

// checkRows adds the checks to the fields of f.
func (v *visit) checkRows(f *Form, checks []leads.Check) []checkRow {
	var rows []checkRow
	n := len(checks)
	if !f.ReadOnly {
		n += spareRows
	}
	for i := range n {
		var c leads.Check
		if i < len(checks) {
			c = checks[i]
		}
		at := fmt.Sprintf("Checks/%d", i)
		row := checkRow{
			Property: &Field{Name: at, Label: v.T("check.property"), Value: c.Property, List: "known", Ltr: true},
			Format: &Field{Name: at + "/Format", Label: v.T("check.format"), Kind: "select", Value: c.Format, Options: []Option{
				{"", v.T("check.format.any")},
				{leads.FormatPhone, v.T("check.format.phone")},
				{leads.FormatMobile, v.T("check.format.mobile")},
				{leads.FormatEmail, v.T("check.format.email")},
			}},
			Required: &Field{Name: at + "/Required", Label: v.T("check.required"), Kind: "checkbox", Value: truth(c.Required)},
			Pattern:  &Field{Name: at + "/Pattern", Label: v.T("check.pattern"), Value: c.Pattern, Ltr: true},
			Values:   &Field{Name: at + "/Values", Label: v.T("check.values"), Kind: "textarea", Rows: 2, Value: strings.Join(c.Values, "\n")},
		}
		rows = append(rows, row)
		f.Fields = append(f.Fields, row.Property, row.Format, row.Required, row.Pattern, row.Values)
	}
	return rows
}

// positive is n as a number field has it where 0 is none.
func positive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func (v *visit) sieveView(src *leads.Source, f *Form, rows []checkRow) page {
	data := sieveData{Form: f, Rows: rows, Known: mappingTargets[1:]}
	for _, field := range f.Fields {
		if !strings.HasPrefix(field.Name, "Checks/") {
			data.Fields = append(data.Fields, field)
		}
	}
	return v.sourceView(src, src.Name, "sieve", data)
}

func (v *visit) sievePage() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	f, rows := v.sieveForm(src, src.Checks)
	return v.Page("sourcesieve", v.sieveView(src, f, rows))
}

// postedChecks are the checks of the form, without those that are empty.
func (v *visit) postedChecks() []leads.Check {
	list := []leads.Check{}
	for _, i := range indexes(v.R, "Checks/", "") {
		at := fmt.Sprintf("Checks/%d", i)
		c := leads.Check{
			Property: v.value(at), Format: v.value(at + "/Format"), Required: v.value(at+"/Required") == "true", Pattern: v.value(at + "/Pattern"), Values: []string{},
		}
		for line := range strings.Lines(v.value(at + "/Values")) {
			if text := strings.TrimSpace(line); text != "" {
				c.Values = append(c.Values, text)
			}
		}
		if c.Property != "" || c.Format != "" || c.Required || c.Pattern != "" || len(c.Values) > 0 {
			list = append(list, c)
		}
	}
	return list
}

func (v *visit) updateSieve() error {
	src, err := v.source()
	if err != nil {
		return err
	}
	old, _ := v.sieveForm(src, src.Checks)
	before := old.Values()
	if err := v.R.ParseForm(); err != nil {
		return fault.New(fault.Invalid, "the form cannot be read")
	}
	next := *src
	next.Checks = v.postedChecks()
	f, rows := v.sieveForm(src, next.Checks)
	f.Fill(v)
	for i, c := range next.Checks { // the rows that were empty are gone
		rows[i].fill(c)
	}
	for _, row := range rows[len(next.Checks):] {
		row.fill(leads.Check{})
	}
	if next.Version, err = f.version(); err != nil {
		return err
	}
	if err = fillSieve(f, &next); err == nil {
		err = v.Leads.UpdateSource(v.ctx(), &next)
	}
	if err != nil {
		if !f.Fail(v, err) {
			return err
		}
		return v.Invalid("sourcesieve", v.sieveView(src, f, rows))
	}
	return v.savedSource(&next, sourceURL(src.ID)+"/sieve", before)
}

// fill shows c in the row.
func (r checkRow) fill(c leads.Check) {
	r.Property.Value, r.Format.Value, r.Required.Value, r.Pattern.Value = c.Property, c.Format, truth(c.Required), c.Pattern
	r.Values.Value = strings.Join(c.Values, "\n")
}

// fillSieve takes the form's values over into src, but for the checks.
func fillSieve(f *Form, src *leads.Source) error {
	src.DuplicateWindow, src.DuplicateBy = f.Get("DuplicateWindow"), f.Get("DuplicateBy")
	src.DuplicateAcross, src.RouteDuplicates = f.Get("DuplicateAcross") == "true", f.Get("RouteDuplicates") == "true"
	src.Honeypot, src.FillTimeField = f.Get("Honeypot"), f.Get("FillTimeField")
	for name, into := range map[string]*int{"PerAddress": &src.PerAddress, "MinFillSeconds": &src.MinFillSeconds} {
		n, err := f.number(name)
		if err != nil {
			return err
		}
		*into = 0
		if n != nil {
			*into = *n
		}
	}
	var err error
	for name, into := range map[string]**int{"MaskAfterDays": &src.MaskAfterDays, "DropAfterDays": &src.DropAfterDays, "AttemptsDays": &src.AttemptsDays} {
		if *into, err = f.number(name); err != nil {
			return err
		}
	}
	return nil
}
