// Package sealer is the single writer of a log. It reads EVENTS in order, turns every message into
// entries, chains and Merkle-hashes them, and commits them in batches to SEALED.
//
//	EVENTS ─read─▶ prepare (parallel) ─▶ sequencer (order, window, chain, tree) ─▶ committer
//	committer ─CAS─▶ SEALED (+ PAYLOADS before it)
//	      └────────▶ HEAD, mark, trim, sweep (derived)
//
// Sealing is a pure function of the log's prefix, the events and the log secret. It reads no clock,
// so sealing again after a crash makes the same bytes, and nothing needs to be staged. The end of
// SEALED is the state. The sealer reads it at every start and after every doubt. This package does
// not depend on NATS: it uses only the interfaces of package store.
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

	"github.com/sealstream/sealstream/internal/inbox"
	"github.com/sealstream/sealstream/internal/retry"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/redact"
)

// Config configures a sealer. Log, Signer and Secret are required.
type Config struct {
	// Log holds the log's streams and buckets.
	Log *store.Log
	// Signer holds the log's origin and its signing keys: all active keys, and those of an
	// announced rotation.
	Signer *proof.Signer
	// Keys are verifier keys that the log used before. The signer may no longer have them.
	Keys []string
	// Secret is the log secret, 32 bytes.
	Secret []byte
	// Mark is the path of the file that remembers the newest checkpoint this host has seen. Empty
	// means no mark: a SEALED that was rolled back before a start is then not noticed.
	Mark string
	// Snapshot is the path of the folder that keeps a copy of the sealer's state, which makes the
	// next start fast. It requires a Mark. Empty means no snapshot: each start then reads the last
	// million entries.
	Snapshot string
	// Rules is the number of the sealing rules of a log that Create makes. 0 means ruleset.Newest. A
	// log that exists keeps its rules.
	Rules uint64
	// Holder is the name of this sealer in the log's lease. A sealer with a name waits for the
	// lease. Empty means that it seals at once, without a lease.
	Holder string

	// MaxEntries limits the entries of one batch. 0 means 256, the maximum.
	MaxEntries int
	// MaxLeafBytes limits the leaves of one batch, in bytes with their line feeds. 0 means 512 KiB,
	// the maximum is 900 KiB.
	MaxLeafBytes int
	// MaxPayloadBytes limits the payload records of one batch, in bytes. 0 means 768 KiB, the
	// maximum is 900 KiB.
	MaxPayloadBytes int
	// KeepEvents leaves sealed messages on EVENTS. By default the sealer purges them.
	KeepEvents bool
	// TrimEvery is the least time between two purges of EVENTS. 0 means one second, the minimum.
	TrimEvery time.Duration
	// Logger receives warnings and errors. Nil discards them.
	Logger *slog.Logger

	// Redaction holds the redaction rules of a log that is created now. Nil means that nothing is
	// redacted. An existing log keeps its own rules; AnnounceRedaction changes them.
	Redaction *redact.Rules

	// Handover holds what ingest in this process has parsed of messages. The sealer uses it where it
	// is what the sealer would make itself of the bytes that it reads. Nil means that the sealer
	// parses all messages.
	Handover *inbox.Handover

	// Guard is called before each commit and must be fast. An error means that this process may no
	// longer be the only one that writes the log: the sealer commits nothing, and Run returns
	// ErrFenced. Nil means no check.
	Guard func() error

	// MayPurge is called before each purge of EVENTS. An error postpones the purge. Nil means no
	// check.
	MayPurge func() error

	// Observe is called after each committed batch and must not block. Nil means no call.
	Observe func(Commit)

	window, slack uint64        // smaller in tests; 0 means ruleset.WindowSize and windowSlack
	pieceSize     uint64        // smaller in tests; 0 means pieceSize
	mark          mark          // replaces the file in tests
	snapshot      snapshotFiles // replaces the folder in tests
	hooks         *hooks        // bugs planted by tests
}

