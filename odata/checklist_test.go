package odata_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// levels are the items that OData Protocol 4.01, chapter 13, has on each level of
// conformance for what a service must and should do.
var levels = map[string]string{
	"4.0 Minimal":             "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
	"4.0 Minimal, updatable":  "18 19 20 21 22 23 24 25 26 27 28 29 30 31 32",
	"4.0 Intermediate":        "1 2 3 4 5 6 7.1 7.2 7.3 7.4 7.5 8 9 10 11 12 13 14 15 16 17",
	"4.0 Advanced":            "1 2 3 4 5 6 7 8 9.1 9.2 9.3 9.4 9.5 9.6 9.7 9.8 10 11 12 13 14 15",
	"4.01 Minimal":            "1 2 3 4 5 6 7 8 9.1 9.2 9.3 9.4 9.5 9.6 9.7 9.8 9.9 9.10 9.11 10 11 12 13",
	"4.01 Minimal, updatable": "18 19 20 21 22",
	"4.01 Intermediate":       "1 2 3 4 5 6 7 8 9",
	"4.01 Advanced":           "1 2 3 4 5.1 5.2 5.3 5.4 5.5 6 7 8 9",
}

var (
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Example)[A-Za-z0-9]*)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)[A-Za-z0-9]*)\(`)
)

// TestChecklist: docs/odata.md has every item of every level, shown by tests that
// exist or by the level below.
func TestChecklist(t *testing.T) {
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	exists := testNames(t)
	for _, m := range namedTest.FindAllStringSubmatch(string(text), -1) {
		if !exists[m[1]] {
			t.Errorf("%s names the test %s, which is not there", docs, m[1])
		}
	}
	_, checklist, _ := strings.Cut(string(text), "\n## Conformance\n")
	found := map[string][]string{}
	level := ""
	for line := range strings.Lines(checklist) {
		if title, ok := strings.CutPrefix(line, "### "); ok {
			level = strings.TrimSpace(title)
		}
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 4 || cells[1] != "MUST" && cells[1] != "SHOULD" {
			continue
		}
		item := strings.TrimPrefix(cells[0], "| ")
		found[level] = append(found[level], item)
		if shown := strings.TrimSuffix(cells[3], " |"); shown != "above" && !namedTest.MatchString(shown) {
			t.Errorf("%s, %s, item %s: no test shows it: %s", docs, level, item, shown)
		}
	}
	for level, items := range levels {
		if got := found[level]; !slices.Equal(got, strings.Fields(items)) {
			t.Errorf("%s, %s: the items are %v, want %s", docs, level, got, items)
		}
	}
}

// testNames are the names of all tests of the packages.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, pattern := range []string{"../*/*_test.go", "*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range testFunc.FindAllStringSubmatch(string(source), -1) {
				names[m[1]] = true
			}
		}
	}
	return names
}
