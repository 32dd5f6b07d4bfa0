package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sinks/postgres/pgtest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestMain makes this test program the process that tests start and kill: with SEALSTREAM_TEST_UP
// it runs a log until a signal.
func TestMain(m *testing.M) {
	args := os.Getenv("SEALSTREAM_TEST_UP")
	if args == "" {
		status := m.Run()
		pgtest.Stop()
		os.Exit(status)
	}
	var cfg UpConfig
	if err := json.Unmarshal([]byte(args), &cfg); err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg.Plugins = withPlugins
	cfg.Memory.KeepTo() // as the program does
	n, err := Up(ctx, cfg)
	if err == nil {
		err = n.Wait(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a log in a process of its own.
type child struct {
	cfg    UpConfig
	cmd    *exec.Cmd
	stderr *output
}

// output keeps what a process writes, and is read while it still writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// startProcess runs a log in another process and waits until it is ready.
func startProcess(t *testing.T, cfg UpConfig) *child {
	t.Helper()
	args, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := &child{cfg: cfg, cmd: exec.Command(os.Args[0]), stderr: new(output)}
	p.cmd.Env = append(os.Environ(), "SEALSTREAM_TEST_UP="+string(args))
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	deadline := time.Now().Add(60 * time.Second)
	for {
		if status, _ := fetch(cfg.HTTP, "/readyz", nil); status == http.StatusOK {
			return p
		}
		if time.Now().After(deadline) || p.cmd.ProcessState != nil {
			t.Fatalf("the process is not ready:\n%s", p.stderr)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *child) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

func (p *child) stop(t *testing.T) {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("stopped with %v:\n%s", err, p.stderr)
	}
}

func fetch(addr, path string, q url.Values) (int, []byte) {
	resp, err := http.Get("http://" + addr + path + "?" + q.Encode())
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return resp.StatusCode, b
}

// receipts posts a batch of structured events.
func receipts(addr, wait string, events ...[]byte) ([]map[string]any, error) {
	body := append(append([]byte("["), bytes.Join(events, []byte(","))...), ']')
	resp, err := http.Post("http://"+addr+"/v1/events?wait="+wait, "application/cloudevents-batch+json",
		bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out struct{ Receipts []map[string]any }
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, b)
	}
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err == nil && len(out.Receipts) != len(events) {
		err = errors.New("another number of receipts")
	}
	return out.Receipts, err
}

// exported audits the whole log over HTTP and returns its entries.
func exported(t *testing.T, addr, vkey string) ([]entry.Entry, audit.Report) {
	t.Helper()
	status, body := fetch(addr, "/v1/export", nil)
	if status != http.StatusOK {
		t.Fatalf("export: status %d: %.200s", status, body)
	}
	return exportedEntries(t, body, vkey)
}

func exportedEntries(t *testing.T, body []byte, vkey string) ([]entry.Entry, audit.Report) {
	t.Helper()
	r, err := audit.Export(audit.Config{Keys: []string{vkey}}, func(yield func([]byte, error) bool) {
		for line := range bytes.Lines(body) {
			if !yield(bytes.TrimSuffix(line, []byte("\n")), nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatalf("export: %v", err)
	}
	var entries []entry.Entry
	for i, line := range strings.Split(strings.TrimSpace(string(body)), "\n") {
		if i == 0 {
			continue
		}
		_, e, err := proof.ParseExportLine([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries, r
}
