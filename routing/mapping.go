package routing

import (
	"fmt"
	"maps"
	"slices"

	"leadloop/leads"
	"leadloop/odata/eval"
	"leadloop/odata/fault"
)

// MappingEntry fills one field of the customer's system.
type MappingEntry = leads.MappingEntry

// ValueList is a list of values to translate.
type ValueList = leads.ValueList

// mapping is a compiled list of entries.
type mapping []mappedField

type mappedField struct {
	MappingEntry
	program *eval.Program // nil: Field
	names   []string      // that program refers to
	format  formatter     // nil: as it is
}

// field is one name and value of a request's body, or one of its headers.
type field[V any] struct {
	name  string
	value V
}

// mapping compiles entries, and adds a problem for each that is wrong and where
// none of them sends RoutingID.
func (e expressions) mapping(p *problems, entries []MappingEntry) (mapping, error) {
	m, broken, err := e.entries(p, "Mapping", entries)
	if err != nil {
		return nil, err
	}
	if !broken && !m.uses("RoutingID") {
		p.addf("Mapping", "the mapping must send RoutingID")
	}
	return m, nil
}

// entries compiles entries, called target in messages. broken says that one of
// them did not compile.
func (e expressions) entries(p *problems, target string, entries []MappingEntry) (m mapping, broken bool, err error) {
	m = make(mapping, 0, len(entries))
	seen := map[string]bool{}
	for i, entry := range entries {
		at := fmt.Sprintf("%s/%d/", target, i)
		switch {
		case entry.Target == "":
			p.addf(at+"Target", "the target is empty")
		case seen[entry.Target]:
			p.addf(at+"Target", "the target %s is there twice", entry.Target)
		}
		seen[entry.Target] = true
		f, err := e.entry(p, at, entry)
		if err != nil {
			return nil, false, err
		}
		if f == nil {
			broken = true
			continue
		}
		m = append(m, *f)
	}
	return m, broken, nil
}

// entry compiles one entry; nil where that cannot be done.
func (e expressions) entry(p *problems, at string, entry MappingEntry) (*mappedField, error) {
	before := len(p.details)
	f := &mappedField{MappingEntry: entry}
	var err error
	if f.format, err = formatOf(entry.Format, entry.TimeZone); err != nil {
		p.addf(at+"Format", "%s", err)
	}
	for _, from := range slices.Sorted(maps.Keys(entry.Values)) {
		switch entry.Values[from].(type) {
		case string, bool, float64, int64, nil:
		default:
			if _, err := settingText(entry.Values[from]); err != nil {
				p.addf(at+"Values/"+from, "%s is not translated to text, a number or a boolean", from)
			}
		}
	}
	switch {
	case entry.Source != "" && entry.Field != "":
		p.addf(at+"Field", "an entry has a Source or a Field, not both")
	case entry.Field != "":
	case entry.Source == "":
		p.addf(at+"Source", "the source is empty")
	default:
		program, err := e.source(at+"Source", entry.Source)
		if err != nil {
			return nil, p.addError(at+"Source", err)
		}
		f.program, f.names = program, program.Names()
	}
	if len(p.details) > before {
		return nil, nil
	}
	return f, nil
}

// programs are those of m's sources.
func (m mapping) programs() []*eval.Program {
	var list []*eval.Program
	for _, f := range m {
		if f.program != nil {
			list = append(list, f.program)
		}
	}
	return list
}

// uses reports whether a source of m refers to the name.
func (m mapping) uses(name string) bool {
	for _, f := range m {
		if slices.Contains(f.names, name) {
			return true
		}
	}
	return false
}

// values gives the fields to send for lead with the facts, in the mapping's
// order. It returns Invalid that names the target where a required value is
// missing.
func (m mapping) values(e expressions, lead *leads.Lead, f facts) ([]field[any], error) {
	record := e.mappedRecord(lead, f)
	fields := make([]field[any], 0, len(m))
	for _, f := range m {
		value := f.value(record, lead)
		if value == nil || value == "" {
			switch {
			case f.Default != nil:
				value = *f.Default
			case f.Required:
				return nil, fault.Newf(fault.Invalid, "there is no value for the required field %s", f.Target)
			default:
				continue
			}
		}
		fields = append(fields, field[any]{f.Target, value})
	}
	return fields, nil
}

// value is what the entry comes to, translated and formatted.
func (f *mappedField) value(record *eval.Record, lead *leads.Lead) any {
	var value any
	if f.program != nil {
		value = f.program.Value(record)
	} else {
		value = propertyOf(lead, f.Field)
	}
	if len(f.Values) > 0 && value != nil {
		value = f.Values[formText(value)]
	}
	if f.format != nil && value != nil && value != "" {
		value = f.format(value)
	}
	return value
}

// propertyOf gives the lead's property of that very name: a declared one, or a
// dynamic one.
func propertyOf(lead *leads.Lead, name string) any {
	declared := map[string]*string{
		"FirstName": lead.FirstName, "LastName": lead.LastName, "Phone": lead.Phone, "PhoneRaw": lead.PhoneRaw, "Email": lead.Email,
		"City": lead.City, "Message": lead.Message, "Campaign": lead.Campaign, "UtmSource": lead.UtmSource, "UtmMedium": lead.UtmMedium,
		"UtmCampaign": lead.UtmCampaign, "UtmTerm": lead.UtmTerm, "UtmContent": lead.UtmContent, "ExternalID": lead.ExternalID,
		"ConsentText": lead.ConsentText,
	}
	text, ok := declared[name]
	switch {
	case ok && text != nil:
		return *text
	case ok:
		return nil
	}
	return lead.Properties[name]
}

// SendsRoutingID reports whether one of the entries that compile sends the
// RoutingID, without which a rule is not stored.
func (s *Service) SendsRoutingID(entries []MappingEntry) bool {
	m, err := s.exprs.sound(entries)
	return err == nil && m.uses("RoutingID")
}
