package bench

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/natsd"
	"github.com/sealstream/sealstream/internal/query"
	"github.com/sealstream/sealstream/internal/sealer"
)

// Grown is the cost of a log of one size.
type Grown struct {
	Entries      uint64  `json:"entries"`
	SealedPerS   float64 `json:"sealed_per_s"`     // median of the bursts with which this size was reached
	LongestPause float64 `json:"longest_pause_ms"` // between two commits while this size was reached
	ProbeMS      Latency `json:"fsync_loaded_ms"`  // the fsync probe meanwhile
	ProofMS      Latency `json:"proof_ms"`
	OpenMS       float64 `json:"sealer_open_ms"` // from start until the sealer goes on
	// the same without a snapshot
	RebuildMS float64 `json:"sealer_rebuild_ms"`
	IndexMS   float64 `json:"index_ms"` // from start until the index has the whole log
	HeapMB    float64 `json:"heap_mb"`  // of the process without the index: server, ingest, sealer
	// the most that it was while this size was reached, with what was not collected yet
	PeakHeapMB  float64 `json:"peak_heap_mb"`
	IndexHeapMB float64 `json:"index_heap_mb"` // what the index adds
	Goroutines  int     `json:"goroutines"`
	Files       int     `json:"files"`
}

// At each size, so many bursts are timed; they have so many events at most, and fewer where the
// size would be passed.
const bursts, mostBurst, leastBurst = 5, 20000, 1000

// Growth grows one log to each size and measures there. Appending, proofs, memory and the start
// must stay constant, or grow with the logarithm.
func Growth(ctx context.Context, dir string, sizes []uint64, progress func(string)) (list []Grown, err error) {
	tmp, err := os.MkdirTemp(dir, "sealstream-bench-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	natsd.DoubleThreads()
	b := &run{dir: tmp, total: 20 * time.Second}
	r, err := b.rig(ctx, "growth")
	if err != nil {
		return nil, err
	}
	defer func() { r.close() }()
	if err := r.seal(ctx); err != nil {
		return nil, err
	}
	if err := r.reach(ctx, 1); err != nil {
		return nil, err
	}
	for _, size := range sizes {
		progress("growing to " + strconv.FormatUint(size, 10))
		g, err := b.reachSize(ctx, r, size)
		if err != nil {
			return list, err
		}
		if err := b.costs(ctx, r, &g); err != nil {
			return list, err
		}
		list = append(list, g)
	}
	return list, nil
}

// reachSize grows the log to a size. It times the last part, in bursts.
func (b *run) reachSize(ctx context.Context, r *rig, size uint64) (g Grown, err error) {
	probe, err := b.probe(ctx)
	if err != nil {
		return g, err
	}
	defer probe.end()
	peak := peakHeap()
	defer func() { g.PeakHeapMB = peak() }()
	burst := uint64(leastBurst)
	if present := r.sealer.Status().Size; size > present {
		burst = min(max((size-present)/bursts, leastBurst), mostBurst)
	}
	if size > r.sealer.Status().Size+bursts*burst {
		if g.LongestPause, err = b.grow(ctx, r, size-bursts*burst, event); err != nil {
			return g, err
		}
	}
	rates := make([]float64, bursts)
	for i := range rates {
		begin, before := time.Now(), r.sealer.Status().Size
		pause, err := b.grow(ctx, r, before+burst, event)
		if err != nil {
			return g, err
		}
		g.Entries = r.sealer.Status().Size
		rates[i] = float64(g.Entries-before) / time.Since(begin).Seconds()
		g.LongestPause = max(g.LongestPause, pause)
	}
	slices.Sort(rates)
	g.SealedPerS = rates[bursts/2]
	g.ProbeMS, err = probe.end()
	return g, err
}

// grow publishes until the log has a size, and watches for the longest time between two commits.
func (b *run) grow(ctx context.Context, r *rig, size uint64, event func(p, n int) []byte) (pause float64, err error) {
	var group sync.WaitGroup
	var claimed atomic.Uint64
	claimed.Store(r.sealer.Status().Size)
	failed := make(chan error, 16)
	for p := range 8 {
		group.Go(func() {
			events := make([]ingest.Raw, 128)
			for k := 0; claimed.Add(uint64(len(events))) <= size+uint64(len(events))-1; k++ {
				for i := range events {
					events[i].Event = event(p, int(rand.Uint32()))
				}
				if _, err := r.ingest.Submit(ctx, events, ingest.WaitStored); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	last, at := r.sealer.Status().Size, time.Now()
	var longest time.Duration
	for r.sealer.Status().Size < size {
		if now := r.sealer.Status().Size; now != last {
			longest, last, at = max(longest, time.Since(at)), now, time.Now()
		}
		select {
		case err := <-failed:
			return 0, err
		case err := <-r.done:
			return 0, err
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(200 * time.Microsecond):
		}
	}
	longest = max(longest, time.Since(at)) // before the commit that reached the size
	<-done
	info, err := r.log.Events.Info(ctx)
	if err != nil {
		return 0, err
	}
	for r.sealer.Status().InputSeq < info.Last {
		select {
		case err := <-r.done:
			return 0, err
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return float64(longest) / float64(time.Millisecond), nil
}

// costs measures memory, start and proofs at the present size.
func (b *run) costs(ctx context.Context, r *rig, g *Grown) error {
	g.HeapMB = heapMB()
	q, err := query.New(query.Config{Log: r.log, Keys: []string{r.config.Signer.VerifierKey()}})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	begin := time.Now()
	go func() { done <- q.Run(running) }()
	if err := q.Await(ctx, g.Entries); err != nil {
		stop()
		return err
	}
	g.IndexMS = float64(time.Since(begin)) / float64(time.Millisecond)
	g.IndexHeapMB = heapMB() - g.HeapMB
	g.ProofMS, err = b.timed(func() error {
		_, err := q.Proof(ctx, rand.Uint64N(g.Entries), false)
		return err
	})
	stop()
	<-done
	if err != nil {
		return err
	}
	g.Goroutines, g.Files = runtime.NumGoroutine(), openFiles()
	if g.RebuildMS, err = b.reopen(ctx, r, g.Entries, ""); err != nil {
		return err
	}
	g.OpenMS, err = b.reopen(ctx, r, g.Entries, r.config.Snapshot)
	return err
}

// reopen stops the sealer and times the next one's start, from a snapshot or without one.
func (b *run) reopen(ctx context.Context, r *rig, entries uint64, snapshot string) (ms float64, err error) {
	r.stopSealer()
	runtime.GC()
	config := r.config
	config.Snapshot = snapshot
	next, err := sealer.New(config)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	r.runSealer(ctx, next)
	err = r.reach(ctx, entries)
	return float64(time.Since(begin)) / float64(time.Millisecond), err
}

// openFiles is how many files this process has open; 0 where that cannot be told.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
