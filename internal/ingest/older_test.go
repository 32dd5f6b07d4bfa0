package ingest_test

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestWidestByOlderRules: an event that only the newest rules can seal, since they drop its trace
// id, is not taken: a log of older rules would reject it later.
func TestWidestByOlderRules(t *testing.T) {
	w := start(t, store.NewMemory("default"), ingest.Config{})
	of := func(n int) string {
		return `{"specversion":"1.0","id":"x","source":"s","type":"t","traceid":"` + strings.Repeat("0", 32) + `"` +
			extensions(15) + `,"last":"` + strings.Repeat("x", n) + `"}`
	}
	n := ruleset.MaxAttributeBytes
	for ; ; n-- {
		if ev, err := entry.ParseEvent([]byte(of(n))); err == nil && ev.By(ruleset.Binding) == nil {
			break
		}
	}
	for _, c := range []struct{ shorter, status int }{
		{0, 400}, {len(`"trace_id":"",`) + 31, 400}, {len(`"trace_id":"",`) + 32, 200},
	} {
		if r := w.post(t, "/v1/events", structured, of(n-c.shorter)); r.status != c.status {
			t.Errorf("%d bytes less: %d %.200s", c.shorter, r.status, r.body)
		}
	}
}
