// Package sealer is the one writer of a log: it reads EVENTS in order, turns every message into entries, chains and
// Merkle-hashes them, and commits them in batches to SEALED.
//
//	EVENTS ─read─▶ prepare (parallel) ─▶ sequencer (order, window, chain, tree) ─▶ committer ─CAS─▶ SEALED (+ PAYLOADS before it)
//	                                                                                   └─▶ HEAD, mark, trim, sweep (derived)
//
// Sealing is a pure function of the log's prefix, the events and the log secret: no clock is read, so sealing again
// after a crash makes the same bytes, and nothing needs to be staged. The end of SEALED is the state; open makes it, at every
// start and after every doubt. Nothing in this package knows NATS: it stands on store alone.
//
// No compatibility is promised for this package yet.
package sealer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
	"github.com/sealstream/sealstream/pkg/store"
)

// Config is all that a sealer needs to know.
type Config struct {
	Log    *store.Log    // the log's streams and buckets
	Signer *proof.Signer // its origin and signing keys: all that are in force, and those that are about to be
	Keys   []string      // verifier keys that the log had before; its signer may not have them any more
	Secret []byte        // the log secret, 32 bytes
	Mark   string        // file that remembers the newest checkpoint seen by this host; "": none
	Holder string        // name of this sealer in the log's lease, which it then waits for; "": it seals at once, without a lease

	MaxEntries      int           // entries in one batch; 0: 256, which is also the most
	MaxLeafBytes    int           // leaves in one batch, with their line feeds; 0: 512 KiB
	MaxPayloadBytes int           // payload records in one batch; 0: 768 KiB
	KeepEvents      bool          // do not purge EVENTS behind the commit
	TrimEvery       time.Duration // between purges of EVENTS; 0: 1 s, which is also the least
	Logger          *slog.Logger  // nil: silent

	// Redaction is what a log that is made now redacts; nil: nothing, and the log is one of rules 1. A log that is there has its own (AnnounceRedaction).
	Redaction *redact.Rules

	Observe func(Commit) // told of each batch that is committed; must not block; nil: nobody

	window, slack uint64 // smaller in tests; 0: entry.WindowSize and windowSlack
	mark          mark   // instead of the file, in tests
	hooks         *hooks // planted bugs, in tests
}

// Sealer seals one log. Make it with New, start it with Run.
type Sealer struct {
	cfg      Config
	identity identity
	keys     []string
	limits   limits
	log      *slog.Logger
	mark     mark // nil: none

	tail    *tail // owned by Run
	derived *derived
	budget  *budget
	flight  *flight
	input   atomic.Pointer[proof.Position] // the newest committed; nil: none, or it is of an EVENTS that is lost
	status  atomic.Pointer[Status]
	redact  atomic.Pointer[redact.Set] // by which messages are prepared ahead; nil: nothing is redacted
}

// Status is what health pages tell of a sealer.
type Status struct {
	Size      uint64    // tree size committed
	Root      string    // its root, hex
	InputSeq  uint64    // EVENTS sequence up to whose end all is sealed
	Batches   uint64    // batches committed by this process
	Committed time.Time // when the newest of them was; zero if none
	Recovered uint64    // times that the log was opened again after a lost tail
	Void      uint64    // void SEALED messages seen
	Active    bool      // it seals; else it is the standby of one that does
}

