package sealer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/draft"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// sendPayloads sends a batch's payloads and hands the batch to the committer. A crash here leaves
// an orphan on PAYLOADS: a message that no batch names. The sweeper deletes it once a later batch
// is committed.
func (s *Sealer) sendPayloads(ctx context.Context, b *batch, batches chan<- *batch) error {
	s.cfg.hooks.make(b)
	if err := s.reserve(ctx, b, batches); err != nil {
		return err
	}
	if len(b.payloads) > 0 {
		pending, err := s.cfg.Log.Payloads.AppendAsync(ctx,
			entry.Message{Subject: subject.Payloads(s.identity.logName), Data: b.payloads}, nil)
		if err != nil {
			return fmt.Errorf("payloads: %w", err)
		}
		b.payloadSent, b.payloads = &sentPayloads{pending: pending}, nil
		// these include all that are not committed
		s.sent = append(s.sent[max(0, len(s.sent)-2*inFlight):], b.payloadSent)
	}
	s.flight.start()
	select {
	case batches <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commit writes batches to SEALED one after the other, each only when its payloads and the batch
// before it are acknowledged. This is the log's only commit point.
func (s *Sealer) commit(ctx context.Context, batches <-chan *batch) error {
	named := s.named()
	for b := range batches {
		if b.barrier != nil {
			close(b.barrier)
			continue
		}
		if b.payloadSent != nil {
			if err := b.payloadSent.wait(ctx); err != nil {
				s.refused = errors.Is(err, store.ErrFull)
				return fmt.Errorf("%w: payloads: %w", errLost, err)
			}
			seq := b.payloadSent.seq
			if seq <= named {
				return fmt.Errorf("%w: PAYLOADS assigned sequence %d after %d", ErrLogBad, seq, named)
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

// named returns the newest PAYLOADS sequence that a committed batch names.
func (s *Sealer) named() uint64 {
	if s.tail.chain.Size() == 0 {
		return 0
	}
	return s.tail.chain.Batch().Payloads
}

// commitOne appends the batch directly after the message that was last on SEALED. A crash before
// the broker has it leaves nothing. A crash after that leaves the batch as the end of the log, and
// the next open finds it there, whether or not it was acknowledged.
func (s *Sealer) commitOne(ctx context.Context, b *batch) error {
	b.Input.Digest = draft.InputDigest(s.identity.secret, b.config.Rules, b.last.Digest())
	b.last.Data = nil
	s.cfg.hooks.commit(b)
	header, body := b.Batch.Format()
	if s.cfg.Guard != nil {
		if err := s.cfg.Guard(); err != nil {
			return fmt.Errorf("%w: %w", ErrFenced, err)
		}
	}
	expect, start := s.tail.lastRead, time.Now()
	seq, err := s.cfg.Log.Sealed.Append(ctx,
		entry.Message{Subject: subject.Sealed(s.identity.logName), Header: header, Data: body}, &expect)
	took := time.Since(start)
	if err != nil {
		s.refused = errors.Is(err, store.ErrFull)
		if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrAmbiguous) {
			err = fmt.Errorf("%w: %w", errLost, err)
		}
		return fmt.Errorf("commit indexes %d to %d: %w", b.First, b.Size-1, err)
	}
	if seq != expect+1 {
		return fmt.Errorf("%w: SEALED assigned sequence %d after %d", errLost, seq, expect)
	}
	if err := s.tail.commit(b, seq); err != nil {
		return err
	}
	at := s.tail.chain.Input()
	s.committedInput.Store(&at)
	s.update(func(st *Status) { s.fill(st); st.Batches++; st.Committed, st.Err = time.Now(), nil })
	s.observe(b, took)
	s.derived.notify(s.tail.newest())
	return nil
}
