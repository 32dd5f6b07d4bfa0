package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/pkg/proof"
	"github.com/sealstream/sealstream/pkg/store"
)

// Config is all that an Archiver needs to know.
type Config struct {
	Archive *Archive // whose log is archived
	Keys    []string // verifier keys of the log; at least one

	TrimSealed    uint64       // trim SEALED and PAYLOADS behind the archive, but for this many newest entries; 0: they are kept whole
	SegmentLeaves uint64       // 0: SegmentLeaves; other values, of 256 or more, are for tests
	Logger        *slog.Logger // nil: silent
}

// Archiver writes the archive of one log. Make it with NewArchiver, start it with Run.
type Archiver struct {
	cfg     Config
	log     *slog.Logger
	a       *Archive
	through *store.Log
	raw     *store.Log // as it is, without the archive
	encoder *zstd.Encoder

	compared map[uint64]bool // segments that were read back, and are what SEALED has

	mu     sync.Mutex
	status Status
}

// Status is how an Archiver fares.
type Status struct {
	Segments uint64 // written
	Size     uint64 // entries in them
	Void     []uint64
	Err      error // why it does not go on, or has trouble; nil: all is well
}

// ErrDiffers: the archive holds a segment that is not what the log makes of it. Nothing is written over it.
var ErrDiffers = errors.New("a segment of the archive differs from the log")

