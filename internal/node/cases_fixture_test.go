package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// caseLog is a log that the numbered cases look at from outside: over its HTTP API, and with what it exports.
type caseLog struct {
	*testing.T
	log *Log
}

// newCaseLog runs a log. dir "": in memory.
func newCaseLog(t *testing.T, dir string) caseLog {
	t.Helper()
	l, err := Embedded(t.Context(), EmbedConfig{Plugins: withPlugins, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return caseLog{t, l}
}

// ask is a request with its answer, which must have a status.
func (c caseLog) ask(method, target, kind, body string, want int) []byte {
	c.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	w := httptest.NewRecorder()
	c.log.Handler().ServeHTTP(w, r)
	if w.Code != want {
		c.Fatalf("%s %s: %d %s, want %d", method, target, w.Code, w.Body, want)
	}
	return w.Body.Bytes()
}

// get reads JSON.
func (c caseLog) get(target string, v any) {
	c.Helper()
	if err := json.Unmarshal(c.ask(http.MethodGet, target, "", "", http.StatusOK), v); err != nil {
		c.Fatalf("%s: %v", target, err)
	}
}

// record seals events, each the inside of a CloudEvent's JSON behind its specversion, and waits
// until they can be queried.
func (c caseLog) record(events ...string) []map[string]any {
	c.Helper()
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = `{"specversion":"1.0",` + e + `}`
	}
	var out struct{ Receipts []map[string]any }
	b := c.ask(http.MethodPost, "/v1/events?wait=sealed", "application/cloudevents-batch+json",
		"["+strings.Join(list, ",")+"]", http.StatusOK)
	if err := json.Unmarshal(b, &out); err != nil {
		c.Fatal(err)
	}
	for _, r := range out.Receipts {
		if index, ok := r["index"].(float64); ok {
			c.log.pipeline.shown(c.Context(), uint64(index))
		}
	}
	return out.Receipts
}

// tool is a tool invocation of an agent.
func tool(id, agent, more string) string {
	return fmt.Sprintf(`"id":%q,"source":%q,"type":"ai.agentmesh.tool.invoked"%s`, id, agent, more)
}

// tools are n of them, of one agent.
func tools(n int) (list []string) {
	for i := range n {
		list = append(list,
			tool(fmt.Sprintf("e-%d", i), "did:web:agent",
				fmt.Sprintf(`,"action":"allow","policydecision":"yes","traceid":"t","data":{"n":%d}`, i)))
	}
	return list
}

// recordAll seals many in groups.
func (c caseLog) recordAll(events []string) {
	c.Helper()
	for len(events) > 0 {
		n := min(256, len(events))
		c.record(events[:n]...)
		events = events[n:]
	}
}

// entries lists by filters.
func (c caseLog) entries(query string) (list []map[string]any) {
	c.Helper()
	var p struct{ Entries []map[string]any }
	c.get("/v1/entries?"+query, &p)
	if p.Entries == nil {
		c.Fatalf("%s: entries are null", query)
	}
	return p.Entries
}

// ids are those of entries, in one text.
func ids(list []map[string]any) string {
	var b []string
	for _, e := range list {
		b = append(b, e["entry_id"].(string))
	}
	return strings.Join(b, " ")
}

// export is the whole log, line by line.
func (c caseLog) export() [][]byte {
	c.Helper()
	return bytes.Split(bytes.TrimSpace(c.ask(http.MethodGet, "/v1/export", "", "", http.StatusOK)), []byte("\n"))
}

// leaves are those of the exported entries.
func (c caseLog) leaves() (list [][]byte) {
	c.Helper()
	for _, line := range c.export()[1:] {
		var x struct{ Leaf string }
		if err := json.Unmarshal(line, &x); err != nil {
			c.Fatal(err)
		}
		list = append(list, []byte(x.Leaf))
	}
	return list
}

// audit verifies an export as an auditor does who has the log's key alone.
func (c caseLog) audit(lines [][]byte, known ...proof.Checkpoint) error {
	_, err := audit.Export(audit.Config{Keys: []string{c.log.Key()}, Known: known},
		func(yield func([]byte, error) bool) {
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
		})
	return err
}

// blames says whether an error names an index, or, with anywhere, any.
const anywhere = ^uint64(0)

func blames(err error, index uint64) bool {
	m, ok := errors.AsType[*audit.MismatchError](err)
	return ok && (index == anywhere || m.Index == index)
}

// proofOf asks for a proof.
func (c caseLog) proofOf(target string) proof.EntryProof {
	c.Helper()
	p, err := proof.ParseEntryProof(c.ask(http.MethodGet, target, "", "", http.StatusOK))
	if err != nil {
		c.Fatal(err)
	}
	return p
}

// naiveRoot is the root of RFC 6962 section 2.1 as it stands there, from nothing but SHA-256.
func naiveRoot(leaves [][]byte) entry.Hash {
	if len(leaves) == 1 {
		return sha([]byte{0}, leaves[0])
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	l, r := naiveRoot(leaves[:k]), naiveRoot(leaves[k:])
	return sha([]byte{1}, l[:], r[:])
}

// checkLeaf proves that a leaf stands at index in the log that signed the checkpoint.
func checkLeaf(leaf []byte, index uint64, p proof.Path, checkpoint []byte, key string) (proof.Checkpoint, error) {
	c, err := proof.OpenCheckpoint(checkpoint, key)
	if err != nil {
		return c, err
	}
	return c, proof.CheckInclusion(entry.LeafHash(leaf), index, c.Size, p, c.Root)
}
