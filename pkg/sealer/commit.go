package sealer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/store"
)

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
	s.flight.start()
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
		s.flight.land()
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
	expect, begin := s.tail.last, time.Now()
	seq, err := s.cfg.Log.Sealed.Append(ctx, entry.Message{Subject: sealedSubject(s.identity.log), Header: header, Data: body}, &expect)
	took := time.Since(begin)
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
	s.observe(b, took)
	s.derived.notify(committed{batch: s.tail.chain.Batch(), sealed: seq})
	return nil
}
