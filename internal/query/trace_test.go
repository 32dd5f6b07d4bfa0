package query_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"testing"

	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestTraceOfAirline: a recorded run with a violation shows the calls, the violation and the hand-over.
func TestTraceOfAirline(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 713), 60)
	const run = "b04037ccf2b9c5fd51f17f5af4319591"
	var tr struct {
		api.TraceSummary
		Entries []struct {
			Index     uint64
			EventType string `json:"event_type"`
			TargetDID string `json:"target_did"`
			Data      json.RawMessage
		}
	}
	f.get("/v1/traces/"+run, &tr)
	var types []string
	for _, e := range tr.Entries {
		types = append(types, e.EventType)
		if len(e.Data) == 0 {
			t.Errorf("entry %d has no data", e.Index)
		}
	}
	want := []string{
		"tool_invocation", "tool_invocation", "tool_invocation", "tool_invocation", "tool_invocation",
		"policy_violation", "agent_invocation", "policy_evaluation",
	}
	if !slices.Equal(types, want) {
		t.Fatalf("types %v", types)
	}
	first, parent := tr.Entries[0].Index, 0
	delegation := first + 6
	tree := []api.Branch{
		{AgentDID: "did:web:airline-agent-0.example.com", TraceID: run, Entries: []uint64{first, first + 1, first + 2, first + 3, first + 4, first + 5, first + 6, first + 7}},
		{AgentDID: "did:web:human-desk.example.com", TraceID: run, Delegation: &delegation, Parent: &parent, Depth: 1, Entries: []uint64{}},
	}
	if !reflect.DeepEqual(tr.Tree, tree) {
		t.Errorf("tree %+v", tr.Tree)
	}
	s := tr.TraceSummary
	if s.TraceID != run || s.SessionID != "" || s.Count != 8 || s.Truncated || s.NextCursor != nil ||
		s.TreeSize != 714 || s.Claimed != (api.TimeRange{
		First: "2024-05-15T20:28:00Z", Last: "2024-05-15T20:29:17Z", Seconds: 77,
	}) {
		t.Errorf("%+v", s)
	}
	if !reflect.DeepEqual(s.Counts, api.TraceCounts{
		Agents: map[string]int{"did:web:airline-agent-0.example.com": 8}, Types: map[string]int{
			"tool_invocation": 5, "policy_violation": 1, "agent_invocation": 1, "policy_evaluation": 1,
		},
		Actions: map[string]int{"allow": 5, "audit": 3}, Outcomes: map[string]int{"success": 6, "failure": 2},
	}) {
		t.Errorf("counts %+v", s.Counts)
	}

	var session struct{ api.TraceSummary }
	f.get("/v1/sessions/tau-airline-0-4", &session)
	if session.SessionID != "tau-airline-0-4" || session.TraceID != "" || session.Count != 8 ||
		!reflect.DeepEqual(session.Tree, tree) {
		t.Errorf("session %+v", session)
	}
	whole, err := f.q.Trace(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(whole) // without white space in the data
	var over bytes.Buffer
	if err := json.Compact(&over, f.do("GET", "/v1/traces/"+run).body); err != nil {
		t.Fatal(err)
	}
	if err != nil || over.String() != string(b) {
		t.Errorf("HTTP and Go differ: %.300s\n%.300s", over.String(), b)
	}
}

