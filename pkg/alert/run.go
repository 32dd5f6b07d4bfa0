package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Config is all that an alerter needs to know.
type Config struct {
	Log      *store.Log
	Keys     []string      // verifier keys of the log; the first names its origin. Required
	Rules    []Rule        // beside the types that are always told; all followers of one log must have the same
	Lag      time.Duration // how long an event may wait to be sealed; 0: 30 s; negative: for ever
	Webhooks []Webhook
	Logger   *slog.Logger // nil: silent
}

const defaultLag = 30 * time.Second

// Alerter follows one log and tells of it. Make it with New, start it with Run; the other methods may be called by many goroutines.
type Alerter struct {
	cfg    Config
	log    *slog.Logger
	origin string
	hooks  []*dispatcher
	tick   time.Duration // between looks at what no entry tells
	grace  time.Duration // by which this clock may be ahead of the broker's, when nothing but it tells that an agent is silent

	mu      sync.Mutex
	status  Status
	drained chan struct{} // closed when streams of answers are to end
	drain   sync.Once
	streams atomic.Int64 // open
}

// New checks the configuration; it reads nothing.
func New(cfg Config) (*Alerter, error) {
	if cfg.Log == nil || !entry.ValidLog(cfg.Log.Name) || cfg.Log.Alerts == nil {
		return nil, errors.New("alert: a log with a name and a stream of alerts is required")
	}
	if len(cfg.Keys) == 0 {
		return nil, errors.New("alert: a verifier key of the log is required")
	}
	for _, k := range cfg.Keys {
		if err := proof.CheckKey(k); err != nil {
			return nil, fmt.Errorf("alert: %w", err)
		}
	}
	if err := checkRules(cfg.Rules); err != nil {
		return nil, fmt.Errorf("alert: %w", err)
	}
	if cfg.Lag == 0 {
		cfg.Lag = defaultLag
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Keys, cfg.Rules, cfg.Webhooks = slices.Clone(cfg.Keys), slices.Clone(cfg.Rules), slices.Clone(cfg.Webhooks)
	a := &Alerter{cfg: cfg, log: cfg.Logger, drained: make(chan struct{}), tick: tickEvery, grace: silenceGrace}
	a.origin, _, _ = strings.Cut(cfg.Keys[0], "+")
	names := map[string]bool{}
	for _, w := range cfg.Webhooks {
		d, err := newDispatcher(a, w)
		if err != nil {
			return nil, fmt.Errorf("alert: %w", err)
		}
		if names[w.Name] {
			return nil, fmt.Errorf("alert: two webhooks are named %q", w.Name)
		}
		names[w.Name] = true
		a.hooks = append(a.hooks, d)
	}
	return a, nil
}

// Status is what health pages tell of an alerter.
type Status struct {
	Next      uint64          `json:"next"`          // index of the entry to look at next
	SealedSeq uint64          `json:"sealed_seq"`    // SEALED sequence followed up to
	AlertsSeq uint64          `json:"alerts_seq"`    // newest ALERTS sequence known here
	Published uint64          `json:"published"`     // alerts published by this process
	CaughtUp  bool            `json:"caught_up"`     // all that stood on SEALED when following began is followed
	Err       string          `json:"err,omitempty"` // why entries are not looked at, or alerts not published; "": all is well
	Bad       bool            `json:"bad,omitempty"` // Err says that the log does not verify; nothing more is looked at
	Webhooks  []WebhookStatus `json:"webhooks"`
}

// Status returns the present status.
func (a *Alerter) Status() Status {
	a.mu.Lock()
	s := a.status
	a.mu.Unlock()
	s.Webhooks = make([]WebhookStatus, len(a.hooks))
	for i, d := range a.hooks {
		s.Webhooks[i] = d.Status()
	}
	return s
}

func (a *Alerter) set(change func(*Status)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.status)
}

// Run follows the log and serves the webhooks until ctx is done, which is a nil return. Trouble of the store is waited out. When the log does not
// verify, that is told once and nothing more is read; the webhooks are served on.
func (a *Alerter) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	var ready sync.WaitGroup // a new webhook begins at the end that ALERTS has before this run adds to it
	for _, d := range a.hooks {
		ready.Add(1)
		group.Go(func() { d.run(ctx, ready.Done) })
	}
	ready.Wait()
	for wait := time.Duration(0); ctx.Err() == nil; {
		before := a.Status().Next
		err := a.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if final(err) {
			a.log.ErrorContext(ctx, "the log does not verify; no more entries are looked at", "log", a.cfg.Log.Name, "cause", err)
			a.set(func(s *Status) { s.Err, s.Bad = err.Error(), true })
			<-ctx.Done()
			return nil
		}
		a.log.WarnContext(ctx, "alerts follow the log again", "log", a.cfg.Log.Name, "cause", err)
		a.set(func(s *Status) { s.Err = err.Error() })
		if a.Status().Next > before {
			wait = 0
		}
		wait = min(max(2*wait, 10*time.Millisecond), 5*time.Second)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// final says whether an error is of the log itself, so that trying again would not help.
func final(err error) bool {
	_, bad := errors.AsType[*proof.MismatchError](err)
	return bad || errors.Is(err, proof.ErrVersion)
}

// session follows the log from where it was left until something goes wrong.
func (a *Alerter) session(ctx context.Context) error {
	f, err := a.open(ctx)
	if err != nil {
		return err
	}
	err = f.follow(ctx)
	if final(err) {
		if _, err := f.out.publish(ctx, []Alert{f.failure(err)}); err != nil {
			return err
		}
		f.dirty = true
	}
	if !errors.Is(err, errReset) {
		f.close()
	}
	return err
}
