package routing

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"

	"leadloop/odata/eval"
)

// formatter writes a value that is neither null nor empty the way a customer's
// system wants it; nil where that cannot be done.
type formatter func(v any) any

// formats are the formats with names. Others are patterns of dates.
var formats = map[string]formatter{
	"e164":          func(v any) any { return phone(v, phonenumbers.E164) },
	"international": func(v any) any { return phone(v, phonenumbers.INTERNATIONAL) },
	"national":      func(v any) any { return phone(v, phonenumbers.NATIONAL) },
	"local":         func(v any) any { return digits(phone(v, phonenumbers.NATIONAL)) },
	"digits":        digits,
	"odata":         func(v any) any { return "'" + strings.ReplaceAll(formText(v), "'", "''") + "'" },
	"json":          quoted,
	"unix":          func(v any) any { return ofInstant(v, time.Time.Unix) },
	"unixms":        func(v any) any { return ofInstant(v, time.Time.UnixMilli) },
}

// dateParts are the letters of date patterns and what Go calls them.
var dateParts = map[string]string{
	"yyyy": "2006", "yy": "06", "MMMM": "January", "MMM": "Jan", "MM": "01", "M": "1", "dd": "02", "d": "2", "EEEE": "Monday", "EEE": "Mon",
	"HH": "15", "hh": "03", "h": "3", "mm": "04", "m": "4", "ss": "05", "s": "5", "a": "PM", "XXX": "Z07:00",
}

// datePart matches a part of a pattern: a quoted text, one letter repeated, or
// what is no letter.
var datePart = regexp.MustCompile(`'[^']*'|y+|M+|d+|E+|H+|h+|m+|s+|a+|X+|[A-Za-z]|[^A-Za-z']+|'`)

// formatOf gives the formatter of a MappingEntry's Format and TimeZone; nil
// without a Format.
func formatOf(format, zone string) (formatter, error) {
	in := time.UTC
	if zone != "" {
		var err error
		if in, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			return nil, fmt.Errorf("%q is not a time zone; one is Asia/Jerusalem", zone)
		}
	}
	if format == "" {
		return nil, nil
	}
	if f := formats[format]; f != nil {
		return f, nil
	}
	layout, err := datePattern(format)
	if err != nil {
		return nil, err
	}
	return func(v any) any { return date(v, layout, in) }, nil
}

// layout is a date pattern taken apart: Go layouts, and text that stands for
// itself.
type layout []layoutPart

type layoutPart struct {
	text string
	date bool
}

func datePattern(format string) (layout, error) {
	var l layout
	dated := false
	for _, part := range datePart.FindAllString(format, -1) {
		goes, known := dateParts[part]
		switch {
		case known:
			dated = true
			l = append(l, layoutPart{goes, true})
		case part == "'" || isLetter(part[0]):
			return nil, fmt.Errorf("the format %s has an unknown part %q; a date is written like dd/MM/yyyy HH:mm, a phone as e164, international, national, local or digits", format, part)
		default:
			l = append(l, layoutPart{strings.Trim(part, "'"), false})
		}
	}
	if !dated {
		return nil, fmt.Errorf("the format %s has no part of a date", format)
	}
	return l, nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// date writes an instant, or text that is one, in the time zone in; a date
// without a time is the same everywhere.
func date(v any, l layout, in *time.Location) any {
	at, ok := instant(v)
	if !ok {
		day, err := time.Parse(time.DateOnly, formText(v))
		if err != nil {
			return nil
		}
		at, in = day, time.UTC
	}
	at = at.In(in)
	var b strings.Builder
	for _, part := range l {
		if part.date {
			part.text = at.Format(part.text)
		}
		b.WriteString(part.text)
	}
	return b.String()
}

func instant(v any) (time.Time, bool) {
	if at, ok := v.(time.Time); ok {
		return at, true
	}
	return eval.Instant(formText(v))
}

func ofInstant(v any, as func(time.Time) int64) any {
	if at, ok := instant(v); ok {
		return as(at)
	}
	return nil
}

// phone writes a phone number in a form. What is no number stays as it is: it
// may still tell a person something.
func phone(v any, form phonenumbers.PhoneNumberFormat) any {
	text := formText(v)
	n, err := phonenumbers.Parse(text, "IL")
	if err != nil {
		return text
	}
	return phonenumbers.Format(n, form)
}

// digits keeps the digits.
func digits(v any) any {
	kept := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, formText(v))
	if kept == "" {
		return nil
	}
	return kept
}

// quoted writes a value as a JSON string.
func quoted(v any) any {
	text, err := json.Marshal(formText(v))
	if err != nil {
		return nil
	}
	return string(text)
}
