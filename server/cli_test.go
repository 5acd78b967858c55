package server

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadloop/store/storetest"
)

// shell is the folder that commands are typed in, one after the other.
type shell struct {
	t   *testing.T
	dir string
	env []string
}

// line is a command and what it must answer: its status, and regular expressions
// that its output and its error output match; "" is nothing at all.
type line struct {
	args     string // %x stands for what the group x of an earlier output was
	stdin    string
	env      string
	status   int
	out, err string
}

func (s shell) run(lines []line) {
	s.t.Helper()
	kept := []string{}
	for _, l := range lines {
		args := strings.Fields(strings.NewReplacer(kept...).Replace(l.args))
		c := command{dir: s.dir, stdin: l.stdin, env: s.env, args: args}
		if l.env != "" {
			c.env = append(c.env[:len(c.env):len(c.env)], l.env)
		}
		got := c.run(s.t)
		out := whole(l.out)
		if got.status != l.status || !out.MatchString(got.out) || !whole(l.err).MatchString(got.err) {
			s.t.Fatalf("leadloop %s\nstatus %d, want %d\nstdout: %s\nwant:   %s\nstderr: %s\nwant:   %s",
				strings.Join(args, " "), got.status, l.status, got.out, l.out, got.err, l.err)
		}
		for i, name := range out.SubexpNames() {
			if name != "" {
				kept = append(kept, "%"+name, out.FindStringSubmatch(got.out)[i])
			}
		}
	}
}

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`(?s)\A` + pattern + `\n?\z`) }

// TestUserCommands manages the staff from the command line.
func TestUserCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		shell{t, dir, []string{"LEADLOOP_DB=" + dsn}}.run([]line{
			{args: "user add Admin@example.com --role admin --name Dana --password-stdin", stdin: "correct horse battery\n", out: "added admin@example.com, admin"},
			{args: "user add admin@example.com", status: 1, err: "leadloop: error: Email: another user has this e-mail address"},
			{args: "user add viewer@example.com", out: `added viewer@example.com, viewer\npassword: (?P<pass>[A-Z0-9]{26})`},
			{args: "user add boss@example.com --role boss", status: 2, err: `leadloop: error: --role must be one of "admin","manager","viewer" but got "boss"\nleadloop: hint: run leadloop user add --help`},
			{args: "user add boss", status: 1, err: "leadloop: error: .*email"},
			{args: "user add short@example.com --password-stdin", stdin: "short\n", status: 1, err: "leadloop: error: Password: the password must have at least 10 characters"},
			{args: "user add silent@example.com --password-stdin", status: 1, err: "leadloop: error: Password: .*"},
			{args: "user list", out: `EMAIL +ROLE +ACTIVE +NAME\nadmin@example.com +admin +true +Dana\nviewer@example.com +viewer +true *`},
			{args: "user passwd viewer@example.com", out: `password: [A-Z0-9]{26}`},
			{args: "user passwd VIEWER@example.com --password-stdin", stdin: "a new long password\r\n", out: ""},
			{args: "user passwd nobody@example.com", status: 1, err: "leadloop: error: no user nobody@example.com"},
		})
		// The new password, and not the line's end, signs in.
		s := serve(t, dir, dsn)
		c := client{t: t, base: s.base}
		c.post("/auth/token", `{"email":"viewer@example.com","password":"a new long password"}`).want(200)
		c.post("/auth/token", `{"email":"admin@example.com","password":"correct horse battery"}`).want(200)
	})
}

