package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sealstream/sealstream/internal/store"
	"github.com/sealstream/sealstream/pkg/entry"
	"github.com/sealstream/sealstream/streams/subject"
)

// Through returns the log as if nothing had been trimmed: SEALED starts where the archive does, and
// what SEALED and PAYLOADS no longer have is read from the archive. Everything else, including
// writes, is the log's own. SEALED cannot be purged through it.
func (a *Archive) Through() *store.Log {
	log := *a.log
	log.Sealed = &sealed{trimming{Stream: a.log.Sealed}, a}
	log.Payloads = &payloads{trimming{Stream: a.log.Payloads}, a}
	return &log
}

// Through returns New(log).Through(), or log itself if it has no archive.
func Through(log *store.Log) *store.Log {
	if log.Archive == nil {
		return log
	}
	return New(log).Through()
}

// Alone returns the archived part of a log, from the archive alone. It is read-only.
func (a *Archive) Alone(ctx context.Context) (*store.Log, error) {
	segments, err := a.Segments(ctx)
	if err != nil {
		return nil, err
	}
	end := uint64(0)
	if n := len(segments); n > 0 {
		end = segments[n-1].LastSeq
	}
	log := store.NewMemory(a.name)
	log.Archive = a.objects
	log.Sealed = &sealed{trimming{Stream: trimmed(ctx, end)}, a}
	log.Payloads = &payloads{trimming{Stream: trimmed(ctx, 0)}, a}
	return log, nil
}

// trimmed returns a stream that was trimmed up to a sequence.
func trimmed(ctx context.Context, end uint64) *store.MemoryStream {
	if end == 0 {
		return store.NewMemoryStream()
	}
	s := store.NewMemoryStreamOf(time.Time{}, []entry.Message{{Seq: end}})
	s.PurgeBelow(ctx, end+1) // fails only if ctx is done, and then everything after fails, too
	return s
}

// trimming is a stream that may be trimmed while it is read.
type trimming struct {
	store.Stream
	first atomic.Uint64 // the stream begins here or later: what is trimmed stays so
}

// isTrimmed reports whether a sequence is before the first that the stream still has. It asks only
// for those of which it does not know yet.
func (t *trimming) isTrimmed(ctx context.Context, seq uint64) (bool, error) {
	if t.known(seq) {
		return true, nil
	}
	info, err := t.Stream.Info(ctx)
	if err != nil {
		return false, err
	}
	t.first.Store(max(t.first.Load(), info.First))
	return seq < info.First, nil
}

// known reports whether a sequence is known to be trimmed.
func (t *trimming) known(seq uint64) bool { return seq < t.first.Load() }

// sealed is SEALED, continued by the archive.
type sealed struct {
	trimming
	a *Archive
}

var (
	_ store.Stream    = (*sealed)(nil)
	_ store.Fetcher   = (*sealed)(nil)
	_ store.Landmarks = (*sealed)(nil)
)

// Info implements store.Stream. It asks the archive only if the stream was trimmed.
func (s *sealed) Info(ctx context.Context) (store.Info, error) {
	info, err := s.Stream.Info(ctx)
	if err != nil || info.First <= 1 {
		return info, err
	}
	list := s.a.known()
	if n := len(list); n == 0 || list[n-1].LastSeq+1 < info.First {
		if list, err = s.a.Segments(ctx); err != nil {
			return store.Info{}, fmt.Errorf("archive: %w", err)
		}
	}
	if len(list) > 0 {
		info.First = list[0].FirstSeq
	}
	return info, nil
}

// Size implements store.Sized.
func (s *sealed) Size(ctx context.Context) (store.Size, error) { return store.SizeOf(ctx, s.Stream) }

// Size implements store.Sized.
func (p *payloads) Size(ctx context.Context) (store.Size, error) { return store.SizeOf(ctx, p.Stream) }

// Get implements store.Stream.
func (s *sealed) Get(ctx context.Context, seq uint64) (entry.Message, error) {
	if !s.known(seq) {
		m, err := s.Stream.Get(ctx, seq)
		if !errors.Is(err, store.ErrNotFound) {
			return m, err
		}
	}
	return s.archived(ctx, seq)
}

// Fetch implements store.Fetcher.
func (s *sealed) Fetch(ctx context.Context, seq uint64) ([]byte, error) {
	if !s.known(seq) {
		body, err := store.Fetch(ctx, s.Stream, seq)
		if !errors.Is(err, store.ErrNotFound) {
			return body, err
		}
	}
	m, err := s.archived(ctx, seq)
	return bytes.Clone(m.Data), err // a slice of the frame would keep all of it in memory
}

// archived reads a message that is not in the stream. The error wraps store.ErrNotFound if it was
// not trimmed, or nothing is archived.
func (s *sealed) archived(ctx context.Context, seq uint64) (entry.Message, error) {
	trimmed, err := s.isTrimmed(ctx, seq)
	if err != nil {
		return entry.Message{}, err
	}
	var list []entry.Message
	if trimmed {
		list, err = s.a.trimmedFrom(ctx, seq)
	}
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("SEALED sequence %d: %w", seq, store.ErrNotFound)
	}
	if err != nil {
		return entry.Message{}, err
	}
	return list[0], nil
}

