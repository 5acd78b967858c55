package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadloop/store/storetest"
)

// blocks are the fenced blocks of a section of a page, each with its language.
var blocks = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// runPage runs the sh blocks of a section of a page in the documentation, one
// after the other in one shell beside a server, and holds what they print
// against the blocks that follow them.
func runPage(t *testing.T, page, heading string) {
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if section, _, _ = strings.Cut(section, "\n## "); !found {
		t.Fatalf("%s has no section %s", page, heading)
	}
	const mark = "--- end of a block ---"
	dsn := storetest.Migrated(t, "sqlite")
	dir := filepath.Dir(dsn)
	s := newStage(t, dir, dsn)
	script := "api() { curl -s --fail-with-body -H '" + "Authorization: " + s.admin.header.Get("Authorization") + "' -H 'Content-Type: application/json' \"$@\"; }\n"
	var want []string
	for _, b := range blocks.FindAllStringSubmatch(section, -1) {
		if b[1] == "sh" {
			script += b[2] + "echo '" + mark + "'\n"
			want = append(want, "")
		} else {
			want[len(want)-1] = b[2]
		}
	}
	script = strings.ReplaceAll(script, "localhost:8080", strings.TrimPrefix(s.base, "http://"))
	if err := os.Symlink(program(t), filepath.Join(dir, "leadloop")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, environment("LEADLOOP_DB="+dsn)
	shell := launch(t, cmd)
	shell.wait(time.Minute)
	got := strings.ReplaceAll(shell.log.String(), "\ufeff", "")
	if status := cmd.ProcessState.ExitCode(); status != 0 || len(want) == 0 {
		t.Fatalf("status %d\n%s", status, got)
	}
	for i, out := range strings.Split(strings.TrimSuffix(got, mark+"\n"), mark+"\n") {
		if diff := cmp.Diff(strings.Split(want[i], "\n"), strings.Split(out, "\n")); diff != "" {
			t.Errorf("block %d of %s (-page +run):\n%s", i+1, heading, diff)
		}
	}
}

func TestIntakePage(t *testing.T) {
	t.Parallel()
	runPage(t, "intake.md", "Unsigned deliveries")
	runPage(t, "intake.md", "Keeping out what should not come in")
}

func TestAccessPage(t *testing.T) {
	t.Parallel()
	runPage(t, "access.md", "Keys")
	runPage(t, "access.md", "The guide for the customer")
	runPage(t, "access.md", "Which rules staff see")
}