// New checks the configuration; it reads nothing from the log.
func New(cfg Config) (*Sealer, error) {
	if cfg.Log == nil || cfg.Signer == nil || len(cfg.Secret) != 32 {
		return nil, fmt.Errorf("sealer: a log, a signer and a secret of 32 bytes are required")
	}
	if parts := strings.Split(cfg.Signer.Origin(), "/"); len(parts) != 3 || parts[1] != cfg.Log.Name {
		return nil, fmt.Errorf("%w: the key is of %s, and the log is named %s", ErrRefused, cfg.Signer.Origin(), cfg.Log.Name)
	}
	l := limits{
		entries: orDefault(cfg.MaxEntries, entry.MaxMessageEvents), leafBytes: orDefault(cfg.MaxLeafBytes, 512<<10),
		payloadBytes: orDefault(cfg.MaxPayloadBytes, 768<<10),
	}
	if l.entries < 1 || l.entries > 256 || l.leafBytes < 1 || l.leafBytes > 900<<10 || l.payloadBytes < 1 || l.payloadBytes > 900<<10 {
		return nil, fmt.Errorf("sealer: limits of a batch out of range")
	}
	if cfg.window == 0 {
		cfg.window, cfg.slack = entry.WindowSize, windowSlack
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sealer{
		cfg: cfg, limits: l, log: cfg.Logger, keys: append(cfg.Signer.VerifierKeys(), cfg.Keys...),
		identity: identity{log: cfg.Log.Name, origin: cfg.Signer.Origin(), secret: cfg.Secret},
		mark:     cfg.mark,
	}
	if cfg.Mark != "" {
		s.mark = markFile(cfg.Mark)
	}
	s.derived = newDerived(s)
	s.forget()
	s.status.Store(&Status{})
	return s, nil
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// forget drops what is known of the log's end, but not what it was seen to be; the next open reads it anew.
func (s *Sealer) forget() {
	t := &tail{
		log: s.cfg.Log, keys: s.keys, limit: s.cfg.window, slack: s.cfg.slack, behind: s.derived.took, hooks: s.cfg.hooks,
		fits: (&state{identity: s.identity, keys: s.keys}).belongs,
	}
	if old := s.tail; old != nil {
		if old.valid > 0 {
			old.seen()
		}
		t.known = old.known
	}
	s.tail = t
}

// Status returns the present status; it never blocks.
func (s *Sealer) Status() Status { return *s.status.Load() }

// Run seals until ctx is done, which is a nil return, or until one of the errors of this package says that going on would
// be wrong. A lost race, a time-out or a broken connection is no such error: the log is opened again. With a Holder it seals while it has
// the lease, and is a warm standby while another sealer has it.
func (s *Sealer) Run(ctx context.Context) error {
	if s.cfg.Holder != "" {
		return s.lead(ctx)
	}
	return s.seal(ctx)
}

func (s *Sealer) seal(ctx context.Context) error {
	s.update(func(st *Status) { st.Active = true })
	defer s.update(func(st *Status) { st.Active = false })
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := s.derived.run(ctx)
	defer func() { cancel(); <-done }()
	var doubted error // what the answer before said
	for wait := time.Duration(0); ; {
		progress, err := s.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		doubt := oneAnswer(err)
		if errors.Is(err, ErrRefused) || doubt != nil && doubt == doubted {
			return err
		}
		if progress {
			wait = 0
		}
		s.log.WarnContext(ctx, "sealer opens the log again", "log", s.identity.log, "cause", err)
		s.update(func(st *Status) { st.Recovered++ })
		wait = min(max(2*wait, time.Millisecond), time.Second)
		if doubted = doubt; doubt != nil {
			s.forget()
			wait = time.Second
		}
		if errors.Is(err, store.ErrFull) { // every attempt leaves an orphan on PAYLOADS
			wait = fullWait
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// fullWait is how long a sealer waits when a stream is full.
const fullWait = 10 * time.Second

// oneAnswer is what an error says that may come from a single wrong answer, of a broker that was just deposed: it stops a sealer when the next
// answer says the same. Nil for other errors.
func oneAnswer(err error) error {
	for _, f := range []error{ErrNotCreated, ErrInputLost, ErrRolledBack, ErrLogBad} {
		if errors.Is(err, f) {
			return f
		}
	}
	return nil
}

// session opens the log and seals until something goes wrong.
func (s *Sealer) session(ctx context.Context) (progress bool, err error) {
	begin, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	s.cfg.hooks.open(&begin)
	s.input.Store(begin.at)
	s.update(func(st *Status) { s.fill(st) })
	if b := s.tail.chain.Batch(); b.Size > 0 {
		s.derived.notify(committed{batch: b, sealed: s.tail.valid})
	}
	before := s.Status().Batches
	err = s.pipeline(ctx, begin)
	return s.Status().Batches > before, err
}

func (s *Sealer) fill(st *Status) {
	c := s.tail.chain
	st.Size, st.Root, st.Void = c.Size(), entry.FormatHash(c.Frontier().Root()), uint64(len(s.tail.void))
	st.InputSeq = c.Input().Seq
	if c.Input().Place != proof.PlaceEnd && st.InputSeq > 0 {
		st.InputSeq-- // of that message, the rest is still to come
	}
}

func (s *Sealer) update(change func(*Status)) {
	st := *s.status.Load()
	change(&st)
	s.status.Store(&st)
}

func (s *Sealer) reportVoid(t *tail) {
	if n := len(t.void); n > 0 && uint64(n) > s.Status().Void {
		s.log.Error("void messages on SEALED were skipped", "log", s.identity.log, "sequences", t.void)
	}
}

// workers is how many goroutines prepare messages.
func workers() int { return max(1, runtime.GOMAXPROCS(0)) }
