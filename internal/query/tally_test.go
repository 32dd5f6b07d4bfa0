package query_test

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
)

// TestTally compares counts with a scan of the log: of all, of filters, and of the begin of the
// log, in parts that are full and that grow.
func TestTally(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 300), 7)
	all := f.scan()
	for _, values := range []url.Values{
		{}, {"type": {"policy_violation"}}, {"type": {"policy_violation", "tool_invocation"}, "outcome": {"failure"}}, {"resource": {"/tools/get*"}},
		{"agent": {"did:web:airline-agent-0.example.com"}}, {"agent": {"did:web:nobody.example.com"}},
		{"from": {all[len(all)/3].ReceivedAt}, "to": {all[len(all)/2].ReceivedAt}, "time": {"received"}},
	} {
		for _, size := range []int{0, len(all), len(all) / 2, 1} {
			values.Set("size", fmt.Sprint(size))
			got := api.Counts{}
			f.get("/v1/counts?"+values.Encode(), &got)
			want := counted(all, values, size)
			if got.Matches != want.Matches || got.TreeSize != want.TreeSize || got.Agents != want.Agents ||
				!maps.Equal(got.Types, want.Types) || !maps.Equal(got.Outcomes, want.Outcomes) ||
				!maps.Equal(got.Actions, want.Actions) ||
				fmt.Sprint(deref(got.First), deref(got.Last)) != fmt.Sprint(deref(want.First), deref(want.Last)) {
				t.Errorf("%v:\n%+v, a scan finds\n%+v", values, got, want)
			}
		}
	}
	var top api.Counts
	if f.get("/v1/counts?top=1", &top); len(top.Top) != 1 || top.Top[0].Matches < top.Matches/4 {
		t.Errorf("top agents %v", top.Top)
	}
	f.refused(400, "GET", "/v1/counts?top=1001")
	f.refused(400, "GET", "/v1/counts?size=1000000")
	f.refused(400, "GET", "/v1/counts?typ=a")
}

func deref(n *uint64) any {
	if n == nil {
		return nil
	}
	return *n
}

func counted(all []entry.Entry, v url.Values, size int) api.Counts {
	if size == 0 {
		size = len(all)
	}
	c := api.Counts{
		TreeSize: uint64(size), Types: map[string]uint64{}, Actions: map[string]uint64{}, Outcomes: map[string]uint64{},
	}
	agents := map[string]bool{}
	add := func(m map[string]uint64, s string) {
		if s != "" {
			m[s]++
		}
	}
	any := func(list []string, s string) bool {
		for _, v := range list {
			if v == s || strings.HasSuffix(v, "*") && strings.HasPrefix(s, strings.TrimSuffix(v, "*")) {
				return true
			}
		}
		return len(list) == 0
	}
	for i := range all[:size] {
		e := &all[i]
		if !any(v["type"], e.EventType) || !any(v["outcome"], e.Outcome) || !any(v["resource"], e.Resource) ||
			!any(v["agent"], e.AgentDID) || v.Has("from") &&
			(e.ReceivedAt < v.Get("from") || e.ReceivedAt > v.Get("to")) {
			continue
		}
		if c.Matches++; c.First == nil {
			c.First = &e.Index
		}
		c.Last = &e.Index
		add(c.Types, e.EventType)
		add(c.Actions, e.Action)
		add(c.Outcomes, e.Outcome)
		agents[e.AgentDID] = true
	}
	c.Agents = uint64(len(agents))
	return c
}

// TestProofAtSize proves an entry under every checkpoint that there was since, and under no size between.
func TestProofAtSize(t *testing.T) {
	f := newFixture(t)
	f.publishAll(tau(t, 40), 8)
	found := 0
	for size := uint64(4); size <= f.size; size++ {
		path := fmt.Sprintf("/v1/entries/3/proof?size=%d", size)
		if f.do("GET", path).StatusCode == 404 {
			continue
		}
		var p proof.EntryProof
		f.get(path, &p)
		if _, c, err := p.Check(f.key); err != nil || c.Size != size {
			t.Fatalf("size %d: %v, checkpoint of %d", size, err, c.Size)
		}
		found++
	}
	if found == 0 {
		t.Fatal("no size has a checkpoint")
	}
	f.refused(400, "GET", "/v1/entries/3/proof?size=3")
	f.refused(400, "GET", "/v1/entries/3/proof?size=1000")
	f.refused(400, "GET", "/v1/entries/3/proof?size=0")
}
