package parallel_test

import (
	"errors"
	"iter"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/sealstream/sealstream/internal/parallel"
)

// numbers yields the numbers below n, and then an error unless it is nil.
func numbers(n int, end error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		if end != nil {
			yield(-1, end)
		}
	}
}

// TestMap: results are in order and complete, an error comes after all results before it, and
// whoever stops early leaves no work behind.
func TestMap(t *testing.T) {
	const ahead = 5
	failure := errors.New("failure")
	for _, c := range []struct {
		name    string
		n, stop int
		end     error
	}{
		{"nothing", 0, -1, nil},
		{"one", 1, -1, nil},
		{"many", 10_000, -1, nil},
		{"an error at once", 0, -1, failure},
		{"an error at last", 1000, -1, failure},
		{"stopped at the first", 1000, 0, nil},
		{"stopped later", 1000, 500, failure},
		{"stopped at the last", 1000, 999, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var running, most, next atomic.Int64
			work := func(i int) int {
				n := running.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				if i%7 == 0 {
					runtime.Gosched() // so that later work ends first
				}
				running.Add(-1)
				return 3 * i
			}
			for got, err := range parallel.Map(numbers(c.n, c.end), ahead, work) {
				if err != nil {
					if err != failure || next.Load() != int64(c.n) {
						t.Fatalf("error %v after %d of %d results", err, next.Load(), c.n)
					}
					next.Add(1)
					break
				}
				if want := 3 * next.Load(); int64(got) != want {
					t.Fatalf("result %d, want %d", got, want)
				}
				if next.Add(1); int(next.Load()) == c.stop+1 {
					break
				}
			}
			want := c.n
			switch {
			case c.stop >= 0:
				want = c.stop + 1
			case c.end != nil:
				want++
			}
			if int(next.Load()) != want {
				t.Errorf("%d results and errors, want %d", next.Load(), want)
			}
			if running.Load() != 0 {
				t.Errorf("%d workers still run", running.Load())
			}
			if most.Load() > ahead {
				t.Errorf("%d workers at a time, want at most %d", most.Load(), ahead)
			}
		})
	}
}

// TestMapIsParallel: each item waits for the next one, which therefore must be in work meanwhile.
func TestMapIsParallel(t *testing.T) {
	const n = 2
	met := make(chan int, n)
	both := make(chan struct{})
	work := func(i int) int {
		if met <- i; len(met) == n {
			close(both)
		}
		<-both
		return i
	}
	for _, err := range parallel.Map(numbers(n, nil), n, work) {
		if err != nil {
			t.Fatal(err)
		}
	}
}
