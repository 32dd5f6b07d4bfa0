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

	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Config configures an Alerter. Log, with its stream of alerts, and Keys are required.
type Config struct {
	Log  *store.Log
	Keys []string // Keys are the verifier keys of the log. The first one names its origin.
	// Rules apply in addition to AlertTypes. All followers of one log must have the same rules.
	Rules []Rule
	// Lag is how long an event may wait to be sealed without an alert. 0 means 30 s. A negative
	// value means no such alert.
	Lag      time.Duration
	Webhooks []Webhook
	// Scoped limits the alerts in answers to those that the caller in the context of the request
	// may have (access.From). False answers everything to everyone.
	Scoped bool
	// Health holds the conditions that cause an alert when they become worse. Nil means none.
	Health *health.Board
	Logger *slog.Logger // nil discards all messages
}

const defaultLag = 30 * time.Second

// Alerter follows one log and publishes alerts. New makes it, Run starts it. The other methods are
// safe for concurrent use.
type Alerter struct {
	cfg      Config
	logger   *slog.Logger
	origin   string
	hooks    []*dispatcher
	interval time.Duration // interval between checks of what belongs to no entry
	// grace is how far this clock may be ahead of the broker's when a silence is judged by it.
	grace time.Duration

	mu          sync.Mutex
	status      Status
	ended       chan struct{} // closed by EndStreams
	endOnce     sync.Once
	openStreams atomic.Int64 // number of open streams
}

// New checks cfg and makes an Alerter. It reads nothing.
func New(cfg Config) (*Alerter, error) {
	if cfg.Log == nil || !ruleset.ValidLog(cfg.Log.Name) || cfg.Log.Alerts == nil {
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
	if err := CheckRules(cfg.Rules); err != nil {
		return nil, fmt.Errorf("alert: %w", err)
	}
	if cfg.Lag == 0 {
		cfg.Lag = defaultLag
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Keys, cfg.Rules, cfg.Webhooks = slices.Clone(cfg.Keys), slices.Clone(cfg.Rules), slices.Clone(cfg.Webhooks)
	a := &Alerter{cfg: cfg, logger: cfg.Logger, ended: make(chan struct{}), interval: tickInterval, grace: silenceGrace}
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

// Status describes an alerter for health pages.
type Status struct {
	Next      uint64 `json:"next"`       // next index
	SealedSeq uint64 `json:"sealed_seq"` // newest SEALED sequence followed
	AlertsSeq uint64 `json:"alerts_seq"` // newest ALERTS sequence known here
	Published uint64 `json:"published"`  // alerts published by this process
	// the follower has reached the end that SEALED had at its start
	CaughtUp bool `json:"caught_up"`
	// Err is why entries are not processed or alerts not published. Empty means no error.
	Err      string          `json:"err,omitempty"`
	Bad      bool            `json:"bad,omitempty"` // Err is permanent: the log fails to verify
	Webhooks []WebhookStatus `json:"webhooks"`
}

// Status returns the current status.
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

// Run follows the log and delivers to the webhooks until ctx is done, and then returns nil. It
// retries errors of the store. When the log fails to verify, Run publishes one alert and reads no
// more of the log, but goes on delivering.
func (a *Alerter) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	// a new webhook starts at the end that ALERTS has before this run adds to it
	var ready sync.WaitGroup
	for _, d := range a.hooks {
		ready.Add(1)
		group.Go(func() { d.run(ctx, ready.Done) })
	}
	ready.Wait()
	store.Sessions{
		Session:  a.session,
		Progress: func() uint64 { return a.Status().Next },
		Retry: func(err error, pause time.Duration) {
			a.logger.WarnContext(ctx, "alerts: following the log again after an error", "log", a.cfg.Log.Name,
				"retry_in", pause, "cause", err)
			a.set(func(s *Status) { s.Err = err.Error() })
		},
		Ended: func(err error) {
			a.logger.ErrorContext(ctx, "alerts: the log fails to verify; no more entries are read", "log", a.cfg.Log.Name,
				"cause", err)
			a.set(func(s *Status) { s.Err, s.Bad = err.Error(), true })
		},
	}.Run(ctx)
	return nil
}

// session follows the log from the saved state until an error.
func (a *Alerter) session(ctx context.Context) error {
	f, err := a.open(ctx)
	if err != nil {
		return err
	}
	err = f.follow(ctx)
	if store.Final(err) {
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
