package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"leadloop/odata/fault"
)

type spokenLanguage struct {
	tag  language.Tag
	code string
	name string // in itself
	dir  string
}

// languages are those of the console, the first for whoever asks for none of
// them. Each has a folder of messages.
var languages = []spokenLanguage{
	{language.English, "en", "English", "ltr"},
	{language.Hebrew, "he", "עברית", "rtl"},
}

var matcher = func() language.Matcher {
	var tags []language.Tag
	for _, l := range languages {
		tags = append(tags, l.tag)
	}
	return language.NewMatcher(tags)
}()

// defaultZone is the time zone of users who chose none.
const defaultZone = "Asia/Jerusalem"

// catalogue are the messages of one language. A key is the noun of a page and a
// name, "customers.title"; messages/<language>/<noun>.json holds those of a
// noun, and <noun>.faults.json what its domain functions say.
type catalogue struct {
	messages map[string]text
	faults   []faultPattern
}

// text is a message. It is one string, or one for each plural form, by the first
// argument: {"one": …, "two": …, "other": …}. {0}, {1} … are the arguments.
type text map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = text{"other": one}
		return nil
	}
	return json.Unmarshal(b, (*map[string]string)(t))
}

// faultPattern says in the catalogue's language what a domain function says in
// English. What stands in for {0}, {1} … is taken over.
type faultPattern struct {
	from    *regexp.Regexp
	literal string // which is in all that match: looking for it is quick
	to      string
}

func loadCatalogues() (map[string]*catalogue, error) {
	all := map[string]*catalogue{}
	for _, l := range languages {
		c := &catalogue{messages: map[string]text{}}
		names, err := fs.Glob(files, "messages/"+l.code+"/*.json")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, err := files.ReadFile(name)
			if err == nil {
				err = c.add(path.Base(name), content)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		all[l.code] = c
	}
	return all, nil
}

func (c *catalogue) add(name string, content []byte) error {
	if strings.HasSuffix(name, "faults.json") {
		var pairs [][2]string
		if err := json.Unmarshal(content, &pairs); err != nil {
			return err
		}
		for _, p := range pairs {
			c.faults = append(c.faults, faultPattern{faultRegexp(p[0]), longestLiteral(p[0]), p[1]})
		}
		return nil
	}
	var messages map[string]text
	if err := json.Unmarshal(content, &messages); err != nil {
		return err
	}
	for key, m := range messages {
		if _, twice := c.messages[key]; twice {
			return fmt.Errorf("%s is there twice", key)
		}
		c.messages[key] = m
	}
	return nil
}

// placeholder is {0} as QuoteMeta leaves it.
var placeholder = regexp.MustCompile(`\\\{\d\\\}`)

var plainPlaceholder = regexp.MustCompile(`\{\d\}`)

// longestLiteral is the longest part of a pattern that stands for itself.
func longestLiteral(pattern string) (longest string) {
	for part := range strings.SplitSeq(plainPlaceholder.ReplaceAllString(pattern, "\x00"), "\x00") {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

func faultRegexp(pattern string) *regexp.Regexp {
	return regexp.MustCompile("(?s)^" + placeholder.ReplaceAllString(regexp.QuoteMeta(pattern), "(.+?)") + `\.?$`)
}

// locale says everything in one language and time zone.
type locale struct {
	lang, dir, zone string
	place           *time.Location
	printer         *message.Printer
	tag             language.Tag
	messages        *catalogue
	now             func() time.Time
}

func (c *Console) locale(lang, zone string) (*locale, error) {
	l := &locale{lang: languages[0].code, zone: zone, now: c.Now}
	place, err := time.LoadLocation(zone)
	if err != nil {
		return nil, fmt.Errorf("time zone: %w", err)
	}
	l.place = place
	for i, known := range languages {
		if known.code == lang || i == 0 {
			l.lang, l.dir, l.tag = known.code, known.dir, known.tag
		}
	}
	l.messages = c.catalogues[l.lang]
	l.printer = message.NewPrinter(l.tag)
	return l, nil
}

// T is the message of key with its arguments: numbers are written as the
// language does, and other values as they are, kept apart from the direction of
// the text around them. A key that is missing shows itself in brackets.
func (l *locale) T(key string, args ...any) string {
	forms, ok := l.messages.messages[key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	form := "other"
	if len(forms) > 1 && len(args) > 0 {
		if n, ok := whole(args[0]); ok {
			form = pluralForm(l.tag, n)
		}
	}
	said, ok := forms[form]
	if !ok {
		said = forms["other"]
	}
	if len(args) == 0 {
		return said
	}
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = l.argument(a)
	}
	return fill(said, texts)
}

func (l *locale) argument(a any) string {
	if n, ok := whole(a); ok {
		if said, ok := plain(n); ok {
			return said
		}
		return l.printer.Sprint(n)
	}
	text, ok := a.(string)
	if !ok {
		text = fmt.Sprint(a)
	}
	if text == "" {
		return ""
	}
	return "\u2068" + text + "\u2069"
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case int32:
		return int64(n), true
	}
	return 0, false
}

func pluralForm(tag language.Tag, n int64) string {
	switch plural.Cardinal.MatchPlural(tag, int(n%10_000_000), 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}

// faultText is what a fault says, in the reader's language where it is known.
func (l *locale) faultText(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err.Error()
	}
	return l.faultMessage(f.Message)
}

func (l *locale) faultMessage(message string) string {
	for _, p := range l.messages.faults {
		if !strings.Contains(message, p.literal) {
			continue
		}
		if m := p.from.FindStringSubmatch(message); m != nil {
			said := p.to
			for i, part := range m[1:] {
				said = strings.ReplaceAll(said, "{"+strconv.Itoa(i)+"}", part)
			}
			return said
		}
	}
	return message
}

const languageCookie = "leadloop_language"

// settle finds the language and the time zone of the visit: those of the
// profile, or the language of the cookie, or what the browser asks for.
func (v *visit) settle() (err error) {
	lang, zone := "", defaultZone
	if v.User != nil {
		lang = v.User.Language
		if v.User.TimeZone != "" {
			zone = v.User.TimeZone
		}
	}
	if cookie, err := v.R.Cookie(languageCookie); lang == "" && err == nil {
		lang = cookie.Value
	}
	if !spoken(lang) {
		_, i := language.MatchStrings(matcher, v.R.Header.Get("Accept-Language"))
		lang = languages[i].code
	}
	v.locale, err = v.Console.locale(lang, zone)
	return err
}

func spoken(lang string) bool {
	return slices.ContainsFunc(languages, func(l spokenLanguage) bool { return l.code == lang })
}

// speak remembers in the browser which language was chosen.
func (v *visit) speak(lang string) {
	if spoken(lang) {
		v.setCookie(&http.Cookie{Name: languageCookie, Value: lang, MaxAge: 365 * 24 * 3600})
	}
}

// Lang is the language's code.
func (l *locale) Lang() string { return l.lang }

// Dir is the direction of the language.
func (l *locale) Dir() string { return l.dir }

// Zone is the name of the time zone.
func (l *locale) Zone() string { return l.zone }
