package eval

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/plan"
)

// functions are the overloads of package plan by ID, over arguments of their
// parameters' types, none of them null. The result is nil where there is none:
// a number out of range, a division by zero, text that does not read as wanted.
var functions = map[string]func(a []any) any{
	"contains":         func(a []any) any { return strings.Contains(a[0].(string), a[1].(string)) },
	"startswith":       func(a []any) any { return strings.HasPrefix(a[0].(string), a[1].(string)) },
	"endswith":         func(a []any) any { return strings.HasSuffix(a[0].(string), a[1].(string)) },
	"concat":           func(a []any) any { return a[0].(string) + a[1].(string) },
	"length":           func(a []any) any { return int64(len([]rune(a[0].(string)))) },
	"indexof":          func(a []any) any { return indexOf(a[0].(string), a[1].(string)) },
	"substring":        func(a []any) any { return substring(a[0].(string), a[1].(int64), math.MaxInt32) },
	"substring_length": func(a []any) any { return substring(a[0].(string), a[1].(int64), a[2].(int64)) },
	"tolower":          func(a []any) any { return Lower(a[0].(string)) },
	"toupper":          func(a []any) any { return Upper(a[0].(string)) },
	"trim":             func(a []any) any { return strings.Trim(a[0].(string), "\t\n\v\f\r ") },
	"matchespattern":   func(a []any) any { return matches(a[0].(string), a[1].(string)) },

	"year":                   func(a []any) any { return int64(a[0].(time.Time).Year()) },
	"month":                  func(a []any) any { return int64(a[0].(time.Time).Month()) },
	"day":                    func(a []any) any { return int64(a[0].(time.Time).Day()) },
	"hour":                   func(a []any) any { return int64(a[0].(time.Time).Hour()) },
	"minute":                 func(a []any) any { return int64(a[0].(time.Time).Minute()) },
	"second":                 func(a []any) any { return int64(a[0].(time.Time).Second()) },
	"year_date":              func(a []any) any { return digits(a[0], 0, 4) },
	"month_date":             func(a []any) any { return digits(a[0], 5, 7) },
	"day_date":               func(a []any) any { return digits(a[0], 8, 10) },
	"hour_time":              func(a []any) any { return digits(a[0], 0, 2) },
	"minute_time":            func(a []any) any { return digits(a[0], 3, 5) },
	"second_time":            func(a []any) any { return digits(a[0], 6, 8) },
	"fractionalseconds":      func(a []any) any { return millionths(int64(a[0].(time.Time).Nanosecond() / 1000)) },
	"fractionalseconds_time": func(a []any) any { return fraction(a[0]) },
	"date":                   func(a []any) any { return a[0].(time.Time).Format(time.DateOnly) },
	"time":                   func(a []any) any { return a[0].(time.Time).Format(plan.TimeOfDayForm) },
	"totaloffsetminutes":     func([]any) any { return int64(0) }, // instants are kept in UTC
	"totalseconds":           func(a []any) any { return millionths(a[0].(time.Duration).Microseconds()) },
	"mindatetime":            func([]any) any { return minInstant },
	"maxdatetime":            func([]any) any { return maxInstant },

	"round_decimal":   func(a []any) any { return Decimal(a[0]).Round() },
	"floor_decimal":   func(a []any) any { return Decimal(a[0]).Floor() },
	"ceiling_decimal": func(a []any) any { return Decimal(a[0]).Ceiling() },
	"round_double":    func(a []any) any { return math.Round(double(a[0])) },
	"floor_double":    func(a []any) any { return math.Floor(double(a[0])) },
	"ceiling_double":  func(a []any) any { return math.Ceil(double(a[0])) },

	"add_int":     func(a []any) any { return whole(Decimal(a[0]).Add(Decimal(a[1]))) },
	"sub_int":     func(a []any) any { return whole(Decimal(a[0]).Sub(Decimal(a[1]))) },
	"mul_int":     func(a []any) any { return whole(Decimal(a[0]).Mul(Decimal(a[1]))) },
	"div_int":     func(a []any) any { return divide(a[0].(int64), a[1].(int64)) },
	"mod_int":     func(a []any) any { return modulo(a[0].(int64), a[1].(int64)) },
	"neg_int":     func(a []any) any { return whole(Decimal(a[0]).Neg()) },
	"add_decimal": func(a []any) any { return Decimal(a[0]).Add(Decimal(a[1])) },
	"sub_decimal": func(a []any) any { return Decimal(a[0]).Sub(Decimal(a[1])) },
	"mul_decimal": func(a []any) any { return Decimal(a[0]).Mul(Decimal(a[1])) },
	"div_decimal": func(a []any) any { return orNil(Decimal(a[0]).Div(Decimal(a[1]))) },
	"mod_decimal": func(a []any) any { return orNil(Decimal(a[0]).Mod(Decimal(a[1]))) },
	"neg_decimal": func(a []any) any { return Decimal(a[0]).Neg() },
	"add_double":  func(a []any) any { return finite(double(a[0]) + double(a[1])) },
	"sub_double":  func(a []any) any { return finite(double(a[0]) - double(a[1])) },
	"mul_double":  func(a []any) any { return finite(double(a[0]) * double(a[1])) },
	"div_double":  func(a []any) any { return finite(double(a[0]) / double(a[1])) },
	"mod_double":  func(a []any) any { return finite(math.Mod(double(a[0]), double(a[1]))) },
	"neg_double":  func(a []any) any { return -double(a[0]) },

	"add_instant":     func(a []any) any { return instant(a[0].(time.Time).Add(a[1].(time.Duration))) },
	"sub_instant":     func(a []any) any { return instant(a[0].(time.Time).Add(-a[1].(time.Duration))) },
	"between":         func(a []any) any { return a[0].(time.Time).Sub(a[1].(time.Time)) },
	"add_date":        func(a []any) any { return addDate(a[0].(string), a[1].(time.Duration)) },
	"sub_date":        func(a []any) any { return addDate(a[0].(string), -a[1].(time.Duration)) },
	"add_duration":    func(a []any) any { return micros(microsOf(a[0]).Add(microsOf(a[1])), true) },
	"sub_duration":    func(a []any) any { return micros(microsOf(a[0]).Sub(microsOf(a[1])), true) },
	"neg_duration":    func(a []any) any { return -a[0].(time.Duration) },
	"mul_duration":    func(a []any) any { return micros(microsOf(a[0]).Mul(Decimal(a[1])), true) },
	"mul_by_duration": func(a []any) any { return micros(microsOf(a[1]).Mul(Decimal(a[0])), true) },
	"div_duration":    func(a []any) any { return micros(microsOf(a[0]).Div(Decimal(a[1]))) },

	"int_text":       func(a []any) any { return Text(a[0]) },
	"decimal_text":   func(a []any) any { return Decimal(a[0]).String() },
	"double_text":    func(a []any) any { return Text(double(a[0])) },
	"boolean_text":   func(a []any) any { return Text(a[0]) },
	"date_text":      func(a []any) any { return a[0] },
	"time_text":      func(a []any) any { return a[0] },
	"instant_text":   func(a []any) any { return a[0].(time.Time).Format("2006-01-02T15:04:05.000000Z") },
	"guid_text":      func(a []any) any { return a[0].(uuid.UUID).String() },
	"duration_text":  func(a []any) any { return Text(a[0]) },
	"text_int":       func(a []any) any { return parse(edm.Int64, a[0]) },
	"decimal_int":    func(a []any) any { return whole(Decimal(a[0])) },
	"double_int":     func(a []any) any { return fromDouble(double(a[0])) },
	"int_decimal":    func(a []any) any { return Decimal(a[0]) },
	"double_decimal": func(a []any) any { return decimalOf(double(a[0])) },
	"text_decimal":   func(a []any) any { return fromText(a[0].(string), edm.Decimal) },
	"text_double":    func(a []any) any { return fromText(a[0].(string), edm.Double) },
	"text_boolean":   func(a []any) any { return parse(edm.Boolean, a[0]) },
	"text_guid":      func(a []any) any { return parse(edm.Guid, a[0]) },
	"text_instant":   func(a []any) any { return parse(edm.DateTimeOffset, a[0]) },
	"double":         func(a []any) any { return double(a[0]) },
	"has":            func(a []any) any { return a[0].(int64)&a[1].(int64) == a[1].(int64) },
	"underlying":     func(a []any) any { return a[0] },
	"date_instant":   func(a []any) any { return parse(edm.DateTimeOffset, a[0].(string)+"T00:00:00Z") },
}

