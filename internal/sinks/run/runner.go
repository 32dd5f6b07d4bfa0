package sinkrun

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/sink"
)

// Config is the configuration of a Runner. Log, Keys and Sink are required.
type Config struct {
	Log    *store.Log
	Keys   []string      // verifier keys of the log
	Sink   sink.Spec     // name of the sink, and how to open it
	Batch  int           // largest number of entries of one Write; 0 is 4096
	Wait   time.Duration // timeout of one call of the sink; 0 is 1 minute
	Pause  time.Duration // longest pause between two attempts; 0 is 30 seconds
	Logger *slog.Logger  // nil discards the log

	// Health receives the condition "sink-NAME": a warning while the sink cannot be written, and when
	// its data was lost. It fails when the log does not verify. nil is a board that nobody reads.
	Health *health.Board
}

// Status is the state of a Runner.
type Status struct {
	Next     uint64 `json:"next"`          // index of the next entry to write
	Written  uint64 `json:"written"`       // entries that this process has written
	Batches  uint64 `json:"batches"`       // calls of Write for them
	Erased   uint64 `json:"erased"`        // written entries whose data had been erased
	Failures uint64 `json:"failures"`      // failed attempts
	CaughtUp bool   `json:"caught_up"`     // the sink had every entry once since the start
	Err      string `json:"err,omitempty"` // why the sink is not written; "" if it is
	Bad      bool   `json:"bad,omitempty"` // the log does not verify, and nothing more is written

	Mended uint64 `json:"mended"`         // times that lost data was written again from the log
	Note   string `json:"note,omitempty"` // what was lost the last time, and when
}

// Runner follows one log for one sink. Create it with New and start it with Run. Any goroutine may
// call Status.
type Runner struct {
	cfg    Config
	log    *slog.Logger
	reopen chan struct{}

	mu     sync.Mutex
	status Status
}

// New checks the configuration. It opens nothing.
func New(cfg Config) (*Runner, error) {
	if cfg.Log == nil || !ruleset.ValidLog(cfg.Log.Name) || cfg.Log.Cursors == nil {
		return nil, errors.New("sink: a log with a name and cursors is required")
	}
	if len(cfg.Keys) == 0 {
		return nil, errors.New("sink: a verifier key of the log is required")
	}
	for _, k := range cfg.Keys {
		if err := proof.CheckKey(k); err != nil {
			return nil, fmt.Errorf("sink: %w", err)
		}
	}
	if !sink.ValidName(cfg.Sink.Name) || cfg.Sink.Open == nil {
		return nil, fmt.Errorf("sink: %q is not a valid name, or the sink cannot be opened", cfg.Sink.Name)
	}
	if cfg.Batch <= 0 {
		cfg.Batch = 4096
	}
	if cfg.Wait <= 0 {
		cfg.Wait = time.Minute
	}
	if cfg.Pause <= 0 {
		cfg.Pause = 30 * time.Second
	}
	if cfg.Health == nil {
		cfg.Health = new(health.Board)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Runner{
		cfg:    cfg,
		log:    cfg.Logger.With("sink", cfg.Sink.Name, "log", cfg.Log.Name),
		reopen: make(chan struct{}, 1),
	}, nil
}

// Name returns the name of the sink.
func (r *Runner) Name() string { return r.cfg.Sink.Name }

// Reopen closes the sink after the current write and opens it again, as for files that another
// program has rotated. It does not wait until that is done.
func (r *Runner) Reopen() {
	select {
	case r.reopen <- struct{}{}:
	default:
	}
}

// errReopen ends a session on request.
var errReopen = errors.New("the sink is reopened")

// Status returns the present status.
func (r *Runner) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

func (r *Runner) set(change func(*Status)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.status)
}

// Run writes the log into the sink until ctx is done, and returns nil. After an error of the sink
// or of the store it retries with backoff, and starts from the cursor that the sink then returns.
// If the log does not verify, it logs that once and writes nothing more.
func (r *Runner) Run(ctx context.Context) error {
	lost := false
	store.Sessions{
		Session: func(ctx context.Context) error {
			err := r.session(ctx, lost)
			lost = errors.Is(err, sink.ErrLost)
			return err
		},
		Progress: func() uint64 { return r.Status().Written },
		Restart: func(err error) bool {
			again := errors.Is(err, errReopen)
			if again {
				r.log.InfoContext(ctx, "the sink is reopened")
			}
			return again
		},
		Retry: func(err error, pause time.Duration) {
			if lost {
				r.mended(ctx, err.Error(), false)
			}
			r.log.WarnContext(ctx, "the sink failed and is retried", "retry_in", pause, "cause", err)
			r.set(func(s *Status) { s.Err, s.Failures = err.Error(), s.Failures+1 })
			r.tell(health.Warning, "the sink cannot be written and is retried: "+err.Error())
		},
		Ended: func(err error) {
			r.log.ErrorContext(ctx, "the log does not verify; nothing more is written", "cause", err)
			r.set(func(s *Status) { s.Err, s.Bad = err.Error(), true })
			r.tell(health.Failing, "the log does not verify; nothing more is written into the sink: "+err.Error())
		},
		Final:   final,
		Wake:    r.reopen,
		First:   50 * time.Millisecond,
		Longest: r.cfg.Pause,
	}.Run(ctx)
	return nil
}

// final reports whether an error is of the log itself, so that a retry would not help. Data that
// does not open its entry's commitment is not final: it may be erased by the next session.
func final(err error) bool {
	m, bad := errors.AsType[*audit.MismatchError](err)
	return store.Final(err) && !(bad && m.What == "payload")
}

// session opens the sink and writes until an error. lost means that the previous session ended
// because the sink's data was lost.
func (r *Runner) session(ctx context.Context, lost bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening, opened := context.WithTimeout(ctx, r.cfg.Wait)
	defer opened()
	s, err := r.cfg.Sink.Open(opening)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() {
		if e := s.Close(); e != nil && errors.Is(err, errReopen) {
			err = e
		} else {
			err = errors.Join(err, e)
		}
	}()
	if m, ok := s.(sink.Mender); ok && m.Mended() != "" {
		r.mended(ctx, m.Mended(), lost)
	}
	p := &pump{Runner: r, sink: s}
	if err := p.begin(opening); err != nil {
		return err
	}
	opened()
	return p.run(ctx)
}

// mended records that the sink's data was lost. again means that this loss has been counted
// already.
func (r *Runner) mended(ctx context.Context, what string, again bool) {
	r.log.WarnContext(ctx, "the sink had lost what it held; it is written again from the log", "cause", what)
	r.set(func(s *Status) {
		if !again {
			s.Mended++
		}
		s.Note = time.Now().UTC().Format(time.RFC3339) + ": " + what + "; it was written again from the log"
	})
	r.tell(health.Warning, "the sink had lost what it held and is written again from the log: "+what)
}

// tell sets the condition of this sink.
func (r *Runner) tell(s health.State, text string) { r.cfg.Health.Set("sink-"+r.Name(), s, text) }
