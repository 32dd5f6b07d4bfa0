// Package query answers questions about a log: entries by filter, index and id, proofs,
// checkpoints, exports, and whether the log still verifies. It consists of a follower of SEALED
// with an index, and the HTTP API over it.
//
//	SEALED ─store.Follower (verified)─▶ index (upper hashes, times, who has which value)
//	index ─▶ segments, as files; SEALED, PAYLOADS ─keeper─▶ leaves and data, as files
//	request ─▶ index: which entries ─▶ files, or SEALED and PAYLOADS ─hashed again─▶ answer
//
// A stream is made to be read in order: one message at random costs a block of 8 MiB. So the
// entries of full parts are kept in files of small frames (keep.go), and newer ones are read from
// the log.
//
// Index and files are never authoritative and can be lost at any time. What the index finds must
// have the verified hash, wherever it is read, and must match the request. A file that holds
// anything else is reported and written again; the answer then comes from the log. Segments read
// from files must make a root that the log's next checkpoint confirms. While they are in use
// already, the whole log is verified again, and each of them is rebuilt and compared (restore.go).
// All proofs are against the newest checkpoint that was verified here. When the log fails to
// verify, what was verified before is still served, and every health page reports it.
package query

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/health"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/segment"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/api"
	"github.com/sealstream/sealstream/pkg/proof"
)

// Config configures a query service. Log is required.
type Config struct {
	Log *store.Log
	// Keys are the log's verifier keys. Without any, query uses those that index 0 names. That
	// shows that the log is consistent, but not whose log it is.
	Keys []string

	// Folder is the path of the folder for the segments of the index, for this log alone. It is
	// created if missing. Empty keeps the index in memory alone.
	Folder string
	// Parts gives full parts that the archive keeps, for a folder that is empty. Nil means none.
	Parts Archived
	// Spare returns how many bytes may be written into Folder without touching the reserve of its
	// disk. Entries are kept there only while there is room. Nil means that there always is.
	Spare func() uint64
	// Mark is the path of the file with the newest checkpoint that the sealer of this host has
	// seen. Empty means Folder + ".seen", which this service writes itself.
	Mark string
	// Durability is what an acknowledgement of ingest promises, for /v1/stats. Optional.
	Durability string
	// Scoped limits every answer to what the caller in the context of the request may read
	// (access.From). Without a caller nothing may be read. False answers everything to everyone.
	Scoped bool
	// Accepting is called by /readyz and returns why events are not accepted. Nil means no check.
	Accepting func() error
	// Memory is by how much reading may grow the process, in bytes: caches, requests in progress,
	// and room for the garbage collector. 0 means MaxMemory.
	Memory int64
	// CacheBytes limits the SEALED and PAYLOADS messages kept in memory. 0 means a share of Memory.
	CacheBytes int
	MaxExports int // MaxExports limits the exports that run at the same time. 0 means 4.
	MaxStreams int // MaxStreams limits the streams that are open at the same time. 0 means 1,024.

	// CheckFirst is how long answers wait until the index files are compared with the log. 0 means
	// 1 s. A negative value means no wait.
	CheckFirst time.Duration
	// StreamStall is how long the client of a stream may read nothing before it is disconnected. 0
	// means 30 s.
	StreamStall time.Duration
	// Heartbeat is the interval of heartbeats on an idle stream. 0 means 15 s.
	Heartbeat time.Duration

	// Health receives the conditions "unreadable" (data cannot be read), "index" (index files were
	// altered) and "mark" (the mark cannot be read). Nil means a board of its own.
	Health *health.Board
	Logger *slog.Logger // nil discards all messages
}

// blockBytes limits what is kept in memory of the index's files.
const blockBytes = 32 << 20

// Query serves one log. New makes it, Run starts it. All methods are safe for concurrent use.
type Query struct {
	cfg      Config
	logger   *slog.Logger
	cache    *cache[cacheKey]
	notes    *cache[uint64] // checkpoints by size, of the tree that was verified here
	tiles    *cache[tileKey]
	sights   *cache[visibleKey] // visible rows of parts
	reads    *budget
	exports  places
	large    places
	audits   audits
	folder   folder
	blocks   *segment.Blocks // of the files of the index
	rows     uint64          // of a part of the index
	freezing chan struct{}   // holds a token while segments are being written
	toKeep   chan struct{}   // holds a token while there may be something for keepFiles
	gatherer gatherer
	// the archive's parts were found wrong, or those of the folder were; Run's
	withoutParts bool
	grown        atomic.Int64 // when the log last grew, in Unix nanoseconds
	suspicions   chan suspicion
	streams      streams
	head         *store.Head
	// the cosigned checkpoint last found to match this log
	lastCosigned atomic.Pointer[proof.Checkpoint]
	boardMu      sync.Mutex // held while the health board is updated; locked before mu

	mu      sync.RWMutex // guards the fields below
	index   *index
	state   state
	changed chan struct{} // closed and replaced when the index or the state changes
}

