package plan

import "leadloop/odata/edm"

// Metadata is how much control information an answer holds (JSON Format 4.01,
// section 3.1).
type Metadata uint8

// The amounts of control information.
const (
	Minimal Metadata = iota
	Full
	None
)

// Style is the representation of the entities of an answer.
type Style struct {
	Metadata Metadata
	// Strings shows Int64 and Decimal values as strings (IEEE754Compatible).
	Strings bool
	// OmitNulls leaves out properties without a value.
	OmitNulls bool
	// Root is the absolute URL of the service root, with a slash at its end.
	Root string
	// Repeated are the query options that links to further pages repeat, beside their
	// own: percent-encoded, each with an & at its end.
	Repeated string
	// Links says how entities of a type are addressed. Nil: they have no address.
	Links func(*edm.Struct) Links
}

// Links is how the entities of a type are addressed.
type Links struct {
	Set       string // "" where there is none
	Updatable bool
	// Operations are those bound to one entity, by their qualified names.
	Operations []string
}

// Of returns the links of the entities of s.
func (st *Style) Of(s *edm.Struct) Links {
	if st.Links == nil || !s.IsEntity() {
		return Links{}
	}
	return st.Links(s)
}

// TypeTag is the value of the control information "type" for a value of type t,
// or "" where the JSON itself tells (JSON Format 4.01, section 4.5.3).
func TypeTag(t edm.Type) string {
	switch t := t.(type) {
	case edm.Primitive:
		switch t {
		case edm.Boolean, edm.String, edm.Double, edm.Untyped, edm.Null:
			return ""
		}
		return "#" + t.String()[len("Edm."):]
	case edm.Collection:
		if p, ok := t.Of.(edm.Primitive); ok {
			return "#Collection(" + p.String()[len("Edm."):] + ")"
		}
	}
	return "#" + t.String()
}

// Renders reports whether values of type t, held as JSON, look otherwise in this
// style than they are held.
func (st *Style) Renders(t edm.Type) bool { return st.renders(t, MaxNesting) }

// MaxNesting is how deep complex values are looked into: their types may refer to
// themselves.
const MaxNesting = 8

func (st *Style) renders(t edm.Type, depth int) bool {
	if depth == 0 || st.Metadata != Full && !st.Strings {
		return false
	}
	switch t := t.(type) {
	case edm.Primitive:
		return st.Quotes(t)
	case edm.Collection:
		return st.renders(t.Of, depth)
	case *edm.Struct:
		for _, p := range t.Properties {
			if st.Metadata == Full && TypeTag(p.Type) != "" || st.renders(p.Type, depth-1) {
				return true
			}
		}
	}
	return false
}

// Quotes reports whether values of type t, which JSON has numbers for, are shown
// as strings.
func (st *Style) Quotes(t edm.Type) bool {
	return st.Strings && (t == edm.Int64 || t == edm.Decimal)
}
