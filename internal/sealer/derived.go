package sealer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/store"
)

// derived does the work that follows commits and that no commit waits for: the HEAD cache, the
// mark, the snapshot, the trimming of EVENTS and the sweeping of orphaned payloads. A crash may
// lose any of it without harm to the log.
type derived struct {
	s     *Sealer
	jobs  []*duty
	sweep *sweeper
}

// duty is one of these tasks. It runs with the newest commit. Commits that come while it runs are
// merged.
type duty struct {
	name     string
	interval time.Duration // least time between two runs
	do       func(context.Context, committed) error
	final    func(committed) error // optional; runs once more after ctx is done

	mu     sync.Mutex
	latest committed
	wake   chan struct{}
}

// cacheInterval is the least time between two writes of HEAD and of the mark. Their fsyncs compete
// with those of the commits, and neither needs to be exact.
const cacheInterval = 100 * time.Millisecond

func newDerived(s *Sealer) *derived {
	d := &derived{s: s, sweep: &sweeper{s: s}}
	add := func(name string, every time.Duration, do func(context.Context, committed) error) *duty {
		d.jobs = append(d.jobs, &duty{name: name, interval: every, do: do, wake: make(chan struct{}, 1)})
		return d.jobs[len(d.jobs)-1]
	}
	add("head", cacheInterval, s.putHead).final = func(c committed) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return s.putHead(ctx, c)
	}
	add("access", cacheInterval, s.newAccess())
	if s.mark != nil {
		put := func(c committed) error { return s.putMark(c.batch.Checkpoint, c.batch.Size) }
		// one duty for both, since a snapshot beyond the mark does not count
		add("mark and snapshot", cacheInterval, func(ctx context.Context, c committed) error {
			if err := put(c); err != nil || s.snapshots == nil {
				return err
			}
			return s.snapshots.write(ctx, c)
		}).final = put
	}
	if !s.cfg.KeepEvents {
		t := &trimmer{s: s}
		add("trim", max(time.Second, s.cfg.TrimEvery), t.trim)
	}
	add("sweep", time.Second, d.sweep.sweep)
	return d
}

// run starts the duties. The channel is closed when all have ended.
func (d *derived) run(ctx context.Context) <-chan struct{} {
	var group sync.WaitGroup
	for _, f := range d.jobs {
		group.Go(func() { f.loop(ctx, d.s) })
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	return done
}

// onBatch receives every batch of the log in order, from where the tail's walk started. After a
// reset of the tail it receives the same batches again.
func (d *derived) onBatch(c committed) { d.sweep.addBatch(c) }

// notify wakes the duties. onBatch has received the same batch before.
func (d *derived) notify(c committed) {
	for _, f := range d.jobs {
		f.mu.Lock()
		f.latest = c
		f.mu.Unlock()
		f.wakeUp()
	}
}

func (f *duty) wakeUp() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *duty) newest() committed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest
}

func (f *duty) loop(ctx context.Context, s *Sealer) {
	if f.final != nil {
		defer func() {
			if c := f.newest(); c.batch.Size > 0 {
				s.logFailure(ctx, f, f.final(c))
			}
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		pause := f.interval
		switch err := f.do(ctx, f.newest()); {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errRetryLater):
			pause = max(pause, time.Second)
			f.wakeUp()
		case err != nil:
			s.logFailure(ctx, f, err)
			pause = max(pause, time.Second)
			f.wakeUp() // retry even if nothing new is committed
		}
		if pause > 0 {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}
}

// errRetryLater asks for another run of a duty, although nothing failed.
var errRetryLater = errors.New("later")

func (s *Sealer) logFailure(ctx context.Context, f *duty, err error) {
	if err != nil {
		s.logger.WarnContext(ctx, "sealer retries a task that follows commits", "log", s.identity.logName, "duty", f.name,
			"cause", err)
	}
}

// trimmer purges sealed messages from EVENTS in large steps. The message at the input position
// stays, since the next start compares it.
type trimmer struct {
	s    *Sealer
	done uint64 // EVENTS is purged below this sequence
	last time.Time
}

const (
	trimStep     = 1024             // messages that justify a purge at once
	trimInterval = 10 * time.Second // time after which fewer messages do
)

// tightPercent is the share of EVENTS' limit, in percent, from which a purge does not wait.
const tightPercent = 40

// tight reports whether EVENTS is short of space.
func (t *trimmer) tight(ctx context.Context) bool {
	size, err := store.SizeOf(ctx, t.s.cfg.Log.Events)
	return err == nil && size.Used() >= tightPercent
}

func (t *trimmer) trim(ctx context.Context, c committed) error {
	at := c.batch.Input
	keep := at.Seq
	if keep < t.done { // a new EVENTS counts from 1 again
		t.done = 0
	}
	switch p, ok := t.s.cfg.Log.Events.(store.Purger); {
	case !ok || keep == t.done:
		return nil
	case keep < t.done+trimStep && time.Since(t.last) < trimInterval && !t.tight(ctx):
		return errRetryLater
	case t.s.cfg.MayPurge != nil && t.s.cfg.MayPurge() != nil:
		return errRetryLater
	default:
		m, err := t.s.cfg.Log.Events.Get(ctx, keep)
		if errors.Is(err, store.ErrNotFound) || err == nil && !t.s.identity.holds(m, at) {
			// Another sealer has trimmed already, or EVENTS has lost this message. In the second
			// case it is not known what before it is sealed.
			return nil
		} else if err != nil {
			return err
		}
		if err := p.PurgeBelow(ctx, keep); err != nil {
			return err
		}
	}
	t.done, t.last = keep, time.Now()
	return nil
}
