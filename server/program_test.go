package server

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"leadloop/store"
	"leadloop/store/storetest"
)

// These tests use the program as people do: as a binary, from outside.

// built are the programs, each built once for all tests of this process.
var built struct {
	sync.Mutex
	dir      string
	programs map[string]string
}

// program is the path of the program, as go build makes it but for what only
// debuggers read.
func program(t testing.TB) string { t.Helper(); return build(t, "leadloop") }

// server is the path of the program for servers: where the tests detect races,
// so does it. For commands that would only cost time.
func server(t testing.TB) string {
	t.Helper()
	if detectsRaces() {
		return build(t, "leadloop-race", "-race")
	}
	return program(t)
}

func build(t testing.TB, name string, flags ...string) string {
	t.Helper()
	built.Lock()
	defer built.Unlock()
	if path := built.programs[name]; path != "" {
		return path
	}
	if built.dir == "" {
		dir, err := os.MkdirTemp("", "leadloop-program-")
		if err != nil {
			t.Fatal(err)
		}
		built.dir, built.programs = dir, map[string]string{}
	}
	path := filepath.Join(built.dir, name)
	if out, err := exec.Command("go", append(append([]string{"build", "-ldflags", "-w", "-o", path}, flags...), "leadloop")...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	built.programs[name] = path
	return path
}

func detectsRaces() bool {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
}

// removeProgram is for TestMain.
func removeProgram() {
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
}

// environment is the tests' own, without what would configure the program.
func environment(more ...string) []string {
	env := []string{"GORACE=atexit_sleep_ms=0"} // else each server takes a second more to stop
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LEADLOOP_") {
			env = append(env, v)
		}
	}
	return append(env, more...)
}

// command is the program run with args in dir until it ends.
type command struct {
	dir   string
	stdin string
	env   []string
	args  []string
}

// ended is what a command left: its output and exit status.
type ended struct {
	out, err string
	status   int
}

func (c command) run(t testing.TB) ended {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t), c.args...)
	var out, err bytes.Buffer
	cmd.Dir, cmd.Env = c.dir, environment(c.env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &out, &err
	if e := cmd.Run(); e != nil && !errors.As(e, new(*exec.ExitError)) {
		t.Fatal(e)
	}
	return ended{out.String(), err.String(), cmd.ProcessState.ExitCode()}
}

// lockedBuffer is what a running program has printed so far.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// instance is a running server.
type instance struct {
	t     testing.TB
	base  string // its address: http://127.0.0.1:…
	cmd   *exec.Cmd
	log   lockedBuffer
	ended chan struct{}
}

var listening = regexp.MustCompile(`msg=listening address=(\S+)`)

// serve starts a server on the database dsn and waits until it is ready. It is
// stopped, with a check that it stops well, when t ends, unless it was before.
func serve(t testing.TB, dir, dsn string, args ...string) *instance {
	t.Helper()
	return serveBy(t, server(t), dir, dsn, args...)
}

// serveBy is serve with the program at a path.
func serveBy(t testing.TB, path, dir, dsn string, args ...string) *instance {
	t.Helper()
	cmd := exec.Command(path, append([]string{"serve", "--db", dsn, "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0"}, args...)...)
	cmd.Dir, cmd.Env = dir, environment()
	s := launch(t, cmd)
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("log of the server:\n%s", s.log.String())
		}
	})
	s.listens()
	client{t: t, base: s.base}.get("/readyz").want(200)
	return s
}

// listens waits until the server says where it listens.
func (s *instance) listens() {
	s.t.Helper()
	eventually(s.t, 30*time.Second, "the server listens", func() bool {
		if s.over() {
			s.t.Fatalf("the server ended:\n%s", s.log.String())
		}
		m := listening.FindStringSubmatch(s.log.String())
		if m != nil {
			s.base = "http://" + m[1]
		}
		return m != nil
	})
}

// launch starts cmd. It is killed if the tests are. Its output goes into the log,
// too, unless it has somewhere to go.
func launch(t testing.TB, cmd *exec.Cmd) *instance {
	t.Helper()
	s := &instance{t: t, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &s.log
	if cmd.Stdout == nil {
		cmd.Stdout = &s.log
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	begun := make(chan error)
	go func() {
		runtime.LockOSThread() // the death of the parent is that of the thread that starts
		err := cmd.Start()
		begun <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(s.ended)
	}()
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *instance) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// stop ends the server as an operator does, and checks that it ends well.
func (s *instance) stop() {
	s.t.Helper()
	if s.over() {
		return
	}
	s.signal(syscall.SIGTERM)
	s.wait(40 * time.Second)
	if status := s.cmd.ProcessState.ExitCode(); status != 0 {
		s.t.Errorf("the server ended with status %d", status)
	}
}

// kill ends the server as a failing machine does.
func (s *instance) kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	s.wait(10 * time.Second)
}

func (s *instance) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Error(err)
	}
}

func (s *instance) wait(within time.Duration) {
	s.t.Helper()
	select {
	case <-s.ended:
	case <-time.After(within):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // with what it started, which holds its output open
		<-s.ended
		s.t.Errorf("the server did not stop within %v", within)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// onBoth runs f on both databases at once, each with the address of a migrated
// database and the folder to work in.
func onBoth(t *testing.T, f func(t *testing.T, dir, dsn string)) {
	onEach(t, storetest.Migrated, f)
}

// onEmpty is onBoth with databases that nothing has been made in.
func onEmpty(t *testing.T, f func(t *testing.T, dir, dsn string)) {
	onEach(t, storetest.DSN, f)
}

func onEach(t *testing.T, database func(t testing.TB, dialect string) string, f func(t *testing.T, dir, dsn string)) {
	t.Parallel()
	for _, dialect := range storetest.Dialects {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			dsn := database(t, dialect)
			dir := filepath.Dir(dsn)
			if dialect == store.Postgres {
				dir = t.TempDir()
			}
			f(t, dir, dsn)
		})
	}
}
