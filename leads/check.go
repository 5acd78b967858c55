package leads

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"

	"leadloop/odata/eval"
	"leadloop/odata/fault"
)

// The formats a Check can ask for.
const (
	FormatPhone  = "phone"  // a number that can be dialled
	FormatMobile = "mobile" // one that takes text messages
	FormatEmail  = "email"  // an address that mail could reach
)

// Check is what a source demands of one property of its leads, after they are
// normalised. A lead that fails is refused: nothing of its delivery is stored
// but a Rejection.
type Check struct {
	// Property is the lead's, declared or dynamic.
	Property string `validate:"required,max=200"`
	// Required refuses a lead without a value. Phone and Email have one only if
	// what was given is a number or an address. The other demands are of values
	// that are there.
	Required bool
	// Pattern is a regular expression that the value, as text, must match, all of
	// it where it begins with ^ and ends with $. Its syntax is that of
	// matchesPattern: matching takes a time linear in the text.
	Pattern string `validate:"max=1000"`
	// Values are the only values allowed, as text. None allows every one.
	Values []string `validate:"max=1000,dive,max=1000"`
	// Format is FormatPhone, FormatMobile, FormatEmail, or empty.
	Format string `validate:"omitempty,oneof=phone mobile email"`
}

// prepareChecks refuses checks that could never be made.
func prepareChecks(src *Source) error {
	if src.Checks == nil {
		src.Checks = []Check{}
	}
	for i := range src.Checks {
		c := &src.Checks[i]
		at := func(property string) string { return fmt.Sprintf("Checks/%d/%s", i, property) }
		if !fillable(c.Property) {
			return fault.Newf(fault.Invalid, "%s is not a property that a sender could fill", c.Property).At(at("Property"))
		}
		if _, err := patterns.compile(c.Pattern); err != nil {
			return fault.New(fault.Invalid, "the pattern cannot be read: "+strings.TrimPrefix(err.Error(), "error parsing regexp: ")).At(at("Pattern"))
		}
		if c.Values == nil {
			c.Values = []string{}
		}
		if !c.Required && c.Pattern == "" && len(c.Values) == 0 && c.Format == "" {
			return fault.New(fault.Invalid, "the check demands nothing: give Required, Pattern, Values or Format").At(fmt.Sprintf("Checks/%d", i))
		}
	}
	return nil
}

// fillable reports whether name is a text property of Lead, or may be the name
// of a dynamic property.
func fillable(name string) bool {
	if slices.ContainsFunc(textProperties, func(p textProperty) bool { return p.name == name }) {
		return true
	}
	own, err := ownName(name)
	return err == nil && own == name
}

// check holds a prepared lead against the checks of its source, which may be
// nil. Invalid, with the first property that fails as target, and a detail each
// where several do.
func (s *Source) check(lead *Lead) error {
	if s == nil {
		return nil
	}
	var wrong []fault.Detail
	for i := range s.Checks {
		c := &s.Checks[i]
		if slices.ContainsFunc(wrong, func(d fault.Detail) bool { return d.Target == c.Property }) {
			continue // one reason for each is enough
		}
		message, err := c.fails(lead, s.Region)
		if err != nil {
			return failed("check "+c.Property, err)
		}
		if message != "" {
			wrong = append(wrong, fault.Detail{Code: fault.Invalid, Message: message, Target: c.Property})
		}
	}
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		return fault.New(fault.Invalid, wrong[0].Message).At(wrong[0].Target)
	}
	e := fault.New(fault.Invalid, wrong[0].Message).At(wrong[0].Target)
	e.Details = wrong
	return e
}

// fails says what is wrong with the lead's property, "" if nothing is. It fails
// only for a pattern that was stored without a look at it.
func (c *Check) fails(lead *Lead, region string) (string, error) {
	given, value := lead.given(c.Property)
	texts := textsOf(value)
	if len(texts) == 0 && c.Required {
		if len(given) > 0 {
			return c.misses(map[string]string{"Phone": "a phone number", "Email": "an e-mail address"}[c.Property]), nil
		}
		return c.Property + " is required", nil
	}
	pattern, err := patterns.compile(c.Pattern)
	if err != nil {
		return "", err
	}
	for _, text := range texts {
		if len(c.Values) > 0 && !slices.Contains(c.Values, text) {
			return c.notAmong(), nil
		}
		if !pattern.MatchString(text) {
			return fmt.Sprintf("%s does not match %s", c.Property, c.Pattern), nil
		}
	}
	for _, text := range given {
		switch {
		case c.Format == FormatPhone && !dialable(text, region, false):
			return c.misses("a phone number"), nil
		case c.Format == FormatMobile && !dialable(text, region, true):
			return c.misses("a mobile phone number"), nil
		case c.Format == FormatEmail && !reachable(text):
			return c.misses("an e-mail address"), nil
		}
	}
	return "", nil
}

