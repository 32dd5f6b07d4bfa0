package bench

import (
	"testing"

	"github.com/sealstream/sealstream/pkg/entry"
)

// TestEventsAreValid: every event is accepted, and has the size that the figures are stated for.
func TestEventsAreValid(t *testing.T) {
	for i := range 20000 {
		raw := event(i%4096, i)
		if _, err := entry.ParseEvent(raw); err != nil || len(raw) != eventBytes {
			t.Fatalf("event %d: %d bytes, %v\n%s", i, len(raw), err, raw)
		}
	}
}
