package sealer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealstream/sealstream/internal/canonical"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
)

// watchInterval is how often an idle sealer checks that EVENTS still holds what it has sealed.
const watchInterval = 10 * time.Second

// watch ends the pipeline when EVENTS has lost messages that are sealed. While messages come, the
// reader reports an interrupted connection. But if EVENTS was rolled back and nothing comes after
// the input position, the reader would wait there for ever, and messages that the broker accepts
// below it would never be sealed.
func (s *Sealer) watch(ctx context.Context, start startPoint) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for last := start.input; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		at := s.committedInput.Load()
		if at != last { // it is sealing
			last = at
			continue
		}
		if err := s.checkUnchanged(ctx, at, start); err != nil {
			return err
		}
	}
}

// checkUnchanged checks that EVENTS still holds the message at the input position. If nothing of
// this EVENTS is sealed yet, it checks that EVENTS is as it was when the log was opened.
func (s *Sealer) checkUnchanged(ctx context.Context, at *sealedlog.Position, start startPoint) error {
	if s.cfg.hooks.blind(ErrInputLost) {
		return nil
	}
	if at == nil {
		return s.checkUnsealed(ctx, start)
	}
	return s.checkInputMessage(ctx, *at)
}

func (s *Sealer) checkInputMessage(ctx context.Context, at sealedlog.Position) error {
	m, err := s.cfg.Log.Events.Get(ctx, at.Seq)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !s.identity.holds(m, at):
		return fmt.Errorf("%w: EVENTS sequence %d, the newest one sealed, is gone or holds another message", errLost, at.Seq)
	case err != nil:
		return fmt.Errorf("EVENTS sequence %d: %w", at.Seq, err)
	}
	return nil
}

func (s *Sealer) checkUnsealed(ctx context.Context, start startPoint) error {
	info, err := s.cfg.Log.Events.Info(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("events stream: %w", err)
	case canonical.FormatReceived(info.Created) != start.created || info.Last < start.leastLast:
		return fmt.Errorf("%w: EVENTS was replaced or has lost messages", errLost)
	}
	return nil
}

// idleTimeout limits the wait for the next message in a read up to a known end.
const idleTimeout = 15 * time.Second

// withIdleTimeout returns a context for a read up to a known end. Messages that were counted may be
// gone before they are read, and the reader would then wait for ever. The context ends when nothing
// comes for idleTimeout. The caller must call came for every message.
func withIdleTimeout(ctx context.Context) (_ context.Context, came func(), done context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(idleTimeout, func() {
		cancel(fmt.Errorf("%w: timeout while reading messages that were counted before", errLost))
	})
	return ctx, func() { timer.Reset(idleTimeout) }, func() { timer.Stop(); cancel(nil) }
}
