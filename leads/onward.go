package leads

import (
	"gorm.io/gorm"

	"leadloop/odata/fault"
)

// MappingEntry fills one field of another system: of a customer's, or of the one
// that outcomes are sent to.
type MappingEntry struct {
	// Target is the field's name in the other system. In JSON and XML a dot
	// nests, [0] is an item of a list, and in XML @ before the last name makes an
	// attribute; a backslash takes the dot or bracket after it as it is.
	Target string `validate:"max=200"`
	// Source is an expression over the lead's properties and, in a rule, RoutingID,
	// FeedbackURL, ConnectionID, CustomerName and KnownID; in a source's
	// OnwardMapping over what routing.OutcomeNames lists.
	Source string `validate:"max=10000"`
	// Field, instead of Source, is the name of a property of the lead as it is,
	// whatever characters it has.
	Field string `json:",omitempty" validate:"max=200"`
	// Values translates: what the source comes to → what is sent. What is not in
	// the list is taken as no value.
	Values ValueList `json:",omitempty" validate:"max=1000"`
	// Format is how a date or phone number is written: a pattern like dd/MM/yyyy
	// HH:mm; unix or unixms; e164, international, national, local or digits; or how
	// text is quoted: odata or json.
	Format string `json:",omitempty" validate:"max=100"`
	// TimeZone is that of a date's Format, like Asia/Jerusalem; UTC unless given.
	TimeZone string `json:",omitempty" validate:"max=100"`
	// Default is sent where there is no value, or an empty one. Without it the
	// field is left out.
	Default *string `validate:"omitempty,max=10000"`
	// Required parks the sending where there is neither value nor default.
	Required bool
}

// ValueList is a list of values to translate: from → to.
type ValueList map[string]any

// checkOnward has what src says of sending outcomes onward checked and its secrets
// sealed.
func (s *Service) checkOnward(tx *gorm.DB, old, src *Source) error {
	if src.OnwardSettings == nil {
		src.OnwardSettings = SourceSettings{}
	}
	if src.OnwardMapping == nil {
		src.OnwardMapping = []MappingEntry{}
	}
	switch {
	case s.Onward != nil:
		return s.Onward(tx, old, src)
	case src.OnwardConnectorID != nil:
		return fault.New(fault.Invalid, "outcomes cannot be sent onward here").At("OnwardConnectorID")
	}
	return nil
}
