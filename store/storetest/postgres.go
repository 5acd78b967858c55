package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" of the administering connection
)

// serverEnv names a PostgreSQL server that is running already, by a URL of a
// user who may create databases. Without it one is started.
const serverEnv = "LEADLOOP_TEST_POSTGRES"

const missing = "PostgreSQL's programs are not here: run apt-get install postgresql, or set " + serverEnv + "=postgres://…"

// startTime is how long the server may take to accept connections.
const startTime = 60 * time.Second

// postgres is the server of this test process.
type postgres struct {
	url   *url.URL // of the database that administers
	admin *sql.DB

	process *exec.Cmd // nil for a server that was running already
	ended   chan struct{}
	output  lockedBuffer
	dir     string

	made     sync.Once
	makeErr  error
	counter  atomic.Int64
	instance string // sets the databases of this process apart
}

var started struct {
	sync.Mutex
	server *postgres
	err    error
}

// server returns the server, and starts it if need be.
func server(t testing.TB) *postgres {
	t.Helper()
	started.Lock()
	defer started.Unlock()
	if started.server == nil && started.err == nil {
		started.server, started.err = start()
	}
	if started.err != nil {
		t.Fatal(started.err)
	}
	return started.server
}

// stop ends the server, if one was started, and removes its files.
func stop() {
	started.Lock()
	defer started.Unlock()
	if started.server != nil {
		started.server.close()
		started.server = nil
	}
}

func start() (*postgres, error) {
	p := &postgres{instance: fmt.Sprintf("leadloop_%d_%d", os.Getpid(), time.Now().UnixNano()%1e6)}
	dsn := os.Getenv(serverEnv)
	if dsn == "" {
		var err error
		if dsn, err = p.launch(); err != nil {
			p.close()
			return nil, err
		}
	}
	if err := p.connect(dsn); err != nil {
		p.close()
		return nil, fmt.Errorf("PostgreSQL: %w\n%s", err, p.output.String())
	}
	return p, nil
}

// launch starts a server of our own in a new directory and returns its URL.
func (p *postgres) launch() (string, error) {
	bin, err := programs()
	if err != nil {
		return "", err
	}
	sweep()
	if p.dir, err = os.MkdirTemp("", fmt.Sprintf("leadloop-postgres-%d-", os.Getpid())); err != nil {
		return "", err
	}
	who, err := owner(p.dir)
	if err != nil {
		return "", err
	}
	data := filepath.Join(p.dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "leadloop", "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	initdb.Dir = p.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	p.process = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		"-c", "autovacuum=off", "-c", "shared_buffers=64MB", "-c", "log_timezone=UTC")
	p.process.Dir = p.dir
	p.process.Stdout, p.process.Stderr = &p.output, &p.output
	// A test process that is killed takes its server with it: SIGQUIT is its word
	// for leaving at once.
	p.process.SysProcAttr = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}
	if err := p.run(); err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	return fmt.Sprintf("postgres://leadloop@127.0.0.1:%d/postgres?sslmode=disable", port), nil
}

// run starts the process from a thread that lives as long as it does: the death
// that Pdeathsig speaks of is that of the parent's thread.
func (p *postgres) run() error {
	p.ended = make(chan struct{})
	begun := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.process.Start()
		begun <- err
		if err == nil {
			_ = p.process.Wait()
		}
		close(p.ended)
	}()
	return <-begun
}

// connect waits until the server takes connections.
func (p *postgres) connect(dsn string) (err error) {
	if p.url, err = url.Parse(dsn); err != nil {
		return err
	}
	if p.admin, err = sql.Open("pgx", dsn); err != nil {
		return err
	}
	p.admin.SetMaxOpenConns(2)
	const every = 20 * time.Millisecond
	for deadline := time.Now().Add(startTime); ; {
		if err = p.answers(); err == nil || time.Now().After(deadline) {
			return err
		}
		select {
		case <-p.ended: // never, for a server that is not ours
			return errors.New("the server ended")
		case <-time.After(every):
		}
	}
}

// answers returns nil when the server takes connections. One with files other
// than ours has got the port that was meant for ours.
func (p *postgres) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime/10)
	defer cancel()
	var files string
	if err := p.admin.QueryRowContext(ctx, "SHOW data_directory").Scan(&files); err != nil {
		return err
	}
	if p.dir != "" && filepath.Dir(files) != p.dir {
		return fmt.Errorf("another server has the port: %s", files)
	}
	return nil
}

func (p *postgres) close() {
	if p.admin != nil {
		if p.process == nil && p.makeErr == nil {
			_, _ = p.admin.Exec("DROP DATABASE IF EXISTS " + p.templateName() + " WITH (FORCE)")
		}
		p.admin.Close()
	}
	if p.process != nil && p.process.Process != nil {
		_ = p.process.Process.Signal(syscall.SIGQUIT)
		<-p.ended
	}
	if p.dir != "" {
		os.RemoveAll(p.dir)
	}
}

func (p *postgres) templateName() string { return p.instance + "_template" }

// template returns the name of a migrated database, made once, to copy others
// from.
func (p *postgres) template(t testing.TB) string {
	t.Helper()
	p.made.Do(func() {
		if _, p.makeErr = p.admin.Exec("CREATE DATABASE " + p.templateName() + " TEMPLATE template0"); p.makeErr == nil {
			p.makeErr = migrated(p.dsn(p.templateName()))
		}
	})
	if p.makeErr != nil {
		t.Fatal(p.makeErr)
	}
	return p.templateName()
}

// create makes a database, a copy of template, that is gone when t ends, and
// returns its DSN.
func (p *postgres) create(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("%s_%d", p.instance, p.counter.Add(1))
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	if _, err := p.admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := p.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return p.dsn(name)
}

func (p *postgres) dsn(name string) string {
	u := *p.url
	u.Path = "/" + name
	return u.String()
}

// programs is the directory of the newest PostgreSQL's programs.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	best, newest := "", 0
	for _, f := range found {
		bin := filepath.Dir(f)
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
		if err == nil && version > newest {
			best, newest = bin, version
		}
	}
	if best != "" {
		return best, nil
	}
	if f, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(f), nil
	}
	return "", errors.New(missing)
}

// owner gives dir to the user that PostgreSQL is to run as: it refuses to run as
// root. Nil stands for the present user.
func owner(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("%s (%w)", missing, err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

// sweep removes the directories of servers whose test process was killed.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), "leadloop-postgres-*"))
	for _, dir := range left {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), "leadloop-postgres-"), "-")
		n, err := strconv.Atoi(pid)
		if err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
			os.RemoveAll(dir)
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// lockedBuffer is what the server has printed.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is everything so far.
func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
