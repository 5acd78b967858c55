package console

import (
	"testing"
	"time"

	"leadloop/odata/fault"
)

func speakers(t *testing.T) (english, hebrew *locale) {
	t.Helper()
	catalogues, err := loadCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }
	c := &Console{Options: Options{Now: now}, catalogues: catalogues}
	english, err = c.locale("en", "America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	if hebrew, err = c.locale("he", defaultZone); err != nil {
		t.Fatal(err)
	}
	return english, hebrew
}

func TestLocale(t *testing.T) {
	en, he := speakers(t)
	at := time.Date(2026, 11, 22, 9, 58, 0, 0, time.UTC)
	for name, c := range map[string]struct{ got, want string }{
		"plural of one":       {en.T("time.hours", 1), "1 hour ago"},
		"plural":              {en.T("time.hours", 3), "3 hours ago"},
		"Hebrew one":          {he.T("time.hours", 1), "לפני שעה"},
		"Hebrew two":          {he.T("time.hours", 2), "לפני שעתיים"},
		"Hebrew many":         {he.T("time.hours", 21), "לפני 21 שעות"},
		"argument kept apart": {he.T("customers.created", "Acme"), "\u2068Acme\u2069 נוצר."},
		"missing":             {he.T("no.such"), "⟦no.such⟧"},
		"ago":                 {he.Ago(at), "לפני שתי דקות"},
		"long ago":            {en.Ago(at.AddDate(0, -1, 0)), "22 Oct 2026 05:58"},
		"zone":                {en.Time(at), "22 Nov 2026 04:58"},
		"Hebrew zone":         {he.Time(at), "22.11.2026 11:58"},
		"number":              {en.Number(1234567), "1,234,567"},
		"decimal":             {he.Number(1234.5), "1,234.5"},
		"money":               {en.Money("1234.5", "ILS"), "₪1,234.50"},
		"Hebrew money":        {he.Money(1234.5, "ILS"), "1,234.50\u00a0₪"},
		"other money":         {en.Money(12, "DKK"), "12.00\u00a0DKK"},
		"percent":             {en.Percent(0.256), "26%"},
		"element": {
			string(he.timeElement(&at)),
			`<time datetime="2026-11-22T09:58:00Z" title="22.11.2026 11:58:00 Asia/Jerusalem">22.11.2026 11:58</time>`,
		},
		"never":         {string(he.agoElement((*time.Time)(nil))), "–"},
		"fault":         {he.faultText(fault.New(fault.Invalid, "Name is required").At("Name")), "שדה חובה"},
		"fault's parts": {he.faultMessage("Name is longer or larger than 200"), "לכל היותר 200"},
		"unknown fault": {he.faultMessage("no such thing"), "no such thing"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", name, c.got, c.want)
		}
	}
}
