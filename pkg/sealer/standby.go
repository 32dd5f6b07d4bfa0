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
		s.log.InfoContext(ctx, "sealer has the lease", "log", s.identity.log, "holder", s.cfg.Holder, "term", l.own.Term)
		if err := s.hold(ctx, l); err != nil || ctx.Err() != nil {
			return err
		}
		s.log.WarnContext(ctx, "sealer has lost the lease", "log", s.identity.log, "holder", s.cfg.Holder)
	}
}

// hold seals until the lease is lost, ctx is done, or sealing on would be wrong; in the last two cases another sealer may go on at once.
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
	if release := l.release(); release != nil {
		s.log.WarnContext(ctx, "the lease is left to lapse", "log", s.identity.log, "cause", release)
	}
	return err
}

// follow waits until this sealer has the lease, and meanwhile reads and verifies the log as it grows, so that what is left to do then is short.
func (s *Sealer) follow(ctx context.Context, l *lease) {
	waiting, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { s.warm(waiting) })
	defer group.Wait()
	defer cancel()
	for {
		held, err := l.try(ctx)
		if held || ctx.Err() != nil {
			return
		}
		pause := leaseBeat / 2
		if err != nil {
			s.log.InfoContext(ctx, "standby cannot see the lease", "log", s.identity.log, "cause", err)
			pause = leaseBeat
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// warm keeps the tail near the end of SEALED until ctx is done. What it finds wrong it does not stop for: the open that follows the take-over finds
// it again, and decides.
func (s *Sealer) warm(ctx context.Context) {
	for {
		pause := leaseBeat / 2
		if err := s.catchUp(ctx); err == nil {
			s.update(func(st *Status) { s.fill(st) })
		} else if ctx.Err() == nil {
			s.log.WarnContext(ctx, "standby cannot follow the log", "log", s.identity.log, "cause", err)
			pause = time.Second
			if oneAnswer(err) != nil {
				s.forget()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// catchUp reads what was sealed since the last time.
func (s *Sealer) catchUp(ctx context.Context) error {
	if t := s.tail; t.window != nil && !t.window.truncate(t.chain.Size()) {
		s.forget() // of the time when this one sealed
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
