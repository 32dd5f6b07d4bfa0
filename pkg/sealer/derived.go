package sealer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/store"
)

// derived does what follows from commits and is never waited for: the HEAD cache, the mark, the tiles, the trimming
// of EVENTS and the sweeping of orphaned payloads. Each of them can be lost without harm to the log.
type derived struct {
	s     *Sealer
	jobs  []*duty
	sweep *sweeper
	tiles *tiler
}

// duty is one of these, done with the newest commit that there is; commits that come while it works are merged.
type duty struct {
	name  string
	every time.Duration // least time between two runs
	do    func(context.Context, committed) error
	last  func(committed) error // once more at the end, when ctx is done already; nil: not

	mu     sync.Mutex
	latest committed
	wake   chan struct{}
}

// cacheEvery is how often HEAD and the mark follow the commits at most. Their fsyncs are in the way of those that the commits need, and neither
// has to be exact.
const cacheEvery = 100 * time.Millisecond

func newDerived(s *Sealer) *derived {
	d := &derived{s: s, sweep: &sweeper{s: s}, tiles: &tiler{s: s}}
	add := func(name string, every time.Duration, do func(context.Context, committed) error) *duty {
		d.jobs = append(d.jobs, &duty{name: name, every: every, do: do, wake: make(chan struct{}, 1)})
		return d.jobs[len(d.jobs)-1]
	}
	add("head", cacheEvery, s.putHead).last = func(c committed) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		return s.putHead(ctx, c)
	}
	if s.mark != nil {
		put := func(c committed) error { return s.putMark(c.batch.Checkpoint, c.batch.Size) }
		add("mark", cacheEvery, func(_ context.Context, c committed) error { return put(c) }).last = put
	}
	if !s.cfg.KeepEvents {
		t := &trimmer{s: s}
		add("trim", max(time.Second, s.cfg.TrimEvery), t.trim)
	}
	add("sweep", time.Second, d.sweep.sweep)
	add("tiles", 0, d.tiles.write)
	return d
}

// run starts the duties; the channel is closed when all have ended.
func (d *derived) run(ctx context.Context) <-chan struct{} {
	var group sync.WaitGroup
	for _, f := range d.jobs {
		group.Go(func() { f.loop(ctx, d.s) })
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	return done
}

// took is told of every batch that the log has, in order, from where the tail's walk began. After a new walk the same ones come again.
func (d *derived) took(c committed) {
	d.sweep.took(c)
	d.tiles.took(c)
}

// notify wakes the duties; took has been told of the same batch.
func (d *derived) notify(c committed) {
	c.hashes = nil
	for _, f := range d.jobs {
		f.mu.Lock()
		f.latest = c
		f.mu.Unlock()
		f.again()
	}
}

func (f *duty) again() {
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
	if f.last != nil {
		defer func() {
			if c := f.newest(); c.batch.Size > 0 {
				s.complain(ctx, f, f.last(c))
			}
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		pause := f.every
		switch err := f.do(ctx, f.newest()); {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errLater):
			pause = max(pause, time.Second)
			f.again()
		case err != nil:
			s.complain(ctx, f, err)
			pause = max(pause, time.Second)
			f.again() // even if nothing new is committed
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

// errLater: a duty is to be tried again although nothing is wrong.
var errLater = errors.New("later")

func (s *Sealer) complain(ctx context.Context, f *duty, err error) {
	if err != nil {
		s.log.WarnContext(ctx, "a duty behind the commit will be done later", "log", s.identity.log, "duty", f.name, "cause", err)
	}
}

// trimmer purges EVENTS behind the commit, in large steps; the message at the input position stays, since the next start
// compares it.
type trimmer struct {
	s    *Sealer
	done uint64
	last time.Time
}

const (
	trimStep = 1024             // messages that are worth a purge at once
	trimRest = 10 * time.Second // after which fewer are
)

func (t *trimmer) trim(ctx context.Context, c committed) error {
	at := c.batch.Input
	keep := at.Seq
	if keep < t.done { // a new EVENTS counts from the begin
		t.done = 0
	}
	switch p, ok := t.s.cfg.Log.Events.(store.Purger); {
	case !ok || keep == t.done:
		return nil
	case keep < t.done+trimStep && time.Since(t.last) < trimRest:
		return errLater
	default:
		m, err := t.s.cfg.Log.Events.Get(ctx, keep)
		if errors.Is(err, store.ErrNotFound) || err == nil && !holds(m, at) {
			return nil // another sealer was here, or EVENTS has lost this message: then nothing before it is known to be sealed
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
