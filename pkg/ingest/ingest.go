// Package ingest accepts events over HTTP, as NATS requests and from this process, checks them as strictly as the sealer will, and writes them to EVENTS
// in groups.
//
//	agent ─HTTP─▶ Handler ─┐
//	agent ─NATS─▶ Request ─┤
//	program ─▶ Submit ─────┴▶ queue ─▶ one group in flight ─▶ EVENTS ─▶ sealer ─▶ SEALED
//	           ▲ receipts ◀──────────────── position ◀──────────┘                   │
//	           └────────────── index, entry hash, checkpoint ◀── watch ◀────────────┘
//
// Group commit: what arrives while a group is being written is the next group, one EVENTS message, one fsync. Nothing lingers, so
// an idle ingest adds no delay, and a busy one fills its groups by itself. A receipt is given only after the broker's
// acknowledgement. What was acknowledged as valid is never rejected later: both sides parse with the same code.
//
// It keeps no state: after a crash, events without a receipt may be stored or not, and sending them again makes no second entry, because
// the sealer recognises repeats.
//
// No compatibility is promised for this package yet.
package ingest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/store"
)

// Why events were not taken, or not as far as was asked. Errors of single events stand in their receipts.
var (
	// ErrFull: EVENTS has reached its limit. Nothing was stored of the group; it is safe to try again later.
	ErrFull = errors.New("the log's input is full")
	// ErrBusy: more is being taken in than Config.MaxInFlight. Nothing was stored.
	ErrBusy = errors.New("too much is being taken in at once")
	// ErrUnavailable: EVENTS cannot be written to, or ingest is stopping. Nothing was stored of the events that were not taken yet.
	ErrUnavailable = errors.New("events cannot be stored now")
	// ErrUnknown: EVENTS did not answer for so long that it is not known whether the events are stored. Sending them again with the same ids is safe.
	ErrUnknown = errors.New("it is not known whether the events are stored")
	// ErrWitnessed: nobody witnesses this log, so no receipt can say so.
	ErrWitnessed = errors.New("this log has no witnesses")
)

// Config is all that ingest needs to know.
type Config struct {
	Log  *store.Log
	Keys []string // the log's verifier keys, for receipts of sealed events; none: those that index 0 names
	ID   string   // token of the subject that this ingest writes to; "": random. Two that run at once must not share one
	// Relaxed says in every receipt that the store acknowledges before its fsync. It changes nothing else.
	Relaxed   bool
	Publisher func(*http.Request) string // the identity that a request was authenticated as; nil, or "": none
	// Policy says when a checkpoint has enough cosignatures, for receipts of witnessed events; nil: there are no witnesses, and asking for such a
	// receipt is ErrWitnessed.
	Policy *proof.Policy
	// Open takes NATS requests on submit.open, of any source; for where NATS tells no agent from another. False refuses them.
	Open bool

	// Redaction is what is redacted until the log's newest config is known, which then decides; nil: the default rules; empty ones: nothing.
	Redaction *redact.Rules

	MaxBody     int64         // bytes of one request; 0: 16 MiB
	MaxInFlight int64         // bytes of all requests that are not answered yet; 0: 256 MiB
	Patience    time.Duration // how long a group that is not acknowledged is looked for and sent again; 0: 10 s
	SealTimeout time.Duration // how long a request waits for its seal, and its witnesses, at most; 0: 15 s

	Logger  *slog.Logger // nil: silent
	Observe Observer     // for metrics
}

// Ingest takes events in. Make it with New, start it with Run.
type Ingest struct {
	cfg     Config
	log     *slog.Logger
	subject string
	queue   *queue
	watch   *watch
	cosigns cosigns
	budget  budget
	last    uint64 // newest EVENTS sequence known; owned by Run
	trouble atomic.Pointer[trouble]
	known   atomic.Pointer[redact.Rules] // of the newest config seen
	rules   atomic.Pointer[redact.Set]   // by which events are redacted; nil: not at all
}

