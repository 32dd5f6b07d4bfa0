// Package pgtest is a real Postgres for tests: a cluster of their own, made with initdb in a
// temporary folder, on a free port of loopback. Where there is no Postgres a test is skipped, and
// says so; with SEALSTREAM_POSTGRES=required it fails.
package pgtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
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

	"github.com/jackc/pgx/v5"
)

// Stop ends the shared cluster and removes it. TestMain calls it behind the tests.
func Stop() {
	if shared.c != nil {
		shared.c.Stop(syscall.SIGQUIT)
		os.RemoveAll(shared.c.dir)
	}
}

// Cluster is a Postgres of the tests' own. Use Database.
type Cluster struct {
	dir, bin string
	port     int
	as       *syscall.Credential // initdb refuses root

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
}

var shared struct {
	once sync.Once
	c    *Cluster
	err  error
}

var errNoPostgres = errors.New("there is no Postgres here: install Debian's package postgresql")

// Database makes an empty database on the cluster that all tests of a program share, and returns
// the URL of its owner, who may do all.
func Database(t testing.TB) (c *Cluster, url string) {
	t.Helper()
	shared.once.Do(func() { shared.c, shared.err = newCluster() })
	if errors.Is(shared.err, errNoPostgres) && os.Getenv("SEALSTREAM_POSTGRES") != "required" {
		t.Skip("SKIPPED: ", shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	name := fmt.Sprintf("test%d", databases.Add(1))
	shared.c.Exec(t, "CREATE DATABASE "+name)
	return shared.c, shared.c.URL("owner", name)
}

var databases atomic.Int64

// URL is that of a database for a role.
func (c *Cluster) URL(role, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable&connect_timeout=5", role, c.port, database)
}

// Writer makes a role without any rights, and returns its URL of the owner's database.
func (c *Cluster) Writer(t testing.TB, owner string) string {
	t.Helper()
	s, err := pgx.ParseConfig(owner)
	if err != nil {
		t.Fatal(err)
	}
	role := "writer_" + s.Database
	c.Exec(t, "CREATE ROLE "+role+" LOGIN")
	return c.URL(role, s.Database)
}

// Exec runs statements that are of no database.
func (c *Cluster) Exec(t testing.TB, statements ...string) {
	t.Helper()
	Exec(t, c.URL("owner", "postgres"), statements...)
}

// Exec runs statements.
func Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn := Connect(t, url)
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// Count is the one number that a query gives.
func Count(t testing.TB, url, sql string) (n int64) {
	t.Helper()
	if err := Connect(t, url).QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// Connect opens a connection for the time of the test.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// binaries finds where initdb and postgres are; Debian keeps them off the PATH.
func binaries() (string, error) {
	if found, err := exec.LookPath("initdb"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil {
			return filepath.Dir(found), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return "", errNoPostgres
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func newCluster() (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{bin: bin}
	if c.dir, err = os.MkdirTemp("", "sealstream-postgres-"); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 {
		if err := c.unprivileged(); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c.port = listener.Addr().(*net.TCPAddr).Port
	listener.Close()
	initdb := c.command("initdb", "-D", c.dir, "-U", "owner", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c, c.Start()
}

// unprivileged gives the folder to a system user, as whom all else runs.
func (c *Cluster) unprivileged() error {
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	c.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(c.dir, uid, gid)
}

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGDATA="+c.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

// Start starts the server again, which ends with this process at the latest, and waits until it
// answers.
func (c *Cluster) Start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	log, err := os.OpenFile(filepath.Join(c.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := c.command("postgres", "-D", c.dir, "-p", strconv.Itoa(c.port), "-c", "listen_addresses=127.0.0.1", "-c",
		"unix_socket_directories=", "-c", "fsync="+fsync())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started, done := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the signal comes when the thread that started it ends
		err := cmd.Start()
		started <- err
		if err == nil {
			cmd.Wait()
		}
		close(done)
	}()
	if err := <-started; err != nil {
		return err
	}
	c.cmd, c.done = cmd, done
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := pgx.Connect(context.Background(), c.URL("owner", "postgres"))
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			return fmt.Errorf("postgres does not answer: %w\n%s", err, text)
		}
	}
}

// fsync is on for benchmarks. No test takes the machine's power away, and without it they take a
// third of the time.
func fsync() string {
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		return "on"
	}
	return "off"
}

// Stop ends the server: SIGINT as a fast shutdown, SIGQUIT as a crash.
func (c *Cluster) Stop(how syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cmd != nil {
		c.cmd.Process.Signal(how)
		<-c.done
		c.cmd = nil
	}
}

// CPU is the processor time of the server and its sessions, in seconds, those that have ended
// included.
func (c *Cluster) CPU() float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	total := ticks(c.cmd.Process.Pid, true)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 2 && fields[1] == strconv.Itoa(c.cmd.Process.Pid) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			total += ticks(pid, false)
		}
	}
	return total
}

func ticks(pid int, children bool) (seconds float64) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 15 {
		return 0
	}
	end := 13
	if children {
		end = 15
	}
	for _, f := range fields[11:end] {
		n, _ := strconv.ParseFloat(f, 64)
		seconds += n / 100
	}
	return seconds
}
