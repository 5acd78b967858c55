package console

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	cssComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	cssRule    = regexp.MustCompile(`([^{}]+)\{[^{}]*\}`)
	cssName    = regexp.MustCompile(`[.#]([A-Za-z][\w-]*)`)
)

// TestStyles holds that a page's styles are for that page: each selector has a name
// of its own, which the styles of no other page have.
func TestStyles(t *testing.T) {
	files, err := filepath.Glob("static/css/*.css")
	if err != nil {
		t.Fatal(err)
	}
	shared, owner := map[string]bool{}, map[string]string{}
	for _, file := range files { // those shared begin with a number, and so come first
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all := filepath.Base(file)[0] <= '9'
		for _, rule := range cssRule.FindAllStringSubmatch(cssComment.ReplaceAllString(string(text), ""), -1) {
			for selector := range strings.SplitSeq(rule[1], ",") {
				own := 0
				for _, m := range cssName.FindAllStringSubmatch(selector, -1) {
					switch name := m[1]; {
					case all:
						shared[name] = true
					case shared[name]:
					case owner[name] != "" && owner[name] != file:
						t.Errorf("%s is styled in %s and in %s", name, owner[name], file)
					default:
						owner[name], own = file, own+1
					}
				}
				if !all && own == 0 {
					t.Errorf("%s styles %q, which other pages have too", file, strings.TrimSpace(selector))
				}
			}
		}
	}
}
