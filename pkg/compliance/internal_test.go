package compliance

import (
	"strings"
	"testing"
)

// TestCoverageAndBadge is case 51 of conformance/cases_test.go: coverage is rounded down, nothing
// is 0, and the colours are the toolkit's.
func TestCoverageAndBadge(t *testing.T) {
	for _, c := range []struct {
		passed, total, pct int
		colour             string
	}{
		{0, 0, 0, "red"}, {0, 10, 0, "red"}, {7, 9, 77, "red"}, {79, 100, 79, "red"}, {8, 10, 80, "yellow"},
		{9, 10, 90, "yellow"}, {999, 1000, 99, "yellow"}, {10, 10, 100, "brightgreen"},
	} {
		if got := coverage(c.passed, c.total); got != c.pct || badgeColour(got) != c.colour {
			t.Errorf("%d of %d: %d%% %s, want %d%% %s", c.passed, c.total, got, badgeColour(got), c.pct, c.colour)
		}
	}
	a := Attestation{Badge: "a-b_c ](x", ControlsPassed: 1, ControlsTotal: 2, CoveragePct: 50}
	if b := a.BadgeMarkdown(); strings.Count(b, "](") != 2 || !strings.Contains(b, "/a--b__c_") ||
		!strings.Contains(b, "-red?") {
		t.Errorf("%s", b)
	}
}
