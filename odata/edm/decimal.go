package edm

import (
	"math/big"
	"strconv"
	"strings"
)

// DecimalValue is an exact decimal number, a value of type Edm.Decimal.
type DecimalValue struct{ r *big.Rat }

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
	if _, exponent, ok := strings.Cut(strings.ToLower(text), "e"); ok {
		if n, err := strconv.Atoi(exponent); err != nil || n > 308 || n < -400 {
			return DecimalValue{}, false
		}
	}
	r, ok := new(big.Rat).SetString(text)
	return DecimalValue{r}, ok
}

// DecimalOf returns the decimal equal to an integer.
func DecimalOf(n int64) DecimalValue { return DecimalValue{new(big.Rat).SetInt64(n)} }

// String is the number without an exponent and without zeros at its end.
func (d DecimalValue) String() string {
	if d.r.IsInt() {
		return d.r.Num().String()
	}
	digits, _ := d.r.FloatPrec() // exact: decimals only have finite expansions
	return d.r.FloatString(digits)
}

// MarshalJSON writes the number.
func (d DecimalValue) MarshalJSON() ([]byte, error) { return []byte(d.String()), nil }

// Float64 is the nearest double.
func (d DecimalValue) Float64() float64 {
	f, _ := d.r.Float64()
	return f
}

// Int64 cuts off the fraction; false if the rest is too large.
func (d DecimalValue) Int64() (int64, bool) {
	q := new(big.Int).Quo(d.r.Num(), d.r.Denom())
	return q.Int64(), q.IsInt64()
}

// IsInt reports whether d has no fraction.
func (d DecimalValue) IsInt() bool { return d.r.IsInt() }

// Cmp compares: -1, 0 or 1.
func (d DecimalValue) Cmp(x DecimalValue) int { return d.r.Cmp(x.r) }

// Add returns d + x.
func (d DecimalValue) Add(x DecimalValue) DecimalValue {
	return DecimalValue{new(big.Rat).Add(d.r, x.r)}
}

// Sub returns d - x.
func (d DecimalValue) Sub(x DecimalValue) DecimalValue {
	return DecimalValue{new(big.Rat).Sub(d.r, x.r)}
}

// Mul returns d * x.
func (d DecimalValue) Mul(x DecimalValue) DecimalValue {
	return DecimalValue{new(big.Rat).Mul(d.r, x.r)}
}

// Div returns d / x, rounded; false if x is zero.
func (d DecimalValue) Div(x DecimalValue) (DecimalValue, bool) {
	if x.r.Sign() == 0 {
		return DecimalValue{}, false
	}
	return DecimalValue{new(big.Rat).Quo(d.r, x.r)}.round(divisionScale), true
}

// Mod returns the remainder of d / x, with the sign of d; false if x is zero.
func (d DecimalValue) Mod(x DecimalValue) (DecimalValue, bool) {
	if x.r.Sign() == 0 {
		return DecimalValue{}, false
	}
	q := new(big.Rat).Quo(d.r, x.r)
	whole := new(big.Rat).SetInt(new(big.Int).Quo(q.Num(), q.Denom()))
	return DecimalValue{whole.Sub(d.r, whole.Mul(whole, x.r))}, true
}

// Shift returns d with its point moved by that many places: 10 to the power of
// places times d.
func (d DecimalValue) Shift(places int) DecimalValue {
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(places, -places))), nil)
	if places < 0 {
		return DecimalValue{new(big.Rat).Mul(d.r, new(big.Rat).SetFrac(big.NewInt(1), power))}
	}
	return DecimalValue{new(big.Rat).Mul(d.r, new(big.Rat).SetInt(power))}
}

// Neg returns -d.
func (d DecimalValue) Neg() DecimalValue { return DecimalValue{new(big.Rat).Neg(d.r)} }

// Round returns the nearest integer, halves away from zero.
func (d DecimalValue) Round() DecimalValue { return d.round(0) }

// Floor returns the largest integer that is not larger.
func (d DecimalValue) Floor() DecimalValue {
	// Div is Euclidean: with a denominator above zero it rounds down.
	return DecimalValue{new(big.Rat).SetInt(new(big.Int).Div(d.r.Num(), d.r.Denom()))}
}

// Ceiling returns the smallest integer that is not smaller.
func (d DecimalValue) Ceiling() DecimalValue { return d.Neg().Floor().Neg() }

// round rounds to digits after the point, halves away from zero.
func (d DecimalValue) round(digits int) DecimalValue {
	r, ok := new(big.Rat).SetString(d.r.FloatString(digits)) // rounds halves away from zero
	if !ok {
		return d
	}
	return DecimalValue{r}
}