// NewArchiver checks the configuration; it reads nothing.
func NewArchiver(cfg Config) (*Archiver, error) {
	if cfg.SegmentLeaves == 0 {
		cfg.SegmentLeaves = SegmentLeaves
	}
	switch {
	case cfg.Archive == nil || len(cfg.Keys) == 0:
		return nil, errors.New("archive: a log with an archive and its key are required")
	case cfg.SegmentLeaves < entry.MaxMessageEvents:
		return nil, errors.New("archive: a segment has at least as many leaves as a batch")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Archiver{
		cfg: cfg, log: cfg.Logger, a: cfg.Archive, through: cfg.Archive.Through(), raw: cfg.Archive.log, encoder: newEncoder(),
		compared: map[uint64]bool{},
	}, nil
}

// Status returns the present status; it never blocks.
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

// Run archives until ctx is done, which is a nil return. Trouble of the store is waited out. What is wrong for good, with the log or with the
// archive, ends the work and not Run: the log goes on without, and Status tells.
func (x *Archiver) Run(ctx context.Context) error {
	for wait := time.Duration(0); ; {
		before := x.Status().Segments
		err := x.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		x.set(func(s *Status) { s.Err = err })
		if final(err) {
			x.log.ErrorContext(ctx, "the archiver has stopped", "log", x.a.name, "cause", err)
			<-ctx.Done()
			return nil
		}
		x.log.WarnContext(ctx, "the archiver begins again", "log", x.a.name, "cause", err)
		if x.Status().Segments > before {
			wait = 0
		}
		wait = min(max(2*wait, 10*time.Millisecond), 10*time.Second)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func final(err error) bool {
	_, bad := errors.AsType[*proof.MismatchError](err)
	return bad || errors.Is(err, proof.ErrVersion) || errors.Is(err, ErrDiffers)
}

// errAgain asks for a walk over the whole log: only that tells which of two messages is void.
var errAgain = errors.New("begin again at the log's first message")

// session archives from where the archive ends until something goes wrong.
func (x *Archiver) session(ctx context.Context) error {
	segments, err := x.a.Segments(ctx)
	if err != nil {
		return err
	}
	if err := x.notBehind(ctx, segments); err != nil {
		return err
	}
	if err := x.trim(ctx, segments); err != nil {
		return err
	}
	x.wrote(segments)
	if err = x.walk(ctx, segments, false); err != errAgain {
		return err
	}
	if segments, err = x.a.Segments(ctx); err != nil {
		return err
	}
	return x.walk(ctx, segments, true)
}

// notBehind: a SEALED that ends before the archive does was put back to an older state.
func (x *Archiver) notBehind(ctx context.Context, segments []Segment) error {
	n := len(segments)
	if n == 0 {
		return nil
	}
	info, err := x.raw.Sealed.Info(ctx)
	if err != nil {
		return fmt.Errorf("sealed stream: %w", err)
	}
	if last := segments[n-1]; info.Last < last.LastSeq {
		return &proof.MismatchError{Index: last.First, What: "cut", Why: fmt.Sprintf("SEALED ends at sequence %d, the archive holds up to %d", info.Last, last.LastSeq)}
	}
	return nil
}

// wrote tells how far the archive is.
func (x *Archiver) wrote(segments []Segment) {
	x.set(func(s *Status) {
		s.Segments, s.Err = uint64(len(segments)), nil
		if n := len(segments); n > 0 {
			s.Size = segments[n-1].Size
		}
	})
}

// kept is a SEALED message and what could be read of it without its predecessors.
type kept struct {
	proof.Parsed
	message entry.Message
}

// walk follows SEALED and writes a segment whenever one is full. It begins behind the archive, or, with whole, at the log's first message, to
// prove the archived part too.
func (x *Archiver) walk(ctx context.Context, segments []Segment, whole bool) (err error) {
	w := walking{Archiver: x, chain: proof.NewChain(x.cfg.Keys...), whole: whole || len(segments) == 0}
	if n := len(segments); n > 0 {
		w.end = segments[n-1]
	}
	if !w.whole {
		if w.chain, err = x.resume(ctx, w.end); err != nil {
			return err
		}
		w.last = w.end.LastSeq
	}
	if w.b, err = x.newBuilder(w.end, len(segments)); err != nil {
		return err
	}
	defer func() { w.b.close() }()
	for k, err := range store.Ahead(ctx, x.through.Sealed, w.last+1, 0, func(m entry.Message) kept { return kept{proof.Parse(m), m} }) {
		if err == nil && k.Seq != w.last+1 {
			err = proof.Missing(w.chain.Size(), w.last+1, k.Seq-1)
		}
		if err != nil {
			return fmt.Errorf("sealed stream: %w", err)
		}
		if err := w.take(ctx, k); err != nil {
			return err
		}
	}
	return errors.New("sealed stream: it has ended")
}

// walking is one walk.
type walking struct {
	*Archiver
	chain *proof.Chain
	whole bool
	last  uint64   // SEALED sequence taken last
	end   Segment  // the newest that is archived; zero: none is
	b     *builder // the next
}

// take takes the next message into chain and segment.
func (w *walking) take(ctx context.Context, k kept) error {
	w.last = k.Seq
	entries, err := w.chain.Take(k.Parsed)
	void := errors.Is(err, proof.ErrVoid)
	switch {
	case void && !w.whole:
		return errAgain
	case err != nil && !void:
		return fmt.Errorf("SEALED sequence %d: %w", k.Seq, err)
	case k.Seq == w.end.LastSeq && (void || w.chain.Size() != w.end.Size):
		object := objectName(w.a.name, w.end.Segment, manifestName)
		return damaged(object, w.end.First, "the log has %d entries at sequence %d, not %d", w.chain.Size(), k.Seq, w.end.Size)
	case k.Seq <= w.end.LastSeq:
		return nil // archived
	case void:
		w.void(k.Seq)
	}
	if err := w.erasures(ctx, entries, w.b); err != nil {
		return err
	}
	if err := w.b.add(k, entries, w.chain.Size()); err != nil {
		return err
	}
	if void || w.chain.Size() < w.b.full {
		return nil
	}
	return w.full(ctx)
}

// full writes the segment, and begins the next.
func (w *walking) full(ctx context.Context) (err error) {
	if w.end, err = w.finish(ctx, w.b, w.chain.Batch(), w.last); err != nil {
		return err
	}
	next, err := w.newBuilder(w.end, int(w.end.Segment)+1)
	if err != nil {
		return err
	}
	w.b.close()
	w.b = next
	return nil
}

// void remembers a void message; it is archived as it is.
func (x *Archiver) void(seq uint64) {
	x.log.Warn("a void message on SEALED is archived", "log", x.a.name, "sequence", seq)
	x.set(func(s *Status) {
		if len(s.Void) < 100 {
			s.Void = append(s.Void[:len(s.Void):len(s.Void)], seq)
		}
	})
}

// resume takes up the chain behind the last batch of a segment, whose signature is checked.
func (x *Archiver) resume(ctx context.Context, s Segment) (*proof.Chain, error) {
	object := objectName(x.a.name, s.Segment, sealedName)
	list, err := x.a.sealedFrom(ctx, s.LastSeq)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, damaged(object, s.First, "sequence %d is not in it", s.LastSeq)
	}
	b, err := proof.ParseBatch(list[0])
	if err != nil || b.Size != s.Size || string(b.Checkpoint) != s.Checkpoint {
		return nil, damaged(object, s.First, "sequence %d is not the batch that ends it", s.LastSeq)
	}
	chain, err := proof.ResumeChain(b, b.Leaves[len(b.Leaves)-1], x.cfg.Keys...)
	if err != nil {
		return nil, damaged(object, s.First, "%w", err)
	}
	return chain, nil
}
