package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// logSize is how many events the log has: two levels of full tiles, and a third that is not full.
const logSize = 70_000

// running is the log that all tests here read: a real sealstream in a process of its own, and its
// export as a static directory.
type running struct {
	url    string // the API, which is a tlog-tiles prefix too
	vkey   string
	static string // directory
	data   string // directory: a copy of the log's own, for a test that goes on with it; beside it "fork" is another
	tools  string // directory with the programs of others
}

var the running

// TestMain builds the programs, fills the log and exports it, once for all tests.
func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sealstream-interop-*")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		stop, err := setUp(dir)
		if stop != nil {
			defer stop()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

func setUp(dir string) (stop func(), err error) {
	the.tools, the.static = dir, filepath.Join(dir, "static")
	sealstream := filepath.Join(dir, "sealstream")
	for _, b := range []struct{ in, out, what string }{
		{"../..", sealstream, "./cmd/sealstream"},
		{".", filepath.Join(dir, "fsck"), "github.com/transparency-dev/tessera/cmd/fsck"},
		{".", filepath.Join(dir, "hammer"), "github.com/transparency-dev/tessera/internal/hammer"},
		{".", filepath.Join(dir, "litewitness"), "filippo.io/torchwood/cmd/litewitness"},
		{".", filepath.Join(dir, "omniwitness"), "github.com/transparency-dev/witness/cmd/omniwitness"},
	} {
		cmd := exec.Command("go", "build", "-o", b.out, b.what)
		cmd.Dir = b.in
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w\n%s", b.what, err, out)
		}
	}
	data := filepath.Join(dir, "data")
	url, stop, err := start(data)
	if err != nil {
		return stop, err
	}
	the.url = url
	key, err := os.ReadFile(filepath.Join(data, "log.pub"))
	if err != nil {
		return stop, err
	}
	the.vkey = strings.TrimSpace(string(key))
	if err := fill(); err != nil {
		return stop, err
	}
	out, err := exec.Command(sealstream, "export", "--server", the.url, "--format", "tiles", "--key",
		filepath.Join(data, "log.pub"), the.static).CombinedOutput()
	if err != nil {
		return stop, fmt.Errorf("export: %w\n%s", err, out)
	}
	stop() // the copies are of a log at rest
	for _, the.data = range []string{filepath.Join(dir, "fork"), filepath.Join(dir, "copy")} {
		if err := os.CopyFS(the.data, os.DirFS(data)); err != nil {
			return nil, err
		}
		for _, secret := range []string{"log.key", "log.secret"} { // a copy can be read by all
			if err := os.Chmod(filepath.Join(the.data, secret), 0o600); err != nil {
				return nil, err
			}
		}
	}
	the.url, stop, err = start(data)
	return stop, err
}

// start runs a log on a data directory until stop, and returns when it takes events.
func start(data string, args ...string) (url string, stop func(), err error) {
	api, nats, err := addresses()
	if err != nil {
		return "", nil, err
	}
	up := exec.Command(filepath.Join(the.tools, "sealstream"),
		append([]string{"up", "--data", data, "--http", api, "--nats", nats}, args...)...)
	up.Stderr = os.Stderr
	if err := up.Start(); err != nil {
		return "", nil, err
	}
	stop = sync.OnceFunc(func() { up.Process.Signal(syscall.SIGTERM); up.Wait() })
	url = "http://" + api
	return url, stop, await("ready", func() bool { _, err := fetch(url + "/readyz"); return err == nil })
}

// addresses finds two free loopback addresses.
func addresses() (a, b string, err error) {
	la, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer la.Close()
	lb, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	defer lb.Close()
	return la.Addr().String(), lb.Addr().String(), nil
}

func await(what string, holds func() bool) error {
	for end := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("the log is not %s within two minutes", what)
		}
	}
	return nil
}

func fetch(url string) ([]byte, error) { return fetchAs(url, "*/*") }

func fetchAs(url, accept string) ([]byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", url, resp.Status, b)
	}
	return b, err
}

// fill records the events, 256 a request, from a few agents at a time, and waits until the checkpoint covers them.
func fill() error {
	next := make(chan int)
	failed := make(chan error, 4)
	var agents sync.WaitGroup
	for range cap(failed) {
		agents.Go(func() {
			for first := range next {
				if err := post(first, min(256, logSize-first)); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	var err error
	for first := 0; first < logSize && err == nil; first += 256 {
		select {
		case next <- first:
		case err = <-failed:
		}
	}
	close(next)
	agents.Wait()
	select {
	case err = <-failed:
	default:
	}
	if err != nil {
		return err
	}
	return await("sealed", func() bool {
		var s struct {
			Size uint64 `json:"tree_size"`
		}
		b, err := fetch(the.url + "/v1/stats")
		return err == nil && json.Unmarshal(b, &s) == nil && s.Size == logSize+1 // with its config, index 0
	})
}

func post(first, n int) error {
	var body bytes.Buffer
	for i := range n {
		fmt.Fprintf(&body,
			`,{"specversion":"1.0","id":"e-%d","source":"did:web:agent-%d.example.com",`+
				`"type":"ai.agentmesh.tool.invoked",`+
				`"subject":"/crm/contacts/%d","action":"allow","outcome":"success","data":{"n":%d}}`, first+i,
			(first+i)%7, (first+i)%1000, first+i)
	}
	body.Bytes()[0] = '['
	body.WriteByte(']')
	resp, err := http.Post(the.url+"/v1/events?wait=stored", "application/cloudevents-batch+json", &body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK ||
		bytes.Contains(answer, []byte("rejected")) {
		return errors.Join(err, fmt.Errorf("events: %s: %.200s", resp.Status, answer))
	}
	return nil
}

// serve shows a static directory as any file server would.
func serve(t *testing.T, dir string) string {
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.URL
}

// tool runs a program of others, for a bounded time.
func tool(t *testing.T, d time.Duration, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(the.tools, name), args...)
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return string(out), err
}
