package sealer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// inFlight limits the batches whose payloads are sent but which are not committed yet.
const inFlight = 4

// job is a group of messages that are being prepared. ready is closed when all are prepared.
type job struct {
	messages []entry.Message
	prepared []prepared
	bytes    int // taken from the budget
	ready    chan struct{}
}

// pipeline runs four stages until one fails. fetch reads EVENTS and starts the preparation,
// sequence makes batches in order, commit writes them, and watch checks that EVENTS stays intact.
// Whatever a crash or an error cuts off was never acknowledged, and is made again.
func (s *Sealer) pipeline(ctx context.Context, start startPoint) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.budget = newBudget(maxRead)
	s.flight = newFlight()
	s.room, s.sent, s.refused = capacity{}, nil, false
	s.redact.Store(start.sequencer.state.redact)
	s.rules.Store(start.sequencer.state.rules)
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
	epoch := max(start.sequencer.state.epoch, 1)
	stage(func() error { defer close(jobs); return s.fetch(ctx, start, epoch, jobs) })
	stage(func() error { defer close(batches); return s.sequence(ctx, start, jobs, batches) })
	stage(func() error { return s.commit(ctx, batches) })
	stage(func() error { return s.watch(ctx, start) })
	group.Wait()
	if s.refused {
		s.withdraw(context.WithoutCancel(ctx))
	}
	return context.Cause(ctx)
}

// reopenCount returns how often a reader was reopened (store.Reopener).
func reopenCount(r store.Reader) int {
	if r, ok := r.(store.Reopener); ok {
		return r.Reopened()
	}
	return 0
}

// fetch reads EVENTS from start.from until ctx is done or an error occurs.
func (s *Sealer) fetch(ctx context.Context, start startPoint, epoch uint64, jobs chan<- *job) error {
	r, err := s.cfg.Log.Events.Read(ctx, start.from)
	if err != nil {
		return fmt.Errorf("events stream: %w", err)
	}
	defer r.Close()
	if err := s.checkUnchanged(ctx, start.input, start); err != nil {
		// EVENTS may have been lost between the check in open and the start of the reader
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
	for opened := reopenCount(r); ; {
		messages, err := r.Next(ctx, 256)
		if err != nil {
			return fmt.Errorf("events stream: %w", err)
		}
		if reopenCount(r) != opened {
			return fmt.Errorf("%w: the connection to EVENTS was interrupted; messages already read may be lost", errLost)
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
	id.redact, id.rules = s.redact.Load(), s.rules.Load()
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

// sequence seals prepared messages in order. It hands a batch on when it is full, or when no
// message is waiting and no other batch is in flight. So an idle log commits at once, and a busy
// one collects messages while the batch before is written, which makes fewer and larger commits.
func (s *Sealer) sequence(ctx context.Context, start startPoint, jobs <-chan *job, batches chan<- *batch) error {
	q, from := start.sequencer, start.from
	q.emit = func(b *batch) error { return s.sendPayloads(ctx, b, batches) }
	for {
		j, err := s.nextJob(ctx, q, jobs)
		if err != nil || j == nil { // no more jobs: fetch reports its own error
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
			s.rules.Store(q.state.rules)
			j.prepared[i] = prepared{} // its memory now belongs to the batch
		}
		s.budget.release(j.bytes)
	}
}

// nextJob returns the next job, and flushes the current batch before it has to wait for one. It
// returns neither job nor error when there will be no more: fetch closes jobs just before its own
// error ends ctx.
func (s *Sealer) nextJob(ctx context.Context, q *sequencer, jobs <-chan *job) (*job, error) {
	for {
		select {
		case j, ok := <-jobs:
			if !ok {
				return nil, ctx.Err()
			}
			return j, nil
		default:
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
	landed chan struct{} // holds one token if a batch was committed since the last receive
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
