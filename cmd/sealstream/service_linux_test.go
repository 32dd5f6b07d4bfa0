package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sealstream/sealstream/internal/logtest"
)

// service is a program that runs until a signal, in a process of its own.
type service struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
	done chan error
}

// startUp runs `sealstream up`; prepare sets its output and the like.
func startUp(t *testing.T, prepare func(*exec.Cmd), args ...string) *service {
	t.Helper()
	s := &service{t: t, addr: logtest.FreeAddr(t), done: make(chan error, 1)}
	args = append([]string{"up", "--data", filepath.Join(t.TempDir(), "d"), "--http", s.addr, "--nats",
		logtest.FreeAddr(t)}, args...)
	s.cmd = exec.Command("sealstream", args...)
	if prepare != nil {
		prepare(s.cmd)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	go func() { s.done <- s.cmd.Wait() }()
	s.until("readiness", func() bool { return s.get("/readyz") != "" })
	return s
}

// until waits for a condition. A service that ends meanwhile has failed.
func (s *service) until(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		select {
		case err := <-s.done:
			s.t.Fatalf("waiting for %s: it ended: %v", what, err)
		default:
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waiting for %s: %s", what, s.get("/readyz"))
		}
	}
}

// get is the body of a 200, else "".
func (s *service) get(path string) string {
	resp, err := http.Get("http://" + s.addr + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(b)
}

func (s *service) record(from, to int) {
	s.t.Helper()
	for i := from; i < to; i++ {
		body := fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"did:web:a","type":"t","data":{"n":%d}}`, i, i)
		resp, err := http.Post("http://"+s.addr+"/v1/events?wait=sealed", "application/cloudevents+json",
			strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			s.t.Fatal(resp.Status)
		}
	}
}

// ended waits for the end and wants exit status 0.
func (s *service) ended() {
	s.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.t.Fatalf("it ended with: %v", err)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatal("it does not end")
	}
}

func (s *service) terminate() {
	s.t.Helper()
	s.cmd.Process.Signal(syscall.SIGTERM)
	s.ended()
}

// pipe is a pipe of which the child gets the writing end.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// TestReaderGone: readers of standard output and error that go away cost what was for them, and not the log.
func TestReaderGone(t *testing.T) {
	out, outIn := pipe(t)
	log, logIn := pipe(t)
	file := filepath.Join(t.TempDir(), "out", "audit.jsonl")
	key := keyFile(t)
	s := startUp(t, func(c *exec.Cmd) { c.Stdout, c.Stderr = outIn, logIn }, "--verbose", "--sink",
		"stdout:?name=lines", "--sink", "file://"+file+"?name=file&key_file="+key)
	outIn.Close()
	logIn.Close()
	out.Close()
	log.Close()
	s.record(0, 5)
	s.until("the sink's trouble", func() bool { return strings.Contains(s.get("/readyz"), "broken pipe") })
	s.record(5, 10)
	s.until("the other sink", func() bool { return strings.Contains(s.get("/readyz"), `"sink-file":{"entries":11,`) })
	s.terminate()
}

// TestReaderStalled: readers that stop reading hold up nothing, not even the end.
func TestReaderStalled(t *testing.T) {
	_, outIn := pipe(t)
	_, logIn := pipe(t)
	for _, p := range []*os.File{outIn, logIn} { // so that there is no room for a single line
		if _, err := unix.FcntlInt(p.Fd(), unix.F_SETPIPE_SZ, 4096); err != nil {
			t.Fatal(err)
		}
	}
	s := startUp(t, func(c *exec.Cmd) { c.Stdout, c.Stderr = outIn, logIn }, "--verbose", "--sink",
		"stdout:?name=lines")
	s.record(0, 40)
	s.until("all entries", func() bool { return strings.Contains(s.get("/readyz"), `"tree_size":41`) })
	s.terminate()
}

func keyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("0123456789abcdef"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestHangup: SIGHUP without a terminal reopens the files of sinks, as log rotation expects, and the log goes on.
func TestHangup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	file, key := filepath.Join(dir, "audit.jsonl"), keyFile(t)
	// sync is long, so that only the signal makes it look.
	s := startUp(t, func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }, "--sink",
		"file://"+file+"?name=file&sync=1h&key_file="+key)
	s.record(0, 5)
	s.until("the file", func() bool { b, _ := os.ReadFile(file); return bytes.Count(b, []byte("\n")) == 6 })
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	s.cmd.Process.Signal(syscall.SIGHUP)
	s.until("the new file", func() bool { _, err := os.Stat(file); return err == nil })
	s.record(5, 10)
	s.until("the sink", func() bool { return strings.Contains(s.get("/readyz"), `"sink-file":{"entries":11,`) })
	s.terminate()
	if out, err := exec.Command("sealstream", "sink", "verify", dir, "--key-file", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestTerminalClosed: a log in the foreground ends cleanly when its terminal is closed.
func TestTerminalClosed(t *testing.T) {
	hup := make(chan os.Signal, 1) // a child does not inherit that SIGHUP is ignored, as under nohup
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	master, slave := terminal(t)
	s := startUp(t, func(c *exec.Cmd) {
		c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	slave.Close()
	s.record(0, 5)
	s.cmd.Process.Signal(syscall.SIGHUP) // with the terminal still there: it goes on
	s.record(5, 10)
	master.Close()
	s.ended()
}

// TestNohup: under nohup, a log outlives its terminal, and SIGHUP goes on to reopen files.
func TestNohup(t *testing.T) {
	master, slave := terminal(t)
	s := startUp(t, func(c *exec.Cmd) {
		c.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, c.Args...)
		sh, err := exec.LookPath("sh")
		if err != nil {
			t.Fatal(err)
		}
		c.Path, c.Stdin, c.Stdout, c.Stderr = sh, slave, slave, slave
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	slave.Close()
	s.record(0, 5)
	master.Close()
	for i := range 5 {
		s.cmd.Process.Signal(syscall.SIGHUP)
		s.record(5+i, 6+i)
	}
	s.terminate()
}

// terminal is a pseudo-terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// TestFileLost: whatever happens to the file of a sink is told, and the file is whole again, while
// events come, while none come, and when the log was stopped in between.
func TestFileLost(t *testing.T) {
	for name, lose := range map[string]func(file string) error{
		"removed":     os.Remove,
		"moved":       func(file string) error { return os.Rename(file, file+".1") },
		"emptied":     func(file string) error { return os.Truncate(file, 0) },
		"copied over": func(file string) error { return os.WriteFile(file, []byte("dear diary\n"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, data, key := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "d"), keyFile(t)
			file := filepath.Join(dir, "audit.jsonl")
			args := []string{"--data", data, "--sink", "file://" + file + "?name=file&key_file=" + key}
			s := startUp(t, nil, args...)
			whole := func(s *service, entries int) {
				t.Helper()
				s.until("the file", func() bool {
					b, _ := os.ReadFile(file)
					return bytes.Count(b, []byte("\n")) == entries
				})
				s.until("the sink", func() bool {
					return strings.Contains(s.get("/readyz"),
						fmt.Sprintf(`"sink-file":{"entries":%d,"lag":0,"state":"ready"`, entries))
				})
				if out, err := exec.Command("sealstream", "sink", "verify", dir, "--key-file",
					key).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			s.record(0, 6)
			whole(s, 7)
			if err := lose(file); err != nil { // events come
				t.Fatal(err)
			}
			s.record(6, 12)
			whole(s, 13)
			s.until("the note", func() bool { return strings.Contains(s.get("/readyz"), "written again from the log") })
			if m := s.get("/metrics"); !strings.Contains(m,
				`sealstream_follower_events_total{event="mended",follower="sink-file",log="default"} 1`) {
				t.Fatalf("no metric tells:\n%s", m)
			}
			if err := lose(file); err != nil { // none come
				t.Fatal(err)
			}
			whole(s, 13)
			s.terminate()
			if err := lose(file); err != nil { // nobody is there
				t.Fatal(err)
			}
			s = startUp(t, nil, args...)
			whole(s, 13)
			s.terminate()
		})
	}
}

// TestOthersOutlive: proxy and witness go on after SIGHUP and without a reader of their output, and
// end cleanly on SIGTERM.
func TestOthersOutlive(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("sealstream", "keygen", "--host", "example.com", "--out",
		dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	vkey, err := os.ReadFile(filepath.Join(dir, "log.pub"))
	if err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "logs.txt")
	if err := os.WriteFile(logs, []byte("log "+string(vkey)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"proxy", "http://127.0.0.1:1", "--http", logtest.FreeAddr(t)},
		{"witness", "--name", "example.com/w", "--logs", logs, "--key", dir + "/w.key", "--state", dir + "/w.state", "--listen", logtest.FreeAddr(t)},
	} {
		t.Run(args[0], func(t *testing.T) {
			r, w := pipe(t)
			c := exec.Command("sealstream", args...)
			c.Stdout, c.Stderr, c.SysProcAttr = w, w, &syscall.SysProcAttr{Setsid: true}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			s := &service{t: t, cmd: c, addr: args[len(args)-1], done: make(chan error, 1)}
			t.Cleanup(func() { c.Process.Kill() })
			go func() { s.done <- c.Wait() }()
			w.Close()
			s.until("it to begin", func() bool { n, err := r.Read(make([]byte, 100)); return n > 0 && err == nil })
			r.Close()
			for range 20 {
				c.Process.Signal(syscall.SIGHUP)
				time.Sleep(10 * time.Millisecond)
			}
			select {
			case err := <-s.done:
				t.Fatalf("it ended: %v", err)
			default:
			}
			s.terminate()
		})
	}
}
