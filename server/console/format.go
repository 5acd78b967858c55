package console

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/number"
)

// funcs are what templates call. They speak l's language.
func (c *Console) funcs(l *locale) template.FuncMap {
	return template.FuncMap{
		"t": l.T, "number": l.Number, "money": l.Money, "percent": l.Percent, "took": l.Took,
		"date": l.Date, "time": l.timeElement, "ago": l.agoElement,
		"static": c.assets.url, "icon": icon, "dict": dict,
		"agent": agentName,
		"rows":  l.rowsOf, "options": optionsHTML,
		"languages": func() []languageChoice { return choices(l.lang) },
	}
}

// dict makes a map of names and values, to give a part several things.
func dict(pairs ...any) (map[string]any, error) {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// Number writes a whole or decimal number.
func (l *locale) Number(n any) string {
	if i, ok := whole(n); ok {
		if said, ok := plain(i); ok {
			return said
		}
	}
	if f, ok := decimal(n); ok {
		return l.printer.Sprint(number.Decimal(f, number.MaxFractionDigits(2)))
	}
	return fmt.Sprint(n)
}

// Took writes how many milliseconds something took.
func (l *locale) Took(ms int64) string {
	if ms < 1 {
		return l.T("time.ms.under")
	}
	return l.T("time.ms", ms)
}

// Percent writes a share of 1 as whole percents.
func (l *locale) Percent(share float64) string {
	return l.printer.Sprint(number.Percent(share, number.MaxFractionDigits(0)))
}

// symbols are how currencies are written; others by their code.
var symbols = map[string]string{"ILS": "₪", "USD": "$", "EUR": "€", "GBP": "£"}

// Money writes an amount, a number or its text, in a currency by its ISO 4217
// code.
func (l *locale) Money(amount any, currency string) string {
	f, ok := decimal(amount)
	if !ok {
		return fmt.Sprint(amount)
	}
	digits := l.printer.Sprint(number.Decimal(f, number.MinFractionDigits(2), number.MaxFractionDigits(2)))
	symbol, known := symbols[currency]
	switch {
	case !known:
		return digits + "\u00a0" + currency
	case l.dir == "rtl":
		return digits + "\u00a0" + symbol
	}
	return symbol + digits
}

func decimal(v any) (float64, bool) {
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	return f, err == nil
}

// Date writes the day of an instant in the reader's time zone.
func (l *locale) Date(t time.Time) string {
	return t.In(l.place).Format(l.dateLayout())
}

func (l *locale) dateLayout() string {
	if l.lang == "he" {
		return "2.1.2006"
	}
	return "2 Jan 2006"
}

// Time writes an instant to the minute in the reader's time zone.
func (l *locale) Time(t time.Time) string { return l.Date(t) + " " + t.In(l.place).Format("15:04") }

// Ago writes how long ago an instant was, or, after some days, when.
func (l *locale) Ago(t time.Time) string {
	switch d := l.now().Sub(t); {
	case d < -time.Minute, d > 7*24*time.Hour:
		return l.Time(t)
	case d < time.Minute:
		return l.T("time.now")
	case d < time.Hour:
		return l.T("time.minutes", int(d.Minutes()))
	case d < 24*time.Hour:
		return l.T("time.hours", int(d.Hours()))
	default:
		return l.T("time.days", int(d.Hours()/24))
	}
}

func (l *locale) timeElement(t any) template.HTML { return l.element(t, false) }

func (l *locale) agoElement(t any) template.HTML { return l.element(t, true) }

// element is an instant as HTML has it, exact to the second when pointed at; a
// dash for nil and the zero time.
func (l *locale) element(v any, ago bool) template.HTML {
	var t time.Time
	switch v := v.(type) {
	case time.Time:
		t = v
	case *time.Time:
		if v != nil {
			t = *v
		}
	}
	var p pen
	l.instant(&p, t, ago)
	return p.html()
}

// languageChoice is a language the reader can choose.
type languageChoice struct {
	Code, Name string
	Current    bool
}

func choices(current string) []languageChoice {
	var list []languageChoice
	for _, l := range languages {
		list = append(list, languageChoice{l.code, l.name, l.code == current})
	}
	return list
}

// browsers and systems are told apart in a User-Agent by these, the more
// particular first, as most pretend to be others too.
var (
	browsers = [][2]string{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"}, {"CriOS/", "Chrome"}, {"Safari/", "Safari"}}
	systems  = [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// agentName names the browser and the system of a User-Agent, as far as they
// are known: "Firefox · Windows".
func agentName(agent string) string {
	var known []string
	for _, list := range [][][2]string{browsers, systems} {
		for _, pair := range list {
			if strings.Contains(agent, pair[0]) {
				known = append(known, pair[1])
				break
			}
		}
	}
	if len(known) == 0 {
		return agent
	}
	return strings.Join(known, " · ")
}
