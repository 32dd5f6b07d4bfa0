package sealer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

// inFlight is how many batches may have their payloads on the way while SEALED messages go one after the other.
const inFlight = 4

// job is some messages that are being prepared; ready is closed when they are.
type job struct {
	messages []entry.Message
	prepared []prepared
	bytes    int // of the budget
	ready    chan struct{}
}

// pipeline runs three stages until one fails: fetch reads EVENTS and starts the preparing, sequence makes batches in
// order, commit writes them. What a crash or an error cuts off was never acknowledged, and is made again.
func (s *Sealer) pipeline(ctx context.Context, begin start) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.budget = newBudget(maxRead)
	s.flight = newFlight()
	s.redact.Store(begin.sequencer.state.redact)
	jobs := make(chan *job, 4)
	batches := make(chan *batch, inFlight-1)
	var group sync.WaitGroup
	stage := func(run func() error) {
		group.Go(func() {
			if err := run(); err != nil {
				cancel(err)
			}
		})
	}
	epoch := max(begin.sequencer.state.epoch, 1)
	stage(func() error { defer close(jobs); return s.fetch(ctx, begin, epoch, jobs) })
	stage(func() error { defer close(batches); return s.sequence(ctx, begin, jobs, batches) })
	stage(func() error { return s.commit(ctx, batches) })
	stage(func() error { return s.watch(ctx, begin) })
	group.Wait()
	return context.Cause(ctx)
}

// reopened is how often a reader had to begin again (store.Reopener).
func reopened(r store.Reader) int {
	if r, ok := r.(store.Reopener); ok {
		return r.Reopened()
	}
	return 0
}

// fetch reads EVENTS from a sequence on, without end.
func (s *Sealer) fetch(ctx context.Context, begin start, epoch uint64, jobs chan<- *job) error {
	r, err := s.cfg.Log.Events.Read(ctx, begin.from)
	if err != nil {
		return fmt.Errorf("events stream: %w", err)
	}
	defer r.Close()
	if err := s.still(ctx, begin.at, begin); err != nil { // it may have been lost since open looked, and before the reader began
		return err
	}
	work := make(chan func(), workers())
	defer close(work)
	for range workers() {
		go func() {
			for f := range work {
				f()
			}
		}()
	}
	for opened := reopened(r); ; {
		messages, err := r.Next(ctx, 256)
		if err != nil {
			return fmt.Errorf("events stream: %w", err)
		}
		if reopened(r) != opened {
			return fmt.Errorf("%w: the broker of EVENTS was away, and may have lost what was read", errLost)
		}
		j := &job{messages: messages, prepared: make([]prepared, len(messages)), ready: make(chan struct{})}
		if j.bytes, err = s.budget.take(ctx, messages); err != nil {
			return err
		}
		s.prepare(j, epoch, work)
		select {
		case jobs <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// prepare hands the messages of a job to the workers, a few at a time.
func (s *Sealer) prepare(j *job, epoch uint64, work chan<- func()) {
	var left sync.WaitGroup
	id := s.identity
	id.redact = s.redact.Load()
	const share = 16
	for i := 0; i < len(j.messages); i += share {
		end := min(i+share, len(j.messages))
		left.Add(1)
		work <- func() {
			defer left.Done()
			for k := i; k < end; k++ {
				j.prepared[k] = id.prepare(j.messages[k], epoch)
			}
		}
	}
	go func() { left.Wait(); close(j.ready) }()
}

// sequence seals prepared messages in order. A batch goes out when it is full, or when nothing more is waiting and no other is under way: so an idle log
// commits at once, and a busy one takes into the next batch what comes while the one before is written, rather than
// wear the disk out with small ones.
func (s *Sealer) sequence(ctx context.Context, begin start, jobs <-chan *job, batches chan<- *batch) error {
	q, from := begin.sequencer, begin.from
	q.emit = func(b *batch) error { return s.sendPayloads(ctx, b, batches) }
	for {
		j, err := s.nextJob(ctx, q, jobs)
		if err != nil || j == nil { // no more jobs: what stopped fetch, fetch tells
			return err
		}
		<-j.ready
		for i, p := range j.prepared {
			if err := s.gap(ctx, q, from, p.msg.Seq, batches); err != nil {
				return err
			}
			if err := q.message(p); err != nil {
				return err
			}
			s.redact.Store(q.state.redact)
			j.prepared[i] = prepared{} // lets the memory go with the batch
		}
		s.budget.give(j.bytes)
	}
}

// nextJob takes the next job, and hands the current batch on before it has to wait for one. Without a job and an error,
// there will be no more: fetch closes jobs a moment before its own error ends ctx.
func (s *Sealer) nextJob(ctx context.Context, q *sequencer, jobs <-chan *job) (*job, error) {
	for {
		select {
		case j, ok := <-jobs:
			if !ok {
				return nil, ctx.Err()
			}
			return j, nil
		default: // nothing is waiting
		}
		if s.flight.none() {
			if err := q.flush(); err != nil {
				return nil, err
			}
		}
		select {
		case j, ok := <-jobs:
			if !ok {
				return nil, ctx.Err()
			}
			return j, nil
		case <-s.flight.landed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// flight counts the batches that are handed on and not committed yet.
type flight struct {
	count  atomic.Int64
	landed chan struct{} // holds one token when some were committed since it was last taken
}

func newFlight() *flight { return &flight{landed: make(chan struct{}, 1)} }

func (f *flight) none() bool { return f.count.Load() == 0 }

func (f *flight) start() { f.count.Add(1) }

func (f *flight) land() {
	f.count.Add(-1)
	select {
	case f.landed <- struct{}{}:
	default:
	}
}
