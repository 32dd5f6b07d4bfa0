//go:build linux

package node

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/logtest"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestMemoryLimit runs a log in a cgroup of 512 MB, and sends it 12 MB on each of 60 connections at
// once, as few large events and as 60,000 small ones. It must not be killed, must refuse with 429
// or 503 and Retry-After alone, must take some, and must keep all that it acknowledged. It takes
// minutes and needs a cgroup: SEALSTREAM_CGROUP=1 runs it.
func TestMemoryLimit(t *testing.T) {
	if os.Getenv("SEALSTREAM_CGROUP") == "" {
		t.Skip("SEALSTREAM_CGROUP is not set")
	}
	for _, c := range []struct {
		name          string
		events, bytes int
	}{
		{"60 connections with 12 MB in 120 events", 120, 100_000}, {"60 connections with 60,000 events", 60_000, 25},
		{"60 connections with 60,000 events that wait for the seal", 60_000, 25},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := UpConfig{
				Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: logtest.FreeAddr(t),
				NATS: logtest.FreeAddr(t),
			}
			up := startLimited(t, cfg, 512<<20)
			wait := "stored"
			if strings.Contains(c.name, "seal") {
				wait = "sealed"
			}
			f := &flood{
				addr: cfg.HTTP, wait: wait, events: c.events, bytes: c.bytes, acked: map[int]bool{},
				answers: map[string]int{},
			}
			f.run(t, up, 60, time.Minute)
			if state := up.cmd.ProcessState; state != nil {
				t.Fatalf("the process ended: %v\n%s", state, up.stderr)
			}
			t.Logf("answers %v; %d of 60 requests acknowledged; resident memory: peak %s, now %s of its own", f.answers,
				len(f.acked), status(t, up.cmd.Process.Pid, "VmHWM"), status(t, up.cmd.Process.Pid, "RssAnon"))
			for answer := range f.answers {
				if answer != "200" && answer != "503 Retry-After" && answer != "429 Retry-After" {
					t.Errorf("an answer is %s", answer)
				}
			}
			if len(f.acked) == 0 {
				t.Error("nothing was taken at all")
			}
			f.check(t, up)
			up.stop(t)
			if _, _, err := datadir.AuditDir(t.Context(), cfg.Data, audit.Config{}); err != nil {
				t.Errorf("audit of the directory: %v", err)
			}
		})
	}
}

// startLimited runs a log in a cgroup of its own: what is started inherits the group of who starts it.
func startLimited(t *testing.T, cfg UpConfig, limit int64) *child {
	t.Helper()
	root, file, mark := "/sys/fs/cgroup/memory", "memory.limit_in_bytes", ":memory:"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		root, file, mark = "/sys/fs/cgroup", "memory.max", "0::"
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, home, _ := strings.Cut(string(text), mark)
	home, _, _ = strings.Cut(home, "\n")
	dir := filepath.Join(root, fmt.Sprintf("sealstream-test-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 100 { // a process that was killed leaves it a little later
			if os.Remove(dir) == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s cannot be removed", dir)
	})
	join := func(group string) {
		if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.FormatInt(limit, 10)), 0o644); err != nil {
		t.Fatal(err)
	}
	join(dir)
	defer join(filepath.Join(root, home))
	return startProcess(t, cfg)
}

// status reads a line of /proc/PID/status.
func status(t *testing.T, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// flood sends the same number of events on each of many connections, again and again until they are acknowledged.
type flood struct {
	addr, wait    string
	events, bytes int

	mu      sync.Mutex
	acked   map[int]bool   // connections whose events are acknowledged
	answers map[string]int // by status, and whether it says when to come again
}

func (f *flood) body(connection int) []byte {
	var b bytes.Buffer
	data := strings.Repeat("x", f.bytes)
	for i := range f.events {
		b.WriteByte("[,"[min(i, 1)])
		fmt.Fprintf(&b,
			`{"specversion":"1.0","id":"%d","source":"did:web:agent-%d.example.com",`+
				`"type":"ai.agentmesh.tool.invoked","subject":"/r","action":"allow","data":{"x":%q}}`, i, connection,
			data)
	}
	b.WriteByte(']')
	return b.Bytes()
}

func (f *flood) run(t *testing.T, up *child, connections int, most time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	var group sync.WaitGroup
	for n := range connections {
		body := f.body(n)
		client := &http.Client{Transport: &http.Transport{}}
		group.Go(func() {
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				if f.send(ctx, client, n, body) {
					return
				}
				pause(ctx, 500*time.Millisecond)
			}
		})
	}
	group.Wait()
}

func (f *flood) send(ctx context.Context, client *http.Client, n int, body []byte) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+f.addr+"/v1/events?wait="+f.wait,
		bytes.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/cloudevents-batch+json")
	resp, err := client.Do(r)
	answer := ""
	ok := false
	if err == nil {
		defer resp.Body.Close()
		answer = strconv.Itoa(resp.StatusCode)
		if resp.Header.Get("Retry-After") != "" {
			answer += " Retry-After"
		}
		var out struct{ Receipts []json.RawMessage }
		if resp.StatusCode == http.StatusOK {
			err = json.NewDecoder(resp.Body).Decode(&out)
			ok = err == nil && len(out.Receipts) == f.events
		} else {
			_, err = io.Copy(io.Discard, resp.Body)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case ctx.Err() != nil && !ok:
		return false
	case err != nil:
		answer = err.Error()
	}
	f.answers[answer]++
	if ok {
		f.acked[n] = true
	}
	return ok
}

// check looks for all events that were acknowledged in an export of the log.
func (f *flood) check(t *testing.T, up *child) {
	t.Helper()
	waitUntil(t, up, 5*time.Minute, "all is sealed and indexed", func() bool {
		_, body := fetch(f.addr, "/metrics", nil)
		status, ready := fetch(f.addr, "/readyz", nil)
		return status == http.StatusOK &&
			strings.Contains(string(body), "sealstream_seal_lag_messages{log=\"default\"} 0\n") &&
			strings.Contains(string(ready), `"index":"ready","lag":0,`)
	})
	resp, err := http.Get("http://" + f.addr + "/v1/export")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReaderSize(resp.Body, 1<<20)
	if _, err := in.ReadBytes('\n'); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("export: %s, %v", resp.Status, err)
	}
	found := map[string]map[string]bool{}
	entries := 0
	for {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("export: %v", err)
		}
		_, e, err := proof.ParseExportLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			t.Fatal(err)
		}
		entries++
		if e.IsOwn() {
			if e.EventType != entry.TypeDuplicate && e.EventType != entry.TypeConfig {
				t.Fatalf("index %d: %s", e.Index, e.EventType)
			}
			continue
		}
		if found[e.AgentDID] == nil {
			found[e.AgentDID] = map[string]bool{}
		}
		if found[e.AgentDID][e.EntryID] {
			t.Fatalf("%s %s is in the log twice", e.AgentDID, e.EntryID)
		}
		found[e.AgentDID][e.EntryID] = true
	}
	for n := range maps.Keys(f.acked) {
		if got := len(found[fmt.Sprintf("did:web:agent-%d.example.com", n)]); got != f.events {
			t.Errorf("connection %d: %d events acknowledged, %d in the log", n, f.events, got)
		}
	}
	t.Logf("%d entries in the log", entries)
}