// New checks the configuration; it speaks to nobody yet.
func New(cfg Config) (*Ingest, error) {
	if cfg.Log == nil {
		return nil, errors.New("ingest: a log is required")
	}
	if cfg.ID == "" {
		cfg.ID = strings.ToLower(rand.Text())
	}
	if strings.ContainsAny(cfg.ID, ".*> \t\r\n") {
		return nil, fmt.Errorf("ingest: %.80q is no subject token", cfg.ID)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 16 << 20
	}
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = 256 << 20
	}
	cfg.MaxInFlight = max(cfg.MaxInFlight, cfg.MaxBody)
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.SealTimeout <= 0 {
		cfg.SealTimeout = 15 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	in := &Ingest{
		cfg: cfg, log: cfg.Logger, subject: "audit." + cfg.Log.Name + ".batch." + cfg.ID,
		queue: newQueue(), watch: newWatch(cfg.Log, cfg.Keys, cfg.Logger), budget: budget{limit: cfg.MaxInFlight},
	}
	if cfg.Redaction == nil {
		cfg.Redaction = redact.Default()
	}
	set, err := redact.Compile(cfg.Redaction)
	if err != nil {
		return nil, fmt.Errorf("ingest: %w", err)
	}
	in.rules.Store(set)
	in.trouble.Store(&trouble{why: "ingest has not started"})
	return in, nil
}

// Durability is what a receipt of status stored promises.
func (in *Ingest) Durability() string {
	if in.cfg.Relaxed {
		return "relaxed"
	}
	return "fsync"
}

// Run writes what is submitted until ctx is done, which is a nil return. What is queued then is still written, for as long as Patience says;
// later submissions get ErrUnavailable.
func (in *Ingest) Run(ctx context.Context) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); in.watch.run(watching) }()
	learning := make(chan struct{})
	go func() { defer close(learning); in.learn(watching) }()
	defer func() { <-learning }()
	defer func() { stop(); <-done }()

	if !in.begin(ctx) {
		in.queue.close(ErrUnavailable)
		return nil
	}
	in.trouble.Store(nil)
	defer context.AfterFunc(ctx, func() { in.queue.close(nil) })()
	work := context.WithoutCancel(ctx)
	body := make([]byte, 0, entry.MaxMessageBytes)
	for {
		group := in.queue.take()
		if group == nil {
			in.trouble.Store(&trouble{why: "ingest has stopped"})
			return nil
		}
		body = appendGroup(body[:0], group)
		begin := time.Now()
		seq, err := in.store(work, body)
		in.cfg.Observe.wrote(group, len(body), begin, err)
		if errors.Is(err, ErrUnknown) {
			in.queue.fail(ErrUnavailable) // these were certainly not sent; what comes after the answer is tried
		}
		settle(group, seq, err)
	}
}

// begin learns where EVENTS ends, so that a group that is looked for later cannot be taken for one before it.
func (in *Ingest) begin(ctx context.Context) bool {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		info, err := in.cfg.Log.Events.Info(ctx)
		if err == nil {
			in.last = info.Last
			return true
		}
		if !in.pause(ctx, wait, "EVENTS cannot be reached", err) {
			return false
		}
	}
}

// pause waits after trouble, and tells of it.
func (in *Ingest) pause(ctx context.Context, d time.Duration, what string, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	in.trouble.Store(&trouble{fmt.Sprintf("%s: %v", what, err), time.Now().Add(troubleLasts)})
	in.log.WarnContext(ctx, "ingest: "+what, "log", in.cfg.Log.Name, "cause", err)
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// trouble is why ingest is not ready. That of a group passes by itself, so that somebody tries again and finds out.
type trouble struct {
	why   string
	until time.Time // zero: for good
}

const troubleLasts = 5 * time.Second

// Ready says why events are not accepted now, or nil.
func (in *Ingest) Ready() error {
	t := in.trouble.Load()
	if t == nil || !t.until.IsZero() && time.Now().After(t.until) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, t.why)
}

// budget bounds the bytes of events in this process.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }
