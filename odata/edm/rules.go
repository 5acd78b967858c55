package edm

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Rules are what the tag `validate:"…"` of a field says that a model can
// express, for clients to check before they send.
type Rules struct {
	Required  bool     // not the zero value
	Allowed   []string // the values, of the elements in a collection
	Min, Max  *Bound   // of a number
	MinLength int      // of text
	MinItems  int      // of a collection
	MaxItems  int      // of a collection; 0: not limited
	Pattern   string   // that text matches
	Format    string   // of text, as JSON Schema names it: "email", "uri", …

	orZero bool // they hold for other values than the zero value
}

// Bound is an end of a range.
type Bound struct {
	Value     string
	Exclusive bool
}

// patterns are the validators that a regular expression says as well.
var patterns = map[string]string{
	"alpha": "^[a-zA-Z]+$", "alphanum": "^[a-zA-Z0-9]+$", "numeric": `^[-+]?[0-9]+(\.[0-9]+)?$`, "number": "^[0-9]+$",
	"hexadecimal": "^(0[xX])?[0-9a-fA-F]+$", "e164": `^\+[1-9]?[0-9]{7,14}$`, "iso3166_1_alpha2": "^[A-Z]{2}$",
	"iso4217": "^[A-Z]{3}$", "uppercase": "^[^a-z]*$", "lowercase": "^[^A-Z]*$",
}

// formats are the validators that JSON Schema has a format for.
var formats = map[string]string{
	"email": "email", "url": "uri", "uri": "uri", "http_url": "uri", "https_url": "uri", "uuid": "uuid", "hostname": "hostname",
	"ipv4": "ipv4", "ipv6": "ipv6", "ip": "ip", "cidr": "cidr",
}

// describe takes what the field's tags say of the property, whose type is known.
func (p *Property) describe(st reflect.StructTag, size string) {
	p.Description = st.Get("doc")
	t := p.Type
	_, many := t.(Collection)
	if c, ok := t.(Collection); ok {
		t = c.Of
	}
	primitive, _ := t.(Primitive)
	text := primitive == String || primitive == Binary
	if text {
		p.MaxLength, _ = strconv.Atoi(size)
	}
	for rule := range strings.SplitSeq(st.Get("validate"), ",") {
		name, value, _ := strings.Cut(rule, "=")
		switch {
		case name == "omitempty" && !many && !p.Nullable:
			p.Rules.orZero = true
		case name == "dive":
			many = false // what follows is about the elements
		case name == "required" && many:
			p.Rules.MinItems = 1
		case name == "required":
			p.Rules.Required = p.Type == t
		case name == "oneof":
			p.Rules.Allowed = strings.Fields(value)
		case many:
			p.Rules.items(name, value)
		case text:
			p.length(name, value)
		case primitive.IsNumeric():
			p.Rules.bound(name, value)
		}
	}
	p.Rules.allowZero(text)
}

// allowZero widens the rules where they are not for the zero value.
func (r *Rules) allowZero(text bool) {
	if !r.orZero {
		return
	}
	r.Min, r.Max, r.MinLength, r.Format = nil, nil, 0, ""
	if r.Pattern != "" {
		r.Pattern = "^$|" + r.Pattern
	}
	zero := "0"
	if text {
		zero = ""
	}
	if len(r.Allowed) > 0 && !slices.Contains(r.Allowed, zero) {
		r.Allowed = append(r.Allowed, zero)
	}
}

func (r *Rules) items(name, value string) {
	n, _ := strconv.Atoi(value)
	switch name {
	case "min", "gte":
		r.MinItems = n
	case "max", "lte":
		r.MaxItems = n
	case "len":
		r.MinItems, r.MaxItems = n, n
	}
}

func (p *Property) length(name, value string) {
	n, _ := strconv.Atoi(value)
	switch name {
	case "min", "gte":
		p.Rules.MinLength = n
	case "max", "lte":
		p.MaxLength = n
	case "len":
		p.Rules.MinLength, p.MaxLength = n, n
	}
	if pattern := patterns[name]; pattern != "" {
		p.Rules.Pattern = pattern
	}
	if format := formats[name]; format != "" {
		p.Rules.Format = format
	}
}

func (r *Rules) bound(name, value string) {
	if _, err := strconv.ParseFloat(value, 64); err != nil {
		return
	}
	switch name {
	case "min", "gte":
		r.Min = &Bound{Value: value}
	case "max", "lte":
		r.Max = &Bound{Value: value}
	case "gt":
		r.Min = &Bound{value, true}
	case "lt":
		r.Max = &Bound{value, true}
	}
}

// retype gives a property of text the type in its tag.
func (p *Property) retype(name string) error {
	p.Nanos = p.Type == Duration
	if name == "" {
		return nil
	}
	t, _ := PrimitiveNamed("Edm." + strings.TrimPrefix(name, "Edm."))
	if p.Type != String || t != Date && t != TimeOfDay {
		return fmt.Errorf("odata:\"type=%s\" needs a field of text, and Date or TimeOfDay", name)
	}
	p.Type = t
	return nil
}

// decimal makes an integer property a Decimal of the scale in its tag.
func (p *Property) decimal(scale string) error {
	if scale == "" {
		return nil
	}
	n, err := strconv.Atoi(scale)
	t, _ := p.Type.(Primitive)
	if err != nil || n < 1 || n > 18 || !t.IsInteger() {
		return fmt.Errorf("odata:\"decimal=%s\" needs an integer field and a scale of 1 to 18", scale)
	}
	p.Type, p.Precision, p.Scale, p.Minor = Decimal, 19, n, true
	return nil
}
