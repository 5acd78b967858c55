package plan

import (
	"encoding/base64"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/uri"
)

// literal gives a literal its type and value. Ok is false where its text is
// not a value of its form, as in the date 2026-02-30.
func (b *Binder) literal(l *uri.Literal) (c *Const, ok bool) {
	if c, ok = b.work.literal(l); ok {
		c.from = b.Lifts.literal(l.N, c.T)
	}
	return c, ok
}

func (w *work) literal(l *uri.Literal) (c *Const, ok bool) {
	at := l.At
	switch l.Kind {
	case uri.NullLiteral:
		return w.constant(at, edm.Null, nil), true
	case uri.BooleanLiteral:
		return w.constant(at, edm.Boolean, l.Text == "true"), true
	case uri.IntegerLiteral:
		if n, err := strconv.ParseInt(l.Text, 10, 64); err == nil {
			return w.constant(at, edm.Int64, n), true
		}
		return w.parsed(at, edm.Decimal, l.Text)
	case uri.DecimalLiteral:
		return w.parsed(at, edm.Decimal, l.Text)
	case uri.DoubleLiteral:
		return w.parsed(at, edm.Double, l.Text)
	case uri.StringLiteral:
		return w.constant(at, edm.String, l.Text), true
	case uri.DateLiteral:
		return w.parsed(at, edm.Date, l.Text)
	case uri.TimeOfDayLiteral:
		return w.parsed(at, edm.TimeOfDay, l.Text)
	case uri.DateTimeOffsetLiteral:
		return w.parsed(at, edm.DateTimeOffset, l.Text)
	case uri.DurationLiteral:
		return w.parsed(at, edm.Duration, l.Text)
	case uri.GuidLiteral:
		return w.parsed(at, edm.Guid, l.Text)
	case uri.BinaryLiteral:
		return w.parsed(at, edm.Binary, l.Text)
	}
	return nil, false
}

func (w *work) parsed(at uri.At, t edm.Primitive, text string) (*Const, bool) {
	v, ok := Parse(t, text)
	return w.constant(at, t, v), ok
}

// Parse reads the literal text of a value of type t (without prefix or quotes)
// as the Go value a Const holds.
func Parse(t edm.Primitive, text string) (value any, ok bool) {
	switch t {
	case edm.String, edm.Untyped:
		return text, utf8.ValidString(text) && strings.IndexByte(text, 0) < 0
	case edm.Boolean:
		return text == "true", text == "true" || text == "false"
	case edm.SByte, edm.Byte, edm.Int16, edm.Int32, edm.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil && text[0] != '+'
	case edm.Decimal:
		return edm.ParseDecimal(text)
	case edm.Single, edm.Double:
		return parseFloat(text)
	case edm.Duration:
		return parseDuration(text)
	case edm.Guid:
		u, err := uuid.Parse(text)
		return u, err == nil && len(text) == 36
	case edm.DateTimeOffset:
		return parseInstant(text)
	case edm.Date:
		d, err := time.Parse(time.DateOnly, text)
		return text, err == nil && d.Year() > 0
	case edm.TimeOfDay:
		return parseTimeOfDay(text)
	case edm.Binary:
		return parseBinary(text)
	default:
		return text, text != ""
	}
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

// parseBinary reads base64url (JSON Format 4.01, section 7.1), or plain base64,
// with or without padding.
func parseBinary(text string) ([]byte, bool) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawURLEncoding.DecodeString(text)
	return b, err == nil
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

// DurationText writes a duration as the ABNF has it, cut to microseconds.
func DurationText(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	days, d := d/(24*time.Hour), d%(24*time.Hour)
	seconds, _ := edm.DecimalOf(d.Microseconds()).Div(edm.DecimalOf(1e6))
	text := sign + "P"
	if days > 0 {
		text += strconv.FormatInt(int64(days), 10) + "D"
	}
	if d > 0 || days == 0 {
		text += "T" + seconds.String() + "S"
	}
	return text
}
