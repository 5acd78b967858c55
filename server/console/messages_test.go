package console

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What asks for a message: t "…" in a template, T("…") in Go. A key that ends
// with a dot is put together with what comes after it.
var (
	asked     = regexp.MustCompile(`\bT\("([^"]+)"|\bt "([^"]+)"|\bt \(print "([^"]+)"`)
	action    = regexp.MustCompile(`(?s){{.*?}}`)
	markup    = regexp.MustCompile(`(?s)<[^>]*>`)
	flags     = regexp.MustCompile(`\b(required|autofocus|checked|selected|disabled|readonly|hidden)\b`) // in definitions that are attributes
	attribute = regexp.MustCompile(`[\w-]+="[^"]*"`)
	spoken1   = regexp.MustCompile(`(?:aria-label|title|placeholder|alt|value)="([^"]*\pL[^"]*)"`)
)

// sources are the files that show messages: templates and Go.
func sources(t *testing.T) map[string]string {
	t.Helper()
	list := map[string]string{}
	for _, pattern := range []string{"*.go", "templates/*.html", "templates/parts/*.html"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") || name == "doc.go" {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			list[name] = string(text)
		}
	}
	return list
}

// TestMessages holds the catalogues against each other and against what is asked
// for: none is missing in a language, none is unused, and arguments are the same.
func TestMessages(t *testing.T) {
	all, err := loadCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	used, prefixes := map[string]string{}, []string{}
	for name, text := range sources(t) {
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			key := m[1] + m[2] + m[3]
			if strings.HasSuffix(key, ".") {
				prefixes = append(prefixes, key)
			} else {
				used[key] = name
			}
		}
	}
	for lang, c := range all {
		for key, where := range used {
			if _, ok := c.messages[key]; !ok {
				t.Errorf("%s has no %s, which %s asks for", lang, key, where)
			}
		}
		for key, said := range c.messages {
			composed := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
			if _, ok := used[key]; !ok && !composed {
				t.Errorf("%s: nothing asks for %s", lang, key)
			}
			for other, o := range all {
				if _, ok := o.messages[key]; !ok {
					t.Errorf("%s has no %s", other, key)
				} else if a, b := arguments(said), arguments(o.messages[key]); !slices.Equal(a, b) {
					t.Errorf("%s: the arguments are %v in %s, %v in %s", key, a, lang, b, other)
				}
			}
		}
	}
}

// arguments are the placeholders of a message in its general form.
func arguments(m text) []string {
	list := regexp.MustCompile(`{\d}`).FindAllString(m["other"], -1)
	slices.Sort(list)
	return slices.Compact(list)
}

// TestTemplatesSayNothingThemselves finds words in templates that are in no
// catalogue, and styles and scripts that the policy forbids.
func TestTemplatesSayNothingThemselves(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(sources(t))) {
		if !strings.HasSuffix(name, ".html") {
			continue
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		plain := action.ReplaceAllString(string(content), "")
		if m := spoken1.FindStringSubmatch(regexp.MustCompile(`(?s)<meta[^>]*>|<input[^>]*type="(?:checkbox|hidden)"[^>]*>|<button[^>]*name="[^"]*" value="[^"]*"`).ReplaceAllString(plain, "")); m != nil {
			t.Errorf("%s says %q", name, m[1])
		}
		if m := regexp.MustCompile(`\pL+`).FindString(attribute.ReplaceAllString(markup.ReplaceAllString(flags.ReplaceAllString(plain, ""), ""), "")); m != "" {
			t.Errorf("%s says %q", name, m)
		}
		for _, forbidden := range []string{" style=", "<style", "<script>", " onclick=", "http://", "https://"} {
			if strings.Contains(plain, forbidden) {
				t.Errorf("%s has %s, which the policy forbids", name, forbidden)
			}
		}
	}
}

// TestTemplates makes every page's templates, which the program does when a page
// is first asked for.
func TestTemplates(t *testing.T) {
	catalogues, err := loadCatalogues()
	if err != nil {
		t.Fatal(err)
	}
	c := &Console{catalogues: catalogues}
	names, err := filepath.Glob("templates/*.html")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		if _, err := c.template("en", defaultZone, strings.TrimSuffix(filepath.Base(name), ".html")); err != nil {
			t.Error(err)
		}
	}
}

// TestStylesheetIsLogical finds properties that do not turn with the direction,
// and whatever comes from another host.
func TestStylesheetIsLogical(t *testing.T) {
	physical := regexp.MustCompile(`(?m)[;{\s](left|right|(?:margin|padding|border)-(?:left|right|top|bottom)|width|height|(?:min|max)-(?:width|height))\s*:|url\(|@import`)
	names, err := fs.Glob(files, "static/css/*.css")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		text := regexp.MustCompile(`@media[^{]*`).ReplaceAllString(string(content), "")
		if m := physical.FindString(text); m != "" {
			t.Errorf("%s has %q", name, m)
		}
	}
}
