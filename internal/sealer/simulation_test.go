package sealer

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "simulate this seed alone, and show what happens")
	from     = flag.Uint64("from", 1, "first seed that TestSimulation simulates")
	allSeeds = flag.Int("seeds", 0,
		"how many seeds TestSimulation simulates; 0: 5000, or 500 with -short, or 150 with -race")
)

// simulate runs one seed, and says what is wrong with it.
func simulate(t *testing.T, p plan, trace bool) (w *world, err error) {
	synctest.Test(t, func(t *testing.T) {
		w = newWorld(p, trace)
		w.publish(1)
		for n := range p.sealers {
			w.host(n)
		}
		w.act(w.administrator)
		if err = w.run(); err == nil {
			err = w.failed()
		}
		if err == nil {
			err = w.check()
		}
		w.locked(func() { w.stopping = true })
		w.stop()
		w.actors.Wait()
	})
	return w, err
}

// explain runs a failed seed again, to show its end.
func explain(t *testing.T, p plan) string {
	w, err := simulate(t, p, true)
	lines := strings.Split(w.trace.String(), "\n")
	return fmt.Sprintf("%v\n%s\n%+v", err, strings.Join(lines[max(0, len(lines)-150):], "\n"), p)
}

// TestSimulation: whatever goes wrong between sealers and store, the log is right in the end. A
// failed seed is run again by `go test ./internal/sealer -run Simulation -seed N`.
func TestSimulation(t *testing.T) {
	if *oneSeed > 0 {
		w, err := simulate(t, newPlan(*oneSeed), true)
		fmt.Println(w.trace)
		if err != nil {
			t.Fatalf("seed %d: %v", *oneSeed, err)
		}
		return
	}
	seeds := *allSeeds
	if seeds == 0 {
		seeds = 5000
		if testing.Short() {
			seeds = 500
		}
		if raceDetector {
			seeds = 150
		}
	}
	start := time.Now()
	var next, steps, entries atomic.Uint64
	next.Store(*from - 1)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for seed := next.Add(1); seed < *from+uint64(seeds) && !t.Failed(); seed = next.Add(1) {
				w, err := simulate(t, newPlan(seed), false)
				if err != nil {
					t.Errorf("seed %d: %v\n\nAgain: %s", seed, err, explain(t, newPlan(seed)))
				}
				steps.Add(uint64(w.steps))
				entries.Add(w.newest.Size)
			}
		})
	}
	workers.Wait()
	took := time.Since(start)
	t.Logf("%d seeds, %d steps, %d entries in %v: %.0f seeds/s", seeds, steps.Load(), entries.Load(),
		took.Round(time.Millisecond), float64(seeds)/took.Seconds())
}

// TestCrashAtEveryStep: wherever a sealer crashes, before or after any operation, the next one goes on.
func TestCrashAtEveryStep(t *testing.T) {
	p := plan{
		seed: 4, publishers: 2, messages: 6, hostile: 0.2, marks: 1, window: 20, slack: 40,
		sealers: []batchLimits{{2, 512 << 10, 768 << 10}},
	}
	w, err := simulate(t, p, false)
	if err != nil {
		t.Fatal(err)
	}
	last := w.asked
	if last < 90 {
		t.Fatalf("the sealer asked for %d operations", last)
	}
	every := 1
	if raceDetector {
		every = 10
	}
	for n := 1; n <= last; n += every {
		for _, p.crashAt = range []int{n, -n} {
			if _, err := simulate(t, p, false); err != nil {
				t.Fatalf("crash at operation %d: %v\n%s", p.crashAt, err, explain(t, p))
			}
		}
	}
	t.Logf("%d operations, each with a crash before and one after it", last)
}
