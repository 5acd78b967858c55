package feedback

import (
	"strings"

	"leadloop/keys"
)

// naming finds our properties by the names of another system's fields.
type naming map[string]string

// own are our properties by the form in which names are compared: without regard
// to case, and to what stands between words.
var own = func() map[string]string {
	own := map[string]string{}
	for property := range properties {
		own[plainName(property)] = property
	}
	return own
}()

// plainName makes RoutingID of routing_id and "Routing ID" alike.
func plainName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
}

// newNaming is that of a system whose names for some properties are given. The
// others go by their own.
func newNaming(fields keys.FieldNames) naming {
	n := make(naming, len(fields))
	for property, theirs := range fields {
		n[theirs] = property
	}
	return n
}

// property is the one that a field of the name holds, "" if none.
func (n naming) property(name string, fields keys.FieldNames) string {
	if property, ok := n[name]; ok {
		return property
	}
	property := own[plainName(name)]
	if _, named := fields[property]; named { // it comes by another name
		return ""
	}
	return property
}

// item gathers what of the fields is of a report. Of several for one property the
// first that holds something counts.
func (n naming) item(names keys.FieldNames, fields []field) Item {
	item := Item{}
	for _, f := range fields {
		property := n.property(f.name, names)
		if property == "" {
			continue
		}
		if text, ok := textOf(item[property]); ok && strings.TrimSpace(text) == "" {
			item[property] = f.value
		}
	}
	return item
}

// field is one of another system's, with the value that an [Item] takes.
type field struct {
	name  string
	value any
}
