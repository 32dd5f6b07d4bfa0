// Package ingest accepts events over HTTP, as NATS requests and from this process, checks them as
// strictly as the sealer will, and writes them to EVENTS in groups.
//
//	agent ─HTTP─▶ Handler ─┐
//	agent ─NATS─▶ Request ─┤
//	program ─▶ Submit ─────┴▶ queue ─▶ one group in flight ─▶ EVENTS ─▶ sealer ─▶ SEALED
//	           ▲ receipts ◀──────────────── position ◀──────────┘                   │
//	           └────────────── index, entry hash, checkpoint ◀── watch ◀────────────┘
//
// Group commit: events that arrive while a group is being written form the next group, with one
// EVENTS message and one fsync. Ingest never waits to fill a group. So an idle ingest adds no
// delay, and a busy one fills its groups. A receipt is given only after the broker's
// acknowledgement. An event that was acknowledged as valid is never rejected later, since both
// sides parse with the same code.
//
// Ingest keeps no state. After a crash, events without a receipt may be stored or not. Sending them
// again makes no second entry, because the sealer recognises repeats.
package ingest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/streams/subject"
)

// Errors that concern a whole submission. Errors of single events are in their receipts.
var (
	// ErrFull reports that EVENTS has reached its limit. Nothing of the group was stored. A later
	// retry is safe.
	ErrFull = errors.New("the log's input is full")
	// ErrNoRoom reports that SEALED or PAYLOADS have too little space for the events. Nothing was
	// stored. A later retry is safe.
	ErrNoRoom = errors.New("the log has no room to seal more events")
	// ErrBusy reports that the requests in progress need more memory than Config.MaxInFlight.
	// Nothing was stored.
	ErrBusy = errors.New("too much is being taken in at once")
	// ErrUnavailable reports that EVENTS cannot be written to, or that ingest is stopping. Events
	// without a receipt are not stored.
	ErrUnavailable = errors.New("events cannot be stored now")
	// ErrDiskFull wraps the error of Config.Room. Nothing of the group was stored. A later retry is
	// safe.
	ErrDiskFull = errors.New("new events are not accepted")
	// ErrUnknown reports that EVENTS did not answer in time, so it is unknown whether the events
	// are stored. Sending them again with the same ids is safe.
	ErrUnknown = errors.New("it is not known whether the events are stored")
	// ErrWitnessed reports that a receipt of status witnessed was requested and the log has no
	// witnesses.
	ErrWitnessed = errors.New("this log has no witnesses")
)

// Config configures ingest. Log is required.
type Config struct {
	Log *store.Log
	// Keys are the log's verifier keys, for receipts of sealed events. Without any, ingest uses the
	// keys that index 0 names.
	Keys []string
	// ID is the token of the subject that this ingest writes to. Empty means a random one. Two that
	// run at the same time must not share one.
	ID string
	// Relaxed says that the store acknowledges before its fsync. Every receipt reports it. It
	// changes nothing else.
	Relaxed bool
	// Policy decides when a checkpoint has enough cosignatures for receipts of status witnessed.
	// Nil means that there are no witnesses: asking for such a receipt fails with ErrWitnessed.
	Policy *proof.Policy
	// Open accepts NATS requests on submit.open from any source, for a NATS server that does not
	// authenticate agents. False refuses them.
	Open bool

	// Handover gets what was parsed of the events, for a sealer in this process. Nil keeps nothing.
	Handover *inbox.Handover

	// Vouched says that the NATS server lets only its agent send on a subject. The publisher of NATS
	// requests is then `nats:` and the token of the subject. Otherwise they have none.
	Vouched bool

	// Redaction holds the redaction rules to use until the log's newest config is known, which then
	// decides. Nil means the default rules. Empty rules redact nothing.
	Redaction *redact.Rules

	MaxBody int64 // MaxBody limits the body of one request, in bytes. 0 means 16 MiB.
	// MaxInFlight limits the memory, in bytes, of all requests that are not answered yet: their
	// bodies and what is made of them. 0 means InFlight(0).
	MaxInFlight int64
	// StoreTimeout is how long ingest tries to store a group that is not acknowledged: it looks for
	// the group and sends it again. 0 means 10 s.
	StoreTimeout time.Duration
	// SealTimeout is how long a request waits at most for its seal and its witnesses. 0 means 15 s.
	SealTimeout time.Duration

	// Measure must call the Measure method of the ingest with fresh figures of the streams. It is
	// called before events are refused for lack of space. Nil means that the last figures count.
	Measure func(context.Context)
	// Room returns an error if a group of that many bytes must not be stored. It is called before
	// each write and must be fast. Nil means no check.
	Room func(bytes int) error

	Logger  *slog.Logger // nil discards all messages
	Observe Observer     // for metrics
}

