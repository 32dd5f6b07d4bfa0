package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sealstream/sealstream/internal/audit"
	"github.com/sealstream/sealstream/internal/ruleset"
	"github.com/sealstream/sealstream/internal/sealedlog"
	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
)

// Config configures an Archiver. Archive and Keys are required.
type Config struct {
	Archive *Archive // archive of the log
	Keys    []string // verifier keys of the log; at least one

	// TrimSealed trims the archived part of SEALED and PAYLOADS, but keeps this many newest
	// entries. 0 trims nothing.
	TrimSealed uint64
	// Indexer makes an index of each segment for query services that begin without one, if its parts
	// have as many entries as a segment. Nil: the archive has none.
	Indexer Indexer
	// leaves a segment; 0 means SegmentLeaves; other values, of 256 or more, are for tests
	SegmentLeaves uint64
	Logger        *slog.Logger // nil discards all messages
}

// Archiver writes the archive of one log. NewArchiver makes it, Run starts it.
type Archiver struct {
	cfg     Config
	logger  *slog.Logger
	a       *Archive
	through *store.Log
	raw     *store.Log // the log without the archive
	encoder *zstd.Encoder

	keys        []string        // Config.Keys, and those that the log has announced
	indexing    *indexing       // nil: not looked at yet, or no index is made
	compared    map[uint64]bool // segments that were read back and equal SEALED
	cutInterval time.Duration   // interval at which a SEALED that ends too early is read again

	mu     sync.Mutex
	status Status
}

// Status describes an Archiver.
type Status struct {
	Segments uint64   // segments in the archive
	Size     uint64   // entries in these segments
	Void     []uint64 // the first 100 SEALED sequences of void messages
	Err      error    // why it has stopped, or its last temporary error; nil otherwise
}

// ErrDiffers reports that the archive holds a segment that differs from the log. It is not
// overwritten.
var ErrDiffers = errors.New("a segment of the archive differs from the log")

