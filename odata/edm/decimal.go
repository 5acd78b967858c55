package edm

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// DecimalValue is an exact decimal number, a value of type Edm.Decimal.
type DecimalValue struct {
	n     int64    // the number is n / 10^scale …
	scale uint8    // at most shortDigits
	long  *big.Rat // … or this, where it is not nil
}

// shortDigits is how many digits always fit in an int64.
const shortDigits = 18

var powersOfTen = func() (powers [shortDigits + 1]int64) {
	powers[0] = 1
	for i := range shortDigits {
		powers[i+1] = 10 * powers[i]
	}
	return powers
}()

// divisionScale is how many digits after the point a quotient is rounded to,
// half away from zero.
const divisionScale = 18

// maxDecimalText bounds the text of a decimal: an exponent could stand for
// gigabytes of digits.
const maxDecimalText = 400

// ParseDecimal reads a decimal literal, which may have an exponent; false for
// what is none.
func ParseDecimal(text string) (DecimalValue, bool) {
	if text == "" || len(text) > maxDecimalText || strings.IndexByte("+-.0123456789", text[0]) < 0 || strings.ContainsAny(text, "/_xXpP") {
		return DecimalValue{}, false
	}
	if d, ok := parseShort(text); ok {
		return d, true
	}
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > 308 || n < -400 {
			return DecimalValue{}, false
		}
	}
	r, ok := new(big.Rat).SetString(text)
	return DecimalValue{long: r}, ok
}

// parseShort reads a decimal without an exponent and of few digits, as most are.
func parseShort(text string) (d DecimalValue, ok bool) {
	unsigned := strings.TrimPrefix(text, "-")
	digits, point := 0, false
	for i := range len(unsigned) {
		switch c := unsigned[i]; {
		case c == '.' && !point:
			point = true
			continue
		case c < '0' || c > '9' || digits == shortDigits:
			return d, false
		default:
			d.n = 10*d.n + int64(c-'0')
		}
		digits++
		if point {
			d.scale++
		}
	}
	if len(unsigned) < len(text) {
		d.n = -d.n
	}
	return d, digits > 0
}

// DecimalOf returns the decimal equal to an integer.
func DecimalOf(n int64) DecimalValue { return DecimalValue{n: n} }

// rat is d as what calculates, not to be changed.
func (d DecimalValue) rat() *big.Rat {
	if d.long != nil {
		return d.long
	}
	return big.NewRat(d.n, powersOfTen[d.scale])
}

// String is the number without an exponent and without zeros at its end.
func (d DecimalValue) String() string {
	if d.long == nil && d.scale == 0 {
		return strconv.FormatInt(d.n, 10)
	}
	r := d.rat()
	digits, _ := r.FloatPrec() // exact: decimals only have finite expansions
	return r.FloatString(digits)
}

// MarshalJSON writes the number.
func (d DecimalValue) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }

// Float64 is the nearest double.
func (d DecimalValue) Float64() float64 {
	if d.long == nil && d.n > -1<<53 && d.n < 1<<53 { // both are exact as doubles
		return float64(d.n) / float64(powersOfTen[d.scale])
	}
	f, _ := d.rat().Float64()
	return f
}

// Int64 cuts off the fraction; false if the rest is too large.
func (d DecimalValue) Int64() (int64, bool) {
	if d.long == nil {
		return d.n / powersOfTen[d.scale], true
	}
	q := new(big.Int).Quo(d.long.Num(), d.long.Denom())
	return q.Int64(), q.IsInt64()
}

// IsInt reports whether d has no fraction.
func (d DecimalValue) IsInt() bool {
	if d.long == nil {
		return d.n%powersOfTen[d.scale] == 0
	}
	return d.long.IsInt()
}

// Cmp compares: -1, 0 or 1.
func (d DecimalValue) Cmp(x DecimalValue) int {
	if d.long == nil && x.long == nil && d.scale == x.scale {
		return cmp.Compare(d.n, x.n)
	}
	return d.rat().Cmp(x.rat())
}

// Add returns d + x.
func (d DecimalValue) Add(x DecimalValue) DecimalValue {
	return DecimalValue{long: new(big.Rat).Add(d.rat(), x.rat())}
}

// Sub returns d - x.
func (d DecimalValue) Sub(x DecimalValue) DecimalValue {
	return DecimalValue{long: new(big.Rat).Sub(d.rat(), x.rat())}
}

// Mul returns d * x.
func (d DecimalValue) Mul(x DecimalValue) DecimalValue {
	return DecimalValue{long: new(big.Rat).Mul(d.rat(), x.rat())}
}

// Div returns d / x, rounded; false if x is zero.
func (d DecimalValue) Div(x DecimalValue) (DecimalValue, bool) {
	if x.rat().Sign() == 0 {
		return DecimalValue{}, false
	}
	return DecimalValue{long: new(big.Rat).Quo(d.rat(), x.rat())}.round(divisionScale), true
}

// Mod returns the remainder of d / x, with the sign of d; false if x is zero.
func (d DecimalValue) Mod(x DecimalValue) (DecimalValue, bool) {
	if x.rat().Sign() == 0 {
		return DecimalValue{}, false
	}
	q := new(big.Rat).Quo(d.rat(), x.rat())
	whole := new(big.Rat).SetInt(new(big.Int).Quo(q.Num(), q.Denom()))
	return DecimalValue{long: whole.Sub(d.rat(), whole.Mul(whole, x.rat()))}, true
}

// Shift returns d with its point moved by that many places: 10 to the power of
// places times d.
func (d DecimalValue) Shift(places int) DecimalValue {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(places, -places))), nil)
	factor := new(big.Rat).SetInt(power)
	if places < 0 {
		factor.Inv(factor)
	}
	return DecimalValue{long: factor.Mul(factor, d.rat())}
}

// Neg returns -d.
func (d DecimalValue) Neg() DecimalValue { return DecimalValue{long: new(big.Rat).Neg(d.rat())} }

// Round returns the nearest integer, halves away from zero.
func (d DecimalValue) Round() DecimalValue { return d.round(0) }

// Floor returns the largest integer that is not larger.
func (d DecimalValue) Floor() DecimalValue {
	// Div is Euclidean: with a denominator above zero it rounds down.
	return DecimalValue{long: new(big.Rat).SetInt(new(big.Int).Div(d.rat().Num(), d.rat().Denom()))}
}

// Ceiling returns the smallest integer that is not smaller.
func (d DecimalValue) Ceiling() DecimalValue { return d.Neg().Floor().Neg() }

// round rounds to digits after the point, halves away from zero.
func (d DecimalValue) round(digits int) DecimalValue {
	r, ok := new(big.Rat).SetString(d.rat().FloatString(digits)) // rounds halves away from zero
	if !ok {
		return d
	}
	return DecimalValue{long: r}
}