// Ingest accepts events. New makes it, Run starts it.
type Ingest struct {
	cfg     Config
	logger  *slog.Logger
	subject string
	queue   *queue
	watch   *watch
	cosigns cosigns
	budget  budget
	ledger  ledger
	last    uint64 // newest EVENTS sequence known; owned by Run
	trouble atomic.Pointer[trouble]
	known   atomic.Pointer[redact.Rules] // redaction rules of the newest config seen
	rules   atomic.Pointer[redact.Set]   // compiled rules in use; nil redacts nothing
	sealing atomic.Uint64                // number of the sealing rules of the newest config seen; 0 before
}

// New checks cfg and makes an Ingest. It does no I/O.
func New(cfg Config) (*Ingest, error) {
	if cfg.Log == nil {
		return nil, errors.New("ingest: a log is required")
	}
	if cfg.ID == "" {
		cfg.ID = strings.ToLower(rand.Text())
	}
	if strings.ContainsAny(cfg.ID, ".*> \t\r\n") {
		return nil, fmt.Errorf("ingest: %.80q is not a subject token", cfg.ID)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 16 << 20
	}
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = InFlight(0)
	}
	cfg.MaxInFlight = max(cfg.MaxInFlight, cfg.MaxBody)
	if cfg.StoreTimeout <= 0 {
		cfg.StoreTimeout = 10 * time.Second
	}
	if cfg.SealTimeout <= 0 {
		cfg.SealTimeout = 15 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	in := &Ingest{
		cfg: cfg, logger: cfg.Logger, subject: subject.Batch(cfg.Log.Name, cfg.ID),
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

// Durability returns what a receipt of status stored promises: "fsync" or "relaxed".
func (in *Ingest) Durability() string {
	if in.cfg.Relaxed {
		return "relaxed"
	}
	return "fsync"
}

// Run writes submitted events to EVENTS until ctx is done, and then returns nil. Events that are
// queued by then are still written, for at most StoreTimeout. Later submissions fail with
// ErrUnavailable.
func (in *Ingest) Run(ctx context.Context) error {
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); in.watch.run(watching) }()
	learning := make(chan struct{})
	go func() { defer close(learning); in.learn(watching) }()
	defer func() { <-learning }()
	defer func() { stop(); <-done }()

	if !in.learnLast(ctx) {
		in.queue.close(ErrUnavailable)
		return nil
	}
	in.trouble.Store(nil)
	defer context.AfterFunc(ctx, func() { in.queue.close(nil) })()
	work := context.WithoutCancel(ctx)
	body := make([]byte, 0, ruleset.MaxMessageBytes)
	for {
		group := in.queue.take()
		if group == nil {
			in.trouble.Store(&trouble{why: "ingest has stopped"})
			return nil
		}
		parsed := in.cfg.Handover.NewGroup(len(group))
		body = appendGroup(body[:0], group, parsed)
		if err := in.room(len(body)); err != nil {
			settle(group, 0, err)
			in.queue.fail(err)
			continue
		}
		started := time.Now()
		in.cfg.Handover.Offer(parsed, in.subject, body) // the sealer may read the group before its answer is here
		seq, err := in.store(work, body)
		in.cfg.Handover.Stored(parsed, seq)
		in.cfg.Observe.wrote(group, len(body), started, err)
		if errors.Is(err, ErrUnknown) {
			// the queued events were certainly not sent; later ones are tried
			in.queue.fail(ErrUnavailable)
		}
		if err == nil {
			in.ledger.store(seq, costOf(group))
		}
		settle(group, seq, err)
	}
}

// learnLast reads where EVENTS ends, so that store cannot mistake an older group for the one it
// looks for.
func (in *Ingest) learnLast(ctx context.Context) bool {
	for pauses := retry.New(10*time.Millisecond, time.Second); ; {
		info, err := in.cfg.Log.Events.Info(ctx)
		if err == nil {
			in.last = info.Last
			return true
		}
		if !in.pause(ctx, pauses, "EVENTS cannot be reached", err) {
			return false
		}
	}
}

// pause records and logs an error, and waits before the next attempt. It returns false when ctx is
// done.
func (in *Ingest) pause(ctx context.Context, pauses *retry.Pauses, what string, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	in.trouble.Store(&trouble{fmt.Sprintf("%s: %v", what, err), time.Now().Add(troubleTTL)})
	in.logger.WarnContext(ctx, "ingest: "+what, "log", in.cfg.Log.Name, "cause", err)
	return pauses.Wait(ctx, 0) == nil
}

// trouble is why ingest is not ready. The trouble of a group expires, so that a client tries again
// and finds out.
type trouble struct {
	why   string
	until time.Time // zero if it does not expire
}

const troubleTTL = 5 * time.Second

// Ready returns an error that says why events are not accepted now, or nil.
func (in *Ingest) Ready() error {
	if why := cmp.Or(in.Room()); why != "" {
		return fmt.Errorf("%w: %s", ErrNoRoom, why)
	}
	t := in.trouble.Load()
	if t == nil || !t.until.IsZero() && time.Now().After(t.until) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, t.why)
}