// Landmarks implements store.Landmarks: the last batch of each segment.
func (s *sealed) Landmarks(context.Context) ([]store.At, error) {
	segments := s.a.known()
	list := make([]store.At, len(segments))
	for i, g := range segments {
		list[i] = store.At{Seq: g.LastSeq, Batch: g.last()}
	}
	return list, nil
}

// Read implements store.Stream.
func (s *sealed) Read(ctx context.Context, from uint64) (store.Reader, error) {
	return &reader{s: s, next: max(from, 1)}, ctx.Err()
}

// reader reads SEALED, and the trimmed part from the archive, even if it is trimmed during the
// reading.
type reader struct {
	s    *sealed
	next uint64       // next sequence
	live store.Reader // nil until the archive is read to its end
	// read from SEALED; what is missing before them comes from the archive first
	buffered []entry.Message
}

var _ store.Reopener = (*reader)(nil)

// Reopened implements store.Reopener.
func (r *reader) Reopened() int {
	if o, ok := r.live.(store.Reopener); ok {
		return o.Reopened()
	}
	return 0
}

// Close implements store.Reader.
func (r *reader) Close() {
	if r.live != nil {
		r.live.Close()
	}
}

// Next implements store.Reader.
func (r *reader) Next(ctx context.Context, limit int) ([]entry.Message, error) {
	if r.live == nil {
		list, err := r.archived(ctx, limit, 0)
		if err != nil || len(list) > 0 {
			return list, err
		}
		if r.live, err = r.s.Stream.Read(ctx, r.next); err != nil {
			return nil, err
		}
	}
	if len(r.buffered) == 0 {
		var err error
		if r.buffered, err = r.live.Next(ctx, limit); err != nil {
			return nil, err
		}
	}
	if first := r.buffered[0].Seq; first > r.next { // trimmed since the reader was opened, or lost
		list, err := r.archived(ctx, limit, first)
		if err != nil || len(list) > 0 {
			return list, err
		}
	}
	n := 1
	for n < min(len(r.buffered), limit) && r.buffered[n].Seq == r.buffered[n-1].Seq+1 {
		n++
	}
	list := r.buffered[:n:n]
	r.buffered, r.next = r.buffered[n:], list[n-1].Seq+1
	return list, nil
}

// archived reads the next messages from the archive, up to the sequence before, unless that is 0.
// It returns none if SEALED has the next message, or the archive does not have it.
func (r *reader) archived(ctx context.Context, limit int, before uint64) ([]entry.Message, error) {
	if trimmed, err := r.s.isTrimmed(ctx, r.next); err != nil || !trimmed {
		return nil, err
	}
	list, err := r.s.a.trimmedFrom(ctx, r.next)
	if err != nil {
		return nil, err
	}
	list = list[:min(len(list), limit)]
	for len(list) > 0 && before > 0 && list[len(list)-1].Seq >= before {
		list = list[:len(list)-1]
	}
	if n := len(list); n > 0 {
		r.next = list[n-1].Seq + 1
	}
	return list, nil
}

// payloads is PAYLOADS, continued by the archive. Fetch looks for a message under its sequence,
// then for its rewritten form, and in the archive last. So an erasure takes effect at once.
type payloads struct {
	trimming
	a *Archive
}

var (
	_ store.Fetcher = (*payloads)(nil)
	_ store.Purger  = (*payloads)(nil)
)

// Fetch implements store.Fetcher.
func (p *payloads) Fetch(ctx context.Context, seq uint64) ([]byte, error) {
	if !p.known(seq) {
		body, err := store.Fetch(ctx, p.Stream, seq)
		if !errors.Is(err, store.ErrNotFound) {
			return body, err
		}
		if _, err := p.isTrimmed(ctx, seq); err != nil { // for those that come next
			return nil, err
		}
	}
	m, err := p.Stream.Last(ctx, subject.PayloadsRewrite(p.a.name, seq))
	if !errors.Is(err, store.ErrNotFound) {
		return m.Data, err
	}
	return p.a.payload(ctx, seq)
}

// PurgeBelow implements store.Purger.
func (p *payloads) PurgeBelow(ctx context.Context, seq uint64) error {
	return p.purger(func(s store.Purger) error { return s.PurgeBelow(ctx, seq) })
}

// SecureDelete implements store.Purger.
func (p *payloads) SecureDelete(ctx context.Context, seq uint64) error {
	return p.purger(func(s store.Purger) error { return s.SecureDelete(ctx, seq) })
}

func (p *payloads) purger(do func(store.Purger) error) error {
	s, ok := p.Stream.(store.Purger)
	if !ok {
		return errors.New("this PAYLOADS stream cannot be purged")
	}
	return do(s)
}
