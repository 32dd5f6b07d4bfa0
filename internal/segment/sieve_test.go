package segment

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestSieve: everything that is there passes, and little of what is not.
func TestSieve(t *testing.T) {
	for _, n := range []int{0, 1, 100, 70_000, 400_000} {
		var values []uint64
		for i := range n {
			values = append(values, sieved(i%Fields, testKey.Hash(fmt.Sprint(i))))
		}
		s := newSieve(values)
		if len(s) > maxSieve {
			t.Errorf("%d values: %d blocks", n, len(s))
		}
		for _, v := range values {
			if !s.passes(v) {
				t.Fatalf("%d values: one does not pass", n)
			}
		}
		passed, r := 0, rand.New(rand.NewPCG(1, 2))
		for range 20_000 {
			if s.passes(sieved(idField, r.Uint64())) {
				passed++
			}
		}
		if share := float64(passed) / 20_000; n <= 100_000 && share > 0.03 || share > 0.7 {
			t.Errorf("%d values: %.3f of the others pass", n, share)
		}
	}
	if !sieve(nil).passes(1) {
		t.Error("no sieve lets nothing pass")
	}
}
