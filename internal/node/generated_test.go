package node

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/sealstream/sealstream/internal/eventgen"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestGenerated sends 20,000 generated events, one in eight of them not valid, half over HTTP and
// half over NATS: each valid one is sealed as itself, each other one is refused or sealed as
// rejected, and everything that holds for real input holds for them.
func TestGenerated(t *testing.T) {
	total := 20000
	if testing.Short() {
		total = 2000
	}
	// A random number can be a card's, which redaction would take out.
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
		Redaction: "off",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	g := eventgen.New(42, eventgen.Options{})
	sent := map[string]entry.Event{}
	refused := 0
	for k := 0; k < total; {
		var group [][]byte
		for ; len(group) < 200 && k < total; k++ {
			raw, valid, _ := g.Raw()
			if valid {
				ev, err := entry.ParseEvent(raw)
				if err != nil {
					t.Fatal(err)
				}
				sent[ev.Source+" "+ev.ID] = ev
				group = append(group, raw)
				continue
			}
			refused++ // raw over NATS, since not everything invalid can stand in an array
			if _, err := nc.Request("audit.default.events.open", raw, nats.DefaultTimeout*5); err != nil {
				t.Fatal(err)
			}
		}
		sendGroup(t, n, nc, group, k%400 == 0)
	}
	n.pipeline.drain(t.Context())
	await(t, n)
	entries, report := exported(t, n.http.Addr().String(), n.Key())
	rejected := 0
	for _, e := range entries {
		switch {
		case e.EventType == entry.TypeRejected:
			rejected++
		case !e.IsOwn():
			checkSealed(t, sent, e)
		case e.EventType != entry.TypeConfig:
			t.Fatalf("index %d is a %s", e.Index, e.EventType)
		}
	}
	if len(sent) != 0 || rejected != refused {
		t.Fatalf("%d events are not sealed; %d rejected, want %d", len(sent), rejected, refused)
	}
	checkGeneratedFilters(t, n, entries)
	if testing.Short() {
		checkProofs(t, n, entries[:500], report)
	} else {
		checkProofs(t, n, entries, report)
	}
	checkPython(t, n)
}

// sendGroup records events over HTTP in one request, or over NATS one by one.
func sendGroup(t *testing.T, n *Node, nc *nats.Conn, group [][]byte, overNATS bool) {
	t.Helper()
	if !overNATS {
		list, err := receipts(n.http.Addr().String(), "stored", group...)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range list {
			if r["status"] != "stored" {
				t.Fatalf("%v\n%s", r, group[i])
			}
		}
		return
	}
	for _, raw := range group {
		answer, err := nc.Request("audit.default.events.open", raw, nats.DefaultTimeout*5)
		if err != nil || !bytes.Contains(answer.Data, []byte(`"seq"`)) {
			t.Fatalf("%v %s", err, answer.Data)
		}
	}
}

// checkSealed takes the event of an entry out of sent, and compares the two.
func checkSealed(t *testing.T, sent map[string]entry.Event, e entry.Entry) {
	t.Helper()
	key := e.AgentDID + " " + e.EntryID
	ev, ok := sent[key]
	if !ok {
		t.Fatalf("index %d was not sent, or twice: %s", e.Index, e.Leaf)
	}
	delete(sent, key)
	if e.CloudEventType != ev.Type || e.Action != ev.Action || e.Outcome != ev.Outcome || e.Resource != ev.Subject ||
		e.TraceID != ev.TraceID || e.MatchedRule != ev.MatchedRule || e.TargetDID != ev.TargetDID ||
		ev.HasData != (e.DataHash != nil) || ev.Time != "" && e.Timestamp != ev.Time {
		t.Fatalf("index %d: sealed %s, sent %s", e.Index, e.Leaf, ev.AppendJSON(nil))
	}
	if ev.Salt != nil && ev.HasData && *e.DataHash != entry.DataHash(*ev.Salt, ev.Data) {
		t.Fatalf("index %d: data_hash does not open with the sender's salt", e.Index)
	}
}

// checkGeneratedFilters compares random combinations of two filters with a scan.
func checkGeneratedFilters(t *testing.T, n *Node, entries []entry.Entry) {
	t.Helper()
	fields := []struct {
		name string
		get  func(entry.Entry) string
	}{
		{"agent", func(e entry.Entry) string { return e.AgentDID }}, {"type", func(e entry.Entry) string { return e.EventType }},
		{"action", func(e entry.Entry) string { return e.Action }}, {"outcome", func(e entry.Entry) string { return e.Outcome }},
		{"resource", func(e entry.Entry) string { return e.Resource }}, {"target", func(e entry.Entry) string { return e.TargetDID }},
		{"rule", func(e entry.Entry) string { return e.MatchedRule }}, {"trace", func(e entry.Entry) string { return e.TraceID }},
		{"session", func(e entry.Entry) string { return e.SessionID }},
	}
	r := rand.New(rand.NewPCG(1, 2))
	some := 0
	for range 150 {
		a, b := fields[r.IntN(len(fields))], fields[r.IntN(len(fields))]
		x, y := entries[r.IntN(len(entries))], entries[r.IntN(len(entries))]
		if a.name == b.name || a.get(x) == "" || b.get(y) == "" || b.get(x) == "" {
			continue
		}
		either := []string{b.get(x), b.get(y)}
		checkFilter(t, n, url.Values{a.name: {a.get(x)}, b.name: either}, entries, func(e entry.Entry) bool {
			return a.get(e) == a.get(x) && slices.Contains(either, b.get(e))
		})
		some++
	}
	if some < 20 {
		t.Fatalf("only %d combinations were asked", some)
	}
	var stats map[string]any
	_, body := fetch(n.http.Addr().String(), "/v1/stats", nil)
	if err := json.Unmarshal(body, &stats); err != nil || stats["tree_size"] != float64(len(entries)) {
		t.Fatalf("stats: %v, %.200s", err, body)
	}
}
