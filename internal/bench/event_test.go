package bench

import (
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

func TestEvent(t *testing.T) {
	seen := map[string]bool{}
	for producer := range 70 {
		for n := range 50 {
			raw := event(producer, n)
			e, err := entry.ParseEvent(raw)
			if err != nil || len(raw) != eventBytes || seen[e.ID] {
				t.Fatalf("event(%d, %d): %v, %d bytes, seen before: %v\n%s", producer, n, err, len(raw), seen[e.ID],
					raw)
			}
			seen[e.ID] = true
		}
	}
}
