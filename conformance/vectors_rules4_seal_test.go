package conformance_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/sealer"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// TestVectorsRules4Logs seals every log with the sealer proper, in batches of several sizes. Reasons
// are in this project's words.
func TestVectorsRules4Logs(t *testing.T) {
	v := rules4Logs(t)
	for _, c := range v.Cases {
		for _, most := range []int{1, 3, 256} {
			t.Run(fmt.Sprintf("%s/%d", c.Name, most), func(t *testing.T) {
				log := store.NewMemory(v.Log)
				created := time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
				var list []entry.Message
				for _, m := range c.Messages {
					list = append(list, m.message(t))
				}
				log.Events = store.NewMemoryStreamOf(created, list)
				sealAll(t, sealer.Config{
					Log: log, Signer: vectorKey(t, "log.example", "default", 7), Secret: vectorSecret,
					MaxEntries: most, KeepEvents: true,
				})
				c.compareRules4(t, v, log)
			})
		}
	}
}

func (c eventCase) compareRules4(t *testing.T, v eventVectors, log *store.Log) {
	t.Helper()
	sealed, payloads := messages(t, log.Sealed), messages(t, log.Payloads)
	lines := func(list []entry.Message) (out []string) {
		for _, m := range list {
			out = append(out, strings.Split(strings.TrimSuffix(string(m.Data), "\n"), "\n")...)
		}
		return out
	}
	leaves, records := lines(sealed), lines(payloads)
	for i := range min(len(leaves), len(c.Leaves)) {
		equal(t, fmt.Sprint("leaf ", i), masked(t, leaves[i]), masked(t, string(c.Leaves[i])))
	}
	for i := range min(len(records), len(c.Payloads)) {
		equal(t, fmt.Sprint("payload ", i), records[i], string(c.Payloads[i]))
	}
	if len(leaves) != len(c.Leaves) || len(records) != len(c.Payloads) {
		t.Fatalf("%d leaves and %d payloads, want %d and %d", len(leaves), len(records), len(c.Leaves), len(c.Payloads))
	}
	report, err := audit.Log(audit.Config{Keys: []string{v.VKey}, Payloads: func(seq uint64) ([]byte, bool, error) {
		return payloads[seq-1].Data, true, nil
	}}, all(sealed))
	if err != nil || report.Size != uint64(len(c.Leaves)) || report.Payloads != uint64(len(c.Payloads)) {
		t.Errorf("audit: %+v, %v", report, err)
	}
}

// masked leaves out of a leaf what depends on the words of a reason.
func masked(t *testing.T, leaf string) string {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(leaf), &members); err != nil {
		t.Fatal(err)
	}
	delete(members, "previous_hash")
	if detail, ok := members["detail"].(map[string]any); ok && members["event_type"] == entry.TypeRejected {
		delete(detail, "reason")
		delete(detail, "field")
	}
	out, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
