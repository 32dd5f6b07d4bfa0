package bench

import (
	"testing"
	"time"
)

// TestReading: a log of more than two full parts is read from files, in each way.
func TestReading(t *testing.T) {
	if testing.Short() {
		t.Skip("it seals 140,000 entries")
	}
	defer func(d time.Duration, n int) { readFor, coldReads = d, n }(readFor, coldReads)
	readFor, coldReads = 50*time.Millisecond, 2
	r, err := Reading(t.Context(), t.TempDir(), 140_000, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if r.Entries < 140_000 || r.KeptPerS <= 0 || r.StartMS <= 0 || r.RecheckMS < r.StartMS ||
		r.LogBytes == 0 || len(r.Memory) != 5 || r.VerifyPerS <= 0 || r.VerifyHTTPPerS <= 0 {
		t.Errorf("not measured: %+v", r)
	}
	for _, kind := range []string{"segment", "leaves", "data"} {
		if r.Folder[kind] == 0 {
			t.Errorf("no file of kind %s: %v", kind, r.Folder)
		}
	}
	if x := r.Archive; x.Entries != 2*65536 || x.Filled != x.Entries || x.FillMS <= 0 || x.PerS <= 0 ||
		x.Bytes["ARCHIVE"] == 0 || x.Bytes["SEALED"] >= r.LogBytes/8 {
		t.Errorf("archived: %+v", x)
	}
	warm := map[string]int{}
	for _, c := range r.Cases {
		if c.PerS <= 0 || c.MS.P50 <= 0 || c.MS.P99 < c.MS.P50 {
			t.Errorf("not measured: %+v", c)
		}
		if !c.Cold {
			warm[c.Name]++
		}
	}
	if len(warm) != 9 || warm["proof"] != 3 {
		t.Errorf("cases %v", warm)
	}
}