// TestDelegations holds the tree to its definition, looked up naively, for random traces and
// sessions of agents that call each other.
func TestDelegations(t *testing.T) {
	f := newFixture(t)
	r := rand.New(rand.NewPCG(4, 2))
	agent := func() string { return fmt.Sprintf("did:web:%c.example.com", 'a'+r.IntN(4)) }
	var events [][]byte
	for i := range 2000 {
		m := map[string]any{
			"source": agent(), "type": "ai.agentmesh.tool.invoked", "sessionid": fmt.Sprintf("s/%d", i/100),
		}
		if n := r.IntN(5); n > 0 {
			m["traceid"] = fmt.Sprintf("t/%d/%d", i/100, n)
		}
		switch r.IntN(4) {
		case 0:
			m["type"], m["targetdid"] = "ai.agentmesh.agent_invocation", agent()
			if r.IntN(4) == 0 {
				m["action"] = ruleset.Actions[r.IntN(len(ruleset.Actions))]
			}
			if r.IntN(4) == 0 {
				m["outcome"] = ruleset.Outcomes[r.IntN(len(ruleset.Outcomes))]
			}
		case 1:
			m["targetdid"] = agent() // of no agent_invocation: no delegation
		}
		events = append(events, event(fmt.Sprint(i), m))
	}
	f.publishAll(events, 100)
	all, deep := f.scan(), 0
	groups := map[string][]entry.Entry{}
	for _, e := range all {
		if e.TraceID != "" {
			groups["/v1/traces/"+url.PathEscape(e.TraceID)] = append(groups["/v1/traces/"+url.PathEscape(e.TraceID)], e)
		}
		if e.SessionID != "" {
			groups["/v1/sessions/"+
				url.PathEscape(e.SessionID)] = append(groups["/v1/sessions/"+url.PathEscape(e.SessionID)], e)
		}
	}
	if len(groups) != 100 {
		t.Fatalf("%d groups", len(groups))
	}
	for path, list := range groups {
		var tr api.TraceSummary
		f.get(path, &tr)
		deep = max(deep, checkTree(t, path, tr, list))
	}
	if deep < 5 {
		t.Errorf("no tree is deeper than %d", deep)
	}
}

func checkTree(t *testing.T, path string, tr api.TraceSummary, list []entry.Entry) (deep int) {
	t.Helper()
	at := map[uint64]api.Branch{}
	n := 0
	for i, b := range tr.Tree {
		deep = max(deep, b.Depth)
		n += len(b.Entries)
		for _, x := range b.Entries {
			at[x] = b
		}
		if (b.Parent == nil) != (b.Delegation == nil) ||
			b.Parent != nil &&
				(*b.Parent >= i || tr.Tree[*b.Parent].Depth+1 != b.Depth ||
					!slices.Contains(tr.Tree[*b.Parent].Entries, *b.Delegation)) ||
			b.Parent == nil && (b.Depth != 0 || len(b.Entries) == 0) {
			t.Fatalf("%s: branch %d: %+v", path, i, b)
		}
	}
	if n != len(list) || tr.Count != uint64(n) {
		t.Fatalf("%s: %d entries in the tree, count %d, want %d", path, n, tr.Count, len(list))
	}
	for i, e := range list {
		b, there := at[e.Index]
		var want *uint64
		for _, before := range list[:i] {
			if before.EventType == "agent_invocation" && before.TargetDID == e.AgentDID &&
				before.TraceID == e.TraceID && before.Action != "deny" && before.Outcome != "denied" {
				want = &before.Index
			}
		}
		if !there || b.AgentDID != e.AgentDID || b.TraceID != e.TraceID || (want == nil) != (b.Delegation == nil) ||
			want != nil && *want != *b.Delegation {
			t.Fatalf("%s: entry %d hangs in %+v, want below %v", path, e.Index, b, want)
		}
	}
	return deep
}

