package entry_test

import (
	"strings"
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

// TestLeafValues: a reader refuses what SPEC 2 does not list for action, outcome, publisher and event_type.
func TestLeafValues(t *testing.T) {
	leaf := `{"action":"allow","agent_did":"a","cloudevent_type":"x.y","entry_id":"1","event_type":"x.y","index":1,` +
		`"input_epoch":1,"input_seq":2,"log":"default",` +
		`"outcome":"success","position":0,"previous_hash":"` + entry.Hash{}.String() +
		`","publisher":"ci","received_at":"2026-11-24T08:30:00.000000001Z","timestamp":"2026-11-24T08:30:00Z","v":1}`
	if _, err := entry.ParseEntry([]byte(leaf)); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{`"allow"`, `"perhaps"`}, {`"success"`, `"Success"`}, {
		`"publisher":"ci"`, `"publisher":"é"`,
	},
		{`"publisher":"ci"`, `"publisher":"` + strings.Repeat("x", 257) + `"`}, {`"event_type":"x.y"`, `"event_type":"sealstream"`}} {
		if _, err := entry.ParseEntry([]byte(strings.Replace(leaf, change[0], change[1], 1))); err == nil {
			t.Errorf("%s was taken", change[1])
		}
	}
}
