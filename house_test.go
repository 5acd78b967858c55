package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the packages from the top of the house to the bottom: each imports
// only what stands below it, and nothing that stands beside it.
var layers = [][]string{
	{"leadloop"},
	{"leadloop/server"},
	{"leadloop/server/console"},
	{"leadloop/server/staff"},
	{"leadloop/server/privacy", "leadloop/server/activity"},
	{"leadloop/feedback"},
	{"leadloop/routing"},
	{"leadloop/leads", "leadloop/keys"},
	{"leadloop/leads/rows"},
	{"leadloop/odata"},
	{"leadloop/odata/sqlgen", "leadloop/odata/payload"},
	{"leadloop/odata/eval"},
	{"leadloop/odata/plan"},
	{"leadloop/odata/edm", "leadloop/odata/uri", "leadloop/odata/batch"},
	{"leadloop/store"},
	{"leadloop/migrations", "leadloop/odata/fault"},
}

// TestHouse holds the import rules.
func TestHouse(t *testing.T) {
	layer := map[string]int{}
	for i, packages := range layers {
		for _, p := range packages {
			layer[p] = i
		}
	}
	for p, deps := range list(t) {
		if strings.HasSuffix(p, "test") { // store/storetest, for tests only
			continue
		}
		mine, ok := layer[p]
		if !ok {
			t.Errorf("%s has no place in the layers", p)
			continue
		}
		for _, d := range deps {
			switch below, ours := layer[d]; {
			case !strings.HasPrefix(d, "leadloop/"):
			case !ours:
				t.Errorf("%s depends on %s, which has no place in the layers", p, d)
			case below <= mine:
				t.Errorf("%s depends on %s, which does not stand below it", p, d)
			case strings.HasPrefix(p, "leadloop/odata") && d == "leadloop/store":
				t.Errorf("%s depends on %s: odata is a library for any model", p, d)
			}
		}
		domain := slices.Contains([]string{"leadloop/keys", "leadloop/leads", "leadloop/routing", "leadloop/feedback", "leadloop/server/privacy", "leadloop/server/activity"}, p)
		if domain && slices.Contains(deps, "leadloop/odata") {
			t.Errorf("%s depends on the OData service: domain packages know no HTTP server", p)
		}
		if (p == "leadloop/keys" || p == "leadloop/leads") && slices.Contains(deps, "net/http") {
			t.Errorf("%s depends on net/http", p)
		}
		if domain {
			noServer(t, strings.TrimPrefix(p, "leadloop/"))
		}
	}
}

// list gives every package of the module with all it depends on.
func list(t *testing.T) map[string][]string {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages[fields[0]] = fields[1:]
	}
	return packages
}

// noServer fails where a package that may be an HTTP client speaks of serving.
func noServer(t *testing.T, dir string) {
	files, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := s.X.(*ast.Ident)
			if ok && x.Name == "http" && slices.Contains([]string{"Handler", "HandlerFunc", "ResponseWriter", "Server", "ServeMux"}, s.Sel.Name) {
				t.Errorf("%s uses http.%s: domain packages know no HTTP server", file, s.Sel.Name)
			}
			return true
		})
	}
}
