package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/ingest"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
)

// publish has n producers submit events, each the next when the one before is acknowledged, for a
// while. It returns how many were acknowledged, and how long each took.
func publish(ctx context.Context, in *ingest.Ingest, n int, d time.Duration,
	latencies bool) (int, []time.Duration, error) {
	var group sync.WaitGroup
	var count atomic.Int64
	var failed atomic.Pointer[error]
	lists := make([][]time.Duration, n)
	end := time.Now().Add(d)
	for i := range n {
		group.Go(func() {
			for k := 0; time.Now().Before(end) && failed.Load() == nil; k++ {
				begin := time.Now()
				if err := submit(ctx, in, event(i, k), ingest.WaitStored); err != nil {
					failed.Store(&err)
					return
				}
				count.Add(1)
				if latencies {
					lists[i] = append(lists[i], time.Since(begin))
				}
			}
		})
	}
	group.Wait()
	if err := failed.Load(); err != nil {
		return 0, nil, *err
	}
	var all []time.Duration
	for _, l := range lists {
		all = append(all, l...)
	}
	return int(count.Load()), all, nil
}

func submit(ctx context.Context, in *ingest.Ingest, raw []byte, wait ingest.Wait) error {
	list, err := in.Submit(ctx, []ingest.Raw{{Event: raw}}, wait)
	switch {
	case err != nil:
		return err
	case list[0].Status == api.Rejected:
		return fmt.Errorf("an event was rejected: %+v", list[0].Error)
	case wait == ingest.WaitSealed && list[0].Status != api.Sealed:
		return fmt.Errorf("an event was not sealed in time")
	}
	return nil
}

// ingest measures durable acknowledgements while nothing is sealed.
func (b *run) ingest(ctx context.Context) error {
	r, err := b.rig(ctx, "ingest")
	if err != nil {
		return err
	}
	defer r.close()
	for _, n := range producers {
		begin := time.Now()
		count, list, err := publish(ctx, r.ingest, n, b.phase(share.ingest), true)
		if err != nil {
			return err
		}
		name := strconv.Itoa(n)
		b.out.Ingest[name] = float64(count) / time.Since(begin).Seconds()
		b.out.IngestMS[name] = quantiles(list)
		if err := r.log.Events.(store.Purger).PurgeBelow(ctx, 1<<62); err != nil {
			return err
		}
	}
	return nil
}

// sealers is how many producers the end-to-end phases have.
const sealers = 1024

// sealing measures from the first publish until the last event stands under a signed checkpoint.
func (b *run) sealing(ctx context.Context) error {
	rate, err := b.endToEnd(ctx, "sealing", nil)
	b.out.Sealed = rate
	return err
}

// sealingFollowed does the same while a follower reads and verifies every entry, until it has the
// last.
func (b *run) sealingFollowed(ctx context.Context) error {
	rate, err := b.endToEnd(ctx, "followed", func(ctx context.Context, r *rig, seen *atomic.Uint64) error {
		f := store.Follower{Log: r.log, Keys: []string{r.config.Signer.VerifierKey()}}
		for s, err := range f.Batches(ctx) {
			if err != nil {
				return err
			}
			seen.Store(s.Batch.Size)
		}
		return nil
	})
	b.out.SealedFollow = rate
	return err
}

func (b *run) endToEnd(ctx context.Context, name string,
	follow func(context.Context, *rig, *atomic.Uint64) error) (float64, error) {
	r, err := b.rig(ctx, name)
	if err != nil {
		return 0, err
	}
	defer r.close()
	if err := r.seal(ctx); err != nil {
		return 0, err
	}
	if err := r.reach(ctx, 1); err != nil {
		return 0, err
	}
	followed, stop := context.WithCancel(ctx)
	defer stop()
	var seen atomic.Uint64
	failed := make(chan error, 1)
	if follow != nil {
		go func() { failed <- follow(followed, r, &seen) }()
	}
	begin := time.Now()
	n, _, err := publish(ctx, r.ingest, sealers, b.phase(share.sealed)*3/4, false)
	if err != nil {
		return 0, err
	}
	if err := r.reach(ctx, uint64(n)+1); err != nil {
		return 0, err
	}
	for follow != nil && seen.Load() < uint64(n)+1 {
		select {
		case err := <-failed:
			return 0, fmt.Errorf("follower: %w", err)
		case <-time.After(200 * time.Microsecond):
		}
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}

// drain measures how fast a backlog is sealed. Its log is what reading is measured on.
func (b *run) drain(ctx context.Context) error {
	r, err := b.rig(ctx, "drain")
	if err != nil {
		return err
	}
	b.built = r
	n, _, err := publish(ctx, r.ingest, 512, b.phase(share.drain)/2, false)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := r.seal(ctx); err != nil {
		return err
	}
	if err := r.reach(ctx, uint64(n)+1); err != nil {
		return err
	}
	b.out.Drain = float64(n) / time.Since(begin).Seconds()
	return nil
}

// latencies measures at fixed rates: events are due at their times whether or not those before are
// answered.
func (b *run) latencies(ctx context.Context) error {
	r, err := b.rig(ctx, "latency")
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.seal(ctx); err != nil {
		return err
	}
	probe, err := b.probe(ctx)
	if err != nil {
		return err
	}
	defer probe.end()
	for _, rate := range rates {
		stored, sealed, err := open(ctx, r.ingest, rate, b.phase(share.latency))
		if err != nil {
			return err
		}
		b.out.StoredMS[strconv.Itoa(rate)], b.out.SealedMS[strconv.Itoa(rate)] = quantiles(stored), quantiles(sealed)
	}
	b.out.ProbeMS, err = probe.end()
	return err
}

// open publishes at a rate; every second event waits for its seal. What is measured begins when the
// event was due, so that a stall counts for all events that it held up.
func open(ctx context.Context, in *ingest.Ingest, rate int,
	d time.Duration) (stored, sealed []time.Duration, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	pace(time.Now(), rate, int(d.Seconds()*float64(rate)), func(due time.Time, n int) {
		group.Go(func() {
			wait, list := ingest.WaitStored, &stored
			if n%2 == 1 {
				wait, list = ingest.WaitSealed, &sealed
			}
			failed := submit(ctx, in, event(n%64, n), wait)
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = failed
			}
			*list = append(*list, took)
		})
	})
	group.Wait()
	return stored, sealed, err
}
