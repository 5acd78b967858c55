package server

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// guides are the pages whose examples are run, each from its top to the section
// named, which another test runs. The first example starts the server as $SERVER.
var guides = map[string]string{"intake.md": "Sending outcomes back"}

// block is a fenced block of a page: sh is an example, text behind it is its
// output.
var block = regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$")

// differing is what is another each time in the output of examples.
var differing = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// TestGuides runs the examples of the guides and compares their output with what
// the page shows.
func TestGuides(t *testing.T) {
	for guide, end := range guides {
		t.Run(guide, func(t *testing.T) {
			t.Parallel()
			page, err := os.ReadFile("../docs/" + guide)
			if err != nil {
				t.Fatal(err)
			}
			top, _, found := strings.Cut(string(page), "\n## "+end+"\n")
			if !found {
				t.Fatalf("%s has no section %s", guide, end)
			}
			var script strings.Builder
			var examples, want []string
			for _, m := range block.FindAllStringSubmatch(top, -1) {
				if m[1] == "text" {
					want[len(want)-1] = m[2]
					continue
				}
				examples, want = append(examples, m[2]), append(want, "")
				fmt.Fprintf(&script, "echo '=== %d'\n%s", len(examples), m[2])
			}
			script.WriteString("kill $SERVER\n")
			s, cmd, log := runScript(t, script.String())
			parts := regexp.MustCompile(`(?m)^=== \d+\n`).Split(s.log.String(), -1)[1:]
			if status := cmd.ProcessState.ExitCode(); status != 0 || len(parts) != len(examples) {
				t.Fatalf("status %d after %d of %d examples\n%s\nlog of the server:\n%s", status, len(parts), len(examples), s.log.String(), log())
			}
			for i, got := range parts {
				if diff := cmp.Diff(differing.ReplaceAllString(want[i], "<id>"), differing.ReplaceAllString(got, "<id>")); want[i] != "" && diff != "" {
					t.Errorf("%s\n(-page +run):\n%s", examples[i], diff)
				}
			}
		})
	}
}
