package payload

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"

	"leadloop/odata/edm"
	"leadloop/odata/fault"
	"leadloop/odata/plan"
)

// storage is the value of an enumeration type's Go field as the type holds it.
func storage(v reflect.Value) any {
	switch {
	case v.CanInt():
		return v.Int()
	case v.CanUint():
		return int64(v.Uint())
	}
	return v.String()
}

// setMember sets field to a value of an enumeration type; false if it is none.
func setMember(value any, e *edm.Enum, field reflect.Value) bool {
	text, ok := value.(string)
	if !ok {
		return false
	}
	v, ok := e.Parse(text)
	if !ok {
		return false
	}
	switch n, integer := v.(int64); {
	case !integer:
		field.SetString(text)
	case field.CanInt() && !field.OverflowInt(n):
		field.SetInt(n)
	case field.CanUint() && n >= 0 && !field.OverflowUint(uint64(n)):
		field.SetUint(uint64(n))
	default:
		return false
	}
	return true
}

// decimalText is what setMinor reads: bounded, as a large exponent is a large
// number to hold.
var decimalText = regexp.MustCompile(`^-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,2})?$`)

// setMinor sets a field in minor units to a decimal number, exactly. Text is
// taken for a number too, as clients that keep decimals exact send it.
func setMinor(value any, p *edm.Property, field reflect.Value, target string) error {
	text := ""
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	wrong := fault.Newf(fault.Invalid, "expected %s, found %s", p.Type, kind(value)).At(target)
	if !decimalText.MatchString(text) {
		return wrong
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return wrong
	}
	r.Mul(r, new(big.Rat).SetInt(pow10(p.Scale)))
	if field.Kind() == reflect.Pointer {
		fresh := reflect.New(field.Type().Elem())
		field.Set(fresh)
		field = fresh.Elem()
	}
	n := r.Num()
	switch {
	case !r.IsInt():
		return fault.Newf(fault.Invalid, "%s has more than %d decimal places", p.Name, p.Scale).At(target)
	case !n.IsInt64() || field.CanInt() && field.OverflowInt(n.Int64()) || field.CanUint() && (n.Sign() < 0 || field.OverflowUint(n.Uint64())):
		return fault.Newf(fault.Invalid, "%s is too large a number for %s", text, p.Name).At(target)
	case field.CanInt():
		field.SetInt(n.Int64())
	default:
		field.SetUint(n.Uint64())
	}
	return nil
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// minor writes a property in minor units as the decimal number it is.
func (e *Encoder) minor(p *edm.Property, v reflect.Value) {
	value := p.Value(v)
	if value == nil {
		e.Raw("null")
		return
	}
	n, _ := new(big.Int).SetString(fmt.Sprint(value), 10) // an integer always reads back
	whole, rest := new(big.Int).QuoRem(n, pow10(p.Scale), new(big.Int))
	sign := ""
	if n.Sign() < 0 {
		sign = "-"
	}
	text := fmt.Sprintf("%s%d.%0*d", sign, whole.Abs(whole), p.Scale, rest.Abs(rest))
	if e.Style.Quotes(edm.Decimal) {
		text = strconv.Quote(text)
	}
	e.Raw(text)
}

// primitive sets field to a value of a primitive type; false if it is none.
func (d Decoder) primitive(value any, t edm.Primitive, field reflect.Value) bool {
	switch t {
	case edm.Untyped:
		field.Set(reflect.ValueOf(plain(value)))
		return true
	case edm.Boolean:
		b, ok := value.(bool)
		if ok {
			field.SetBool(b)
		}
		return ok
	case edm.String:
		s, ok := value.(string)
		if ok {
			field.SetString(s)
		}
		return ok
	case edm.SByte, edm.Byte, edm.Int16, edm.Int32, edm.Int64:
		n, ok := d.integer(value)
		if !ok || field.CanInt() && field.OverflowInt(n) || field.CanUint() && (n < 0 || field.OverflowUint(uint64(n))) {
			return false
		}
		if field.CanUint() {
			field.SetUint(uint64(n))
		} else {
			field.SetInt(n)
		}
		return true
	case edm.Single, edm.Double, edm.Decimal:
		f, ok := d.number(value)
		if !ok || field.OverflowFloat(f) && !math.IsInf(f, 0) {
			return false
		}
		field.SetFloat(f)
		return true
	case edm.Binary:
		text, ok := value.(string)
		b, ok2 := plan.Parse(t, text)
		if ok && ok2 {
			field.SetBytes(b.([]byte))
		}
		return ok && ok2
	}
	text, ok := value.(string)
	if !ok {
		return false
	}
	v, ok := plan.Parse(t, text)
	if !ok {
		return false
	}
	switch v := v.(type) {
	case time.Time, uuid.UUID:
		field.Set(reflect.ValueOf(v))
		return true
	case time.Duration:
		field.SetInt(int64(v))
		return true
	case string: // a Date, a TimeOfDay
		if field.Kind() == reflect.String {
			field.SetString(v)
			return true
		}
	}
	return false
}

// integer reads a JSON number without a fraction, such as 5, 5.0 or 5e2.
func (d Decoder) integer(value any) (int64, bool) {
	text, ok := "", false
	switch v := value.(type) {
	case json.Number:
		text, ok = v.String(), true
	case string:
		text, ok = v, d.IEEE754Compatible
	}
	if !ok {
		return 0, false
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	return int64(f), err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53
}

// number reads a JSON number, or one of the strings for those JSON has not.
func (d Decoder) number(value any) (float64, bool) {
	switch v := value.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case string:
		switch v {
		case "INF":
			return math.Inf(1), true
		case "-INF":
			return math.Inf(-1), true
		case "NaN":
			return math.NaN(), true
		}
		if d.IEEE754Compatible {
			f, err := strconv.ParseFloat(v, 64)
			return f, err == nil
		}
	}
	return 0, false
}
