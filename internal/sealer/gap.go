package sealer

import (
	"context"
	"fmt"
)

// gap makes sure that EVENTS messages are really gone before a gap is sealed. No other sealer may
// have sealed and trimmed them meanwhile, and the leader must answer twice more that they are
// missing.
func (s *Sealer) gap(ctx context.Context, q *sequencer, start, seq uint64, batches chan<- *batch) error {
	next := q.state.next
	if next == 0 { // index 0 or a new epoch starts with the first message there is
		next = start
	}
	if seq == next {
		return nil
	}
	if seq < next {
		return fmt.Errorf("events stream: sequence %d after %d", seq, next-1)
	}
	if err := s.flushAndWait(ctx, q, batches); err != nil {
		return err
	}
	sealed, err := s.cfg.Log.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	if sealed.Last != s.tail.lastRead {
		return fmt.Errorf("%w: SEALED ends at sequence %d, not %d", errLost, sealed.Last, s.tail.lastRead)
	}
	for range 2 {
		if s.cfg.hooks.skipsRecheck() {
			break
		}
		if first, err := s.firstFrom(ctx, next, seq); err != nil {
			return err
		} else if first != seq {
			return fmt.Errorf("%w: the reader skipped EVENTS sequence %d", errLost, first)
		}
	}
	s.logger.WarnContext(ctx, "EVENTS messages are lost; a gap is sealed", "log", s.identity.logName, "from", next, "to",
		seq-1)
	return nil
}

// flushAndWait waits until everything sequenced so far is committed.
func (s *Sealer) flushAndWait(ctx context.Context, q *sequencer, batches chan<- *batch) error {
	if err := q.flush(); err != nil {
		return err
	}
	return s.waitCommitted(ctx, batches)
}

// waitCommitted waits until every batch that was handed on is committed.
func (s *Sealer) waitCommitted(ctx context.Context, batches chan<- *batch) error {
	b := &batch{barrier: make(chan struct{})}
	select {
	case batches <- b:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-b.barrier:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// firstFrom returns the first sequence from `from` on that EVENTS has. The message at sequence read
// was read before, so there must be one.
func (s *Sealer) firstFrom(ctx context.Context, from, read uint64) (uint64, error) {
	info, err := s.cfg.Log.Events.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("events stream: %w", err)
	}
	if info.Last < read { // Next would block
		return 0, fmt.Errorf("%w: EVENTS ends at sequence %d, after %d was read", errLost, info.Last, read)
	}
	ctx, _, done := withIdleTimeout(ctx)
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