// Sealer seals one log. New makes it, Run starts it.
type Sealer struct {
	cfg      Config
	identity identity
	keys     []string
	limits   batchLimits
	logger   *slog.Logger
	mark     mark // nil without Config.Mark
	// nil without Config.Snapshot
	snapshots *snapshotter

	tail    *tail // owned by Run
	derived *derived
	budget  *budget
	flight  *flight
	// newest committed input position; nil if nothing is committed, or its EVENTS is lost
	committedInput atomic.Pointer[sealedlog.Position]
	status         atomic.Pointer[Status]
	// rules with which messages are prepared ahead; nil redacts nothing
	redact atomic.Pointer[redact.Set]
	rules  atomic.Uint64 // rules number with which messages are prepared ahead

	room    capacity        // room left on the streams; owned by the stage that makes batches
	sent    []*sentPayloads // payloads of the newest batches; owned by the same stage
	refused bool            // a stream refused a batch of this pipeline; owned by the committer
}

// Status describes a sealer for health pages.
type Status struct {
	Size      uint64    // committed tree size
	Root      string    // root of the tree of that size, hex
	InputSeq  uint64    // newest EVENTS sequence that is sealed completely
	Batches   uint64    // batches committed by this process
	Committed time.Time // time of the newest commit by this process; zero before the first
	Recovered uint64    // how often the log was opened again after an error
	Void      uint64    // void SEALED messages seen
	Active    bool      // whether this sealer seals; otherwise it is a standby
	Err       error     // why the sealer cannot commit; nil after the next success
	Since     time.Time // when Err began
}

