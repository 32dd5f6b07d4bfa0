package node

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/streams"

	"github.com/sealstream/sealstream/internal/datadir"
	"github.com/sealstream/sealstream/internal/health"
)

// hopeful asks a port for readiness and checkpoints, and sends events to it, until it is stopped:
// what is said in the first moments counts, too.
type hopeful struct {
	mu   sync.Mutex
	lies []string
	stop func()
}

func beHopeful(addr string) *hopeful {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	h := &hopeful{}
	h.stop = func() { cancel(); all.Wait() }
	for _, path := range []string{"/readyz", "/checkpoint", "/v1/entries", "/v1/events"} {
		all.Go(func() {
			for ctx.Err() == nil {
				var status int
				var body []byte
				if path == "/v1/events" {
					resp, err := http.Post("http://"+addr+path, "application/cloudevents+json",
						strings.NewReader(`{"specversion":"1.0","id":"x","source":"did:web:a","type":"t"}`))
					if err != nil {
						continue
					}
					resp.Body.Close()
					status = resp.StatusCode
				} else {
					status, body = fetch(addr, path, nil)
				}
				if status >= 200 && status < 300 {
					h.mu.Lock()
					h.lies = append(h.lies, path+": "+string(body))
					h.mu.Unlock()
				}
			}
		})
	}
	return h
}

// TestStartOfCutLog: a log that ends before what was seen of it, or in a message that cannot be
// read, says nothing and takes nothing.
func TestStartOfCutLog(t *testing.T) {
	sealed := streams.SealedName("default")
	for name, damage := range map[string]func(t *testing.T, dir string){
		"the tail is cut off": func(t *testing.T, dir string) {
			rewrite(t, dir, sealed, func(i int, m *nats.Msg) bool { return i < 8 })
		},
		"everything is cut off": func(t *testing.T, dir string) {
			rewrite(t, dir, sealed, func(i int, m *nats.Msg) bool { return false })
		},
		"the newest is garbled":   func(t *testing.T, dir string) { flipBlock(t, dir, sealed, "e-11") },
		"an older one is garbled": func(t *testing.T, dir string) { flipBlock(t, dir, sealed, "e-5") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := tamperedDir(t, 12)
			damage(t, dir)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := l.Addr().String()
			l.Close()
			h := beHopeful(addr)
			n, err := Up(t.Context(), UpConfig{Plugins: withPlugins, Data: dir, HTTP: addr, NATS: "127.0.0.1:0"})
			if err == nil {
				<-n.pipeline.parts.ctx.Done()
				n.Close()
			}
			h.stop()
			if len(h.lies) > 0 {
				t.Fatalf("%d answers of a log that is not whole, first %s", len(h.lies), h.lies[0])
			}
			t.Log(err)
		})
	}
}

// TestUnreadablePayload: an entry whose data cannot be read is shown without it by every way to
// read, events are taken as before, and the health page, a metric and the board tell.
func TestUnreadablePayload(t *testing.T) {
	payloads := streams.PayloadsName("default")
	for name, damage := range map[string]func(t *testing.T, dir string){
		"altered and stored anew": func(t *testing.T, dir string) {
			rewrite(t, dir, payloads, func(i int, m *nats.Msg) bool {
				m.Data = bytes.Replace(m.Data, []byte(`{\"n\":7}`), []byte(`{\"n\":8}`), 1)
				return true
			})
		},
		"a bit of its block is flipped": func(t *testing.T, dir string) {
			blocks, err := filepath.Glob(filepath.Join(dir, datadir.DirNATS, "jetstream", "*", "streams", payloads,
				"msgs", "*.blk"))
			if err != nil || len(blocks) != 1 {
				t.Fatalf("%v: %v", blocks, err)
			}
			b, err := os.ReadFile(blocks[0])
			if err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(b, []byte(`{\"n\":7}`))
			if at < 0 {
				t.Fatal("the payload is not found")
			}
			b[at+2] ^= 1
			if err := os.WriteFile(blocks[0], b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tamperedDir(t, 12)
			damage(t, dir)
			key := filepath.Join(dir, "sink.key")
			if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
				t.Fatal(err)
			}
			sink := "file://" + filepath.Join(t.TempDir(), "sink.jsonl") + "?key_file=" + key
			n, err := Up(t.Context(), UpConfig{
				Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Sinks: []string{sink},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			await(t, n)
			addr := n.http.Addr().String()
			status, body := fetch(addr, "/v1/entries", map[string][]string{"limit": {"1000"}})
			var page struct {
				Entries []struct {
					Index     uint64
					Data      json.RawMessage
					DataError string `json:"data_error"`
				}
			}
			if err := json.Unmarshal(body, &page); status != http.StatusOK || err != nil || len(page.Entries) != 13 {
				t.Fatalf("%d %v %s", status, err, body)
			}
			for _, e := range page.Entries[1:] {
				if bad := e.Index == 8; (e.Data == nil) != bad || (e.DataError != "") != bad {
					t.Errorf("index %d: %s %q", e.Index, e.Data, e.DataError)
				}
			}
			if status, body := fetch(addr, "/v1/export", nil); status != http.StatusOK ||
				bytes.Count(body, []byte("\n")) != 14 || bytes.Count(body, []byte(`"data_error":`)) != 1 {
				t.Errorf("export: %d %s", status, body)
			}
			for end := time.Now().Add(20 * time.Second); n.pipeline.sinks[0].Status().
				Err == ""; time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the sink says %+v", n.pipeline.sinks[0].Status())
				}
			}
			if status, body := fetch(addr, "/readyz", nil); status != http.StatusOK {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if _, err := receipts(addr, "sealed",
				[]byte(`{"specversion":"1.0","id":"after","source":"did:web:agent","type":"t","data":1}`)); err != nil {
				t.Error(err)
			}
			expect(t, addr, map[string]float64{"sealstream_unreadable_entries": 1})
			if board := n.pipeline.board.List(); !slices.ContainsFunc(board, func(c health.Condition) bool {
				return c.Name == "unreadable" && c.State == health.Warning && strings.Contains(c.Text, "first: ")
			}) {
				t.Errorf("the board says %+v", board)
			}
		})
	}
}
