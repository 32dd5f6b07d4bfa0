package node

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestScopedToolkit: under rules 3, the toolkit's collector shows a reader of one agent what that agent did, and
// counts nothing else.
func TestScopedToolkit(t *testing.T) {
	g := &guarded{t: t, file: filepath.Join(t.TempDir(), "access.yaml"), tokens: map[string]string{}}
	g.write(map[string]string{"ci": "publish: [did:web:a, did:web:b]", "all": "read: all", "a": "read: [did:web:a]"})
	cfg := UpConfig{
		Plugins: withPlugins, Data: filepath.Join(t.TempDir(), "d"), HTTP: "127.0.0.1:0", NATS: "127.0.0.1:0",
	}
	n, err := Up(t.Context(), cfg) // without access, so that the log is sealed by rules 3
	if err != nil {
		t.Fatal(err)
	}
	n.Close()
	cfg.Access, cfg.Close = g.file, true
	if n, err = Up(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	g.Node = n
	for i := range 6 {
		body := fmt.Sprintf(`{"agent_did":"did:web:%s","event_type":"tool_invocation","action":"allow",`+
			`"entry_id":"e%d","trace_id":"t"}`, []string{"b", "a", "b"}[i%3], i)
		if status, answer := g.ask("POST", "/api/v1/audit/log", "ci", body); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if err := n.pipeline.query.Await(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		as, body string
		total    int
	}{
		{"all", `{}`, 6}, {"a", `{}`, 2}, {"a", `{"agent_did":"did:web:b"}`, 0}, {"a", `{"trace_id":"t","limit":1}`, 2},
		{"a", `{"event_type":"sealstream.config"}`, 2}, {"all", `{"agent_did":"did:web:b"}`, 4},
	} {
		status, answer := g.ask("POST", "/api/v1/audit/query", c.as, c.body)
		var got struct {
			Total   int
			Entries []struct {
				Agent    string  `json:"agent_did"`
				Own      *string `json:"entry_hash"`
				Previous *string `json:"previous_hash"`
				Index    int
			}
		}
		if err := json.Unmarshal([]byte(answer), &got); status != 200 || err != nil || got.Total != c.total {
			t.Fatalf("%s by %s: %d %s, want %d", c.body, c.as, status, answer, c.total)
		}
		for _, e := range got.Entries {
			hidden := c.as == "a" && e.Index > 2
			if (e.Own == nil) != hidden || (e.Previous == nil) != hidden || c.as == "a" && e.Agent == "did:web:b" {
				t.Fatalf("%s by %s: %s", c.body, c.as, answer)
			}
		}
	}
	for as, want := range map[string]string{"all": `"total_entries":6`, "a": `"total_entries":2`} {
		if status, answer := g.ask("GET", "/api/v1/audit/summary", as, ""); status != 200 || !strings.Contains(answer, want) {
			t.Fatalf("summary for %s: %d %s", as, status, answer)
		}
	}
}
