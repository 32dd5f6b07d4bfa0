package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Config is all that a Runner needs to know.
type Config struct {
	Log    *store.Log
	Keys   []string      // verifier keys of the log. Required
	Sink   Spec          // name, and what opens it. Required
	Batch  int           // entries that one Write has at most; 0: 4096
	Wait   time.Duration // how long one call of the sink may take; 0: 1 min
	Pause  time.Duration // longest pause between attempts; 0: 30 s
	Logger *slog.Logger  // nil: silent
}

// Status is how a Runner fares.
type Status struct {
	Next     uint64 `json:"next"`          // index of the entry to be written next
	Written  uint64 `json:"written"`       // entries written by this process
	Batches  uint64 `json:"batches"`       // in so many calls
	Erased   uint64 `json:"erased"`        // of them, those whose data was erased before
	Failures uint64 `json:"failures"`      // attempts that failed
	CaughtUp bool   `json:"caught_up"`     // nothing was left to be written, once since the start
	Err      string `json:"err,omitempty"` // why the sink does not get what it should; "": all is well
	Bad      bool   `json:"bad,omitempty"` // Err says that the log does not verify; nothing more is written
}

// Runner follows one log for one sink. Make it with New, start it with Run; Status may be called by many goroutines.
type Runner struct {
	cfg Config
	log *slog.Logger

	mu     sync.Mutex
	status Status
}

// New checks the configuration; it opens nothing.
func New(cfg Config) (*Runner, error) {
	if cfg.Log == nil || !entry.ValidLog(cfg.Log.Name) || cfg.Log.Cursors == nil {
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
	if !validName(cfg.Sink.Name) || cfg.Sink.Open == nil {
		return nil, fmt.Errorf("sink: %q is no sink with a name", cfg.Sink.Name)
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
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Runner{cfg: cfg, log: cfg.Logger.With("sink", cfg.Sink.Name, "log", cfg.Log.Name)}, nil
}

// Name is that of the sink.
func (r *Runner) Name() string { return r.cfg.Sink.Name }

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

// Run writes the log to the sink until ctx is done, which is a nil return. Whatever goes wrong, with the sink or the store, is tried again, ever more rarely,
// and begins with what the sink then says that it holds. When the log does not verify, that is told once and nothing more is written.
func (r *Runner) Run(ctx context.Context) error {
	for pause := time.Duration(0); ctx.Err() == nil; {
		before := r.Status().Written
		err := r.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if final(err) {
			r.log.ErrorContext(ctx, "the log does not verify; nothing more is written", "cause", err)
			r.set(func(s *Status) { s.Err, s.Bad = err.Error(), true })
			<-ctx.Done()
			return nil
		}
		if r.Status().Written > before {
			pause = 0
		}
		pause = min(max(2*pause, 50*time.Millisecond), r.cfg.Pause)
		r.log.WarnContext(ctx, "the sink is tried again", "in", pause, "cause", err)
		r.set(func(s *Status) { s.Err, s.Failures = err.Error(), s.Failures+1 })
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + rand.N(pause/2+1)): // several sinks of one database shall not come all at once
		}
	}
	return nil
}

// final says whether an error is of the log itself, so that trying again would not help.
func final(err error) bool {
	_, bad := errors.AsType[*proof.MismatchError](err)
	return bad || errors.Is(err, proof.ErrVersion)
}

// session opens the sink and writes until something goes wrong.
func (r *Runner) session(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opening, opened := context.WithTimeout(ctx, r.cfg.Wait)
	defer opened()
	s, err := r.cfg.Sink.Open(opening)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := &pump{Runner: r, sink: s}
	if err := p.begin(opening); err != nil {
		return err
	}
	opened()
	return p.run(ctx)
}
