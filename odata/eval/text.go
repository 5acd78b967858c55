package eval

import (
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// Lower maps s to lower case by Unicode's full, language-independent mapping.
func Lower(s string) string {
	if mapped, ok := mapASCII(s, 'A', 'Z'); ok {
		return mapped
	}
	return cases.Lower(language.Und).String(s)
}

// Upper maps s to upper case by Unicode's full, language-independent mapping.
func Upper(s string) string {
	if mapped, ok := mapASCII(s, 'a', 'z'); ok {
		return mapped
	}
	return cases.Upper(language.Und).String(s)
}

// mapASCII flips the case of the letters from first to last; ok is false if s
// is not ASCII.
func mapASCII(s string, first, last byte) (mapped string, ok bool) {
	var changed []byte
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 {
			return "", false
		}
		if c >= first && c <= last {
			if changed == nil {
				changed = []byte(s)
			}
			changed[i] = c ^ 0x20
		}
	}
	if changed == nil {
		return s, true
	}
	return string(changed), true
}

// decimal is the text that reads as a number: what people write in a form.
// Bounded to what is as exact in binary as in decimal, so that every back end
// orders it alike.
var decimal = regexp.MustCompile(`^-?([0-9]{1,18}|[0-9]{1,9}\.[0-9]{1,6})$`)

// Number reads a dynamic value as a number: int64 or float64, or nil.
func Number(v any) any {
	switch v := v.(type) {
	case int64, float64:
		return v
	case int:
		return int64(v)
	case json.Number:
		return parseNumber(v.String())
	case string:
		if decimal.MatchString(v) {
			return parseNumber(v)
		}
	}
	return nil
}

func parseNumber(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return nil
}

// Instant reads text as a DateTimeOffset, in UTC.
func Instant(s string) (time.Time, bool) {
	v, ok := plan.Parse(edm.DateTimeOffset, s)
	t, _ := v.(time.Time)
	return t, ok
}

// doubleText writes a number without an exponent, as PostgreSQL shows its numbers.
func doubleText(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "INF"
	case math.IsInf(f, -1):
		return "-INF"
	case f == 0:
		return "0" // not -0
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// NumberText writes the JSON number s without an exponent, keeping its digits.
func NumberText(s string) string {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	shift, err := strconv.Atoi(exponent)
	if err != nil || shift > maxShift || shift < -maxShift {
		shift = 0
	}
	sign := ""
	if digits, negative := strings.CutPrefix(mantissa, "-"); negative {
		sign, mantissa = "-", digits
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	switch {
	case shift > 0:
		fraction += strings.Repeat("0", max(0, shift-len(fraction)))
		whole, fraction = whole+fraction[:shift], fraction[shift:]
	case shift < 0:
		whole = strings.Repeat("0", max(0, -shift-len(whole))) + whole
		point := len(whole) + shift
		whole, fraction = whole[:point], whole[point:]+fraction
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if strings.Trim(whole, "0.") == "" {
		sign = ""
	}
	return sign + whole
}

// maxShift is the largest exponent that NumberText spreads out.
const maxShift = 1000

// Text gives a value as OData shows it in a URL or a text body, "" for null.
// Values that are no primitive give their JSON.
func Text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return doubleText(v)
	case json.Number:
		return NumberText(v.String())
	case edm.DecimalValue:
		return v.String()
	case time.Duration:
		return plan.DurationText(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case uuid.UUID:
		return v.String()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
