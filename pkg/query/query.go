// Package query answers what is asked of a log: entries by filter, by index and by id, proofs, checkpoints, exports, and whether
// the log still verifies. It is a follower of SEALED with an index, and the HTTP API over it.
//
//	SEALED ─store.Follower (verified)─▶ index (upper hashes, times, who has which value) ─▶ segments, as files
//	request ─▶ index: which entries ─▶ SEALED, PAYLOADS: their bytes ─hashed again─▶ answer
//
// The index is never the truth: it can be lost at any time, and what it finds is read back from the log, must have the hash that was
// verified, and must be what was asked for. Segments that are read from files must make a root under which the log's next checkpoint stands, and while they are
// used already, the whole log is verified again and each of them made anew for comparison (restore.go). All proofs are against the newest checkpoint that was verified here. When the log stops to verify, what was
// verified before is still served, and every health page says so.
//
// No compatibility is promised for this package yet.
package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Config is all that a query service needs to know.
type Config struct {
	Log  *store.Log
	Keys []string // verifier keys of the log; none: those that index 0 names, which says that the log is one, but not whose

	Folder     string       // where the index keeps its segments, for this log alone; made if there is none; "": in memory alone
	Durability string       // what an acknowledgement promises here, for /v1/stats; "": not told
	Accepting  func() error // asked by /readyz: why events are not accepted; nil: not asked
	CacheBytes int          // SEALED and PAYLOADS messages kept in memory; 0: 64 MiB
	MaxExports int          // running at the same time; 0: 4
	MaxStreams int          // open at the same time; 0: 1,024

	StreamStall time.Duration // how long the reader of a stream may take nothing before it is dropped; 0: 30 s
	Heartbeat   time.Duration // of a stream that has nothing to send; 0: 15 s

	Logger *slog.Logger // nil: silent
}

// Query serves one log. Make it with New, start it with Run. All methods may be called by many goroutines.
type Query struct {
	cfg        Config
	log        *slog.Logger
	cache      *cache[cacheKey]
	tiles      *cache[tileKey]
	exports    chan struct{} // one token for each that runs
	audits     audits
	folder     folder
	rows       uint64        // of a part of the index
	frozen     chan struct{} // one token for whoever writes segments
	suspicions chan suspicion
	streams    streams
	head       *store.Head
	ours       atomic.Pointer[proof.Checkpoint] // the cosigned checkpoint that was found to be of this log last

	mu      sync.RWMutex // guards what follows
	index   *index
	state   state
	changed chan struct{} // closed and replaced whenever the index or the state changes
}

// New checks the configuration; it reads nothing from the log.
func New(cfg Config) (*Query, error) {
	if cfg.Log == nil || !entry.ValidLog(cfg.Log.Name) {
		return nil, errors.New("query: a log with a name is required")
	}
	if cfg.CacheBytes < 0 || cfg.MaxExports < 0 || cfg.MaxStreams < 0 || cfg.StreamStall < 0 || cfg.Heartbeat < 0 {
		return nil, errors.New("query: limits out of range")
	}
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = 64 << 20
	}
	if cfg.MaxExports == 0 {
		cfg.MaxExports = 4
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = 1024
	}
	if cfg.StreamStall == 0 {
		cfg.StreamStall = 30 * time.Second
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Keys = slices.Clone(cfg.Keys)
	q := &Query{
		cfg: cfg, log: cfg.Logger, cache: newCache[cacheKey](cfg.CacheBytes), tiles: newCache[tileKey](maxTileBytes), exports: make(chan struct{}, cfg.MaxExports),
		folder: folder(cfg.Folder), frozen: make(chan struct{}, 1), suspicions: make(chan suspicion, 1),
		index: newIndex(cfg.Log.Name, partRows), rows: partRows, changed: make(chan struct{}),
	}
	q.audits.run = q.audit
	q.streams.screen, q.streams.ending = newScreen(streamBytes), make(chan struct{})
	q.head = &store.Head{Log: cfg.Log, Keys: q.keys}
	return q, nil
}

// state is how the follower fares.
type state struct {
	position  uint64   // SEALED sequence up to which the log was followed, void messages included
	end       uint64   // SEALED's last sequence, when it was last asked
	stalled   int      // how often it was asked since, without the follower coming further
	caughtUp  bool     // the index has once reached the end that SEALED had
	void      []uint64 // SEALED sequences of void messages; the first few, ascending
	restored  uint64   // entries whose index was read from files
	rechecked bool     // they were made anew from the log, and compared
	bad       error    // the log does not verify: final
	altered   error    // the store does not hold any more what was verified; a Verify that passes takes it back
	trouble   error    // of the store: comes and goes
}

