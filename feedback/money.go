package feedback

import (
	"strings"

	"golang.org/x/text/currency"

	"leadloop/odata/fault"
)

// mostAmount bounds amounts so that each is exact as a JSON number too.
const mostAmount = 100_000_000_000 * amountUnits

// amountUnits is how many units of Amount are one of the currency; amountDigits
// is how many decimals those are.
const (
	amountUnits  = 10_000
	amountDigits = 4
)

// digits are the decimals of currencies, by ISO 4217, that do not have two.
// (Those of x/text are how many are customarily shown.)
var digits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0,
	"VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// newer are the currencies that x/text does not know yet.
var newer = map[string]bool{"MRU": true, "SLE": true, "UYW": true, "VED": true, "VES": true, "XCG": true, "ZWG": true}

// checkMoney validates Amount and Currency, which go together, and writes the
// currency in capitals.
func (f *Feedback) checkMoney() error {
	if f.Currency != nil {
		code := strings.ToUpper(strings.TrimSpace(*f.Currency))
		if !isCurrency(code) {
			return fault.Newf(fault.Invalid, "%q is not a currency of ISO 4217, such as ILS or EUR", *f.Currency).At("Currency")
		}
		f.Currency = &code
	}
	switch {
	case f.Amount == nil && f.Currency == nil:
		return nil
	case f.Amount == nil:
		return fault.New(fault.Invalid, "Currency needs an Amount").At("Amount")
	case f.Currency == nil:
		return fault.New(fault.Invalid, "Amount needs a Currency").At("Currency")
	case *f.Amount < 0:
		return fault.New(fault.Invalid, "Amount is negative; a return is reported by its reason").At("Amount")
	case *f.Amount > mostAmount:
		return fault.Newf(fault.Invalid, "Amount is over %d", int64(mostAmount/amountUnits)).At("Amount")
	}
	n, listed := digits[*f.Currency]
	if !listed {
		n = 2
	}
	smallest := int64(1)
	for range amountDigits - n {
		smallest *= 10
	}
	if *f.Amount%smallest != 0 {
		return fault.Newf(fault.Invalid, "Amount has more decimals than %s has: %d", *f.Currency, n).At("Amount")
	}
	return nil
}

func isCurrency(code string) bool {
	if newer[code] {
		return true
	}
	if code == "XXX" || code == "XTS" { // none at all, and one for tests
		return false
	}
	_, err := currency.ParseISO(code)
	return err == nil
}
