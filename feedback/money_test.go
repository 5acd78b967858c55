package feedback

import (
	"strings"
	"testing"

	"leadloop/odata/fault"
)

func TestMoney(t *testing.T) {
	tests := []struct {
		amount, currency string
		target           string // "": it is taken
		says             string
	}{
		{"1250.50", "ILS", "", ""},
		{"0", "eur", "", ""},
		{"1250", "JPY", "", ""},
		{"1250.5", "JPY", "Amount", "more decimals than JPY has: 0"},
		{"1.005", "KWD", "", ""},
		{"1.0005", "KWD", "Amount", "more decimals than KWD has: 3"},
		{"1.005", "USD", "Amount", "more decimals than USD has: 2"},
		{"1.50", "RSD", "", ""}, // shown without decimals as a rule, but it has them
		{"1.2345", "CLF", "", ""},
		{"10", "SLE", "", ""},
		{"10", "", "Currency", "needs a Currency"},
		{"", "ILS", "Amount", "needs an Amount"},
		{"10", "NIS", "Currency", "not a currency"},
		{"10", "XXX", "Currency", "not a currency"},
		{"-1", "ILS", "Amount", "negative"},
		{"100000000000.01", "ILS", "Amount", "over 100000000000"},
		{"99999999999999999999", "ILS", "Amount", "over 100000000000"},
		{"1,250", "ILS", "Amount", "not a number"},
		{"1e3", "ILS", "Amount", "not a number"},
		{"1/3", "ILS", "Amount", "not a number"},
		{"1.00005", "ILS", "Amount", "more than 4 decimals"},
	}
	for _, tt := range tests {
		t.Run(tt.amount+" "+tt.currency, func(t *testing.T) {
			f, err := Item{"Amount": tt.amount, "Currency": tt.currency}.report()
			if err == nil {
				err = f.checkMoney()
			}
			if tt.target == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := wantFault(t, err, fault.Invalid, tt.target); !strings.Contains(e.Message, tt.says) {
				t.Errorf("message %q, want it to say %q", e.Message, tt.says)
			}
		})
	}
}