// New checks cfg and makes a Query. It reads nothing from the log.
func New(cfg Config) (*Query, error) {
	if cfg.Log == nil || !ruleset.ValidLog(cfg.Log.Name) {
		return nil, errors.New("query: a log with a name is required")
	}
	if cfg.CacheBytes < 0 || cfg.Memory < 0 ||
		cfg.MaxExports < 0 || cfg.MaxStreams < 0 || cfg.StreamStall < 0 || cfg.Heartbeat < 0 {
		return nil, errors.New("query: limits are out of range")
	}
	if cfg.Memory == 0 {
		cfg.Memory = MaxMemory
	}
	shares := sharesOf(cfg.Memory)
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = shares.messages
	}
	if cfg.MaxExports == 0 {
		cfg.MaxExports = 4
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = 1024
	}
	if cfg.CheckFirst == 0 {
		cfg.CheckFirst = time.Second
	}
	if cfg.StreamStall == 0 {
		cfg.StreamStall = 30 * time.Second
	}
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	if cfg.Health == nil {
		cfg.Health = new(health.Board)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Keys = slices.Clone(cfg.Keys)
	q := &Query{
		cfg: cfg, logger: cfg.Logger, cache: newCache[cacheKey](cfg.CacheBytes), notes: newCache[uint64](maxNoteBytes),
		tiles: newCache[tileKey](shares.tiles), sights: newCache[visibleKey](visibleBytes),
		reads: &budget{limit: shares.reads, timeout: readTimeout},
		exports: places{
			limit: cfg.MaxExports, full: ErrBusy, credit: exportCredit, stallTimeout: exportStallTimeout,
		},
		large:  places{limit: maxLarge, full: ErrLarge, credit: exportCredit, stallTimeout: exportStallTimeout},
		folder: folder(cfg.Folder), freezing: make(chan struct{}, 1), toKeep: make(chan struct{}, 1),
		gatherer:   newGatherer(),
		suspicions: make(chan suspicion, 1),
		index:      newIndex(cfg.Log.Name, partRows), rows: partRows, changed: make(chan struct{}),
	}
	var key segment.Key
	rand.Read(key[:]) // never fails
	q.blocks = segment.NewBlocks(blockBytes, key)
	q.audits.run = q.audit
	q.streams.screen, q.streams.lines = newScreen(shares.events, bare), newScreen(shares.events, proofLine)
	q.streams.hidden = newScreen(shares.events/4, bare)
	q.streams.ending = make(chan struct{})
	q.head = &store.Head{Log: cfg.Log, Keys: q.keys}
	return q, nil
}

// state is the progress of the follower.
type state struct {
	position  uint64   // newest SEALED sequence followed, void messages included
	end       uint64   // SEALED's last sequence when it was last read
	stalled   int      // how often it was read since without progress of the follower
	caughtUp  bool     // the index has once reached the end of SEALED
	void      []uint64 // the first maxVoid SEALED sequences of void messages, ascending
	restored  uint64   // entries whose index was read from files
	rechecked bool     // their index was rebuilt from the log and compared
	holding   bool     // answers wait for the comparison
	// checkpoint that the log must pass through before anything is answered; nil if it has
	mark       *proof.Checkpoint
	shortReads int   // how often SEALED was found to end before the mark
	invalid    error // the log fails to verify; never reset
	altered    error // the store no longer holds what was verified; reset by a successful Verify
	storeErr   error // error of the store; temporary

	unreadable unreadables // data that could not be read, though its leaves verify
}

// Status describes a query service for health pages.
type Status struct {
	Size      uint64 // tree size verified and indexed
	Root      string // root of that tree, hex
	SealedSeq uint64 // newest SEALED sequence followed
	Lag       uint64 // SEALED messages not followed yet, when its end was last read
	// the index has reached the end that SEALED had at the start, and requests are answered
	CaughtUp  bool
	Restored  uint64 // entries whose index was read from files
	Rechecked bool   // their index was rebuilt from the log, and was right or corrected
	// entries whose index was read from files and is not yet compared with the log
	Rechecking uint64
	Segments   int      // number of immutable parts of the index
	Bytes      int      // size of the segments in bytes
	Kept       int      // number of parts whose entries are in files
	Void       []uint64 // the first 100 SEALED sequences of void messages
	Err        error    // why this service is not healthy; nil if it is
	Corrupt    bool     // Err reports that the log or the store fails to verify

	// entries whose data could not be read at the last attempt and was not erased; at most 1,000
	Unreadable int
	DataErr    error // why the data of the first of them could not be read
}

