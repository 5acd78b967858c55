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

// TestTransmissionPage runs the examples of docs/routing.md on transmission after
// the README's round trip, and looks for what the page says they print.
func TestTransmissionPage(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "\n## A round trip by hand\n")
	_, script, _ := strings.Cut(section, "\n```sh\n")
	script, _, _ = strings.Cut(script, "\nkill ")
	_, examples, _ := strings.Cut(string(page), "\n## Transmission\n")
	examples, _, _ = strings.Cut(examples, "\n## ")
	var want []string
	for _, block := range regexp.MustCompile("(?s)\n```(sh|text)\n(.*?)\n```\n").FindAllStringSubmatch(examples, -1) {
		if block[1] == "sh" {
			script += "\n" + block[2]
		} else {
			want = append(want, block[2])
		}
	}
	const serve = "./leadloop serve "
	if strings.Count(script, serve) != 1 || len(want) == 0 {
		t.Fatalf("the examples are not what this test knows to run:\n%s", script)
	}
	address := closedAddress(t)
	_, port, _ := strings.Cut(address, ":")
	script = strings.Replace(script, serve, serve+"--addr "+address+" ", 1)
	script = strings.ReplaceAll(script, ":8080", ":"+port) + "\nkill $!\n"

	dir := t.TempDir()
	if err := os.Symlink(program(t), filepath.Join(dir, "built")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Makefile"), []byte("build:\n\t@cp built leadloop\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-eu", "-c", script)
	cmd.Dir, cmd.Env = dir, append(environment(), "MAKEFLAGS=", "MAKELEVEL=")
	s := launch(t, cmd)
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	s.wait(time.Minute)
	rest := s.log.String()
	for _, expected := range want {
		_, after, found := strings.Cut(rest, "\n"+expected+"\n")
		if !found {
			t.Fatalf("does not print\n%s\nbut\n%s", expected, s.log.String())
		}
		rest = "\n" + after
	}
}
