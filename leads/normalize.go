package leads

import (
	"net/mail"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/unicode/norm"

	"leadloop/odata/fault"
)

// emailRaw is the dynamic property that keeps what was given as an e-mail
// address and is none: a lead is not lost for a slip of the pen.
const emailRaw = "EmailRaw"

// prepare brings a lead, with its fields as they were given, to the form it is
// stored in: text cleaned, empty text nil, phone in E.164 by region, e-mail in
// lower case, state by IsTest. Invalid, with the property as target, for what
// cannot be stored.
func (l *Lead) prepare(region string) error {
	if err := l.prepareProperties(); err != nil {
		return err
	}
	if l.Phone != nil && l.PhoneRaw == nil {
		l.PhoneRaw = l.Phone
	}
	if l.Phone == nil {
		l.Phone = l.PhoneRaw
	}
	v := reflect.ValueOf(l).Elem()
	for _, p := range textProperties {
		f := v.Field(p.index).Addr().Interface().(**string)
		if err := prepareText(p.name, f); err != nil {
			return err
		}
	}
	if l.Phone != nil {
		l.Phone = e164(*l.Phone, region)
	}
	l.prepareEmail()
	l.State = StateNew
	if l.IsTest {
		l.State = StateTest
	}
	return fault.Validate(l)
}

// prepareConsent dates a consent that came without its time.
func (l *Lead) prepareConsent() {
	switch {
	case l.ConsentText != nil && l.ConsentAt == nil:
		l.ConsentAt = &l.ReceivedAt
	case l.ConsentAt != nil:
		l.ConsentAt = new(l.ConsentAt.UTC().Truncate(time.Microsecond))
	}
}

// prepareProperties checks the dynamic properties and drops those that are null,
// which OData does not tell from absent ones.
func (l *Lead) prepareProperties() error {
	if len(l.Properties) > maxFields {
		return fault.Newf(fault.Invalid, "a lead cannot have more than %d fields", maxFields)
	}
	checked := make(map[string]any, len(l.Properties))
	for name, v := range l.Properties {
		if v == nil {
			continue
		}
		own, err := ownName(name)
		if err != nil {
			return err
		}
		if own != name && name != emailRaw {
			return fault.Newf(fault.Invalid, "a lead cannot have a property called %s", name).At(own)
		}
		if checked[name], err = property(name, v); err != nil {
			return err
		}
	}
	l.Properties = checked
	return nil
}

func prepareText(name string, field **string) error {
	if *field == nil {
		return nil
	}
	text := **field
	if err := checkText(text); err != nil {
		return err.At(name)
	}
	switch name {
	case "PhoneRaw": // kept as it was given
	case "Message":
		text = lines(text)
	default:
		text = oneLine(text)
	}
	if *field = &text; strings.TrimSpace(text) == "" {
		*field = nil
	}
	return nil
}

// checkText refuses text that cannot be stored or is too long.
func checkText(text string) *fault.Error {
	left := maxCharacters
	if err := storable(text); err != nil {
		return err
	}
	return spend(&left, utf8.RuneCountInString(text))
}

func (l *Lead) prepareEmail() {
	if l.Email == nil {
		return
	}
	if address, ok := email(*l.Email); ok {
		l.Email = &address
		delete(l.Properties, emailRaw)
		return
	}
	l.Properties[emailRaw] = *l.Email
	l.Email = nil
}

// e164 gives a phone number, written in any of the ways of region or
// internationally, in the form +972501234567; nil if it cannot be one.
func e164(text, region string) *string {
	n, err := phonenumbers.Parse(text, region)
	if err != nil || !phonenumbers.IsValidNumber(n) && !plausible(n) {
		return nil
	}
	return new(phonenumbers.Format(n, phonenumbers.E164))
}

// plausible reports whether n, in no range that is known to be in use, has at
// least the length of its country's mobile numbers: ranges are opened faster
// than programs are updated, and no lead should lose its phone to that.
func plausible(n *phonenumbers.PhoneNumber) bool {
	region := phonenumbers.GetRegionCodeForCountryCode(int(n.GetCountryCode()))
	length, known := mobileLengths.Load(region)
	if !known {
		length = 0
		if example := phonenumbers.GetExampleNumberForType(region, phonenumbers.MOBILE); example != nil {
			length = len(phonenumbers.GetNationalSignificantNumber(example))
		}
		mobileLengths.Store(region, length)
	}
	return !n.GetItalianLeadingZero() && len(phonenumbers.GetNationalSignificantNumber(n)) == length
}

// mobileLengths are the digits of mobile numbers by region, once looked up.
var mobileLengths sync.Map

// email gives an address, or the address in `Name <address>`, in lower case.
// False if it is none that mail on the internet could reach.
func email(text string) (string, bool) {
	if len(text) > 320 {
		return "", false
	}
	a, err := mail.ParseAddress(strings.TrimPrefix(text, "mailto:"))
	if err != nil {
		return "", false
	}
	domain := a.Address[strings.LastIndexByte(a.Address, '@')+1:]
	if !strings.Contains(domain, ".") || strings.HasPrefix(domain, "[") {
		return "", false
	}
	return strings.ToLower(a.Address), true
}

// oneLine gives text in Unicode's form NFC, without control and direction
// characters, with each run of white space one space and none at the ends.
func oneLine(text string) string {
	text = norm.NFC.String(strings.Map(visible, text)) // dropping may bring together what NFC composes
	return strings.Join(strings.Fields(text), " ")
}

// lines is oneLine for text that may have several lines: white space stays,
// except at the ends, and a line ends in \n.
func lines(text string) string {
	text = strings.ReplaceAll(strings.Map(visible, text), "\r\n", "\n")
	return strings.TrimSpace(norm.NFC.String(text))
}

// visible drops what does not show but makes equal texts differ: control
// characters (not white space) and the marks that steer the direction of
// writing, which editors and phones leave in copied Hebrew.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return r
	case unicode.IsControl(r),
		r == '\u200b', r == '\u200e', r == '\u200f', r == '\ufeff',
		'\u202a' <= r && r <= '\u202e', '\u2066' <= r && r <= '\u2069':
		return -1
	}
	return r
}
