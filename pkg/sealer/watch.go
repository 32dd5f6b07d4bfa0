package sealer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// watchEvery is how often an idle sealer looks whether EVENTS is still what it has sealed.
const watchEvery = 10 * time.Second

// watch ends the pipeline when EVENTS has lost what was sealed. While messages come, the reader tells that its broker was away; but where nothing
// comes behind the input position it would wait there, and what the broker takes in again before it would not be sealed.
func (s *Sealer) watch(ctx context.Context, begin start) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for last := begin.at; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		at := s.input.Load()
		if at != last { // it is busy
			last = at
			continue
		}
		if err := s.still(ctx, at, begin); err != nil {
			return err
		}
	}
}

// still says whether EVENTS is what it was: with the message at the input position, or, where nothing of it is sealed yet, as it was when the log
// was opened.
func (s *Sealer) still(ctx context.Context, at *proof.Position, begin start) error {
	if s.cfg.hooks.blind(ErrInputLost) {
		return nil
	}
	if at == nil {
		return s.watchBegin(ctx, begin)
	}
	return s.watchInput(ctx, *at)
}

func (s *Sealer) watchInput(ctx context.Context, at proof.Position) error {
	m, err := s.cfg.Log.Events.Get(ctx, at.Seq)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !holds(m, at):
		return fmt.Errorf("%w: EVENTS sequence %d, up to which was sealed, is gone or another", errLost, at.Seq)
	case err != nil:
		return fmt.Errorf("EVENTS sequence %d: %w", at.Seq, err)
	}
	return nil
}

func (s *Sealer) watchBegin(ctx context.Context, begin start) error {
	info, err := s.cfg.Log.Events.Info(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("events stream: %w", err)
	case entry.FormatReceived(info.Created) != begin.created || info.Last < begin.least:
		return fmt.Errorf("%w: EVENTS is not what it was", errLost)
	}
	return nil
}

// patience is how long a read up to an end that was seen may wait for the next message.
const patience = 15 * time.Second

// impatient is for such reads: what was counted may be gone before it is read, and a reader would wait for ever. Its context ends when
// nothing comes for a while; came is to be called for whatever comes.
func impatient(ctx context.Context) (_ context.Context, came func(), done context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(patience, func() { cancel(fmt.Errorf("%w: messages that were counted do not come", errLost)) })
	return ctx, func() { timer.Reset(patience) }, func() { timer.Stop(); cancel(nil) }
}