// TestKeyCommands manages keys while the server runs.
func TestKeyCommands(t *testing.T) {
	onBoth(t, func(t *testing.T, dir, dsn string) {
		s := newStage(t, dir, dsn)
		acme := s.join(t, "Acme", "feedback:write")
		works := func(key string, status int) {
			t.Helper()
			s.anyone.with("X-API-Key", key).get("/odata/FeedbackReasons").want(status)
		}
		sh := shell{t, dir, []string{"LEADLOOP_DB=" + dsn}}
		issued := command{dir: dir, env: sh.env, args: []string{"key", "issue", acme.connection}}.run(t)
		key := strings.TrimSpace(issued.out)
		if issued.status != 0 || !placeholders["<key>"].MatchString(key) {
			t.Fatalf("key issue: %+v", issued)
		}
		works(key, 200)
		id := strings.Split(key, "_")[2]
		sh.run([]line{
			{args: "key list " + acme.connection, out: `KEY ID +CREATED +STATE\n(\w{10} +[-0-9]{10} [:0-9]{5} +live\n){2}`},
			{args: "key revoke " + id, out: "revoked " + id},
			{args: "key list " + acme.connection, out: `KEY ID.*` + id + ` .* revoked\b.*`},
			{args: "key revoke 0000000000", status: 1, err: "leadloop: error: .*no key 0000000000"},
			{args: "key issue 01890000-0000-7000-8000-000000000000", status: 1, err: "leadloop: error: no connection 01890000-0000-7000-8000-000000000000"},
			{args: "key issue acme", status: 2, err: "leadloop: error: <connection>: .*\nleadloop: hint: run leadloop key issue --help"},
		})
		// The server, which knew the key, sees within two seconds that it ended.
		c := s.anyone.with("X-API-Key", key)
		eventually(t, 5*time.Second, "the revoked key is refused", func() bool { return c.get("/odata/FeedbackReasons").status == 401 })
	})
}

// TestSchemaCommands starts on databases that are not up to date.
func TestSchemaCommands(t *testing.T) {
	onEmpty(t, func(t *testing.T, dir, dsn string) {
		refused := `leadloop: error: the database is not up to date: \d+ migrations to apply\nleadloop: hint: run leadloop migrate`
		shell{t, dir, []string{"LEADLOOP_DB=" + dsn, "LEADLOOP_ADDR=127.0.0.1:0"}}.run([]line{
			{args: "serve --no-migrate", status: 1, err: refused},
			{args: "serve", env: "LEADLOOP_NO_MIGRATE=true", status: 1, err: refused},
			{args: "migrate", out: `\d+ migrations applied`},
			{args: "migrate", out: "0 migrations applied"},
		})
		serve(t, dir, dsn, "--no-migrate")
	})
}

// TestMasterKey is where the master key comes from, and that no other one opens
// the database.
func TestMasterKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sh := shell{t, dir, nil}
	long := "LEADLOOP_SECRET_KEY=a text of at least thirty-two letters"
	sh.run([]line{{args: "user add a@example.com", out: "added .*"}})
	file := filepath.Join(dir, "leadloop.key")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info, err)
	}
	wrong := `leadloop: error: this database was made under another master key\nleadloop: hint: give the one it was made under, by --secret-key or --secret-key-file`
	sh.run([]line{
		{args: "user list", env: long, status: 1, err: wrong},
		{args: "serve --addr 127.0.0.1:0", env: long, status: 1, err: wrong},
		{args: "user list", env: "LEADLOOP_SECRET_KEY=short", status: 1, err: "leadloop: error: the master key must be base64 of 32 bytes, or a text of at least 32 characters"},
		{args: "user list --secret-key-file other.key", status: 1, err: wrong},
		{args: "user add a@example.com --db other.db --secret-key-file keys/the.key", status: 1, err: "leadloop: error: master key: there is no folder .*keys"},
		{args: "user add a@example.com --db other.db", env: long, out: "added .*"},
		{args: "user list --db other.db", env: long, out: "EMAIL.*"},
		{args: "user list --db other.db", status: 1, err: wrong},
	})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sh.run([]line{{args: "user list", env: "LEADLOOP_SECRET_KEY=" + strings.TrimSpace(string(text)), out: "EMAIL.*"}})
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	sh.run([]line{{args: "user list", status: 1, err: `leadloop: error: master key: leadloop.key can be read by others\nleadloop: hint: run chmod 600 leadloop.key`}})
}

