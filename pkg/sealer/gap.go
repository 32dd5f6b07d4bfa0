package sealer

import (
	"context"
	"fmt"
)

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
