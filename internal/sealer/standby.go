package sealer

import (
	"context"
	"errors"
	"sync"
	"time"
)

// lead seals while this sealer holds the lease, and follows the log while another one does.
func (s *Sealer) lead(ctx context.Context) error {
	l := newLease(s)
	for {
		if s.follow(ctx, l); ctx.Err() != nil {
			return nil
		}
		s.logger.InfoContext(ctx, "sealer has the lease", "log", s.identity.logName, "holder", s.cfg.Holder, "term",
			l.ownBeat.Term)
		if err := s.hold(ctx, l); err != nil || ctx.Err() != nil {
			return err
		}
		// Why this sealer could not commit no longer matters: the other one commits now.
		s.update(func(st *Status) { st.Err = nil })
		s.logger.WarnContext(ctx, "sealer has lost the lease", "log", s.identity.logName, "holder", s.cfg.Holder)
	}
}

// hold seals until the lease is lost, ctx is done, or sealing must stop. In the last two cases it
// releases the lease, so that another sealer can take over at once.
func (s *Sealer) hold(ctx context.Context, l *lease) error {
	holding, cancel := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	group.Go(func() { cancel(l.keep(holding)) })
	err := s.seal(holding)
	taken := errors.Is(context.Cause(holding), errLeaseTaken)
	cancel(nil)
	group.Wait()
	if taken {
		return nil
	}
	if releaseErr := l.release(); releaseErr != nil {
		s.logger.WarnContext(ctx, "sealer could not release the lease; it will expire", "log", s.identity.logName, "cause",
			releaseErr)
	}
	return err
}

// follow waits for the lease. Meanwhile it reads and verifies the log as it grows, so that a
// take-over is fast.
func (s *Sealer) follow(ctx context.Context, l *lease) {
	waiting, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { s.warm(waiting) })
	defer group.Wait()
	defer cancel()
	for {
		held, err := l.acquire(ctx)
		if held || ctx.Err() != nil {
			return
		}
		pause := beatInterval / 2
		if err != nil {
			s.logger.InfoContext(ctx, "standby cannot read the lease", "log", s.identity.logName, "cause", err)
			pause = beatInterval
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// warm keeps the tail near the end of SEALED until ctx is done. An error does not stop it: the open
// that follows the take-over finds the error again and decides.
func (s *Sealer) warm(ctx context.Context) {
	for {
		pause := beatInterval / 2
		if err := s.catchUp(ctx); err == nil {
			s.update(func(st *Status) { s.fill(st) })
		} else if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "standby cannot follow the log", "log", s.identity.logName, "cause", err)
			pause = time.Second
			if maybeStale(err) != nil {
				s.resetTail()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// catchUp reads what was sealed since the last call.
func (s *Sealer) catchUp(ctx context.Context) error {
	if t := s.tail; t.window != nil && !t.window.truncate(t.chain.Size()) {
		s.resetTail() // the window still holds entries that this sealer never committed
	}
	if err := s.readMark(s.tail); err != nil {
		return err
	}
	if err := s.tail.advance(ctx); err != nil {
		return err
	}
	s.reportVoid(s.tail)
	return nil
}