// TestTraceIsBounded: a trace of any size is answered with its first thousand entries, and says so.
func TestTraceIsBounded(t *testing.T) {
	p := newPress(t)
	events := make([][]byte, 250)
	for i := range 5 {
		for j := range events {
			events[j] = event(fmt.Sprint(i, j), map[string]any{
				"traceid": "long", "time": fmt.Sprintf("2026-01-01T00:%02d:%02dZ", 4-i, j%60),
			})
		}
		p.seal(events...)
	}
	f := &fixture{T: t, log: p.log, key: p.signer.VerifierKey(), size: 1251}
	f.serve(query.Config{Log: f.log, Keys: []string{f.key}})
	f.await()
	var tr struct {
		api.TraceSummary
		Entries []json.RawMessage
	}
	f.get("/v1/traces/long", &tr)
	if len(tr.Entries) != 1000 || tr.Count != 1250 || !tr.Truncated || tr.NextCursor == nil ||
		len(tr.Tree[0].Entries) != 1000 || tr.Claimed != (api.TimeRange{
		First: "2026-01-01T00:01:00Z", Last: "2026-01-01T00:04:59Z", Seconds: 239,
	}) {
		t.Fatalf("%d entries, %+v", len(tr.Entries), tr.TraceSummary)
	}
	var rest page
	f.get("/v1/entries?trace=long&order=asc&limit=1000&cursor="+url.QueryEscape(*tr.NextCursor), &rest)
	if got := rest.indexes(t); len(got) != 250 || got[0] != 1001 {
		t.Errorf("the cursor goes on with %d entries at %v", len(got), got[:1])
	}
}

func TestTraceRefused(t *testing.T) {
	f := newFixture(t)
	f.publishAll([][]byte{event("1", map[string]any{"traceid": "a/b c?", "sessionid": "%"})}, 1)
	var tr api.TraceSummary
	for _, path := range []string{"/v1/traces/a%2Fb%20c%3F", "/v1/sessions/%25", "/v1/sessions/%25?log=default"} {
		if f.get(path, &tr); tr.Count != 1 {
			t.Errorf("%s: %+v", path, tr)
		}
	}
	for path, status := range map[string]int{
		"/v1/traces/none": 404, "/v1/traces/": 404, "/v1/traces/a/b": 404, "/v1/traces": 404, "/v1/sessions/a/": 404, "/v1/sessions/none": 404,
		"/v1/traces/a?limit=1": 400, "/v1/traces/a?trace=b": 400, "/v1/sessions/a?raw=1": 400, "/v1/sessions/a?log=other": 404,
	} {
		f.refused(status, "GET", path)
	}
	if _, err := f.q.Trace(t.Context(), ""); err == nil || errors.Is(err, query.ErrNotFound) {
		t.Errorf("empty id: %v", err)
	}
}

// TestShortCuts are /v1/entries with one filter in the path.
func TestShortCuts(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 100), 7)
	for short, long := range map[string]string{
		"/v1/agents/did:web:airline-agent-0.example.com/entries":                           "/v1/entries?agent=did:web:airline-agent-0.example.com",
		"/v1/agents/did%3Aweb%3Aairline-agent-0.example.com/entries?type=none":             "/v1/entries?agent=did:web:airline-agent-0.example.com&type=none",
		"/v1/types/policy_violation/entries?raw=1&order=asc":                               "/v1/entries?type=policy_violation&raw=1&order=asc",
		"/v1/types/tool_invocation/entries?limit=5&outcome=success&outcome=failure":        "/v1/entries?type=tool_invocation&limit=5&outcome=success&outcome=failure",
		"/v1/types/sealstream.config/entries":                                              "/v1/entries?type=sealstream.config",
		"/v1/agents/x%2Fy/entries":                                                         "/v1/entries?agent=x/y",
		"/v1/agents/did:web:airline-agent-0.example.com/entries?from=2024-05-15T20:10:00Z": "/v1/entries?agent=did:web:airline-agent-0.example.com&from=2024-05-15T20:10:00Z",
	} {
		a, b := f.do("GET", short), f.do("GET", long)
		if a.StatusCode != 200 || string(a.body) != string(b.body) {
			t.Errorf("%s: %s\n%.200s\n%.200s", short, a.Status, a.body, b.body)
		}
	}
	for path, status := range map[string]int{
		"/v1/agents/a/entries?agent=b": 400, "/v1/types/a/entries?type=a": 400, "/v1/agents/a": 404, "/v1/agents/a/b": 404, "/v1/agents//entries": 404, "/v1/agents/a/entries?limit=0": 400,
		"/v1/types/a/entries?x=1": 400,
	} {
		f.refused(status, "GET", path)
	}
}