// Status returns the current status. It never blocks.
func (q *Query) Status() Status {
	q.mu.RLock()
	defer q.mu.RUnlock()
	s, x := &q.state, q.index
	st := Status{
		Size: x.size, Root: x.root().String(), SealedSeq: s.position, Lag: s.lag(), CaughtUp: s.answers(),
		Rechecking: s.rechecking(),
		Void:       slices.Clone(s.void), Err: s.err(x.size), Restored: s.restored, Rechecked: s.rechecked,
	}
	for _, p := range x.parts {
		if p.frozen != nil {
			st.Segments, st.Bytes = st.Segments+1, st.Bytes+p.frozen.seg.Bytes()
			if p.frozen.files.Load() != nil {
				st.Kept++
			}
		}
	}
	_, st.Corrupt = errors.AsType[*audit.MismatchError](st.Err)
	st.Unreadable, st.DataErr = len(s.unreadable.list), s.unreadable.first()
	return st
}

// answers reports whether requests are answered: the index has reached the log's end and the mark,
// and its files were compared with the log, or the wait for that is over.
func (s *state) answers() bool { return s.caughtUp && !s.holding && s.mark == nil }

func (s *state) rechecking() uint64 {
	if s.rechecked {
		return 0
	}
	return s.restored
}

func (s *state) lag() uint64 { return max(s.end, s.position) - s.position }

func (s *state) err(size uint64) error {
	switch {
	case s.invalid != nil:
		return s.invalid
	case s.altered != nil:
		return s.altered
	case s.end < s.position && s.stalled >= 2: // one answer may predate the newest batch
		return corrupt(size, "cut", "SEALED ends at sequence %d, but was verified up to %d", s.end, s.position)
	case s.caughtUp && s.unmarked(size) != nil:
		return s.unmarked(size)
	case s.storeErr != nil:
		return s.storeErr
	case !s.answers():
		return ErrBuilding
	case s.stalled >= maxStalled:
		return fmt.Errorf("%w: no progress at SEALED sequence %d of %d", ErrBehind, s.position, s.end)
	}
	return nil
}

// Ready returns why this service cannot answer correctly and completely, or nil.
func (q *Query) Ready() error {
	q.mu.RLock()
	defer q.mu.RUnlock()
	return q.state.err(q.index.size)
}

// Await waits until size entries are indexed and served. It returns early when the log fails to
// verify or ctx is done.
func (q *Query) Await(ctx context.Context, size uint64) error {
	return q.wait(ctx, func() bool { return q.index.size >= size && !q.state.holding })
}

// CaughtUp waits until the index has reached the end that SEALED had at the start. Before that,
// requests fail with ErrBuilding. It returns early when the log fails to verify or ctx is done.
func (q *Query) CaughtUp(ctx context.Context) error {
	return q.wait(ctx, func() bool { return q.state.answers() })
}

func (q *Query) wait(ctx context.Context, holds func() bool) error {
	for {
		q.mu.RLock()
		there, bad, changed := holds(), q.state.invalid, q.changed
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

// set changes index or state, and wakes all waiters.
func (q *Query) set(change func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	change()
	close(q.changed)
	q.changed = make(chan struct{})
}

// snapshot is the log at the newest verified checkpoint. It needs no lock, but live parts of its
// index do.
type snapshot struct {
	sight      *sight // what the caller sees; nil: everything
	unchecked  uint64 // entries whose index is not yet compared with the log
	indexed    *index
	size       uint64
	checkpoint proof.Checkpoint
	batches    []batchRef
}

// view takes a snapshot and prepares the search for a normal filter, in what the caller sees. It
// fails while the index is being built, because an answer without the newest entries would look
// complete.
func (q *Query) view(ctx context.Context, f api.Filter) (snapshot, search, error) {
	return q.viewFrom(q.sightOf(ctx), f, 0)
}

// viewFrom is view for a search that starts at an index and skips everything before it.
func (q *Query) viewFrom(who *sight, f api.Filter, from uint64) (snapshot, search, error) {
	q.mu.RLock()
	defer q.mu.RUnlock()
	if err := q.state.unmarked(q.index.size); err != nil && (q.state.caughtUp || q.state.invalid != nil) {
		return snapshot{}, search{}, cmp.Or(q.state.invalid, err)
	}
	if !q.state.answers() && q.state.invalid == nil {
		if q.state.storeErr != nil {
			return snapshot{}, search{}, q.state.storeErr
		}
		return snapshot{}, search{}, ErrBuilding
	}
	x := q.index
	s := x.snapshot()
	s.sight, s.unchecked = who, q.state.rechecking()
	found := x.search(who, f, from)
	found.failed = func(p *frozen, err error) error { return q.damaged(x, p, err) }
	if who != nil {
		found.visible = func(p *frozen, rows, spare *segment.Bits) (bool, error) {
			return q.keepVisible(p, who, rows, spare)
		}
	}
	return s, found, nil
}

func (x *index) snapshot() snapshot {
	return snapshot{indexed: x, size: x.size, checkpoint: x.checkpoint, batches: x.batches}
}
