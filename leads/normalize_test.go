package leads

import "testing"

func TestE164(t *testing.T) {
	tests := []struct{ text, region, want string }{
		{"050-1234567", "IL", "+972501234567"}, // of no range in use, but long enough
		{"054-765-4321", "IL", "+972547654321"},
		{" (03) 612 34 56 ", "IL", "+97236123456"},
		{"972501234567", "IL", "+972501234567"},
		{"+972-(0)50-1234567", "IL", "+972501234567"},
		{"00972-50-1234567", "IL", "+972501234567"},
		{"٠٥٠١٢٣٤٥٦٧", "IL", "+972501234567"},
		{"1-700-123-456", "IL", "+9721700123456"},
		{"+45 32123456", "IL", "+4532123456"},
		{"32 12 34 56", "DK", "+4532123456"},
		{"0721 234 567", "RO", "+40721234567"},
		{"(202) 555-0123", "US", "+12025550123"},
		{"050-123456", "IL", ""},
		{"1234567", "IL", ""},
		{"000-0000000", "IL", ""},
		{"+999 123456789", "IL", ""},
		{"*2700", "IL", ""},
		{"none", "IL", ""},
	}
	for _, test := range tests {
		got := ""
		if p := e164(test.text, test.region); p != nil {
			got = *p
		}
		if got != test.want {
			t.Errorf("%q in %s: got %q, want %q", test.text, test.region, got, test.want)
		}
	}
}

func TestEmail(t *testing.T) {
	tests := []struct{ text, want string }{
		{"Noa@Example.CO.IL", "noa@example.co.il"},
		{"mailto:noa@example.com", "noa@example.com"},
		{"נועה לוי <noa@example.com>", "noa@example.com"},
		{"noa+ads@example.com", "noa+ads@example.com"},
		{"noa@דוגמה.ישראל", "noa@דוגמה.ישראל"},
		{"noa", ""},
		{"noa@localhost", ""},
		{"noa@", ""},
		{"@example.com", ""},
		{"noa@example..com", ""},
		{"noa@[10.0.0.1]", ""},
		{"noa levi@example.com", ""},
		{"a@b.co, c@d.co", ""},
	}
	for _, test := range tests {
		if got, _ := email(test.text); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestCleanText(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"white space", oneLine("  תל\u00a0 אביב\t\n"), "תל אביב"},
		{"direction marks", oneLine("\u200f\u202bנועה\u202c\u200e"), "נועה"},
		{"control characters", oneLine("No\x07a\x1b"), "Noa"},
		{"NFC", oneLine("Rene\u0301"), "René"},
		{"NFC once a mark is gone", oneLine("Rene\u200b\u0301"), "René"},
		{"joiners stay", oneLine("می\u200cخواهم"), "می\u200cخواهم"},
		{"lines", lines(" a\r\n\tb \n\x00"), "a\n\tb"},
	}
	for _, test := range tests {
		if test.got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, test.got, test.want)
		}
	}
}