// NewArchiver checks cfg and makes an Archiver. It reads nothing.
func NewArchiver(cfg Config) (*Archiver, error) {
	if cfg.SegmentLeaves == 0 {
		cfg.SegmentLeaves = SegmentLeaves
	}
	switch {
	case cfg.Archive == nil || len(cfg.Keys) == 0:
		return nil, errors.New("archive: a log with an archive and its key are required")
	case cfg.SegmentLeaves < ruleset.MaxMessageEvents:
		return nil, errors.New("archive: a segment must have at least as many leaves as a batch")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Archiver{
		cfg: cfg, logger: cfg.Logger, a: cfg.Archive, through: cfg.Archive.Through(), raw: cfg.Archive.log,
		encoder: newEncoder(), keys: cfg.Keys,
		compared: map[uint64]bool{}, cutInterval: time.Second,
	}, nil
}

// Status returns the current status. It never blocks.
func (x *Archiver) Status() Status {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.status
}

func (x *Archiver) set(change func(*Status)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change(&x.status)
}

// Run archives until ctx is done, and then returns nil. It retries errors of the store. A permanent
// error, of the log or of the archive, stops the archiving but not Run: the log does not depend on
// it, and Status reports it.
func (x *Archiver) Run(ctx context.Context) error {
	store.Sessions{
		Session:  x.session,
		Progress: func() uint64 { return x.Status().Segments },
		Retry: func(err error, pause time.Duration) {
			x.set(func(s *Status) { s.Err = err })
			x.logger.WarnContext(ctx, "archiver retries after an error", "log", x.a.name, "retry_in", pause,
				"cause", err)
		},
		Ended: func(err error) {
			x.set(func(s *Status) { s.Err = err })
			x.logger.ErrorContext(ctx, "archiver has stopped", "log", x.a.name, "cause", err)
		},
		Final:   func(err error) bool { return store.Final(err) || errors.Is(err, ErrDiffers) },
		Longest: 10 * time.Second,
	}.Run(ctx)
	return nil
}

// errWalkAll asks for a walk over the whole log, which alone tells which of two messages is void.
var errWalkAll = errors.New("start again at the log's first message")

// session archives from the end of the archive until an error.
func (x *Archiver) session(ctx context.Context) error {
	segments, err := x.a.Segments(ctx)
	if err != nil {
		return err
	}
	if err := x.checkNotCut(ctx, segments); err != nil {
		return err
	}
	if err := x.trim(ctx, segments); err != nil {
		return err
	}
	x.setProgress(segments)
	in, err := x.indexed(ctx, uint64(len(segments)))
	if err != nil {
		return err
	}
	// an archive of an earlier release has no indexes: to make them takes one walk
	if err = x.walk(ctx, segments, in != nil && in.parts < uint64(len(segments))); err != errWalkAll {
		return err
	}
	if segments, err = x.a.Segments(ctx); err != nil {
		return err
	}
	return x.walk(ctx, segments, true)
}

// maxCutReads is how often in a row SEALED may end before the archive until the log counts as
// rolled back. A broker that resumes, or leads before it has caught up, reports an old end for a
// while, and the verdict is final.
const maxCutReads = 60

// checkNotCut checks that SEALED does not end before the archive. Otherwise SEALED was rolled back.
func (x *Archiver) checkNotCut(ctx context.Context, segments []Segment) error {
	n := len(segments)
	if n == 0 {
		return nil
	}
	last := segments[n-1]
	for looks := 1; ; looks++ {
		info, err := x.raw.Sealed.Info(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("sealed stream: %w", err)
		case info.Last >= last.LastSeq:
			return nil
		case looks == maxCutReads:
			return &audit.MismatchError{
				Index: last.First,
				What:  "cut",
				Why:   fmt.Sprintf("SEALED ends at sequence %d, the archive holds up to %d", info.Last, last.LastSeq),
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(x.cutInterval):
		}
	}
}

// setProgress updates the status.
func (x *Archiver) setProgress(segments []Segment) {
	x.set(func(s *Status) {
		s.Segments, s.Err = uint64(len(segments)), nil
		if n := len(segments); n > 0 {
			s.Size = segments[n-1].Size
		}
	})
}

// parsedMessage is a SEALED message, parsed as far as that is possible without its predecessors.
type parsedMessage struct {
	audit.Parsed
	message entry.Message
	facts   any // of Indexer.Prepare
}

// walk follows SEALED and writes a segment whenever one is full. It starts after the archive. With
// fromFirst it starts at the log's first message, to verify the archived part, too.
func (x *Archiver) walk(ctx context.Context, segments []Segment, fromFirst bool) (err error) {
	w := walking{
		Archiver: x, chain: audit.NewChain(x.cfg.Keys...), fromFirst: fromFirst || len(segments) == 0,
	}
	if n := len(segments); n > 0 {
		w.newest = segments[n-1]
	}
	if in := x.indexing; in != nil {
		x.cfg.Indexer.Begin(in.parts, in.key)
	}
	if !w.fromFirst {
		var m entry.Message
		if w.chain, m, err = x.resume(ctx, w.newest); err != nil {
			return err
		}
		w.last = w.newest.LastSeq
		last := w.parser()(m) // it may reach into the next part
		if err := w.index(ctx, last, last.Entries); err != nil {
			return err
		}
	}
	if w.b, err = x.newBuilder(w.newest, len(segments)); err != nil {
		return err
	}
	defer func() { w.b.close() }()
	for k, err := range store.Ahead(ctx, x.through.Sealed, w.last+1, 0, w.parser()) {
		if err == nil && k.Seq != w.last+1 {
			err = audit.Missing(w.chain.Size(), w.last+1, k.Seq-1)
		}
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if err := w.add(ctx, k); err != nil {
			return err
		}
	}
	return errors.New("sealed stream: the reader has ended")
}

// parser returns what is done with a message apart from the others.
func (w *walking) parser() func(entry.Message) parsedMessage {
	if w.indexing == nil {
		return func(m entry.Message) parsedMessage { return parsedMessage{audit.Parse(m), m, nil} }
	}
	prepare := w.cfg.Indexer.Prepare
	return func(m entry.Message) parsedMessage {
		k := parsedMessage{audit.Parse(m), m, nil}
		if len(k.Entries) > 0 {
			k.facts = prepare(k.Batch, k.Entries)
		}
		return k
	}
}

// walking is one walk.
type walking struct {
	*Archiver
	chain     *audit.Chain
	fromFirst bool
	last      uint64   // newest SEALED sequence read
	newest    Segment  // the newest archived segment; zero if there is none
	b         *builder // builds the next segment
}

// add adds the next message to chain and segment.
func (w *walking) add(ctx context.Context, k parsedMessage) error {
	w.last = k.Seq
	entries, err := w.chain.Take(k.Parsed)
	void := errors.Is(err, sealedlog.ErrVoid)
	switch {
	case void && !w.fromFirst:
		return errWalkAll
	case err != nil && !void:
		return fmt.Errorf("SEALED sequence %d: %w", k.Seq, err)
	case k.Seq == w.newest.LastSeq && (void || w.chain.Size() != w.newest.Size):
		object := objectName(w.a.name, w.newest.Segment, manifestName)
		return damaged(object, w.newest.First, "the log has %d entries at sequence %d, not %d", w.chain.Size(), k.Seq,
			w.newest.Size)
	case !void:
		w.keys = w.chain.Keys()
		if err := w.index(ctx, k, entries); err != nil {
			return err
		}
	case k.Seq > w.newest.LastSeq:
		w.void(k.Seq)
	}
	if k.Seq <= w.newest.LastSeq {
		return nil // archived already
	}
	if err := w.erasures(ctx, entries, w.b); err != nil {
		return err
	}
	if err := w.b.add(k, entries, w.chain.Size()); err != nil {
		return err
	}
	if void || w.chain.Size() < w.b.fullSize {
		return nil
	}
	return w.finishSegment(ctx)
}

// finishSegment writes the segment, and starts the next one.
func (w *walking) finishSegment(ctx context.Context) (err error) {
	if w.newest, err = w.finish(ctx, w.b, w.chain.Batch(), w.last); err != nil {
		return err
	}
	next, err := w.newBuilder(w.newest, int(w.newest.Segment)+1)
	if err != nil {
		return err
	}
	w.b.close()
	w.b = next
	return nil
}

// void records a void message, which is archived like any other.
func (x *Archiver) void(seq uint64) {
	x.logger.Warn("archiver met a void message on SEALED", "log", x.a.name, "sequence", seq)
	x.set(func(s *Status) {
		if len(s.Void) < 100 {
			s.Void = append(s.Void[:len(s.Void):len(s.Void)], seq)
		}
	})
}

// resume resumes the chain after the last batch of a segment, and verifies that batch's signature.
// It returns the batch's message, too.
func (x *Archiver) resume(ctx context.Context, s Segment) (*audit.Chain, entry.Message, error) {
	object := objectName(x.a.name, s.Segment, sealedName)
	list, err := x.a.sealedFrom(ctx, s.LastSeq)
	if err != nil {
		return nil, entry.Message{}, err
	}
	if len(list) == 0 {
		return nil, entry.Message{}, damaged(object, s.First, "sequence %d is not in it", s.LastSeq)
	}
	b, err := sealedlog.ParseBatch(list[0])
	if err != nil || b.Size != s.Size || string(b.Checkpoint) != s.Checkpoint {
		return nil, entry.Message{}, damaged(object, s.First, "sequence %d is not its last batch", s.LastSeq)
	}
	last := b.Leaves[len(b.Leaves)-1]
	chain, err := audit.ResumeChain(b, last, x.keys...)
	if m, ok := errors.AsType[*audit.MismatchError](err); ok && m.What == audit.CheckSignature {
		if err := x.learnKeys(ctx, s.LastSeq); err != nil {
			return nil, entry.Message{}, err
		}
		chain, err = audit.ResumeChain(b, last, x.keys...)
	}
	if err != nil {
		return nil, entry.Message{}, damaged(object, s.First, "%w", err)
	}
	return chain, list[0], nil
}

// learnKeys adds the keys that the log has announced up to a sequence. That takes a walk from the
// log's first message, which only an archiver with keys of long ago needs.
func (x *Archiver) learnKeys(ctx context.Context, last uint64) error {
	chain := audit.NewChain(x.cfg.Keys...)
	for p, err := range store.Ahead(ctx, x.through.Sealed, 1, last, audit.Parse) {
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if _, err := chain.Take(p); err != nil && !errors.Is(err, sealedlog.ErrVoid) {
			return fmt.Errorf("SEALED sequence %d: %w", p.Seq, err)
		}
	}
	x.keys = chain.Keys()
	return nil
}
