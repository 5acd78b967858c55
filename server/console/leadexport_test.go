package console

import (
	"strings"
	"testing"
)

// What strangers write into a lead is no formula in a file of leads, and numbers
// stay numbers.
func TestCellsAreNoFormulas(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"=1+1", "'=1+1"},
		{"+1+cmd|' /C calc'!A0", "'+1+cmd|' /C calc'!A0"},
		{"-2+3", "'-2+3"},
		{"@SUM(1)", "'@SUM(1)"},
		{"\t=1", "'\t=1"},
		{"\r=1", "'\r=1"},
		{"\n=1", "'\n=1"},
		{" =1", "' =1"},
		{"\u00a0=1", "'\u00a0=1"},
		{"＝1", "'＝1"},
		{"＠x", "'＠x"},
		{"+972501234567", "+972501234567"},
		{"-5.5", "-5.5"},
		{"+", "'+"},
		{"=5", "'=5"},
		{"", ""},
		{"Dana", "Dana"},
		{"a=b", "a=b"},
		{"1-2", "1-2"},
	} {
		var b strings.Builder
		f := newCSV(&b)
		if err := f.Row([]string{"x", c.text}); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		got := strings.TrimSuffix(strings.TrimPrefix(b.String(), "\ufeffx,"), "\n")
		if strings.HasPrefix(got, `"`) {
			got = strings.ReplaceAll(got[1:len(got)-1], `""`, `"`)
		}
		if got != c.want {
			t.Errorf("%q is written as %q, want %q", c.text, got, c.want)
		}
	}
}
