package routing

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"leadloop/leads"
	"leadloop/odata/eval"
	"leadloop/odata/fault"
)

// MappingEntry fills one field of the customer's system.
type MappingEntry struct {
	// Target is the field's name in the customer's system.
	Target string `validate:"max=200"`
	// Source is an expression over the lead's properties and RoutingID.
	Source string `validate:"max=10000"`
	// Default is sent where the source is null or empty. Without it the field is
	// left out.
	Default *string `validate:"omitempty,max=10000"`
	// Required parks the routing where there is neither value nor default.
	Required bool
}

// mapping is a compiled list of entries.
type mapping []mappedField

type mappedField struct {
	MappingEntry
	program *eval.Program
}

// field is one name and value of a request's body, or one of its headers.
type field[V any] struct {
	name  string
	value V
}

// mapping compiles entries, and adds a problem for each that is wrong and where
// none of them sends RoutingID.
func (e expressions) mapping(p *problems, entries []MappingEntry) (mapping, error) {
	m := make(mapping, 0, len(entries))
	seen, identified, broken := map[string]bool{}, false, false
	for i, entry := range entries {
		at := fmt.Sprintf("Mapping/%d/", i)
		switch {
		case entry.Target == "":
			p.addf(at+"Target", "the target is empty")
		case seen[entry.Target]:
			p.addf(at+"Target", "the target %s is there twice", entry.Target)
		}
		seen[entry.Target] = true
		if entry.Source == "" {
			p.addf(at+"Source", "the source is empty")
			continue
		}
		program, err := e.source(at+"Source", entry.Source)
		if err != nil {
			if err := p.addError(at+"Source", err); err != nil {
				return nil, err
			}
			broken = true
			continue
		}
		identified = identified || slices.Contains(program.Names(), "RoutingID")
		m = append(m, mappedField{entry, program})
	}
	if !identified && !broken {
		p.addf("Mapping", "the mapping must send RoutingID")
	}
	return m, nil
}

// values gives the fields to send for lead, in the mapping's order. It returns
// Invalid that names the target where a required value is missing.
func (m mapping) values(e expressions, lead *leads.Lead, routingID uuid.UUID) ([]field[any], error) {
	record := e.mappedRecord(lead, routingID)
	fields := make([]field[any], 0, len(m))
	for _, f := range m {
		value := f.program.Value(record)
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
