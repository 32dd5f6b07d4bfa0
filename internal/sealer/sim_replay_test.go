package sealer

import (
	"strings"
	"testing"
)

// TestSimulationReplays: the same seed is the same schedule, step by step. In rare worlds it is not:
// what two goroutines of a sealer ask for first is then up to Go's scheduler.
func TestSimulationReplays(t *testing.T) {
	last := uint64(40)
	if raceDetector {
		last = 5
	}
	differ := 0
	for seed := uint64(1); seed <= last; seed++ {
		first, _ := simulate(t, newPlan(seed), true)
		again, _ := simulate(t, newPlan(seed), true)
		a, b := strings.Split(first.trace.String(), "\n"), strings.Split(again.trace.String(), "\n")
		for i := range a {
			if i >= len(b) || a[i] != b[i] {
				differ++
				t.Logf("seed %d: line %d of %d differs:\n%s\n--\n%s", seed, i, len(a),
					strings.Join(a[max(0, i-8):min(i+3, len(a))], "\n"),
					strings.Join(b[max(0, i-8):min(i+3, len(b))], "\n"))
				break
			}
		}
	}
	if differ > 1 {
		t.Errorf("%d of %d seeds", differ, last)
	}
}
