package memory

import (
	"math"
	"testing"
)

// TestKeep: the limit is the goal, or half more than what the process needs, up to its ceiling; small
// changes do not count.
func TestKeep(t *testing.T) {
	sets := 0
	k := &keeper{ceiling: 3 << 30}
	k.set = func(n int64) { sets++ }
	for _, c := range []struct {
		live uint64
		want int64
		sets int
	}{
		{0, 1 << 30, 1}, {100 << 20, 1 << 30, 1}, {1 << 30, 3 << 29, 2}, {1<<30 - 1<<20, 3 << 29, 2},
		{1 << 40, 3 << 30, 3}, {10, 1 << 30, 4},
	} {
		if k.keep(c.live); k.limit != c.want || sets != c.sets {
			t.Errorf("%d bytes live: limit %d, want %d; set %d times, want %d", c.live, k.limit, c.want, sets, c.sets)
		}
	}
	small := &keeper{ceiling: 300 << 20, set: func(int64) {}}
	if small.keep(1 << 30); small.limit != 300<<20 {
		t.Errorf("limit %d beyond the ceiling", small.limit)
	}
	none := &keeper{ceiling: math.MaxInt64, set: func(int64) {}}
	if none.keep(4 << 30); none.limit != 6<<30 {
		t.Errorf("limit %d without a ceiling", none.limit)
	}
}

// TestRest: memory is returned once after each busy time.
func TestRest(t *testing.T) {
	freed := 0
	k := &keeper{free: func() { freed++ }}
	allocated := uint64(0)
	for i, c := range []struct {
		ticks int
		bytes uint64 // in each
		freed int
	}{
		{2, 0, 0}, {1, 0, 1}, {100, busyBytes, 1}, {1, busyBytes + 1, 1}, {2, 0, 1}, {1, 2 * busyBytes, 1}, {2, 1, 1}, {1, 1, 2},
		{100, 0, 2},
	} {
		for range c.ticks {
			allocated += c.bytes
			k.rest(allocated)
		}
		if freed != c.freed {
			t.Errorf("step %d: freed %d times, want %d", i, freed, c.freed)
		}
	}
}
