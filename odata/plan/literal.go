package plan

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	case uri.DateTimeOffsetLiteral:
		return parsed(at, edm.DateTimeOffset, l.Text)
	case uri.GuidLiteral:
		return parsed(at, edm.Guid, l.Text)
	}
	return nil, false
}

func parsed(at uri.At, t edm.Primitive, text string) (*Const, bool) {
	v, ok := Parse(t, text)
	return &Const{typed{at, t}, v}, ok
}

// Parse reads the literal text of a value of type t (without prefix or quotes)
// as the Go value a Const holds.
func Parse(t edm.Primitive, text string) (value any, ok bool) {
	switch t {
	case edm.String, edm.Untyped:
		return text, utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
	case edm.Boolean:
		return text == "true", text == "true" || text == "false"
	case edm.Int16, edm.Int32, edm.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil && text[0] != '+'
	case edm.Decimal:
		// A whole number stays exact.
		if n, ok := Parse(edm.Int64, text); ok {
			return n, true
		}
		f, ok := parseFloat(text)
		return f, ok && !math.IsNaN(f)
	case edm.Double:
		return parseFloat(text)
	case edm.Guid:
		u, err := uuid.Parse(text)
		return u, err == nil && len(text) == 36
	case edm.DateTimeOffset:
		return parseInstant(text)
	case edm.Date:
		d, err := time.Parse(time.DateOnly, text)
		return text, err == nil && d.Year() > 0
	}
	return nil, false
}

// parseFloat reads a number as OData writes it, which is less than Go takes.
func parseFloat(text string) (f float64, ok bool) {
	switch text {
	case "INF":
		return math.Inf(1), true
	case "-INF":
		return math.Inf(-1), true
	case "NaN":
		return math.NaN(), true
	}
	if strings.Trim(text, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil
}

// instantShape is the form of a DateTimeOffset, d standing for a digit.
const instantShape = "dddd-dd-ddTdd:dd"

// parseInstant reads an instant, in UTC and cut to microseconds, which is what
// both databases keep, as are the years 1 to 9999. Seconds may be left out.
func parseInstant(text string) (t time.Time, ok bool) {
	text = strings.ToUpper(text)
	if len(text) <= len(instantShape) {
		return t, false
	}
	for i := range len(instantShape) {
		if c := instantShape[i]; c == 'd' && !isDigit(text[i]) || c != 'd' && text[i] != c {
			return t, false
		}
	}
	form := "2006-01-02T15:04:05Z07:00"
	if text[len(instantShape)] != ':' {
		form = "2006-01-02T15:04Z07:00"
	} else if strings.IndexByte(text, ',') >= 0 { // Go would take it for a point
		return t, false
	}
	t, err := time.Parse(form, text)
	if _, offset := t.Zone(); err != nil || offset >= maxOffset || offset <= -maxOffset {
		return t, false
	}
	t = t.UTC().Truncate(time.Microsecond)
	return t, t.Year() >= 1 && t.Year() <= 9999
}

// maxOffset is beyond every offset from UTC in use, in seconds.
const maxOffset = 15 * 60 * 60

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
