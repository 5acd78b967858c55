package edm

import (
	"math/big"
	"testing"
)

// TestDecimals compares decimals, those kept short and those that are not, with
// exact fractions.
func TestDecimals(t *testing.T) {
	texts := []string{
		"0", "-0", "-0.0", "5", "-5", "007", "+5", "0.5", "-0.5", ".5", "-.5", "5.", "99.5", "1.50", "1.5", "-1.25", "0.1", "-0.3",
		"999999999999999999", "-999999999999999999", "0.000000000000000001", "123456789.123456789", "9007199254740993",
		"9223372036854775807", "-9223372036854775808", "9223372036854775808", "0.0000000000000000001", "1234567890.0123456789",
		"1e3", "15E-1", "1e100",
	}
	rat := func(text string) *big.Rat {
		r, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%s is no number", text)
		}
		return r
	}
	for _, text := range texts {
		d, ok := ParseDecimal(text)
		r := rat(text)
		if !ok || rat(d.String()).Cmp(r) != 0 {
			t.Errorf("%s is read as %s", text, d)
			continue
		}
		if f, _ := r.Float64(); d.Float64() != f {
			t.Errorf("%s as a double: %v, want %v", text, d.Float64(), f)
		}
		if d.IsInt() != r.IsInt() {
			t.Errorf("%s is whole: %v", text, d.IsInt())
		}
		whole := new(big.Int).Quo(r.Num(), r.Denom())
		if n, ok := d.Int64(); ok != whole.IsInt64() || ok && n != whole.Int64() {
			t.Errorf("%s cut to an integer: %d, %v, want %s", text, n, ok, whole)
		}
		for _, other := range texts {
			x, _ := ParseDecimal(other)
			if got, want := d.Cmp(x), r.Cmp(rat(other)); got != want {
				t.Errorf("%s compared with %s: %d, want %d", text, other, got, want)
			}
			if sum := d.Add(x).String(); rat(sum).Cmp(new(big.Rat).Add(r, rat(other))) != 0 {
				t.Errorf("%s + %s = %s", text, other, sum)
			}
		}
	}
	for _, text := range []string{"", "-", ".", "-.", "+", "1.2.3", "1-2", "a", "1_000", "1/2", "0x10", "1e999"} {
		if d, ok := ParseDecimal(text); ok {
			t.Errorf("%q is read as %s", text, d)
		}
	}
}
