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
)

// another is what differs from one run of the examples to another.
var another = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"ReceivedAt": "[^"]*"|/\S*refused\.csv`)

// TestFeedbackPage runs every example of docs/feedback.md, one after the other,
// and holds what they print against the page.
func TestFeedbackPage(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		text, err := os.ReadFile("../docs/feedback.md")
		if err != nil {
			t.Fatal(err)
		}
		s := newStage(t, dir, dsn)
		crm := listen(t, nil)
		acme := s.join(t, "Acme", "feedback:write", "leads:read", "routings:read", "reasons:read")
		s.rule(t, acme.id, crm.url, nil)
		routing := s.routingOf(s.anyone.post(s.source(t, "json", nil), `{"FirstName":"נועה","Phone":"050-1234567"}`).want(201).text("id"))

		const mark = "--- end of a block ---"
		script := ""
		var want []string
		for _, b := range blocks.FindAllStringSubmatch(string(text), -1) {
			if b[1] == "sh" {
				script += b[2] + "echo '" + mark + "'\n"
				want = append(want, "")
			} else {
				want[len(want)-1] = b[2]
			}
		}
		script = strings.NewReplacer("http://localhost:8080", s.base, "ll_live_YOUR_KEY", acme.key,
			"YOUR_CONNECTION_ID", acme.connection, "YOUR_ROUTING_ID", routing,
			"YOUR_STAFF_TOKEN", strings.TrimPrefix(s.admin.header.Get("Authorization"), "Bearer ")).Replace(script)
		if err := os.Symlink(program(t), filepath.Join(dir, "leadloop")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		cmd.Dir, cmd.Env = dir, environment("LEADLOOP_DB="+dsn)
		shell := launch(t, cmd)
		shell.wait(time.Minute)
		got := shell.log.String()
		if status := cmd.ProcessState.ExitCode(); status != 0 || len(want) < 10 {
			t.Fatalf("status %d\n%s", status, got)
		}
		for i, out := range strings.Split(strings.TrimSuffix(got, mark+"\n"), mark+"\n") {
			mask := func(text string) []string { return strings.Split(another.ReplaceAllString(text, "…"), "\n") }
			if diff := cmp.Diff(mask(strings.ReplaceAll(want[i], "; refused.csv", "; /refused.csv")), mask(out)); diff != "" {
				t.Errorf("block %d (-page +run):\n%s", i+1, diff)
			}
		}
	})
}