// maxListed is how many allowed values are told to who sent another.
const maxListed = 10

func (c *Check) notAmong() string {
	if len(c.Values) > maxListed {
		return fmt.Sprintf("%s is none of the %d values that are allowed", c.Property, len(c.Values))
	}
	return fmt.Sprintf("%s must be one of: %s", c.Property, strings.Join(c.Values, ", "))
}

func (c *Check) misses(what string) string { return fmt.Sprintf("%s is not %s", c.Property, what) }

// given gives a property's value, and as text what the sender gave for it, which
// for Phone and Email may be something that is neither.
func (l *Lead) given(name string) (given []string, value any) {
	value = l.value(name)
	switch given = textsOf(value); {
	case len(given) > 0:
	case name == "Phone":
		given = textsOf(l.value("PhoneRaw"))
	case name == "Email":
		given = textsOf(l.Properties[emailRaw])
	}
	return given, value
}

// value gives a text property, or a dynamic one.
func (l *Lead) value(name string) any {
	for _, p := range textProperties {
		if p.name == name {
			if text := reflect.ValueOf(l).Elem().Field(p.index).Interface().(*string); text != nil {
				return *text
			}
			return nil
		}
	}
	return l.Properties[name]
}

// textsOf gives a value as text, a list's elements each; blank ones not at all.
func textsOf(value any) []string {
	var texts []string
	switch v := value.(type) {
	case nil:
	case []any:
		for _, inner := range v {
			texts = append(texts, textsOf(inner)...)
		}
	case map[string]any: // has no text to look at
	default:
		if text := eval.Text(v); strings.TrimSpace(text) != "" {
			texts = []string{text}
		}
	}
	return texts
}

// sameDigits is how many equal digits at the end tell that somebody held a key
// down.
const sameDigits = 7

// dialable reports whether text is a phone number as region writes them, and one
// that somebody could have; with mobile only if it takes text messages.
func dialable(text, region string, mobile bool) bool {
	e := e164(text, region)
	if e == nil {
		return false
	}
	if n := len(*e); n > sameDigits && strings.Count((*e)[n-sameDigits:], (*e)[n-1:]) == sameDigits {
		return false
	}
	if !mobile {
		return true
	}
	n, err := phonenumbers.Parse(*e, region)
	if err != nil {
		return false
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return true
	case phonenumbers.UNKNOWN: // in a range that is not known yet, as e164 lets pass
		return true
	}
	return false
}

// nowhere are the top-level domains that no mail can reach (RFC 2606, RFC 6761,
// RFC 6762).
var nowhere = []string{"example", "invalid", "local", "localhost", "test"}

// label is one part of a domain name.
var label = regexp.MustCompile(`^[\pL\pN]([\pL\pN\pM-]{0,61}[\pL\pN\pM])?$`)

// reachable reports whether text is an e-mail address whose parts have the form
// and the length that mail on the internet needs.
func reachable(text string) bool {
	address, ok := email(text)
	if !ok {
		return false
	}
	at := strings.LastIndexByte(address, '@')
	local, domain := address[:at], address[at+1:]
	if len(local) > 64 || len(domain) > 253 {
		return false
	}
	labels := strings.Split(domain, ".")
	for _, l := range labels {
		if !label.MatchString(l) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(last) > 1 && !strings.ContainsAny(last[:1], "0123456789") && !slices.Contains(nowhere, last)
}

// patternCache keeps patterns compiled: a source's are used for each of its
// leads.
type patternCache struct {
	mu   sync.Mutex
	kept map[string]*regexp.Regexp
}

const maxPatterns = 1_000

var patterns = patternCache{kept: map[string]*regexp.Regexp{}}

// compile compiles a pattern; the empty one matches everything.
func (c *patternCache) compile(pattern string) (*regexp.Regexp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.kept[pattern]; p != nil {
		return p, nil
	}
	p, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	if len(c.kept) >= maxPatterns {
		clear(c.kept)
	}
	c.kept[pattern] = p
	return p, nil
}