// The bounds of the instants both databases keep.
var (
	minInstant = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	maxInstant = time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// Call calls the overload with the ID over arguments of its parameters' types; a
// null argument gives null.
func Call(id string, args []any) any {
	for _, a := range args {
		if a == nil {
			return nil
		}
	}
	return functionOf(id)(args)
}

func functionOf(id string) func(a []any) any {
	if f := overLists[id]; f != nil {
		return func(a []any) any { return ofSlices(a, f) }
	}
	return functions[id]
}

// Decimal takes any number as a decimal; a double as the shortest decimal that reads
// back as it.
func Decimal(v any) edm.DecimalValue {
	switch v := v.(type) {
	case edm.DecimalValue:
		return v
	case int64:
		return edm.DecimalOf(v)
	case float64:
		if d, ok := edm.ParseDecimal(strconv.FormatFloat(v, 'g', -1, 64)); ok {
			return d
		}
	}
	return edm.DecimalOf(0)
}

func double(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case int64:
		return float64(v)
	case edm.DecimalValue:
		return v.Float64()
	}
	return math.NaN()
}

func whole(d edm.DecimalValue) any {
	if n, ok := d.Int64(); ok {
		return n
	}
	return nil
}

func orNil(d edm.DecimalValue, ok bool) any {
	if !ok {
		return nil
	}
	return d
}

