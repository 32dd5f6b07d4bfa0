package sealer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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
	const share = 16
	for i := 0; i < len(j.messages); i += share {
		end := min(i+share, len(j.messages))
		left.Add(1)
		work <- func() {
			defer left.Done()
			for k := i; k < end; k++ {
				j.prepared[k] = s.identity.prepare(j.messages[k], epoch)
			}
		}
	}
	go func() { left.Wait(); close(j.ready) }()
}

// sequence seals prepared messages in order. A batch goes out when it is full, or when nothing more is waiting.
func (s *Sealer) sequence(ctx context.Context, begin start, jobs <-chan *job, batches chan<- *batch) error {
	q, from := begin.sequencer, begin.from
	q.emit = func(b *batch) error { return s.sendPayloads(ctx, b, batches) }
	for {
		var j *job
		select {
		case next, ok := <-jobs:
			if !ok {
				return ctx.Err()
			}
			j = next
		default: // nothing is waiting
			if err := q.flush(); err != nil {
				return err
			}
			select {
			case next, ok := <-jobs:
				if !ok {
					return ctx.Err()
				}
				j = next
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		<-j.ready
		for i, p := range j.prepared {
			if err := s.gap(ctx, q, from, p.msg.Seq, batches); err != nil {
				return err
			}
			if err := q.message(p); err != nil {
				return err
			}
			j.prepared[i] = prepared{} // lets the memory go with the batch
		}
		s.budget.give(j.bytes)
	}
}

// gap makes sure that EVENTS messages are really gone before a gap is sealed: nobody else may have sealed them meanwhile (and trimmed
// EVENTS behind that), and the leader must have answered twice more that they are not there.
func (s *Sealer) gap(ctx context.Context, q *sequencer, begin, seq uint64, batches chan<- *batch) error {
	next := q.state.next
	if next == 0 { // index 0, or an epoch: it begins with the first message that there is
		next = begin
	}
	if seq == next {
		return nil
	}
	if seq < next {
		return fmt.Errorf("events stream: sequence %d after %d", seq, next-1)
	}
	if err := s.settle(ctx, q, batches); err != nil {
		return err
	}
	sealed, err := s.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	if sealed.Last != s.tail.last {
		return fmt.Errorf("%w: it ends at sequence %d, not %d", errLost, sealed.Last, s.tail.last)
	}
	for range 2 {
		if s.cfg.hooks.hasty() {
			break
		}
		if first, err := s.firstFrom(ctx, next, seq); err != nil {
			return err
		} else if first != seq {
			return fmt.Errorf("%w: EVENTS sequence %d was left out in reading", errLost, first)
		}
	}
	s.log.WarnContext(ctx, "EVENTS messages are gone", "log", s.identity.log, "from", next, "to", seq-1)
	return nil
}

// settle waits until all that is sequenced is committed.
func (s *Sealer) settle(ctx context.Context, q *sequencer, batches chan<- *batch) error {
	if err := q.flush(); err != nil {
		return err
	}
	b := &batch{settled: make(chan struct{})}
	select {
	case batches <- b:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-b.settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstFrom asks for the first EVENTS message that there is from one sequence on; one that was read before stands at another.
func (s *Sealer) firstFrom(ctx context.Context, from, read uint64) (uint64, error) {
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("events stream: %w", err)
	}
	if info.Last < read { // Next would wait
		return 0, fmt.Errorf("%w: EVENTS ends at sequence %d, after %d was read", errLost, info.Last, read)
	}
	ctx, _, done := impatient(ctx)
	defer done()
	r, err := s.cfg.Log.Events.Read(ctx, from)
	if err != nil {
		return 0, fmt.Errorf("events stream: %w", err)
	}
	defer r.Close()
	messages, err := r.Next(ctx, 1)
	if err != nil {
		return 0, fmt.Errorf("events stream: %w", err)
	}
	return messages[0].Seq, nil
}

// sendPayloads puts a batch's payloads on their way and hands it to the committer. A crash here leaves an orphan on
// PAYLOADS, which no batch names, and which the sweeper finds between two that are named.
func (s *Sealer) sendPayloads(ctx context.Context, b *batch, batches chan<- *batch) error {
	s.cfg.hooks.make(b)
	if len(b.payloads) > 0 {
		pending, err := s.cfg.Log.Payloads.AppendAsync(ctx, entry.Message{Subject: payloadsSubject(s.identity.log), Data: b.payloads}, nil)
		if err != nil {
			return fmt.Errorf("payloads: %w", err)
		}
		b.payloadSent, b.payloads = pending, nil
	}
	select {
	case batches <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit writes one SEALED message after the other, each only when its payloads are acknowledged and the one before it
// is: this is the log's only commit point.
func (s *Sealer) commit(ctx context.Context, batches <-chan *batch) error {
	named := s.named()
	for b := range batches {
		if b.settled != nil {
			close(b.settled)
			continue
		}
		if b.payloadSent != nil {
			seq, err := b.payloadSent(ctx)
			if err != nil {
				return fmt.Errorf("%w: payloads: %w", errLost, err)
			}
			if seq <= named {
				return fmt.Errorf("%w: PAYLOADS gave sequence %d after %d", ErrLogBad, seq, named)
			}
			named = seq
		}
		b.Payloads = named
		if err := s.commitOne(ctx, b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Sealer) named() uint64 {
	if s.tail.chain.Size() == 0 {
		return 0
	}
	return s.tail.chain.Batch().Payloads
}

// commitOne appends the batch behind the very message that was last. A crash before the broker has it leaves nothing of it; after, the
// batch is the end of the log, and the next open finds it there, whether or not the acknowledgement came.
func (s *Sealer) commitOne(ctx context.Context, b *batch) error {
	b.Input.Digest = b.last.Digest()
	b.last.Data = nil
	s.cfg.hooks.commit(b)
	header, body := b.Batch.Format()
	expect := s.tail.last
	seq, err := s.cfg.Log.Sealed.Append(ctx, entry.Message{Subject: sealedSubject(s.identity.log), Header: header, Data: body}, &expect)
	if err != nil {
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrAmbiguous) {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		return fmt.Errorf("commit of indexes %d to %d: %w", b.First, b.Size-1, err)
	}
	if seq != expect+1 {
		return fmt.Errorf("%w: SEALED gave sequence %d after %d", errLost, seq, expect)
	}
	if err := s.tail.commit(b, seq); err != nil {
		return err
	}
	at := s.tail.chain.Input()
	s.input.Store(&at)
	s.update(func(st *Status) { s.fill(st); st.Batches++; st.Committed = time.Now() })
	s.derived.notify(committed{batch: s.tail.chain.Batch(), sealed: seq})
	return nil
}
