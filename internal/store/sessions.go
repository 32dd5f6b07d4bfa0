package store

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/sealedlog"
)

// Sessions is the loop of a follower. It follows the log, session after session, until the log
// itself is found to be wrong.
type Sessions struct {
	// Session follows the log until something goes wrong. It always returns an error.
	Session func(ctx context.Context) error

	// Progress returns a number that grows when a session gets somewhere. The next pause is then
	// the shortest one.
	Progress func() uint64

	// Retry is called before each pause with the error of the session that ended.
	Retry func(err error, pause time.Duration)

	// Ended is called once with a final error. No session follows.
	Ended func(err error)

	// Final reports whether an error ends the loop. nil means the function Final.
	Final func(error) bool

	// Restart handles errors after which the next session begins without a pause, and reports
	// whether err is one of them. nil means that there is none.
	Restart func(err error) bool

	// Wake ends a pause early. May be nil.
	Wake <-chan struct{}

	// First and Longest are the shortest and the longest pause. 0 means 10 ms and 5 s.
	First, Longest time.Duration
}

// Run runs sessions until ctx is done. After a final error it only waits for that: a log that does
// not verify ends the follower and not the process.
func (s Sessions) Run(ctx context.Context) {
	final := s.Final
	if final == nil {
		final = Final
	}
	pauses := retry.New(cmp.Or(s.First, 10*time.Millisecond), cmp.Or(s.Longest, 5*time.Second))
	for ctx.Err() == nil {
		before := s.Progress()
		err := s.Session(ctx)
		if ctx.Err() != nil {
			return
		}
		if s.Progress() > before {
			pauses.Reset()
		}
		if s.Restart != nil && s.Restart(err) {
			continue
		}
		if final(err) {
			s.Ended(err)
			<-ctx.Done()
			return
		}
		pause := pauses.Next()
		s.Retry(err, pause)
		s.sleep(ctx, pause)
	}
}

func (s Sessions) sleep(ctx context.Context, pause time.Duration) {
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-s.Wake:
	case <-t.C:
	}
}

// Final reports whether an error is of the log itself, so that reading it again would not help.
func Final(err error) bool {
	_, bad := errors.AsType[*audit.MismatchError](err)
	return bad || errors.Is(err, sealedlog.ErrVersion)
}
