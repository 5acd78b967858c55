package plan

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// constant gives a literal its type and value. Ok is false where its text is
// not a value of its form, as in the date 2026-02-30.
func constant(l *uri.Literal) (c *Const, ok bool) {
	at := l.At
	switch l.Kind {
	case uri.NullLiteral:
		return &Const{typed{at, edm.Null}, nil}, true
	case uri.BooleanLiteral:
		return &Const{typed{at, edm.Boolean}, l.Text == "true"}, true
	case uri.IntegerLiteral:
		if n, err := strconv.ParseInt(l.Text, 10, 64); err == nil {
			return &Const{typed{at, edm.Int64}, n}, true
		}
		return parsed(at, edm.Decimal, l.Text)
	case uri.DecimalLiteral:
		return parsed(at, edm.Decimal, l.Text)
	case uri.DoubleLiteral:
		return parsed(at, edm.Double, l.Text)
	case uri.StringLiteral:
		return &Const{typed{at, edm.String}, l.Text}, true
	case uri.DateLiteral:
		return parsed(at, edm.Date, l.Text)
	case uri.TimeOfDayLiteral:
		return parsed(at, edm.TimeOfDay, l.Text)
	case uri.DateTimeOffsetLiteral:
		return parsed(at, edm.DateTimeOffset, l.Text)
	case uri.DurationLiteral:
		return parsed(at, edm.Duration, l.Text)
	case uri.GuidLiteral:
		return parsed(at, edm.Guid, l.Text)
	case uri.BinaryLiteral:
		return parsed(at, edm.Binary, l.Text)
	}
	return nil, false
}

func parsed(at uri.At, t edm.Primitive, text string) (*Const, bool) {
	v, ok := Parse(t, text)
	return &Const{typed{at, t}, v}, ok
}

// instants are the forms of a DateTimeOffset: seconds may be left out.
var instants = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00"}

// Parse reads the literal text of a value of type t (without prefix or quotes)
// as the Go value a Const holds.
func Parse(t edm.Primitive, text string) (value any, ok bool) {
	var err error
	switch t {
	case edm.String, edm.Untyped:
		return text, true
	case edm.Boolean:
		return text == "true", text == "true" || text == "false"
	case edm.SByte, edm.Byte, edm.Int16, edm.Int32, edm.Int64:
		value, err = strconv.ParseInt(text, 10, 64)
	case edm.Decimal:
		return edm.ParseDecimal(text)
	case edm.Single, edm.Double:
		return parseDouble(text)
	case edm.Duration:
		return parseDuration(text)
	case edm.Guid:
		if len(text) != 36 {
			return nil, false
		}
		value, err = uuid.Parse(text)
	case edm.DateTimeOffset:
		return parseInstant(text)
	case edm.Date:
		_, err = time.Parse(time.DateOnly, text)
		value = text
	case edm.TimeOfDay:
		return parseTimeOfDay(text)
	default:
		return text, text != ""
	}
	return value, err == nil
}

// parseInstant reads an instant, in UTC and cut to microseconds, which is what
// both databases keep.
func parseInstant(text string) (any, bool) {
	text = strings.ToUpper(text)
	for _, form := range instants {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC().Truncate(time.Microsecond), true
		}
	}
	return nil, false
}

// parseDouble reads a number; one too large for a double is none.
func parseDouble(text string) (any, bool) {
	switch text {
	case "INF":
		return math.Inf(1), true
	case "-INF":
		return math.Inf(-1), true
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && (text == "NaN" || strings.IndexByte("+-.0123456789", text[0]) >= 0)
}

// TimeOfDayForm is how a TimeOfDay is kept: fixed width, so that text sorts as
// time does.
const TimeOfDayForm = "15:04:05.000000"

func parseTimeOfDay(text string) (any, bool) {
	for _, form := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.Format(TimeOfDayForm), true
		}
	}
	return nil, false
}

// durationPattern is the duration of the ABNF: days, hours, minutes, seconds.
var durationPattern = regexp.MustCompile(`^([+-])?P(?:(\d{1,6})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$`)

// parseDuration reads a duration, cut to microseconds.
func parseDuration(text string) (any, bool) {
	m := durationPattern.FindStringSubmatch(text)
	if m == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return nil, false
	}
	var micros int64
	for i, unit := range []int64{86400e6, 3600e6, 60e6} {
		n, _ := strconv.ParseInt("0"+m[i+2], 10, 64) // digits by the pattern
		micros += n * unit
	}
	seconds, _ := edm.ParseDecimal("0" + m[5])
	fraction, _ := seconds.Mul(edm.DecimalOf(1e6)).Int64()
	micros += fraction
	if m[1] == "-" {
		micros = -micros
	}
	return time.Duration(micros) * time.Microsecond, micros < math.MaxInt64/1000 && micros > math.MinInt64/1000
}
