package bench

import "testing"

// TestGrowth: what is told of a size was measured at that size, or a group of events beyond it
// (case 60 of conformance/cases_test.go).
func TestGrowth(t *testing.T) {
	sizes := []uint64{6000, 14000}
	list, err := Growth(t.Context(), t.TempDir(), sizes, func(string) {})
	if err != nil || len(list) != len(sizes) {
		t.Fatal(list, err)
	}
	for i, g := range list {
		if g.Entries < sizes[i]-bursts || g.Entries > sizes[i]+8*128*bursts {
			t.Errorf("%d entries for %d", g.Entries, sizes[i])
		}
		if g.SealedPerS <= 0 || g.LongestPause <= 0 || g.ProofMS.P50 <= 0 || g.OpenMS <= 0 || g.RebuildMS <= 0 ||
			g.IndexMS <= 0 || g.ProbeMS.P50 <= 0 {
			t.Errorf("not measured: %+v", g)
		}
	}
}
