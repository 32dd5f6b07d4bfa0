package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/cosign"
	"github.com/sealstream/sealstream/internal/witness/server"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestWitnessed: a log with a witness gives receipts that say so, over NATS streams and HTTP;
// without it, it goes on and says that too. What it serves verifies with the witness's key.
func TestWitnessed(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	first, err := Up(t.Context(), UpConfig{Plugins: withPlugins, Data: data, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	key := first.Key()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	open := func(listen string) (*server.Server, func()) {
		t.Helper()
		w, err := server.Open(server.Config{
			Key: filepath.Join(dir, "w.key"), Name: "w.example/w", Logs: write("logs", "log "+key+"\n"),
			State: filepath.Join(dir, "w.state"), Listen: listen,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- w.Serve(ctx) }()
		stopped := false
		stop := func() {
			if stopped {
				return
			}
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			w.Close()
		}
		t.Cleanup(stop)
		return w, stop
	}
	w, stop := open("127.0.0.1:0")
	addr := strings.TrimPrefix(w.URL(), "http://")
	text := fmt.Sprintf("log %s\nwitness w %s %s\nquorum w\n", key, w.Key, w.URL())
	policy, err := proof.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: data, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Policy: write("policy", text),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p := &publisher{source: "did:web:agent"}
	send := func(i int) (status, wait, note string, index uint64) {
		t.Helper()
		_, raw := p.event(i)
		resp, err := http.Post(n.URL()+"/v1/events?wait=witnessed", "application/cloudevents+json",
			strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out struct {
			Receipts []struct {
				Status, Wait, Checkpoint string
				Index                    uint64
			}
		}
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || len(out.Receipts) != 1 {
			t.Fatalf("%+v %v", out, err)
		}
		r := out.Receipts[0]
		return r.Status, r.Wait, r.Checkpoint, r.Index
	}
	for i := range 3 {
		status, wait, note, index := send(i)
		cp, err := proof.OpenCheckpoint([]byte(note), key)
		if err != nil || status != "witnessed" || wait != "" || cp.Size <= index {
			t.Fatalf("%s %q, checkpoint of size %d for index %d: %v", status, wait, cp.Size, index, err)
		}
		if by, err := policy.Cosigned([]byte(note)); err != nil || !by.Quorum {
			t.Fatalf("%+v %v", by, err)
		}
	}

	sdk, err := client.New(client.Config{Server: n.URL(), Key: key, Policy: policy, Agent: "did:web:sdk"})
	if err != nil {
		t.Fatal(err)
	}
	defer sdk.Close(t.Context())
	for range 2 { // one by one, and as a batch; the same twice
		event := client.Event{ID: "sdk-1", Type: "tool_invocation", Resource: "x"}
		one, err := sdk.Log(t.Context(), event, client.WaitWitnessed)
		if err != nil || one.Status != client.Witnessed && one.Status != client.Duplicate {
			t.Fatalf("%+v %v", one, err)
		}
		many, err := sdk.LogBatch(t.Context(), []client.Event{event, {ID: "sdk-2", Type: "tool_invocation"}},
			client.WaitWitnessed)
		if err != nil || many[0].Status != client.Duplicate {
			t.Fatalf("%+v %v", many, err)
		}
		for _, r := range append(many, one) {
			if by, err := policy.Cosigned([]byte(r.Checkpoint)); err != nil || !by.Quorum {
				t.Fatalf("%s %s: %+v %v", r.EntryID, r.Status, by, err)
			}
		}
	}

	stop()
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if r, err := sdk.Log(short, client.Event{ID: "sdk-3", Type: "tool_invocation"}, client.WaitWitnessed); err == nil {
		t.Fatalf("witnessed without its witness: %+v", r)
	}
	_, raw := p.event(3)
	if _, err := receipts(n.http.Addr().String(), "sealed", raw); err != nil {
		t.Fatalf("without its witness: %v", err)
	}
	awaitThat(t, "health says that the witness is away", func() bool {
		s := n.pipeline.witness.Status()
		return s.Behind > 0 && s.Witnesses[0].Error != ""
	})
	_, stop = open(addr) // with the state that it had
	defer stop()
	if status, _, _, _ := send(4); status != "witnessed" {
		t.Errorf("its witness is back: %s", status)
	}
}

func awaitThat(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in 30 s: %s", what)
		}
	}
}

// TestPolicies: what is wrong with a policy is found before anything is touched.
func TestPolicies(t *testing.T) {
	dir := t.TempDir()
	_, wkey, err := cosign.GenerateKey("w")
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := proof.GenerateKey("h", "default")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"no policy": "nonsense\n", "no URL": "witness w " + wkey + "\nquorum w\n",
		"another log": "log " + other + "\nwitness w " + wkey + " http://127.0.0.1:1\nquorum w\n"} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := readPolicy(path, "h/default/00000000+00000000+AQ=="); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if p, err := readPolicy("", "x"); p != nil || err != nil {
		t.Errorf("%+v %v", p, err)
	}
}
