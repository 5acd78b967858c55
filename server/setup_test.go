package server

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

var setUpLink = regexp.MustCompile(`(http://\S+)/console/setup\?token=([\w-]{43})\n`)

// TestSetUp: a server without users prints a link that makes the first admin, once.
func TestSetUp(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		cmd := exec.Command(server(t), "serve", "--db", dsn, "--addr", "127.0.0.1:0")
		cmd.Dir, cmd.Env = dir, environment()
		var out lockedBuffer
		cmd.Stdout = &out
		s := launch(t, cmd)
		t.Cleanup(s.stop)
		s.listens()
		var link []string
		eventually(t, 10*time.Second, "the link is printed", func() bool {
			link = setUpLink.FindStringSubmatch(out.String())
			return link != nil
		})
		if link[1] != s.base {
			t.Errorf("the link is to %s, the server is %s", link[1], s.base)
		}
		anyone := client{t: t, base: s.base}
		setUp := func(token, password string) answer {
			return anyone.post("/auth/setup", map[string]string{"token": token, "email": adminEmail, "name": "Dana", "password": password})
		}
		setUp("", adminPassword).want(401)
		wrong := setUp(strings.Repeat("A", 43), adminPassword).want(401)
		setUp(link[2], "short").want(400)
		anyone.post("/auth/setup", "not JSON").want(400)
		anyone.get("/auth/setup").want(405)
		made := setUp(link[2], adminPassword).want(201)
		wantHeader(made, "Cache-Control", "no-store")
		admin := anyone.with("Authorization", "Bearer "+made.text("access_token"))
		if users := admin.get("/odata/Users").want(200); users.text("value", 0, "Role") != "admin" || users.text("value", 0, "Name") != "Dana" {
			t.Errorf("users: %s", users.body)
		}
		again := setUp(link[2], adminPassword).want(401)
		if string(again.body) != string(wrong.body) {
			t.Errorf("a used link: %s, a wrong one: %s", again.body, wrong.body)
		}
		if strings.Contains(s.log.String(), link[2]) {
			t.Error("the log has the link")
		}
		s.stop()

		next := exec.Command(server(t), "serve", "--db", dsn, "--addr", "127.0.0.1:0")
		next.Dir, next.Env = dir, environment()
		var quiet lockedBuffer
		next.Stdout = &quiet
		s = launch(t, next)
		s.listens()
		s.stop()
		if quiet.String() != "" {
			t.Errorf("with a user, serve prints %q", quiet.String())
		}
	})
}

// TestTokenKeysRotate: by the command line, under a server that runs.
func TestTokenKeysRotate(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		signedIn := s.anyone.post("/auth/token", map[string]string{"email": adminEmail, "password": adminPassword}).want(200)
		rotate := func(args ...string) {
			t.Helper()
			if got := (command{dir: dir, args: append([]string{"token", "rotate-key", "--db", dsn}, args...)}).run(t); got.status != 0 {
				t.Fatalf("%+v", got)
			}
		}
		rotate()
		s.admin.get("/odata/Users").want(200) // until it expires
		rotate("--at-once")
		eventually(t, 5*time.Second, "the old token ends", func() bool { return s.admin.get("/odata/Users").status == 401 })
		next := s.anyone.post("/auth/token", map[string]string{"refresh_token": signedIn.text("refresh_token")}).want(200)
		s.anyone.with("Authorization", "Bearer "+next.text("access_token")).get("/odata/Users").want(200)
	})
}
