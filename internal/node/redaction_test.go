package node

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/sealstream/sealstream/internal/settings"
	"github.com/sealstream/sealstream/pkg/client"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/streams/subject"
)

// The secrets of this test, put together so that no scanner takes them for a leak.
var leaks = []string{
	"ghp" + "_" + strings.Repeat("aB3d", 9), "AKIA" + "IOSFODNN7EXAMPLE",
	"sk" + "-ant-api03-" + strings.Repeat("xY9_", 20), "hunter2" + "hunter2", "4111" + "111111111111",
}

// leaky is an event with all of them.
func leaky(id string) string {
	return fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"did:web:a.example.com","type":"t",`+
		`"subject":"/x?token=%s","note":"key %s",`+
		`"data":{"cmd":"curl -H 'Authorization: Bearer %s' https://x","password":%q,"card":"%s","n":1e400}}`, id,
		leaks[0], leaks[1], leaks[2], leaks[3], leaks[4])
}

// TestSecretsAreStripped: what an agent published raw over NATS, or posted, or logged by the SDK,
// is in no stream but EVENTS, in no tile, and in no export; and everybody verifies the log as
// before (case 39 of conformance/cases_test.go).
func TestSecretsAreStripped(t *testing.T) {
	n := upForTest(t)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var last uint64
	for i := range 300 { // enough for a full tile, and a full bundle of leaves
		body := leaky(fmt.Sprint("nats", i))
		if i%10 == 9 {
			body = body[:len(body)-1] // no JSON: rejected
		}
		ack, err := js.Publish(t.Context(), subject.Events("default", "open"), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		last = ack.Sequence
	}
	addr := n.http.Addr().String()
	list, err := receipts(addr, "sealed", []byte(leaky("http")))
	if err != nil || list[0]["status"] != "sealed" {
		t.Fatal(list, err)
	}
	c, err := client.New(client.Config{Server: n.URL(), Key: n.Key(), Agent: "did:web:a.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	if _, err := c.Log(t.Context(), client.Event{Type: "tool_invocation", Data: map[string]string{
		"x": leaks[0], "password": leaks[3],
	}}, client.WaitSealed); err != nil {
		t.Fatalf("the SDK cannot verify what it has redacted: %v", err)
	}
	if n.pipeline.sealer.Status().InputSeq < last {
		t.Fatal("not sealed")
	}
	await(t, n)
	entries, _ := exported(t, addr, n.Key())
	rejected := 0
	for _, e := range entries {
		switch {
		case e.EventType == entry.TypeRejected:
			rejected++
			fallthrough
		case !e.IsOwn():
			if len(e.Redactions) < 1 {
				t.Errorf("index %d: no redactions: %s", e.Index, e.Leaf)
			}
		}
	}
	if rejected != 30 || len(entries) != 303 {
		t.Errorf("%d entries, %d rejected", len(entries), rejected)
	}
	seen := scanStreams(t, n)
	for _, name := range []string{"SEALED_default", "PAYLOADS_default", "KV_HEAD"} {
		if seen[name] == 0 {
			t.Errorf("%s was not looked at: %v", name, seen)
		}
	}
	for _, path := range []string{
		"/v1/export", "/v1/export?format=csv", "/v1/export?format=cloudevents", "/v1/entries?raw=1&limit=1000",
		"/tile/0/000", "/tile/entries/000",
	} {
		code, body := ask(t, n.pipeline, "GET", path, nil)
		if code != http.StatusOK {
			t.Fatal(path, code)
		}
		noLeak(t, path, body)
	}
	checkPythonExport(t, n)
}

func checkPythonExport(t *testing.T, n *Node) {
	t.Helper()
	_, export := fetch(n.http.Addr().String(), "/v1/export", nil)
	python(t, t.TempDir(), "export", export, n.Key())
}

func noLeak(t *testing.T, where string, b []byte) {
	t.Helper()
	for _, secret := range leaks {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s holds %.12s…", where, secret)
		}
	}
}

// scanStreams looks at every message of every stream but EVENTS, and says how many there are.
func scanStreams(t *testing.T, n *Node) map[string]int {
	t.Helper()
	js, err := jetstream.New(n.conn)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	names := js.StreamNames(t.Context())
	for name := range names.Name() {
		if strings.HasPrefix(name, "EVENTS") {
			continue
		}
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for seq := max(1, s.CachedInfo().State.FirstSeq); seq <= s.CachedInfo().State.LastSeq; seq++ {
			m, err := s.GetMsg(t.Context(), seq)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			noLeak(t, fmt.Sprintf("%s %d", name, seq), append(m.Data, fmt.Sprint(m.Subject, m.Header)...))
			seen[name]++
		}
	}
	if err := names.Err(); err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestRedactionSwitch: off for a new log, on for the same log at its next start, and kept where nothing is said.
func TestRedactionSwitch(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	for i, c := range []struct {
		say  string
		want int // redactions of an event that is logged then
	}{{"off", 0}, {"default", 1}, {"", 1}, {"off", 0}} {
		n, err := Up(t.Context(), UpConfig{
			Plugins: withPlugins, Data: dir, HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0", Redaction: c.say,
		})
		if err != nil {
			t.Fatal(err)
		}
		raw := fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"did:a","type":"t","data":%q}`, i, leaks[0])
		nc, err := nats.Connect(n.NATSURL())
		if err != nil {
			t.Fatal(err)
		}
		js, _ := jetstream.New(nc)
		if _, err := js.Publish(t.Context(), subject.Events("default", "open"), []byte(raw)); err != nil {
			t.Fatal(err)
		}
		nc.Close()
		n.pipeline.drain(t.Context())
		await(t, n)
		entries, _ := exported(t, n.http.Addr().String(), n.Key())
		if e := entries[len(entries)-1]; e.EntryID != fmt.Sprint(i) || len(e.Redactions) != c.want {
			t.Errorf("%q: %s", c.say, e.Leaf)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := withPlugins.readRedaction(filepath.Join(dir, "none")); !errors.Is(err, settings.ErrInvalid) {
		t.Error(err)
	}
	if r, err := withPlugins.ReadRedaction("default"); err != nil || !r.Equal(redact.Default()) {
		t.Error(r, err)
	}
}
