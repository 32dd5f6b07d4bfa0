package sealer

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// naiveWindow is the window as SPEC 5.8 says it, by scanning.
type naiveWindow struct {
	limit   uint64
	entries []naiveRecord
}

type naiveRecord struct {
	event      bool
	key, print windowKey
}

func (n *naiveWindow) find(match func(naiveRecord) bool) (uint64, bool) {
	next := uint64(len(n.entries))
	for i := next; i > 0 && next-i < n.limit; i-- {
		if r := n.entries[i-1]; r.event && match(r) {
			return i - 1, true
		}
	}
	return 0, false
}

func testKey(n uint64) (k windowKey) {
	binary.BigEndian.PutUint64(k[:], n)
	return k
}

// TestWindowEqualsScan drives window and scan with the same random steps: adds of few keys, so that they repeat, and
// truncations of up to the slack.
func TestWindowEqualsScan(t *testing.T) {
	for seed := range uint64(25) {
		r := rand.New(rand.NewPCG(seed, 7))
		limit := uint64(1 + r.IntN(300))
		w, n := newWindow(limit, windowSlack, 0), &naiveWindow{limit: limit}
		for step := range 6000 {
			if r.IntN(200) == 0 {
				back := min(uint64(r.IntN(600)), w.next)
				if !w.truncate(w.next - back) {
					t.Fatalf("seed %d step %d: truncate by %d refused", seed, step, back)
				}
				n.entries = n.entries[:len(n.entries)-int(back)]
			}
			rec := naiveRecord{
				event: r.IntN(5) > 0, key: testKey(uint64(r.IntN(80))), print: testKey(uint64(r.IntN(3))),
			}
			at, ok := w.newest(rec.key, math.MaxUint64)
			wantAt, want := n.find(func(o naiveRecord) bool { return o.key == rec.key })
			if at != wantAt || ok != want {
				t.Fatalf("seed %d step %d: newest %d %v, want %d %v", seed, step, at, ok, wantAt, want)
			}
			at, ok = w.repeat(rec.key, rec.print, 0, math.MaxUint64)
			wantAt, want = n.find(func(o naiveRecord) bool { return o.key == rec.key && o.print == rec.print })
			if at != wantAt || ok != want {
				t.Fatalf("seed %d step %d: repeat %d %v, want %d %v", seed, step, at, ok, wantAt, want)
			}
			w.add(rec.event, rec.key, rec.print)
			n.entries = append(n.entries, rec)
		}
	}
}

// TestWindowFromTheMiddle: a window that is begun at an index knows nothing of the ones before it.
func TestWindowFromTheMiddle(t *testing.T) {
	w := newWindow(100, windowSlack, 5000)
	if _, ok := w.newest(testKey(1), math.MaxUint64); ok {
		t.Fatal("an empty window holds a key")
	}
	w.add(true, testKey(1), testKey(2))
	if at, ok := w.repeat(testKey(1), testKey(2), 0, math.MaxUint64); !ok || at != 5000 {
		t.Fatalf("repeat %d %v, want 5000", at, ok)
	}
	if w.truncate(4999) {
		t.Fatal("truncate before the begin is accepted")
	}
}

// TestWindowRefusesDeepTruncation: what a full ring has lost cannot be brought back.
func TestWindowRefusesDeepTruncation(t *testing.T) {
	w := newWindow(10, windowSlack, 0)
	for i := range uint64(2 * windowSlack) {
		w.add(true, testKey(i), testKey(i))
	}
	if w.truncate(w.next - windowSlack - 1) {
		t.Fatal("truncated by more than the slack")
	}
	if !w.truncate(w.next - windowSlack) {
		t.Fatal("refused to truncate by the slack")
	}
}

func BenchmarkWindow(b *testing.B) {
	w := newWindow(1<<20, windowSlack, 0)
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		var k windowKey
		binary.LittleEndian.PutUint64(k[:], r.Uint64())
		w.repeat(k, k, 0, math.MaxUint64)
		w.newest(k, math.MaxUint64)
		w.add(true, k, k)
	}
}

// TestWindowGrowsWhole: what was added before the ring is made larger is found after it.
func TestWindowGrowsWhole(t *testing.T) {
	const events = uint64(1 << 17)
	spread := func(i uint64) windowKey { return testKey(i * 0x9e3779b97f4a7c15) } // as hashes are
	w := newWindow(2*events, windowSlack, 0)
	for i := range events {
		w.add(true, spread(i), spread(1))
	}
	if uint64(len(w.ring)) != w.capacity() {
		t.Fatalf("the ring has %d places, want all of %d", len(w.ring), w.capacity())
	}
	for i := range events {
		if at, ok := w.repeat(spread(i), spread(1), 0, math.MaxUint64); !ok || at != i {
			t.Fatalf("event %d: found %d %v", i, at, ok)
		}
	}
}

// BenchmarkWindowLongestAdd is how long sealing waits for the window at most, while that fills up.
func BenchmarkWindowLongestAdd(b *testing.B) {
	for b.Loop() {
		w, longest := newWindow(1<<20, windowSlack, 0), time.Duration(0)
		for i := range uint64(1 << 20) {
			start := time.Now()
			w.add(true, testKey(i*2654435761), testKey(1))
			longest = max(longest, time.Since(start))
		}
		b.ReportMetric(float64(longest)/float64(time.Millisecond), "longest-ms")
	}
}

// TestWindowCopiesNothingOverwritten: records that were taken back have overwritten older ones,
// which must not be copied.
func TestWindowCopiesNothingOverwritten(t *testing.T) {
	w := newWindow(8, 8, 0)
	for i := range uint64(40) {
		w.add(true, testKey(i), testKey(i))
	}
	if !w.truncate(36) {
		t.Fatal("truncate refused")
	}
	w.settle(36)
	if _, err := w.appendRecords(nil, 23, 36); !errors.Is(err, errOverwritten) {
		t.Errorf("index 23: %v", err)
	}
	b, err := w.appendRecords(nil, w.held(), 36)
	if err != nil || len(b) != 12*recordBytes {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for i := uint64(24); i < 36; i++ {
		k := testKey(i)
		if r := b[(i-24)*uint64(recordBytes):]; r[0] != 1 || half(r[1:]) != half(k[:16]) {
			t.Errorf("another record of index %d", i)
		}
	}
}
