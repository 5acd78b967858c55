package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReadme runs the round trip of the README as it stands there, in a folder
// where make build is done, on a port that is free.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## A round trip by hand\n")
	_, script, _ := strings.Cut(section, "\n```sh\n")
	script, _, found := strings.Cut(script, "\n```\n")
	if !found {
		t.Fatal("the README has no round trip")
	}
	s, cmd, log := runScript(t, script)

	got := s.log.String()
	want := `(?s)\Aadded admin@example\.com, admin
\{"status":"ready"\}
\{
  "Succeeded": true,
  "StatusCode": 201
\}
"active"
delivered
"לא ענה"
(\{.*\})
\z`
	m := regexp.MustCompile(want).FindStringSubmatch(got)
	if status := cmd.ProcessState.ExitCode(); status != 0 || m == nil {
		t.Fatalf("status %d\n%s\nlog of the server:\n%s", status, got, log())
	}
	answer{t: t, request: "the last line", body: []byte(m[1])}.is("", `{"@odata.id": "<id>", "@odata.etag": "<etag>", "FirstName": "נועה", "City": "Haifa", "Budget": 5000,
		"Routings": [{"@odata.id": "<id>", "@odata.etag": "<etag>", "State": "delivered", "Feedback": [
			{"@odata.id": "<id>", "Comment": "לא ענה", "Reason": {"@odata.id": "<id>", "@odata.etag": "<etag>", "Name": "No answer"}}]}]}`)
}

// runScript runs a script of the documents, which starts a server on port 8080,
// in a folder where make build is done, on a port that is free. It returns what
// became of it, with the output, and the server's log.
func runScript(t *testing.T, script string) (s *instance, cmd *exec.Cmd, log func() string) {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "jq", "make", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: run make deps", tool)
		}
	}
	const serve = "./leadloop serve "
	address := closedAddress(t)
	if strings.Count(script, serve) != 1 || !strings.Contains(script, "localhost:8080") {
		t.Fatalf("the round trip is not what this test knows to run:\n%s", script)
	}
	script = strings.Replace(script, serve, serve+"--addr "+address+" ", 1)
	_, port, _ := strings.Cut(address, ":")
	script = strings.ReplaceAll(script, ":8080", ":"+port)

	dir := t.TempDir()
	if err := os.Symlink(program(t), filepath.Join(dir, "built")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte("build:\n\t@cp built leadloop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = dir, append(environment(), "MAKEFLAGS=", "MAKELEVEL=") // make says more under make
	s = launch(t, cmd)
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // the server too, whatever happened
	s.wait(time.Minute)
	return s, cmd, func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "leadloop.log"))
		return string(text)
	}
}
