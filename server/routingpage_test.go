package server

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestConnectorPage runs the examples of docs/routing.md about connectors and
// mapping.
func TestConnectorPage(t *testing.T) {
	t.Parallel()
	runAfterReadme(t, "routing.md", "Connectors", "Mapping")
}

// TestTransmissionPage runs those about transmission.
func TestTransmissionPage(t *testing.T) {
	t.Parallel()
	runAfterReadme(t, "routing.md", "Transmission")
}

// TestOnwardPage runs those of docs/intake.md about outcomes.
func TestOnwardPage(t *testing.T) {
	t.Parallel()
	runAfterReadme(t, "intake.md", "Sending outcomes back")
}

// TestStatusPage runs those of docs/statuses.md.
func TestStatusPage(t *testing.T) {
	t.Parallel()
	runAfterReadme(t, "statuses.md", "Your own status words", "Being read instead of reporting (pull)")
}

// runAfterReadme runs the examples of sections of a page in docs after the
// README's round trip, and looks for what the page says they print.
func runAfterReadme(t *testing.T, name string, headings ...string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	_, trip, _ := strings.Cut(string(readme), "\n## A round trip by hand\n")
	_, trip, _ = strings.Cut(trip, "\n```sh\n")
	trip, _, _ = strings.Cut(trip, "\n# Enough.")
	script := "set +o pipefail\n" + trip // some examples show what is refused
	var want []string
	for _, heading := range headings {
		_, section, found := strings.Cut(string(page), "\n## "+heading+"\n")
		if section, _, _ = strings.Cut(section, "\n## "); !found {
			t.Fatalf("the page has no section %s", heading)
		}
		for _, block := range regexp.MustCompile("(?s)\n```(sh|text)\n(.*?)\n```\n").FindAllStringSubmatch(section, -1) {
			if block[1] == "sh" {
				script += "\n" + block[2]
			} else {
				want = append(want, block[2])
			}
		}
	}
	if len(want) == 0 {
		t.Fatal("the sections show no output")
	}
	s, _, log := runScript(t, script+"\nkill $!\n")
	rest := s.log.String()
	for _, expected := range want {
		_, after, found := strings.Cut(rest, "\n"+expected+"\n")
		if !found {
			t.Fatalf("does not print\n%s\nbut\n%s\nlog of the server:\n%s", expected, s.log.String(), log())
		}
		rest = "\n" + after
	}
}
