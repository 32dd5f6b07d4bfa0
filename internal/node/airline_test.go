package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/demo"
	"github.com/sealstream/sealstream/pkg/entry"
	sproof "github.com/sealstream/sealstream/pkg/proof"
)

// airline are the 713 recorded events of a real agent, as they are published.
func airline() [][]byte {
	return demo.Events()
}

func upForTest(t *testing.T) *Node {
	t.Helper()
	n, err := Up(t.Context(), UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// TestAirlineOverHTTP imports real input over HTTP, twice; the second time must add no entry of an event.
func TestAirlineOverHTTP(t *testing.T) {
	n := upForTest(t)
	addr := n.http.Addr().String()
	for round, want := range []string{"sealed", "duplicate"} {
		for group := range slices.Chunk(airline(), 256) {
			list, err := receipts(addr, "sealed", group...)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range list {
				if r["status"] != want {
					t.Fatalf("round %d, event %d: %v, want %s", round, i, r, want)
				}
			}
		}
	}
	checkAirline(t, n)
}

// TestAirlineOverNATS publishes the same raw over NATS, as a client without any credentials would.
func TestAirlineOverNATS(t *testing.T) {
	n := upForTest(t)
	nc, err := nats.Connect(n.NATSURL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for range 2 {
		for _, raw := range airline() {
			ev, err := entry.ParseEvent(raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := demo.Publish(t.Context(), nc, "default", ev, raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	n.pipeline.drain(t.Context())
	checkAirline(t, n)
}

// checkAirline: all 713 are sealed once each, in order; every filter equals a scan of the file; and
// every entry is proven to three independent verifiers.
func checkAirline(t *testing.T, n *Node) {
	t.Helper()
	await(t, n)
	entries, report := exported(t, n.http.Addr().String(), n.Key())
	var events []entry.Entry
	for _, e := range entries {
		if !e.IsOwn() {
			events = append(events, e)
		} else if e.EventType != entry.TypeConfig && e.EventType != entry.TypeDuplicate {
			t.Fatalf("index %d is a %s", e.Index, e.EventType)
		}
	}
	lines := airline()
	if len(events) != len(lines) {
		t.Fatalf("%d events are sealed, want %d", len(events), len(lines))
	}
	for i, raw := range lines {
		ev, err := entry.ParseEvent(raw)
		if err != nil {
			t.Fatal(err)
		}
		if e := events[i]; e.EntryID != ev.ID || e.AgentDID != ev.Source || e.TraceID != ev.TraceID ||
			e.Outcome != ev.Outcome || e.Resource != ev.Subject {
			t.Fatalf("event %d is sealed as %s", i, e.Leaf)
		}
	}
	checkFilters(t, n, entries)
	checkProofs(t, n, entries, report)
	checkPython(t, n)
}

// await waits until query has indexed what is sealed.
func await(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := n.pipeline.query.Await(ctx, n.pipeline.sealer.Status().Size); err != nil {
		t.Fatal(err)
	}
}

// checkFilters asks for every value that a field has, and for pairs of fields, and compares with a scan.
func checkFilters(t *testing.T, n *Node, entries []entry.Entry) {
	t.Helper()
	fields := map[string]func(entry.Entry) string{
		"agent": func(e entry.Entry) string { return e.AgentDID }, "type": func(e entry.Entry) string { return e.EventType },
		"action": func(e entry.Entry) string { return e.Action }, "outcome": func(e entry.Entry) string { return e.Outcome },
		"resource": func(e entry.Entry) string { return e.Resource }, "trace": func(e entry.Entry) string { return e.TraceID },
		"session": func(e entry.Entry) string { return e.SessionID },
	}
	asked := 0
	for name, get := range fields {
		values := map[string]bool{}
		for _, e := range entries {
			if v := get(e); v != "" {
				values[v] = true
			}
		}
		if len(values) < 2 {
			t.Fatalf("%s: the input has %d values, which tests nothing", name, len(values))
		}
		for v := range values {
			checkFilter(t, n, url.Values{name: {v}}, entries, func(e entry.Entry) bool { return get(e) == v })
			asked++
			if name == "outcome" {
				continue
			}
			checkFilter(t, n, url.Values{name: {v}, "outcome": {"failure", "error"}}, entries,
				func(e entry.Entry) bool {
					return get(e) == v && (e.Outcome == "failure" || e.Outcome == "error")
				})
			asked++
		}
	}
	from, to := "2024-05-15T20:10:00Z", "2024-05-15T21:00:00Z"
	checkFilter(t, n, url.Values{"from": {from}, "to": {to}}, entries, func(e entry.Entry) bool {
		return e.Timestamp >= from && e.Timestamp <= to
	})
	t.Logf("%d filters equal a scan", asked+1)
}

func checkFilter(t *testing.T, n *Node, q url.Values, entries []entry.Entry, match func(entry.Entry) bool) {
	t.Helper()
	var want []uint64
	for _, e := range entries {
		if match(e) {
			want = append(want, e.Index)
		}
	}
	var have []uint64
	q = url.Values(http.Header(q).Clone())
	q.Set("limit", "97")
	q.Set("order", "asc")
	for {
		status, body := fetch(n.http.Addr().String(), "/v1/entries", q)
		var page struct {
			Entries []struct{ Index uint64 }
			Next    *string `json:"next_cursor"`
		}
		if err := json.Unmarshal(body, &page); status != http.StatusOK || err != nil {
			t.Fatalf("%v: status %d, %v: %.200s", q, status, err, body)
		}
		for _, e := range page.Entries {
			have = append(have, e.Index)
		}
		if page.Next == nil {
			break
		}
		q.Set("cursor", *page.Next)
	}
	if !slices.Equal(have, want) {
		t.Fatalf("%v: %d entries, a scan finds %d", q, len(have), len(want))
	}
}

// checkProofs fetches every entry's proof and has it checked here, by x/mod and by transparency-dev/merkle.
func checkProofs(t *testing.T, n *Node, entries []entry.Entry, report audit.Report) {
	t.Helper()
	if report.Size == 0 { // merkle's verifiers take anything for size 0
		t.Fatal("an empty log")
	}
	for _, e := range entries {
		status, body := fetch(n.http.Addr().String(), fmt.Sprintf("/v1/entries/%d/proof", e.Index), nil)
		if status != http.StatusOK {
			t.Fatalf("proof of %d: status %d: %s", e.Index, status, body)
		}
		p, err := sproof.ParseEntryProof(body)
		if err != nil {
			t.Fatal(err)
		}
		proven, cp, err := p.Check(n.Key())
		if err != nil || proven.EntryHash != e.EntryHash {
			t.Fatalf("proof of %d: %v", e.Index, err)
		}
		var ours tlog.RecordProof
		var theirs [][]byte
		for _, s := range p.MerkleProof {
			ours = append(ours, tlog.Hash(s.Hash))
			theirs = append(theirs, bytes.Clone(s.Hash[:]))
		}
		if err := tlog.CheckRecord(ours, int64(cp.Size), tlog.Hash(cp.Root), int64(e.Index),
			tlog.RecordHash(e.Leaf)); err != nil {
			t.Fatalf("x/mod: proof of %d: %v", e.Index, err)
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, e.Index, cp.Size, rfc6962.DefaultHasher.HashLeaf(e.Leaf),
			theirs, cp.Root[:]); err != nil {
			t.Fatalf("merkle: proof of %d: %v", e.Index, err)
		}
	}
}

// checkPython has the second verifier check the whole export, and some proofs.
func checkPython(t *testing.T, n *Node) {
	t.Helper()
	dir := t.TempDir()
	_, export := fetch(n.http.Addr().String(), "/v1/export", nil)
	python(t, dir, "export", export, n.Key())
	for _, index := range []int{0, 1, 356, 713} {
		_, p := fetch(n.http.Addr().String(), fmt.Sprintf("/v1/entries/%d/proof", index), url.Values{"raw": {"1"}})
		python(t, dir, "proof", p, n.Key())
	}
}

func python(t *testing.T, dir, verb string, content []byte, key string) {
	t.Helper()
	file := filepath.Join(dir, verb)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("python3", "../../sdk/python/sealstream_verify.py", verb, file, "--key",
		key).CombinedOutput()
	if err != nil {
		t.Fatalf("Python: %s: %v\n%s", verb, err, strings.TrimSpace(string(out)))
	}
}
