package sealer

import (
	"strings"
	"testing"
)

// TestSimulationReplays: the same seed is the same schedule, step by step.
func TestSimulationReplays(t *testing.T) {
	last := uint64(40)
	if raceDetector {
		last = 5
	}
	for seed := uint64(1); seed <= last; seed++ {
		first, _ := simulate(t, newPlan(seed), true)
		again, _ := simulate(t, newPlan(seed), true)
		a, b := strings.Split(first.trace.String(), "\n"), strings.Split(again.trace.String(), "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				t.Errorf("seed %d: line %d of %d differs:\n%s\n--\n%s", seed, i, len(a),
					strings.Join(a[max(0, i-8):min(i+3, len(a))], "\n"),
					strings.Join(b[max(0, i-8):min(i+3, len(b))], "\n"))
				break
			}
		}
	}
}