// New checks cfg and makes a sealer. It reads nothing from the log. The error wraps ErrRefused if
// the signer belongs to another log.
func New(cfg Config) (*Sealer, error) {
	if cfg.Log == nil || cfg.Signer == nil || len(cfg.Secret) != 32 {
		return nil, fmt.Errorf("sealer: a log, a signer and a secret of 32 bytes are required")
	}
	if parts := strings.Split(cfg.Signer.Origin(), "/"); len(parts) != 3 || parts[1] != cfg.Log.Name {
		return nil, fmt.Errorf("%w: the key belongs to %s, but the log is named %s", ErrRefused, cfg.Signer.Origin(),
			cfg.Log.Name)
	}
	l := batchLimits{
		entries: orDefault(cfg.MaxEntries, ruleset.MaxMessageEvents), leafBytes: orDefault(cfg.MaxLeafBytes, 512<<10),
		payloadBytes: orDefault(cfg.MaxPayloadBytes, 768<<10),
	}
	if l.entries < 1 || l.entries > 256 || l.leafBytes < 1 || l.leafBytes > 900<<10 || l.payloadBytes < 1 ||
		l.payloadBytes > 900<<10 {
		return nil, fmt.Errorf("sealer: batch limits are out of range")
	}
	if cfg.window == 0 {
		cfg.window, cfg.slack = ruleset.WindowSize, windowSlack
	}
	if cfg.pieceSize == 0 {
		cfg.pieceSize = pieceSize
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Sealer{
		cfg: cfg, limits: l, logger: cfg.Logger, keys: append(cfg.Signer.VerifierKeys(), cfg.Keys...),
		identity: identity{logName: cfg.Log.Name, origin: cfg.Signer.Origin(), secret: cfg.Secret},
		mark:     cfg.mark,
	}
	if cfg.Mark != "" {
		s.mark = markFile(cfg.Mark)
	}
	if cfg.Snapshot != "" {
		s.cfg.snapshot = snapshotFolder(cfg.Snapshot)
	}
	if s.cfg.snapshot != nil {
		if s.mark == nil {
			return nil, fmt.Errorf("sealer: a snapshot requires a mark")
		}
		s.snapshots = newSnapshotter(s)
	}
	if cfg.Handover != nil {
		s.identity.handed = s.handed
	}
	s.derived = newDerived(s)
	s.resetTail()
	s.tail.restore = s.snapshots
	s.status.Store(&Status{})
	return s, nil
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

// resetTail discards the cached tail but keeps the newest checkpoint seen. The next open reads the
// log again, without a snapshot.
func (s *Sealer) resetTail() {
	t := &tail{
		log: s.cfg.Log, keys: s.keys, windowSize: s.cfg.window, slack: s.cfg.slack, onBatch: s.derived.onBatch,
		hooks:       s.cfg.hooks,
		checkConfig: (&state{identity: s.identity, keys: s.keys}).checkIdentity,
	}
	if old := s.tail; old != nil {
		if old.lastValid > 0 {
			old.rememberTip()
		}
		t.newestSeen = old.newestSeen
	}
	s.tail = t
}

// Status returns the current status. It never blocks.
func (s *Sealer) Status() Status { return *s.status.Load() }

// Run seals until ctx is done, and then returns nil. It also returns when one of the errors of this
// package says that sealing must stop. A lost race, a timeout or a broken connection is no such
// error: Run opens the log again. With a Holder, Run seals while it has the lease and is a warm
// standby while another sealer has it.
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
	var doubted error // the doubtful error of the attempt before
	// without jitter, so that a seed of the simulation replays
	pauses := retry.Exact(time.Millisecond, time.Second)
	for {
		progress, err := s.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		doubt := maybeStale(err)
		if errors.Is(err, ErrRefused) && !s.leaveSnapshot(ctx, err) || errors.Is(err, ErrFenced) ||
			doubt != nil && doubt == doubted {
			return err
		}
		if progress {
			pauses.Reset()
		}
		s.update(func(st *Status) {
			if st.Recovered++; st.Err == nil {
				st.Since = time.Now()
			}
			st.Err = err
		})
		var least time.Duration
		if doubted = doubt; doubt != nil {
			s.resetTail()
			least = time.Second
		}
		pause := max(pauses.Next(), least)
		s.logger.WarnContext(ctx, "sealer reopens the log after an error", "log", s.identity.logName, "retry_in", pause,
			"cause", err)
		if errors.Is(err, store.ErrFull) {
			s.awaitRoom(ctx, err)
		}
		if retry.Sleep(ctx, pause) != nil {
			return nil
		}
	}
}

// leaveSnapshot makes the next open read the log without the snapshot that this one started from.
// It returns false if there was none. What refuses to seal may follow from the snapshot alone, so
// the log must say the same before a sealer stops.
func (s *Sealer) leaveSnapshot(ctx context.Context, why error) bool {
	if !s.tail.onSnapshot() {
		return false
	}
	s.snapshots.refuse(ctx, why)
	s.resetTail()
	return true
}

// maybeStale returns the error of this package that err wraps, if it may come from one stale answer
// of a broker that has just lost leadership. It returns nil for other errors. A sealer stops only
// when the next attempt gives the same one.
func maybeStale(err error) error {
	for _, f := range []error{ErrNotCreated, ErrInputLost, ErrRolledBack, ErrLogBad} {
		if errors.Is(err, f) {
			return f
		}
	}
	return nil
}

// healthyAfter is how long an idle sealer must run without an error before its status clears the
// last one.
const healthyAfter = 2 * time.Second

// session opens the log and seals until an error. progress reports whether it committed a batch.
func (s *Sealer) session(ctx context.Context) (progress bool, err error) {
	start, err := s.open(ctx)
	if err != nil {
		return false, err
	}
	s.cfg.hooks.open(&start)
	s.committedInput.Store(start.input)
	s.update(func(st *Status) { s.fill(st) })
	if s.tail.chain.Size() > 0 {
		s.derived.notify(s.tail.newest())
	}
	before := s.Status().Batches
	healthy := time.AfterFunc(healthyAfter, func() { s.update(func(st *Status) { st.Err = nil }) })
	defer healthy.Stop()
	err = s.pipeline(ctx, start)
	return s.Status().Batches > before, err
}

func (s *Sealer) fill(st *Status) {
	c := s.tail.chain
	st.Size, st.Root, st.Void = c.Size(), c.Frontier().Root().String(), uint64(len(s.tail.void))
	st.InputSeq = c.Input().Seq
	if c.Input().Place != sealedlog.PlaceEnd && st.InputSeq > 0 {
		st.InputSeq-- // the rest of that message is not sealed yet
	}
}

func (s *Sealer) update(change func(*Status)) {
	for {
		old := s.status.Load()
		st := *old
		if change(&st); s.status.CompareAndSwap(old, &st) {
			return
		}
	}
}

func (s *Sealer) reportVoid(t *tail) {
	if n := len(t.void); n > 0 && uint64(n) > s.Status().Void {
		s.logger.Error("sealer skipped void messages on SEALED", "log", s.identity.logName, "sequences", t.void)
	}
}

// handed returns what ingest has parsed of a message that was read from EVENTS. Both sealing and
// redaction rules must be those by which the message is prepared.
func (s *Sealer) handed(m entry.Message, rules uint64, set *redact.Set) ([]inbox.EventRecord, bool) {
	return s.cfg.Handover.Take(m, func(g *inbox.Group) bool { return s.cfg.hooks.fits(g, m, rules, set) })
}

// workers returns the number of goroutines that prepare messages.
func workers() int { return max(1, runtime.GOMAXPROCS(0)) }
