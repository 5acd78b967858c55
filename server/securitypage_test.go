package server

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestAuditPage(t *testing.T)   { t.Parallel(); runPage(t, "security.md", "Who changed what") }
func TestPrivacyPage(t *testing.T) { t.Parallel(); runPage(t, "security.md", "Personal data") }

// Every risk of OWASP's list has a row that names a test, and every test that
// docs/security.md names is there.
func TestSecurityTable(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	exists := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]*)\(`)
	if err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(code, -1) {
			exists[string(m[1])] = true
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Za-z0-9]*)`")
	for _, m := range named.FindAllStringSubmatch(string(text), -1) {
		if !exists[m[1]] {
			t.Errorf("there is no %s", m[1])
		}
	}
	rows := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, " | ")
		if risk, _, _ := strings.Cut(strings.TrimPrefix(cells[0], "| "), " "); strings.HasPrefix(risk, "API") && len(cells) == 3 {
			rows[risk] = named.MatchString(cells[2])
		}
	}
	for _, risk := range strings.Fields("API1 API2 API3 API4 API5 API6 API7 API8 API9 API10") {
		if !rows[risk] {
			t.Errorf("no test shows %s", risk)
		}
	}
}