// TestHelp is what the program says of itself, and to arguments it does not take.
func TestHelp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sh := shell{t, dir, nil}
	all := `Usage: leadloop .*LEADLOOP_DB.*\n  serve .*\n  demo .*\n  migrate .*\n  user add .*\n  user list .*\n  user passwd .*\n  key issue .*\n  key list .*\n  key revoke .*\n  version .*`
	sh.run([]line{
		{args: "", out: all},
		{args: "--help", out: all},
		{args: "serve --help", out: `Usage: leadloop serve .*leadloop\.db.*127\.0\.0\.1:8080.*`},
		{args: "version", out: `leadloop \S+`},
		{args: "--version", out: `leadloop \S+`},
		{args: "server", status: 2, err: `leadloop: error: unexpected argument server, did you mean "serve"\?\nleadloop: hint: run leadloop --help`},
		{args: "serve --port 1", status: 2, err: `leadloop: error: unknown flag --port\nleadloop: hint: run leadloop serve --help`},
		{args: "user add", status: 2, err: `leadloop: error: expected "<email>"\nleadloop: hint: run leadloop user add --help`},
		{args: "serve --workers 0", status: 2, err: `leadloop: error: serve: --workers must be at least 1\nleadloop: hint: .*`},
		{args: "serve --notice-email ops@example.com", status: 2, err: `leadloop: error: serve: --notice-email: the mail server must begin with .*\nleadloop: hint: .*`},
		{args: "serve --send-timeout 0s", status: 2, err: `leadloop: error: serve: --send-timeout .*\nleadloop: hint: .*`},
		{args: "serve", env: "LEADLOOP_LOG_LEVEL=loud", status: 2, err: `leadloop: error: --log-level must be one of .*loud.*`},
		{args: "serve --allow-networks 10.0.0.0", status: 2, err: `leadloop: error: --allow-networks: .*`},
		{args: "serve --db no/such/folder.db", status: 1, err: `leadloop: error: master key: there is no folder no/such`},
		{args: "serve --db postgres://127.0.0.1:1/none --secret-key-file k", status: 1, err: `leadloop: error: .*refused.*`},
		{args: "user list --db mistyped.db", status: 1, err: `leadloop: error: there is no database mistyped.db\nleadloop: hint: .*--db.*`},
		{args: "key list --db mistyped.db 01890000-0000-7000-8000-000000000000", status: 1, err: `leadloop: error: there is no database mistyped.db\n.*`},
	})
	// Every flag has an environment variable, and the help names it.
	for _, args := range []string{"serve", "demo", "migrate", "user add", "user list", "user passwd", "key issue", "key list", "key revoke", "lead import"} {
		got := command{dir: dir, args: append(strings.Fields(args), "--help")}.run(t)
		text := strings.Join(strings.Fields(got.out), " ")
		for _, flag := range regexp.MustCompile(` --([a-z-]+)`).FindAllStringSubmatch(text, -1) {
			name := "$LEADLOOP_" + strings.ToUpper(strings.ReplaceAll(flag[1], "-", "_"))
			if flag[1] != "help" && flag[1] != "version" && flag[1] != "db" && !strings.Contains(text, name) {
				t.Errorf("leadloop %s --help does not name %s:\n%s", args, name, got.out)
			}
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 || left[0].Name() != "k" {
		t.Errorf("commands that failed left %v", left)
	}
}

// TestDemo turns the loop twice.
func TestDemo(t *testing.T) {
	t.Parallel()
	dir, temp := t.TempDir(), t.TempDir()
	got := command{dir: dir, env: []string{"TMPDIR=" + temp}, args: []string{"demo", "--turns", "2", "--every", "0s", "--addr", "127.0.0.1:0"}}.run(t)
	want := `(?s)console        http://127.0.0.1:\d+/console/\s+OData service  http://127.0.0.1:\d+/odata/.*X-API-Key: ll_live_.*under Lead transmission the big plus, with the connector “Demo CRM”\n.*The loop:

lead      …\w{8}  נועה לוי, חיפה, budget 5000
delivered …\w{8}  to Carmel Solar, there it is CRM-\d{4}
feedback  …\w{8}  .+ \(\w+\): .+

lead      …\w{8}  Daniel Cohen, Tel Aviv, budget 1800
delivered …\w{8}  to Everywhere Ltd, there it is CRM-\d{4}
feedback  …\w{8}  .+ \(\w+\): .+
`
	if got.status != 0 || got.err != "" || !regexp.MustCompile(want).MatchString(got.out) {
		t.Errorf("status %d\n%s%s", got.status, got.out, got.err)
	}
	for _, d := range []string{dir, temp} {
		if left, err := os.ReadDir(d); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

// TestAddressInUse is the answer where another program has the port.
func TestAddressInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, dir, storetest.DSN(t, "sqlite"))
	taken := strings.TrimPrefix(s.base, "http://")
	shell{t, t.TempDir(), nil}.run([]line{
		{args: "serve --addr " + taken, status: 1, err: "(.*\n)?leadloop: error: .*" + taken + ": .*address already in use"},
		{args: "demo --addr " + taken, status: 1, err: "(.*\n)?leadloop: error: .*" + taken + ": .*address already in use"},
	})
}