func divide(a, b int64) any {
	if b == 0 || a == math.MinInt64 && b == -1 {
		return nil
	}
	return a / b
}

func modulo(a, b int64) any {
	if b == 0 {
		return nil
	}
	return a % b
}

// decimalOf gives null for what no decimal is.
func decimalOf(f float64) any {
	if finite(f) == nil {
		return nil
	}
	return Decimal(f)
}

// finite gives null for what is no number.
func finite(f float64) any {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	return f
}

func fromDouble(f float64) any {
	if f = math.Trunc(f); f >= math.MinInt64 && f < math.MaxInt64 {
		return int64(f)
	}
	return nil
}

// fromText reads text as the number types do in dynamic properties.
func fromText(s string, t edm.Primitive) any {
	if !decimal.MatchString(s) {
		return nil
	}
	return parse(t, s)
}

func parse(t edm.Primitive, text any) any {
	if v, ok := plan.Parse(t, text.(string)); ok {
		return v
	}
	return nil
}

func digits(text any, from, to int) any {
	s := text.(string)
	if len(s) < to {
		return nil
	}
	n, err := strconv.ParseInt(s[from:to], 10, 64)
	if err != nil {
		return nil
	}
	return n
}

func millionths(n int64) edm.DecimalValue {
	d, _ := edm.DecimalOf(n).Div(edm.DecimalOf(1e6))
	return d
}

func fraction(timeOfDay any) any {
	if n, ok := digits(timeOfDay, 9, 15).(int64); ok {
		return millionths(n)
	}
	return nil
}

func microsOf(d any) edm.DecimalValue { return edm.DecimalOf(d.(time.Duration).Microseconds()) }

func micros(d edm.DecimalValue, ok bool) any {
	if !ok {
		return nil
	}
	n, ok := d.Round().Int64()
	if !ok || n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
		return nil
	}
	return time.Duration(n) * time.Microsecond
}

func instant(t time.Time) any {
	if t.Before(minInstant) || t.After(maxInstant) {
		return nil
	}
	return t
}

func addDate(date string, d time.Duration) any {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return nil
	}
	if at, ok := instant(t.Add(d)).(time.Time); ok {
		return at.Format(time.DateOnly)
	}
	return nil
}

// indexOf counts in characters; -1 where s does not hold what.
func indexOf(s, what string) any {
	before, _, found := strings.Cut(s, what)
	if !found {
		return int64(-1)
	}
	return int64(len([]rune(before)))
}

// substring counts in characters; a negative start counts from the end (URL
// Conventions 4.01, section 5.1.1.7.3).
func substring(s string, start, length int64) any {
	runes := []rune(s)
	n := int64(len(runes))
	if start < 0 {
		start = max(0, n+start)
	}
	start = min(start, n)
	return string(runes[start:min(n, start+max(0, min(length, n)))])
}

// matches matches a regular expression, in time linear in the text.
func matches(s, pattern string) any {
	p, err := compiled(pattern)
	if err != nil {
		return nil
	}
	return p.MatchString(s)
}

// lastPattern keeps the pattern compiled last: a statement uses one over and over.
var lastPattern atomic.Pointer[regexp.Regexp]

func compiled(pattern string) (*regexp.Regexp, error) {
	if p := lastPattern.Load(); p != nil && p.String() == pattern {
		return p, nil
	}
	p, err := regexp.Compile(pattern)
	if err == nil {
		lastPattern.Store(p)
	}
	return p, err
}