// Status is what health pages tell of a query service.
type Status struct {
	Size      uint64   // tree size verified and indexed
	Root      string   // its root, hex
	SealedSeq uint64   // SEALED sequence followed up to
	Lag       uint64   // SEALED messages behind the end, when it was last asked
	CaughtUp  bool     // the index has reached the end that SEALED had at the start
	Restored  uint64   // entries whose index was read from files
	Rechecked bool     // those were made again from the log, and were right or put right
	Segments  int      // immutable parts of the index,
	Bytes     int      // and how large they are together
	Void      []uint64 // SEALED sequences of void messages, the first 100
	Err       error    // why this service is not well; nil: it is
	Corrupt   bool     // Err says that the log, or the store, does not verify
}

// Status returns the present status; it never blocks.
func (q *Query) Status() Status {
	q.mu.RLock()
	defer q.mu.RUnlock()
	s, x := &q.state, q.index
	st := Status{
		Size: x.size, Root: entry.FormatHash(x.root()), SealedSeq: s.position, Lag: s.lag(), CaughtUp: s.caughtUp,
		Void: slices.Clone(s.void), Err: s.err(x.size), Restored: s.restored, Rechecked: s.rechecked,
	}
	for _, p := range x.parts {
		if p.frozen != nil {
			st.Segments, st.Bytes = st.Segments+1, st.Bytes+p.frozen.seg.Bytes()
		}
	}
	_, st.Corrupt = errors.AsType[*proof.MismatchError](st.Err)
	return st
}

func (s *state) lag() uint64 { return max(s.end, s.position) - s.position }

func (s *state) err(size uint64) error {
	switch {
	case s.bad != nil:
		return s.bad
	case s.altered != nil:
		return s.altered
	case s.end < s.position && s.stalled >= 2: // once may be an answer from before the newest batch
		return corrupt(size, "cut", "SEALED ends at sequence %d, but was verified up to %d", s.end, s.position)
	case s.trouble != nil:
		return s.trouble
	case !s.caughtUp:
		return ErrBuilding
	case s.stalled >= maxStalled:
		return fmt.Errorf("%w: SEALED sequence %d of %d, and no further", ErrBehind, s.position, s.end)
	}
	return nil
}

// Ready says why this service cannot answer truly and in full; nil: it can.
func (q *Query) Ready() error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state.err(q.index.size)
}

// Await waits until size entries are indexed. It ends early when the log does not verify, or ctx is done.
func (q *Query) Await(ctx context.Context, size uint64) error {
	return q.wait(ctx, func() bool { return q.index.size >= size })
}

// CaughtUp waits until the index has reached the end that SEALED had at the start; before that, questions are answered by
// ErrBuilding. It ends early when the log does not verify, or ctx is done.
func (q *Query) CaughtUp(ctx context.Context) error {
	return q.wait(ctx, func() bool { return q.state.caughtUp })
}

func (q *Query) wait(ctx context.Context, holds func() bool) error {
	for {
		q.mu.RLock()
		there, bad, changed := holds(), q.state.bad, q.changed
		q.mu.RUnlock()
		if there {
			return nil
		}
		if bad != nil {
			return bad
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// set changes index or state, and wakes those who wait for it.
func (q *Query) set(change func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change()
	close(q.changed)
	q.changed = make(chan struct{})
}

// snapshot is the log as it stands at the newest verified checkpoint. It needs no lock; what is live in the index does.
type snapshot struct {
	indexed    *index
	size       uint64
	checkpoint proof.Checkpoint
	batches    []batchRef
}

// view takes a snapshot, and prepares the search for a normal filter in it. It refuses while the index is being built, because an
// answer that lacks the newest entries would look like a whole one.
func (q *Query) view(f Filter) (snapshot, search, error) { return q.viewFrom(f, 0) }

// viewFrom is view for a walk that begins at an index, and does not look at what stands before it.
func (q *Query) viewFrom(f Filter, from uint64) (snapshot, search, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if !q.state.caughtUp && q.state.bad == nil {
		if q.state.trouble != nil {
			return snapshot{}, search{}, q.state.trouble
		}
		return snapshot{}, search{}, ErrBuilding
	}
	x := q.index
	return x.snapshot(), x.search(f, from), nil
}

func (x *index) snapshot() snapshot { return snapshot{x, x.size, x.checkpoint, x.batches} }
